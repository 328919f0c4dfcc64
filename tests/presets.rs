//! Presets on the real binary, and docs/quotas.md, which is held to the data. `UPDATE_README=1 cargo test --test presets`
//! writes the table of values.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::{daycap, run};
use daycap::config::preset::{Preset, all};

const BEGIN: &str = "<!-- presets -->\n";
const END: &str = "<!-- /presets -->";

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/quotas.md")
}

fn text() -> String {
    fs::read_to_string(document()).expect("docs/quotas.md")
}

/// What `daycap check-config` says of a configuration, and its exit code.
fn checked(config: &str) -> (String, i32) {
    let room = tempfile::tempdir().expect("a directory");
    let path = room.path().join("daycap.toml");
    fs::write(&path, config).expect("writes");
    let (out, said, code) = run(daycap().args(["check-config", "--config"]).arg(&path));
    (out + &said, code)
}

fn row(preset: &Preset) -> String {
    let own = "your account's: write `tz`";
    let zone = if preset.needs_tz { own } else { preset.tz.as_deref().unwrap_or("") };
    let cells = [
        format!("`{}`", preset.name),
        preset.limit.to_string(),
        preset.window.clone(),
        zone.to_owned(),
        preset.burst.clone().unwrap_or_default(),
        preset.undocumented.clone().unwrap_or_default(),
        preset.read.clone(),
    ];
    format!("| {} |\n", cells.join(" | "))
}

#[test]
fn the_documented_values_are_those_of_the_data() {
    let head = "| preset | limit | window | zone | burst | what its provider does not say | read |\n|---|---:|---|---|---|---|---|\n";
    let table = head.to_owned() + &all().iter().map(row).collect::<String>();
    let present = text();
    let (before, rest) = present.split_once(BEGIN).expect("docs/quotas.md marks where the table begins");
    let (_, after) = rest.split_once(END).expect("docs/quotas.md marks where the table ends");
    let fresh = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(document(), &fresh).expect("docs/quotas.md");
    } else {
        assert!(present == fresh, "docs/quotas.md is out of date; UPDATE_README=1 cargo test --test presets\n{table}");
    }
}

/// Each row of "Whose they are" names presets that exist, a source and a day; each preset has a row.
#[test]
fn each_preset_has_a_source_and_the_day_it_was_read() {
    let text = text();
    let (_, facts) = text.split_once("## Whose they are").expect("a section");
    let (facts, _) = facts.split_once("\n## ").expect("a section after it");
    let rows: Vec<Vec<&str>> = facts
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let mut told = BTreeSet::new();
    for row in &rows {
        let [names, _, _, source, read] = row[..] else { panic!("not five cells: {row:?}") };
        // The first user's provider does not want its name in this application.
        assert!(source.contains("](https://") || source.contains("daycap does not name it"), "no source: {row:?}");
        for name in names.split(", ").map(|name| name.trim_matches('`')) {
            let preset = all().iter().find(|preset| preset.name == name);
            let preset = preset.unwrap_or_else(|| panic!("no preset is named {name:?}"));
            assert_eq!(preset.read, read, "{name}");
            told.insert(name);
        }
    }
    assert_eq!(told, all().iter().map(|preset| preset.name.as_str()).collect());
}

#[test]
fn every_preset_and_every_configuration_of_the_documentation_is_accepted() {
    for preset in all() {
        let zone = if preset.needs_tz { "tz = \"Europe/Berlin\"\n" } else { "" };
        let (said, code) = checked(&format!("[[quota]]\nname = \"prod\"\npreset = {:?}\n{zone}", preset.name));
        assert_eq!(code, 0, "{said}");
        // What is left open is told to whoever chooses it.
        assert_eq!(
            preset.undocumented.as_ref().is_some_and(|what| said.contains(what)),
            preset.undocumented.is_some(),
            "{said}"
        );
    }
    let text = text();
    let blocks: Vec<_> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "only {} blocks", blocks.len());
    for block in blocks {
        let (said, code) = checked(block);
        assert_eq!(code, 0, "{said}\n{block}");
    }
}

#[test]
fn a_preset_that_is_none_is_answered_with_the_nearest() {
    let (said, code) = checked("[[quota]]\nname = \"prod\"\npreset = \"40k-anyday\"\n");
    assert_eq!(code, 2);
    assert!(said.contains("quota \"prod\": preset is \"40k-anyday\"; did you mean \"40k-any-day\"?"), "{said}");
}

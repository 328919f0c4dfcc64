//! House rules that a compiler does not check, checked on the text of the tree.
//! Each rule turns one file into complaints; each has a made-up file that breaks it.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};

struct File {
    /// From the repository's root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_source(&self) -> bool {
        self.is_rust() && self.path.starts_with("src/")
    }

    /// Line numbers and lines that are not comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// A complaint for each line of code that holds one of these words.
    fn refuse(&self, words: &[&str], why: &str) -> Vec<String> {
        let offends = |line: &str| words.iter().find(|word| line.contains(**word)).copied();
        let complain = |(number, line)| {
            let word = offends(line)?;
            Some(format!("{}:{number}: `{word}`: {why}", self.path))
        };
        self.code().filter_map(complain).collect()
    }
}

type Rule = fn(&File) -> Vec<String>;

/// The stages, in the order in which data flows through them.
const STAGES: [&str; 4] = ["collect", "count", "forecast", "publish"];
/// What every stage may use.
const COMMON: [&str; 2] = ["day", "quota"];

fn stages_import_only_from_earlier_ones(file: &File) -> Vec<String> {
    let Some(own) = STAGES.iter().position(|stage| file.path.starts_with(&format!("src/{stage}/"))) else {
        return Vec::new();
    };
    let allowed = [&STAGES[..=own], &COMMON].concat();
    let code: String = file.code().map(|(_, line)| format!("{line}\n")).collect();
    imports(&code)
        .into_iter()
        .filter(|module| !allowed.contains(&module.as_str()))
        .map(|module| format!("{}: imports crate::{module}; here are {} to use", file.path, allowed.join(", ")))
        .collect()
}

/// The top-level modules of this crate that the code names: `crate::day`, `crate::{day, quota::Quota}`.
fn imports(code: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => modules.extend(members(group)),
            None => modules.push(identifier(rest)),
        }
    }
    modules
}

/// The first names in a use group, up to the brace that closes it.
fn members(group: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut depth = 0;
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ if depth == 0 => names.last_mut().expect("never empty").push(letter),
            _ => {}
        }
    }
    names.iter().map(|name| identifier(name.trim())).filter(|name| !name.is_empty()).collect()
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

fn only_count_knows_polars(file: &File) -> Vec<String> {
    if !file.is_source() || file.path.starts_with("src/count/") {
        return Vec::new();
    }
    file.refuse(&["polars::", "use polars"], "only src/count/ knows polars")
}

fn only_main_reads_the_clock(file: &File) -> Vec<String> {
    if !file.is_source() || file.path == "src/main.rs" {
        return Vec::new();
    }
    file.refuse(&["Utc::now", "Local::now", "SystemTime::now"], "time is a parameter; only src/main.rs reads the clock")
}

fn forecasts_are_pure(file: &File) -> Vec<String> {
    if !file.path.starts_with("src/forecast/") {
        return Vec::new();
    }
    let words = ["std::fs", "std::io", "std::env", "std::net", "std::process", "std::thread", "Instant::", "tokio"];
    file.refuse(&words, "a forecast is arithmetic: no clock, no IO")
}

fn source_files_say_what_they_do(file: &File) -> Vec<String> {
    if !file.is_source() || file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![format!("{}: open it with `//!`: what becomes what here, and what it never does", file.path)]
}

const LINES_MAX: usize = 400;
/// Files that may be longer, and why a reader is better off.
const LONG_FILES: [(&str, &str); 2] = [
    ("src/collect/scan.rs", "which file is which log is one decision; its order is its meaning"),
    ("src/engine.rs", "all mutable state, and how each event changes it"),
];

fn files_are_short(file: &File) -> Vec<String> {
    // Tests, at a file's end or in a tests.rs, are read one by one; the rest has to be grasped as a whole.
    let is_read_whole = file.is_rust() && !file.path.ends_with("/tests.rs");
    let lines = file.text.lines().take_while(|line| *line != "#[cfg(test)]").count();
    let is_listed = LONG_FILES.iter().any(|(path, _)| *path == file.path);
    match (is_read_whole, lines > LINES_MAX, is_listed) {
        (true, true, false) => vec![format!("{}: {lines} lines; split it, or give a reason in LONG_FILES", file.path)],
        (_, false, true) => vec![format!("{}: {lines} lines; take it off LONG_FILES", file.path)],
        _ => Vec::new(),
    }
}

fn nothing_is_left_undone(file: &File) -> Vec<String> {
    if !file.is_rust() {
        return Vec::new();
    }
    // In two halves each, or this file would be the first to offend.
    let words =
        [["todo", "!("], ["unimplemented", "!("], ["dbg", "!("], ["#[ig", "nore"]].map(|halves| halves.concat());
    file.refuse(&words.each_ref().map(String::as_str), "finish it, or leave it out")
}

fn tests_never_sleep(file: &File) -> Vec<String> {
    let thread = ["thread::", "sleep"].concat();
    let task = ["time::", "sleep("].concat();
    match (file.is_rust(), file.path.starts_with("tests/")) {
        (false, _) => Vec::new(),
        (true, false) => file.refuse(&[&thread], "wait for what happens, not for time"),
        (true, true) => file.refuse(&[&thread, &task], "wait for what happens, not for time"),
    }
}

/// Paths that are true on one machine only.
fn no_file_names_a_machine(file: &File) -> Vec<String> {
    let prefixes = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"]].map(|halves| halves.concat());
    let names_a_place = |line: &str| {
        prefixes.iter().find(|prefix| {
            let goes_on = |(at, _): (usize, &str)| {
                line[at + prefix.len()..].starts_with(|next: char| next.is_ascii_alphanumeric() || next == '.')
                    && !line[..at].ends_with(|before: char| before.is_alphanumeric() || "}./*".contains(before))
            };
            line.match_indices(prefix.as_str()).any(goes_on)
        })
    };
    let complain = |(number, line)| {
        let prefix = names_a_place(line)?;
        Some(format!("{}:{number}: a path below {prefix} is on one machine only", file.path))
    };
    (1..).zip(file.text.lines()).filter_map(complain).collect()
}

/// daycap serves any API; the one it was first made for forbids the use of its name.
fn no_file_names_a_provider(file: &File) -> Vec<String> {
    let name = ["up", "work"].concat();
    let complain = |(number, line): (usize, &str)| {
        line.to_lowercase().contains(&name).then(|| format!("{}:{number}: names a provider", file.path))
    };
    (1..).zip(file.text.lines()).filter_map(complain).collect()
}

// ---- the tree keeps each rule ----

/// Folders of other people's files and of built things.
const SKIPPED: [&str; 3] = [".git", "target", ".venv"];

fn tree() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    read_folder(root, "", &mut files);
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "no sources below {}", root.display());
    files
}

fn read_folder(root: &Path, folder: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(root.join(folder)).expect("a folder of the tree") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if root.join(&path).is_dir() {
            read_folder(root, &path, files);
        } else {
            let bytes = fs::read(root.join(&path)).expect("a file of the tree");
            files.push(File { path, text: String::from_utf8_lossy(&bytes).into_owned() });
        }
    }
}

fn the_tree_keeps(rules: &[Rule]) {
    let complaints: Vec<_> = tree().iter().flat_map(|file| rules.iter().flat_map(|rule| rule(file))).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_tree_is_the_data_flow() {
    the_tree_keeps(&[stages_import_only_from_earlier_ones, only_count_knows_polars, forecasts_are_pure]);
}

#[test]
fn the_clock_is_read_in_one_place() {
    the_tree_keeps(&[only_main_reads_the_clock]);
}

#[test]
fn files_introduce_themselves_and_are_short() {
    the_tree_keeps(&[source_files_say_what_they_do, files_are_short]);
}

#[test]
fn the_tree_is_finished() {
    the_tree_keeps(&[nothing_is_left_undone]);
}

#[test]
fn no_test_sleeps() {
    the_tree_keeps(&[tests_never_sleep]);
}

#[test]
fn the_tree_fits_every_machine_and_provider() {
    the_tree_keeps(&[no_file_names_a_machine, no_file_names_a_provider]);
}

#[test]
fn long_files_exist() {
    for (path, reason) in LONG_FILES {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path} ({reason})");
    }
}

// ---- each rule can be broken ----

fn check(rule: Rule, path: &str, text: &str, expected: Expect) {
    let file = File { path: path.to_owned(), text: text.to_owned() };
    expected.assert_eq(&rule(&file).join("\n"));
}

#[test]
fn an_import_from_a_later_stage_is_found() {
    let rule = stages_import_only_from_earlier_ones;
    check(
        rule,
        "src/count/tally.rs",
        "use crate::publish::alert::Level;\nuse crate::collect::Chunk;\n",
        expect!["src/count/tally.rs: imports crate::publish; here are collect, count, day, quota to use"],
    );
    check(
        rule,
        "src/collect/tail.rs",
        "use crate::{\n    day::{Day, Minute},\n    engine,\n};\n",
        expect!["src/collect/tail.rs: imports crate::engine; here are collect, day, quota to use"],
    );
    check(rule, "src/publish/web.rs", "// crate::engine\nuse crate::count::query;", expect![""]);
    check(rule, "src/engine.rs", "use crate::publish::alert;", expect![""]);
}

#[test]
fn polars_outside_count_is_found() {
    check(
        only_count_knows_polars,
        "src/publish/report.rs",
        "//! polars::prelude\nuse polars::prelude::*;",
        expect!["src/publish/report.rs:2: `polars::`: only src/count/ knows polars"],
    );
    check(only_count_knows_polars, "src/count/batch.rs", "use polars::prelude::*;", expect![""]);
}

#[test]
fn a_second_clock_is_found() {
    check(
        only_main_reads_the_clock,
        "src/engine.rs",
        "let now = chrono::Utc::now();",
        expect!["src/engine.rs:1: `Utc::now`: time is a parameter; only src/main.rs reads the clock"],
    );
    check(only_main_reads_the_clock, "src/main.rs", "let now = chrono::Utc::now();", expect![""]);
}

#[test]
fn a_forecast_that_reads_is_found() {
    check(
        forecasts_are_pure,
        "src/forecast/mod.rs",
        "use std::fs;",
        expect!["src/forecast/mod.rs:1: `std::fs`: a forecast is arithmetic: no clock, no IO"],
    );
}

#[test]
fn a_file_without_introduction_is_found() {
    check(
        source_files_say_what_they_do,
        "src/day.rs",
        "use std::fmt;",
        expect!["src/day.rs: open it with `//!`: what becomes what here, and what it never does"],
    );
}

#[test]
fn a_long_file_is_found() {
    let text = "\n".repeat(401);
    check(
        files_are_short,
        "src/day.rs",
        &text,
        expect!["src/day.rs: 401 lines; split it, or give a reason in LONG_FILES"],
    );
    let with_tests = format!("{}#[cfg(test)]\n{text}", "\n".repeat(399));
    check(files_are_short, "src/day.rs", &with_tests, expect![""]);
    check(files_are_short, "Cargo.lock", &text, expect![""]);
}

#[test]
fn unfinished_code_is_found() {
    for halves in [["todo", "!()"], ["unimplemented", "!()"], ["dbg", "!(1)"], ["#[ig", "nore]"]] {
        let file = File { path: "src/day.rs".to_owned(), text: halves.concat() };
        assert_eq!(nothing_is_left_undone(&file).len(), 1, "{halves:?}");
    }
}

#[test]
fn a_sleep_is_found() {
    let text = ["tokio::time::", "sleep(second).await;"].concat();
    check(tests_never_sleep, "src/daemon.rs", &text, expect![""]);
    let found =
        |path: &str, text: &str| tests_never_sleep(&File { path: path.to_owned(), text: text.to_owned() }).len();
    assert_eq!(found("tests/daemon.rs", &text), 1);
    assert_eq!(found("src/day.rs", &["std::thread::", "sleep(second);"].concat()), 1);
}

#[test]
fn a_machine_is_found() {
    let found =
        |text: &str| no_file_names_a_machine(&File { path: "Makefile".to_owned(), text: text.to_owned() }).len();
    assert_eq!(found(&["cd /wo", "rk/main"].concat()), 1);
    assert_eq!(found(&["/ho", "me/ann/logs"].concat()), 1);
    assert_eq!(found(&["\"/ro", "ot/.cargo\""].concat()), 1);
    assert_eq!(found(&["$HOME/wo", "rk, https://a.example/ho", "me/ann"].concat()), 0);
}

#[test]
fn a_provider_is_found() {
    let text = ["https://api.Up", "Work.example/"].concat();
    check(no_file_names_a_provider, "README.md", &text, expect!["README.md:1: names a provider"]);
}

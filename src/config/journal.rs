//! What a source reads: `path` names files, `journal` becomes the matches that journalctl is asked for; every error says what to
//! write instead.
//! This file never asks journalctl.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use crate::collect::{Journal, Source};

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(written: OneOrMany) -> Vec<String> {
        match written {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        }
    }
}

/// What a source names: files, or what is in the journal.
pub(super) struct Named {
    pub(super) first: String,
    pub(super) paths: Vec<String>,
    pub(super) units: Vec<String>,
}

pub(super) fn files_or_units(path: Option<OneOrMany>, journal: Option<OneOrMany>) -> Result<Named, String> {
    let (paths, units): (Vec<String>, Vec<String>) =
        (path.map(Into::into).unwrap_or_default(), journal.map(Into::into).unwrap_or_default());
    match (paths.first().cloned(), units.first().cloned()) {
        (Some(first), None) | (None, Some(first)) => Ok(Named { first, paths, units }),
        (None, None) => Err("source: there is neither path nor journal; name files, or systemd units".to_owned()),
        (Some(path), Some(_)) => {
            Err(format!("source {path:?}: it has path and journal; give each a [[source]] of its own"))
        }
    }
}

/// Of units that run programs; a name without is a service's.
const UNIT_KINDS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// Units, and fields with their values, as journalctl takes them.
pub(super) fn settle(wanted: &[String], directory: Option<PathBuf>) -> Result<Option<Journal>, String> {
    if wanted.is_empty() {
        return match directory {
            None => Ok(None),
            Some(_) => Err("journal_directory is given without journal; name the units to read from it".to_owned()),
        };
    }
    let matches = wanted.iter().map(|text| journal_match(text)).collect::<Result<_, _>>()?;
    Ok(Some(Journal { matches, directory }))
}

fn journal_match(text: &str) -> Result<String, String> {
    let wrong = |what: &str| {
        let remedy = "write a unit as \"app.service\", or a field as \"SYSLOG_IDENTIFIER=app\"";
        format!("journal {text:?}: {what}; {remedy}")
    };
    if let Some((field, value)) = text.split_once('=') {
        let is_field = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        return match !field.is_empty() && field.bytes().all(is_field) && !value.is_empty() {
            true => Ok(text.to_owned()),
            false => Err(wrong("it is neither a unit nor a field with a value")),
        };
    }
    if text.is_empty() || text.contains(['*', '?', '[', '/', ' ']) {
        return Err(wrong("it is not the name of a unit, and patterns are not read"));
    }
    let is_whole = UNIT_KINDS.iter().any(|kind| text.ends_with(kind));
    Ok(format!("_SYSTEMD_UNIT={text}{}", if is_whole { "" } else { UNIT_KINDS[0] }))
}

/// An entry of a match that is named twice would count twice.
pub(super) fn refuse_doubles(sources: &[Source]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for source in sources {
        let Some(Journal { matches, directory }) = &source.journal else { continue };
        for matching in matches {
            if !seen.insert((directory, matching)) {
                let name = &source.name;
                return Err(format!("source {name:?}: journal {matching:?} is named twice; remove one of the two"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Surroundings;

    #[test]
    fn a_journal_source_names_units_or_fields_and_no_files() {
        let matches = |what: &str| {
            let surroundings = Surroundings::default();
            let config =
                crate::config::parse(&format!("[[source]]\n{what}\n"), Path::new("daycap.toml"), &surroundings)?;
            Ok::<_, String>(config.sources[0].journal.clone().expect("a journal").matches.join(" "))
        };
        assert_eq!(matches("journal = \"app\""), Ok("_SYSTEMD_UNIT=app.service".to_owned()));
        assert_eq!(
            matches("journal = [\"app@1.2.service\", \"run-7.scope\", \"SYSLOG_IDENTIFIER=a b\"]"),
            Ok("_SYSTEMD_UNIT=app@1.2.service _SYSTEMD_UNIT=run-7.scope SYSLOG_IDENTIFIER=a b".to_owned())
        );
        let wrong = |what: &str, expected: &str| {
            let told = matches(what).expect_err("wrong");
            assert!(told.contains(expected), "{what}: {told}");
        };
        wrong(
            "journal = \"app-*\"",
            "journal \"app-*\": it is not the name of a unit, and patterns are not read; write",
        );
        wrong("journal = \"unit=app\"", "it is neither a unit nor a field with a value; write a unit as");
        wrong("journal = []", "there is neither path nor journal");
        wrong("path = \"a\"\njournal = \"app\"", "source \"a\": it has path and journal; give each a [[source]]");
        wrong("path = \"a\"\njournal_directory = \"/j\"", "journal_directory is given without journal");
        wrong("journal = [\"app\", \"_SYSTEMD_UNIT=app.service\"]", "is named twice; remove one of the two");
    }
}

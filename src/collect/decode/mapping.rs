//! What a source says of its own fields, ahead of all that daycap knows: which place says what, which lines are
//! meant at all, how paths become operations, how keys are called. This file never looks at a line.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::field::{self, Field, Unit};
use super::key;
use super::regex;
use super::routes;
use crate::collect::{Family, Format};

/// A source's `pattern`, `fields`, `only_if`, `operations` and `keys`, as written; what comes out of [`Mapping::checked`]
/// can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// The regular expression of `format = "regex"`.
    pub pattern: Option<String>,
    /// A field's name, or its unit's (`duration_unit`), and the place or unit.
    pub fields: BTreeMap<String, String>,
    /// A place, and the text that must be there.
    pub only_if: BTreeMap<String, String>,
    /// Paths with named gaps: `/users/{name}/posts`.
    pub operations: Vec<String>,
    /// A key's fingerprint, or what the log calls it, and the name that is shown.
    pub keys: BTreeMap<String, String>,
}

/// Every name of a field. Among those that say the same, the first is preferred.
const FIELDS: [(&str, Field); 13] = [
    ("time", Field::Time),
    ("method", Field::Method),
    ("url", Field::Url),
    ("path", Field::Url),
    ("api", Field::Host),
    ("status", Field::Status),
    ("duration", Field::Duration),
    ("bytes", Field::Bytes),
    ("operation", Field::Operation),
    ("document", Field::Document),
    ("service", Field::Service),
    ("key", Field::Key),
    ("units", Field::Units),
];
/// How patterns found in the wild call them, too.
const GROUPS: [(&str, Field); 2] = [("ts", Field::Time), ("host", Field::Host)];
const TIME_UNIT: &str = "time_unit";
const DURATION_UNIT: &str = "duration_unit";
const UNITS: [(&str, Unit); 4] =
    [("s", Unit::Seconds), ("ms", Unit::Millis), ("us", Unit::Micros), ("ns", Unit::Nanos)];
/// Each is looked for in every line.
const CONDITIONS_MAX: usize = 8;

impl Mapping {
    /// The same, if every part of it can be meant; `None` where nothing is said. The error names key, value and remedy.
    pub fn checked(self, format: Option<Format>) -> Result<Option<Arc<Mapping>>, String> {
        let family = format.map(|format| format.family);
        self.check_pattern(family)?;
        self.check_fields(family)?;
        self.check_conditions(family)?;
        routes::check(&self.operations)?;
        key::check(&self.keys)?;
        Ok(if self == Mapping::default() { None } else { Some(Arc::new(self)) })
    }

    fn check_pattern(&self, family: Option<Family>) -> Result<(), String> {
        match (&self.pattern, family) {
            (Some(_), Some(Family::Regex)) => regex::check(self),
            (Some(pattern), _) => Err(format!("pattern is {pattern:?}; it needs format = \"regex\" beside it")),
            (None, Some(Family::Regex)) => {
                Err("format is \"regex\"; it needs a pattern = '…' with named groups, as (?<method>[A-Z]+)".to_owned())
            }
            (None, _) => Ok(()),
        }
    }

    fn check_fields(&self, family: Option<Family>) -> Result<(), String> {
        let mut places = BTreeMap::new();
        for (name, place) in &self.fields {
            if name == TIME_UNIT || name == DURATION_UNIT {
                unit(place).ok_or_else(|| {
                    format!("fields: {name} is {place:?}; the units are \"s\", \"ms\", \"us\" and \"ns\"")
                })?;
                units_have_a_use(name, family)?;
                continue;
            }
            FIELDS.iter().find(|(known, _)| known == name).ok_or_else(|| unknown(name))?;
            places_have_a_use("fields", name, family)?;
            let path = dotted(place).map_err(|why| format!("fields: {name} is {place:?}; {why}"))?;
            if let Some(other) = places.insert(path, name) {
                return Err(format!("fields: {other} and {name} are both at {place:?}; a place says one thing"));
            }
        }
        Ok(())
    }

    fn check_conditions(&self, family: Option<Family>) -> Result<(), String> {
        if self.only_if.len() > CONDITIONS_MAX {
            let count = self.only_if.len();
            return Err(format!("only_if has {count} conditions; a source has at most {CONDITIONS_MAX}"));
        }
        // Those of a pattern are groups, which were looked for with it.
        if family == Some(Family::Regex) {
            return Ok(());
        }
        let mut places = BTreeMap::new();
        for place in self.only_if.keys() {
            places_have_a_use("only_if", place, family)?;
            let path = dotted(place).map_err(|why| format!("only_if: the place is {place:?}; {why}"))?;
            if let Some(other) = places.insert(path, place) {
                return Err(format!("only_if: {other:?} and {place:?} are one place; keep one of them"));
            }
        }
        Ok(())
    }

    /// Each mapped field with its dotted path, as [`field::push_key`] spells it; what says the same, best first.
    pub fn places(&self) -> impl Iterator<Item = (Field, String)> {
        FIELDS.iter().filter_map(|(name, field)| Some((*field, dotted(self.fields.get(*name)?).ok()?)))
    }

    /// The dotted path of each condition, in the order of `only_if`.
    pub fn conditions(&self) -> impl Iterator<Item = Option<String>> {
        self.only_if.keys().map(|place| dotted(place).ok())
    }

    /// Whether the source itself says where this is.
    pub fn says(&self, field: Field) -> bool {
        FIELDS.iter().any(|(name, known)| *known == field && self.fields.contains_key(*name))
    }

    pub fn time_unit(&self) -> Option<Unit> {
        unit(self.fields.get(TIME_UNIT)?)
    }

    pub fn duration_unit(&self) -> Option<Unit> {
        unit(self.fields.get(DURATION_UNIT)?)
    }
}

/// What a group of a pattern says, and its place among those that say the same.
pub fn group(name: &str) -> Option<(u16, Field)> {
    (0..).zip(FIELDS.iter().chain(&GROUPS)).find(|(_, (known, _))| *known == name).map(|(order, (_, field))| (order, *field))
}

/// Every name that a group can have, to be read.
pub fn group_names() -> String {
    FIELDS.map(|(name, _)| name).join(", ")
}

/// The known name most like this one.
pub fn nearest(name: &str) -> &'static str {
    let names = FIELDS.iter().map(|(name, _)| *name).chain([TIME_UNIT, DURATION_UNIT]);
    let likeness = |known: &str| strsim::jaro_winkler(name, known);
    names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or_default()
}

fn unknown(name: &str) -> String {
    match name {
        "host" => "fields: \"host\" is the machine that daycap runs on; the server called is \"api\"".to_owned(),
        name => format!("fields: unknown field {name:?}; did you mean {:?}?", nearest(name)),
    }
}

fn unit(text: &str) -> Option<Unit> {
    UNITS.iter().find(|(name, _)| *name == text).map(|(_, unit)| *unit)
}

fn places_have_a_use(table: &str, name: &str, family: Option<Family>) -> Result<(), String> {
    match family {
        Some(Family::Json | Family::Logfmt) => Ok(()),
        Some(Family::Regex) => Err(format!("{table}: {name:?} has no use with format = \"regex\": name a group {name:?}")),
        None => Err(format!("{table}: {name:?} needs format = \"json\" or \"logfmt\", lest it be guessed")),
        Some(family) => {
            let family = family.name();
            Err(format!("{table}: {name:?} has no use with format = {family:?}, whose lines have no keys; remove it"))
        }
    }
}

fn units_have_a_use(name: &str, family: Option<Family>) -> Result<(), String> {
    if family == Some(Family::Regex) { Ok(()) } else { places_have_a_use("fields", name, family) }
}

/// `/req/status_code` as keys are compared: `req.statuscode`.
fn dotted(pointer: &str) -> Result<String, String> {
    let keys = pointer.strip_prefix('/').ok_or("write a JSON pointer, as \"/req/method\"")?;
    let mut path = String::new();
    for key in keys.split('/') {
        let key = key.replace("~1", "/").replace("~0", "~");
        if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("entries of a list are not read; name a key of an object".to_owned());
        }
        let length = field::push_key(&mut path, &key);
        if path[length..].trim_start_matches('.').is_empty() {
            return Err("one of its keys is empty".to_owned());
        }
        if path.ends_with('\0') {
            return Err("its keys must be ASCII, and not longer than 128 bytes together".to_owned());
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_names_a_path_as_keys_are_compared() {
        for (pointer, path) in [
            ("/method", Some("method")),
            ("/req/statusCode", Some("req.statuscode")),
            ("/http.request/method", Some("http.request.method")),
            ("/a~1b/c~0d/~01", Some("a/b.c~d.~1")),
            ("method", None),
            ("", None),
            ("/", None),
            ("/a//b", None),
            ("/_/b", None),
            ("/list/0", None),
            ("/ä", None),
        ] {
            assert_eq!(dotted(pointer).ok().as_deref(), path, "{pointer}");
        }
        assert!(dotted(&format!("/{}", "x".repeat(200))).is_err());
    }
}

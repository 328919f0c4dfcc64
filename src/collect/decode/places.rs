//! Where in a line each thing is that daycap wants to know: for people who wonder how their log is read.
//! This file never gives a value, only the place of it.

use serde_json::{Map, Value};

use super::dialect::{self, Dialect, Marks};
use super::field::{self, Aliases, Field, Rank, Unit};
use super::fields::{Fields, Verdict};
use super::plain::Parser;
use super::value::Scalar;
use super::{Lines, operation, text};
use crate::collect::Family;

/// What a line is read by: the dialect, if it has one, and each field with its place.
#[derive(Default)]
pub struct Places {
    pub dialect: Option<&'static str>,
    pub fields: Vec<(&'static str, String)>,
}

/// The places in a line without its envelopes.
pub fn of(line: &[u8], family: Family, lines: &mut Lines, aliases: &Aliases) -> Places {
    match lines {
        Lines::Json(_) => in_object(line, aliases),
        Lines::Otlp(_) => in_export(),
        Lines::Plain(lines) => Places { dialect: None, fields: in_text(line, family, lines.parser()) },
    }
}

fn in_export() -> Places {
    let places = [
        ("time", "timeUnixNano of a log record, endTimeUnixNano of a client span"),
        ("service", "resource attribute service.name"),
        ("request", "attributes by OpenTelemetry's names, old and new"),
    ];
    Places { dialect: Some("OTLP"), fields: places.map(|(field, place)| (field, place.to_owned())).to_vec() }
}

fn in_object(line: &[u8], aliases: &Aliases) -> Places {
    let Ok(object) = serde_json::from_str::<Map<String, Value>>(&String::from_utf8_lossy(line)) else {
        return Places::default();
    };
    let mut walk = Walk { aliases, path: String::new(), marks: Marks::default(), found: Vec::new() };
    walk.object(&object, "");
    let dialect = dialect::of(walk.marks);
    let answered = walk.found.iter().any(|(rank, _, is_number)| rank.field == Field::Status && *is_number);
    let mut found: Vec<(Rank, String)> =
        walk.found.into_iter().filter_map(|(rank, place, _)| Some((dialect.rank(rank, answered)?, place))).collect();
    found.sort();
    let has_machine = found.iter().any(|(rank, _)| rank.field == Field::Machine);
    found.retain(|(rank, _)| match rank.field {
        Field::Machine | Field::Condition => false,
        Field::Name => has_machine,
        _ => true,
    });
    Places { dialect: name(dialect), fields: first_of_each(found) }
}

fn name(dialect: &'static Dialect) -> Option<&'static str> {
    (!std::ptr::eq(dialect, Dialect::none())).then_some(dialect.name)
}

/// What aliases name in an object, as the log spells it, and whether it is a number.
struct Walk<'a> {
    aliases: &'a Aliases,
    path: String,
    marks: Marks,
    found: Vec<(Rank, String, bool)>,
}

impl Walk<'_> {
    fn object(&mut self, object: &Map<String, Value>, spelled: &str) {
        for (key, value) in object {
            let outer = field::push_key(&mut self.path, key);
            let spelled = if spelled.is_empty() { printable(key) } else { format!("{spelled}.{}", printable(key)) };
            self.value(value, &spelled);
            self.path.truncate(outer);
        }
    }

    fn value(&mut self, value: &Value, spelled: &str) {
        let marking = dialect::marking(&self.path).unwrap_or_default();
        match value {
            Value::Object(inner) => return self.object(inner, spelled),
            Value::String(_) => self.marks.add(marking.text),
            Value::Number(_) => self.marks.add(marking.number),
            Value::Null | Value::Bool(_) | Value::Array(_) => return,
        }
        let Some(rank) = self.aliases.rank(&self.path) else { return };
        if rank.field == Field::Message && !is_call(value) {
            return;
        }
        self.found.push((rank, spelled.to_owned(), value.is_number()));
    }
}

/// Whether a message reports a call itself.
fn is_call(message: &Value) -> bool {
    message.as_str().is_some_and(|message| text::message(message.as_bytes(), &mut Fields::new()))
}

/// A line of text: words are counted from 1, keys are named where there are any.
fn in_text(line: &[u8], family: Family, parser: &mut Parser) -> Vec<(&'static str, String)> {
    let mut fields = Fields::new();
    if parser.read(line, &mut fields) == Verdict::Malformed {
        return Vec::new();
    }
    let place = |value: &[u8]| {
        let at = (value.as_ptr() as usize).checked_sub(line.as_ptr() as usize).filter(|at| *at <= line.len())?;
        Some(if family == Family::Logfmt { key_before(&line[..at]) } else { word(&line[..at]) })
    };
    let is_told = |(rank, value): &(Rank, &[u8])| match rank.field {
        Field::Client => false,
        Field::Message => text::message(value, &mut Fields::new()),
        _ => true,
    };
    let labels = fields.labels().filter(is_told);
    let labels = labels.filter_map(|(rank, value)| Some((rank, place(value)?)));
    let measures = fields.measures().filter_map(|(rank, value)| match value {
        Scalar::Text(text) => Some((rank, place(text)?)),
        Scalar::Whole(_) | Scalar::Number(_) => Some((rank, "reckoned from several".to_owned())),
    });
    first_of_each(measures.chain(labels).collect())
}

/// `word 4`, behind what precedes it.
fn word(before: &[u8]) -> String {
    let spaces = before.windows(2).filter(|pair| pair[0] != b' ' && pair[1] == b' ').count();
    format!("word {}", spaces + 1)
}

/// The key of `key="`.
fn key_before(before: &[u8]) -> String {
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    let Some(before) = before.strip_suffix(b"=") else { return word(before) };
    let start = before.iter().rposition(|byte| byte.is_ascii_whitespace()).map_or(0, |at| at + 1);
    printable(&String::from_utf8_lossy(&before[start..]))
}

/// The first place of each field is the one that counts; times that have a unit say it.
fn first_of_each(found: Vec<(Rank, String)>) -> Vec<(&'static str, String)> {
    let mut fields: Vec<(&'static str, String)> = Vec::new();
    for (rank, place) in found {
        let field = rank.field.name();
        if fields.iter().all(|(known, _)| *known != field) {
            let unit = if rank.field == Field::Duration { unit(rank.unit) } else { "" };
            fields.push((field, format!("{place}{unit}")));
        }
    }
    fields
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => ", in s",
        Unit::Millis => ", in ms",
        Unit::Micros => ", in us",
        Unit::Nanos => ", in ns",
        Unit::Go => ", in ns, with a fraction in s",
        Unit::Guess => ", as it says, else in ms; with a fraction in s, from a million on in ns",
    }
}

/// Characters of a key that are shown.
const KEY_CHARS_MAX: usize = 60;

/// A key as it may be shown: one that may itself be a secret or a person is not.
pub fn printable(key: &str) -> String {
    let mut shown = String::new();
    operation::name(key, &mut shown);
    if shown != key || key.trim_start_matches('@').contains('@') {
        return "…".to_owned();
    }
    key.chars().filter(|c| !c.is_control()).take(KEY_CHARS_MAX).collect()
}

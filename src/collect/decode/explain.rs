//! Says how a log would be read: its format, which key says what, what its first lines become.
//! This file never repeats a line: an excerpt names keys or shape, so that no secret gets out.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::Decoder;
use super::detect::{Detection, detect, whole_lines};
use super::field::{self, Aliases, Field, Rank};
use super::operation;
use crate::collect::request::{Decoded, Lines, Reject, Skip, unpack};
use crate::collect::{Chunk, Format, Reading};

/// How a log is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub detection: Detection,
    /// What the lines below were read as: the configured format, else the detected one.
    pub format: Option<Format>,
    /// What daycap wants, and the key of the log that says it, in the order of daycap's columns.
    pub fields: Vec<(&'static str, String)>,
    pub examples: Vec<Example>,
    /// What became of all lines given.
    pub lines: Lines,
    /// A `[[source]]` that pins this reading, but for its path.
    pub toml: String,
}

/// Stands in [`Explanation::toml`] for the path, which a reading does not know.
pub const PATH_TO_NAME: &str = "[\"…\"]";

/// One line, and what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// From 1.
    pub number: u64,
    /// What the line looks like, without its values.
    pub excerpt: String,
    pub outcome: String,
}

/// The first lines are shown whatever becomes of them, then the first of each other fate.
const EXAMPLES: usize = 10;
/// Keys or characters of an excerpt.
const EXCERPT_KEYS_MAX: usize = 12;
const EXCERPT_CHARS_MAX: usize = 60;

/// Explain the whole lines at a log's head.
pub fn explain(head: &[u8], reading: &Reading, default_service: &str) -> Explanation {
    let detection = detect(head);
    let format = reading.format.or(match detection {
        Detection::Found(format) => Some(format),
        Detection::Empty | Detection::Unknown(_) => None,
    });
    let mut explanation = Explanation {
        detection,
        format,
        fields: Vec::new(),
        examples: Vec::new(),
        lines: Lines::default(),
        toml: format.map_or(String::new(), |format| toml(format, reading)),
    };
    if let Some(format) = format {
        let reading = Reading { format: Some(format), ..reading.clone() };
        read_lines(head, &reading, default_service, &mut explanation);
    }
    explanation
}

fn read_lines(head: &[u8], reading: &Reading, default_service: &str, explanation: &mut Explanation) {
    let mut decoder = Decoder::new(reading, default_service.into());
    let mut fates_shown = Vec::new();
    for (number, line) in (1..).zip(whole_lines(head)) {
        let mut decoded = Decoded::default();
        decoder.decode(line, &Chunk { start: 0, end: line.len() as u64, written: None }, &mut decoded);
        if line.is_empty() {
            // A decoder never sees an empty line without its LF.
            decoded.lines.skipped = 1;
        }
        explanation.lines.add(&decoded.lines);
        if decoded.lines.counted == 1 && explanation.fields.is_empty() {
            explanation.fields = fields(line, reading.format);
        }
        let new_fate = !fates_shown.contains(&decoded.lines);
        if number <= EXAMPLES as u64 || new_fate {
            fates_shown.push(decoded.lines);
            explanation.examples.push(Example { number, excerpt: excerpt(line), outcome: outcome(line, &decoded) });
        }
    }
}

/// The keys that a counted line was read by.
fn fields(line: &[u8], format: Option<Format>) -> Vec<(&'static str, String)> {
    if format == Some(Format::COMBINED) {
        let names =
            [("time", "[time]"), ("method", "\"METHOD"), ("url", "target\""), ("status", "status"), ("bytes", "bytes")];
        return names.map(|(field, place)| (field, place.to_owned())).to_vec();
    }
    let Ok(object) = serde_json::from_slice(line) else { return Vec::new() };
    let mut keys = Vec::new();
    collect_keys(&object, &mut String::new(), "", &mut keys);
    keys.sort();
    let machine = keys.iter().any(|(rank, _)| rank.field == Field::Machine);
    keys.retain(|(rank, _)| rank.field != Field::Machine && (machine || rank.field != Field::Name));
    let mut fields: Vec<(&'static str, String)> = Vec::new();
    for (rank, key) in keys {
        if !fields.iter().any(|(field, _)| *field == rank.field.name()) {
            fields.push((rank.field.name(), key));
        }
    }
    fields
}

/// The keys of an object that aliases name, as the log spells them.
fn collect_keys(object: &Map<String, Value>, path: &mut String, spelled: &str, keys: &mut Vec<(Rank, String)>) {
    for (key, value) in object {
        let outer = field::push_key(path, key);
        let spelled = if spelled.is_empty() { printable(key) } else { format!("{spelled}.{}", printable(key)) };
        match (value, Aliases::standard().rank(path)) {
            (Value::Object(inner), _) => collect_keys(inner, path, &spelled, keys),
            (Value::String(_) | Value::Number(_), Some(rank)) => keys.push((rank, spelled)),
            _ => {}
        }
        path.truncate(outer);
    }
}

fn outcome(line: &[u8], decoded: &Decoded) -> String {
    match decoded.lines {
        Lines { counted: 1, .. } => request(decoded),
        Lines { malformed: 1, .. } => format!("rejected: {}", Reject::Malformed.name()),
        Lines { no_time: 1, .. } => format!("rejected: {}", Reject::NoTime.name()),
        Lines { bad_time: 1, .. } => format!("rejected: {}", Reject::BadTime.name()),
        _ if line.trim_ascii().is_empty() => format!("skipped: {}", Skip::Blank.name()),
        Lines { tunnels: 1, .. } => format!("skipped: {}", Skip::Tunnel.name()),
        _ => "skipped: reports no request (needs two of method, url or path, status, operation; no CONNECT)".to_owned(),
    }
}

/// A counted request, as its row has it.
fn request(decoded: &Decoded) -> String {
    let (minute, series) = unpack(decoded.rows.key[0]);
    let series = &decoded.series.list()[series as usize];
    let mut text = format!(
        "{} service={} key={} api={} method={} operation={}",
        minute.start().format("%Y-%m-%dT%H:%MZ"),
        series.service,
        series.key,
        series.api,
        series.method,
        series.operation
    );
    // Writing to a String cannot fail.
    let _ = match series.status {
        Some(status) => write!(text, " status={status}"),
        None => write!(text, " status=(none)"),
    };
    if series.duration.is_some() {
        let _ = write!(text, " duration={}ms", decoded.rows.duration_ms[0]);
    }
    if decoded.rows.units[0] != 1 {
        let _ = write!(text, " units={}", decoded.rows.units[0]);
    }
    text
}

/// The keys of an object, else the line's shape: letters and digits may be a secret, punctuation is not.
fn excerpt(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    match serde_json::from_str::<Map<String, Value>>(&line) {
        Ok(object) => {
            let more = if object.len() > EXCERPT_KEYS_MAX { ", …" } else { "" };
            let keys: Vec<_> = object.keys().take(EXCERPT_KEYS_MAX).map(|key| printable(key)).collect();
            format!("{{{}{more}}}", keys.join(", "))
        }
        Err(_) => shape(&line),
    }
}

/// A key is seldom a secret; where it is one, it is not repeated.
fn printable(key: &str) -> String {
    let mut shown = String::new();
    operation::plain(key, &mut shown);
    shown.chars().take(EXCERPT_CHARS_MAX).collect()
}

/// Each run of letters is `a`, of digits `0`.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line.chars().filter(|c| !c.is_control()) {
        let class = if c.is_alphabetic() {
            'a'
        } else if c.is_numeric() {
            '0'
        } else {
            c
        };
        if !(class.is_alphanumeric() && shape.ends_with(class)) {
            shape.push(class);
        }
        if shape.chars().count() >= EXCERPT_CHARS_MAX {
            shape.push('…');
            break;
        }
    }
    shape
}

/// The lines of a `[[source]]` that keep this reading, whatever later lines look like.
fn toml(format: Format, reading: &Reading) -> String {
    let mut toml = format!("[[source]]\npath = {PATH_TO_NAME}\nformat = \"{}\"\n", format);
    for (key, label) in [("service", &reading.service), ("key", &reading.key), ("api", &reading.api)] {
        if let Some(label) = label {
            // A JSON string is a TOML basic string.
            let _ = writeln!(toml, "{key} = {}", Value::from(&**label));
        }
    }
    let _ = writeln!(toml, "tz = \"{}\"", reading.zone.name());
    toml
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto() -> Reading {
        Reading::unsettled(chrono_tz::Tz::UTC)
    }

    fn explained(head: &str) -> String {
        let explanation = explain(head.as_bytes(), &auto(), "stem");
        let fields: Vec<_> = explanation.fields.iter().map(|(field, key)| format!("{field} <- {key}")).collect();
        let examples: Vec<_> = explanation
            .examples
            .iter()
            .map(|example| format!("{}: {} => {}", example.number, example.excerpt, example.outcome))
            .collect();
        format!("{:?}\n{}\n{}\n{:?}", explanation.format, fields.join(", "), examples.join("\n"), explanation.lines)
    }

    #[test]
    fn a_json_log_is_explained_by_its_keys() {
        let request = r#"{"time":1795384444918,"method":"GET","url":"https://u:SECRET@api.example.com/a?token=SECRET","status":200,"durationMs":12}"#;
        expect_test::expect![[r#"
            Some(Format { envelopes: [None, None, None], family: Json })
            time <- time, method <- method, url <- url, status <- status, duration <- durationMs
            1: {durationMs, method, status, time, url} => 2026-11-22T21:54Z service=stem key=(none) api=api.example.com method=GET operation=/a status=200 duration=12ms
            2: {msg, token} => skipped: reports no request (needs two of method, url or path, status, operation; no CONNECT)
            3:  => skipped: blank
            4: {method, url} => rejected: no time stamp
            Lines { counted: 1, skipped: 2, tunnels: 0, starts: 0, malformed: 0, no_time: 1, bad_time: 0, arrived: 0 }"#]]
        .assert_eq(&explained(&format!("{request}\n{{\"msg\":\"up\",\"token\":\"SECRET\"}}\n\n{{\"method\":\"GET\",\"url\":\"/a\"}}\n")));
    }

    #[test]
    fn no_excerpt_repeats_a_value() {
        let head = "Authorization: Bearer SECRET123\n{\"token\":\"SECRET\"}\n";
        assert!(!explained(head).contains("SECRET"));
        let pinned = Reading { format: Some(Format::COMBINED), ..auto() };
        let explanation = explain(head.as_bytes(), &pinned, "stem");
        assert_eq!(explanation.lines.malformed, 2);
        assert_eq!(explanation.examples[0].excerpt, "a: a a0");
    }

    #[test]
    fn the_reading_is_pinned_in_toml() {
        let reading = Reading { service: Some("sync \"x\"".into()), ..auto() };
        expect_test::expect![[r#"
            [[source]]
            path = ["…"]
            format = "json"
            service = "sync \"x\""
            tz = "UTC"
        "#]]
        .assert_eq(&explain(b"{}\n", &reading, "stem").toml);
    }
}

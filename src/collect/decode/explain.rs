//! Says how a log would be read: its format, which key says what, what its first lines become.
//! This file never repeats a line: an excerpt names keys or shape, so that no secret gets out.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::detect::{self, Detection, detect};
use super::places::{self, Places, printable};
use super::rows::first_line;
use super::{Decoder, closed_end, layers};
use crate::collect::request::{Decoded, Lines, Reject, Skip, unpack};
use crate::collect::{Chunk, CountFrom, Envelope, Format, Reading};
use crate::day::Minute;

/// How a log is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub detection: Detection,
    /// What the lines below were read as: the configured format, else the detected one.
    pub format: Option<Format>,
    /// Of JSON lines, whose they are, as the first request shows.
    pub dialect: Option<&'static str>,
    /// Which layer counts; `None` where there are no two.
    pub count_from: Option<CountFrom>,
    /// What daycap wants, and the place in the log's lines that says it.
    pub fields: Vec<(&'static str, String)>,
    pub examples: Vec<Example>,
    /// What became of all lines given.
    pub lines: Lines,
    /// Why lines were skipped or rejected.
    pub reasons: Vec<Reason>,
    /// A `[[source]]` that pins this reading, but for its path.
    pub toml: String,
}

/// Why lines did not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Whether they are rejected; else they are skipped.
    pub is_reject: bool,
    pub what: &'static str,
    pub lines: u64,
    /// The number of the first of them.
    pub first: u64,
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
const EXAMPLES: u64 = 10;
/// Keys or characters of an excerpt.
const EXCERPT_KEYS_MAX: usize = 12;
const EXCERPT_CHARS_MAX: usize = 60;

/// Explain the whole lines at a log's head; `written` is when it was last written to.
pub fn explain(head: &[u8], written: Option<Minute>, reading: &Reading, default_service: &str) -> Explanation {
    let detection = detect(head, reading);
    let format = reading.format.or(detection.found().map(|found| found.format));
    let count_from = match (reading.count_from, detection.found()) {
        (CountFrom::Auto, Some(found)) => found.count_from,
        (configured, _) => configured,
    };
    let settled = Reading { format, count_from, ..reading.clone() };
    let mut explanation = Explanation {
        detection,
        format,
        dialect: None,
        count_from: format.filter(|format| layers::has_layers(format.family)).map(|_| count_from),
        fields: Vec::new(),
        examples: Vec::new(),
        lines: Lines::default(),
        reasons: Vec::new(),
        toml: format.map_or(String::new(), |format| toml(format, &settled)),
    };
    if let Some(format) = format {
        let end = memchr::memrchr(b'\n', head).map_or(0, |end| end + 1);
        let decoder = Decoder::new(&settled, default_service.into());
        Told { decoder, format, written, explanation: &mut explanation }.read(&head[..end]);
    }
    explanation
}

/// An explanation in the making.
struct Told<'a> {
    decoder: Decoder,
    format: Format,
    written: Option<Minute>,
    explanation: &'a mut Explanation,
}

impl Told<'_> {
    fn read(&mut self, head: &[u8]) {
        let envelopes: Vec<Envelope> = self.format.envelopes().collect();
        let mut rest = head;
        let mut number = 0;
        while !rest.is_empty() {
            let (line, taken) = record(rest, self.format);
            let first = number + 1;
            number += memchr::memchr_iter(b'\n', &rest[..taken]).count() as u64;
            let mut decoded = Decoded::default();
            let chunk = Chunk { start: 0, end: taken as u64, written: self.written };
            self.decoder.decode(&rest[..taken], &chunk, &mut decoded);
            rest = &rest[taken..];
            self.explanation.lines.add(&decoded.lines);
            let has_new_reason = self.note_reasons(&decoded, first);
            let is_shown = first <= EXAMPLES || has_new_reason;
            let is_whole = decoded.skips[Skip::Part as usize] == 0;
            let is_first_request = decoded.lines.counted > 0 && is_whole && self.explanation.fields.is_empty();
            if !is_shown && !is_first_request {
                continue;
            }
            let inner = detect::inner(&envelopes, line).unwrap_or_else(|| line.to_vec());
            if is_first_request {
                self.note_places(&inner);
            }
            if is_shown {
                let example = Example { number: first, excerpt: excerpt(&inner), outcome: outcome(&decoded) };
                self.explanation.examples.push(example);
            }
        }
    }

    /// Whether one of them is new.
    fn note_reasons(&mut self, decoded: &Decoded, number: u64) -> bool {
        let skips = Skip::ALL.into_iter().map(|skip| (false, skip.name(), decoded.skips[skip as usize]));
        let rejects = Reject::ALL.into_iter().map(|reject| (true, reject.name(), rejected(&decoded.lines, reject)));
        let mut any_new = false;
        for (is_reject, what, lines) in skips.chain(rejects).filter(|(.., lines)| *lines > 0) {
            let known = self.explanation.reasons.iter_mut().find(|known| known.what == what);
            match known {
                Some(known) => known.lines += lines,
                None => {
                    any_new = true;
                    self.explanation.reasons.push(Reason { is_reject, what, lines, first: number });
                }
            }
        }
        any_new
    }

    fn note_places(&mut self, inner: &[u8]) {
        let Decoder { lines, context, .. } = &mut self.decoder;
        let Places { dialect, fields } = places::of(inner, self.format.family, lines, &context.aliases);
        self.explanation.dialect = dialect;
        self.explanation.fields = fields;
        let has_time = self.explanation.fields.iter().any(|(field, _)| *field == "time");
        if !has_time && self.format.envelopes().next().is_some() {
            self.explanation.fields.insert(0, ("time", "the envelope's".to_owned()));
        }
    }
}

/// Lines that are pieces of one are read together.
const PIECES_MAX: usize = 100;

/// The first line, and how many bytes it takes with all its pieces.
fn record(rest: &[u8], format: Format) -> (&[u8], usize) {
    let (line, first) = first_line(rest);
    let ends = memchr::memchr_iter(b'\n', rest).map(|end| end + 1).take(PIECES_MAX);
    let whole = ends.into_iter().find(|end| closed_end(&rest[..*end], format) == *end);
    (line, whole.unwrap_or(first))
}

fn rejected(lines: &Lines, reject: Reject) -> u64 {
    match reject {
        Reject::Malformed => lines.malformed,
        Reject::NoTime => lines.no_time,
        Reject::BadTime => lines.bad_time,
    }
}

fn outcome(decoded: &Decoded) -> String {
    if decoded.lines.counted > 0 {
        return request(decoded);
    }
    let reject = Reject::ALL.into_iter().find(|reject| rejected(&decoded.lines, *reject) > 0);
    let skip = Skip::ALL.into_iter().find(|skip| decoded.skips[*skip as usize] > 0);
    match (reject, skip) {
        (Some(reject), _) => format!("rejected: {}", reject.name()),
        (None, Some(Skip::NotARequest)) => {
            format!("skipped: {} (needs two of method, url or path, status, operation)", Skip::NotARequest.name())
        }
        (None, Some(skip)) => format!("skipped: {}", skip.name()),
        (None, None) => "nothing".to_owned(),
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
        // A microsecond is as much as a person wants to know.
        let _ = write!(text, " duration={}ms", (decoded.rows.duration_ms[0] * 1e3).round() / 1e3);
    }
    if decoded.rows.units[0] != 1 {
        let _ = write!(text, " units={}", decoded.rows.units[0]);
    }
    if decoded.lines.counted > 1 {
        let _ = write!(text, " and {} more requests in this line", decoded.lines.counted - 1);
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
    if reading.count_from.is_one() {
        let _ = writeln!(toml, "count_from = \"{}\"", reading.count_from);
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
        let explanation = explain(head.as_bytes(), None, &auto(), "stem");
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
            time <- time, method <- method, url <- url, status <- status, duration <- durationMs, in ms
            1: {durationMs, method, status, time, url} => 2026-11-22T21:54Z service=stem key=(none) api=api.example.com method=GET operation=/a status=200 duration=12ms
            2: {msg, token} => skipped: reports no request (needs two of method, url or path, status, operation)
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
        let explanation = explain(head.as_bytes(), None, &pinned, "stem");
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
        .assert_eq(&explain(b"{}\n", None, &reading, "stem").toml);
    }
}

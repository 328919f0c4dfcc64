//! What a source says of its own fields, ahead of all that daycap knows: which place says what, which lines are
//! meant at all, how paths become operations, how keys are called. This file never looks at a line.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

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

/// What a condition asks for, as written: `"/status" = 200` asks for what `"/status" = "200"` does.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a condition of only_if is a text, a whole number, true or false")]
pub enum Wanted {
    Text(String),
    Whole(i64),
    Truth(bool),
}

impl From<Wanted> for String {
    fn from(wanted: Wanted) -> String {
        match wanted {
            Wanted::Text(text) => text,
            Wanted::Whole(number) => number.to_string(),
            Wanted::Truth(truth) => truth.to_string(),
        }
    }
}

/// Every name of a field. Among those that say the same, the first is preferred.
const FIELDS: [(&str, Field); 17] = [
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
    ("quota_used", Field::QuotaUsed),
    ("quota_remaining", Field::QuotaRemaining),
    ("quota_limit", Field::QuotaLimit),
    ("quota_reset", Field::QuotaReset),
];
/// How patterns found in the wild call them, too.
const GROUPS: [(&str, Field); 2] = [("ts", Field::Time), ("host", Field::Host)];
const TIME_UNIT: &str = "time_unit";
const DURATION_UNIT: &str = "duration_unit";
const UNITS: [(&str, Unit); 4] =
    [("s", Unit::Seconds), ("ms", Unit::Millis), ("us", Unit::Micros), ("ns", Unit::Nanos)];
/// Each is looked for in every line.
const CONDITIONS_MAX: usize = 6;

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

    /// Whether the source itself says what was asked, or answered; messages are not believed beside it.
    pub fn says_requests(&self) -> bool {
        let facts = [Field::Method, Field::Url, Field::Status, Field::Operation, Field::Document];
        facts.into_iter().any(|field| self.says(field))
    }

    /// Whether it names what servers say of their quotas, in a place or a group.
    pub fn observes(&self) -> bool {
        let mut names = FIELDS.iter().filter(|(_, field)| field.is_observed()).map(|(name, _)| *name);
        let pattern = self.pattern.as_deref().unwrap_or_default();
        names.any(|name| self.fields.contains_key(name) || pattern.contains(&format!("<{name}>")))
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
    (0..)
        .zip(FIELDS.iter().chain(&GROUPS))
        .find(|(_, (known, _))| *known == name)
        .map(|(order, (_, field))| (order, *field))
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
        Some(Family::Regex) => {
            Err(format!("{table}: {name:?} has no use with format = \"regex\": name a group {name:?}"))
        }
        None => Err(format!("{table}: {name:?} needs format = \"json\" or \"logfmt\", lest it be guessed")),
        Some(family) => {
            let family = family.name();
            Err(format!(
                "{table}: {name:?} has no use with format = {family:?}, it names places in JSON and logfmt; remove it"
            ))
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
    use super::super::tests::{decode, from_zero, one};
    use super::*;
    use crate::collect::Reading;

    fn table(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn reading(format: &str, mapping: Mapping) -> Reading {
        let format = Some(format.parse().expect("a format"));
        Reading {
            format,
            mapping: mapping.checked(format).expect("a mapping"),
            ..Reading::unsettled(chrono_tz::Tz::UTC)
        }
    }

    /// What becomes of a line that comes many times, so that templates and caches are asked, too; and what the parser alone
    /// says of it.
    fn read(reading: &Reading, line: &str) -> String {
        let once = one(&decode(reading, &format!("{line}\n")));
        let mut decoder = super::super::Decoder::new(reading, "stem".into());
        for _ in 0..20 {
            let mut decoded = crate::collect::request::Decoded::default();
            let text = format!("{line}\n");
            let chunk = from_zero(text.as_bytes());
            decoder.decode(text.as_bytes(), &chunk, &mut decoded);
            assert_eq!(one(&decoded), once, "{line}");
        }
        once
    }

    /// The example of field-notes, part C.
    fn field_notes() -> Mapping {
        Mapping {
            fields: table(&[
                ("time", "/time"),
                ("time_unit", "ms"),
                ("method", "/req/method"),
                ("url", "/req/url"),
                ("status", "/res/statusCode"),
                ("duration", "/responseTime"),
                ("duration_unit", "ms"),
                ("operation", "/gql/operationName"),
            ]),
            only_if: table(&[("/msg", "http_request")]),
            ..Mapping::default()
        }
    }

    #[test]
    fn a_json_line_is_read_by_the_sources_own_places() {
        let reading = reading("json", field_notes());
        let line = r#"{"time":1795384444918,"msg":"http_request","method":"PUT","status":500,"req":{"method":"POST","url":"https://api.example.com/graphql"},"res":{"statusCode":200},"responseTime":12,"gql":{"operationName":"Jobs"},"operation":"Other"}"#;
        assert_eq!(read(&reading, line), "2026-11-22T21:54 stem (none) api.example.com POST Jobs 200 12ms 0B 1u");
        // What would say method, url and status elsewhere is not asked.
        let line = r#"{"time":1795384444918,"msg":"http_request","method":"POST","url":"/a","status":200}"#;
        assert_eq!(read(&reading, line), "skipped");
        let line =
            r#"{"time":1795384444918,"msg":"other","req":{"method":"POST","url":"/a"},"res":{"statusCode":200}}"#;
        assert_eq!(read(&reading, line), "skipped");
    }

    #[test]
    fn conditions_hold_for_texts_numbers_and_words() {
        let ask = |place: &str, wanted: &str| Mapping { only_if: table(&[(place, wanted)]), ..Mapping::default() };
        for (place, wanted, value, counted) in [
            ("/success", "true", "true", true),
            ("/success", "true", "false", false),
            ("/success", "true", "\"true\"", true),
            ("/success", "true", "null", false),
            ("/error", "null", "null", true),
            ("/level", "30", "30", true),
            ("/level", "30", "30.0", true),
            ("/level", "30", "40", false),
            ("/status", "200", "200", true),
            ("/status", "404", "200", false),
            ("/event", "a\nb", "\"a\\nb\"", true),
            ("/units", "2", "2", true),
            ("/absent", "x", "1", false),
        ] {
            let name = place.trim_start_matches('/').replace("absent", "there");
            let fields = format!("\"time\":1795384444918,\"method\":\"GET\",\"path\":\"/a\",\"{name}\":{value}");
            let row = read(&reading("json", ask(place, wanted)), &format!("{{{fields}}}"));
            assert_eq!(row != "skipped", counted, "{place} = {wanted}: {fields}: {row}");
        }
        let both = Mapping { only_if: table(&[("/a", "1"), ("/b", "2")]), ..Mapping::default() };
        for (pairs, counted) in [("a=1 b=2", true), ("a=1 b=1", false), ("b=2", false), ("a=2 b=1", false)] {
            let line = format!("time=2026-11-22T21:54:16Z method=GET path=/a {pairs}");
            assert_eq!(read(&reading("logfmt", both.clone()), &line) != "skipped", counted, "{pairs}");
        }
    }

    /// The words of a log may change after its lines were long the same.
    #[test]
    fn a_condition_on_a_word_is_asked_of_every_line() {
        let reading = reading("json", Mapping { only_if: table(&[("/ok", "true")]), ..Mapping::default() });
        let line = |at: u64| {
            let ok = if at % 23 == 22 { "false" } else { "true" };
            format!(r#"{{"time":1795384444918,"ok":{ok},"method":"GET","url":"/a","status":{}}}"#, 200 + at % 3)
        };
        let log: String = (0..400).map(|at| line(at) + "\n").collect();
        let lines = decode(&reading, &log).lines;
        assert_eq!((lines.counted, lines.skipped), (383, 17));
    }

    #[test]
    fn units_are_as_configured() {
        let units = |time: &str, duration: &str| Mapping {
            fields: table(&[("time_unit", time), ("duration_unit", duration)]),
            ..Mapping::default()
        };
        for (time, duration, stamp, took, row) in [
            ("s", "s", "1795384444", "2", "21:54 200 2000ms"),
            ("s", "ms", "1795384444.9", "2", "21:54 200 2ms"),
            ("ms", "us", "1795384444918", "2000", "21:54 200 2ms"),
            ("us", "ns", "1795384444918000", "2000000", "21:54 200 2ms"),
            ("ns", "ns", "\"1795384444918000000\"", "2000000", "21:54 200 2ms"),
            ("ms", "s", "\"2026-11-22T21:54:04Z\"", "\"2ms\"", "21:54 200 2ms"),
            ("ms", "s", "1795384444", "2", "bad time"),
            ("s", "s", "1795384444918000", "2", "bad time"),
        ] {
            let line = format!(r#"{{"time":{stamp},"path":"/a","status":200,"duration":{took}}}"#);
            let read = read(&reading("json", units(time, duration)), &line);
            let row = if row == "bad time" {
                row.to_owned()
            } else {
                format!("2026-11-22T{}", row.replacen(' ', " stem (none) (none) (none) /a ", 1)) + " 0B 1u"
            };
            assert_eq!(read, row, "{time} {duration} {line}");
        }
    }

    #[test]
    fn a_mapped_api_comes_before_the_urls_server() {
        let mapping = Mapping { fields: table(&[("api", "/upstream")]), ..Mapping::default() };
        let line =
            r#"{"time":1795384444918,"method":"GET","url":"http://proxy.example.com/a","upstream":"api.example.com"}"#;
        assert_eq!(
            read(&reading("json", mapping), line),
            "2026-11-22T21:54 stem (none) api.example.com GET /a - - 0B 1u"
        );
    }

    #[test]
    fn a_key_in_the_log_is_shown_by_name_or_fingerprint() {
        let mapping = Mapping {
            fields: table(&[("key", "/headers/x-api-key")]),
            keys: table(&[("key-2c26b46b", "mobile")]),
            ..Mapping::default()
        };
        let reading = reading("json", mapping);
        for (key, shown) in [("Bearer foo", "mobile"), ("prod", "prod"), ("0123456789abcdef0123", "key-")] {
            let line =
                format!(r#"{{"time":1795384444918,"method":"GET","url":"/a","headers":{{"X-Api-Key":"{key}"}}}}"#);
            let row = read(&reading, &line);
            assert!(row.contains(&format!(" stem {shown}")), "{row}");
        }
    }

    #[test]
    fn named_paths_are_one_operation_in_every_family() {
        let operations = vec!["/users/{name}/posts".to_owned(), "/items/42".to_owned()];
        let mapping = Mapping { operations, ..Mapping::default() };
        for (format, line) in [
            ("json", r#"{"time":1795384444918,"method":"GET","url":"PATH","status":200}"#),
            ("logfmt", "time=1795384444918 method=GET url=PATH status=200"),
            ("combined", r#"::1 - - [22/Nov/2026:21:54:04 +0000] "GET PATH HTTP/1.1" 200 2"#),
        ] {
            let reading = reading(format, mapping.clone());
            let mut text = String::new();
            for at in 0..100 {
                let paths = [format!("/users/anna{at}/posts?q=1"), format!("/items/{}", 42 + at % 2)];
                paths.iter().for_each(|path| text.push_str(&(line.replace("PATH", path) + "\n")));
            }
            let decoded = decode(&reading, &text);
            let mut operations: Vec<_> = decoded.series.list().iter().map(|series| &*series.operation).collect();
            operations.sort_unstable();
            assert_eq!(operations, ["/items/42", "/items/{id}", "/users/{name}/posts"], "{format}");
            assert_eq!(decoded.lines.counted, 200);
        }
    }

    #[test]
    fn a_pattern_reads_by_its_named_groups() {
        let mapping = Mapping {
            pattern: Some(r"^(?<ts>\S+ \S+) \[(?<level>\w+)\] (?<method>[A-Z]+) (?<host>[^/ ]+)(?<path>/\S*) -> (?<status>\d+) in (?<duration>[\d.]+)(?: key=(?<key>\S+))?".to_owned()),
            fields: table(&[("duration_unit", "s")]),
            only_if: table(&[("level", "info")]),
            ..Mapping::default()
        };
        let reading = reading("regex", mapping);
        for (line, row) in [
            (
                "2026-11-22 21:54:04,918 [info] POST api.example.com/jobs/42?token=x -> 200 in 0.25 key=prod",
                "2026-11-22T21:54 stem prod api.example.com POST /jobs/{id} 200 250ms 0B 1u",
            ),
            (
                "2026-11-22 21:54:04 [info] GET api.example.com/a -> 500 in 2",
                "2026-11-22T21:54 stem (none) api.example.com GET /a 500 2000ms 0B 1u",
            ),
            ("2026-11-22 21:54:04 [debug] GET api.example.com/a -> 500 in 2", "skipped"),
            ("started", "skipped"),
            ("", "skipped"),
            ("yesterday noon [info] GET api.example.com/a -> 500 in 2", "bad time"),
        ] {
            assert_eq!(read(&reading, line), row, "{line}");
        }
        let mut decoded = crate::collect::request::Decoded::default();
        let line = b"2026-11-22 21:54:04 [info] GET api.example.com/\xff -> 500 in 2\n";
        let chunk = from_zero(line);
        super::super::Decoder::new(&reading, "stem".into()).decode(line, &chunk, &mut decoded);
        assert_eq!(decoded.lines.counted, 1);
    }

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

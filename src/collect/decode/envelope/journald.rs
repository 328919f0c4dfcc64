//! Entries of systemd's journal as `journalctl -o json` writes them, one JSON object a line. The line is in `MESSAGE`: a
//! string, an array of bytes where it is no text, `null` where it is too long to be shown (unless by `--all`).
//! This file never trusts its fast path with a line that serde_json would read otherwise.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::Inner;
use super::pairs::{self, Pairs, Written};

#[inline]
pub fn open<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<Inner<'a>> {
    let written = match as_usual(line, scratch) {
        Some(written) => written,
        None => by_parser(line, scratch)?.0,
    };
    Some(written.inner(scratch))
}

/// An entry with both of the fields that make it one for sure.
pub fn is_likely(line: &[u8], scratch: &mut Vec<u8>) -> bool {
    by_parser(line, scratch).is_some_and(|(_, has_message)| has_message)
}

/// What an entry says, as strings without escapes.
#[derive(Default)]
struct Usual<'a> {
    realtime: Option<&'a [u8]>,
    source_realtime: Option<&'a [u8]>,
    identifier: Option<&'a [u8]>,
    unit: Option<&'a [u8]>,
}

/// An entry of strings, numbers and words, each wanted key once.
#[inline]
fn as_usual(line: &[u8], scratch: &mut Vec<u8>) -> Option<Written> {
    let (mut pairs, mut usual, mut message) = (Pairs::new(line), Usual::default(), None);
    while let Some(key) = pairs.key() {
        let place = match key {
            b"MESSAGE" => {
                if message.replace(pairs.unescape(scratch)?).is_some() {
                    return None;
                }
                continue;
            }
            b"__REALTIME_TIMESTAMP" => &mut usual.realtime,
            b"_SOURCE_REALTIME_TIMESTAMP" => &mut usual.source_realtime,
            b"SYSLOG_IDENTIFIER" => &mut usual.identifier,
            b"_SYSTEMD_UNIT" => &mut usual.unit,
            _ => {
                pairs.pass()?;
                continue;
            }
        };
        if place.replace(pairs.text()?).is_some() {
            return None;
        }
    }
    if !pairs.is_complete() || !pairs::is_utf8(line) {
        return None;
    }
    let mut written = message?;
    written.add_stamp(usual.source_realtime.or(Some(usual.realtime?))?, scratch);
    written.add_service(service(usual.identifier, usual.unit), scratch);
    Some(written)
}

/// What wrote the entry, else the unit that it ran in.
fn service<'a>(identifier: Option<&'a [u8]>, unit: Option<&'a [u8]>) -> &'a [u8] {
    let unit = unit.unwrap_or_default();
    match identifier {
        None | Some(b"") => unit.strip_suffix(b".service").unwrap_or(unit),
        Some(identifier) => identifier,
    }
}

#[derive(serde::Deserialize)]
struct Entry {
    #[serde(rename = "MESSAGE")]
    message: Option<Data>,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    realtime: Data,
    #[serde(rename = "_SOURCE_REALTIME_TIMESTAMP")]
    source_realtime: Option<Data>,
    #[serde(rename = "SYSLOG_IDENTIFIER")]
    identifier: Option<Data>,
    #[serde(rename = "_SYSTEMD_UNIT")]
    unit: Option<Data>,
}

/// Also whether there is a message at all: an entry need not have one.
#[cold]
fn by_parser(line: &[u8], scratch: &mut Vec<u8>) -> Option<(Written, bool)> {
    if !line.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let line = String::from_utf8_lossy(line);
    let entry: Entry = serde_json::from_str(&line).ok()?;
    let bytes = |data: &'_ Option<Data>| data.as_ref().map(|Data(bytes)| bytes.clone());
    let message = bytes(&entry.message);
    if message.is_none() && is_null(&line) {
        return None;
    }
    let mut written = Written::copy(message.as_deref().unwrap_or_default(), scratch);
    let stamp = bytes(&entry.source_realtime).unwrap_or(entry.realtime.0);
    written.add_stamp(&stamp, scratch);
    written.add_service(service(bytes(&entry.identifier).as_deref(), bytes(&entry.unit).as_deref()), scratch);
    Some((written, message.is_some()))
}

/// Whether the message is there, and is not shown.
fn is_null(line: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Shown {
        #[serde(rename = "MESSAGE")]
        _message: IgnoredAny,
    }
    serde_json::from_str::<Shown>(line).is_ok()
}

/// A field's bytes. Of a field that an entry has several times, the last.
struct Data(Vec<u8>);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Data, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string, or an array of bytes or of such fields")
    }

    fn visit_str<E>(self, text: &str) -> Result<Data, E> {
        Ok(Data(text.as_bytes().to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Data, A::Error> {
        let mut bytes = Vec::new();
        while let Some(element) = list.next_element()? {
            match element {
                Element::Byte(byte) => bytes.push(byte),
                Element::Field(Data(field)) => bytes = field,
            }
        }
        Ok(Data(bytes))
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Element {
    Byte(u8),
    Field(Data),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opened(line: &str) -> String {
        let mut scratch = Vec::new();
        let Some(inner) = open(line.as_bytes(), &mut scratch) else { return "-".to_owned() };
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        format!("{} {} {:?}", text(inner.stamp), text(inner.service), text(inner.line))
    }

    #[test]
    fn an_entry_is_opened_whatever_its_message_is_written_as() {
        for (line, expected) in [
            // systemd's own documentation of the export formats, shortened.
            (
                r#"{"__CURSOR":"s=bcce4fb8ffcb40e9a6e05eee8b7831bf;i=5ef603","__REALTIME_TIMESTAMP":"1534860261221373","_BOOT_ID":"x","_SYSTEMD_UNIT":"sync.service","SYSLOG_IDENTIFIER":"node","MESSAGE":"{\"a\":1}","_PID":"28097","_SOURCE_REALTIME_TIMESTAMP":"1534860261221000"}"#,
                r#"1534860261221000 node "{\"a\":1}\n""#,
            ),
            (
                r#"{"MESSAGE":"a\nb\n","__REALTIME_TIMESTAMP":"1534860261221373","_SYSTEMD_UNIT":"sync.service","X":null}"#,
                r#"1534860261221373 sync "a b\n""#,
            ),
            (
                r#"{"MESSAGE":[104,105,255],"__REALTIME_TIMESTAMP":"1","_SYSTEMD_UNIT":"a@1.service"}"#,
                "1 a@1 \"hi\u{fffd}\\n\"",
            ),
            (r#"{"MESSAGE":["first","last"],"__REALTIME_TIMESTAMP":["1","2"]}"#, r#"2  "last\n""#),
            (r#"{"MESSAGE":["first",[104,105]],"__REALTIME_TIMESTAMP":"1"}"#, r#"1  "hi\n""#),
            (r#"{"__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":"a"}"#, r#"1 a "\n""#),
            (r#"{ "__REALTIME_TIMESTAMP" : "1", "MESSAGE" : "a", "SYSLOG_IDENTIFIER":"\u0061" } "#, r#"1 a "a\n""#),
        ] {
            assert_eq!(opened(line), expected, "{line}");
            assert_eq!(opened(&format!("{line}\n")), expected, "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_opened() {
        for line in [
            "",
            "\n",
            "text",
            "{}",
            r#"{"MESSAGE":"a"}"#,
            // Too long to be shown.
            r#"{"MESSAGE":null,"__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"MESSAGE":[256],"__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"MESSAGE":{"a":1},"__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"MESSAGE":"a","MESSAGE":"b","__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"MESSAGE":"a","__REALTIME_TIMESTAMP":"1"} x"#,
            r#"{"MESSAGE":"a","__REALTIME_TIMESTAMP":"1""#,
        ] {
            assert_eq!(opened(line), "-", "{line}");
        }
    }

    #[test]
    fn an_entry_is_likely_with_a_time_and_a_message() {
        let mut scratch = Vec::new();
        assert!(is_likely(br#"{"MESSAGE":"a","__REALTIME_TIMESTAMP":"1"}"#, &mut scratch));
        assert!(!is_likely(br#"{"__REALTIME_TIMESTAMP":"1"}"#, &mut scratch));
    }

    proptest! {
        #[test]
        fn the_fast_path_reads_what_the_parser_reads(
            pairs in prop::collection::vec((
                prop::sample::select(vec!["MESSAGE", "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "X", "Y\\u0061"]),
                prop::sample::select(vec!["\"1\"", "\"a.service\"", "\"\\n\\\"x\\\\\"", "\"a\\nb\\n\"", "null", "12", "-1e5", "true", "[1]", "{}", "\"ä\"", "01", "\"\\ud83d\"", "\"\""]),
            ), 0..7),
            end in prop::sample::select(vec!["", "\n", " x"]), flip in any::<(prop::sample::Index, u8, bool)>(),
        ) {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            let mut line = format!("{{\"MESSAGE\":\"m\",\"__REALTIME_TIMESTAMP\":\"9\",{}}}{end}", pairs.join(",")).into_bytes();
            if let (at, byte, true) = flip {
                let at = at.index(line.len());
                line[at] = byte;
            }
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            if let Some(written) = as_usual(&line, &mut fast) {
                let by_parser = by_parser(&line, &mut slow).map(|(written, _)| written.inner(&slow));
                prop_assert_eq!(by_parser, Some(written.inner(&fast)));
            }
        }
    }

    #[test]
    fn usual_entries_are_read_by_the_fast_path() {
        let line = br#"{"__REALTIME_TIMESTAMP":"1534860261221373","_SYSTEMD_UNIT":"sync.service","PRIORITY":"6","MESSAGE":"{\"a\":1}"}"#;
        assert!(as_usual(line, &mut Vec::new()).is_some());
    }
}

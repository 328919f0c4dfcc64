//! Lines of Docker's json-file driver: `{"log":"…\n","stream":"stdout","time":"…"}`, one JSON object each. Of a long line only
//! the last piece's `log` ends with an LF.
//! This file never trusts its fast path with a line that serde_json would read otherwise.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::pairs::{self, Written};
use super::{Inner, Piece, Stream};

const LOG: &[u8] = b"{\"log\":\"";
const STREAM: &[u8] = b",\"stream\":\"";
const ATTRIBUTES: &[u8] = b",\"attrs\":";
const TIME: &[u8] = b",\"time\":\"";

#[inline]
pub fn open<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<Inner<'a>> {
    let (written, stream) = match as_usual(line, scratch) {
        Some(found) => found,
        None => by_parser(line, scratch)?,
    };
    Some(Inner { piece: Some(Piece { stream, goes_on: !written.was_ended }), ..written.inner(scratch) })
}

/// The keys that Docker writes, in its order, without a space; labels may come before the time.
#[inline]
fn as_usual(line: &[u8], scratch: &mut Vec<u8>) -> Option<(Written, Stream)> {
    if !line.starts_with(LOG) {
        return None;
    }
    let (mut written, end) = Written::unescape(line, LOG.len(), scratch)?;
    let rest = line[end + 1..].strip_prefix(STREAM)?;
    let (stream, rest) = rest.split_at_checked("stdout".len())?;
    let stream = Stream::named(stream)?;
    let mut rest = rest.strip_prefix(b"\"")?;
    if let Some(attributes) = rest.strip_prefix(ATTRIBUTES) {
        rest = pairs::behind_texts(attributes)?;
    }
    let rest = rest.strip_prefix(TIME)?;
    let time = pairs::plain_text(rest)?;
    let end = rest[time.len()..].strip_prefix(b"\"}")?;
    if !end.trim_ascii().is_empty() || !pairs::is_utf8(line) {
        return None;
    }
    written.add_stamp(time, scratch);
    Some((written, stream))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(rename = "attrs")]
    _attributes: Option<IgnoredAny>,
}

#[cold]
fn by_parser(line: &[u8], scratch: &mut Vec<u8>) -> Option<(Written, Stream)> {
    if !line.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let line = String::from_utf8_lossy(line);
    let entry: Entry<'_> = serde_json::from_str(&line).ok()?;
    let stream = Stream::named(entry.stream.as_bytes())?;
    let mut written = Written::copy(entry.log.as_bytes(), scratch);
    written.add_stamp(entry.time.as_bytes(), scratch);
    Some((written, stream))
}

/// Whether the line, should it be one of Docker's, is no piece that goes on; `false` where only opening it tells.
///
/// A backslash is only ever found in a string, and a quote ends one unless a backslash stands before it: so this end of a
/// JSON object is the end of a log that ends with an LF, a stream and a time, whatever comes before.
#[inline]
pub fn is_surely_whole(line: &[u8]) -> bool {
    let Some(line) = line.trim_ascii_end().strip_suffix(b"\"}") else { return false };
    let Some(quote) = memchr::memrchr(b'"', line) else { return false };
    let (line, time) = line.split_at(quote + 1);
    let ends = [&b"n\",\"stream\":\"stdout\",\"time\":\""[..], b"n\",\"stream\":\"stderr\",\"time\":\""];
    let Some(log) = ends.iter().find_map(|end| line.strip_suffix(*end)) else { return false };
    let slashes = log.iter().rev().take_while(|byte| **byte == b'\\').count();
    slashes % 2 == 1 && !time.contains(&b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opened(line: &str) -> String {
        let mut scratch = Vec::new();
        let Some(inner) = open(line.as_bytes(), &mut scratch) else { return "-".to_owned() };
        let piece = inner.piece.expect("each has one");
        let text = |bytes| std::str::from_utf8(bytes).expect("text");
        format!("{:?} {} {} {:?}", piece.stream, piece.goes_on, text(inner.stamp), text(inner.line))
    }

    #[test]
    fn a_line_is_unescaped_and_told_from_a_piece() {
        for (line, expected) in [
            // docs.docker.com, the json-file logging driver.
            (
                r#"{"log":"{\"a\":\"\u003c\\\u0026\"}\n","stream":"stdout","time":"2019-01-18T07:49:27.374616758Z"}"#,
                r#"Out false 2019-01-18T07:49:27.374616758Z "{\"a\":\"<\\&\"}\n""#,
            ),
            (r#"{"log":"half","stream":"stderr","time":"t"}"#, r#"Err true t "half\n""#),
            (r#"{"log":"a\r\n","stream":"stdout","attrs":{"tag":"x","y":"\""},"time":"t"}"#, r#"Out false t "a\r\n""#),
            (r#"{"log":"a\nb\u000ac\n","stream":"stdout","time":"t"}"#, r#"Out false t "a b c\n""#),
            (r#"{"log":"a\nb","stream":"stdout","time":"t"}"#, r#"Out true t "a b\n""#),
            (r#"{"log":"ä\t\ud83d\ude00\n","stream":"stdout","time":"t"}"#, "Out false t \"ä\\t😀\\n\""),
            (r#" { "time" : "\u0074", "log":"a\n", "stream":"stdout" } "#, r#"Out false t "a\n""#),
            (r#"{"log":"","stream":"stdout","time":"t"}"#, r#"Out true t "\n""#),
        ] {
            assert_eq!(opened(line), expected, "{line}");
            assert_eq!(opened(&format!("{line}\r\n")), expected, "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_opened() {
        for line in [
            "",
            "\n",
            "{}",
            r#"{"log":"a\n","stream":"stdout"}"#,
            r#"{"log":"a\n","stream":"stdin","time":"t"}"#,
            r#"{"log":"a\n","stream":"stdout","time":1}"#,
            r#"{"log":"a\n","stream":"stdout","time":"t","level":"info"}"#,
            r#"{"log":"a\n","log":"b","stream":"stdout","time":"t"}"#,
            r#"{"log":"a\x\n","stream":"stdout","time":"t"}"#,
            r#"{"log":"a\n","stream":"stdout","time":"t"} x"#,
            r#"{"log":"a\n","stream":"stdout","time":"t"#,
            r#"["log"]"#,
        ] {
            assert_eq!(opened(line), "-", "{line}");
        }
    }

    fn log() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-z{}:, ]{0,12}",
            1 => prop::sample::select(vec!["\\\"", "\\\\", "\\n", "\\r", "\\u003c", "\\u000a", "\\ud83d\\ude00", "\\ud83d",
                "\\x", "ä", "\u{1}", "\"", "\\u00", ",\"stream\":\"stdout\"", "\\u0000", "\\/"]).prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_fast_path_reads_what_the_parser_reads(
            log in log(), ended in any::<bool>(), attributes in prop::sample::select(vec!["", ",\"attrs\":{}", ",\"attrs\":{\"a\":\"b\",\"c\":\"\"}", ",\"attrs\":{\"a\":1}"]),
            time in "[0-9:.TZ-]{0,30}", end in prop::sample::select(vec!["", "\n", "\r\n", "x"]), flip in any::<(prop::sample::Index, u8, bool)>(),
        ) {
            let lf = if ended { "\\n" } else { "" };
            let mut line =
                format!("{{\"log\":\"{log}{lf}\",\"stream\":\"stdout\"{attributes},\"time\":\"{time}\"}}{end}").into_bytes();
            if let (at, byte, true) = flip {
                let at = at.index(line.len());
                line[at] = byte;
            }
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            let by_parser = by_parser(&line, &mut slow).map(|(written, stream)| (written.inner(&slow), stream));
            if let Some((written, stream)) = as_usual(&line, &mut fast) {
                prop_assert_eq!(by_parser, Some((written.inner(&fast), stream)));
            }
            if is_surely_whole(&line) {
                let mut scratch = Vec::new();
                prop_assert!(open(&line, &mut scratch).is_none_or(|inner| inner.piece.is_some_and(|piece| !piece.goes_on)));
            }
        }
    }

    #[test]
    fn usual_lines_are_read_by_the_fast_path() {
        let line = br#"{"log":"{\"a\":1}\n","stream":"stdout","time":"2019-01-18T07:49:27.374616758Z"}"#;
        assert!(as_usual(line, &mut Vec::new()).is_some() && is_surely_whole(line));
        let piece = br#"{"log":"{\"a\":1}","stream":"stdout","time":"2019-01-18T07:49:27.374616758Z"}"#;
        assert!(as_usual(piece, &mut Vec::new()).is_some() && !is_surely_whole(piece));
        assert!(!is_surely_whole(br#"{"log":"a\\n","stream":"stdout","time":"2019-01-18T07:49:27.374616758Z"}"#));
    }
}

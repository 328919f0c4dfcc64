//! logfmt: `key=value key="a value"`, behind any prefix that tells the time, within any span's braces.
//! This file never unescapes a value.

use std::sync::Arc;

use hashbrown::HashMap;
use memchr::memchr;

use super::field::{self, Aliases, Field, Rank, Unit};
use super::fields::{Fields, Verdict};
use super::scan::{gap, place_of};
use super::text::{self, past_colour, stamp, without_colour};
use super::words::are_digits;

/// Keys that are remembered; beyond, each is compared anew.
const KEYS_MAX: usize = 1_000;
/// Pairs of a line whose keys are looked for where they were in the line before.
const PLACES_MAX: usize = 64;

/// Reads logfmt by the aliases of a source.
pub struct Logfmt {
    aliases: Arc<Aliases>,
    /// What keys say, as they are written.
    known: HashMap<Box<[u8]>, Option<Rank>>,
    /// The keys of the line before, by their place: most lines have the same there.
    last: Vec<Known>,
    path: String,
    /// Whether text around the pairs may report a request; not where the source says itself which pairs do.
    reads_text: bool,
}

/// A key, and what it says.
#[derive(Default)]
struct Known {
    /// With its `=`.
    key: Vec<u8>,
    rank: Option<Rank>,
}

impl Logfmt {
    pub fn new(aliases: Arc<Aliases>, reads_text: bool) -> Logfmt {
        Logfmt { aliases, known: HashMap::new(), last: Vec::new(), path: String::new(), reads_text }
    }

    /// Read a line. One without pairs is of a log that people read, too, and reports no request; one whose last text has
    /// no end was cut, and one that is an object is of another format.
    pub fn read<'a>(&mut self, line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
        if line.trim_ascii_start().starts_with(b"{") {
            return Verdict::Malformed;
        }
        let mut pairs = Pairs::new(line);
        let mut said = Said { prefix: line, has_message: false, timed: false, facts: 0 };
        for place in 0.. {
            let Some((start, rank)) = self.key(place, &mut pairs) else { break };
            let Some((value, escaped)) = pairs.value() else { break };
            if place == 0 {
                said.prefix = &line[..start];
            }
            if let Some(rank) = rank {
                let rank = meant(rank, value);
                said.note(rank.field);
                fields.push_ranked(rank, value);
                fields.escaped |= escaped;
            }
        }
        if pairs.cut {
            return Verdict::Malformed;
        }
        said.complete(self.reads_text, fields);
        fields.sort_last_first();
        Verdict::Read
    }

    /// Where the next key starts, the `place`th of its line, and what it says.
    #[inline]
    fn key(&mut self, place: usize, pairs: &mut Pairs<'_>) -> Option<(usize, Option<Rank>)> {
        if let Some(last) = self.last.get(place)
            && let Some(start) = pairs.take_key(&last.key)
        {
            return Some((start, last.rank));
        }
        let (start, key) = pairs.next_key()?;
        Some((start, self.rank(place, key)))
    }

    /// The same where a line's first key has something in front, or is another than before.
    fn rank(&mut self, place: usize, key: &[u8]) -> Option<Rank> {
        match self.last.get(place) {
            Some(last) if last.key.strip_suffix(b"=") == Some(key) => last.rank,
            _ => self.changed(place, key),
        }
    }

    #[cold]
    fn changed(&mut self, place: usize, key: &[u8]) -> Option<Rank> {
        let rank = self.looked_up(key);
        if place < PLACES_MAX {
            // Places come in order, so at most one is missing.
            if place >= self.last.len() {
                self.last.resize_with(place + 1, Known::default);
            }
            let last = &mut self.last[place];
            last.key.clear();
            last.key.extend_from_slice(key);
            last.key.push(b'=');
            last.rank = rank;
        }
        rank
    }

    fn looked_up(&mut self, key: &[u8]) -> Option<Rank> {
        if let Some(rank) = self.known.get(key) {
            return *rank;
        }
        self.path.clear();
        // A key is ASCII.
        field::push_key(&mut self.path, std::str::from_utf8(key).unwrap_or("\0"));
        let rank = self.aliases.rank(&self.path);
        if self.known.len() < KEYS_MAX {
            self.known.insert(key.into(), rank);
        }
        rank
    }
}

/// What a line's pairs leave to the text around them.
struct Said<'a> {
    /// What stands before the first pair.
    prefix: &'a [u8],
    /// Which is read like any other.
    has_message: bool,
    timed: bool,
    /// How much of method, target, status and operation is said.
    facts: u32,
}

impl<'a> Said<'a> {
    #[inline]
    fn note(&mut self, field: Field) {
        self.timed |= field == Field::Time;
        self.facts += u32::from(matches!(field, Field::Method | Field::Url | Field::Status | Field::Operation));
        self.has_message |= field == Field::Message;
    }

    /// Pairs that report no request may stand behind a message that does, and behind a stamp.
    #[inline]
    fn complete(&self, reads_text: bool, fields: &mut Fields<'a>) {
        if self.facts < 2 && !self.has_message && reads_text {
            text::message(self.prefix, fields);
        }
        if !self.timed
            && !fields.is_empty()
            && let Some(stamp) = stamp::find(self.prefix)
        {
            fields.push(Field::Time, stamp);
        }
    }
}

/// A router says how long its service took where others say which service it was: no service is called `18ms`.
#[inline]
fn meant(rank: Rank, value: &[u8]) -> Rank {
    if rank.field == Field::Service && value.strip_suffix(b"ms").is_some_and(are_digits) {
        return Rank::in_unit(Field::Duration, Unit::Millis);
    }
    rank
}

/// Walks from one `=` to the next.
struct Pairs<'a> {
    line: &'a [u8],
    at: usize,
    /// Within the braces of a span: `call{method=GET}: sent status=200`.
    in_span: bool,
    /// The last quoted value has no end.
    cut: bool,
}

impl<'a> Pairs<'a> {
    fn new(line: &'a [u8]) -> Pairs<'a> {
        Pairs { line, at: 0, in_span: false, cut: false }
    }

    /// Where `key` starts, if it stands right here with its `=`: then the search for the next key would find it.
    #[inline]
    fn take_key(&mut self, key: &[u8]) -> Option<usize> {
        let start = match self.line.get(self.at)? {
            b' ' => self.at + 1,
            _ if self.at == 0 => 0,
            _ => return None,
        };
        let follows = self.line[start..].starts_with(key);
        self.at = if follows { start + key.len() } else { self.at };
        follows.then_some(start)
    }

    /// The next key, and where it starts.
    fn next_key(&mut self) -> Option<(usize, &'a [u8])> {
        loop {
            let equals = self.at + memchr(b'=', self.line.get(self.at..)?)?;
            let key = self.key(equals);
            self.at = equals + 1;
            if let Some((start, key)) = key {
                self.in_span |= start > 0 && self.line[start - 1] == b'{';
                return Some((start, key));
            }
        }
    }

    /// The key that ends before `equals`, and its start; `None` where that is within a word, as a query's.
    fn key(&self, equals: usize) -> Option<(usize, &'a [u8])> {
        let before = without_colour(&self.line[..equals]);
        let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@');
        let start = before.iter().rposition(|byte| !is_key(byte)).map_or(0, |at| at + 1);
        // A colour's last letter may be a key's first: `\x1b[3mmethod`.
        if start >= 2 && before[start - 1] == b'[' {
            let start = start + before[start..].iter().position(|byte| *byte == b'm')? + 1;
            return (without_colour(&self.line[..start]).len() < start && start < before.len())
                .then(|| (start, &before[start..]));
        }
        let parted = start == 0 || matches!(before[start - 1], b' ' | b'\t' | b'{' | b',');
        (parted && start < before.len()).then(|| (start, &before[start..]))
    }

    /// The value from here on, and whether it has escapes.
    #[inline]
    fn value(&mut self) -> Option<(&'a [u8], bool)> {
        self.at = self.line.len() - past_colour(&self.line[self.at..]).len();
        match self.line.get(self.at) {
            Some(b'"') => self.quoted(),
            Some(b'\'') => Some((self.in_apostrophes().unwrap_or_else(|| self.bare()), false)),
            _ => Some((self.bare(), false)),
        }
    }

    /// As Python's `repr` writes text, and structlog's console values with `=` in them; one that does not end is bare.
    fn in_apostrophes(&mut self) -> Option<&'a [u8]> {
        let rest = &self.line[self.at + 1..];
        let end = memchr::memchr(b'\'', rest)?;
        let ends = matches!(rest.get(end + 1), None | Some(b' ' | b'\t' | b'\r' | 0x1b));
        self.at += if ends { end + 2 } else { 0 };
        ends.then(|| &rest[..end])
    }

    #[inline]
    fn quoted(&mut self) -> Option<(&'a [u8], bool)> {
        let start = self.at + 1;
        let (mut end, mut escaped) = (start, false);
        loop {
            let Some(stop) = place_of(self.line, end, [b'"', b'\\']) else {
                self.cut = true;
                return None;
            };
            end = stop;
            if self.line[end] == b'"' {
                break;
            }
            escaped = true;
            end += 2;
        }
        self.at = end + 1;
        self.in_span &= self.line.get(self.at) != Some(&b'}');
        Some((&self.line[start..end], escaped))
    }

    #[inline]
    fn bare(&mut self) -> &'a [u8] {
        let end = gap(self.line, self.at).unwrap_or(self.line.len());
        let mut value = &self.line[self.at..end];
        if self.in_span
            && let Some(end) = span_end(value)
        {
            self.in_span = false;
            value = &value[..end];
        }
        self.at += value.len();
        value.strip_suffix(b",").unwrap_or(value)
    }
}

/// The place of the brace that closes what was opened before.
fn span_end(value: &[u8]) -> Option<usize> {
    let mut depth = 0;
    value.iter().position(|byte| {
        depth += usize::from(*byte == b'{');
        let closes = *byte == b'}' && depth == 0;
        depth -= usize::from(*byte == b'}' && depth > 0);
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;
    use crate::collect::Family;

    #[test]
    fn dialects_are_read() {
        for (line, expected) in [
            // Rust tracing fmt, produced for field-notes
            (
                r#"2026-11-22T21:54:16.466209Z  INFO rt: http_request http.request.method="POST" url.full="https://api.example.com/graphql" http.response.status_code=200"#,
                "2026-11-22T21:54 stem (none) api.example.com POST /graphql 200 - 0B 1u",
            ),
            // the same, with the colours it writes unless told otherwise
            (
                "\x1b[2m2026-11-22T21:54:16.466209Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mrt\x1b[0m\x1b[2m:\x1b[0m http_request \x1b[3mmethod\x1b[0m\x1b[2m=\x1b[0m\"POST\" \x1b[3murl\x1b[0m\x1b[2m=\x1b[0m/a?b=c \x1b[3mstatus\x1b[0m\x1b[2m=\x1b[0m200\x1b[0m",
                "2026-11-22T21:54 stem (none) (none) POST /a 200 - 0B 1u",
            ),
            // spans: the event's own fields come before theirs
            (
                r#"2026-11-22T21:54:16.466209Z  INFO outer{method=PUT status=100}:call{path=/users/{id} url="/b"}:in{n=1}: rt: done status=200 method=GET"#,
                "2026-11-22T21:54 stem (none) (none) GET /b 200 - 0B 1u",
            ),
            // tracing-logfmt, produced for field-notes
            (
                "ts=2026-11-22T21:54:16.466635619Z level=info target=rt message=http_request method=POST url=https://api.example.com/graphql?a=b status=200",
                "2026-11-22T21:54 stem (none) api.example.com POST /graphql 200 - 0B 1u",
            ),
            // Go slog's text handler, by its documentation
            (
                r#"time=2023-05-06T13:24:00.476+02:00 level=INFO msg="api call" method=GET url="https://api.example.com/jobs/42?q=a b" status=404 duration=1.5s"#,
                "2023-05-06T11:24 stem (none) api.example.com GET /jobs/{id} 404 1500ms 0B 1u",
            ),
            // logrus, by its README
            (
                r#"time="2015-03-26T01:27:38-04:00" level=info msg="a \"call\"" method=GET path=/a size=10 status=200"#,
                "2015-03-26T05:27 stem (none) (none) GET /a 200 - 10B 1u",
            ),
            // Heroku's router, by its documentation, behind syslog's stamp
            (
                r#"2012-10-11T03:47:20+00:00 heroku[router]: at=info method=GET path="/a?b=c" host=app.example.com request_id=8601b555 fwd="204.204.204.204" dyno=web.1 connect=1ms service=18ms status=200 bytes=13"#,
                "2012-10-11T03:47 stem (none) app.example.com GET /a 200 18ms 13B 1u",
            ),
            // Go kit and structlog's LogfmtRenderer
            (
                "ts=2026-11-22T21:54:16Z caller=main.go:12 method=GET path=/a status=200 took_ms=3, service=sync",
                "2026-11-22T21:54 sync (none) (none) GET /a 200 3ms 0B 1u",
            ),
            // a message beside pairs that report no request
            (
                r#"2026-11-22T21:54:16Z GET https://api.example.com/a?b=c 200 attempt=1"#,
                "2026-11-22T21:54 stem (none) api.example.com GET /a 200 - 0B 1u",
            ),
            (
                r#"time=2026-11-22T21:54:16Z level=info msg="HTTP Request: GET https://api.example.com/a?b=c \"HTTP/1.1 200 OK\"""#,
                "2026-11-22T21:54 stem (none) api.example.com GET /a 200 - 0B 1u",
            ),
            // the start of what ends in a line of its own
            (r#"time=2026-11-22T21:54:16Z msg="request started" method=GET path=/a"#, "skipped"),
            ("2026-11-22T21:54:16Z INFO listening on 8080", "skipped"),
            ("time=2026-11-22T21:54:16Z level=info msg=started", "skipped"),
            ("at=info method=GET path=/a status=200", "no time"),
            ("", "skipped"),
            ("=", "skipped"),
            ("a=", "skipped"),
            (r#"time=2026-11-22T21:54:16Z method=GET status=200 path="/a"#, "malformed"),
            (r#"{"time":"2026-11-22T21:54:16Z","method":"GET","path":"/a?b=c"}"#, "malformed"),
        ] {
            assert_eq!(row(Family::Logfmt, line), expected, "{line}");
        }
    }

    proptest::proptest! {
        /// Whatever was remembered of lines before.
        #[test]
        fn a_line_is_read_by_itself(lines in proptest::collection::vec("([a-z]{1,6}|method|status|url)=(GET|200|/a|\"[a-z ]*\")( [a-zA-Z=\\\\\"{}:,]{0,8})?", 1..12)) {
            let mut warm = Logfmt::new(Aliases::standard(), true);
            for line in &lines {
                let (mut one, mut other) = (Fields::new(), Fields::new());
                let verdict = warm.read(line.as_bytes(), &mut one);
                proptest::prop_assert_eq!(verdict, Logfmt::new(Aliases::standard(), true).read(line.as_bytes(), &mut other));
                proptest::prop_assert!(one.labels().eq(other.labels()) && one.measures().eq(other.measures()) && one.kind() == other.kind());
            }
        }

        #[test]
        fn any_bytes_are_survived(line in proptest::collection::vec(proptest::prop_oneof![
            3 => proptest::sample::select(b"=\"\\ {}[m\x1b,a1:.".to_vec()),
            1 => proptest::prelude::any::<u8>(),
        ], 0..60)) {
            Logfmt::new(Aliases::standard(), true).read(&line, &mut Fields::new());
        }
    }
}

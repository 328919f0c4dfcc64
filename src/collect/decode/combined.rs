//! Access logs of nginx, Apache and their kin: common, combined, with the virtual host in front, with
//! fields behind.
//! This file never lets a client's quotes or brackets move a field: a request ends at its first bare quote.

use memchr::memchr;

use super::field::{Field, Unit};
use super::fields::{Fields, Verdict};
use super::value::written_duration;
use super::words::{are_digits, quoted_end, split_request, word};

/// One line's fields, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Empty where the line does not begin with one.
    pub vhost: &'a [u8],
    pub stamp: &'a [u8],
    pub request: &'a [u8],
    pub status: &'a [u8],
    pub bytes: &'a [u8],
    /// Referrer, user agent and what follows.
    pub rest: &'a [u8],
}

/// Read a line.
pub fn read<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
    let Some(entry) = parse(line) else { return Verdict::Malformed };
    let (method, target) = split_request(entry.request);
    fields.push(Field::Time, entry.stamp);
    fields.push(Field::Method, method);
    fields.push(Field::Url, target);
    fields.push(Field::Status, entry.status);
    if !entry.vhost.is_empty() {
        fields.push(Field::Host, entry.vhost);
    }
    fields.push(Field::Bytes, entry.bytes);
    if let Some(duration) = trailing(entry.rest).and_then(trailing_duration) {
        fields.push_duration(Unit::Seconds, duration);
    }
    Verdict::Read
}

/// The fields of a line; `None` where it is not of this family.
#[inline]
pub fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let (client, rest) = line.split_at_checked(memchr(b'[', line)?)?;
    let (stamp, rest) = rest.get(1..)?.split_at_checked(memchr(b']', rest)?.checked_sub(1)?)?;
    let rest = rest.strip_prefix(b"] \"")?;
    let (request, rest) = rest.split_at_checked(quoted_end(rest)?)?;
    let rest = rest.strip_prefix(b"\" ")?;
    let (status, rest) = word(rest);
    let (bytes, rest) = word(rest.strip_prefix(b" ")?);
    let status_ok = matches!(status, [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'] | b"-");
    let bytes_ok = bytes == b"-" || are_digits(bytes);
    (status_ok && bytes_ok).then_some(Entry { vhost: vhost(client)?, stamp, request, status, bytes, rest })
}

/// The virtual host in front of client, identity and user, if there is one.
#[inline]
fn vhost(client: &[u8]) -> Option<&[u8]> {
    let words = client.strip_suffix(b" ")?;
    match words.iter().filter(|byte| **byte == b' ').count() {
        0 | 1 => None,
        2 => Some(b""),
        // A user's name may have spaces; four words begin with a host only if it looks like one.
        _ => {
            let (first, _) = word(words);
            let port = first.iter().rposition(|byte| *byte == b':').map_or(&b""[..], |colon| &first[colon + 1..]);
            let named = are_digits(port);
            let plain =
                words.iter().filter(|byte| **byte == b' ').count() == 3 && first.iter().any(u8::is_ascii_alphabetic);
            Some(if named || plain { first } else { b"" })
        }
    }
}

/// What follows referrer and user agent, if they are there; `None` where nothing does.
#[inline]
fn trailing(rest: &[u8]) -> Option<&[u8]> {
    let unquoted = (!rest.is_empty()).then_some(rest);
    let Some(rest) = rest.strip_prefix(b" \"") else { return unquoted };
    let rest = rest.get(quoted_end(rest)? + 1..)?.strip_prefix(b" \"")?;
    let rest = rest.get(quoted_end(rest)? + 1..)?;
    (!rest.is_empty()).then_some(rest)
}

/// The duration among fields of one's own: `rt=0.123`, else the first number with a fraction, which is seconds (nginx's
/// `$request_time`), or with `ms`; one in quotes only if there is no other. A whole number may be anything, so it is
/// left alone.
fn trailing_duration(trailing: &[u8]) -> Option<&[u8]> {
    let (mut bare, mut quoted) = (None, None);
    for field in TrailingFields(trailing) {
        match field {
            Trailing::Bare(word) => match named_duration(word) {
                Some(duration) => return Some(duration),
                None => bare = bare.or_else(|| duration(word)),
            },
            Trailing::Quoted(text) => quoted = quoted.or_else(|| duration(text)),
        }
    }
    bare.or(quoted)
}

enum Trailing<'a> {
    Bare(&'a [u8]),
    Quoted(&'a [u8]),
}

struct TrailingFields<'a>(&'a [u8]);

impl<'a> Iterator for TrailingFields<'a> {
    type Item = Trailing<'a>;

    fn next(&mut self) -> Option<Trailing<'a>> {
        let text = self.0.trim_ascii_start();
        if let Some(quoted) = text.strip_prefix(b"\"") {
            let (text, rest) = quoted.split_at(quoted_end(quoted).unwrap_or(quoted.len()));
            self.0 = rest.get(1..).unwrap_or_default();
            return Some(Trailing::Quoted(text));
        }
        let (bare, rest) = word(text);
        self.0 = rest;
        (!bare.is_empty()).then_some(Trailing::Bare(bare))
    }
}

fn named_duration(word: &[u8]) -> Option<&[u8]> {
    const NAMES: [&[u8]; 3] = [b"rt=", b"request_time=", b"duration="];
    let value = NAMES.iter().find_map(|name| word.strip_prefix(*name))?;
    let value = value.strip_prefix(b"\"").map_or(value, |value| value.strip_suffix(b"\"").unwrap_or(value));
    is_duration(value).then_some(value)
}

fn duration(word: &[u8]) -> Option<&[u8]> {
    ((word.contains(&b'.') || word.ends_with(b"ms")) && is_duration(word)).then_some(word)
}

fn is_duration(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|word| written_duration(word, Unit::Seconds).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// vhost, stamp, request, status, bytes and trailing duration; "-" where it is not such a line.
    fn said(line: &str) -> String {
        let Some(entry) = parse(line.as_bytes()) else { return "-".to_owned() };
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let Entry { vhost, stamp, request, status, bytes, rest } = entry;
        let duration = trailing(rest).and_then(trailing_duration);
        let duration_ms = duration.and_then(|duration| written_duration(text(duration), Unit::Seconds));
        format!("{}|{}|{}|{}|{}|{duration_ms:?}", text(vhost), text(stamp), text(request), text(status), text(bytes))
    }

    #[test]
    fn the_family_is_read() {
        for (line, expected) in [
            (
                r#"172.17.0.1 - alice [01/Apr/2021:12:02:31 +0000] "POST /not-found HTTP/1.1" 404 153 "http://localhost/s" "Mozilla/5.0 (X11)" "2.75""#,
                "|01/Apr/2021:12:02:31 +0000|POST /not-found HTTP/1.1|404|153|Some(2750.0)",
            ),
            (
                r#"::1 - - [27/Nov/2024:06:21:42 +0000] "GET /combined HTTP/1.1" 200 2 "-" "curl/8.7.1""#,
                "|27/Nov/2024:06:21:42 +0000|GET /combined HTTP/1.1|200|2|None",
            ),
            (
                r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 -"#,
                "|10/Oct/2000:13:55:36 -0700|GET /apache_pb.gif HTTP/1.0|200|-|None",
            ),
            (
                r#"api.example.com:443 10.0.0.1 - - [01/Apr/2021:12:02:31 +0000] "GET /x HTTP/2.0" 200 5 "-" "a""#,
                "api.example.com:443|01/Apr/2021:12:02:31 +0000|GET /x HTTP/2.0|200|5|None",
            ),
            (
                r#"127.0.0.1 - - [09/Mar/2018:10:51:32 +0000] "GET / HTTP/1.1" 401 17 "-" "Go-http-client/1.1" 1 "testRouter with space" - 7ms"#,
                "|09/Mar/2018:10:51:32 +0000|GET / HTTP/1.1|401|17|Some(7.0)",
            ),
            (
                r#"10.0.0.1 - - [09/Mar/2018:10:51:32 +0000] "GET /a\"b] \"x HTTP/1.1" 200 17 "-" "a \" b" rt=0.25 uct=0.1"#,
                r#"|09/Mar/2018:10:51:32 +0000|GET /a\"b] \"x HTTP/1.1|200|17|Some(250.0)"#,
            ),
            (
                r#"10.0.0.1 - a b [09/Mar/2018:10:51:32 +0000] "GET / HTTP/1.1" 200 17"#,
                "|09/Mar/2018:10:51:32 +0000|GET / HTTP/1.1|200|17|None",
            ),
            // Traefik's own test
            (
                r#"127.0.0.1 - - [09/Mar/2018:10:51:32 +0000] "GET / HTTP/1.1" 401 17 "-" "Go-http-client/1.1" 1 "testRouter" - 0ms"#,
                "|09/Mar/2018:10:51:32 +0000|GET / HTTP/1.1|401|17|Some(0.0)",
            ),
            // nginx: `main` of its packages, then times of one's own
            (
                r#"192.0.2.7 - - [23/Nov/2026:05:17:01 +0000] "GET / HTTP/1.1" 200 12 "-" "curl/8.7.1" "10.0.0.1, 192.0.2.9""#,
                "|23/Nov/2026:05:17:01 +0000|GET / HTTP/1.1|200|12|None",
            ),
            (
                r#"192.0.2.7 - - [23/Nov/2026:05:17:01 +0000] "GET / HTTP/1.1" 200 12 "-" "a" "-" uct="0.001" uht="0.1" rt=0.123"#,
                "|23/Nov/2026:05:17:01 +0000|GET / HTTP/1.1|200|12|Some(123.0)",
            ),
            (
                r#"192.0.2.7 - - [23/Nov/2026:05:17:01 +0000] "GET / HTTP/1.1" 200 12 "-" "a" rt="0.123" 9.5"#,
                "|23/Nov/2026:05:17:01 +0000|GET / HTTP/1.1|200|12|Some(123.0)",
            ),
            (
                r#"192.0.2.7 - - [23/Nov/2026:05:17:01 +0000] "GET / HTTP/1.1" 200 12 "-" "a" "3.14" 7 0.250 0.125"#,
                "|23/Nov/2026:05:17:01 +0000|GET / HTTP/1.1|200|12|Some(250.0)",
            ),
            (
                r#"192.0.2.7 - - [23/Nov/2026:05:17:01 +0000] "GET / HTTP/1.1" 200 12 0.250 "-" "Mozilla/5.0 (X11) 1.5""#,
                "|23/Nov/2026:05:17:01 +0000|GET / HTTP/1.1|200|12|Some(250.0)",
            ),
            (
                r#"192.0.2.7 - - [23/Nov/2026:05:17:01 +0000] "GET / HTTP/1.1" 200 12 "-" "a" 12345 "1.5"#,
                "|23/Nov/2026:05:17:01 +0000|GET / HTTP/1.1|200|12|Some(1500.0)",
            ),
            (
                r#"2001:db8::1 - - [23/Nov/2026:05:17:01 +0000] "-" 408 0 "-" "-" 60.0"#,
                "|23/Nov/2026:05:17:01 +0000|-|408|0|Some(60000.0)",
            ),
            // Attackers: nginx writes a quote as `\x22`, Apache as `\"`
            (
                r#"192.0.2.7 - - [23/Nov/2026:05:17:01 +0000] "GET /\x22 200 1 HTTP/1.1" 400 12 "\" 200 7 \"" "\\""#,
                r#"|23/Nov/2026:05:17:01 +0000|GET /\x22 200 1 HTTP/1.1|400|12|None"#,
            ),
            (r#"192.0.2.7 - - [23/Nov/2026:05:17:01 +0000] "GET /"a HTTP/1.1" 400 12"#, "-"),
            (r#"INFO [2024-09-28 17:27:41] httpx - HTTP Request: GET https://www.example.com "HTTP/1.1 200 OK""#, "-"),
            (r#"10.0.0.1 - - [09/Mar/2018:10:51:32 +0000] "GET / HTTP/1.1" 200"#, "-"),
            ("", "-"),
            ("[", "-"),
            ("]", "-"),
        ] {
            assert_eq!(said(line), expected, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            read(&bytes, &mut Fields::new());
            trailing_duration(&bytes);
        }
    }

    #[test]
    fn the_beginning_of_a_line_is_no_other_request() {
        let line = r#"172.17.0.1 - alice [01/Apr/2021:12:02:31 +0000] "POST /jobs/42 HTTP/1.1" 404 153 "http://localhost/s" "Mozilla/5.0 (X11)" "2.75""#;
        super::super::tests::beginnings_agree(read, line);
    }
}

//! Access logs of nginx, Apache and their kin: common, combined, with the virtual host in front, with
//! fields behind.
//! This file never lets a client's quotes or brackets move a field: a request ends at its first bare quote.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::cache::Cache;
use super::field::{Field, Unit};
use super::label::{LabelSet, Labels};
use super::rows::{Outcome, account, beside_nuls, first_line};
use super::time::Clockwork;
use super::value::{Measures, Scalar, written_duration};
use crate::collect::Reading;
use crate::collect::request::{Decoded, Reject};

pub struct CombinedLines {
    labels: Labels,
    clockwork: Clockwork,
    cache: Cache,
}

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

impl CombinedLines {
    pub fn new(reading: &Reading, default_service: &str) -> CombinedLines {
        CombinedLines {
            labels: Labels::new(reading, default_service),
            clockwork: Clockwork::new(reading.zone),
            cache: Cache::new(),
        }
    }

    pub fn decode(&mut self, bytes: &[u8], start: u64, decoded: &mut Decoded) {
        self.labels.use_table(&decoded.series);
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (line, taken) = first_line(rest);
            let outcome = self.line(line);
            account(outcome, start + at as u64, &mut self.labels, decoded);
            at += taken;
        }
    }

    #[inline]
    fn line(&mut self, line: &[u8]) -> Outcome {
        let Some(entry) = parse(line) else {
            let blank = line.trim_ascii().is_empty();
            return match beside_nuls(line) {
                Some(text) => self.line(text),
                None if blank => Outcome::Skip,
                None => Outcome::Reject(Reject::Malformed),
            };
        };
        let Some(labels) = self.labels(&entry) else { return Outcome::Skip };
        let minute = match entry.stamp {
            b"" | b"-" => Err(Reject::NoTime),
            stamp => self.clockwork.text(stamp).ok_or(Reject::BadTime),
        };
        if minute == Err(Reject::BadTime)
            && let Some(text) = beside_nuls(line)
        {
            return self.line(text);
        }
        let bytes = entry.bytes.iter().try_fold(0u64, |sum, digit| {
            sum.checked_mul(10)?.checked_add(u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?))
        });
        let duration_ms = trailing(entry.rest).and_then(trailing_duration_ms);
        Outcome::Request(labels, Measures { minute, duration_ms, bytes: bytes.unwrap_or(0), units: 1 })
    }

    #[inline]
    fn labels(&mut self, entry: &Entry<'_>) -> Option<LabelSet> {
        let slices = [entry.vhost, entry.request, entry.status];
        let hash = Cache::hash(0, slices.into_iter());
        if let Some(meaning) = self.cache.get(hash, 0, slices.into_iter()) {
            return meaning;
        }
        let meaning = self.resolve(entry);
        self.cache.insert(hash, 0, slices.into_iter(), meaning);
        meaning
    }

    #[cold]
    fn resolve(&mut self, entry: &Entry<'_>) -> Option<LabelSet> {
        let (request, vhost) = (String::from_utf8_lossy(entry.request), String::from_utf8_lossy(entry.vhost));
        let (method, target) = split_request(&request);
        let values = [
            (Field::Method, Scalar::Text(method.as_bytes())),
            (Field::Url, Scalar::Text(target.as_bytes())),
            (Field::Status, Scalar::Text(entry.status)),
            (Field::Host, Scalar::Text(vhost.as_bytes())),
        ];
        self.labels.resolve(values.into_iter())
    }
}

/// `GET /path HTTP/1.1` into method and target. What is no request line at all (TLS sent to a plain port,
/// a connection closed before it said anything) gives two empty texts.
fn split_request(request: &str) -> (&str, &str) {
    let Some((method, rest)) = request.split_once(' ') else { return ("", "") };
    let target = match rest.rsplit_once(' ') {
        Some((target, protocol)) if protocol.starts_with("HTTP/") => target,
        _ => rest,
    };
    (method, target)
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
    let bytes_ok = bytes == b"-" || (!bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit));
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
            let named = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
            let plain =
                words.iter().filter(|byte| **byte == b' ').count() == 3 && first.iter().any(u8::is_ascii_alphabetic);
            Some(if named || plain { first } else { b"" })
        }
    }
}

/// Up to the next space, and from it on.
#[inline]
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    text.split_at(end)
}

/// The place of the first quote that no backslash escapes.
#[inline]
fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// What follows referrer and user agent; `None` where nothing does.
#[inline]
fn trailing(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.strip_prefix(b" \"")?;
    let rest = rest.get(quoted_end(rest)? + 1..)?.strip_prefix(b" \"")?;
    let rest = rest.get(quoted_end(rest)? + 1..)?;
    (!rest.is_empty()).then_some(rest)
}

/// The duration among fields of one's own: `rt=0.123`, `12ms`, else the first number with a fraction, which
/// is seconds (nginx's `$request_time`). A whole number may be anything, so it is left alone.
#[cold]
fn trailing_duration_ms(trailing: &[u8]) -> Option<f64> {
    let text: Cow<'_, str> = String::from_utf8_lossy(trailing);
    text.split([' ', '"']).find_map(|field| {
        let named = ["rt=", "request_time=", "duration="].into_iter().find_map(|name| field.strip_prefix(name));
        let value = named.unwrap_or(field);
        let is_duration = named.is_some() || value.contains('.') || value.ends_with("ms");
        written_duration(value, Unit::Seconds).filter(|_| is_duration)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// vhost, stamp, request, status, bytes and trailing duration; "-" where it is not such a line.
    fn read(line: &str) -> String {
        let Some(entry) = parse(line.as_bytes()) else { return "-".to_owned() };
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let Entry { vhost, stamp, request, status, bytes, rest } = entry;
        let duration_ms = trailing(rest).and_then(trailing_duration_ms);
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
            (r#"INFO [2024-09-28 17:27:41] httpx - HTTP Request: GET https://www.example.com "HTTP/1.1 200 OK""#, "-"),
            (r#"10.0.0.1 - - [09/Mar/2018:10:51:32 +0000] "GET / HTTP/1.1" 200"#, "-"),
            ("", "-"),
            ("[", "-"),
            ("]", "-"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }
}

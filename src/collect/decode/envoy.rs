//! Envoy's default access log, and Istio's, which has more between the flags and the counts.
//! This file never trusts quotes to be escaped: Envoy writes a client's headers as they came.

use memchr::{memchr, memchr_iter};

use super::field::{Field, Unit};
use super::fields::{Fields, Verdict};
use super::words::{next_word, split_request, word};

/// Read a line: `[time] "request" status flags … received sent duration_ms upstream_ms "forwarded for" "agent" "id"
/// "authority" …`. One without an answer (flags such as `UF` with status 0) is a request all the same.
pub fn read<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
    let Some(entry) = parse(line) else { return Verdict::Malformed };
    let (method, target) = split_request(entry.request);
    // TCP, or a connection that did not speak HTTP.
    if method == b"-" || method.is_empty() {
        return Verdict::Read;
    }
    fields.push(Field::Time, entry.stamp);
    fields.push(Field::Method, method);
    fields.push(Field::Url, target);
    fields.push(Field::Status, entry.status);
    fields.push(Field::Host, entry.authority);
    fields.push(Field::Bytes, entry.sent);
    fields.push_duration(Unit::Millis, entry.duration_ms);
    Verdict::Read
}

struct Entry<'a> {
    stamp: &'a [u8],
    request: &'a [u8],
    /// 0 where there was none.
    status: &'a [u8],
    sent: &'a [u8],
    duration_ms: &'a [u8],
    authority: &'a [u8],
}

#[inline]
fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let line = line.strip_prefix(b"[")?;
    let (stamp, rest) = line.split_at_checked(memchr(b']', line)?)?;
    let rest = rest.strip_prefix(b"] \"")?;
    if !matches!(stamp, [_, _, _, _, b'-', _, _, b'-', _, _, b'T', ..]) {
        return None;
    }
    let (request, rest) = request(rest)?;
    let (status, rest) = next_word(rest)?;
    let (flags, rest) = next_word(rest)?;
    let ([_received, sent, duration_ms], rest) = counts(rest)?;
    (is_flags(flags) && is_status(status)).then_some(Entry {
        stamp,
        request,
        status,
        sent,
        duration_ms,
        authority: authority(rest)?,
    })
}

/// Up to the first quote that a status follows.
#[inline]
fn request(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr_iter(b'"', rest).find_map(|quote| {
        let after = rest[quote + 1..].strip_prefix(b" ")?;
        is_status(word(after).0).then_some((&rest[..quote], after))
    })
}

/// Istio's details, why a connection ended and what failed upstream stand in front of the counts.
const DETAILS_MAX: usize = 4;

/// Bytes received and sent and the duration, and what follows the upstream's time.
#[inline]
fn counts(mut rest: &[u8]) -> Option<([&[u8]; 3], &[u8])> {
    for _ in 0..=DETAILS_MAX {
        if rest.first().is_some_and(u8::is_ascii_digit) {
            let (received, after) = next_word(rest)?;
            let (sent, after) = next_word(after)?;
            let (duration_ms, after) = next_word(after)?;
            let (upstream_ms, after) = next_word(after)?;
            let counts = is_count(received) && is_count(sent) && is_count(duration_ms) && is_count(upstream_ms);
            return counts.then_some(([received, sent, duration_ms], after));
        }
        rest = past_detail(rest)?;
    }
    None
}

/// A word, or text in quotes.
fn past_detail(rest: &[u8]) -> Option<&[u8]> {
    match rest.strip_prefix(b"\"") {
        Some(quoted) => Some(&quoted[memchr::memmem::find(quoted, b"\" ")? + 2..]),
        None => next_word(rest).map(|(_, rest)| rest),
    }
}

/// The fourth of the quoted texts.
#[inline]
fn authority(rest: &[u8]) -> Option<&[u8]> {
    let mut rest = rest.strip_prefix(b"\"")?;
    for _ in 0..3 {
        rest = memchr_iter(b'"', rest).find_map(|quote| rest[quote..].strip_prefix(b"\" \""))?;
    }
    Some(&rest[..memchr(b'"', rest)?])
}

fn is_status(word: &[u8]) -> bool {
    word == b"0" || word.len() == 3 && word.iter().all(u8::is_ascii_digit)
}

/// `-`, `UF`, `UF,URX`.
fn is_flags(word: &[u8]) -> bool {
    word == b"-" || word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b',' | b'_'))
}

fn is_count(word: &[u8]) -> bool {
    word == b"-" || word.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{beginnings_agree, row};
    use super::*;
    use crate::collect::Family;

    /// Istio's documentation, Getting Envoy's access logs.
    const LINE: &str = r#"[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "-" "curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo.svc.cluster.local default"#;

    #[test]
    fn the_default_formats_are_read() {
        for (line, expected) in [
            (LINE, "2020-11-25T21:26 stem (none) httpbin:8000 GET /status/{id} 418 3ms 135B 1u"),
            // Envoy's documentation, default format
            (
                r#"[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80""#,
                "2016-04-15T20:17 stem (none) locations POST /api/v1/locations 204 226ms 0B 1u",
            ),
            (
                r#"[2016-04-15T20:17:00.310Z] "GET /a?token=s3cr3t HTTP/2" 503 UF,URX 0 91 10 - "-" "x" "-" "api.example.com" "10.0.2.1:443""#,
                "2016-04-15T20:17 stem (none) api.example.com GET /a 503 10ms 91B 1u",
            ),
            (
                r#"[2016-04-15T20:17:00.310Z] "GET /a HTTP/1.1" 0 DC 0 0 5000 - "-" "x" "-" "api.example.com" "-""#,
                "2016-04-15T20:17 stem (none) api.example.com GET /a - 5000ms 0B 1u",
            ),
            // Istio 1.9: a failed connection
            (
                r#"[2021-03-01T10:00:00.000Z] "GET /a HTTP/1.1" 503 UF upstream_reset_before_response_started{connection_failure} - "delayed connect error: 111" 0 91 10 - "-" "x" "id" "api.example.com" "10.0.2.1:443" outbound|443||api.example.com - 10.0.0.1:443 10.0.0.2:3 - default"#,
                "2021-03-01T10:00 stem (none) api.example.com GET /a 503 10ms 91B 1u",
            ),
            // Istio 1.4
            (
                r#"[2019-03-06T09:31:27.360Z] "GET /status/418 HTTP/1.1" 418 - "-" "-" 0 135 5 2 "-" "curl/7.60.0" "d209e46f-9ed5-9b61-bbdd-43e22662702a" "httpbin:8000" "127.0.0.1:80" inbound|8000|http|httpbin.default.svc.cluster.local - 172.30.146.73:80 172.30.146.82:38618 outbound_.8000_._.httpbin.default.svc.cluster.local"#,
                "2019-03-06T09:31 stem (none) httpbin:8000 GET /status/{id} 418 5ms 135B 1u",
            ),
            // Quotes of a client
            (
                r#"[2016-04-15T20:17:00.310Z] "GET /"a" 1 HTTP/1.1" 404 - 0 9 1 1 "-" "a " b" "-" "api.example.com" "-""#,
                r#"2016-04-15T20:17 stem (none) api.example.com GET /"a" 1 404 1ms 9B 1u"#,
            ),
        ] {
            assert_eq!(row(Family::Envoy, line), expected, "{line}");
        }
    }

    #[test]
    fn connections_and_tunnels_are_skipped() {
        for line in [
            r#"[2021-03-01T10:00:00.000Z] "- - -" 0 - - - "-" 1024 2048 30000 - "-" "-" "-" "-" "10.0.2.1:443" outbound|443||api.example.com 10.0.0.1:4 10.0.0.1:443 10.0.0.2:3 - -"#,
            r#"[2021-03-01T10:00:00.000Z] "- - HTTP/1.1" 400 DPE 0 11 0 - "-" "-" "-" "-" "-""#,
            r#"[2021-03-01T10:00:00.000Z] "CONNECT api.example.com:443 HTTP/1.1" 200 - 0 11 0 - "-" "-" "-" "-" "-""#,
            r#"[2021-03-01T10:00:00.000Z] "CONNECT - HTTP/2" 200 - 0 11 0 - "-" "-" "-" "api.example.com:443" "-""#,
        ] {
            assert_eq!(row(Family::Envoy, line), "skipped", "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_of_the_family() {
        for line in [
            r#"[2024-09-28 17:27:41] "GET /a HTTP/1.1" 200 - 0 11 0 - "-" "-" "-" "h" "-""#,
            r#"[2021-03-01T10:00:00.000Z] "GET /a HTTP/1.1" 200 - 0 11 0 - "-" "-" "-""#,
            r#"[2021-03-01T10:00:00.000Z] "GET /a HTTP/1.1" 200 - a b c d e 0 11 0 - "-" "-" "-" "h" "-""#,
            r#"[2021-03-01T10:00:00.000Z] "GET /a HTTP/1.1" 200 11 "-" "curl""#,
            r#"::1 - - [27/Nov/2024:06:21:42 +0000] "GET /combined HTTP/1.1" 200 2 "-" "curl/8.7.1""#,
            "[",
        ] {
            assert_eq!(row(Family::Envoy, line), "malformed", "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..LINE.len(), byte in any::<u8>()) {
            read(&bytes, &mut Fields::new());
            let mut line = LINE.as_bytes().to_vec();
            line[at] = byte;
            read(&line, &mut Fields::new());
        }
    }

    #[test]
    fn the_beginning_of_a_line_is_no_other_request() {
        beginnings_agree(read, LINE);
    }
}

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
    fields.push(Field::Host, entry.vhost);
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
fn trailing_duration(trailing: &[u8]) -> Option<&[u8]> {
    trailing.split(|byte| matches!(byte, b' ' | b'"')).find_map(|field| {
        let named = [&b"rt="[..], b"request_time=", b"duration="].into_iter().find_map(|name| field.strip_prefix(name));
        let value = named.unwrap_or(field);
        let is_duration = named.is_some() || value.contains(&b'.') || value.ends_with(b"ms");
        let is_number = std::str::from_utf8(value).is_ok_and(|value| written_duration(value, Unit::Seconds).is_some());
        (is_duration && is_number).then_some(value)
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

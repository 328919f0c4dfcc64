//! HAProxy's HTTP log (`option httplog`, `option httpslog`), bare or with syslog's words in front.
//! This file never takes a frontend's or backend's name for an api: they are HAProxy's names, not the caller's.

use memchr::{memchr, memchr_iter};

use super::field::{Field, Unit};
use super::fields::{Fields, Verdict};
use super::words::{next_word, split_request, word};

/// Read a line. Of what HAProxy logs beside HTTP (TCP connections, broken handshakes, servers that go up and down)
/// nothing is said.
pub fn read<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
    let Some((stamp, rest)) = stamped(line) else {
        return if is_notice(line) { Verdict::Read } else { Verdict::Malformed };
    };
    match entry(rest) {
        Some(entry) => entry.push(stamp, fields),
        None if is_connection(rest) => {}
        None => return Verdict::Malformed,
    }
    Verdict::Read
}

/// `dd/Mon/yyyy:hh:mm:ss.mmm`, as HAProxy writes it and nobody else does.
const STAMP: usize = b"26/Feb/2019:00:29:44.326".len();

/// The stamp in brackets behind the client's port, and what follows.
#[inline]
fn stamped(line: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr_iter(b'[', line).find_map(|bracket| {
        let (before, rest) = (&line[..bracket], &line[bracket + 1..]);
        let (stamp, rest) = rest.split_at_checked(STAMP)?;
        let in_place = stamp[2] == b'/' && stamp[6] == b'/' && stamp[11] == b':' && stamp[20] == b'.';
        let client = matches!(before, [.., b'0'..=b'9', b' ']);
        (in_place && client).then_some((stamp, rest.strip_prefix(b"] ")?))
    })
}

/// What a line says of a request.
struct Entry<'a> {
    duration_ms: &'a [u8],
    /// -1 where a client left before it had one.
    status: &'a [u8],
    bytes: &'a [u8],
    method: &'a [u8],
    /// Empty where HAProxy cut the line within it.
    target: &'a [u8],
}

impl<'a> Entry<'a> {
    #[inline]
    fn push(&self, stamp: &'a [u8], fields: &mut Fields<'a>) {
        fields.push(Field::Time, stamp);
        fields.push(Field::Method, self.method);
        fields.push(Field::Url, self.target);
        fields.push(Field::Status, self.status);
        fields.push_duration(Unit::Millis, self.duration_ms);
        fields.push(Field::Bytes, self.bytes);
    }
}

/// Read `frontend backend/server a/b/c/d/e status bytes … "request"`. Neither a request nor a captured header has a bare
/// quote: HAProxy writes `#22`.
#[inline]
fn entry(rest: &[u8]) -> Option<Entry<'_>> {
    let (_frontend, rest) = next_word(rest)?;
    let (_server, rest) = next_word(rest)?;
    let (timers, rest) = next_word(rest)?;
    let (status, rest) = next_word(rest)?;
    let (bytes, rest) = next_word(rest)?;
    if !are_timers(timers, 5) || !is_count(status) || !is_count(bytes) {
        return None;
    }
    let request = &rest[memchr(b'"', rest)? + 1..];
    let end = memchr(b'"', request);
    let (method, target) = split_request(&request[..end.unwrap_or(request.len())]);
    Some(Entry {
        duration_ms: unsigned(&timers[memchr::memrchr(b'/', timers)? + 1..]),
        status,
        bytes: unsigned(bytes),
        method,
        // HAProxy cuts long lines; half a path is no operation.
        target: if end.is_some() { target } else { b"" },
    })
}

/// Whether this is a TCP connection's line, or tells of one that failed: `frontend/1: SSL handshake failure`.
fn is_connection(rest: &[u8]) -> bool {
    let (frontend, rest) = word(rest);
    let server_and_timers = next_word(rest.get(1..).unwrap_or_default()).map(|(_, rest)| word(rest).0);
    frontend.ends_with(b":") || server_and_timers.is_some_and(|timers| are_timers(timers, 3))
}

/// What HAProxy tells of itself: how it begins and what it has in it.
#[cold]
fn is_notice(line: &[u8]) -> bool {
    const NOTICES: [(&[u8], &[u8]); 7] = [
        (b"Server ", b" is "),
        (b"Backup Server ", b" is "),
        (b"Proxy ", b" started."),
        (b"Proxy ", b" stopped ("),
        (b"backend ", b" has no server available!"),
        (b"Health check for ", b", reason: "),
        (b"Connect from ", b" to "),
    ];
    let message = memchr::memmem::find(line, b"haproxy[").and_then(|tag| Some(tag + memchr(b' ', &line[tag..])? + 1));
    let text = &line[message.unwrap_or(0)..];
    let is_notice = |start, has| text.starts_with(start) && memchr::memmem::find(text, has).is_some();
    NOTICES.iter().any(|(start, has)| is_notice(start, has))
}

/// `0/0/1/48/49`: -1 where a phase was not reached, `+` before a total that went on.
fn are_timers(word: &[u8], count: usize) -> bool {
    let mut timers = word.split(|byte| *byte == b'/');
    timers.try_fold(0, |before, timer| is_count(timer).then_some(before + 1)) == Some(count)
}

fn is_count(word: &[u8]) -> bool {
    let digits = word.strip_prefix(b"-").unwrap_or_else(|| unsigned(word));
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn unsigned(count: &[u8]) -> &[u8] {
    count.strip_prefix(b"+").unwrap_or(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::row;
    use super::*;
    use crate::collect::Family;

    /// lnav's test logs.
    const LINE: &str = r#"Feb 26 00:29:44 192.168.8.2 haproxy[7]: 178.203.144.192:50210 [26/Feb/2019:00:29:44.326] prod_http_in~ prod_http_out/nginx1 0/0/1/48/49 200 3313 - - ---- 3/2/0/0/0 0/0 {Mozilla/5.0 (X11; Linux)|} {} "POST /schulportal/?Script=934 HTTP/1.1""#;

    #[test]
    fn the_http_log_is_read() {
        for (line, expected) in [
            (LINE, "2019-02-26T00:29 stem (none) (none) POST /schulportal/ 200 49ms 3313B 1u"),
            // HAProxy's configuration manual, 8.2.3
            (
                r#"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1""#,
                "2009-02-06T12:14 stem (none) (none) GET /index.html 200 109ms 2750B 1u",
            ),
            // The same, 8.2.4: httpslog
            (
                r#"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] https-in~ static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET https://api.example.com/jobs/42 HTTP/2.0" 0/0/0/0/0 api.example.com/TLSv1.3/TLS_AES_256_GCM_SHA384"#,
                "2009-02-06T12:14 stem (none) api.example.com GET /jobs/{id} 200 109ms 2750B 1u",
            ),
            // The same, 8.5: a client that left, a session that went on (`option logasap`), no server
            (
                r#"haproxy[18989]: 10.0.0.1:34552 [15/Oct/2003:15:26:31.462] px-http px-http/srv1 3183/-1/-1/-1/11215 -1 0 - - SC-- 205/202/202/115/3 0/0 "HEAD / HTTP/1.0""#,
                "2003-10-15T15:26 stem (none) (none) HEAD / - 11215ms 0B 1u",
            ),
            (
                r#"[::ffff:10.0.0.1]:34550 [15/Oct/2003:15:24:28.284] px-http px-http/srv1 9/0/7/14/+30 200 +243 - - ---- 3/3/3/3/1 0/0 "GET /image.iso HTTP/1.0""#,
                "2003-10-15T15:24 stem (none) (none) GET /image.iso 200 30ms 243B 1u",
            ),
            (
                r#"haproxy[674]: 127.0.0.1:33320 [15/Oct/2003:08:32:17.654] px-http px-http/<NOSRV> 5/-1/-1/-1/5 503 212 - - SC-- 205/202/202/115/3 0/0 "HEAD / HTTP/1.0""#,
                "2003-10-15T08:32 stem (none) (none) HEAD / 503 5ms 212B 1u",
            ),
            // Cut at its log's length
            (
                r#"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /index"#,
                "2009-02-06T12:14 stem (none) (none) GET (none) 200 109ms 2750B 1u",
            ),
        ] {
            assert_eq!(row(Family::Haproxy, line), expected, "{line}");
        }
    }

    /// HAProxy's configuration manual, 8.1, 8.2.1, 8.2.2, 8.2.5 and 8.5.
    #[test]
    fn what_is_no_request_is_skipped() {
        for line in [
            r#"haproxy[18113]: 127.0.0.1:34548 [15/Oct/2003:15:18:55.798] px-http px-http/<NOSRV> -1/-1/-1/-1/50001 408 0 - - cR-- 2/2/2/0/+2 0/0 "<BADREQ>""#,
            "haproxy[14387]: 10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0",
            "haproxy[6103]: 127.0.0.1:56059 [03/Dec/2012:17:35:10.380] frt/f1: Connection error during SSL handshake",
            "haproxy[14385]: Connect from 10.0.1.2:33312 to 10.0.3.31:8012 (www/HTTP)",
            "haproxy[7]: Server bck/srv1 is DOWN, reason: Layer4 timeout, check duration: 2001ms.",
            "Proxy http-in started.",
            r#"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] in out/s 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "CONNECT api.example.com:443 HTTP/1.1""#,
        ] {
            assert_eq!(row(Family::Haproxy, line), "skipped", "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_of_the_family() {
        for line in [
            r#"::1 - - [27/Nov/2024:06:21:42 +0000] "GET /combined HTTP/1.1" 200 2 "-" "curl/8.7.1""#,
            r#"10.0.1.2:33317 [06/Feb/2009:12:14:14.655] in out/s 10/0/30/69 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1""#,
            r#"[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - 0 135 3 1 "-" "-" "-" "h" "-""#,
            "Server started on port 8080",
            "[",
        ] {
            assert_eq!(row(Family::Haproxy, line), "malformed", "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..LINE.len(), byte in any::<u8>()) {
            read(&bytes, &mut Fields::new());
            let mut line = LINE.as_bytes().to_vec();
            line[at] = byte;
            read(&line, &mut Fields::new());
        }
    }

    #[test]
    fn the_beginning_of_a_line_is_no_other_request() {
        super::super::tests::beginnings_agree(read, LINE);
    }
}

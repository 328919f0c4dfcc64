//! Lines of a proxy's access log that another program has logged, behind a prefix of its own or as its message: each of
//! the first words is tried as the one that such a line begins with.
//! This file never reads what the proxy's own family would not read.

use crate::collect::decode::fields::{Fields, Verdict};
use crate::collect::decode::{alb, haproxy, squid};

/// A prefix of a time, a level, a host, a program and a logger has fewer.
const WORDS_MAX: usize = 12;

/// Push what the access log line in `text` says; whether there is one that reports a request.
pub fn push<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> bool {
    let words = memchr::memchr_iter(b' ', text).map(|space| space + 1);
    let mut lines = std::iter::once(0).chain(words).take(WORDS_MAX).map(|start| &text[start..]);
    let is_anchored = lines.any(|line| match line.first() {
        Some(b'0'..=b'9') => says(squid::read, line, fields) || says(alb::read, line, fields),
        // http, https, h2, ws, wss, grpcs.
        Some(b'h' | b'w' | b'g') => says(alb::read, line, fields),
        Some(_) | None => false,
    });
    is_anchored || says(haproxy::read, text, fields)
}

type Read = for<'a> fn(&'a [u8], &mut Fields<'a>) -> Verdict;

fn says<'a>(read: Read, line: &'a [u8], fields: &mut Fields<'a>) -> bool {
    let before = fields.labels().count();
    read(line, fields) == Verdict::Read && fields.labels().count() > before
}

#[cfg(test)]
mod tests {
    use crate::collect::Family;
    use crate::collect::decode::tests::row;

    // The documentation of Squid, AWS and HAProxy has these lines.
    const SQUID: &str =
        "979992041.366 502 192.168.1.160 TCP_IMS_HIT/304 216 GET http://example.com/home2.html - NONE/- text/html";
    const ALB: &str = r#"http 2018-07-02T22:23:00.186641Z app/lb/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://api.example.com:80/ HTTP/1.1" "curl/7.46.0" - -"#;
    const HAPROXY: &str = r#"178.203.144.192:50210 [26/Feb/2019:00:29:44.326] in~ out/nginx1 0/0/1/48/49 200 3313 - - ---- 3/2/0/0/0 0/0 {} {} "POST /a?b=1 HTTP/1.1""#;

    #[test]
    fn a_proxys_line_behind_a_prefix_is_read_with_its_own_time() {
        for (line, expected) in [
            (SQUID, "2001-01-20T12:00 stem (none) example.com GET /home2.html 304 502ms 216B 1u"),
            (ALB, "2018-07-02T22:23 stem (none) api.example.com GET / 200 1ms 366B 1u"),
            (HAPROXY, "2019-02-26T00:29 stem (none) (none) POST /a 200 49ms 3313B 1u"),
        ] {
            assert_eq!(row(Family::Text, line), expected);
            assert_eq!(row(Family::Text, &format!("2026-11-22 10:00:00,123 INFO access: {line}")), expected);
        }
    }

    #[test]
    fn a_proxys_line_in_a_message_is_read_at_the_messages_time() {
        for (line, expected) in [
            (SQUID, "example.com GET /home2.html 304"),
            (ALB, "api.example.com GET / 200"),
            (HAPROXY, "(none) POST /a 200"),
        ] {
            let line = serde_json::json!({"time": "2026-11-22T10:00:00Z", "message": line}).to_string();
            assert_eq!(row(Family::Json, &line), format!("2026-11-22T10:00 stem (none) {expected} - 0B 1u"));
        }
    }

    #[test]
    fn other_lines_say_nothing() {
        for line in
            ["2026-11-22 10:00:00 INFO up", "http is fine", "979992041.366 502 192.168.1.160", "1 2 3 4 5 6 7 8 9"]
        {
            assert_eq!(row(Family::Text, line), "skipped", "{line}");
        }
    }
}

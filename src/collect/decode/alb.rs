//! Access logs of AWS load balancers: application load balancers, and the classic ones, whose lines lack a type.
//! This file never takes what the target answered for what the client got.

use memchr::memchr;

use super::field::Field;
use super::fields::{Fields, Verdict};
use super::words::{are_digits, next_word, quoted_end, split_request};

/// Read a line: `type time balancer client target request_s target_s response_s status target_status received sent
/// "request" …`.
pub fn read<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
    let Some(entry) = parse(line) else { return Verdict::Malformed };
    let (method, url) = split_request(entry.request);
    // A connection that said nothing (`- http://host:80- -`), or TCP (`- - - `).
    if method == b"-" || method.is_empty() {
        return Verdict::Read;
    }
    fields.push(Field::Time, entry.stamp);
    fields.push(Field::Method, method);
    fields.push(Field::Url, url);
    fields.push(Field::Status, entry.status);
    fields.push(Field::Bytes, entry.sent);
    if let Some(micros) = entry.duration_us {
        // Exact below 2^53 µs, which is 285 years.
        fields.push_duration_ms(micros as f64 / 1e3);
    }
    Verdict::Read
}

struct Entry<'a> {
    stamp: &'a [u8],
    /// Of receiving, waiting and sending, what there was.
    duration_us: Option<u64>,
    status: &'a [u8],
    sent: &'a [u8],
    request: &'a [u8],
}

#[inline]
fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let (stamp, rest) = next_word(without_type(line))?;
    if !is_stamp(stamp) {
        return None;
    }
    let (_balancer, rest) = next_word(rest)?;
    let (_client, rest) = next_word(rest)?;
    let (_target, rest) = next_word(rest)?;
    let (duration_us, rest) = durations(rest)?;
    let (status, rest) = next_word(rest)?;
    let (target_status, rest) = next_word(rest)?;
    let (received, rest) = next_word(rest)?;
    let (sent, rest) = next_word(rest)?;
    let rest = rest.strip_prefix(b"\"")?;
    let fits = is_status(status) && is_status(target_status) && are_digits(received) && are_digits(sent);
    let request = &rest[..quoted_end(rest)?];
    fits.then_some(Entry { stamp, duration_us, status, sent, request })
}

/// Classic load balancers write none.
fn without_type(line: &[u8]) -> &[u8] {
    const TYPES: [&[u8]; 6] = [b"https ", b"http ", b"h2 ", b"grpcs ", b"wss ", b"ws "];
    if line.first().is_some_and(u8::is_ascii_digit) {
        return line;
    }
    TYPES.iter().find_map(|kind| line.strip_prefix(*kind)).unwrap_or(b"")
}

/// `2018-07-02T22:23:00.186641Z`, and nothing shorter.
fn is_stamp(word: &[u8]) -> bool {
    word.len() == b"2018-07-02T22:23:00.186641Z".len() && word[4] == b'-' && word[10] == b'T' && word.ends_with(b"Z")
}

/// The three durations, summed up; -1 where a phase was not reached.
#[inline]
fn durations(rest: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let (mut total_us, mut rest) = (None, rest);
    for _ in 0..3 {
        let (seconds, after) = next_word(rest)?;
        rest = after;
        if seconds != b"-1" {
            total_us = Some(micros(seconds)?.saturating_add(total_us.unwrap_or(0)));
        }
    }
    Some((total_us, rest))
}

/// Seconds with a fraction as microseconds; `None` where this is no such number.
#[inline]
fn micros(seconds: &[u8]) -> Option<u64> {
    let dot = memchr(b'.', seconds)?;
    let (whole, fraction) = (&seconds[..dot], &seconds[dot + 1..]);
    // More digits would be no duration but an overflow.
    let fits = are_digits(whole) && are_digits(fraction) && whole.len() <= 9 && fraction.len() <= 6;
    let number = |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    let scale = 10u64.pow(u32::try_from(6usize.checked_sub(fraction.len())?).ok()?);
    fits.then(|| number(whole) * 1_000_000 + number(fraction) * scale)
}

fn is_status(word: &[u8]) -> bool {
    word == b"-" || word.len() == 3 && are_digits(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{beginnings_agree, row};
    use super::*;
    use crate::collect::Family;

    /// AWS, Access logs for your Application Load Balancer, example entries.
    const LINE: &str = r#"http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-58337262-36d228ad5d99923122bbe354" "-" "-" 0 2018-07-02T22:22:48.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#;

    #[test]
    fn the_logs_are_read() {
        for (line, expected) in [
            (LINE, "2018-07-02T22:23 stem (none) www.example.com GET / 200 1ms 366B 1u"),
            // The same: TLS, HTTP/2, WebSockets, a failed Lambda target
            (
                r#"https 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/users/42?token=s3cr3t HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2"#,
                "2018-07-02T22:23 stem (none) www.example.com GET /users/{id} 200 171ms 57B 1u",
            ),
            (
                r#"h2 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 10.0.1.252:48160 10.0.0.66:9000 0.000 0.002 0.000 200 200 5 257 "GET https://10.0.2.105:773/ HTTP/2.0" "curl/7.46.0""#,
                "2018-07-02T22:23 stem (none) 10.0.2.105:773 GET / 200 2ms 257B 1u",
            ),
            (
                r#"wss 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 10.0.0.140:44244 10.0.0.171:8010 0.000 0.001 0.000 101 101 218 786 "GET https://10.0.0.30:443/ HTTP/1.1" "-""#,
                "2018-07-02T22:23 stem (none) 10.0.0.30 GET / 101 1ms 786B 1u",
            ),
            (
                r#"http 2018-11-30T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 - 0.000 -1 -1 502 - 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0""#,
                "2018-11-30T22:23 stem (none) www.example.com GET / 502 0ms 366B 1u",
            ),
            (
                r#"http 2018-11-30T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 - -1 -1 -1 503 - 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0""#,
                "2018-11-30T22:23 stem (none) www.example.com GET / 503 - 366B 1u",
            ),
            // AWS, Access logs for your Classic Load Balancer
            (
                r#"2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -"#,
                "2015-05-13T23:39 stem (none) www.example.com GET / 200 1.178ms 29B 1u",
            ),
        ] {
            assert_eq!(row(Family::Alb, line), expected, "{line}");
        }
    }

    #[test]
    fn connections_without_a_request_are_skipped() {
        for line in [
            r#"http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 - -1 -1 -1 400 - 0 272 "- http://www.example.com:80- -" "-" - - -"#,
            r#"2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.001069 0.000028 0.000041 - - 82 305 "- - - " "-" - -"#,
        ] {
            assert_eq!(row(Family::Alb, line), "skipped", "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_of_the_family() {
        for line in [
            "http",
            "2015-05-13T23:39:43.945958Z GET /a 200",
            r#"tcp 2015-05-13T23:39:43.945958Z b c:1 d:2 0.1 0.1 0.1 200 200 0 29 "GET http://h/ HTTP/1.1" "x""#,
            r#"http 2015-05-13T23:39:43.945958Z b c:1 d:2 0.1 0.1 12345 200 200 0 29 "GET http://h/ HTTP/1.1" "x""#,
            r#"http 2015-05-13T23:39:43.945958Z b c:1 d:2 0.1 0.1 0.1 2000 200 0 29 "GET http://h/ HTTP/1.1" "x""#,
            r#"http 2015-05-13T23:39:43.945958Z b c:1 d:2 0.1 0.1 0.1 200 200 0 29 "GET http://h/"#,
        ] {
            assert_eq!(row(Family::Alb, line), "malformed", "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..200usize, byte in any::<u8>()) {
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

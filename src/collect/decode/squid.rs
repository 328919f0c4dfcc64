//! Squid's native access log.
//! This file never counts what a client sent that was no request: Squid writes an `error:…` in the url's place.

use super::field::{Field, Unit};
use super::fields::{Fields, Verdict};
use super::scan::place_of;
use super::words::{are_digits, next_word, word};

/// Read a line: `time elapsed client code/status bytes method url user hierarchy/peer type`.
pub fn read<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
    let Some(entry) = parse(line) else { return Verdict::Malformed };
    if is_noise(&entry) {
        return Verdict::Read;
    }
    fields.push(Field::Time, entry.stamp);
    fields.push(Field::Method, entry.method);
    fields.push(Field::Url, entry.url);
    fields.push(Field::Status, entry.status);
    fields.push_duration(Unit::Millis, entry.elapsed_ms);
    fields.push(Field::Bytes, entry.bytes);
    Verdict::Read
}

struct Entry<'a> {
    stamp: &'a [u8],
    elapsed_ms: &'a [u8],
    /// `TCP_MISS`, `NONE_NONE`: what Squid did.
    code: &'a [u8],
    /// 000 where a client left before it had one.
    status: &'a [u8],
    bytes: &'a [u8],
    method: &'a [u8],
    url: &'a [u8],
}

#[inline]
fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let (stamp, rest) = next_word(line)?;
    // Short times are padded.
    let (elapsed_ms, rest) = next_word(rest.trim_ascii_start())?;
    let (_client, rest) = next_word(rest)?;
    let (result, rest) = next_word(rest)?;
    let (bytes, rest) = next_word(rest)?;
    let (method, rest) = next_word(rest)?;
    let (url, rest) = next_word(rest)?;
    let (_user, rest) = next_word(rest)?;
    let (code, status) = result.split_at_checked(result.len().checked_sub(4)?)?;
    let status = status.strip_prefix(b"/")?;
    let fits = is_stamp(stamp)
        && are_digits(elapsed_ms.strip_prefix(b"-").unwrap_or(elapsed_ms))
        && are_digits(bytes)
        && are_digits(status)
        && is_code(code)
        && place_of(word(rest).0, 0, [b'/']).is_some();
    fits.then_some(Entry { stamp, elapsed_ms, code, status, bytes, method, url })
}

/// No request: TLS that nobody decrypts, a connection closed before it said anything.
#[inline]
fn is_noise(entry: &Entry<'_>) -> bool {
    let nothing = entry.status == b"000" && matches!(entry.code, b"NONE" | b"NONE_NONE" | b"TAG_NONE");
    nothing || entry.url.starts_with(b"error:")
}

/// `979992041.366`: Squid writes three decimals.
fn is_stamp(word: &[u8]) -> bool {
    let [whole @ .., b'.', a, b, c] = word else { return false };
    matches!(whole.len(), 9 | 10) && are_digits(whole) && are_digits(&[*a, *b, *c])
}

fn is_code(code: &[u8]) -> bool {
    !code.is_empty() && code.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{beginnings_agree, row};
    use super::*;
    use crate::collect::Family;

    /// Squid's wiki, SquidFaq/SquidLogs.
    const LINE: &str =
        "979992041.366 502 192.168.1.160 TCP_IMS_HIT/304 216 GET http://example.com/home2.html - NONE/- text/html";

    #[test]
    fn the_native_log_is_read() {
        for (line, expected) in [
            (LINE, "2001-01-20T12:00 stem (none) example.com GET /home2.html 304 502ms 216B 1u"),
            // The same
            (
                "1286536308.779    180 192.168.0.224 TCP_MISS/200 411 POST http://api.example.com/jobs/42?key=s3cr3t - DIRECT/72.30.2.43 text/html",
                "2010-10-08T11:11 stem (none) api.example.com POST /jobs/{id} 200 180ms 411B 1u",
            ),
            // Squid 5, behind ssl_bump
            (
                "1286536308.779    180 192.168.0.224 TCP_MISS/429 411 POST https://api.example.com/graphql alice HIER_DIRECT/72.30.2.43 application/json",
                "2010-10-08T11:11 stem (none) api.example.com POST /graphql 429 180ms 411B 1u",
            ),
            (
                "1286536308.779  60000 192.168.0.224 TCP_MISS_ABORTED/000 0 GET http://api.example.com/a - HIER_DIRECT/72.30.2.43 -",
                "2010-10-08T11:11 stem (none) api.example.com GET /a - 60000ms 0B 1u",
            ),
        ] {
            assert_eq!(row(Family::Squid, line), expected, "{line}");
        }
    }

    #[test]
    fn tunnels_and_connections_that_said_nothing_are_skipped() {
        for line in [
            // Squid's mailing list: HTTPS egress
            "1510956761.029 181845 192.168.1.103 TCP_TUNNEL/200 16464 CONNECT etherpad.example.com:443 - ORIGINAL_DST/195.154.57.241 -",
            "1510956761.029      0 192.168.1.103 NONE_NONE/200 0 CONNECT api.example.com:443 - HIER_NONE/- -",
            "1510956761.029      0 192.168.1.103 TCP_DENIED/407 4063 CONNECT api.example.com:443 - HIER_NONE/- text/html",
            "1510956761.029      0 192.168.1.103 NONE/000 0 NONE error:transaction-end-before-headers - HIER_NONE/- -",
            "1510956761.029      0 192.168.1.103 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -",
            "1510956761.029      0 192.168.1.103 NONE_NONE/400 3811 NONE error:invalid-request - HIER_NONE/- text/html",
        ] {
            assert_eq!(row(Family::Squid, line), "skipped", "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_of_the_family() {
        for line in [
            "979992041.366 502 192.168.1.160 TCP_IMS_HIT/304 216 GET http://example.com/home2.html",
            "979992041.366 502 192.168.1.160 tcp_hit/304 216 GET http://example.com/ - NONE/- text/html",
            "979992041 502 192.168.1.160 TCP_HIT/304 216 GET http://example.com/ - NONE/- text/html",
            "979992041.366 502 192.168.1.160 /304 216 GET http://example.com/ - NONE/- text/html",
            "979992041.366 - 192.168.1.160 TCP_HIT/304 216 GET http://example.com/ - NONE/- text/html",
            "1795384401.263 GET /a 200",
        ] {
            assert_eq!(row(Family::Squid, line), "malformed", "{line}");
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

//! Lines of Kubernetes' containers: `2016-10-06T00:17:09.669794202Z stdout F text`. The tag is `P` where the line goes on in
//! the stream's next, else `F`; more tags may follow it (`F:x`).
//! This file never copies a byte.

use super::{Inner, Piece, Stream};

/// `2016-10-06T00:17:09.669794202+00:00`.
const STAMP_BYTES_MAX: usize = 35;

#[inline]
pub fn open(line: &[u8]) -> Option<Inner<'_>> {
    let head = &line[..line.len().min(STAMP_BYTES_MAX + 1)];
    let (stamp, rest) = line.split_at(memchr::memchr(b' ', head)?);
    if !is_stamp(stamp) {
        return None;
    }
    let (stream, rest) = rest[1..].split_at_checked("stdout".len())?;
    let rest = rest.strip_prefix(b" ")?;
    // A line without any text may end behind the tags.
    let tags = rest.iter().position(|byte| matches!(byte, b' ' | b'\n' | b'\r')).unwrap_or(rest.len());
    let goes_on = match &rest[..tags] {
        b"P" | [b'P', b':', ..] => true,
        b"F" | [b'F', b':', ..] => false,
        _ => return None,
    };
    let text = &rest[tags..];
    let piece = Some(Piece { stream: Stream::named(stream)?, goes_on });
    Some(Inner { line: text.strip_prefix(b" ").unwrap_or(text), stamp, service: b"", piece })
}

/// RFC 3339, with a zone.
fn is_stamp(stamp: &[u8]) -> bool {
    let [a, b, c, d, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _, .., last] = stamp else {
        return false;
    };
    [a, b, c, d, last].into_iter().all(|byte| byte.is_ascii_digit() || *byte == b'Z') && *a != b'Z'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(line: &str) -> String {
        let Some(inner) = open(line.as_bytes()) else { return "-".to_owned() };
        let piece = inner.piece.expect("each has one");
        let text = |bytes| std::str::from_utf8(bytes).expect("text");
        format!("{:?} {} {} {:?}", piece.stream, piece.goes_on, text(inner.stamp), text(inner.line))
    }

    #[test]
    fn a_line_is_opened_with_its_stream_and_whether_it_goes_on() {
        for (line, expected) in [
            // Kubernetes, pkg/kubelet/kuberuntime/logs: what the CRI demands.
            (
                "2016-10-06T00:17:09.669794202Z stdout F {\"a\":1}\n",
                "Out false 2016-10-06T00:17:09.669794202Z \"{\\\"a\\\":1}\\n\"",
            ),
            ("2016-10-06T00:17:09.669794202Z stderr P a b \n", "Err true 2016-10-06T00:17:09.669794202Z \"a b \\n\""),
            ("2016-10-06T00:17:09.6Z stdout P:x:y  a", "Out true 2016-10-06T00:17:09.6Z \" a\""),
            ("2016-10-06T00:17:09+02:00 stdout F:x \r\n", "Out false 2016-10-06T00:17:09+02:00 \"\\r\\n\""),
            ("2016-10-06T00:17:09Z stdout F\n", "Out false 2016-10-06T00:17:09Z \"\\n\""),
            ("2016-10-06T00:17:09Z stdout F", "Out false 2016-10-06T00:17:09Z \"\""),
        ] {
            assert_eq!(opened(line), expected, "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_opened() {
        for line in [
            "",
            "\n",
            "2016-10-06T00:17:09Z",
            "2016-10-06T00:17:09Z stdout",
            "2016-10-06T00:17:09Z stdout G text",
            "2016-10-06T00:17:09Z stdout Full text",
            "2016-10-06T00:17:09Z stdlog F text",
            "2016-10-06T00:17:09Z  stdout F text",
            "2016-10-06 00:17:09Z stdout F text",
            "{\"log\":\"2016-10-06T00:17:09Z stdout F text\"}",
        ] {
            assert_eq!(opened(line), "-", "{line}");
        }
    }
}

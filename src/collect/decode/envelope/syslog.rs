//! Lines of syslog: RFC 5424, RFC 3164 with or without its priority, and what rsyslog makes of them in files, with an RFC 3339
//! stamp in place of the old one.
//! This file never copies a byte.

use super::Inner;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// RFC 3164 has 32, longer ones are met.
const TAG_BYTES_MAX: usize = 64;

#[inline]
pub fn open(line: &[u8]) -> Option<Inner<'_>> {
    match behind_priority(line) {
        Some([b'1', b' ', rest @ ..]) => new(rest),
        Some(rest) => old(rest),
        None => old(line),
    }
}

/// A priority or a stamp without a year is like nothing else; behind an RFC 3339 stamp many formats have words and colons, so
/// there the process has to be named with its number.
pub fn is_likely(line: &[u8]) -> bool {
    let Some(inner) = open(line) else { return false };
    if behind_priority(line).is_some() {
        return true;
    }
    let header = &line[..line.len() - inner.line.len()];
    let is_numbered = header.trim_ascii_end().ends_with(b"]:");
    !inner.service.is_empty() && (is_numbered || !line[0].is_ascii_digit())
}

/// What follows `<34>`.
fn behind_priority(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"<")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) {
        return None;
    }
    rest[digits..].strip_prefix(b">")
}

/// RFC 5424 behind its version: `2003-10-11T22:14:15.003Z host app procid msgid [sd] msg`; what is not known is `-`.
fn new(rest: &[u8]) -> Option<Inner<'_>> {
    let (stamp, rest) = word(rest)?;
    let (_host, rest) = word(rest)?;
    let (service, rest) = word(rest)?;
    let (_process, rest) = word(rest)?;
    let (_message_id, rest) = word(rest)?;
    let rest = behind_data(rest)?;
    let text = rest.strip_prefix(b" ").unwrap_or(rest);
    Some(Inner {
        line: text.strip_prefix(BOM).unwrap_or(text),
        stamp: said(stamp),
        service: said(service),
        piece: None,
    })
}

fn said(word: &[u8]) -> &[u8] {
    if word == b"-" { b"" } else { word }
}

/// A word that a space ends, and what follows.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| matches!(byte, b' ' | b'\n'))?;
    let (word, rest) = text.split_at(end);
    (end > 0).then_some((word, rest.strip_prefix(b" ")?))
}

/// What follows structured data: `-`, or any number of `[id name="value" …]`, in whose values quotes, brackets and
/// backslashes are escaped.
fn behind_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return ends_data(rest).then_some(rest);
    }
    let mut rest = text.strip_prefix(b"[")?;
    loop {
        rest = behind_element(rest)?;
        match rest.strip_prefix(b"[") {
            Some(element) => rest = element,
            None => return ends_data(rest).then_some(rest),
        }
    }
}

fn ends_data(rest: &[u8]) -> bool {
    matches!(rest, [] | [b' ' | b'\r' | b'\n', ..])
}

fn behind_element(text: &[u8]) -> Option<&[u8]> {
    let (mut at, mut is_quoted) = (0, false);
    loop {
        match *text.get(at)? {
            b'\\' if is_quoted => at += 1,
            b'"' => is_quoted = !is_quoted,
            b']' if !is_quoted => return text.get(at + 1..),
            b'\n' => return None,
            _ => {}
        }
        at += 1;
    }
}

/// RFC 3164 behind its priority: `Oct 11 22:14:15 host app[123]: msg`. The kernel's and the local socket's lines have no host.
fn old(line: &[u8]) -> Option<Inner<'_>> {
    let (stamp, rest) = stamped(line)?;
    let (first, behind) = word(rest)?;
    let (service, text) = match tagged(rest) {
        Some(tagged) if first.ends_with(b":") => tagged,
        // A message without a tag is a message still.
        _ => tagged(behind).unwrap_or((b"", behind)),
    };
    Some(Inner { line: text, stamp, service, piece: None })
}

/// The stamp, and what follows it and a space.
fn stamped(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if line.first()?.is_ascii_digit() {
        let (stamp, rest) = word(line)?;
        let is_stamp = matches!(stamp, [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, ..]);
        return is_stamp.then_some((stamp, rest));
    }
    // `Oct  1 22:14:15`; some write fractions.
    let [a, b, c, b' ', _, _, b' ', _, _, b':', _, _, b':', _, _, ..] = line else { return None };
    let is_month = [a, b, c].into_iter().all(u8::is_ascii_alphabetic);
    let end = 15 + line[15..].iter().position(|byte| *byte == b' ')?;
    let is_stamp = is_month && (line[15] == b' ' || line[15] == b'.');
    is_stamp.then(|| (&line[..end], &line[end + 1..]))
}

/// `app[123]: msg`, `app: msg`: the name without its process, and the message.
fn tagged(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./@+%()".contains(byte);
    let end = text.iter().take(TAG_BYTES_MAX + 1).position(|byte| !is_name(byte)).filter(|end| *end > 0)?;
    let (name, rest) = text.split_at(end);
    let (rest, is_numbered) = match rest.strip_prefix(b"[") {
        Some(process) => (&process[process.iter().take(TAG_BYTES_MAX).position(|byte| *byte == b']')? + 1..], true),
        None => (rest, false),
    };
    let text = rest.strip_prefix(b":")?;
    // A message that begins with a url has a colon, too.
    let is_tag = is_numbered || matches!(text, [] | [b' ' | b'\r' | b'\n', ..]);
    is_tag.then(|| (name, text.strip_prefix(b" ").unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(line: &str) -> String {
        let Some(inner) = open(line.as_bytes()) else { return "-".to_owned() };
        let text = |bytes| std::str::from_utf8(bytes).expect("text");
        format!("{} {} {:?}", text(inner.stamp), text(inner.service), text(inner.line))
    }

    #[test]
    fn lines_of_both_standards_are_opened() {
        for (line, expected, is_likely) in [
            // RFC 3164, section 5.4.
            (
                "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8\n",
                "Oct 11 22:14:15 su \"'su root' failed for lonvick on /dev/pts/8\\n\"",
                true,
            ),
            // HAProxy in rsyslog's file, from lnav's tests.
            (
                "Feb 26 00:29:44 192.168.8.2 haproxy[7]: 178.203.144.192:50210",
                "Feb 26 00:29:44 haproxy \"178.203.144.192:50210\"",
                true,
            ),
            ("Oct  1 22:14:15 host app[1]: {\"a\":1}\n", "Oct  1 22:14:15 app \"{\\\"a\\\":1}\\n\"", true),
            ("Oct  1 22:14:15.123 host app[1]:x", "Oct  1 22:14:15.123 app \"x\"", true),
            ("Oct  1 22:14:15 host http://a/", "Oct  1 22:14:15  \"http://a/\"", false),
            ("Oct  1 22:14:15 host {\"a\":1}", "Oct  1 22:14:15  \"{\\\"a\\\":1}\"", false),
            ("<13>Oct  1 22:14:15 app[1]: x: y", "Oct  1 22:14:15 app \"x: y\"", true),
            ("Oct  1 22:14:15 host no tag", "Oct  1 22:14:15  \"no tag\"", false),
            // rsyslog's default file format since version 8.
            (
                "2026-11-22T21:53:21.123456+01:00 host app[123]: x\n",
                "2026-11-22T21:53:21.123456+01:00 app \"x\\n\"",
                true,
            ),
            ("2026-11-22T21:53:21+0100 host app: x", "2026-11-22T21:53:21+0100 app \"x\"", false),
            ("2026-11-22T21:53:21Z INFO client: x", "2026-11-22T21:53:21Z client \"x\"", false),
            // RFC 5424, section 6.5.
            (
                "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed",
                "2003-10-11T22:14:15.003Z su \"'su root' failed\"",
                true,
            ),
            (
                "<165>1 2003-10-11T22:14:15.003Z host evntslog 8710 ID47 [a@1 iut=\"3\" x=\"a\\\"]b\"][b@2 c=\"d\"] An event\n",
                "2003-10-11T22:14:15.003Z evntslog \"An event\\n\"",
                true,
            ),
            ("<165>1 - - - - - -", "  \"\"", true),
            ("<165>1 - - - - - [a]\n", "  \"\\n\"", true),
        ] {
            assert_eq!(opened(line), expected, "{line}");
            assert_eq!(super::is_likely(line.as_bytes()), is_likely, "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_opened() {
        for line in [
            "",
            "\n",
            "<34>",
            "<34>text",
            "<1234>Oct 11 22:14:15 host su: x",
            "<34>1 2003-10-11T22:14:15.003Z host app",
            "<34>1 2003-10-11T22:14:15.003Z host app - - [a",
            "<34>1 2003-10-11T22:14:15.003Z host app - - [a x=\"]",
            "<34>1 2003-10-11T22:14:15.003Z host app - - x",
            "Oct 11 22:14:15",
            "Oct 11 22:14:15\n",
            "2026-11-22 21:53:21 host app: x",
            "127.0.0.1 - - [22/Nov/2026:21:53:21 +0000] \"GET / HTTP/1.1\" 200 1",
            "{\"a\":1}",
        ] {
            assert_eq!(opened(line), "-", "{line}");
        }
    }
}

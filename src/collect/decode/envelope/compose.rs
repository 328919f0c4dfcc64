//! Lines of docker compose: `name-1  | text`, with or without colours, and with `logs -t` a stamp in front of the text.
//! This file never copies a byte.

use super::Inner;

const ESCAPE: u8 = 0x1b;

#[inline]
pub fn open(line: &[u8]) -> Option<Inner<'_>> {
    let (name, rest) = named(line)?;
    let rest = uncoloured(rest);
    let text = uncoloured(rest.strip_prefix(b" ").unwrap_or(rest));
    let (stamp, line) = stamped(text).unwrap_or((b"", text));
    Some(Inner { line, stamp, service: name, piece: None })
}

/// Tables and prose have bars, too: a name is padded with spaces, and text follows the bar after one more.
pub fn is_likely(line: &[u8]) -> bool {
    named(line).is_some_and(|(_, rest)| matches!(uncoloured(rest), [] | [b' ' | b'\r' | b'\n', ..]))
}

/// The container's name, and what follows the bar.
fn named(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = uncoloured(line);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let len = line.iter().take_while(|byte| is_name(byte)).count();
    let (name, rest) = line.split_at(len);
    let rest = uncoloured(rest);
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let rest = uncoloured(&rest[spaces..]).strip_prefix(b"|")?;
    (len > 0 && spaces > 0).then_some((name, rest))
}

/// Without colours at the start: `ESC [ 3 6 m`, any number of them.
fn uncoloured(mut text: &[u8]) -> &[u8] {
    while let [ESCAPE, b'[', rest @ ..] = text {
        let Some(end) = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b';') else { break };
        if rest[end] != b'm' {
            break;
        }
        text = &rest[end + 1..];
    }
    text
}

/// `2026-11-22T21:53:21.123456789Z text`: the stamp and the text.
fn stamped(text: &[u8]) -> Option<(&[u8], &[u8])> {
    const FORM: &[u8] = b"0000-00-00T00:00:00.";
    let (start, rest) = text.split_at_checked(FORM.len())?;
    let is_formed = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    if !start.iter().zip(FORM).all(is_formed) {
        return None;
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let line = rest[digits..].strip_prefix(b"Z ")?;
    Some((&text[..FORM.len() + digits + 1], line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(line: &str) -> String {
        let Some(inner) = open(line.as_bytes()) else { return "-".to_owned() };
        let text = |bytes| std::str::from_utf8(bytes).expect("text");
        format!("{} {} {:?}", text(inner.service), text(inner.stamp), text(inner.line))
    }

    #[test]
    fn a_line_is_opened_with_its_container_and_stamp() {
        for (line, expected) in [
            // Caddy under docker compose, from lnav's tests.
            ("caddy  | {\"a\":1}\n", "caddy  \"{\\\"a\\\":1}\\n\""),
            ("my_app.web-1  | a | b\n", "my_app.web-1  \"a | b\\n\""),
            ("a |\n", "a  \"\\n\""),
            ("\u{1b}[36mweb-1  | \u{1b}[0mtext\n", "web-1  \"text\\n\""),
            ("\u{1b}[1;36mweb-1  |\u{1b}[0m text\n", "web-1  \"text\\n\""),
            ("web-1  | 2026-11-22T21:53:21.123Z text\n", "web-1 2026-11-22T21:53:21.123Z \"text\\n\""),
            ("web-1  | 2026-11-22T21:53:21Z text", "web-1  \"2026-11-22T21:53:21Z text\""),
        ] {
            assert_eq!(opened(line), expected, "{line}");
            assert!(is_likely(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_opened() {
        for line in
            ["", "\n", "| a", "web-1| a", "web-1", "web 1  | a", "web-1 exited with code 0", "ä | b", "\u{1b}[36"]
        {
            assert_eq!(opened(line), "-", "{line}");
        }
    }
}

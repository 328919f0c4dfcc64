//! Lines that daycap cannot read and that may hold requests all the same: skipping them would lose counts in silence.
//! This file never repeats a line.

/// What the lines look like and what to do; `None` where nothing is lost by skipping them.
pub fn foreign(lines: &[&[u8]]) -> Option<String> {
    if lines.first().is_some_and(|first| is_compressed(first)) {
        return Some("the log looks like compressed data; daycap unpacks gzip and zstd, whole files only".to_owned());
    }
    let (name, remedy) =
        LOOKS.iter().find(|(_, _, shows)| most(lines, *shows)).map(|(name, remedy, _)| (name, remedy))?;
    Some(format!(
        "the log looks like {name}: none of its first {} is of a format that daycap reads; {remedy}",
        told(lines.len())
    ))
}

fn told(lines: usize) -> String {
    if lines == 1 { "line".to_owned() } else { format!("{lines} lines") }
}

/// gzip, zstd, xz, bzip2.
fn is_compressed(first: &[u8]) -> bool {
    let magics: [&[u8]; 4] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], &[0xfd, b'7', b'z', b'X', b'Z'], b"BZh"];
    magics.iter().any(|magic| first.starts_with(magic))
}

fn most(lines: &[&[u8]], shows: fn(&str) -> bool) -> bool {
    lines.iter().filter(|line| shows(&String::from_utf8_lossy(line))).count() * 2 > lines.len()
}

type Look = (&'static str, &'static str, fn(&str) -> bool);

const BY_PATTERN: &str = "say what is where by format = \"regex\" and a pattern in its [[source]]";

/// From the most specific to the least.
const LOOKS: [Look; 3] = [
    ("binary data", "name a log of text lines", is_binary),
    ("a W3C log, as IIS writes", BY_PATTERN, is_w3c),
    ("requests in a form of their own", BY_PATTERN, is_request_like),
];

/// Control characters other than a tab, a line's end, an escape sequence or the NULs of a hole.
fn is_binary(line: &str) -> bool {
    let text = line.trim_matches('\0');
    text.chars().filter(|c| (c.is_control() && !"\t\r\u{1b}".contains(*c)) || *c == '\u{fffd}').count() * 10
        > text.len()
}

fn is_w3c(line: &str) -> bool {
    let directives = ["#Version:", "#Fields:", "#Software:", "#Date:", "#Start-Date:"];
    let is_directive = directives.iter().any(|directive| line.starts_with(directive));
    // 2026-11-22 21:53:21 10.0.0.1 GET /a - 443 - 10.0.0.2 agent - 200 0 0 15
    let words: Vec<&str> = line.split(' ').collect();
    let is_dated = words.len() >= 8 && is_digits(words[0], 10, '-') && is_digits(words[1], 8, ':');
    is_directive || (is_dated && words.iter().any(|word| is_method(word)) && words.iter().any(|word| is_status(word)))
}

fn is_digits(word: &str, length: usize, between: char) -> bool {
    word.len() == length && word.chars().all(|c| c.is_ascii_digit() || c == between)
}

/// A method, a target and a status, anywhere.
fn is_request_like(line: &str) -> bool {
    let words =
        || line.split(|c: char| c.is_whitespace() || "\"'|,;[](){}=".contains(c)).filter(|word| !word.is_empty());
    let is_target = |word: &str| (word.starts_with('/') && word.len() > 1) || word.contains("://");
    words().any(is_method) && words().any(is_target) && words().any(is_status)
}

fn is_method(word: &str) -> bool {
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"].contains(&word)
}

fn is_status(word: &str) -> bool {
    word.len() == 3
        && word.starts_with(|c: char| ('1'..='5').contains(&c))
        && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(text: &str) -> String {
        foreign(&text.lines().map(str::as_bytes).collect::<Vec<_>>()).unwrap_or_default()
    }

    #[test]
    fn what_may_hold_requests_is_named_with_a_remedy() {
        // The W3C extended format's own example directives; the request line is made up in their order.
        let w3c = "#Version: 1.0\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status\n2026-11-22 21:53:21 10.0.0.1 GET /a - 443 - 10.0.0.2 agent - 200\n";
        assert_eq!(
            looks(w3c),
            "the log looks like a W3C log, as IIS writes: none of its first 3 lines is of a format that daycap reads; \
             say what is where by format = \"regex\" and a pattern in its [[source]]"
        );
        assert!(
            looks("x|GET|/a|200|5\n")
                .starts_with("the log looks like requests in a form of their own: none of its first line ")
        );
        assert!(looks("\u{1}\u{2}\u{3}\u{4}a\n").starts_with("the log looks like binary data"));
        assert!(foreign(&[&[0x1f, 0x8b, 8, 0]]).is_some_and(|text| text.contains("compressed data")));
    }

    #[test]
    fn other_lines_are_skipped_without_loss() {
        for text in [
            "started\n",
            "2026-11-22 up\n\u{1b}[32mINFO\u{1b}[0m GET is a word\n",
            "Permission is hereby granted, free\n",
            "{\"msg\":\"up\"}\n",
        ] {
            assert_eq!(looks(text), "", "{text:?}");
        }
    }
}

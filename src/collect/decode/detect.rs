//! Which format family a log's first lines are of.
//! This file never guesses between two: where too few lines fit one, it says what they look like instead.

use super::{combined, rows::first_line};
use crate::collect::Format;

/// What a log's first lines look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detection {
    /// No line to judge by yet.
    Empty,
    Found(Format),
    /// One sentence that says what the lines look like and what daycap can read.
    Unknown(String),
}

/// A log is of a family when at least this share of its lines fits.
const FITTING_PERCENT_MIN: usize = 90;
/// What daycap reads, for sentences.
const FORMATS: &str = "JSON lines (\"json\") and the access logs of nginx and Apache (\"combined\")";

/// Judge whole lines from a log's head. Blank lines and a last line without its LF do not count.
pub fn detect(head: &[u8]) -> Detection {
    let lines: Vec<&[u8]> = whole_lines(head).filter(|line| !line.trim_ascii().is_empty()).collect();
    if lines.is_empty() {
        return Detection::Empty;
    }
    let fits = |fit: fn(&[u8]) -> bool| lines.iter().filter(|line| fit(line)).count();
    let families = [(Format::JSON, fits(is_json)), (Format::COMBINED, fits(is_combined))];
    match families.iter().find(|(_, fitting)| fitting * 100 >= lines.len() * FITTING_PERCENT_MIN) {
        Some((format, _)) => Detection::Found(*format),
        None => Detection::Unknown(unknown(&lines, families)),
    }
}

/// The lines of `head` that have their LF, without line ends.
pub fn whole_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = &head[..memchr::memrchr(b'\n', head).map_or(0, |end| end + 1)];
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, taken) = first_line(rest);
        rest = &rest[taken..];
        Some(line)
    })
}

fn is_json(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    line.trim_ascii_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(&line).is_ok()
}

fn is_combined(line: &[u8]) -> bool {
    combined::parse(line).is_some()
}

fn unknown(lines: &[&[u8]], families: [(Format, usize); 2]) -> String {
    let looks = looks_like(lines);
    let counts = families.map(|(format, fitting)| {
        let name = if format == Format::JSON { "JSON objects" } else { "combined access log lines" };
        format!("{fitting} are {name}")
    });
    let of = match lines.len() {
        1 => "of 1 line".to_owned(),
        count => format!("of the first {count} lines"),
    };
    format!("the log looks like {looks}: {of}, {}; daycap reads {FORMATS}", counts.join(" and "))
}

/// A known format that most lines show the marks of.
fn looks_like(lines: &[&[u8]]) -> &'static str {
    let first = lines.first().copied().unwrap_or_default();
    if first.starts_with(&[0x1f, 0x8b]) || first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return "compressed data";
    }
    if lines.iter().any(|line| line.contains(&0)) {
        return "binary data";
    }
    let most = |marks: fn(&str) -> bool| {
        lines.iter().filter(|line| marks(&String::from_utf8_lossy(line))).count() * 2 > lines.len()
    };
    LOOKS.iter().find(|(_, marks)| most(*marks)).map_or("plain text", |(name, _)| name)
}

type Look = (&'static str, fn(&str) -> bool);

/// From the most specific to the least.
const LOOKS: [Look; 9] = [
    ("container log lines (CRI)", |line| line.contains(" stdout F ") || line.contains(" stderr F ")),
    ("container log lines with a name in front (docker compose)", |line| {
        line.split_once(" | ").is_some_and(|(name, _)| !name.trim_end().contains(' '))
    }),
    ("an AWS load balancer's log", |line| line.contains(" app/") && line.contains(" \"Root=")),
    ("a HAProxy log", |line| line.contains("haproxy[") || (line.contains("] ") && line.contains("~ "))),
    ("a Squid log", |line| line.contains(" TCP_") && line.contains("/")),
    ("a W3C log", |line| line.starts_with('#') && line.contains(':')),
    ("syslog", |line| line.starts_with('<') && line.contains('>')),
    ("text with httpx or urllib3 messages", |line| line.contains("HTTP Request: ") || line.contains("urllib3")),
    ("logfmt", |line| line.split(' ').filter(|word| word.contains('=')).count() >= 3),
];

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "{\"time\":1}\n";
    const COMBINED: &str = "::1 - - [27/Nov/2024:06:21:42 +0000] \"GET / HTTP/1.1\" 200 2 \"-\" \"curl/8.7.1\"\n";

    #[test]
    fn nine_lines_of_ten_decide() {
        assert_eq!(detect(format!("{}oops\n", JSON.repeat(9)).as_bytes()), Detection::Found(Format::JSON));
        assert_eq!(detect(format!("{}\n\noops\n", COMBINED.repeat(9)).as_bytes()), Detection::Found(Format::COMBINED));
        assert!(matches!(detect(format!("{}oops\n", JSON.repeat(8)).as_bytes()), Detection::Unknown(_)));
        assert!(matches!(detect(format!("{JSON}{COMBINED}").as_bytes()), Detection::Unknown(_)));
    }

    #[test]
    fn without_a_whole_line_there_is_nothing_to_judge() {
        for head in ["", "\n", " \r\n\n", "{\"time\":1}", "\n{\"half\":"] {
            assert_eq!(detect(head.as_bytes()), Detection::Empty, "{head:?}");
        }
    }

    #[test]
    fn an_unknown_log_is_described() {
        let Detection::Unknown(sentence) = detect(b"a=1 b=2 c=3\na=1 b=2 c=4\n{}\n") else { panic!("not known") };
        assert_eq!(
            sentence,
            "the log looks like logfmt: of the first 3 lines, 1 are JSON objects and 0 are combined access log lines; \
             daycap reads JSON lines (\"json\") and the access logs of nginx and Apache (\"combined\")"
        );
    }
}

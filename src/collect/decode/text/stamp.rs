//! Where in the beginning of a line its time stamp stands.
//! This file never reads a stamp; it may find one that cannot be read.

/// The first stamp in `text`: one that is written out, else Unix time.
pub fn find(text: &[u8]) -> Option<&[u8]> {
    memchr::memchr_iter(b':', text).find_map(|colon| written(text, colon)).or_else(|| epoch(text))
}

/// The stamp whose hours and minutes `colon` parts.
#[inline]
fn written(text: &[u8], colon: usize) -> Option<&[u8]> {
    let (date, clock) = text.split_at(colon.checked_sub(2)?);
    let [a, b, _, c, d, rest @ ..] = clock else { return None };
    if !are_digits([a, b, c, d]) {
        return None;
    }
    let after = past_seconds(rest);
    let (length, end) = match date_length(date) {
        Some(length) => (length, zone_length(after)),
        None => (named_length(date)?, year_length(after)),
    };
    Some(&text[date.len() - length..text.len() - after.len() + end])
}

fn are_digits<const N: usize>(bytes: [&u8; N]) -> bool {
    bytes.into_iter().all(u8::is_ascii_digit)
}

/// How many bytes of a `date…` end with `2026-11-22T` (or `/`, and a space) or `22/Nov/2026:` (some have a space there).
fn date_length(date: &[u8]) -> Option<usize> {
    if let [.., b'0'..=b'9', b'T' | b't' | b' '] = date
        && let [.., y, yy, yyy, yyyy, dash, m, mm, also, d, dd, _] = date
    {
        let numbers = are_digits([y, yy, yyy, yyyy, m, mm, d, dd]) && matches!(dash, b'-' | b'/') && also == dash;
        if numbers {
            return Some(b"2026-11-22T".len());
        }
    }
    let [.., d, dd, b'/', _, _, _, b'/', y, yy, yyy, yyyy, b':' | b' '] = date else { return None };
    are_digits([d, dd, y, yy, yyy, yyyy]).then_some(b"22/Nov/2026:".len())
}

/// The same for C's `Sun Nov 22 ` and syslog's `Nov 22 `.
fn named_length(date: &[u8]) -> Option<usize> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (before, day) = date.split_at_checked(date.len().checked_sub(b"Nov 22 ".len())?)?;
    let ([a, b, c, b' ', b' ' | b'0'..=b'9', b'0'..=b'9', b' '], parted) = (day, before.last()) else { return None };
    let is_month = MONTHS.chunks(3).any(|month| month == [*a, *b, *c]);
    let weekday = matches!(before, [.., a, b, c, b' '] if [a, b, c].into_iter().all(u8::is_ascii_alphabetic));
    (is_month && !parted.is_some_and(u8::is_ascii_alphanumeric)).then_some(day.len() + if weekday { 4 } else { 0 })
}

/// How many bytes at the start of `rest` are the ` 2026` that C writes behind the clock.
fn year_length(rest: &[u8]) -> usize {
    match rest {
        [b' ', y, yy, yyy, yyyy, after @ ..] if are_digits([y, yy, yyy, yyyy]) => {
            if after.first().is_some_and(u8::is_ascii_alphanumeric) { 0 } else { 5 }
        }
        _ => 0,
    }
}

/// What follows `:21.263611` or `:21,263`; seconds may be absent.
fn past_seconds(rest: &[u8]) -> &[u8] {
    let [b':', tens, ones, after @ ..] = rest else { return rest };
    if !are_digits([tens, ones]) {
        return rest;
    }
    let [b'.' | b',', fraction @ ..] = after else { return after };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { after } else { &fraction[digits..] }
}

/// How many bytes at the start of `rest` name a zone: `Z`, `+01:00`, ` +0100`, ` UTC`.
fn zone_length(rest: &[u8]) -> usize {
    let length = match rest {
        [b'Z' | b'z', ..] => 1,
        [b' ', b'U', b'T', b'C', ..] | [b' ', b'G', b'M', b'T', ..] => 4,
        [b' ', signed @ ..] => match offset_length(signed) {
            // ` -5` may be anything.
            length @ 5.. => length + 1,
            _ => 0,
        },
        _ => offset_length(rest),
    };
    if rest.get(length).is_some_and(u8::is_ascii_alphanumeric) { 0 } else { length }
}

/// `+01`, `+0100` or `+01:00`.
fn offset_length(rest: &[u8]) -> usize {
    match rest {
        [b'+' | b'-', a, b, b':', c, d, ..] if are_digits([a, b, c, d]) => 6,
        [b'+' | b'-', a, b, c, d, ..] if are_digits([a, b, c, d]) => 5,
        [b'+' | b'-', a, b, ..] if are_digits([a, b]) => 3,
        _ => 0,
    }
}

/// Unix time in seconds, with or without a fraction, or in milliseconds: from 2001 to 2033, lest a number of something
/// else is taken for it.
#[cold]
fn epoch(text: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    while let Some(start) = text[at..].iter().position(u8::is_ascii_digit).map(|digit| at + digit) {
        let number = number(&text[start..]);
        at = start + number.len();
        let whole = number.iter().position(|byte| *byte == b'.').unwrap_or(number.len());
        let counts = number[0] == b'1' && (whole == 10 || whole == 13);
        let parted = |byte: Option<&u8>| {
            byte.is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'[' | b']' | b'(' | b')' | b'|' | b','))
        };
        if counts && parted(text[..start].last()) && parted(text.get(at)) {
            return Some(number);
        }
    }
    None
}

/// The digits, with or without a fraction, that begin `text`.
fn number(text: &[u8]) -> &[u8] {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    let fraction = text[whole..].strip_prefix(b".").map_or(0, digits);
    &text[..whole + if fraction > 0 { 1 + fraction } else { 0 }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stamp_before_a_message_is_found() {
        for (prefix, stamp) in [
            ("2026-11-22 21:53:21,179 INFO httpx: HTTP Request: ", "2026-11-22 21:53:21,179"),
            ("INFO [2024-09-28 17:27:41] httpx - HTTP Request: ", "2024-09-28 17:27:41"),
            ("2026-11-22 21:53:21.277 | INFO     | __main__:<module>:35 - ", "2026-11-22 21:53:21.277"),
            ("\x1b[32m2026-11-22 21:53:21.277\x1b[0m | ", "2026-11-22 21:53:21.277"),
            ("2026-11-22T21:54:16.466209Z  INFO rt: ", "2026-11-22T21:54:16.466209Z"),
            ("[2026-11-22T21:54:16+01:00] ", "2026-11-22T21:54:16+01:00"),
            ("[2026-11-22T21:54:16+01] ", "2026-11-22T21:54:16+01"),
            ("2026/11/22 21:53:21 ", "2026/11/22 21:53:21"),
            ("2026-11-22 21:53:21 +0100 [12] ", "2026-11-22 21:53:21 +0100"),
            ("2026-11-22 21:53:21 UTC [12] ", "2026-11-22 21:53:21 UTC"),
            ("2026-11-22 21:53:21 - 12 - ", "2026-11-22 21:53:21"),
            ("2026-11-22 21:53:21 -12 ", "2026-11-22 21:53:21"),
            ("2026-11-22 21:53:21 UTCP ", "2026-11-22 21:53:21"),
            ("2026-11-22 21:53 ", "2026-11-22 21:53"),
            ("I, [2026-11-22T21:53:21.179263 #1234]  INFO -- : ", "2026-11-22T21:53:21.179263"),
            ("127.0.0.1 - - [22/Nov/2026:21:53:21 +0000] \"", "22/Nov/2026:21:53:21 +0000"),
            ("Sun Nov 22 21:53:21 2026 ", "Sun Nov 22 21:53:21 2026"),
            ("Nov  2 21:53:21 web app[7]: ", "Nov  2 21:53:21"),
            ("[pid 4711 12:34] 1795384401.263 ", "1795384401.263"),
            ("[1795384401263] ", "1795384401263"),
            ("1795384401", "1795384401"),
            ("at 12:30:00 10.0.0.12:8099 2026-11-22 21:53:21 ", "2026-11-22 21:53:21"),
        ] {
            assert_eq!(
                find(prefix.as_bytes()).map(|stamp| std::str::from_utf8(stamp).unwrap()),
                Some(stamp),
                "{prefix}"
            );
        }
    }

    #[test]
    fn what_is_no_stamp_is_left_alone() {
        for prefix in [
            "",
            ":",
            "12:30",
            "21:53:21.179 [main] DEBUG ",
            "DEBUG:urllib3.connectionpool:http://127.0.0.1:8099 ",
            "[2026-11-22] 4711 ",
            "Job 12 10:30:00 ",
            "id=1795384401 ",
            "req-1795384401 ",
            "2795384401 ",
            "17953844012 ",
            "1795384401.263.1 ",
            "1795384401abc ",
        ] {
            assert_eq!(find(prefix.as_bytes()), None, "{prefix}");
        }
    }
}

//! The scalars of a line, and how each kind of field reads them.
//! This file never looks at a key.

use super::field::{Field, Rank, Unit};
use super::time::{self, Clockwork};
use crate::collect::request::Reject;
use crate::day::Minute;

/// One value as the line has it. Text is UTF-8 without escapes, but bytes: most of it is only compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    Text(&'a [u8]),
    Whole(u64),
    /// Has a fraction or an exponent, is negative, or is too large for a u64.
    Number(f64),
}

/// Everything of a request but its labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    pub minute: Result<Minute, Reject>,
    pub duration_ms: Option<f64>,
    /// At most [`BYTES_MAX`].
    pub bytes: u64,
    /// At most [`UNITS_MAX`].
    pub units: u64,
}

/// A line's cost beyond this counts as this: it is taken for nonsense, such as a stamp in the cost field. A u64
/// sum holds 2^24 - 1 such lines; more would wrap. Clamped and not rejected: the request was made, and a quota
/// that nonsense overdraws is seen, where a lost line is not.
pub const UNITS_MAX: u64 = 1 << 40;

/// A response of more bytes (a TiB) counts as one of these, for the same reasons.
pub const BYTES_MAX: u64 = 1 << 40;

/// Read the measures among `values`, which come in order of rank: of each field, the first usable counts.
#[inline]
pub fn measures<'a>(values: impl Iterator<Item = (Rank, Scalar<'a>)>, clockwork: &mut Clockwork) -> Measures {
    let mut minute = Err(Reject::NoTime);
    let (mut duration_ms, mut bytes, mut units) = (None, None, None);
    for (rank, value) in values {
        match rank.field {
            Field::Time if minute.is_err() => minute = stamp(value, rank.unit, clockwork).unwrap_or(minute),
            Field::Duration if duration_ms.is_none() => duration_ms = duration(value, rank.unit),
            Field::Bytes if bytes.is_none() => bytes = count(value).map(|bytes| bytes.min(BYTES_MAX)),
            Field::Units if units.is_none() => units = count(value).map(|units| units.min(UNITS_MAX)),
            _ => {}
        }
    }
    Measures { minute, duration_ms, bytes: bytes.unwrap_or(0), units: units.unwrap_or(1) }
}

/// The minute of a stamp; `None` where the field is there but empty, which is no stamp.
#[inline]
fn stamp(value: Scalar<'_>, unit: Unit, clockwork: &mut Clockwork) -> Option<Result<Minute, Reject>> {
    let minute = match value {
        Scalar::Text(b"" | b"-") => return None,
        Scalar::Text(text) if unit != Unit::Guess => time::epoch_text_in(unit, text).or_else(|| clockwork.text(text)),
        Scalar::Text(text) => clockwork.text(text),
        Scalar::Whole(count) => time::epoch_whole_in(unit, count),
        Scalar::Number(count) => time::epoch_number_in(unit, count),
    };
    Some(minute.ok_or(Reject::BadTime))
}

/// Text as it was meant: what is no UTF-8 is replaced, and `\\"`, `\\\\`, `\\n`, `\\t` and `\\r` undone where values have escapes.
pub fn unescaped(value: &[u8], has_escapes: bool) -> String {
    let text = String::from_utf8_lossy(value);
    if !has_escapes || !text.contains('\\') {
        return text.into_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == '\\') {
            (_, true) => match rest.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some('r') => plain.push('\r'),
                Some(escaped) => plain.push(escaped),
                None => plain.push('\\'),
            },
            (c, false) => plain.push(c),
        }
    }
    plain
}

/// Whether the value, written out, is `expected`.
pub fn is(value: Scalar<'_>, expected: &str) -> bool {
    match value {
        Scalar::Text(text) => text == expected.as_bytes(),
        Scalar::Whole(number) => expected.parse() == Ok(number),
        Scalar::Number(number) => expected.parse() == Ok(number),
    }
}

/// Non-empty text; `-` is how many producers write nothing.
pub fn text(value: Scalar<'_>) -> Option<&str> {
    match value {
        Scalar::Text(b"" | b"-") | Scalar::Whole(_) | Scalar::Number(_) => None,
        Scalar::Text(text) => std::str::from_utf8(text).ok(),
    }
}

/// An HTTP status: a number from 100 to 599, also as text (`"200"`, `"200 OK"`). 0 says there was no answer.
pub fn status(value: Scalar<'_>) -> Option<u16> {
    let status = match value {
        Scalar::Text([a, b, c] | [a, b, c, b' ', ..]) => digits_value(&[*a, *b, *c])?,
        Scalar::Text(_) => return None,
        Scalar::Whole(status) => status,
        Scalar::Number(_) => whole(value)?,
    };
    u16::try_from(status).ok().filter(|status| (100..600).contains(status))
}

/// A method: letters, 3 to 16 of them (`GET`, `PROPFIND`); case is the caller's.
pub fn method(value: Scalar<'_>) -> Option<&str> {
    let letters = |text: &&str| (3..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    text(value).filter(letters)
}

/// A count: a whole number, also as text or written with an empty fraction.
pub fn count(value: Scalar<'_>) -> Option<u64> {
    match value {
        Scalar::Text(digits) => digits_value(digits),
        Scalar::Whole(count) => Some(count),
        Scalar::Number(_) => whole(value),
    }
}

fn digits_value(digits: &[u8]) -> Option<u64> {
    let add = |sum: u64, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

fn whole(value: Scalar<'_>) -> Option<u64> {
    let Scalar::Number(number) = value else { return None };
    // Up to 2^53 every whole f64 is exact, so the conversion loses nothing.
    (number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number)).then_some(number as u64)
}

/// Milliseconds; `None` where the value is no duration.
fn duration(value: Scalar<'_>, unit: Unit) -> Option<f64> {
    let duration_ms = match value {
        Scalar::Text(text) => match short_duration(text, unit) {
            Some(duration_ms) => duration_ms,
            None => return written_duration(std::str::from_utf8(text).ok()?.trim(), unit),
        },
        // Rounding a count beyond 2^53 is a rounding of nanoseconds in a hundred days.
        Scalar::Whole(count) => count as f64 * millis_per(unit, count >= GUESSED_NANOS_MIN),
        Scalar::Number(number) if matches!(unit, Unit::Go | Unit::Guess) => number * 1e3,
        Scalar::Number(number) => number * millis_per(unit, false),
    };
    (duration_ms >= 0.0 && duration_ms.is_finite()).then_some(duration_ms)
}

/// One number, with a unit or without: as [`written_duration`] reads it, and sooner.
#[inline]
fn short_duration(text: &[u8], unit: Unit) -> Option<f64> {
    let (digits, millis_per) = match text {
        [digits @ .., b'm', b's'] => (digits, 1.0),
        [digits @ .., b'u', b's'] => (digits, 1e-3),
        [digits @ .., b'n', b's'] => (digits, 1e-6),
        [digits @ .., b's'] => (digits, 1e3),
        digits => (digits, millis_per_unnamed(unit, digits)),
    };
    Some(plain_decimal(digits)? * millis_per)
}

/// What a number counts that states no unit.
fn millis_per_unnamed(unit: Unit, digits: &[u8]) -> f64 {
    match unit {
        Unit::Go | Unit::Guess if digits.contains(&b'.') => 1e3,
        Unit::Go | Unit::Guess | Unit::Seconds | Unit::Millis | Unit::Micros | Unit::Nanos => {
            millis_per(unit, digits.len() > 6)
        }
    }
}

/// `12` or `0.283`, and no more digits than a float holds exactly: as the standard library reads it, and sooner.
fn plain_decimal(text: &[u8]) -> Option<f64> {
    const DIGITS_MAX: usize = 15;
    const SCALES: [f64; DIGITS_MAX] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14];
    let (mut digits, mut dot) = (0u64, None);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits = digits.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')),
            b'.' if dot.is_none() && at > 0 => dot = Some(at + 1),
            _ => return None,
        }
    }
    let scale = dot.map_or(0, |dot| text.len() - dot);
    let holds = (1..=DIGITS_MAX).contains(&text.len()) && dot != Some(text.len());
    // Below 2^53, and a power of ten below 10^22: one division rounds once.
    holds.then(|| digits as f64 / SCALES[scale])
}

/// A millisecond in nanoseconds; as milliseconds it would be a quarter of an hour.
const GUESSED_NANOS_MIN: u64 = 1_000_000;

fn millis_per(unit: Unit, large: bool) -> f64 {
    match unit {
        Unit::Seconds => 1e3,
        Unit::Millis => 1.0,
        Unit::Micros => 1e-3,
        Unit::Nanos | Unit::Go => 1e-6,
        Unit::Guess => {
            if large {
                1e-6
            } else {
                1.0
            }
        }
    }
}

/// `12.5ms`, `1m2.5s`, `0.123`: a number without a unit is of the field's.
pub fn written_duration(text: &str, unit: Unit) -> Option<f64> {
    let mut rest = text;
    let mut total_ms = 0.0;
    while !rest.is_empty() {
        let digits_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (digits, after) = rest.split_at(digits_end);
        let after = after.trim_start();
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (name, after) = after.split_at(unit_end);
        let number: f64 = digits.parse().ok()?;
        total_ms += number * named_unit(name.trim_end(), digits, unit)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total_ms)
}

fn named_unit(name: &str, digits: &str, unit: Unit) -> Option<f64> {
    match name {
        "" => Some(millis_per_unnamed(unit, digits.as_bytes())),
        "ns" => Some(1e-6),
        "us" | "µs" | "μs" => Some(1e-3),
        "ms" => Some(1.0),
        "s" => Some(1e3),
        "m" => Some(60e3),
        "h" => Some(3600e3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_their_fields_unit_unless_they_state_one() {
        for (value, unit, duration_ms) in [
            (Scalar::Whole(123), Unit::Millis, Some(123.0)),
            (Scalar::Number(123.4), Unit::Millis, Some(123.4)),
            (Scalar::Number(0.5), Unit::Seconds, Some(500.0)),
            (Scalar::Whole(2_000_000), Unit::Nanos, Some(2.0)),
            (Scalar::Number(0.25), Unit::Guess, Some(250.0)),
            (Scalar::Whole(48), Unit::Guess, Some(48.0)),
            (Scalar::Whole(48_000_000), Unit::Guess, Some(48.0)),
            (Scalar::Text(b"0.25"), Unit::Guess, Some(250.0)),
            (Scalar::Text(b"0.25"), Unit::Seconds, Some(250.0)),
            (Scalar::Text(b"0.25"), Unit::Go, Some(250.0)),
            (Scalar::Text(b"12.5ms"), Unit::Seconds, Some(12.5)),
            (Scalar::Text(b"1m2.5s"), Unit::Seconds, Some(62_500.0)),
            (Scalar::Text("500µs".as_bytes()), Unit::Seconds, Some(0.5)),
            (Scalar::Text(b"0.5 ms"), Unit::Seconds, Some(0.5)),
            (Scalar::Text(b"-"), Unit::Seconds, None),
            (Scalar::Text(b""), Unit::Seconds, None),
            (Scalar::Number(-1.0), Unit::Seconds, None),
        ] {
            assert_eq!(duration(value, unit), duration_ms, "{value:?} {unit:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_plain_decimal_is_the_float_that_it_writes(text in "[0-9]{0,8}[.]?[0-9]{0,8}|[0-9.]{0,16}") {
            if let Some(number) = plain_decimal(text.as_bytes()) {
                proptest::prop_assert_eq!(Ok(number), text.parse());
            }
        }

        #[test]
        fn a_short_duration_is_the_one_that_is_written(text in "[0-9]{0,8}[.]?[0-9]{0,3}(|s|ms|us|ns|m|h|xs)") {
            for unit in [Unit::Seconds, Unit::Millis, Unit::Micros, Unit::Nanos, Unit::Go, Unit::Guess] {
                if let Some(duration_ms) = short_duration(text.as_bytes(), unit) {
                    proptest::prop_assert_eq!(Some(duration_ms), written_duration(&text, unit));
                }
            }
        }
    }

    #[test]
    fn a_status_is_a_number_from_100_to_599() {
        for (value, expected) in [
            (Scalar::Whole(200), Some(200)),
            (Scalar::Number(200.0), Some(200)),
            (Scalar::Text(b"429"), Some(429)),
            (Scalar::Text(b"200 OK"), Some(200)),
            (Scalar::Text(b"ok"), None),
            (Scalar::Text(b"2000"), None),
            (Scalar::Whole(0), None),
            (Scalar::Whole(600), None),
        ] {
            assert_eq!(status(value), expected, "{value:?}");
        }
    }
}

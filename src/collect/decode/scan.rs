//! Where a word, or a JSON string or number ends, eight bytes at a time. Of JSON, accepts exactly what serde_json accepts, or
//! says `None`, which means: let serde_json decide.
//! This file never copies a byte.

use super::value::Scalar;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x80 * ONES;

/// What a string held besides plain ASCII.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes {
    /// Bytes of 0x80 and above, in it or just behind: whoever goes on must check that they are UTF-8.
    pub high: bool,
    pub escaped: bool,
}

#[inline(always)]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

/// The place of the first of these ASCII bytes, at `at` or behind it. They are near: words and values are short.
#[inline(always)]
pub fn place_of<const N: usize>(bytes: &[u8], mut at: usize, wanted: [u8; N]) -> Option<usize> {
    while let Some(word) = word_at(bytes, at) {
        let places = places_in(word, wanted);
        if places != 0 {
            return Some(at + (places.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    bytes.get(at..)?.iter().position(|byte| wanted.contains(byte)).map(|place| at + place)
}

/// The place of the first blank or escape sequence, at `at` or behind it.
#[inline]
pub fn gap(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(word) = word_at(bytes, at) {
        let lows = word.wrapping_sub(0x21 * ONES) & !word & HIGHS;
        at += (lows.trailing_zeros() / 8) as usize;
        // Other control characters are rare.
        if lows != 0 && is_gap(*bytes.get(at)?) {
            return Some(at);
        }
        at += usize::from(lows != 0);
    }
    bytes.get(at..)?.iter().position(|byte| is_gap(*byte)).map(|place| at + place)
}

fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x1b)
}

/// The high bit of each byte that is one of these. As in [`stops`], only the lowest bit is sure to be right.
#[inline(always)]
fn places_in<const N: usize>(word: u64, wanted: [u8; N]) -> u64 {
    let differs = |byte: u8| word ^ (u64::from(byte) * ONES);
    wanted.into_iter().fold(0, |places, byte| places | (differs(byte).wrapping_sub(ONES) & !differs(byte))) & HIGHS
}

/// The place of the quote that ends the string whose content starts at `at`.
#[inline(always)]
pub fn text_end(bytes: &[u8], mut at: usize, notes: &mut Notes) -> Option<usize> {
    let mut seen = 0;
    while let Some(word) = word_at(bytes, at) {
        seen |= word;
        let stops = stops(word);
        if stops == 0 {
            at += 8;
            continue;
        }
        at += (stops.trailing_zeros() / 8) as usize;
        if bytes.get(at) == Some(&b'"') {
            notes.high |= seen & HIGHS != 0;
            return Some(at);
        }
        notes.escaped = true;
        at = after_escape(bytes, at)?;
    }
    notes.high |= seen & HIGHS != 0;
    text_end_slow(bytes, at, notes)
}

/// The high bit of each byte that is a quote, a backslash or a control character. A borrow may set wrong
/// bits, but only above a right one, and the lowest is all that is asked for.
#[inline(always)]
pub fn stops(word: u64) -> u64 {
    let control = word.wrapping_sub(0x20 * ONES);
    let quote = (word ^ (0x22 * ONES)).wrapping_sub(ONES);
    let backslash = (word ^ (0x5c * ONES)).wrapping_sub(ONES);
    (control | quote | backslash) & !word & HIGHS
}

/// The same for the last bytes of a chunk.
#[cold]
fn text_end_slow(bytes: &[u8], mut at: usize, notes: &mut Notes) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => {
                notes.escaped = true;
                at = after_escape(bytes, at)?;
            }
            0..0x20 => return None,
            byte => {
                notes.high |= byte >= 0x80;
                at += 1;
            }
        }
    }
}

#[inline]
fn after_escape(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..at + 2)? {
        [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'] => Some(at + 2),
        // A surrogate is right only with its other half.
        [b'\\', b'u'] => match bytes.get(at + 2..at + 6)? {
            [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..] => None,
            digits => digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 6),
        },
        _ => None,
    }
}

/// Significands below this are exact as f64, so one division rounds as serde_json rounds.
const EXACT_MAX: u64 = 1 << 53;
/// Powers of ten that are exact as f64, as far as an exact significand has digits.
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The number that starts at `at`, and where it ends.
#[inline(always)]
pub fn number(bytes: &[u8], at: usize) -> Option<(Scalar<'static>, usize)> {
    let (whole, mut end) = digits(bytes, at, 0)?;
    let leading_zero = bytes.get(at) == Some(&b'0') && end > at + 1;
    // 18 digits fit a u64 with certainty.
    if end == at || leading_zero || end - at > 18 {
        return number_slow(bytes, at);
    }
    match bytes.get(end)? {
        b'.' => {
            let (significand, fraction_end) = digits(bytes, end + 1, whole)?;
            let places = fraction_end - end - 1;
            let exponent = matches!(bytes.get(fraction_end)?, b'e' | b'E');
            if places == 0 || exponent || fraction_end - at > 19 || significand >= EXACT_MAX {
                return number_slow(bytes, at);
            }
            end = fraction_end;
            // Exact below EXACT_MAX.
            Some((Scalar::Number(significand as f64 / POWERS.get(places)?), end))
        }
        b'e' | b'E' => number_slow(bytes, at),
        _ => Some((Scalar::Whole(whole), end)),
    }
}

/// Digits from `at` on, added behind those of `value`; wraps where there are more than a u64 holds.
#[inline(always)]
fn digits(bytes: &[u8], mut at: usize, mut value: u64) -> Option<(u64, usize)> {
    while let Some(word) = word_at(bytes, at) {
        // 0 to 9 stay below 0x80 when 0x76 is added; everything else has or gets the high bit.
        let digits = word ^ (0x30 * ONES);
        let stops = (digits | (digits & !HIGHS).wrapping_add(0x76 * ONES)) & HIGHS;
        let count = (stops.trailing_zeros() / 8) as usize;
        if count < 8 {
            // Shift the digits to the end of a number of eight, zeros in front.
            let (digits, scale) = if count == 0 { (0, 1) } else { (digits << (64 - 8 * count), TENS[count]) };
            return Some((value.wrapping_mul(scale).wrapping_add(eight_digits(digits)), at + count));
        }
        value = value.wrapping_mul(TENS[8]).wrapping_add(eight_digits(digits));
        at += 8;
    }
    for byte in bytes.get(at..)? {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    Some((value, at))
}

const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Eight digit values, the first in the lowest byte: pairs, then fours, then all are joined in three steps.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff
}

/// Signs, exponents and many digits: as serde_json reads them.
#[cold]
fn number_slow(bytes: &[u8], at: usize) -> Option<(Scalar<'static>, usize)> {
    let rest = bytes.get(at..)?;
    let length = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')).count();
    Some((parsed_number(&rest[..length])?, at + length))
}

fn parsed_number(bytes: &[u8]) -> Option<Scalar<'static>> {
    let number: serde_json::Number = serde_json::from_slice(bytes).ok()?;
    number.as_u64().map(Scalar::Whole).or_else(|| number.as_f64().map(Scalar::Number))
}

/// The number that these bytes are; that they are one was seen before.
pub fn whole_number(bytes: &[u8]) -> Scalar<'static> {
    parsed_number(bytes).unwrap_or(Scalar::Text(b""))
}

/// The end of `true`, `false` or `null`.
#[inline]
pub fn word_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word)).map(|word| at + word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_its_first_bare_quote() {
        for padding in [0, 3, 20] {
            for length in 0..40 {
                let text = format!("{}\"{}", "x".repeat(length), "\"".repeat(padding));
                assert_eq!(text_end(text.as_bytes(), 0, &mut Notes::default()), Some(length));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn a_place_is_the_first_of_any_wanted_byte(bytes in proptest::collection::vec(proptest::prop_oneof![
            3 => proptest::sample::select(b"ab= !#\"\t\x1a\x1b\x1c".to_vec()),
            1 => proptest::prelude::any::<u8>(),
        ], 0..40), at in 0usize..44) {
            let first = |wanted: &[u8]| Some(at + bytes.get(at..)?.iter().position(|byte| wanted.contains(byte))?);
            proptest::prop_assert_eq!(place_of(&bytes, at, [b'"']), first(b"\""));
            proptest::prop_assert_eq!(place_of(&bytes, at, [b'"', b'=']), first(b"\"="));
            proptest::prop_assert_eq!(gap(&bytes, at), first(b" \t\x1b"));
        }
    }

    #[test]
    fn what_json_forbids_in_a_string_is_left_to_the_parser() {
        for text in ["a\nb\"", "a\u{1}b\"............", "a\\x\"..........", "\\u12g4\"........", "no end", "\\"] {
            assert_eq!(text_end(text.as_bytes(), 0, &mut Notes::default()), None, "{text:?}");
        }
    }

    #[test]
    fn escapes_and_high_bytes_are_noted() {
        for (text, end, high, escaped) in [
            ("plain\"\\n.........", 5, false, false),
            ("ä\"...............", 2, true, false),
            ("a\\\"b\"...........", 4, false, true),
            ("\\u00e4\"", 6, false, true),
        ] {
            let mut notes = Notes::default();
            assert_eq!(text_end(text.as_bytes(), 0, &mut notes), Some(end), "{text}");
            assert_eq!((notes.high, notes.escaped), (high, escaped), "{text}");
        }
    }

    #[test]
    fn numbers_are_read_as_serde_json_reads_them() {
        for text in [
            "0",
            "7",
            "200",
            "1795384444918",
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "-0",
            "0.5",
            "123.4",
            "1716723772.6014807",
            "1e3",
            "1.5e-05",
            "0.1234567890123456789",
            "123456789012345678.5",
            "-12.25",
        ] {
            let value: serde_json::Value = serde_json::from_str(text).expect("valid");
            let line = format!("{text},");
            let (scalar, end) = number(line.as_bytes(), 0).expect("valid");
            assert_eq!(end, text.len());
            match value.as_u64() {
                Some(whole) => assert_eq!(scalar, Scalar::Whole(whole)),
                None => assert_eq!(scalar, Scalar::Number(value.as_f64().expect("a number")), "{text}"),
            }
        }
        for text in ["01,", "1.,", ".5,", "-,", "1e,", "+1,", "x,", ","] {
            assert_eq!(number(text.as_bytes(), 0), None, "{text}");
        }
    }
}

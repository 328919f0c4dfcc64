//! What follows a method and url: the status, and how long and how much.
//! This file never takes a number for a duration whose unit is not written.

use super::past_colour;
use crate::collect::decode::field::{Field, Unit};
use crate::collect::decode::fields::Fields;
use crate::collect::decode::value::written_duration;

/// How an attempt ended.
pub struct Answer<'a> {
    /// `HTTP/1.1` stands before the status.
    pub versioned: bool,
    /// `-` or `N/A` where there was none.
    pub status: &'a [u8],
    ending: &'a [u8],
}

/// Words after the status that are looked through for a duration.
const WORDS_MAX: usize = 12;

impl<'a> Answer<'a> {
    /// Read what stands behind a url; `None` where that is no answer.
    pub fn of(rest: &'a [u8]) -> Option<Answer<'a>> {
        let text = past_gap(rest);
        let (versioned, text) = past_version(text).map_or((false, text), |text| (true, text));
        if let Some(answer) = left(text, versioned) {
            return Some(answer);
        }
        let text = past_separator(text);
        let (status, ending) = text.split_at_checked(3)?;
        let follows = match ending.first() {
            None | Some(b' ' | b'"' | b'\'' | b'\\' | b',' | b';' | b':' | b')' | b']' | b'|' | 0x1b) => true,
            Some(_) => false,
        };
        (is_status(status) && follows && (versioned || may_follow(ending))).then_some(Answer {
            versioned,
            status,
            ending,
        })
    }

    /// One that stands before its url.
    pub fn plain(status: &'a [u8], ending: &'a [u8]) -> Option<Answer<'a>> {
        is_status(status).then_some(Answer { versioned: false, status, ending })
    }

    /// Push duration and bytes, where they are written.
    #[inline]
    pub fn push_measures(&self, fields: &mut Fields<'a>) {
        let separates = |byte: &u8| matches!(byte, b' ' | b'(' | b')' | b',' | b';' | b'"' | b'\\' | b'|');
        let words = self.ending.split(separates).map(uncoloured).filter(|word| !word.is_empty()).take(WORDS_MAX);
        let mut words = words.peekable();
        let mut may_be_bytes = self.versioned;
        let mut timed = false;
        while let Some(word) = words.next() {
            if !timed && let Some((unit, duration)) = duration(word, words.peek().copied()) {
                fields.push_duration(unit, duration);
                (timed, may_be_bytes) = (true, false);
                continue;
            }
            if word.iter().all(u8::is_ascii_digit) {
                // morgan: `2 - 0.283 ms`, `0.283 ms - 2`.
                if may_be_bytes || words.peek() == Some(&&b"-"[..]) {
                    fields.push(Field::Bytes, word);
                }
                may_be_bytes = false;
            } else if word == b"-" {
                may_be_bytes = timed;
            } else if !(timed && is_unit(word)) && !passes(word) {
                break;
            } else if word == b"id" {
                words.next();
            }
        }
    }
}

fn is_status(word: &[u8]) -> bool {
    matches!(word, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'])
}

/// Blanks, quotes and colours.
fn past_gap(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b' ' | b'"' | b'\'', rest @ ..] | [b'\\', b'"', rest @ ..] => rest,
            [0x1b, ..] if past_colour(text).len() < text.len() => past_colour(text),
            _ => return text,
        }
    }
}

/// What follows `HTTP/1.1` and a gap.
fn past_version(text: &[u8]) -> Option<&[u8]> {
    let version = text.strip_prefix(b"HTTP/")?;
    let length = version.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let rest = &version[length..];
    let gap = past_gap(rest);
    (length > 0 && (gap.len() < rest.len() || rest.first() == Some(&b':'))).then_some(gap)
}

/// What writers put between url and status.
fn past_separator(text: &[u8]) -> &[u8] {
    const SEPARATORS: [&[u8]; 10] =
        [b"->", b"=>", "→".as_bytes(), b":", b"-", b"|", b"responded ", b"returned ", b"status=", b"[status:"];
    SEPARATORS.iter().find_map(|separator| text.strip_prefix(*separator)).map_or(text, past_gap)
}

/// There was none: morgan's `GET /a - - ms - -` and `GET /a - - - - ms` of a client that left, `[status:N/A …]` of
/// Elasticsearch's client that got none.
fn left(text: &[u8], versioned: bool) -> Option<Answer<'_>> {
    if let Some(ending) = text.strip_prefix(b"[status:N/A") {
        return Some(Answer { versioned, status: b"N/A", ending });
    }
    let ending = text.strip_prefix(b"-").map(past_gap)?;
    let left = [&b"- ms - "[..], b"- - - ms"].iter().any(|mark| ending.starts_with(mark));
    left.then_some(Answer { versioned, status: &text[..1], ending: b"" })
}

/// Whether a number is a status when this follows: `200 items` says how many.
fn may_follow(ending: &[u8]) -> bool {
    let rest = past_gap(ending);
    let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
    let word = &rest[..end];
    !word.first().is_some_and(u8::is_ascii_lowercase) || passes(word) || memchr::memchr2(b'=', b':', word).is_some()
}

/// Words that may stand between status and duration: its reason, and what leads to the duration. `Retrying in 5s` and
/// its like do not tell how long the attempt took.
fn passes(word: &[u8]) -> bool {
    let reason = word.first().is_some_and(u8::is_ascii_uppercase) && !word.ends_with(b"ing");
    reason || [&b"in"[..], b"took", b"after", b"with", b"id", b"ok"].contains(&word)
}

/// A word without the colours around it, without brackets, and without the names that Elasticsearch's client gives.
fn uncoloured(word: &[u8]) -> &[u8] {
    let word = past_colour(word);
    let word = &word[..memchr::memchr(0x1b, word).unwrap_or(word.len())];
    let word = word.strip_suffix(b"]").unwrap_or(word);
    [&b"["[..], b"duration:", b"request:"].iter().find_map(|start| word.strip_prefix(*start)).unwrap_or(word)
}

/// `0.283 ms`, `45ms`, `1m2.5s`.
fn duration<'a>(word: &'a [u8], next: Option<&[u8]>) -> Option<(Unit, &'a [u8])> {
    if !word.first()?.is_ascii_digit() {
        return None;
    }
    let number = word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let unit = if number { unit(next?)? } else { Unit::Millis };
    written_duration(std::str::from_utf8(word).ok()?, unit).map(|_| (unit, word))
}

fn is_unit(word: &[u8]) -> bool {
    unit(word).is_some()
}

fn unit(word: &[u8]) -> Option<Unit> {
    Some(match word {
        b"ms" | b"msec" | b"millis" | b"milliseconds" => Unit::Millis,
        b"s" | b"sec" | b"secs" | b"seconds" => Unit::Seconds,
        b"us" | b"microseconds" => Unit::Micros,
        b"ns" | b"nanoseconds" => Unit::Nanos,
        micros if micros == "µs".as_bytes() || micros == "μs".as_bytes() => Unit::Micros,
        _ => return None,
    })
}

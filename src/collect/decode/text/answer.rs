//! What follows a method and url: the status, and how long and how much.
//! This file never takes a number for a duration whose unit is not written.

use super::past_colour;
use crate::collect::decode::field::{Field, Unit};
use crate::collect::decode::fields::Fields;
use crate::collect::decode::value::written_duration;
use crate::collect::decode::words::are_digits;

/// How an attempt ended.
pub struct Answer<'a> {
    /// `HTTP/1.1` stands before the status.
    pub versioned: bool,
    /// `-` or `N/A` where there was none.
    pub status: &'a [u8],
    ending: &'a [u8],
}

/// Words after the status that are looked through for a duration; none stands later.
const WORDS_MAX: usize = 12;
const ENDING_BYTES_MAX: usize = 128;

impl<'a> Answer<'a> {
    /// Read what stands behind a url; `None` where that is no answer.
    pub fn of(rest: &'a [u8]) -> Option<Answer<'a>> {
        let text = past_gap(rest);
        let (versioned, mut text) = past_version(text).map_or((false, text), |text| (true, text));
        if !text.first().is_some_and(u8::is_ascii_digit) {
            if let Some(answer) = left(text, versioned) {
                return Some(answer);
            }
            text = past_separator(text);
        }
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
        match self.ending.strip_prefix(b" ") {
            // urllib3
            Some(bytes) if self.versioned && are_digits(bytes) => fields.push(Field::Bytes, bytes),
            // Most have none.
            _ if !self.ending.iter().take(ENDING_BYTES_MAX).any(u8::is_ascii_digit) => {}
            _ => self.push_numbers(fields),
        }
    }

    fn push_numbers(&self, fields: &mut Fields<'a>) {
        let mut rest = self.ending;
        let mut may_be_bytes = self.versioned;
        let mut timed = false;
        for _ in 0..WORDS_MAX {
            let Some((word, after)) = next_word(rest) else { break };
            rest = after;
            let next = || next_word(after).map(|(next, _)| next);
            if !timed && let Some((unit, duration)) = duration(word, next) {
                fields.push_duration(unit, duration);
                (timed, may_be_bytes) = (true, false);
            } else if are_digits(word) {
                // morgan: `2 - 0.283 ms`, `0.283 ms - 2`.
                if may_be_bytes || next() == Some(b"-") {
                    fields.push(Field::Bytes, word);
                }
                may_be_bytes = false;
            } else if word == b"-" {
                may_be_bytes = timed;
            } else if word == b"id" {
                // Whatever it is.
                rest = next_word(after).map_or(after, |(_, after)| after);
            } else if !(passes(word) || (timed && unit(word).is_some())) {
                break;
            }
        }
    }
}

/// Which bytes part words.
const SEPARATES: [bool; 256] = {
    let mut separates = [false; 256];
    let list = b" (),;\"\\|";
    let mut at = 0;
    while at < list.len() {
        separates[list[at] as usize] = true;
        at += 1;
    }
    separates
};

/// The next word, and what follows it; colours are no words.
fn next_word(mut text: &[u8]) -> Option<(&[u8], &[u8])> {
    let separates = |byte: &u8| SEPARATES[usize::from(*byte)];
    loop {
        let start = text.iter().position(|byte| !separates(byte))?;
        let length = text[start..].iter().position(separates).unwrap_or(text.len() - start);
        let word = uncoloured(&text[start..start + length]);
        text = &text[start + length..];
        if !word.is_empty() {
            return Some((word, text));
        }
    }
}

pub fn is_status(word: &[u8]) -> bool {
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
    reason || [&b"in"[..], b"took", b"after", b"with", b"ok"].contains(&word)
}

/// A word without the colours around it, without brackets, and without the names that Elasticsearch's client gives.
fn uncoloured(word: &[u8]) -> &[u8] {
    let word = past_colour(word);
    let word = &word[..memchr::memchr(0x1b, word).unwrap_or(word.len())];
    let word = word.strip_suffix(b"]").unwrap_or(word);
    [&b"["[..], b"duration:", b"request:"].iter().find_map(|start| word.strip_prefix(*start)).unwrap_or(word)
}

/// `0.283 ms`, `45ms`, `1m2.5s`.
fn duration<'a, 'b>(word: &'a [u8], next: impl FnOnce() -> Option<&'b [u8]>) -> Option<(Unit, &'a [u8])> {
    if !word.first()?.is_ascii_digit() {
        return None;
    }
    if word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return Some((unit(next()?)?, word));
    }
    // It states its unit itself.
    written_duration(std::str::from_utf8(word).ok()?, Unit::Millis).map(|_| (Unit::Millis, word))
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

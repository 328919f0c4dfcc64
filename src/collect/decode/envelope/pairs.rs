//! The strings of JSON objects, unescaped into a buffer that is kept from line to line, eight bytes at a time.
//! This file never guesses: what serde_json might read otherwise is `None`, and left to it.

use super::Inner;
use crate::collect::decode::scan::{self, Notes, stops, text_end};

/// What was unescaped, and how the buffer is divided: the line, then the stamp, then the service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    line: usize,
    stamp: usize,
    service: usize,
    /// The line had an LF at its end.
    pub was_ended: bool,
}

/// One step may write so many bytes behind those it means.
const SLACK: usize = 16;

impl Written {
    /// Unescape the string whose content starts at `at` of `json`; also where its closing quote is.
    #[inline]
    pub fn unescape(json: &[u8], mut at: usize, buffer: &mut Vec<u8>) -> Option<(Written, usize)> {
        // What is unescaped is never longer than what it was. The buffer only grows: what is in it is written over.
        if buffer.len() < json.len() + SLACK {
            buffer.resize(json.len() + SLACK, 0);
        }
        let (mut len, mut lf) = (0, None);
        loop {
            while let Some(chunk) = json.get(at..at + 8).and_then(|chunk| <[u8; 8]>::try_from(chunk).ok()) {
                let word = u64::from_le_bytes(chunk);
                buffer.get_mut(len..len + 8)?.copy_from_slice(&chunk);
                let stops = stops(word);
                if stops != 0 {
                    let count = (stops.trailing_zeros() / 8) as usize;
                    (at, len) = (at + count, len + count);
                    break;
                }
                (at, len) = (at + 8, len + 8);
            }
            match *json.get(at)? {
                b'"' => break,
                b'\\' => {
                    let c = escaped(json, &mut at)?;
                    if c == '\n' {
                        keep_one_lf(buffer, lf.replace(len));
                    }
                    len += c.encode_utf8(buffer.get_mut(len..)?).len();
                }
                0..0x20 => return None,
                // Fewer than eight bytes are left.
                byte => {
                    *buffer.get_mut(len)? = byte;
                    (at, len) = (at + 1, len + 1);
                }
            }
        }
        Some((Written::ended(buffer, len, lf), at))
    }

    /// The same of a text without escapes.
    pub fn copy(text: &[u8], buffer: &mut Vec<u8>) -> Written {
        buffer.clear();
        buffer.extend_from_slice(text);
        let mut lf = None;
        for at in memchr::memchr_iter(b'\n', text) {
            keep_one_lf(buffer, lf.replace(at));
        }
        buffer.resize(text.len() + SLACK, 0);
        Written::ended(buffer, text.len(), lf)
    }

    /// A line ends in an LF and holds no other: one inside becomes a space. `lf` is the last.
    #[inline]
    fn ended(buffer: &mut [u8], len: usize, lf: Option<usize>) -> Written {
        let was_ended = lf.is_some_and(|lf| lf + 1 == len);
        if !was_ended {
            keep_one_lf(buffer, lf);
            buffer[len] = b'\n';
        }
        Written { line: len + usize::from(!was_ended), was_ended, ..Written::default() }
    }

    #[inline]
    pub fn add_stamp(&mut self, stamp: &[u8], buffer: &mut Vec<u8>) {
        append(buffer, self.line, stamp);
        self.stamp = stamp.len();
    }

    #[inline]
    pub fn add_service(&mut self, service: &[u8], buffer: &mut Vec<u8>) {
        append(buffer, self.line + self.stamp, service);
        self.service = service.len();
    }

    #[inline]
    pub fn inner(self, buffer: &[u8]) -> Inner<'_> {
        let (line, rest) = buffer.split_at(self.line);
        let (stamp, rest) = rest.split_at(self.stamp);
        Inner { line, stamp, service: &rest[..self.service], piece: None }
    }
}

#[inline]
fn append(buffer: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if buffer.len() < at + bytes.len() {
        buffer.resize(at + bytes.len(), 0);
    }
    buffer[at..at + bytes.len()].copy_from_slice(bytes);
}

#[inline]
fn keep_one_lf(buffer: &mut [u8], former: Option<usize>) {
    if let Some(former) = former {
        buffer[former] = b' ';
    }
}

/// The character of the escape at `at`, which moves behind it. Surrogates are left to the parser.
#[inline]
fn escaped(json: &[u8], at: &mut usize) -> Option<char> {
    let [_, escape] = *json.get(*at..*at + 2)? else { return None };
    *at += 2;
    Some(match escape {
        b'"' | b'\\' | b'/' => char::from(escape),
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => {
            let digits = json.get(*at..*at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            *at += 4;
            char::from_u32(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?)?
        }
        _ => return None,
    })
}

/// Only what is UTF-8 has strings that come as they are; most lines have nothing but ASCII.
#[inline]
pub fn is_utf8(line: &[u8]) -> bool {
    line.is_ascii() || std::str::from_utf8(line).is_ok()
}

/// The string that starts at the beginning of `json`, up to its closing quote, if it has no escapes.
#[inline]
pub fn plain_text(json: &[u8]) -> Option<&[u8]> {
    let mut notes = Notes::default();
    let end = text_end(json, 0, &mut notes)?;
    (!notes.escaped).then(|| &json[..end])
}

/// What follows an object of strings: `{"a":"b","c":""}`.
pub fn behind_texts(json: &[u8]) -> Option<&[u8]> {
    let mut rest = json.strip_prefix(b"{")?;
    if let Some(behind) = rest.strip_prefix(b"}") {
        return Some(behind);
    }
    loop {
        rest = behind_text(behind_text(rest)?.strip_prefix(b":")?)?;
        rest = match rest.split_first()? {
            (b'}', behind) => return Some(behind),
            (b',', rest) => rest,
            _ => return None,
        };
    }
}

fn behind_text(json: &[u8]) -> Option<&[u8]> {
    let json = json.strip_prefix(b"\"")?;
    json.get(text_end(json, 0, &mut Notes::default())? + 1..)
}

/// The pairs of an object that holds nothing but strings, numbers and words, without spaces. Ends early, with
/// [`Pairs::is_complete`] still false, at anything else.
pub struct Pairs<'a> {
    json: &'a [u8],
    at: usize,
    is_complete: bool,
}

/// A value: where a string's content starts.
pub enum Value<'a> {
    Text { at: usize, raw: &'a [u8], escaped: bool },
    Other,
}

impl<'a> Pairs<'a> {
    pub fn new(json: &'a [u8]) -> Pairs<'a> {
        Pairs { json, at: 0, is_complete: false }
    }

    /// Only white space follows the object's end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn step(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        let opens = if self.at == 0 { b'{' } else { b',' };
        if self.json.get(self.at) != Some(&opens) || self.json.get(self.at + 1) != Some(&b'"') {
            return None;
        }
        let key = plain_text(self.json.get(self.at + 2..)?)?;
        let colon = self.at + 2 + key.len() + 1;
        let start = colon + 1;
        if self.json.get(colon) != Some(&b':') {
            return None;
        }
        let value = match *self.json.get(start)? {
            b'"' => {
                let mut notes = Notes::default();
                let end = text_end(self.json, start + 1, &mut notes)?;
                self.at = end + 1;
                Value::Text { at: start + 1, raw: &self.json[start + 1..end], escaped: notes.escaped }
            }
            b't' | b'f' | b'n' => {
                self.at = scan::word_end(self.json, start)?;
                Value::Other
            }
            _ => {
                self.at = scan::number(self.json, start)?.1;
                Value::Other
            }
        };
        Some((key, value))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        if self.at > 0 && self.json.get(self.at) == Some(&b'}') {
            self.is_complete = self.json[self.at + 1..].trim_ascii().is_empty();
            return None;
        }
        self.step()
    }
}

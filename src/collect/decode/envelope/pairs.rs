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
            if let Some(chunk) = json.get(at..at + 8).and_then(|chunk| <[u8; 8]>::try_from(chunk).ok()) {
                buffer.get_mut(len..len + 8)?.copy_from_slice(&chunk);
                // Eight where nothing stops.
                let count = (stops(u64::from_le_bytes(chunk)).trailing_zeros() / 8) as usize;
                (at, len) = (at + count, len + count);
                if count == 8 {
                    continue;
                }
            }
            match *json.get(at)? {
                b'"' => break,
                b'\\' => match ESCAPED[usize::from(*json.get(at + 1)?)] {
                    0 => {
                        let c = by_number(json, &mut at)?;
                        if c == '\n' {
                            keep_one_lf(buffer, lf.replace(len));
                        }
                        len += c.encode_utf8(buffer.get_mut(len..)?).len();
                    }
                    byte => {
                        if byte == b'\n' {
                            keep_one_lf(buffer, lf.replace(len));
                        }
                        *buffer.get_mut(len)? = byte;
                        (at, len) = (at + 2, len + 1);
                    }
                },
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

/// What a backslash and this byte mean; 0 for a number, and for what no backslash precedes.
const ESCAPED: [u8; 256] = {
    let mut escaped = [0; 256];
    escaped[b'"' as usize] = b'"';
    escaped[b'\\' as usize] = b'\\';
    escaped[b'/' as usize] = b'/';
    escaped[b'n' as usize] = b'\n';
    escaped[b't' as usize] = b'\t';
    escaped[b'r' as usize] = b'\r';
    escaped[b'b' as usize] = 8;
    escaped[b'f' as usize] = 12;
    escaped
};

/// The character of the escape `\u003c` at `at`, which moves behind it. Surrogates are left to the parser.
fn by_number(json: &[u8], at: &mut usize) -> Option<char> {
    let digits = json.get(*at..*at + 6)?.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    *at += 6;
    char::from_u32(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?)
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

/// Walks over an object that holds nothing but strings, numbers and words, without spaces; ends early at anything else.
pub struct Pairs<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Pairs<'a> {
    pub fn new(json: &'a [u8]) -> Pairs<'a> {
        Pairs { json, at: 0 }
    }

    /// The next key; its value is to be asked for next.
    #[inline]
    pub fn key(&mut self) -> Option<&'a [u8]> {
        let opens: &[u8] = if self.at == 0 { b"{\"" } else { b",\"" };
        let rest = self.json.get(self.at..)?.strip_prefix(opens)?;
        let key = plain_text(rest)?;
        rest[key.len()..].starts_with(b"\":").then(|| {
            self.at += opens.len() + key.len() + 2;
            key
        })
    }

    /// Whether the object has ended, and only white space follows.
    pub fn is_complete(&self) -> bool {
        self.at > 0
            && self
                .json
                .get(self.at..)
                .and_then(|rest| rest.strip_prefix(b"}"))
                .is_some_and(|rest| rest.trim_ascii().is_empty())
    }

    /// The key's value, unescaped.
    pub fn unescape(&mut self, buffer: &mut Vec<u8>) -> Option<Written> {
        let start = self.opened()?;
        let (written, end) = Written::unescape(self.json, start, buffer)?;
        self.at = end + 1;
        Some(written)
    }

    /// The key's value, a string without escapes.
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let start = self.opened()?;
        let text = plain_text(&self.json[start..])?;
        self.at = start + text.len() + 1;
        Some(text)
    }

    /// Pass over the key's value.
    #[inline]
    pub fn pass(&mut self) -> Option<()> {
        self.at = match self.json.get(self.at)? {
            b'"' => text_end(self.json, self.at + 1, &mut Notes::default())? + 1,
            b't' | b'f' | b'n' => scan::word_end(self.json, self.at)?,
            _ => scan::number(self.json, self.at)?.1,
        };
        Some(())
    }

    /// Where the content of a string starts.
    fn opened(&self) -> Option<usize> {
        (self.json.get(self.at) == Some(&b'"')).then_some(self.at + 1)
    }
}

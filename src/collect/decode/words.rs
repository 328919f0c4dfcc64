//! A line is taken apart from left to right: words, text in quotes, request lines.
//! This file never knows a format.

use memchr::{memchr2, memrchr};

use super::scan::place_of;

/// Up to the next space, and from it on.
#[inline]
pub fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = place_of(text, 0, [b' ']).unwrap_or(text.len());
    text.split_at(end)
}

/// The same where a space follows, which is taken off; a word has at least one byte.
#[inline]
pub fn next_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, rest) = word(text);
    Some((word, rest.strip_prefix(b" ")?)).filter(|_| !word.is_empty())
}

/// A whole number's, at least one.
#[inline]
pub fn are_digits(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}

/// The place of the first quote that no backslash escapes.
#[inline]
pub fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// `GET /path HTTP/1.1` into method and target. What is no request line at all (TLS sent to a plain port,
/// a connection closed before it said anything) gives two empty texts.
pub fn split_request(request: &[u8]) -> (&[u8], &[u8]) {
    let Some(space) = place_of(request, 0, [b' ']) else { return (b"", b"") };
    let (method, rest) = (&request[..space], &request[space + 1..]);
    match memrchr(b' ', rest) {
        Some(last) if rest[last + 1..].starts_with(b"HTTP/") => (method, &rest[..last]),
        _ => (method, rest),
    }
}

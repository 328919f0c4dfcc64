//! A journal entry's cursor, as journalctl prints it and takes it: where the entry is, and what tells it from any other.
//! This file never runs anything.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use memchr::memmem;

/// How an entry's cursor stands in its line. Within a value the quotes would be escaped, so this is the key itself.
pub(super) const KEY: &[u8] = b"\"__CURSOR\":\"";
/// No cursor is longer: six numbers, two of them of 32 digits.
pub(super) const BYTES_MAX: usize = 256;

/// Which entry this is: the number that journald gave it in a chain of files, and what it says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The chain: files that continue each other's numbers.
    pub chain: u128,
    pub number: u64,
    boot: u128,
    monotonic_us: u64,
    realtime_us: u64,
    hash: u64,
}

impl Cursor {
    /// The cursor in a line of `journalctl -o json`.
    pub(super) fn of_line(line: &[u8]) -> Option<Cursor> {
        let from = memmem::find(line, KEY)? + KEY.len();
        let text = &line[from..line.len().min(from + BYTES_MAX)];
        std::str::from_utf8(&text[..memchr::memchr(b'"', text)?]).ok()?.parse().ok()
    }

    /// Whether both are the same entry: the same number in the same chain, or a copy in another chain, as journald makes
    /// when it moves its journal from memory to disk.
    pub(super) fn is_of(&self, other: &Cursor) -> bool {
        let itself = |of: &Cursor| (of.boot, of.monotonic_us, of.realtime_us, of.hash);
        (self.chain, self.number) == (other.chain, other.number) || itself(self) == itself(other)
    }

    /// When journald received it.
    pub(super) fn received(&self) -> DateTime<Utc> {
        instant(self.realtime_us)
    }
}

/// Microseconds since 1970, held within the calendar.
pub(super) fn instant(realtime_us: u64) -> DateTime<Utc> {
    let us = i64::try_from(realtime_us).unwrap_or(i64::MAX);
    DateTime::from_timestamp_micros(us).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Cursor, ()> {
        let part = |name: &str| {
            let value = text.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).ok_or(())?;
            u128::from_str_radix(value, 16).map_err(|_| ())
        };
        let number = |name| part(name)?.try_into().map_err(|_| ());
        Ok(Cursor {
            chain: part("s")?,
            number: number("i")?,
            boot: part("b")?,
            monotonic_us: number("m")?,
            realtime_us: number("t")?,
            hash: number("x")?,
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cursor { chain, number, boot, monotonic_us, realtime_us, hash } = self;
        write!(formatter, "s={chain:032x};i={number:x};b={boot:032x};m={monotonic_us:x};t={realtime_us:x};x={hash:x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As journalctl 252 prints it.
    const TEXT: &str = "s=53a9ad9992bd449ca7f0ff7f9cdca719;i=2;b=0123456789abcdef0123456789abcdef;m=1e8480;\
                        t=660edd1a48640;x=1f5df236a95447d";

    fn cursor() -> Cursor {
        TEXT.parse().expect("a cursor")
    }

    #[test]
    fn a_cursor_is_given_back_as_it_was_printed() {
        assert_eq!(cursor().to_string(), TEXT);
        assert_eq!(cursor().received().to_rfc3339(), "2026-11-23T09:00:01+00:00");
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "s=1", "garbage", &TEXT.replace("i=2", "i=two"), &TEXT.replace("t=6", "t=1111111111111116")] {
            assert_eq!(text.parse::<Cursor>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_message_cannot_pass_itself_off_as_a_cursor() {
        let line = format!("{{\"MESSAGE\":\"{{\\\"__CURSOR\\\":\\\"s=0\\\"}}\",\"__CURSOR\":\"{TEXT}\",\"B\":\"\"}}");
        assert_eq!(Cursor::of_line(line.as_bytes()), Some(cursor()));
        assert_eq!(Cursor::of_line(b"-- No entries --"), None);
    }

    #[test]
    fn an_entry_that_was_copied_to_another_chain_is_the_same_entry() {
        let copy = Cursor { chain: 7, number: 9, ..cursor() };
        assert!(copy.is_of(&cursor()));
        assert!(!Cursor { hash: 1, ..copy }.is_of(&cursor()));
        assert!(Cursor { hash: 1, ..cursor() }.is_of(&cursor()));
    }
}

//! logfmt: `key=value key="a value"`, behind any prefix that tells the time, within any span's braces.
//! This file never unescapes a value.

use std::sync::Arc;

use hashbrown::HashMap;
use memchr::{memchr, memchr2, memrchr};

use super::field::{self, Aliases, Field, Rank, Unit};
use super::fields::{Fields, Verdict};

/// From this many pairs on, one of them known, a line can only be logfmt.
const PAIRS_MIN: usize = 3;
/// Keys that are remembered; beyond, each is compared anew.
const KEYS_MAX: usize = 1_000;
/// Pairs of a line whose keys are looked for where they were in the line before.
const PLACES_MAX: usize = 64;

/// Reads logfmt by the aliases of a source.
pub struct Logfmt {
    aliases: Arc<Aliases>,
    /// What keys say, as they are written.
    known: HashMap<Box<[u8]>, Option<Rank>>,
    /// The keys of the line before, by their place: most lines have the same there.
    last: Vec<(Vec<u8>, Option<Rank>)>,
    path: String,
}

impl Logfmt {
    pub fn new(aliases: Arc<Aliases>) -> Logfmt {
        Logfmt { aliases, known: HashMap::new(), last: Vec::new(), path: String::new() }
    }

    /// Read a line. One without pairs is of a log that people read, too, and reports no request; one whose last text has
    /// no end was cut, and one that is an object is of another format.
    pub fn read<'a>(&mut self, line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
        if line.trim_ascii_start().starts_with(b"{") {
            return Verdict::Malformed;
        }
        let mut pairs = Pairs::new(line);
        let mut prefix = None;
        let mut timed = false;
        for place in 0.. {
            let Some(pair) = pairs.next() else { break };
            prefix.get_or_insert(&line[..pair.start]);
            if let Some(rank) = self.rank(place, pair.key) {
                let rank = meant(rank, pair.value);
                timed |= rank.field == Field::Time;
                fields.push_ranked(rank, pair.value);
            }
            fields.escaped |= pair.escaped;
        }
        if pairs.cut {
            return Verdict::Malformed;
        }
        if let (false, Some(stamp)) = (timed, prefix.and_then(leading_stamp)) {
            fields.push(Field::Time, stamp);
        }
        fields.sort_last_first();
        Verdict::Read
    }

    /// Whether this can only be logfmt.
    pub fn is_logfmt(&mut self, line: &[u8]) -> bool {
        let mut pairs = Pairs::new(line);
        let (mut count, mut known) = (0, false);
        while let Some(pair) = pairs.next() {
            known |= self.rank(count, pair.key).is_some();
            count += 1;
        }
        count >= PAIRS_MIN && known && !pairs.cut
    }

    /// What this key says, the `place`th of its line.
    #[inline]
    fn rank(&mut self, place: usize, key: &[u8]) -> Option<Rank> {
        match self.last.get(place) {
            Some((last, rank)) if last == key => *rank,
            _ => self.changed(place, key),
        }
    }

    #[cold]
    fn changed(&mut self, place: usize, key: &[u8]) -> Option<Rank> {
        let rank = self.looked_up(key);
        if place < PLACES_MAX {
            // Places come in order, so at most one is missing.
            if place >= self.last.len() {
                self.last.resize_with(place + 1, || (Vec::new(), None));
            }
            let (last, said) = &mut self.last[place];
            last.clear();
            last.extend_from_slice(key);
            *said = rank;
        }
        rank
    }

    fn looked_up(&mut self, key: &[u8]) -> Option<Rank> {
        if let Some(rank) = self.known.get(key) {
            return *rank;
        }
        self.path.clear();
        // A key is ASCII.
        field::push_key(&mut self.path, std::str::from_utf8(key).unwrap_or("\0"));
        let rank = self.aliases.rank(&self.path);
        if self.known.len() < KEYS_MAX {
            self.known.insert(key.into(), rank);
        }
        rank
    }
}

/// A router says how long its service took where others say which service it was: no service is called `18ms`.
#[inline]
fn meant(rank: Rank, value: &[u8]) -> Rank {
    match value.strip_suffix(b"ms") {
        Some(digits) if rank.field == Field::Service && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            Rank::in_unit(Field::Duration, Unit::Millis)
        }
        _ => rank,
    }
}

/// The stamp that a line begins with: `2026-11-22T21:54:16.4Z INFO …`, `[2026-11-22 21:54:16,4] …`.
fn leading_stamp(prefix: &[u8]) -> Option<&[u8]> {
    let start = prefix.iter().take(PREFIX_BYTES_MAX).position(u8::is_ascii_digit)?;
    let rest = &prefix[start..];
    let digits = |range: std::ops::Range<usize>| rest.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let dated = digits(0..4) && digits(5..7) && digits(8..10) && digits(11..13) && digits(14..16);
    if !dated || !matches!(rest[10], b'T' | b't' | b' ') {
        return None;
    }
    let is_part = |byte: u8| byte.is_ascii_digit() || b":.,+-Zz".contains(&byte);
    let end = rest[11..].iter().position(|byte| !is_part(*byte)).map_or(rest.len(), |end| 11 + end);
    // `2026-11-22 21:54:16: …`
    Some(rest[..end].trim_suffix_bytes())
}

/// A stamp is at the front, behind a bracket or a colour.
const PREFIX_BYTES_MAX: usize = 16;

//! Remembers which label set raw bytes meant, so that most lines need no look at their labels at all.
//! This file never interprets a byte; equal bytes of equal kind get the answer they got before.

use super::label::LabelSet;
use crate::collect::request::Skip;

/// Entries; a power of two. With two places an entry, some hundred combinations live side by side.
const ENTRIES: usize = 1 << 12;
/// Longer labels are not remembered, which bounds the cache at about this times [`ENTRIES`].
const KEY_BYTES_MAX: usize = 1 << 10;

/// What the labels said: a request's set, or why the line reports none.
pub type Meaning = Result<LabelSet, Skip>;

#[derive(Clone)]
struct Entry {
    hash: u64,
    /// Each slice behind its length; empty where the entry is unused.
    key: Vec<u8>,
    meaning: Meaning,
}

pub struct Cache {
    entries: Vec<Entry>,
}

impl Cache {
    pub fn new() -> Cache {
        // Made with the first entry: detection makes many decoders that never fill one.
        Cache { entries: Vec::new() }
    }

    /// A hash of the slices; `kind` tells lines apart whose equal slices mean different things.
    #[inline]
    pub fn hash<'a>(kind: u64, slices: impl Iterator<Item = &'a [u8]>) -> u64 {
        slices.fold(mix(kind, !0), |hash, slice| {
            let (pairs, rest) = slice.as_chunks::<16>();
            let hash = pairs.iter().fold(hash, |hash, pair| {
                let pair = u128::from_le_bytes(*pair);
                // The two halves, on purpose.
                mix(hash ^ pair as u64, (pair >> 64) as u64)
            });
            let (first, last) = ends(rest);
            mix(hash ^ first, last ^ slice.len() as u64)
        })
    }

    #[inline]
    pub fn get<'a>(&self, hash: u64, kind: u64, slices: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Meaning> {
        let place = place(hash);
        [place, place ^ 1].into_iter().find_map(|place| {
            let entry = self.entries.get(place)?;
            (entry.hash == hash && is_key(&entry.key, kind, slices.clone())).then_some(entry.meaning)
        })
    }

    pub fn insert<'a>(
        &mut self,
        hash: u64,
        kind: u64,
        slices: impl Iterator<Item = &'a [u8]> + Clone,
        meaning: Meaning,
    ) {
        let length_bytes = slices.clone().map(|slice| 4 + slice.len()).sum::<usize>();
        if length_bytes > KEY_BYTES_MAX {
            return;
        }
        if self.entries.is_empty() {
            self.entries.resize(ENTRIES, Entry { hash: 0, key: Vec::new(), meaning: Err(Skip::Blank) });
        }
        let place = place(hash);
        self.entries.swap(place, place ^ 1);
        let Some(entry) = self.entries.get_mut(place) else { return };
        entry.hash = hash;
        entry.meaning = meaning;
        entry.key.clear();
        entry.key.reserve(8 + length_bytes);
        entry.key.extend_from_slice(&kind.to_le_bytes());
        for slice in slices {
            entry.key.extend_from_slice(&length(slice));
            entry.key.extend_from_slice(slice);
        }
    }
}

#[inline]
fn place(hash: u64) -> usize {
    // The mask leaves a number below ENTRIES.
    hash as usize & (ENTRIES - 1)
}

/// A product's halves hold all bits of both factors; folded, each bit depends on all.
#[inline]
fn mix(one: u64, other: u64) -> u64 {
    let product = u128::from(one ^ 0x9e37_79b9_7f4a_7c15) * u128::from(other ^ 0xd1b5_4a32_d192_ed03);
    (product ^ (product >> 64)) as u64
}

/// The first and the last bytes of fewer than 16, overlapping; together they hold every byte.
#[inline]
fn ends(rest: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else if let [first, .., last] = rest {
        (u64::from(*first) << 8 | u64::from(rest[rest.len() / 2]), u64::from(*last))
    } else {
        (rest.first().map_or(0, |byte| u64::from(*byte)), 0)
    }
}

/// Slices longer than a u32 can say are longer than [`KEY_BYTES_MAX`] and never stored.
#[inline]
fn length(slice: &[u8]) -> [u8; 4] {
    u32::try_from(slice.len()).unwrap_or(u32::MAX).to_le_bytes()
}

#[inline]
fn is_key<'a>(key: &[u8], kind: u64, mut slices: impl Iterator<Item = &'a [u8]>) -> bool {
    let Some(rest) = key.strip_prefix(&kind.to_le_bytes()) else { return false };
    let rest = slices.try_fold(rest, |rest, slice| rest.strip_prefix(&length(slice))?.strip_prefix(slice));
    rest.is_some_and(<[u8]>::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_told_apart_by_kind_content_and_boundary() {
        let mut cache = Cache::new();
        let keys: [(u64, Vec<&[u8]>); 5] = [
            (0, vec![b"ab", b"c"]),
            (0, vec![b"a", b"bc"]),
            (1, vec![b"ab", b"c"]),
            (0, vec![b"ab", b"c", b""]),
            (0, vec![b"0123456789abcdef"]),
        ];
        for (kind, slices) in &keys {
            let hash = Cache::hash(*kind, slices.iter().copied());
            assert_eq!(cache.get(hash, *kind, slices.iter().copied()), None);
            cache.insert(hash, *kind, slices.iter().copied(), Err(Skip::NotARequest));
            assert_eq!(cache.get(hash, *kind, slices.iter().copied()), Some(Err(Skip::NotARequest)));
        }
        // A wrong answer would need more than an equal hash.
        let hash = Cache::hash(0, keys[0].1.iter().copied());
        assert_eq!(cache.get(hash, 0, keys[1].1.iter().copied()), None);
    }

    #[test]
    fn a_long_label_is_not_kept() {
        let mut cache = Cache::new();
        let long = vec![b'x'; KEY_BYTES_MAX + 1];
        cache.insert(7, 0, std::iter::once(&long[..]), Err(Skip::NotARequest));
        assert_eq!(cache.get(7, 0, std::iter::once(&long[..])), None);
    }
}

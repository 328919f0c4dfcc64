//! The text between two values, and whether it stands somewhere.
//! This file never knows what the values around it are.

/// Text that must follow.
#[derive(Debug)]
pub struct Literal {
    pub bytes: Box<[u8]>,
    /// The first and the last eight bytes as words: most literals are compared by these alone.
    first: u64,
    last: u64,
    /// Keeps of `first` the bytes there are.
    mask: u64,
}

impl Literal {
    pub fn new(bytes: &[u8]) -> Literal {
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let short = bytes.len().min(8);
        Literal {
            bytes: bytes.into(),
            first: word(&bytes[..short]),
            last: word(&bytes[bytes.len() - short..]),
            mask: if short == 8 { u64::MAX } else { (1 << (8 * short)) - 1 },
        }
    }

    /// Where it ends, if it stands at `at`.
    #[inline(always)]
    pub fn end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let end = at + self.bytes.len();
        let same = match bytes.get(at..at + 8) {
            None => bytes.get(at..end)? == &*self.bytes,
            Some(first) if load(first) & self.mask != self.first => false,
            Some(_) if self.bytes.len() <= 8 => true,
            Some(_) if self.bytes.len() <= 16 => load(bytes.get(end - 8..end)?) == self.last,
            Some(_) => bytes.get(at..end)? == &*self.bytes,
        };
        same.then_some(end)
    }
}

#[inline(always)]
fn load(eight: &[u8]) -> u64 {
    eight.try_into().map_or(0, u64::from_le_bytes)
}

//! Lines become rows: one file a format family.

use super::request::Decoded;
use super::{Chunk, Format, Reading};

/// Reads lines one way. Learned templates and label caches live here, so keep one a worker and reading.
pub struct Decoder {}

impl Decoder {
    /// `reading` has its format and service settled.
    pub fn new(_reading: &Reading, _default_service: &std::sync::Arc<str>) -> Decoder {
        todo!()
    }

    /// Add one row a request in `bytes`, which is `chunk`'s content, and account for every line.
    pub fn decode(&mut self, _bytes: &[u8], _chunk: &Chunk, _decoded: &mut Decoded) {
        todo!()
    }
}

/// What a log's first lines look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detection {
    /// No line to judge by yet.
    Empty,
    Found(Format),
    /// One sentence that says what the lines look like and what daycap can read.
    Unknown(String),
}

/// Judge whole lines from a log's head.
pub fn detect(_head: &[u8]) -> Detection {
    todo!()
}

//! Follows logs and gives chunks of whole lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log::{LogId, LogMark};
use super::{Chunk, Reading, Source};

/// How much is read at once.
pub const CHUNK_BYTES: usize = 1 << 20;
/// A line longer than this counts once, but only its first bytes are decoded.
pub const LINE_BYTES_MAX: usize = CHUNK_BYTES;

/// A log known from an earlier run. `resume` is where reading goes on; it is below `mark.offset` only
/// where state was lost and lines are read again to be skipped by their day's mark.
#[derive(Clone, Debug)]
pub struct Known {
    pub mark: LogMark,
    pub resume: u64,
}

/// A chunk, and whose it is.
#[derive(Clone, Debug)]
pub struct Piece {
    pub log: LogId,
    /// Index into the sources.
    pub source: usize,
    /// The source's reading with format and service settled for this log.
    pub reading: Arc<Reading>,
    /// The log's file name up to its first dot: the service of lines that name none.
    pub default_service: Arc<str>,
    pub chunk: Chunk,
}

/// Something that keeps a path from being read; said once, when it appears and when it goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub source: usize,
    /// The path or pattern.
    pub path: String,
    /// What is wrong and the remedy, in one sentence.
    pub what: String,
}

/// How far a source's logs are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceProgress {
    pub logs: u64,
    /// Bytes that are there and not yet read.
    pub lag_bytes: u64,
}

pub struct Tail {}

impl Tail {
    pub fn new(_sources: Vec<Source>, _known: Vec<Known>) -> Tail {
        todo!()
    }

    /// Look at the disk: new, renamed, rotated, truncated and vanished logs.
    pub fn scan(&mut self) {
        todo!()
    }

    /// The next whole lines of any log, into `buffer` (emptied first); `None` when all are read to their end.
    pub fn next_chunk(&mut self, _buffer: &mut Vec<u8>) -> Option<Piece> {
        todo!()
    }

    /// The mark of each log at its present position.
    pub fn marks(&self) -> BTreeMap<LogId, LogMark> {
        todo!()
    }

    /// The directories worth watching.
    pub fn directories(&self) -> std::collections::BTreeSet<std::path::PathBuf> {
        todo!()
    }

    pub fn problems(&self) -> Vec<Problem> {
        todo!()
    }

    /// One entry a source, in order.
    pub fn progress(&self) -> Vec<SourceProgress> {
        todo!()
    }
}

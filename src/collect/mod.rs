//! Bytes on disk become requests: [`watch`] says when to look, `find` lists the files a source names,
//! [`log`] says which content a file holds, [`tail`] follows it and gives chunks of whole lines ([`reader`]
//! does so once, to its end), [`decode`] turns a chunk into the columns of [`request`].
//! Nothing here counts, and nothing here reads a clock.

pub mod watch;
pub mod rotation;
pub mod find;
mod ladder;
pub mod log;
pub mod lines;
mod packed;
mod content;
mod archive;
mod follow;
mod heads;
pub mod settle;
mod judge;
mod past;
pub mod loss;
mod scan;
mod hints;
mod arrival;
pub mod stream;
mod journal;
pub mod tail;
pub mod reader;
pub mod decode;
pub mod format;
pub mod count_from;
pub mod request;
pub mod observed;
#[cfg(test)]
pub(crate) mod torn;

use std::sync::Arc;

use chrono_tz::Tz;

use crate::day::Minute;

pub use count_from::CountFrom;
pub use decode::mapping::Mapping;
pub use format::{ENVELOPES_MAX, Envelope, Family, Format};

pub use arrival::Arrival;
pub use journal::Journal;

/// One `[[source]]`: which files, and how their lines are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name that metrics and messages use: the first path pattern unless configured.
    pub name: String,
    /// Paths and glob patterns (`*`, `?`, `[..]`, `{a,b}`, `**`).
    pub paths: Vec<String>,
    /// What is read of systemd's journal, instead of files.
    pub journal: Option<Journal>,
    pub reading: Reading,
    pub start: Start,
}

/// Where a log that was there before daycap is first read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Beginning,
    End,
}

/// How lines are read. `None` means: what the log itself says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    /// `None`: found from the log's first lines.
    pub format: Option<Format>,
    /// `None`: the line's own field, else the log's file name up to its first dot.
    pub service: Option<Arc<str>>,
    pub key: Option<Arc<str>>,
    pub api: Option<Arc<str>>,
    /// The zone of time stamps that state none.
    pub zone: Tz,
    /// What the source says of its own fields.
    pub mapping: Option<Arc<Mapping>>,
    pub count_from: CountFrom,
}

impl Reading {
    /// Everything as the log itself says.
    pub fn unsettled(zone: Tz) -> Reading {
        Reading { format: None, service: None, key: None, api: None, zone, mapping: None, count_from: CountFrom::Auto }
    }
}

/// Whole lines of one log, in a caller's buffer: each line ends in LF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The log's content offset of the first byte.
    pub start: u64,
    /// The offset just past the last line. Equals `start` + the buffer's length, but for a line longer
    /// than [`tail::LINE_BYTES_MAX`], which comes alone, cut short, and still counts once.
    pub end: u64,
    /// No line in it was written later, as far as is known: by this, a stamp that states no year gets one. A log that
    /// is read again later may have been written to since; that changes a year only if one has passed.
    pub written: Option<Minute>,
}

impl Chunk {
    /// Its first lines, `end` bytes of them; all of it where those would be none.
    fn cut_back(self, lines: &mut Vec<u8>, end: usize) -> Chunk {
        if end == 0 || end >= lines.len() {
            return self;
        }
        lines.truncate(end);
        Chunk { end: self.start + end as u64, ..self }
    }
}

//! Pieces of a line become the line again, each stream for itself.
//! This file never tells which pieces belong together; within a chunk, those of a stream follow each other.

use super::{Around, Stream};
use crate::collect::format::ENVELOPES_MAX;

/// Memory kept for the next line that comes in pieces.
const KEPT_BYTES: usize = 64 << 10;

#[derive(Default)]
pub struct Joins {
    streams: [Join; 2],
}

/// At most as long as a chunk.
#[derive(Default)]
struct Join {
    is_open: bool,
    /// Where the first piece's line starts in the log.
    start: u64,
    text: Vec<u8>,
    /// What the envelopes around the first piece say.
    stamps: [Vec<u8>; ENVELOPES_MAX],
    service: Vec<u8>,
}

impl Joins {
    #[inline]
    pub fn is_open(&self, stream: Stream) -> bool {
        self.streams[stream as usize].is_open
    }

    /// The stream whose open line is the first in the log.
    pub fn first_open(&self) -> Option<Stream> {
        let open = [Stream::Out, Stream::Err].into_iter().filter(|stream| self.is_open(*stream));
        open.min_by_key(|stream| self.streams[*stream as usize].start)
    }

    pub fn add(&mut self, stream: Stream, piece: &Around<'_>, start: u64) {
        let join = &mut self.streams[stream as usize];
        if !join.is_open {
            join.begin(piece, start);
        }
        // A piece that comes with the line end of the log's line has none of its own.
        let text = if piece.piece.is_some_and(|piece| piece.goes_on) { without_lf(piece.line) } else { piece.line };
        join.text.extend_from_slice(text);
    }

    /// Make an open line this long, with spaces behind it.
    pub fn pad(&mut self, stream: Stream, bytes: usize) {
        let text = &mut self.streams[stream as usize].text;
        text.resize(bytes.max(text.len()), b' ');
    }

    /// An open line as far as it is there, and where it starts in the log.
    pub fn close(&mut self, stream: Stream) -> (Around<'_>, u64) {
        let join = &mut self.streams[stream as usize];
        join.is_open = false;
        if !join.text.ends_with(b"\n") {
            join.text.push(b'\n');
        }
        let mut around = Around { line: &join.text, service: &join.service, ..Around::default() };
        for (stamp, kept) in around.stamps.iter_mut().zip(&join.stamps) {
            *stamp = kept;
        }
        (around, join.start)
    }
}

impl Join {
    fn begin(&mut self, first: &Around<'_>, start: u64) {
        (self.is_open, self.start) = (true, start);
        self.text.clear();
        self.text.shrink_to(KEPT_BYTES);
        for (kept, stamp) in self.stamps.iter_mut().zip(first.stamps) {
            set(kept, stamp);
        }
        set(&mut self.service, first.service);
    }
}

fn set(kept: &mut Vec<u8>, bytes: &[u8]) {
    kept.clear();
    kept.extend_from_slice(bytes);
}

fn without_lf(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

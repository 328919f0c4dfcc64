//! Standard input as a log that is followed: one thread fills a bounded buffer, which becomes chunks of whole lines. Who
//! writes waits while it is full.
//!
//! What was read from a pipe cannot be read again. So a stream is a new log in every run, and lines that a killed process
//! had read and not saved are lost.
//! This file never decides when to read.

use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::decode::{Detection, Found, closed_end};
use super::ladder::Ladder;
use super::log::{Fingerprint, LogId, LogMark};
use super::settle::{Detect, combine};
use super::tail::{CHUNK_BYTES, LINE_BYTES_MAX, Piece, Problem};
use super::{Arrival, Chunk, Format, Reading, Source};
use crate::day::Minute;

/// Standard input's name on the command line.
pub const STDIN: &str = "-";

/// Whether this source is standard input, or that is a part of it.
pub fn is_stdin(source: &Source) -> bool {
    source.paths.iter().any(|path| path == STDIN)
}

/// Held for whoever takes chunks; beyond, the writer waits.
const BUFFER_BYTES_MAX: usize = 8 << 20;
/// Read at once.
const READ_BYTES: usize = 64 << 10;

/// What one thread fills and another one empties.
pub struct Stream {
    id: LogId,
    content: Mutex<Content>,
    taken: Condvar,
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    /// The offset of the first byte.
    start: u64,
    has_ended: bool,
    error: Option<String>,
    /// The rest of an over-long line is passed over, up to its LF.
    passes_over: bool,
}

impl Stream {
    /// A stream has nothing to be known by but when it began.
    pub fn new(began: DateTime<Utc>) -> Stream {
        let began = began.timestamp_nanos_opt().unwrap_or_default();
        Stream { id: LogId::of_stream(began), content: Mutex::default(), taken: Condvar::new() }
    }

    /// Read to the end. `wake` is called when there is something new.
    pub fn fill(&self, input: &mut impl Read, wake: impl Fn()) {
        let mut buffer = vec![0; READ_BYTES];
        let error = loop {
            match input.read(&mut buffer) {
                Ok(0) => break None,
                Ok(read) => self.add(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Some(format!("cannot be read any more: {error}")),
            }
            wake();
        };
        let mut content = self.lock();
        (content.has_ended, content.error) = (true, error);
        drop(content);
        wake();
    }

    fn add(&self, bytes: &[u8]) {
        let is_full = |content: &mut Content| content.bytes.len() >= BUFFER_BYTES_MAX;
        let content = self.taken.wait_while(self.lock(), is_full);
        content.unwrap_or_else(PoisonError::into_inner).add(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // No change is half made while it is held.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn add(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.passes_over {
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            self.passes_over = !bytes[..end].ends_with(b"\n");
            // Only while nothing is held: the over-long line was all there was.
            self.start += end as u64;
            rest = &bytes[end..];
        }
        self.bytes.extend_from_slice(rest);
    }

    /// How many bytes of whole lines can be taken now.
    fn whole(&self) -> usize {
        let held = &self.bytes[..self.bytes.len().min(CHUNK_BYTES)];
        memchr::memrchr(b'\n', held).map_or(0, |at| at + 1)
    }

    /// The next whole lines, none of them in pieces of which some are yet to come.
    fn take(&mut self, buffer: &mut Vec<u8>, format: Format, now: Minute) -> Option<Chunk> {
        buffer.clear();
        let start = self.start;
        let whole = self.closed(self.whole(), format);
        if whole > 0 {
            buffer.extend(self.bytes.drain(..whole));
            self.start += whole as u64;
        } else if self.bytes.len() >= LINE_BYTES_MAX {
            self.cut(buffer);
        } else if self.has_ended && !self.bytes.is_empty() {
            // Nobody will complete it.
            self.start += self.bytes.len() as u64;
            buffer.append(&mut self.bytes);
            buffer.push(b'\n');
        } else {
            return None;
        }
        Some(Chunk { start, end: self.start, written: Some(now) })
    }

    /// How many of these bytes of whole lines end where no line is in pieces. Pieces that are more than a chunk, or that
    /// nobody will complete, are given as they are.
    fn closed(&self, whole: usize, format: Format) -> usize {
        match closed_end(&self.bytes[..whole], format) {
            0 if self.bytes.len() >= CHUNK_BYTES || self.has_ended => whole,
            end => end,
        }
    }

    /// The beginning of an over-long line counts; its rest is passed over.
    fn cut(&mut self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.bytes[..LINE_BYTES_MAX - 1]);
        buffer.push(b'\n');
        let held = std::mem::take(&mut self.bytes);
        self.passes_over = true;
        self.start += (LINE_BYTES_MAX - 1) as u64;
        self.add(&held[LINE_BYTES_MAX - 1..]);
    }
}

/// The stream, as a source's log.
pub(super) struct FollowedStream {
    source: usize,
    reading: Reading,
    settled: Option<Arc<Reading>>,
    /// By what it is settled so far; `None` once it is sure.
    judged: Option<Found>,
    stream: Arc<Stream>,
    trouble: Option<String>,
}

impl FollowedStream {
    pub(super) fn new(index: usize, source: &Source, stream: Arc<Stream>) -> FollowedStream {
        let reading = source.reading.clone();
        let settled = reading.format.map(|_| Arc::new(reading.clone()));
        FollowedStream { source: index, reading, settled, judged: None, stream, trouble: None }
    }

    /// The next whole lines; they have arrived by now.
    pub(super) fn next_chunk(&mut self, buffer: &mut Vec<u8>, now: DateTime<Utc>, detect: Detect) -> Option<Piece> {
        let stream = self.stream.clone();
        let mut content = stream.lock();
        self.settle(&mut content, detect);
        let reading = self.settled.clone()?;
        let minute = Minute::at(now);
        let chunk = content.take(buffer, reading.format.unwrap_or(Format::JSON), minute)?;
        stream.taken.notify_one();
        let arrival = Some(Arrival { minute, live_from: 0, counted_to: 0 });
        let default_service = "stdin".into();
        Some(Piece { log: stream.id, source: self.source, reading, default_service, chunk, arrival })
    }

    fn settle(&mut self, content: &mut Content, detect: Detect) {
        if self.settled.is_some() && self.judged.is_none() {
            return;
        }
        let lines = if content.has_ended { content.bytes.len() } else { content.whole() };
        let detection = detect(&content.bytes[..lines], &self.reading);
        let is_empty = detection == Detection::Empty;
        match combine(self.judged.filter(|found| found.candidates > 0), true, detection) {
            _ if is_empty => self.trouble = None,
            Ok(found) => {
                let count_from =
                    if self.reading.count_from.is_auto() { found.count_from } else { self.reading.count_from };
                let format = Some(found.format);
                self.settled = Some(Arc::new(Reading { format, count_from, ..self.reading.clone() }));
                self.judged = Some(found).filter(|found| !found.is_sure());
                self.trouble = None;
            }
            Err(what) => {
                self.settled = None;
                let what = what.trim_end_matches('.');
                self.trouble = Some(format!("{what}; nothing of it is counted yet: pipe it to `daycap explain -`"));
            }
        }
        if self.settled.is_none() && (content.bytes.len() >= CHUNK_BYTES || content.has_ended) {
            // Who writes must not wait for ever.
            content.start += content.bytes.len() as u64;
            content.bytes.clear();
            self.stream.taken.notify_one();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        let content = self.stream.lock();
        content.has_ended && content.bytes.is_empty()
    }

    pub(super) fn lag(&self) -> (usize, u64) {
        (self.source, self.stream.lock().bytes.len() as u64)
    }

    pub(super) fn problem(&self) -> Option<Problem> {
        let what = self.stream.lock().error.clone().or_else(|| self.trouble.clone())?;
        Some(Problem { source: self.source, path: STDIN.to_owned(), what, keeps_unread: true })
    }

    pub(super) fn mark(&self) -> LogMark {
        LogMark {
            id: self.stream.id,
            path: STDIN.to_owned(),
            device: 0,
            inode: 0,
            born_ns: None,
            head: Fingerprint::default(),
            begun: 0,
            offset: self.stream.lock().start,
            anchor: Fingerprint::default(),
            ladder: Ladder::default(),
            open: false,
            missing_since: None,
            format: self.settled.as_ref().and_then(|reading| reading.format),
            count_from: Default::default(),
            cursor: None,
            backlog: 0,
            arrived: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Stream::new(DateTime::UNIX_EPOCH)
    }

    /// What is given out of these reads, with its offsets; `end`: the stream has ended behind them.
    fn check(reads: &[&[u8]], end: bool) -> Vec<(u64, u64, usize)> {
        let stream = stream();
        reads.iter().for_each(|bytes| stream.add(bytes));
        stream.lock().has_ended = end;
        let (mut buffer, mut given) = (Vec::new(), Vec::new());
        while let Some(Chunk { start, end, .. }) = stream.lock().take(&mut buffer, Format::JSON, Minute(0)) {
            assert!(buffer.ends_with(b"\n"));
            given.push((start, end, buffer.len()));
        }
        given
    }

    #[test]
    fn half_a_line_waits_for_its_end_or_for_the_stream_s() {
        assert_eq!(check(&[b"one\ntw"], false), [(0, 4, 4)]);
        assert_eq!(check(&[b"one\ntw", b"o\n"], false), [(0, 8, 8)]);
        assert_eq!(check(&[b"one\ntw"], true), [(0, 4, 4), (4, 6, 3)]);
        assert_eq!(check(&[], true), []);
    }

    #[test]
    fn an_over_long_line_counts_by_its_beginning_and_the_next_one_is_whole() {
        let long = vec![b'x'; LINE_BYTES_MAX + 10];
        let past = LINE_BYTES_MAX as u64;
        for end in [false, true] {
            let given = check(&[&long, b"xx\n", b"next\n"], end);
            let [(0, _, LINE_BYTES_MAX), (start, _, 5)] = given[..] else { panic!("{given:?}") };
            assert_eq!(start, past + 13);
        }
    }

    #[test]
    fn who_writes_waits_while_the_buffer_is_full() {
        let stream = stream();
        let line = [b'x'; 99].into_iter().chain([b'\n']).collect::<Vec<_>>();
        let input = line.repeat(3 * BUFFER_BYTES_MAX / line.len());
        std::thread::scope(|scope| {
            let filling = scope.spawn(|| stream.fill(&mut input.as_slice(), || ()));
            let (mut buffer, mut bytes) = (Vec::new(), 0);
            while bytes < input.len() {
                let mut content = stream.lock();
                assert!(content.bytes.len() < BUFFER_BYTES_MAX + READ_BYTES);
                let taken = content.take(&mut buffer, Format::JSON, Minute(0));
                drop(content);
                stream.taken.notify_one();
                bytes += taken.map_or(0, |_| buffer.len());
            }
            filling.join().unwrap();
        });
        assert!(stream.lock().has_ended);
    }
}

//! Raw logs become a report, without any state: each is read once from beginning to end, chunks are
//! decoded side by side. This file never writes, and remembers nothing.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, bail};

use crate::collect::decode::{Detection, detect};
use crate::collect::reader::Reader;
use crate::collect::request::Lines;
pub use crate::collect::stream::STDIN;
use crate::collect::{Chunk, Format, Reading, rotation};
use crate::count::query::{Counting, Query, Report};
use crate::harvest::Decoders;

/// What was read, beside the report itself.
#[derive(Debug, Default)]
pub struct Read {
    pub lines: Lines,
    /// Logs whose last line has no end yet; it is not counted.
    pub unterminated: Vec<String>,
}

/// Count these logs. `progress(bytes)` is told how many bytes have been read since it was last told.
pub fn report(
    paths: &[String],
    reading: &Reading,
    query: &Query,
    host: &str,
    progress: &(dyn Fn(u64) + Sync),
) -> anyhow::Result<(Report, Read)> {
    let queue = Queue::new(open_all(paths, reading)?);
    let workers = thread::available_parallelism().map_or(1, |count| count.get());
    let counted: Vec<_> = thread::scope(|scope| {
        let work = || scope.spawn(|| Worker::new(query, host).work(&queue, progress));
        let running: Vec<_> = (0..workers).map(|_| work()).collect();
        let joined =
            running.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.collect::<Result<_, _>>()
    })?;
    let mut read = Read { unterminated: queue.unterminated(), ..Read::default() };
    let mut total: Option<Counting> = None;
    for (counting, lines) in counted {
        read.lines.add(&lines);
        match &mut total {
            Some(total) => total.merge(counting),
            None => total = Some(counting),
        }
    }
    let total = total.unwrap_or_else(|| Counting::new(query.clone(), host));
    Ok((total.finish(), read))
}

/// All bytes that will be read, where every log tells its size.
pub fn bytes_of(paths: &[String]) -> Option<u64> {
    paths.iter().map(|path| std::fs::metadata(path).ok().filter(|file| file.is_file()).map(|file| file.len())).sum()
}

/// A log being read. It is worth one worker's time at once; the others take other logs, or wait for it.
struct Open {
    path: String,
    reader: Reader,
    reading: Arc<Reading>,
    service: Arc<str>,
    /// Bytes already told to the progress.
    told: u64,
}

/// The service of lines that name none: the log's file name up to its first dot.
pub fn default_service(path: &str) -> Arc<str> {
    if path == STDIN { "stdin".into() } else { rotation::default_service(Path::new(path)).into() }
}

/// A chunk in a worker's buffer, and how it is read.
struct Piece {
    reading: Arc<Reading>,
    service: Arc<str>,
    chunk: Chunk,
}

fn open_all(paths: &[String], reading: &Reading) -> anyhow::Result<VecDeque<Open>> {
    let mut seen = BTreeSet::new();
    let mut logs = VecDeque::new();
    for path in paths {
        let same = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
        if seen.insert(same) {
            let reader = Reader::open(Path::new(path))?;
            let service = default_service(path);
            logs.push_back(Open { path: path.clone(), reader, reading: Arc::new(reading.clone()), service, told: 0 });
        }
    }
    Ok(logs)
}

struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

struct QueueState {
    waiting: VecDeque<Open>,
    /// Logs that a worker is reading from just now.
    taken: usize,
    unterminated: Vec<String>,
}

impl Queue {
    fn new(waiting: VecDeque<Open>) -> Queue {
        let state = QueueState { waiting, taken: 0, unterminated: Vec::new() };
        Queue { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn take(&self) -> Option<Open> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |state: &mut QueueState| state.waiting.is_empty() && state.taken > 0;
        let mut state = self.changed.wait_while(state, wait).unwrap_or_else(PoisonError::into_inner);
        let log = state.waiting.pop_front()?;
        state.taken += 1;
        Some(log)
    }

    /// Give a log back for its next chunk, to any worker; or let go of it, when it is read or has failed.
    fn give_back(&self, log: Option<Open>, unterminated: Option<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.taken -= 1;
        state.waiting.extend(log);
        state.unterminated.extend(unterminated);
        drop(state);
        self.changed.notify_all();
    }

    fn unterminated(self) -> Vec<String> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).unterminated
    }
}

struct Worker {
    buffer: Vec<u8>,
    decoders: Decoders,
    counting: Counting,
}

impl Worker {
    fn new(query: &Query, host: &str) -> Worker {
        Worker { buffer: Vec::new(), decoders: Decoders::default(), counting: Counting::new(query.clone(), host) }
    }

    fn work(mut self, queue: &Queue, progress: &(dyn Fn(u64) + Sync)) -> anyhow::Result<(Counting, Lines)> {
        let mut lines = Lines::default();
        while let Some(log) = queue.take() {
            if let Some(piece) = self.read(log, queue, progress)? {
                self.decoders.decode(&piece.reading, &piece.service, &self.buffer, &piece.chunk);
                lines.add(&std::mem::take(&mut self.decoders.decoded.lines));
                if self.decoders.are_full() {
                    self.count();
                }
            }
        }
        self.count();
        Ok((self.counting, lines))
    }

    fn count(&mut self) {
        self.counting.add(&mut self.decoders.decoded);
        self.decoders.bound();
    }

    /// The log's next chunk, into the buffer. Another worker may read on while this one decodes.
    fn read(&mut self, mut log: Open, queue: &Queue, progress: &(dyn Fn(u64) + Sync)) -> anyhow::Result<Option<Piece>> {
        let found = log.next_chunk(&mut self.buffer);
        let bytes = log.reader.bytes_read();
        progress(bytes - std::mem::replace(&mut log.told, bytes));
        match found {
            Ok(Some(chunk)) => {
                let piece = Piece { reading: log.reading(), service: log.service.clone(), chunk };
                queue.give_back(Some(log), None);
                Ok(Some(piece))
            }
            Ok(None) => {
                queue.give_back(None, log.reader.unterminated().then_some(log.path));
                Ok(None)
            }
            Err(error) => {
                queue.give_back(None, None);
                Err(error)
            }
        }
    }
}

impl Open {
    fn next_chunk(&mut self, buffer: &mut Vec<u8>) -> anyhow::Result<Option<Chunk>> {
        let chunk = self.reader.next_chunk(buffer).with_context(|| format!("cannot read {}", self.path))?;
        let Some(chunk) = chunk else { return Ok(None) };
        if self.reading.format.is_none() {
            self.settle_format(buffer)?;
        }
        let format = self.reading.format.unwrap_or(Format::JSON);
        self.reader.closed(chunk, buffer, format).with_context(|| format!("cannot read {}", self.path))
    }

    /// How to decode the chunk just read; one without any line that tells a format is read as JSON lines.
    fn reading(&self) -> Arc<Reading> {
        match self.reading.format {
            Some(_) => self.reading.clone(),
            None => Arc::new(Reading { format: Some(Format::JSON), ..(*self.reading).clone() }),
        }
    }

    fn settle_format(&mut self, head: &[u8]) -> anyhow::Result<()> {
        match detect(head) {
            // Blank lines only: they are skipped alike in every format, and the next chunk is judged.
            Detection::Empty => Ok(()),
            Detection::Found(format) => {
                let settled = Reading { format: Some(format), ..(*self.reading).clone() };
                self.reading = Arc::new(settled);
                Ok(())
            }
            Detection::Unknown(what) => {
                bail!("{}: {what}; `daycap explain {}` shows how its lines are read", self.path, self.path)
            }
        }
    }
}

//! Raw logs become a report, without any state: each is read once from beginning to end, chunks are
//! decoded side by side. This file never writes, and remembers nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, anyhow};

use crate::collect::decode::{Found, detect};
use crate::collect::reader::Reader;
use crate::collect::request::Lines;
use crate::collect::settle::{TWO_LAYERS, combine, has_too_many_rejects, too_many_rejects};
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
    /// What people should know of single logs, a sentence each.
    pub notices: Vec<String>,
}

/// What became of a log's lines, and its format when it was last read.
type LogLines = BTreeMap<Arc<str>, (Lines, Option<Format>)>;

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
    let (unterminated, notices) = queue.told();
    let mut read = Read { unterminated, notices, ..Read::default() };
    let (mut total, mut logs): (Option<Counting>, LogLines) = (None, BTreeMap::new());
    for (counting, of_worker) in counted {
        for (path, (lines, format)) in of_worker {
            read.lines.add(&lines);
            let log = logs.entry(path).or_default();
            log.0.add(&lines);
            log.1 = log.1.or(format);
        }
        match &mut total {
            Some(total) => total.merge(counting),
            None => total = Some(counting),
        }
    }
    read.notices.extend(logs.iter().filter_map(|(path, (lines, format))| odd(path, lines, *format)));
    let total = total.unwrap_or_else(|| Counting::new(query.clone(), host));
    Ok((total.finish(), read))
}

/// What is odd about what became of a log's lines.
fn odd(path: &str, lines: &Lines, format: Option<Format>) -> Option<String> {
    let all = lines.counted + lines.skipped + lines.rejected();
    if has_too_many_rejects(lines) {
        return Some(format!("{path}: {}", too_many_rejects(lines, "", format, path)));
    }
    (lines.counted == 0 && all > 0).then(|| {
        format!("{path}: none of its {all} lines reports a request; `daycap explain {path}` shows how they are read")
    })
}

/// All bytes that will be read, where every log tells its size.
pub fn bytes_of(paths: &[String]) -> Option<u64> {
    paths.iter().map(|path| std::fs::metadata(path).ok().filter(|file| file.is_file()).map(|file| file.len())).sum()
}

/// A log being read. It is worth one worker's time at once; the others take other logs, or wait for it.
struct Open {
    path: Arc<str>,
    reader: Reader,
    /// As it was asked for.
    reading: Arc<Reading>,
    /// As its last chunk is read, and by which requests; `None` before the first.
    settled: Option<(Arc<Reading>, Found)>,
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
    path: Arc<str>,
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
            let (path, reading) = (path.as_str().into(), Arc::new(reading.clone()));
            logs.push_back(Open { path, reader, reading, settled: None, service, told: 0 });
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
    notices: Vec<String>,
}

impl Queue {
    fn new(waiting: VecDeque<Open>) -> Queue {
        let state = QueueState { waiting, taken: 0, unterminated: Vec::new(), notices: Vec::new() };
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
    fn give_back(&self, log: Option<Open>, unterminated: Option<String>, notice: Option<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.taken -= 1;
        state.waiting.extend(log);
        state.unterminated.extend(unterminated);
        state.notices.extend(notice);
        drop(state);
        self.changed.notify_all();
    }

    fn told(self) -> (Vec<String>, Vec<String>) {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        (state.unterminated, state.notices)
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

    fn work(mut self, queue: &Queue, progress: &(dyn Fn(u64) + Sync)) -> anyhow::Result<(Counting, LogLines)> {
        let mut logs = LogLines::new();
        while let Some(log) = queue.take() {
            if let Some(piece) = self.read(log, queue, progress)? {
                self.decoders.decode(&piece.reading, &piece.service, &self.buffer, &piece.chunk);
                let log = logs.entry(piece.path).or_default();
                log.0.add(&std::mem::take(&mut self.decoders.decoded.lines));
                log.1 = piece.reading.format;
                if self.decoders.are_full() {
                    self.count();
                }
            }
        }
        self.count();
        Ok((self.counting, logs))
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
            Ok(Some(Settled { chunk, reading, notice })) => {
                let piece = Piece { path: log.path.clone(), reading, service: log.service.clone(), chunk };
                queue.give_back(Some(log), None, notice);
                Ok(Some(piece))
            }
            Ok(None) => {
                queue.give_back(None, log.reader.unterminated().then(|| log.path.to_string()), None);
                Ok(None)
            }
            Err(error) => {
                queue.give_back(None, None, None);
                Err(error)
            }
        }
    }
}

/// The next lines, how they are read, and what people should know of that.
struct Settled {
    chunk: Chunk,
    reading: Arc<Reading>,
    notice: Option<String>,
}

impl Open {
    fn next_chunk(&mut self, buffer: &mut Vec<u8>) -> anyhow::Result<Option<Settled>> {
        let chunk = self.reader.next_chunk(buffer).with_context(|| format!("cannot read {}", self.path))?;
        let Some(chunk) = chunk else { return Ok(None) };
        let (reading, notice) = self.settle(buffer)?;
        let format = reading.format.unwrap_or(Format::JSON);
        let closed = self.reader.closed(chunk, buffer, format).with_context(|| format!("cannot read {}", self.path))?;
        Ok(closed.map(|chunk| Settled { chunk, reading, notice }))
    }

    /// Until its format is sure, each chunk is judged.
    fn settle(&mut self, lines: &[u8]) -> anyhow::Result<(Arc<Reading>, Option<String>)> {
        if let Some((reading, _)) = self.settled.as_ref().filter(|(_, found)| found.is_sure()) {
            return Ok((reading.clone(), None));
        }
        let earlier = self.settled.as_ref().map(|(_, found)| *found).filter(|found| found.candidates > 0);
        let found = combine(earlier, true, detect(lines, &self.reading)).map_err(|what| {
            anyhow!("{}: {what}; `daycap explain {}` shows how its lines are read", self.path, self.path)
        })?;
        let settled = Reading { format: Some(found.format), count_from: found.count_from, ..(*self.reading).clone() };
        let reading = Arc::new(settled);
        let was_twofold = self.settled.replace((reading.clone(), found)).is_some_and(|(before, _)| is_twofold(&before));
        let is_twofold = self.reading.count_from.is_auto() && is_twofold(&reading) && !was_twofold;
        Ok((reading, is_twofold.then(|| format!("{}: {TWO_LAYERS}", self.path))))
    }
}

/// Whether the same calls are in the log twice, and count once.
fn is_twofold(reading: &Reading) -> bool {
    reading.count_from.is_one()
}

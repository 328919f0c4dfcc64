//! One pass over what logs have new: chunks are taken in turn, decoded side by side, and summed into one
//! [`Harvest`], which the engine applies whole. This file never writes and never reads a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hashbrown::HashMap;

use crate::collect::decode::Decoder;
use crate::collect::log::{LogId, LogMark};
use crate::collect::loss::Loss;
use crate::collect::observed::Observed;
use crate::collect::request::{Decoded, Lines, unpack};
use crate::collect::tail::{Piece, Problem, SourceProgress, Tail};
use crate::collect::{Chunk, Reading};
use crate::count::tally::Tally;
use crate::day::{Day, Minute, Now};

/// A pass ends after this many bytes, so that counts are committed and signals answered during a long
/// catch-up. A pass of this size takes about a tenth of a second.
const PASS_BYTES_MAX: u64 = 128 << 20;
/// Up to this many bytes are decoded where they are; more is worth starting threads for.
const ALONE_BYTES_MAX: u64 = 4 << 20;
/// Rows decoded before they are grouped: enough for the grouping to be cheap a row.
const ROWS_BEFORE_TALLY: usize = 1 << 17;
/// A worker whose interned series pass this number starts afresh, so that memory stays bounded.
const SERIES_MAX: usize = 1 << 17;
/// Decoders a worker keeps. One remembers up to about a megabyte of labels, and logs of ten thousand services would
/// want as many; a new one costs about as much as decoding a hundred lines.
const DECODERS_MAX: usize = 64;

/// What one pass found. Marks and counts belong together: apply both or neither.
#[derive(Default)]
pub struct Harvest {
    pub tally: Tally,
    /// Every log's mark at the pass's end.
    pub marks: BTreeMap<LogId, LogMark>,
    /// The logs that gave lines to each UTC day.
    pub touched: BTreeMap<Day, BTreeSet<LogId>>,
    /// Up to where each log's lines that state no time are counted, by the day of their arrival.
    pub arrived: BTreeMap<(Day, LogId), u64>,
    /// By source: what became of the lines read in this pass.
    pub lines: BTreeMap<usize, Lines>,
    /// By source: the minutes that this pass's new requests state, and how many state each.
    pub minutes: BTreeMap<usize, BTreeMap<Minute, u64>>,
    /// The last that servers said of their quotas, of lines that were counted before, too.
    pub observed: Observed,
    /// One entry a source.
    pub progress: Vec<SourceProgress>,
    pub problems: Vec<Problem>,
    /// What people should know of how logs are read, a sentence each.
    pub notices: Vec<String>,
    /// Lines that nobody will read any more.
    pub losses: Vec<Loss>,
    /// Nothing was left to read when the pass ended.
    pub caught_up: bool,
    /// Nothing will come any more, and all is read.
    pub has_ended: bool,
}

/// Lines that the ledger already holds: by log, each day's mark.
pub type Counted = HashMap<LogId, BTreeMap<Day, u64>>;

/// Of lines that state no time: by log, up to where the ledger holds them.
pub type Arrived = HashMap<LogId, u64>;

/// Reads, decodes and sums. Owned by whoever runs passes; one at a time.
pub struct Harvester {
    /// Whoever holds it can end a running pass after the chunk at hand: a stop does not wait for a long catch-up.
    halt: Arc<AtomicBool>,
    tail: Tail,
    counted: Counted,
    arrived: Arrived,
    workers: Vec<Worker>,
}

impl Harvester {
    pub fn new(tail: Tail, counted: Counted) -> Harvester {
        let count = thread::available_parallelism().map_or(1, |count| count.get());
        let workers = (0..count).map(|_| Worker::default()).collect();
        Harvester { halt: Arc::default(), tail, counted, arrived: Arrived::default(), workers }
    }

    pub fn with_arrived(self, arrived: Arrived) -> Harvester {
        Harvester { arrived, ..self }
    }

    /// Set it to end a running pass.
    pub fn halt(&self) -> Arc<AtomicBool> {
        self.halt.clone()
    }

    /// For looks of other kinds than a pass's own.
    pub fn tail(&mut self) -> &mut Tail {
        &mut self.tail
    }

    /// Look for new, rotated and vanished logs, and read what is new, at most a pass's worth.
    pub fn pass(&mut self, now: Now) -> Harvest {
        self.tail.scan(now);
        self.read()
    }

    /// Read what the last look found, at most a pass's worth.
    pub fn read(&mut self) -> Harvest {
        let Harvester { halt, tail, counted, arrived, workers } = self;
        let queue = Queue { halt, tail: Mutex::new((tail, 0)), counted, arrived };
        let mut more = workers[0].work(&queue, ALONE_BYTES_MAX);
        if more {
            thread::scope(|scope| {
                let running: Vec<_> =
                    workers.iter_mut().map(|worker| scope.spawn(|| worker.work(&queue, PASS_BYTES_MAX))).collect();
                more = running.into_iter().fold(false, |more, worker| {
                    // A worker's panic is a broken invariant: go on panicking rather than lose its chunk.
                    more | worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                });
            });
        }
        self.gather(!more)
    }

    /// A pass that ends early, in chunks of any size: for histories in which reading is interrupted.
    #[cfg(test)]
    pub fn pass_at_most(&mut self, look: Option<Now>, chunk_bytes: usize, bytes_max: u64) -> Harvest {
        self.tail.set_chunk_bytes(chunk_bytes);
        if let Some(now) = look {
            self.tail.scan(now);
        }
        let Harvester { tail, counted, arrived, workers, halt } = self;
        let queue = Queue { tail: Mutex::new((tail, 0)), counted, arrived, halt };
        let more = workers[0].work(&queue, bytes_max);
        self.gather(!more)
    }

    /// Only look: what is there and not yet read, without reading it.
    pub fn look(&mut self, now: Now) -> Harvest {
        self.tail.scan(now);
        self.gather(false)
    }

    fn gather(&mut self, caught_up: bool) -> Harvest {
        let caught_up = caught_up && !self.tail.is_unsettled();
        let mut harvest = Harvest { caught_up, marks: self.tail.marks(), ..Harvest::default() };
        let mut read = Vec::new();
        for worker in &mut self.workers {
            worker.pour_into(&mut harvest);
            read.append(&mut worker.read);
        }
        // In each log's own order, whoever read what.
        read.sort_by_key(|(log, start, _)| (*log, *start));
        read.iter().for_each(|(log, _, lines)| self.tail.note_lines(*log, lines));
        harvest.progress = self.tail.progress();
        harvest.problems = self.tail.problems();
        harvest.notices = self.tail.take_notices();
        harvest.losses = self.tail.take_losses();
        harvest.has_ended = caught_up && self.tail.has_ended();
        harvest
    }
}

/// Where workers take their chunks: the tail, and the bytes given out in this pass.
struct Queue<'a> {
    halt: &'a AtomicBool,
    tail: Mutex<(&'a mut Tail, u64)>,
    counted: &'a Counted,
    arrived: &'a Arrived,
}

impl Queue<'_> {
    /// `Err(more)` when the pass gives no more: whether the tail may still have some.
    fn take(&self, buffer: &mut Vec<u8>, bytes_max: u64) -> Result<Piece, bool> {
        let mut guard = self.tail.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (tail, given) = &mut *guard;
        if *given >= bytes_max || self.halt.load(Ordering::Relaxed) {
            return Err(true);
        }
        let mut piece = tail.next_chunk(buffer).ok_or(false)?;
        if let Some(arrival) = &mut piece.arrival {
            arrival.counted_to = self.arrived.get(&piece.log).copied().unwrap_or(0);
        }
        *given += piece.chunk.end - piece.chunk.start;
        Ok(piece)
    }
}

/// One worker's decoders, one a reading, and what they have decoded. The decoders' caches hold ids of
/// `decoded`'s series, so the two are kept, and dropped, together.
#[derive(Default)]
pub struct Decoders {
    decoders: HashMap<(Arc<Reading>, Arc<str>), Decoder>,
    pub decoded: Decoded,
}

impl Decoders {
    /// Decode a chunk's bytes; the service is for lines that name none.
    pub fn decode(&mut self, reading: &Arc<Reading>, service: &Arc<str>, bytes: &[u8], chunk: &Chunk) {
        // Where the source names the service, its logs share a decoder.
        let key = (reading.clone(), reading.service.as_ref().unwrap_or(service).clone());
        if self.decoders.len() >= DECODERS_MAX && !self.decoders.contains_key(&key) {
            self.decoders.clear();
        }
        self.decoders.entry(key).or_insert_with(|| Decoder::new(reading, service.clone())).decode(
            bytes,
            chunk,
            &mut self.decoded,
        );
    }

    /// Whether there are rows enough for their grouping to be cheap a row.
    pub fn are_full(&self) -> bool {
        self.decoded.rows.len() >= ROWS_BEFORE_TALLY
    }

    /// After the rows are taken: start afresh when too many series are held.
    pub fn bound(&mut self) {
        if self.decoded.series.list().len() > SERIES_MAX {
            *self = Decoders::default();
        }
    }
}

#[derive(Default)]
struct Worker {
    buffer: Vec<u8>,
    decoders: Decoders,
    found: Harvest,
    /// What became of the lines of each chunk: its log and where it starts.
    read: Vec<(LogId, u64, Lines)>,
}

impl Worker {
    /// Decode until the queue is empty or has given `bytes_max`; whether there may be more.
    fn work(&mut self, queue: &Queue<'_>, bytes_max: u64) -> bool {
        loop {
            match queue.take(&mut self.buffer, bytes_max) {
                Ok(piece) => self.decode(&piece, queue.counted.get(&piece.log)),
                Err(more) => return more,
            }
        }
    }

    fn decode(&mut self, piece: &Piece, counted: Option<&BTreeMap<Day, u64>>) {
        let first = self.decoders.decoded.rows.len();
        self.decoders.decoded.arrival = piece.arrival;
        self.decoders.decode(&piece.reading, &piece.default_service, &self.buffer, &piece.chunk);
        if let Some(counted) = counted {
            self.drop_counted(first, &piece.chunk, counted);
        }
        let lines = std::mem::take(&mut self.decoders.decoded.lines);
        self.found.lines.entry(piece.source).or_default().add(&lines);
        self.read.push((piece.log, piece.chunk.start, lines));
        if let Some(arrival) = piece.arrival.filter(|_| lines.arrived > 0) {
            let counted_to = self.found.arrived.entry((arrival.minute.utc_day(), piece.log)).or_default();
            *counted_to = piece.chunk.end.max(*counted_to);
        }
        self.note_days(first, piece);
        if self.decoders.are_full() {
            self.tally();
        }
    }

    /// Lines below their day's mark are in the ledger already. Below a log's last mark this decides line
    /// by line; beyond it, a chunk costs one comparison.
    fn drop_counted(&mut self, first: usize, chunk: &Chunk, counted: &BTreeMap<Day, u64>) {
        if counted.values().all(|mark| *mark <= chunk.start) {
            return;
        }
        let decoded = &mut self.decoders.decoded;
        let before = decoded.rows.len();
        let is_new = |minute: Minute, start| counted.get(&minute.utc_day()).is_none_or(|mark| start >= *mark);
        decoded.rows.retain_from(first, is_new);
        // What was read again is not counted again, in metrics either.
        decoded.lines.counted -= (before - decoded.rows.len()) as u64;
    }

    fn note_days(&mut self, first: usize, piece: &Piece) {
        let mut day: Option<(std::ops::Range<Minute>, Day)> = None;
        let minutes = self.found.minutes.entry(piece.source).or_default();
        // Lines of one minute follow each other: most are added to it together.
        let mut run: Option<(Minute, u64)> = None;
        for key in &self.decoders.decoded.rows.key[first..] {
            let (minute, _) = unpack(*key);
            match &mut run {
                Some((of, lines)) if *of == minute => *lines += 1,
                _ => {
                    if let Some((of, lines)) = run.replace((minute, 1)) {
                        *minutes.entry(of).or_default() += lines;
                    }
                }
            }
            if !day.as_ref().is_some_and(|(span, _)| span.contains(&minute)) {
                let of = minute.utc_day();
                self.found.touched.entry(of).or_default().insert(piece.log);
                day = Some((of.span(chrono_tz::Tz::UTC), of));
            }
        }
        if let Some((of, lines)) = run {
            *minutes.entry(of).or_default() += lines;
        }
    }

    fn tally(&mut self) {
        self.found.tally.add(&mut self.decoders.decoded);
        let Decoded { heard, series, .. } = &mut self.decoders.decoded;
        self.found.observed.take_from(heard, series);
        self.decoders.bound();
    }

    /// Add what this worker found to the pass's harvest, and be empty again.
    fn pour_into(&mut self, harvest: &mut Harvest) {
        if !self.decoders.decoded.rows.is_empty() {
            self.tally();
        }
        let found = std::mem::take(&mut self.found);
        harvest.tally.merge(found.tally);
        harvest.observed.merge(found.observed);
        for (day, logs) in found.touched {
            harvest.touched.entry(day).or_default().extend(logs);
        }
        for (of, to) in found.arrived {
            let counted_to = harvest.arrived.entry(of).or_default();
            *counted_to = to.max(*counted_to);
        }
        for (source, lines) in found.lines {
            harvest.lines.entry(source).or_default().add(&lines);
        }
        for (source, minutes) in found.minutes {
            let all = harvest.minutes.entry(source).or_default();
            for (minute, lines) in minutes {
                *all.entry(minute).or_default() += lines;
            }
        }
    }
}

//! Follows logs and gives chunks of whole lines, each line once whatever happens to its file's name: one turn a log,
//! in a ring, so that a busy log starves no other. `scan` looks at the disk, `next_chunk` reads.
//! This file never waits and never reads a clock: the shell decides when to look.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::decode::{Detection, detect};
use super::find::{Pattern, cannot};
use super::follow::{Log, Turn};
use super::heads::Heads;
use super::hints::half_of_open_files;
use super::journal::Journals;
use super::log::{FileKey, Fingerprint, LogId, LogMark};
use super::loss::{Loss, Missing};
use super::past::Past;
use super::scan::{Pending, base_path};
use super::stream::{FollowedStream, STDIN, Stream, is_stdin};
use super::{Arrival, Chunk, Format, Reading, Source};
use crate::day::Now;

/// How much is read at once.
pub const CHUNK_BYTES: usize = 1 << 20;
/// A line longer than this counts once, but only its first bytes are decoded.
pub const LINE_BYTES_MAX: usize = CHUNK_BYTES;
/// Half of what a process may usually have open; where it may have fewer, half of those. Idle logs beyond are closed, and opened again by path when needed.
const OPEN_FILES_MAX: usize = 512;
/// A deleted log is kept open, because its writer may have it open too, until it was quiet for so long. Until then its
/// disk space is not freed.
const QUIET_MAX: Duration = Duration::from_secs(15 * 60);

/// Compressed bytes unpacked in one scan, to see what they hold: about a second's work. The next scan goes on.
const UNPACKED_BYTES_MAX: u64 = 64 << 20;

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
    /// The source's reading with the format settled for this log.
    pub reading: Arc<Reading>,
    /// The service of lines that name none, where the source names none either: the log's file name up to its
    /// first dot.
    pub default_service: Arc<str>,
    pub chunk: Chunk,
    /// When the chunk's lines were seen to arrive, as far as anybody was looking.
    pub arrival: Option<Arrival>,
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

pub struct Tail {
    pub(super) sources: Vec<Source>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) journals: Journals,
    stream: Option<FollowedStream>,
    /// Logs that a file holds.
    pub(super) followed: BTreeMap<LogId, Log>,
    pub(super) files: HashMap<FileKey, LogId>,
    /// Logs that no file is known to hold any more, or not yet in this run.
    pub(super) past: Past,
    pub(super) pending: HashMap<FileKey, Pending>,
    /// Of all known logs; made when the present scan first needs it.
    pub(super) heads: Option<Heads>,
    /// Logs with something to read; each at most once.
    queue: VecDeque<LogId>,
    readings: HashMap<(usize, Format), Arc<Reading>>,
    /// Of the last scan.
    pub(super) problems: Vec<Problem>,
    /// Logs whose archive is waited for.
    pub(super) missing: BTreeMap<LogId, Missing>,
    /// Since they were last taken.
    pub(super) losses: Vec<Loss>,
    /// When the present scan is.
    pub(super) now: Now,
    /// When the latest look at anything was.
    pub(super) latest: DateTime<Utc>,
    /// When the one before was, or the last of the run before.
    pub(super) looked_before: Option<DateTime<Utc>>,
    /// Compressed bytes unpacked by the present scan.
    pub(super) unpacked: u64,
    /// The last scan left files for the next.
    pub(super) is_unsettled: bool,
    pub(super) directories: BTreeSet<PathBuf>,
    /// The paths, before any rotation, of the logs that were known at the start.
    pub(super) known_bases: HashSet<PathBuf>,
    pub(super) is_first_scan: bool,
    turns: u64,
    /// Files opened and not closed again; at least as many as are open.
    pub(super) opened: usize,
    pub(super) open_files_max: usize,
    pub(super) quiet_max: Duration,
    pub(super) unpacked_bytes_max: u64,
    chunk_bytes: usize,
    pub(super) detect: fn(&[u8]) -> Detection,
}

impl Tail {
    pub fn new(sources: Vec<Source>, mut known: Vec<Known>) -> Tail {
        let patterns = Pattern::all(&sources);
        let journals = Journals::new(&sources, &mut known);
        // A stream cannot be read again.
        known.retain(|known| known.mark.path != STDIN);
        let known_bases = known.iter().map(|known| base_path(Path::new(&known.mark.path))).collect();
        let mut past = Past::default();
        // Of a log that was empty there is nothing to know again.
        for known in known.into_iter().filter(|known| known.mark.offset > 0 || known.mark.head.len > 0) {
            past.add(known);
        }
        Tail {
            sources,
            patterns,
            journals,
            stream: None,
            followed: BTreeMap::new(),
            files: HashMap::new(),
            past,
            pending: HashMap::new(),
            heads: None,
            queue: VecDeque::new(),
            readings: HashMap::new(),
            problems: Vec::new(),
            missing: BTreeMap::new(),
            losses: Vec::new(),
            now: Now::first(DateTime::UNIX_EPOCH),
            latest: DateTime::UNIX_EPOCH,
            looked_before: None,
            unpacked: 0,
            is_unsettled: false,
            directories: BTreeSet::new(),
            known_bases,
            is_first_scan: true,
            turns: 0,
            opened: 0,
            open_files_max: OPEN_FILES_MAX.min(half_of_open_files()),
            quiet_max: QUIET_MAX,
            unpacked_bytes_max: UNPACKED_BYTES_MAX,
            chunk_bytes: CHUNK_BYTES,
            detect,
        }
    }

    /// When the run before this one last looked, as far as that is known.
    pub fn after(mut self, looked_before: Option<DateTime<Utc>>) -> Tail {
        self.journals.looked_before = looked_before;
        Tail { looked_before, ..self }
    }

    /// Follow this stream for the source that names it.
    pub fn attach(&mut self, stream: Arc<Stream>) {
        let source = self.sources.iter().position(is_stdin);
        self.stream = source.map(|index| FollowedStream::new(index, &self.sources[index], stream));
    }

    /// Whether nothing will ever come any more: the stream has ended and is read, and there is nothing else.
    pub fn has_ended(&self) -> bool {
        let is_stream = |source: &Source| source.journal.is_none() && source.paths.iter().all(|path| path == STDIN);
        self.sources.iter().all(is_stream) && self.stream.as_ref().is_some_and(FollowedStream::has_ended)
    }

    /// Whether the last scan left something for the next, which should follow at once.
    pub fn is_unsettled(&self) -> bool {
        self.is_unsettled
    }

    /// The next whole lines of any log, into `buffer` (emptied first); `None` when all are read to their end.
    pub fn next_chunk(&mut self, buffer: &mut Vec<u8>) -> Option<Piece> {
        buffer.clear();
        // What was taken of journals is little, and no more comes before the next scan.
        if let Some(piece) = self.journals.next_chunk(buffer) {
            return Some(piece);
        }
        if let Some(piece) = self.stream.as_mut().and_then(|stream| stream.next_chunk(buffer, self.latest, self.detect))
        {
            return Some(piece);
        }
        while let Some(id) = self.queue.pop_front() {
            if let Some(piece) = self.take_turn(id, buffer) {
                self.enqueue(id);
                return Some(piece);
            }
        }
        None
    }

    #[cfg(test)]
    pub fn set_chunk_bytes(&mut self, bytes: usize) {
        self.chunk_bytes = bytes;
    }

    /// The mark of each log at its present position.
    pub fn marks(&self) -> BTreeMap<LogId, LogMark> {
        let followed = self.followed.values().map(Log::saved_mark);
        let of_files = self.past.iter().map(Known::at_resume).chain(followed);
        let of_stream = self.stream.iter().map(FollowedStream::mark);
        of_files.chain(self.journals.marks()).chain(of_stream).map(|mark| (mark.id, mark)).collect()
    }

    /// What keeps logs from being read now, in order.
    pub fn problems(&self) -> Vec<Problem> {
        let of_logs = self.followed.values().filter_map(|log| {
            let what = log.trouble.clone()?;
            Some(Problem { source: log.source, path: log.mark.path.clone(), what })
        });
        let mut problems: Vec<_> = self
            .problems
            .iter()
            .cloned()
            .chain(of_logs)
            .chain(self.journals.problems())
            .chain(self.stream.iter().filter_map(FollowedStream::problem))
            .collect();
        problems.sort();
        problems.dedup();
        problems
    }

    /// What was found to be lost since this was last asked.
    pub fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    /// One entry a source, in order.
    pub fn progress(&self) -> Vec<SourceProgress> {
        let mut progress = vec![SourceProgress::default(); self.sources.len()];
        for log in self.followed.values() {
            let source = &mut progress[log.source];
            source.logs += 1;
            source.lag_bytes += log.len.saturating_sub(log.mark.offset);
        }
        let of_stream = self.stream.iter().map(FollowedStream::lag);
        for (source, lag_bytes) in self.journals.lags().chain(of_stream) {
            progress[source].logs += 1;
            progress[source].lag_bytes += lag_bytes;
        }
        progress
    }

    /// The directories whose changes are a reason to scan sooner.
    pub fn directories(&self) -> &BTreeSet<PathBuf> {
        &self.directories
    }

    pub(super) fn enqueue(&mut self, id: LogId) {
        if let Some(log) = self.followed.get_mut(&id)
            && !log.queued
        {
            log.queued = true;
            self.queue.push_back(id);
        }
    }

    fn take_turn(&mut self, id: LogId, buffer: &mut Vec<u8>) -> Option<Piece> {
        // It may have been truncated or let go of since it was queued.
        let log = self.followed.get_mut(&id)?;
        log.queued = false;
        log.last_turn = self.turns;
        self.turns += 1;
        let was_open = log.file.is_some();
        let turn = read_turn(log, &self.sources, &mut self.readings, self.detect, self.chunk_bytes, buffer);
        if let Err(what) = &turn {
            log.trouble = Some(what.clone());
        }
        let piece = match turn {
            Ok(Some((Turn::Lines(chunk), reading))) => {
                // What was written since the look is new as well.
                log.arrivals.look(log.len, self.latest);
                let arrival = log.arrivals.read(&chunk);
                let (source, default_service) = (log.source, log.default_service.clone());
                Some(Piece { log: id, source, reading, default_service, chunk, arrival })
            }
            Ok(Some((Turn::Changed, _))) => {
                self.begin_again(id);
                None
            }
            Ok(Some((Turn::End, _)) | None) | Err(_) => None,
        };
        if !was_open {
            self.note_opened();
        }
        piece
    }
}

/// One log's turn; `None` while its format is not settled. An error is said in words, and tried again at the next scan.
fn read_turn(
    log: &mut Log,
    sources: &[Source],
    readings: &mut HashMap<(usize, Format), Arc<Reading>>,
    detect: fn(&[u8]) -> Detection,
    chunk_bytes: usize,
    buffer: &mut Vec<u8>,
) -> Result<Option<(Turn, Arc<Reading>)>, String> {
    let mut turn = || {
        let Some(reading) = settled_reading(log, sources, readings, detect)? else { return Ok(None) };
        log.trouble = None;
        Ok(Some((log.read(chunk_bytes, buffer)?, reading)))
    };
    turn().map_err(|error: std::io::Error| {
        log.stamp = None;
        cannot("be read", &error)
    })
}

fn settled_reading(
    log: &mut Log,
    sources: &[Source],
    readings: &mut HashMap<(usize, Format), Arc<Reading>>,
    detect: fn(&[u8]) -> Detection,
) -> std::io::Result<Option<Arc<Reading>>> {
    if log.reading.is_none() {
        let source = &sources[log.source];
        if source.reading.format.is_some() {
            log.mark.format = source.reading.format;
        }
        if let Some(format) = log.settle(detect)? {
            let settled = || Arc::new(Reading { format: Some(format), ..source.reading.clone() });
            log.reading = Some(readings.entry((log.source, format)).or_insert_with(settled).clone());
        }
    }
    Ok(log.reading.clone())
}

impl Known {
    /// What may be said of a log that is not there to be read. Lines from `resume` on are to be read again, so the mark
    /// must not claim them; what is before `resume` cannot be hashed without the file, so the head alone stands.
    pub(super) fn at_resume(&self) -> LogMark {
        if self.resume >= self.mark.offset {
            return self.mark.clone();
        }
        let cursor = self.mark.cursor.as_ref().map(|_| String::new());
        let mut mark = LogMark { offset: self.resume, anchor: Fingerprint::default(), cursor, ..self.mark.clone() };
        mark.ladder.cut(self.resume);
        mark
    }
}

#[cfg(test)]
mod tests;

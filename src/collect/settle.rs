//! In which format a log is read: judged by its first lines, or by those that are about to be read; kept in its mark when
//! it is sure, and judged again when many lines of late could not be read.
//! This file never decides what lines look like, and never drops a line that may be a request.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::content::first_bytes;
use super::decode::{Detection, Found, has_layers};
use super::follow::{Log, Turn};
use super::lines::fill;
use super::request::Lines;
use super::{CountFrom, Format, Reading, Source};

/// How much of a log is judged at once, but for lines that are read just then.
const DETECT_BYTES: usize = 64 << 10;
/// So many lines are looked at together, and so many of a hundred may be rejected.
const RECENT_LINES_MIN: u64 = 200;
const REJECTED_PERCENT_MAX: u64 = 5;
/// After too many rejects, so many reads are judged again.
const LOOKS_AGAIN: u8 = 16;

pub type Detect = fn(&[u8], &Reading) -> Detection;

/// What is known of a log's format beside its mark.
#[derive(Default)]
pub(super) struct Judgement {
    /// Of its first lines, and how many bytes they were.
    head: Option<(usize, Detection)>,
    /// Of the lines read so far, while it is not sure.
    so_far: Option<Found>,
    /// For one turn, until it is sure.
    pub(super) read_as: Option<Format>,
    recent: Lines,
    looks_again: u8,
    /// Many lines of late could not be read: in words.
    pub(super) unreadable: Option<String>,
}

/// The readings of all logs, and what people should know of how they were settled.
pub(super) struct Readings {
    pub(super) detect: Detect,
    settled: HashMap<(usize, Format, CountFrom), Arc<Reading>>,
    notices: Vec<String>,
}

impl Readings {
    pub(super) fn new(detect: Detect) -> Readings {
        Readings { detect, settled: HashMap::new(), notices: Vec::new() }
    }

    pub(super) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// One log's turn: its next lines, and how they are read. `None` while that cannot be told, which is the log's trouble
    /// if lines are there; then nothing has moved.
    pub(super) fn read(
        &mut self,
        log: &mut Log,
        source: &Source,
        limit: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Option<(Turn, Arc<Reading>)>> {
        if log.reading.is_none() {
            self.settle(log, source)?;
        }
        if log.reading.is_none() {
            return self.read_unsettled(log, source, limit, buffer);
        }
        log.trouble = None;
        let turn = log.read(limit, buffer)?;
        if matches!(turn, Turn::Lines(_)) && log.judgement.looks_again > 0 {
            self.look_again(log, source, buffer)?;
        }
        Ok(log.reading.clone().map(|reading| (turn, reading)))
    }

    /// Settle what configuration, mark or first lines make sure.
    fn settle(&mut self, log: &mut Log, source: &Source) -> io::Result<()> {
        if source.reading.format.is_some() && log.mark.format != source.reading.format {
            log.mark.format = source.reading.format;
            log.mark.count_from = CountFrom::Auto;
        }
        if log.mark.format.is_some_and(|format| !has_layers(format.family)) {
            log.mark.count_from = CountFrom::Both;
        }
        let counts_as_told = !source.reading.count_from.is_auto() || !log.mark.count_from.is_auto();
        if log.mark.format.is_some() && counts_as_told {
            self.keep(log, source);
        } else if log.mark.offset > 0
            && let Some(found) = self.head(log, source)?.found().filter(|found| found.is_sure()).copied()
        {
            self.pin(log, source, &found);
        }
        Ok(())
    }

    /// What the first lines look like; judged once for each length that they have.
    fn head(&self, log: &mut Log, source: &Source) -> io::Result<Detection> {
        if !log.open()? {
            return Ok(Detection::Empty);
        }
        let Some(file) = &log.file else { return Ok(Detection::Empty) };
        let known = log.judgement.head.as_ref();
        if let Some((_, detection)) = known.filter(|(len, _)| *len == DETECT_BYTES || *len as u64 == log.len) {
            return Ok(detection.clone());
        }
        let head = first_bytes(file, log.packing(), DETECT_BYTES)?;
        let detection = (self.detect)(&head, &asked(log, source));
        log.judgement.head = Some((head.len(), detection.clone()));
        Ok(detection)
    }

    /// Lines are read, judged, and taken back where it cannot be told what they are.
    fn read_unsettled(
        &mut self,
        log: &mut Log,
        source: &Source,
        limit: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Option<(Turn, Arc<Reading>)>> {
        let before = log.mark.clone();
        log.judgement.read_as = None;
        let mut turn = log.read(limit, buffer)?;
        if !matches!(turn, Turn::Lines(_)) {
            log.trouble = None;
            let reading = self.reading(log.source, source, Format::JSON, CountFrom::Auto);
            return Ok(Some((turn, reading)));
        }
        let judged = self.judge(log, source, before.offset, buffer)?;
        if let Ok(found) = judged.as_ref().copied()
            && found.format.envelopes().next().is_some()
        {
            // Where a chunk may end depends on its envelopes.
            log.judgement.read_as = Some(found.format);
            log.take_back(before.clone());
            turn = log.read(limit, buffer)?;
        }
        match judged {
            Ok(found) if found.is_sure() => self.pin(log, source, &found),
            Ok(found) => {
                log.trouble = None;
                if matches!(turn, Turn::Lines(_)) {
                    log.judgement.so_far = Some(found);
                }
                let reading = self.reading(log.source, source, found.format, found.count_from);
                return Ok(Some((turn, reading)));
            }
            Err(what) => {
                log.trouble = Some(refusal(&what, &before.path));
                log.take_back(before);
                buffer.clear();
            }
        }
        Ok(log.reading.clone().map(|reading| (turn, reading)))
    }

    /// What the lines in `buffer` are, by themselves and what is known of the log; in words, why it cannot be told.
    fn judge(&self, log: &mut Log, source: &Source, start: u64, buffer: &[u8]) -> io::Result<Result<Found, String>> {
        let of_requests = |found: &Found| found.candidates > 0;
        // From the beginning on, the lines in the buffer are the first.
        let head = if start == 0 { Detection::Empty } else { self.head(log, source)? };
        let so_far = log.judgement.so_far.filter(of_requests);
        // The first lines may be among those in the buffer: none speaks twice.
        let is_behind = so_far.is_some() || log.judgement.head.as_ref().is_some_and(|(len, _)| start >= *len as u64);
        let earlier = so_far.or(head.found().copied().filter(of_requests));
        let judged = combine(earlier, is_behind, (self.detect)(buffer, &asked(log, source)));
        let judged = judged.map(|found| in_layers(found, head.found()));
        let Err(what) = judged else { return Ok(judged) };
        // A long banner, or another format before: the latest lines may tell.
        match (self.detect)(&log.latest(buffer)?, &asked(log, source)) {
            Detection::Found(found) if found.candidates > 0 => Ok(Ok(found)),
            Detection::Found(_) | Detection::Empty | Detection::Ambiguous(_) | Detection::Unknown(_) => Ok(Err(what)),
        }
    }

    /// Many lines of late could not be read: if they are surely something else, so is the log from these lines on.
    fn look_again(&mut self, log: &mut Log, source: &Source, buffer: &[u8]) -> io::Result<()> {
        log.judgement.looks_again -= 1;
        let detection = (self.detect)(&log.latest(buffer)?, &source.reading);
        let Some(found) = detection.found().filter(|found| found.is_sure()) else { return Ok(()) };
        if let Some(before) = log.mark.format.filter(|before| *before != found.format) {
            log.judgement = Judgement::default();
            let path = &log.mark.path;
            self.notices
                .push(format!("{path}: its lines are {} now, no longer {before}, and are read so", found.format));
            self.pin(log, source, found);
        }
        Ok(())
    }

    /// From now on this is the log's format, in later runs too.
    fn pin(&mut self, log: &mut Log, source: &Source, found: &Found) {
        log.mark.format = Some(found.format);
        log.mark.count_from = found.count_from;
        if source.reading.count_from.is_auto() && found.count_from.is_one() {
            self.notices.push(format!("{}: {TWO_LAYERS}", log.mark.path));
        }
        self.keep(log, source);
    }

    fn keep(&mut self, log: &mut Log, source: &Source) {
        let Some(format) = log.mark.format else { return };
        log.reading = Some(self.reading(log.source, source, format, log.mark.count_from));
        log.judgement.read_as = None;
        log.trouble = None;
    }

    fn reading(&mut self, number: usize, source: &Source, format: Format, count_from: CountFrom) -> Arc<Reading> {
        let count_from = if source.reading.count_from.is_auto() { count_from } else { source.reading.count_from };
        let settled = || Arc::new(Reading { format: Some(format), count_from, ..source.reading.clone() });
        self.settled.entry((number, format, count_from)).or_insert_with(settled).clone()
    }
}

/// Said once, when a log is settled so.
pub const TWO_LAYERS: &str = "it reports the same calls twice, in messages of an HTTP client and in fields of its own; each \
    counts once, from those that report more of them, else from the fields. If they are different calls, set count_from = \"both\" \
    in its [[source]]";

/// How a log is read as far as configuration and mark say.
fn asked(log: &Log, source: &Source) -> Reading {
    Reading { format: source.reading.format.or(log.mark.format), ..source.reading.clone() }
}

/// What lines are, after what was found by requests `before`; if they are other lines, the requests of one format add up
/// until it is sure.
pub fn combine(before: Option<Found>, are_others: bool, lines: Detection) -> Result<Found, String> {
    match (before, lines) {
        (Some(before), Detection::Found(found)) if found.format == before.format => {
            let both = before.candidates + found.candidates;
            let candidates = if are_others { both } else { before.candidates.max(found.candidates) };
            Ok(Found { candidates, ..found })
        }
        (_, Detection::Found(found)) if found.is_sure() => Ok(found),
        (Some(before), Detection::Found(found)) if found.candidates > 0 => Err(format!(
            "its first requests are {} and later ones {}; write format = \"{}\" or format = \"{}\" in its [[source]]",
            before.format, found.format, before.format, found.format
        )),
        (Some(before), Detection::Found(_) | Detection::Empty | Detection::Unknown(_)) => Ok(before),
        (None, Detection::Found(found)) => Ok(found),
        // Blank lines only.
        (None, Detection::Empty) => Ok(Found { format: Format::JSON, count_from: CountFrom::Auto, candidates: 0 }),
        (_, Detection::Ambiguous(what)) | (None, Detection::Unknown(what)) => Err(what),
    }
}

/// Lines of the same calls may have been read before these: then the first lines tell which layer counts.
fn in_layers(found: Found, head: Option<&Found>) -> Found {
    match head {
        Some(head) if head.format == found.format && !found.count_from.is_one() => {
            Found { count_from: head.count_from, ..found }
        }
        Some(_) | None => found,
    }
}

fn refusal(what: &str, path: &str) -> String {
    let what = what.trim_end_matches('.');
    format!("{what}; nothing of it is counted yet: `daycap explain {path}` shows its lines")
}

impl Log {
    /// Take in what became of lines that were read.
    pub(super) fn note_lines(&mut self, lines: &Lines, is_configured: bool) {
        let Judgement { recent, looks_again, unreadable, .. } = &mut self.judgement;
        recent.add(lines);
        let all = recent.counted + recent.skipped + recent.rejected();
        if all < RECENT_LINES_MIN {
            return;
        }
        let recent = std::mem::take(recent);
        if recent.rejected() * 100 <= all * REJECTED_PERCENT_MAX {
            *unreadable = None;
            return;
        }
        if !is_configured {
            *looks_again = LOOKS_AGAIN;
        }
        // Its numbers stay as they are until it is well again: it is said once.
        let format = self.mark.format.or(self.judgement.so_far.map(|found| found.format));
        let path = &self.mark.path;
        self.judgement.unreadable.get_or_insert_with(|| too_many_rejects(&recent, "last ", format, path));
    }

    /// The log's last lines up to those in `buffer`, which were read just now.
    fn latest(&self, buffer: &[u8]) -> io::Result<Vec<u8>> {
        let end = self.mark.offset;
        match &self.file {
            Some(file) if !self.is_archive() && buffer.len() < DETECT_BYTES => {
                let start = end.saturating_sub(DETECT_BYTES as u64);
                let mut lines = Vec::new();
                // At most the bytes that are judged.
                fill(file, start, (end - start) as usize, &mut lines)?;
                Ok(if start > 0 { behind_line_end(&lines).to_vec() } else { lines })
            }
            _ => {
                let last = &buffer[buffer.len().saturating_sub(DETECT_BYTES)..];
                Ok(if last.len() < buffer.len() { behind_line_end(last) } else { last }.to_vec())
            }
        }
    }
}

/// In words; `which` lines they are, and a path for the remedy.
pub fn too_many_rejects(lines: &Lines, which: &str, format: Option<Format>, path: &str) -> String {
    let all = lines.counted + lines.skipped + lines.rejected();
    let reasons = [
        (lines.malformed, "malformed"),
        (lines.no_time, "without a time stamp"),
        (lines.bad_time, "with an unreadable time stamp"),
    ];
    let told: Vec<_> =
        reasons.iter().filter(|(count, _)| *count > 0).map(|(count, reason)| format!("{count} {reason}")).collect();
    format!(
        "{} of its {which}{all} lines could not be read{} ({}); `daycap explain {path}` shows them",
        lines.rejected(),
        format.map_or(String::new(), |format| format!(" as {format}")),
        told.join(", ")
    )
}

/// Whether more lines were rejected than a log of its format has.
pub fn has_too_many_rejects(lines: &Lines) -> bool {
    lines.rejected() * 100 > (lines.counted + lines.skipped + lines.rejected()) * REJECTED_PERCENT_MAX
}

fn behind_line_end(bytes: &[u8]) -> &[u8] {
    memchr::memchr(b'\n', bytes).map_or(&[], |end| &bytes[end + 1..])
}

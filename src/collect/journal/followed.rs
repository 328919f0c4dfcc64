//! One match of a journal source: where its entries are read on, how far each of its logs is counted, and what keeps it
//! from being read.
//! This file never decides when to look.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::cursor::Cursor;
use super::poll::{Batch, Failure, Place, Program};
use super::{DIRECTORIES, Others};
use crate::collect::decode::{Detection, Found};
use crate::collect::ladder::Ladder;
use crate::collect::log::{Fingerprint, LogId, LogMark};
use crate::collect::loss::Loss;
use crate::collect::rotation::default_service;
use crate::collect::settle::{Detect, combine};
use crate::collect::tail::{Known, LINE_BYTES_MAX, Piece};
use crate::collect::{Chunk, CountFrom, Envelope, Format, Reading, Source, Start};
use crate::day::{Minute, Now};

/// Entries whose format cannot be told yet are read again after this long.
const UNSETTLED_RETRY: Duration = Duration::from_secs(10);

/// One match, and how far its entries are read.
pub(super) struct Followed {
    pub(super) source: usize,
    pub(super) matching: String,
    pub(super) directory: Option<PathBuf>,
    /// Matches of the same journal that come before this one in the configuration: an entry counts with its first.
    pub(super) earlier: Vec<String>,
    /// What it is called in marks and messages.
    pub(super) label: String,
    /// What the service is called where neither entry nor source names one.
    service: Arc<str>,
    /// The source's own.
    reading: Reading,
    /// `None` until the format is settled.
    settled: Option<Arc<Reading>>,
    /// By what it is settled so far; `None` once it is sure.
    judged: Option<Found>,
    start: Start,
    /// The last entry that was taken; the next run begins with it.
    last: Option<Cursor>,
    /// Where there is none, at the earliest.
    from: Option<DateTime<Utc>>,
    /// Where the state is lost and entries are read again: the furthest that is known.
    furthest: Option<Cursor>,
    logs: BTreeMap<LogId, Chain>,
    pub(super) batch: Batch,
    /// Everything that was received by then was taken.
    read_until: Option<DateTime<Utc>>,
    /// The last run could not take all there is.
    pub(super) is_behind: bool,
    /// Uptime at which the next run may be.
    pub(super) rests_until: Duration,
    /// What keeps entries from being read, and the remedy.
    pub(super) trouble: Option<String>,
}

/// A match's entries of one chain of journal files.
struct Chain {
    mark: LogMark,
    last: Option<Cursor>,
}

impl Followed {
    pub(super) fn all(index: usize, source: &Source) -> Vec<Followed> {
        let Some(journal) = &source.journal else { return Vec::new() };
        let followed = |matching: &String| {
            let label = label(journal.directory.as_deref(), matching);
            Followed {
                source: index,
                matching: matching.clone(),
                directory: journal.directory.clone(),
                earlier: Vec::new(),
                service: default_service(Path::new(&label)).into(),
                label,
                settled: source
                    .reading
                    .format
                    .map(|format| with_format(&source.reading, wrapped(format), CountFrom::Auto)),
                judged: None,
                reading: source.reading.clone(),
                start: source.start,
                last: None,
                from: None,
                furthest: None,
                logs: BTreeMap::new(),
                batch: Batch::default(),
                read_until: None,
                is_behind: false,
                rests_until: Duration::ZERO,
                trouble: None,
            }
        };
        journal.matches.iter().map(followed).collect()
    }

    pub(super) fn roots(&self) -> Vec<PathBuf> {
        let roots = match &self.directory {
            Some(directory) => vec![directory.clone()],
            None => DIRECTORIES.map(PathBuf::from).to_vec(),
        };
        roots.into_iter().filter(|root| root.is_dir()).collect()
    }

    /// Go on behind what is known. Only where everything before it is done with, the cursor says where; else entries are
    /// read again from the first, and those that are counted are passed over by their number.
    pub(super) fn know(&mut self, known: &Known) {
        let mark = &known.mark;
        let cursor = mark.cursor.as_deref().and_then(|cursor| cursor.parse::<Cursor>().ok());
        let (place, until) = if known.resume >= mark.offset {
            // What was behind is still to be read, whenever that run last looked.
            (&mut self.last, mark.missing_since.or(cursor.filter(|_| mark.open).map(|cursor| cursor.received())))
        } else {
            (&mut self.furthest, cursor.map(|cursor| cursor.received()))
        };
        if let Some(cursor) = cursor
            && place.is_none_or(|before| before.received() <= cursor.received())
        {
            *place = Some(cursor);
            self.read_until = until;
        }
        if let Some(format) = mark.format.filter(|_| self.settled.is_none()) {
            self.settled = Some(with_format(&self.reading, format, mark.count_from));
        }
        self.logs.insert(mark.id, Chain { mark: known.at_resume(), last: None });
    }

    /// Before the first run, what the run before this one had done.
    pub(super) fn begin(&mut self, now: Now, looked_before: Option<DateTime<Utc>>) {
        self.read_until = self.read_until.or(looked_before);
        if self.start == Start::End && self.logs.is_empty() {
            self.from.get_or_insert(looked_before.unwrap_or(now.wall));
        }
    }

    /// Take what has come since the last entry.
    pub(super) fn poll(
        &mut self,
        program: &Program,
        now: Now,
        others: &mut Others,
        losses: &mut Vec<Loss>,
    ) -> Result<(), Failure> {
        let begin = self.from.map_or(Place::Beginning, Place::Instant);
        let place = self.last.map_or(begin, Place::Entry);
        let mut batch = program.entries(&self.matching, self.directory.as_deref(), place)?;
        match (self.last, batch.peek()) {
            (Some(last), Some(first)) if first.is_of(&last) => {
                batch.next();
                self.go_on_with(first, last, others);
            }
            (Some(last), Some(_) | None) => {
                losses.extend(self.lost_behind(last, program, now)?);
                self.last = None;
            }
            (None, Some(_) | None) => {
                if let Some(furthest) = self.furthest {
                    losses.extend(self.lost_behind(furthest, program, now)?);
                    self.furthest = None;
                }
            }
        }
        let cut_at = batch.last().filter(|_| batch.is_cut).map(|last| last.received());
        self.read_until = Some(cut_at.unwrap_or(now.wall));
        self.is_behind = batch.is_cut;
        self.batch = batch;
        Ok(())
    }

    /// The last entry came first again. Where it was copied to another chain, it has another number, which is done with.
    fn go_on_with(&mut self, first: Cursor, last: Cursor, others: &mut Others) {
        if first.chain != last.chain {
            self.last = Some(first);
            let chain = self.chain(&first, others);
            if chain.takes(first) {
                chain.mark.begun = chain.mark.begun.max(chain.mark.offset);
            }
        }
    }

    /// The last entry is gone, for journald removes its oldest files: entries that came since everything was read may
    /// have been in them.
    fn lost_behind(&self, last: Cursor, program: &Program, now: Now) -> Result<Option<Loss>, Failure> {
        let oldest = program.oldest(self.directory.as_deref())?;
        let since = self.read_until.unwrap_or_else(|| last.received()).min(now.wall);
        let of_any = || oldest.values().filter(|first| **first > since).min();
        let until = oldest.get(&last.chain).or_else(of_any).copied().unwrap_or(now.wall).min(now.wall);
        let what = "the journal was vacuumed, or is gone, and not all of its entries had been read".to_owned();
        Ok((until > since).then(|| Loss { source: self.source, path: self.label.clone(), what, since, until }))
    }

    /// The format of the batch's entries; while it is not settled, nothing of them is taken.
    pub(super) fn settle(&mut self, now: Now, detect: Detect) {
        (self.trouble, self.rests_until) = (None, Duration::ZERO);
        if self.batch.peek().is_none() {
            self.trouble = self.logs.is_empty().then(|| self.waiting());
            return;
        }
        if self.settled.is_some() && self.judged.is_none() {
            return;
        }
        let lines = self.batch.left();
        let detection = detect(&lines[..lines.len().min(LINE_BYTES_MAX)], &self.reading);
        if detection == Detection::Empty {
            return self.leave(now);
        }
        match combine(self.judged.filter(|found| found.candidates > 0), true, detection) {
            Ok(found) => {
                self.settled = Some(with_format(&self.reading, wrapped(found.format), found.count_from));
                self.judged = Some(found).filter(|found| !found.is_sure());
            }
            Err(what) => {
                self.leave(now);
                let what = what.trim_end_matches('.');
                self.trouble = Some(format!("{what}; nothing of it is counted yet: set `format` in its [[source]]"));
            }
        }
    }

    /// Read the batch again later, when more has come to judge by.
    fn leave(&mut self, now: Now) {
        self.rests_until = now.uptime + UNSETTLED_RETRY;
        self.read_until = self.last.map(|last| last.received());
        self.is_behind = false;
        self.batch = Batch::default();
    }

    fn waiting(&self) -> String {
        "waiting: the journal has no entry of it that daycap may read; check the name in its [[source]] if one should \
         be there, and that daycap's user is in the group systemd-journal or adm"
            .to_owned()
    }

    pub(super) fn next_chunk(&mut self, others: &mut Others, buffer: &mut Vec<u8>) -> Option<Piece> {
        let (reading, is_sure) = (self.settled.clone()?, self.judged.is_none());
        loop {
            let (cursor, line) = self.batch.next()?;
            buffer.clear();
            buffer.extend_from_slice(line);
            self.last = Some(cursor);
            let is_of_earlier = has_any(buffer, &self.earlier);
            let chain = self.chain(&cursor, others);
            if !chain.takes(cursor) || is_of_earlier {
                continue;
            }
            if is_sure {
                (chain.mark.format, chain.mark.count_from) = (reading.format, reading.count_from);
            }
            let written = Some(Minute::at(cursor.received()));
            let chunk = Chunk { start: cursor.number, end: chain.mark.offset, written };
            let (log, default_service) = (chain.mark.id, self.service.clone());
            return Some(Piece { log, source: self.source, reading, default_service, chunk, arrival: None });
        }
    }

    /// The log of this entry's chain; made on first sight, unless it was known under another name.
    fn chain(&mut self, first: &Cursor, others: &mut Others) -> &mut Chain {
        let id = LogId::of_journal(&self.matching, first.chain);
        let path = &self.label;
        self.logs.entry(id).or_insert_with(|| match others.remove(&id) {
            Some(mark) => Chain { mark: LogMark { path: path.clone(), ..mark }, last: None },
            None => Chain::new(id, path, first),
        })
    }

    /// As they are to be saved: what is taken and not given out is not claimed.
    pub(super) fn marks(&self) -> impl Iterator<Item = LogMark> {
        let open = self.is_behind || self.batch.peek().is_some();
        let missing_since = self.read_until.filter(|_| self.rests_until > Duration::ZERO);
        self.logs.values().map(move |chain| LogMark { open, missing_since, ..chain.mark() })
    }
}

impl Chain {
    fn new(id: LogId, label: &str, first: &Cursor) -> Chain {
        let mark = LogMark {
            id,
            path: label.to_owned(),
            device: 0,
            inode: 0,
            born_ns: None,
            head: Fingerprint::default(),
            begun: first.number,
            offset: first.number,
            anchor: Fingerprint::default(),
            ladder: Ladder::default(),
            open: false,
            missing_since: None,
            format: None,
            count_from: CountFrom::Auto,
            cursor: Some(String::new()),
            backlog: 0,
            arrived: 0,
        };
        Chain { mark, last: None }
    }

    /// Whether this entry is still to be counted; then it is done with from now on.
    fn takes(&mut self, cursor: Cursor) -> bool {
        if cursor.number < self.mark.offset {
            return false;
        }
        if self.last.is_none() && self.mark.offset == self.mark.begun {
            // Read again from the first; should earlier ones be gone, this shows it.
            self.mark.begun = cursor.number;
        }
        self.mark.offset = cursor.number.saturating_add(1);
        self.last = Some(cursor);
        true
    }

    fn mark(&self) -> LogMark {
        let cursor = self.last.map(|last| last.to_string()).or_else(|| self.mark.cursor.clone());
        LogMark { cursor, ..self.mark.clone() }
    }
}

/// Whether an entry has one of these, each `FIELD=value`. Of one that was cut, and is no JSON any more, nothing is known.
fn has_any(entry: &[u8], matches: &[String]) -> bool {
    if matches.is_empty() {
        return false;
    }
    let Ok(fields) = serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(entry) else { return false };
    matches.iter().filter_map(|matching| matching.split_once('=')).any(|(field, value)| match fields.get(field) {
        Some(serde_json::Value::Array(all)) => all.iter().any(|one| one == value),
        one => one.is_some_and(|one| one == value),
    })
}

fn with_format(reading: &Reading, format: Format, count_from: CountFrom) -> Arc<Reading> {
    let count_from = if reading.count_from.is_auto() { count_from } else { reading.count_from };
    Arc::new(Reading { format: Some(format), count_from, ..reading.clone() })
}

/// The format of the lines, where all that is said is what the messages in them are.
fn wrapped(format: Format) -> Format {
    match format.envelopes().next() {
        Some(Envelope::Journald) => format,
        // With one envelope more than are read, the lines are refused, and that is counted.
        _ => format.within(Envelope::Journald).unwrap_or(format),
    }
}

/// What a match is called: `journal:_SYSTEMD_UNIT/app.service`. As of a path, its last part names the service.
fn label(directory: Option<&Path>, matching: &str) -> String {
    let directory = directory.map(|directory| format!("{}:", directory.display())).unwrap_or_default();
    format!("journal:{directory}{}", matching.replacen('=', "/", 1))
}

//! The logs at hand are counted once more and held against the ledger. Each day's footer names the logs whose lines
//! are in its file, and up to which byte: exactly those lines are recounted, so the two must be equal in every cell.
//! This file never writes and takes no lock: it may run beside the daemon whose ledger it checks.

mod book;
mod claims;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Context;
use chrono_tz::Tz;
use hashbrown::HashMap;

use book::{Book, Sums};
use claims::{Claim, Claims};

use crate::collect::log::{LogId, LogMark};
use crate::collect::request::unpack;
use crate::collect::tail::{Known, Piece, Problem, Tail};
use crate::config::Config;
use crate::count::ledger::Ledger;
use crate::day::{Day, Minute, Now};
use crate::harvest::Decoders;
use crate::resume::known_logs;
use crate::state::{self, Loaded, State};

/// Looks that find something to read until the rest is left: a log that is being written to has no end.
const LOOKS_MAX: u32 = 5;
/// Cells that a worker holds before it adds them to the book, which all workers share.
const CELLS_MAX: usize = 1 << 16;

/// What the recount found.
#[derive(Debug)]
pub struct Verified {
    /// In order.
    pub days: Vec<Checked>,
    /// Requests at hand, of the days asked for, that lie beyond what the ledger says it holds.
    pub not_counted_yet: u64,
    /// What keeps logs from being read.
    pub problems: Vec<Problem>,
}

/// One UTC day, in requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub day: Day,
    pub ledger: u64,
    pub recounted: u64,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Equal,
    /// The ledger has requests more in some cells, less in others; a cell is a minute and all labels. In a cell of
    /// equal requests the units differ.
    Differs {
        more: u64,
        less: u64,
        cells: u64,
    },
    /// Of the logs that gave this day lines, some are not at hand as far as they were counted.
    NotAtHand {
        missing: usize,
        of: usize,
        last_seen: String,
    },
    /// Lines of this log state no time: they are in the minute in which they arrived, which the log does not tell.
    Unstamped(String),
    /// The day's file cannot be understood, and why.
    Damaged(String),
}

/// Recount `config.sources`, and compare the days from the first to the last of `days`, both included. `now` is asked
/// at each look at the logs.
pub fn verify(config: &Config, days: RangeInclusive<Day>, now: impl Fn() -> Now) -> anyhow::Result<Verified> {
    // Read in this order, each claims no line that those read after it do not know of, whatever is committed between.
    let state = match state::load(&config.state_dir)? {
        Loaded::Good(state) | Loaded::Previous(state, _) => state,
        Loaded::Fresh | Loaded::Lost(_) => State::default(),
    };
    let ledger = Ledger::new(&config.state_dir, &config.host);
    let kept_from = Minute::at(now().wall).utc_day().plus(-i64::from(config.keep_days));
    let mut book = Book::default();
    let mut claims = Claims::new(days, kept_from, &state);
    claims.add_days(&ledger, &mut book).context("cannot read the ledger")?;
    let footers = ledger.footers().context("cannot read the ledger")?;
    claims.add_others(&footers, config, &mut book).context("cannot read the ledger")?;
    claims.name_services(&footers, &state);

    let from_its_begin = |known: Known| Known { resume: known.mark.begun, ..known };
    let known = known_logs(&state, &footers).into_iter().map(from_its_begin).collect();
    let mut tail = Tail::new(config.sources.clone(), known);
    let (mut not_counted_yet, mut looks) = (0, 0);
    loop {
        // A look can leave work for the next: a copy is judged once what it copies has been read.
        tail.scan(now());
        let read = recount(&mut tail, &claims, &mut book);
        not_counted_yet += read.not_counted_yet;
        let is_settled = !tail.is_unsettled();
        looks += u32::from(is_settled);
        if is_settled && !read.any || looks == LOOKS_MAX {
            break;
        }
    }
    let days = compare(&claims, &book, &tail.marks());
    Ok(Verified { days, not_counted_yet, problems: tail.problems() })
}

/// What one reading to the end brought.
#[derive(Default)]
struct Reading {
    any: bool,
    not_counted_yet: u64,
}

/// Read what the tail has, on all cores, and take what the ledger claims off the book.
fn recount(tail: &mut Tail, claims: &Claims, book: &mut Book) -> Reading {
    let (tail, book) = (Mutex::new(tail), Mutex::new(book));
    let workers = thread::available_parallelism().map_or(1, |count| count.get());
    thread::scope(|scope| {
        let work = || scope.spawn(|| Worker::new(claims).work(&tail, &book));
        let running: Vec<_> = (0..workers).map(|_| work()).collect();
        let mut all = Reading::default();
        for worker in running {
            let read = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all.any |= read.any;
            all.not_counted_yet += read.not_counted_yet;
        }
        all
    })
}

struct Worker<'a> {
    claims: &'a Claims,
    buffer: Vec<u8>,
    /// Its series' ids are those of the cells.
    decoders: Decoders,
    cells: HashMap<u64, Sums>,
    read: Reading,
}

impl Worker<'_> {
    fn new(claims: &Claims) -> Worker<'_> {
        let (buffer, decoders, cells) = (Vec::new(), Decoders::default(), HashMap::new());
        Worker { claims, buffer, decoders, cells, read: Reading::default() }
    }

    fn work(mut self, tail: &Mutex<&mut Tail>, book: &Mutex<&mut Book>) -> Reading {
        loop {
            let piece = tail.lock().unwrap_or_else(PoisonError::into_inner).next_chunk(&mut self.buffer);
            let Some(piece) = piece else { break };
            self.read.any = true;
            let service = self.claims.services.get(&piece.log).unwrap_or(&piece.default_service);
            self.decoders.decode(&piece.reading, service, &self.buffer, &piece.chunk);
            self.sort(&piece);
            if self.cells.len() > CELLS_MAX {
                self.pour_into(&mut book.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
        self.pour_into(&mut book.lock().unwrap_or_else(PoisonError::into_inner));
        self.read
    }

    /// Which of the rows should be in this host's ledger?
    fn sort(&mut self, piece: &Piece) {
        let rows = &mut self.decoders.decoded.rows;
        let mut day: Range<Minute> = Minute(0)..Minute(0);
        let mut shares = None;
        for row in 0..rows.len() {
            let (minute, _) = unpack(rows.key[row]);
            if !day.contains(&minute) {
                let of = minute.utc_day();
                (day, shares) = (of.span(Tz::UTC), self.claims.shares(of, piece.log));
            }
            match shares {
                Some(shares) if rows.start[row] < shares.elsewhere => {}
                Some(shares) if rows.start[row] < shares.here => {
                    self.cells.entry(rows.key[row]).or_default().add(Sums { requests: 1, units: rows.units[row] });
                }
                Some(_) => self.read.not_counted_yet += 1,
                None => {}
            }
        }
        rows.clear();
    }

    fn pour_into(&mut self, book: &mut Book) {
        let series = self.decoders.decoded.series.list();
        for (key, sums) in self.cells.drain() {
            let (minute, id) = unpack(key);
            book.add_recounted(minute, &series[id as usize], sums);
        }
        self.decoders.bound();
    }
}

/// Judge each day that the ledger has, or should have.
fn compare(claims: &Claims, book: &Book, read_to: &BTreeMap<LogId, LogMark>) -> Vec<Checked> {
    let differences = book.differences();
    let days: BTreeSet<Day> = claims.days.keys().chain(differences.keys()).copied().collect();
    let nothing = Claim::default();
    let check = |day: Day| {
        let claim = claims.days.get(&day).unwrap_or(&nothing);
        let cells = differences.get(&day).map_or(&[][..], Vec::as_slice);
        let count = |of: &BTreeMap<Day, u64>| of.get(&day).copied().unwrap_or(0);
        let verdict = verdict(claim, cells, read_to);
        Checked { day, ledger: count(&book.ledger), recounted: count(&book.recounted), verdict }
    };
    // A day of which only a loss is known has nothing to recount.
    let is_empty =
        |checked: &Checked| checked.ledger == 0 && checked.recounted == 0 && checked.verdict == Verdict::Equal;
    days.into_iter().map(check).filter(|checked| !is_empty(checked)).collect()
}

fn verdict(claim: &Claim, cells: &[Sums], read_to: &BTreeMap<LogId, LogMark>) -> Verdict {
    if let Some(what) = &claim.damaged {
        return Verdict::Damaged(what.clone());
    }
    // Of a journal, the oldest entries may be gone.
    let is_part = |read: &LogMark, mark: &LogMark| read.offset < mark.offset || read.begun > mark.begun;
    let is_missing = |mark: &&LogMark| read_to.get(&mark.id).is_none_or(|read| is_part(read, mark));
    let missing: Vec<&LogMark> = claim.marks.values().filter(is_missing).collect();
    if let Some(first) = missing.first() {
        return Verdict::NotAtHand { missing: missing.len(), of: claim.marks.len(), last_seen: first.path.clone() };
    }
    if let Some(mark) = claim.marks.values().find(|mark| mark.arrived > 0) {
        return Verdict::Unstamped(mark.path.clone());
    }
    if cells.is_empty() {
        return Verdict::Equal;
    }
    let sum = |sign: fn(i64) -> bool| {
        let requests = cells.iter().map(|cell| cell.requests.cast_signed()).filter(|requests| sign(*requests));
        requests.map(i64::unsigned_abs).fold(0, u64::saturating_add)
    };
    let (more, less) = (sum(i64::is_positive), sum(i64::is_negative));
    Verdict::Differs { more, less, cells: cells.len() as u64 }
}

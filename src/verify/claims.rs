//! What the ledger claims: which lines of which logs are in which day's file.
//! This file never looks at a log.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use super::book::{Book, Sums};
use crate::collect::log::{LogId, LogMark};
use crate::collect::rotation::default_service;
use crate::config::Config;
use crate::count::ledger::{Footer, Ledger};
use crate::count::query;
use crate::day::Day;
use crate::state::State;

/// What the ledger says of the lines it holds.
pub(super) struct Claims {
    /// The days asked for.
    span: RangeInclusive<Day>,
    /// This host's days.
    pub(super) days: BTreeMap<Day, Claim>,
    /// Lines that start below are in another host's file: this machine had another name then.
    elsewhere: HashMap<(Day, LogId), u64>,
    /// From the state: lines that start below are in the ledger, whichever day they belong to.
    counted: HashMap<LogId, u64>,
    /// Days before may be forgotten.
    kept_from: Day,
    /// What lines that name no service were filed under.
    pub(super) services: HashMap<LogId, Arc<str>>,
}

/// What one day's file says, or its files, where the host changed its name.
#[derive(Default)]
pub(super) struct Claim {
    pub(super) marks: BTreeMap<LogId, LogMark>,
    pub(super) damaged: Option<String>,
}

/// Where a log's lines of one day are said to be.
#[derive(Clone, Copy)]
pub(super) struct Shares {
    /// Those that start below are another host's.
    pub(super) elsewhere: u64,
    /// The others that start below are this host's.
    pub(super) here: u64,
}

impl Claims {
    pub(super) fn new(span: RangeInclusive<Day>, kept_from: Day, state: &State) -> Claims {
        Claims {
            span,
            days: BTreeMap::new(),
            elsewhere: HashMap::new(),
            counted: state.marks.iter().map(|mark| (mark.id, mark.offset)).collect(),
            kept_from,
            services: HashMap::new(),
        }
    }

    /// This host's days, whose rows are added to `book`. A day's footer and its rows come from one read.
    pub(super) fn add_days(&mut self, ledger: &Ledger, book: &mut Book) -> anyhow::Result<()> {
        for (day, _, path) in ledger.files()? {
            if path == ledger.file(day) && self.span.contains(&day) {
                let mut claim = Claim::default();
                if claim.add_file(&path, book)? {
                    self.days.insert(day, claim);
                }
            }
        }
        Ok(())
    }

    /// Another host's file belongs to a day of this one where the two have a log in common: the host changed its name
    /// in between, and each file has a part of that log. All others are left alone.
    pub(super) fn add_others(&mut self, footers: &[Footer], config: &Config, book: &mut Book) -> anyhow::Result<()> {
        let mut others: BTreeMap<Day, Vec<&Footer>> = BTreeMap::new();
        for footer in footers.iter().filter(|footer| footer.host != config.host && self.span.contains(&footer.day)) {
            others.entry(footer.day).or_default().push(footer);
        }
        for (day, mut others) in others {
            if let Some(claim) = self.days.get_mut(&day) {
                while let Some(at) = others.iter().position(|other| claim.shares_a_log_with(other)) {
                    let other = others.swap_remove(at);
                    claim.add_file(&Ledger::new(&config.state_dir, &other.host).file(day), book)?;
                }
            }
            for mark in others.iter().flat_map(|other| &other.marks) {
                let offset = self.elsewhere.entry((day, mark.id)).or_default();
                *offset = mark.offset.max(*offset);
            }
        }
        Ok(())
    }

    /// A line that names no service is filed under its log's file name, as it was when the log was first counted: the
    /// file may have been moved since.
    pub(super) fn name_services(&mut self, footers: &[Footer], state: &State) {
        for mark in footers.iter().flat_map(|footer| &footer.marks).chain(&state.marks) {
            self.services.entry(mark.id).or_insert_with(|| Arc::from(default_service(Path::new(&mark.path))));
        }
    }

    /// `None` for a day that is not compared.
    pub(super) fn shares(&self, day: Day, log: LogId) -> Option<Shares> {
        let claim = self.days.get(&day);
        let is_gone_or_damaged = match claim {
            Some(claim) => claim.damaged.is_some(),
            None => day < self.kept_from,
        };
        if is_gone_or_damaged || !self.span.contains(&day) {
            return None;
        }
        let in_file = claim.and_then(|claim| claim.marks.get(&log)).map_or(0, |mark| mark.offset);
        let counted = self.counted.get(&log).copied().unwrap_or(0);
        let elsewhere = self.elsewhere.get(&(day, log)).copied().unwrap_or(0);
        Some(Shares { elsewhere, here: in_file.max(counted) })
    }
}

impl Claim {
    /// `false` when the file was forgotten just now.
    fn add_file(&mut self, path: &Path, book: &mut Book) -> anyhow::Result<bool> {
        match query::day_file(path) {
            Ok(Ok((footer, tally))) => {
                for mark in footer.marks {
                    let furthest = self.marks.entry(mark.id).or_insert_with(|| mark.clone());
                    if mark.offset > furthest.offset {
                        *furthest = mark;
                    }
                }
                for (minute, series, requests, units) in tally.rows() {
                    book.add_from_ledger(minute, series, Sums { requests, units });
                }
            }
            Ok(Err(what)) => self.damaged = Some(format!("{}: {what}", path.display())),
            Err(_) if !path.exists() => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn shares_a_log_with(&self, other: &Footer) -> bool {
        other.marks.iter().any(|mark| self.marks.contains_key(&mark.id))
    }
}

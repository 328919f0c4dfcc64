//! Counts since the last commit: decoded rows become sums by minute and series, whatever the order they
//! come in. Floating point sums (durations) depend on the order in their last bits; all others never do.
//! This file never touches the disk.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use polars::prelude::{DataFrame, PolarsResult};

use super::batch::{self, Sums};
use crate::collect::request::{Decoded, Series, SeriesTable, pack, unpack};
use crate::day::{DAY_MINUTES, Day, Minute};

#[derive(Clone, Default)]
pub struct Tally {
    series: SeriesTable,
    sums: Sums,
}

impl Tally {
    /// Take the rows out of `decoded` and add them. `decoded.series` stays, for its owner's next chunk.
    pub fn add(&mut self, decoded: &mut Decoded) {
        let rows = std::mem::take(&mut decoded.rows);
        if !rows.is_empty() {
            self.push(batch::count(rows), decoded.series.list());
        }
    }

    pub fn merge(&mut self, other: Tally) {
        if self.is_empty() {
            *self = other;
            return;
        }
        for frame in other.sums.into_frames() {
            self.push(frame, other.series.list());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// The UTC days that have rows.
    pub fn days(&self) -> BTreeSet<Day> {
        let keys = self.sums.frames().iter().flat_map(|frame| batch::keys(frame));
        let numbers: BTreeSet<u32> = keys.map(|key| day_number(unpack(*key).0)).collect();
        numbers.into_iter().map(|number| Minute(number * DAY_MINUTES).utc_day()).collect()
    }

    /// Only the rows of these days, taken out of this tally.
    pub fn take_days(&mut self, days: &BTreeSet<Day>) -> Tally {
        let numbers: BTreeSet<u32> = days.iter().map(|day| day_number(day.span(Tz::UTC).start)).collect();
        let is_taken = |key| numbers.contains(&day_number(unpack(key).0));
        let mut taken = Tally { series: self.series.clone(), sums: Sums::default() };
        for frame in std::mem::take(&mut self.sums).into_frames() {
            taken.sums.push(batch::filter(&frame, is_taken));
            self.sums.push(batch::filter(&frame, |key| !is_taken(key)));
        }
        if self.is_empty() {
            // With no row left no series is needed: so the table cannot grow for as long as a daemon lives.
            self.series = SeriesTable::default();
        }
        taken
    }

    /// The tally's rows: minute, series, requests, units. Order unspecified.
    pub fn rows(&self) -> Vec<(Minute, &Series, u64, u64)> {
        let Some(sums) = self.sums.compacted() else { return Vec::new() };
        let requests = batch::integers(&sums, batch::REQUESTS);
        let units = batch::integers(&sums, batch::UNITS);
        let row = |(row, key): (usize, &u64)| {
            let (minute, id) = unpack(*key);
            (minute, &self.series.list()[id as usize], requests[row], units[row])
        };
        batch::keys(&sums).iter().enumerate().map(row).collect()
    }

    /// All rows in the ledger's schema, sorted.
    pub(super) fn ledger_rows(&self, host: &str) -> DataFrame {
        batch::ledger_rows(&self.sums.compacted().unwrap_or_else(batch::no_sums), self.series.list(), host)
    }

    /// What a day's file holds, as a tally to add to.
    pub(super) fn of_ledger_rows(rows: &DataFrame) -> PolarsResult<Tally> {
        let mut tally = Tally::default();
        let sums = batch::from_ledger_rows(rows, &mut tally.series)?;
        tally.sums.push(sums);
        Ok(tally)
    }

    /// How many rows are held; the same key may be in several of them.
    pub(super) fn row_count(&self) -> usize {
        self.sums.frames().iter().map(DataFrame::height).sum()
    }

    /// Add a copy of `other`'s rows of this UTC day.
    pub(super) fn add_day(&mut self, other: &Tally, day: Day) {
        for frame in other.sums.frames() {
            self.push(batch::filter(frame, |key| unpack(key).0.utc_day() == day), other.series.list());
        }
    }

    /// Add sums whose series ids are those of `list`.
    fn push(&mut self, sums: DataFrame, list: &[Series]) {
        let mut ids: Vec<Option<u32>> = vec![None; list.len()];
        let mut translate = |key: &u64| {
            let (minute, theirs) = unpack(*key);
            let ours = ids[theirs as usize].get_or_insert_with(|| self.series.id_of(&list[theirs as usize]));
            pack(minute, *ours)
        };
        let keys = batch::keys(&sums).iter().map(&mut translate).collect();
        self.sums.push(batch::with_keys(sums, keys));
    }
}

/// UTC days since 1970.
fn day_number(minute: Minute) -> u32 {
    minute.0 / DAY_MINUTES
}

/// Units a minute.
pub type Minutes = BTreeMap<Minute, u64>;

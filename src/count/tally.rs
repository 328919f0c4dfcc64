//! Counts since the last commit: decoded rows become sums by minute and series, whatever the order they
//! come in. Floating point sums (durations) depend on the order in their last bits; all others never do.
//! This file never touches the disk.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use polars::prelude::{DataFrame, PolarsResult};

use super::batch;
use super::sums::{self, Sums};
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
            self.push(sums::count(rows), decoded.series.list());
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
        let keys = self.sums.frames().iter().flat_map(sums::keys);
        let numbers: BTreeSet<u32> = keys.map(|key| day_number(unpack(*key).0)).collect();
        numbers.into_iter().map(|number| Minute(number * DAY_MINUTES).utc_day()).collect()
    }

    /// Only the rows of these days, taken out of this tally.
    pub fn take_days(&mut self, days: &BTreeSet<Day>) -> Tally {
        let numbers: BTreeSet<u32> = days.iter().map(|day| day_number(day.span(Tz::UTC).start)).collect();
        let is_taken = |key| numbers.contains(&day_number(unpack(key).0));
        let mut taken = Tally { series: self.series.clone(), sums: Sums::default() };
        for frame in std::mem::take(&mut self.sums).into_frames() {
            taken.sums.push(sums::filter(&frame, is_taken));
            self.sums.push(sums::filter(&frame, |key| !is_taken(key)));
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
        let requests = sums::integers(&sums, batch::REQUESTS);
        let units = sums::integers(&sums, batch::UNITS);
        let row = |(row, key): (usize, &u64)| {
            let (minute, id) = unpack(*key);
            (minute, &self.series.list()[id as usize], requests[row], units[row])
        };
        sums::keys(&sums).iter().enumerate().map(row).collect()
    }

    /// All rows in the ledger's schema, sorted.
    pub(super) fn ledger_rows(&self, host: &str) -> DataFrame {
        batch::ledger_rows(&self.sums.compacted().unwrap_or_else(sums::no_sums), self.series.list(), host)
    }

    /// What a day's file holds, as a tally to add to.
    pub(super) fn of_ledger_rows(rows: &DataFrame) -> PolarsResult<Tally> {
        let mut tally = Tally::default();
        let sums = batch::from_ledger_rows(rows, &mut tally.series)?;
        tally.sums.push(sums);
        Ok(tally)
    }

    /// The sum of all rows.
    pub(super) fn requests(&self) -> u64 {
        let sums = self.sums.frames().iter().flat_map(|frame| sums::integers(frame, batch::REQUESTS));
        sums.fold(0, |sum, requests| sum.saturating_add(*requests))
    }

    /// How many rows are held; the same key may be in several of them.
    #[cfg(test)]
    fn row_count(&self) -> usize {
        self.sums.frames().iter().map(DataFrame::height).sum()
    }

    /// Add a copy of `other`'s rows of this UTC day.
    pub(super) fn add_day(&mut self, other: &Tally, day: Day) {
        for frame in other.sums.frames() {
            self.push(sums::filter(frame, |key| unpack(key).0.utc_day() == day), other.series.list());
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
        let keys = sums::keys(&sums).iter().map(&mut translate).collect();
        self.sums.push(sums::with_keys(sums, keys));
    }
}

/// UTC days since 1970.
fn day_number(minute: Minute) -> u32 {
    minute.0 / DAY_MINUTES
}

/// Units a minute.
pub type Minutes = BTreeMap<Minute, u64>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::sample::{Sample, any_samples, decoded, push, sample};
    use proptest::prelude::*;

    type Rows = BTreeMap<(Minute, Series), (u64, u64)>;

    fn rows_of(tally: &Tally) -> Rows {
        let rows = tally.rows();
        let map: Rows = rows.iter().map(|(minute, series, r, u)| ((*minute, (*series).clone()), (*r, *u))).collect();
        assert_eq!(map.len(), rows.len(), "each minute and series comes once");
        map
    }

    fn model(samples: &[Sample]) -> Rows {
        let mut rows = Rows::new();
        for sample in samples {
            let row = rows.entry((sample.minute, sample.series())).or_default();
            row.0 += 1;
            row.1 += sample.units;
        }
        rows
    }

    fn tally(samples: &[Sample]) -> Tally {
        let mut tally = Tally::default();
        tally.add(&mut decoded(samples));
        tally
    }

    fn ledger_rows(tally: &Tally) -> DataFrame {
        tally.ledger_rows("host")
    }

    proptest! {
        #[test]
        fn sums_are_those_of_a_map(samples in any_samples()) {
            prop_assert_eq!(rows_of(&tally(&samples)), model(&samples));
        }

        /// Two workers with tables of their own, in any shares, merged either way round.
        #[test]
        fn adding_in_any_order_and_split_gives_the_same_rows(
            samples in any_samples(),
            to_left in prop::collection::vec(any::<bool>(), 60),
            chunk in 1_usize..20,
        ) {
            let whole = ledger_rows(&tally(&samples));
            let (mut left, mut right) = (Tally::default(), Tally::default());
            let (mut left_worker, mut right_worker) = (Decoded::default(), Decoded::default());
            for (samples, to_left) in samples.chunks(chunk).zip(to_left) {
                let (tally, worker) = if to_left { (&mut left, &mut left_worker) } else { (&mut right, &mut right_worker) };
                push(worker, samples);
                tally.add(worker);
                prop_assert!(worker.rows.is_empty());
            }
            let mut forward = left.clone();
            forward.merge(right.clone());
            right.merge(left);
            prop_assert!(ledger_rows(&forward).equals_missing(&whole));
            prop_assert!(ledger_rows(&right).equals_missing(&whole));
        }

        #[test]
        fn rows_come_back_from_the_ledgers_schema(samples in any_samples()) {
            let written = ledger_rows(&tally(&samples));
            let read = Tally::of_ledger_rows(&written).unwrap();
            prop_assert_eq!(rows_of(&read), model(&samples));
            prop_assert!(ledger_rows(&read).equals_missing(&written));
        }

        #[test]
        fn taking_days_splits_without_loss(samples in any_samples(), days in prop::collection::btree_set(0_i64..3, 0..3)) {
            let first = Minute(29_000_000).utc_day();
            let days: BTreeSet<Day> = days.into_iter().map(|day| first.plus(day)).collect();
            let mut rest = tally(&samples);
            let taken = rest.take_days(&days);
            prop_assert!(taken.days().is_subset(&days));
            prop_assert!(rest.days().is_disjoint(&days));
            let mut all = rows_of(&taken);
            all.extend(rows_of(&rest));
            prop_assert_eq!(all, model(&samples));
        }
    }

    #[test]
    fn days_are_utc() {
        let samples = [sample("2026-11-22T23:59:00Z", "/a", 200, 1), sample("2026-11-23T00:00:00Z", "/a", 200, 1)];
        let days: Vec<String> = tally(&samples).days().iter().map(Day::to_string).collect();
        assert_eq!(days, ["2026-11-22", "2026-11-23"]);
    }

    #[test]
    fn an_emptied_tally_is_as_new() {
        let mut tally = tally(&[sample("2026-11-22T23:59:00Z", "/a", 200, 1)]);
        let days = tally.days();
        tally.take_days(&days);
        assert!(tally.is_empty() && tally.days().is_empty() && tally.rows().is_empty());
        assert!(tally.series.list().is_empty());
    }

    #[test]
    fn thousands_of_single_requests_do_not_stay_thousands_of_frames() {
        let mut tally = Tally::default();
        for _ in 0..2500 {
            tally.add(&mut decoded(&[sample("2026-11-22T10:00:00Z", "/a", 200, 1)]));
        }
        assert!(tally.sums.frames().len() <= 1025);
        assert_eq!(tally.rows()[0].2, 2500);
    }

    /// More rows than are kept loose, added in many batches, so that compaction happens on the way.
    #[test]
    fn many_batches_add_up_in_bounded_memory() {
        let samples: Vec<Sample> = (0..1000_u64)
            .map(|n| Sample { units: n, ..sample("2026-11-22T10:00:00Z", "/a", 200, 0) })
            .map(|s| Sample { minute: Minute(s.minute.0 + u32::try_from(s.units).unwrap()), ..s })
            .collect();
        let mut tally = Tally::default();
        let mut worker = Decoded::default();
        for _ in 0..600 {
            push(&mut worker, &samples);
            tally.add(&mut worker);
        }
        assert!(tally.row_count() < 300_000);
        let rows = tally.rows();
        assert_eq!(rows.len(), 1000);
        assert!(rows.iter().all(|(_, _, requests, _)| *requests == 600));
    }
}

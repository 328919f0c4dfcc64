//! The account of a recount: what the ledger has goes in, what the logs have is taken off, what is left differs.
//! This file knows neither logs nor files.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::collect::request::{OTHER, Series, SeriesTable, pack, unpack};
use crate::day::{Day, Minute};

/// They wrap where the ledger's own sums do, beyond 1.8e19.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) requests: u64,
    pub(super) units: u64,
}

impl Sums {
    pub(super) fn add(&mut self, other: Sums) {
        self.requests = self.requests.wrapping_add(other.requests);
        self.units = self.units.wrapping_add(other.units);
    }

    fn negated(self) -> Sums {
        Sums { requests: self.requests.wrapping_neg(), units: self.units.wrapping_neg() }
    }
}

/// By minute and series, the ledger's sums less those recounted. It holds the days asked for, and shrinks while their
/// logs are read: a cell of nothing is dropped.
#[derive(Default)]
pub(super) struct Book {
    series: SeriesTable,
    cells: HashMap<u64, Sums>,
    /// Requests.
    pub(super) ledger: BTreeMap<Day, u64>,
    pub(super) recounted: BTreeMap<Day, u64>,
    /// Days with labels that came too late to keep a name of their own.
    nameless: BTreeSet<Day>,
}

impl Book {
    pub(super) fn add_from_ledger(&mut self, minute: Minute, series: &Series, sums: Sums) {
        let total = self.ledger.entry(minute.utc_day()).or_default();
        *total = total.wrapping_add(sums.requests);
        self.add(minute, series, sums);
    }

    pub(super) fn add_recounted(&mut self, minute: Minute, series: &Series, sums: Sums) {
        let total = self.recounted.entry(minute.utc_day()).or_default();
        *total = total.wrapping_add(sums.requests);
        self.add(minute, series, sums.negated());
    }

    fn add(&mut self, minute: Minute, series: &Series, sums: Sums) {
        let Series { service, key, api, method, operation, .. } = series;
        if [service, key, api, method, operation].into_iter().any(|label| **label == *OTHER) {
            self.nameless.insert(minute.utc_day());
        }
        let place = pack(minute, self.series.id_of(series));
        let cell = self.cells.entry(place).or_default();
        cell.add(sums);
        if *cell == Sums::default() {
            self.cells.remove(&place);
        }
    }

    /// The cells that differ, by day: what the ledger has more.
    ///
    /// Which labels lose their name depends on the order in which logs are read. Where some did, all that differs is
    /// added up as if none had one.
    pub(super) fn differences(&self) -> BTreeMap<Day, Vec<Sums>> {
        let mut days: BTreeMap<Day, Vec<Sums>> = BTreeMap::new();
        let mut nameless: HashMap<_, Sums> = HashMap::new();
        for (place, cell) in &self.cells {
            let (minute, id) = unpack(*place);
            if self.nameless.contains(&minute.utc_day()) {
                let series = &self.series.list()[id as usize];
                nameless.entry((minute, series.status, series.duration)).or_default().add(*cell);
            } else {
                days.entry(minute.utc_day()).or_default().push(*cell);
            }
        }
        for ((minute, ..), cell) in nameless {
            if cell != Sums::default() {
                days.entry(minute.utc_day()).or_default().push(cell);
            }
        }
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(operation: &str, status: u16) -> Series {
        let name = || "a".into();
        let (service, key, api, method) = (name(), name(), name(), name());
        Series { service, key, api, method, operation: operation.into(), status: Some(status), duration: None }
    }

    /// What is left of one day: of the ledger's requests, and of the logs', each with operation, status and units.
    fn left(ledger: &[(&str, u16, u64)], recounted: &[(&str, u16, u64)]) -> Vec<Sums> {
        let mut book = Book::default();
        for (operation, status, units) in recounted {
            book.add_recounted(Minute(0), &series(operation, *status), Sums { requests: 1, units: *units });
        }
        for (operation, status, units) in ledger {
            book.add_from_ledger(Minute(0), &series(operation, *status), Sums { requests: 1, units: *units });
        }
        book.differences().into_values().flatten().collect()
    }

    #[test]
    fn equal_cells_leave_nothing_whatever_their_sums() {
        let huge = [("/a", 200, u64::MAX), ("/a", 200, u64::MAX), ("/b", 200, 1)];
        assert_eq!(left(&huge, &huge), []);
    }

    #[test]
    fn a_cell_of_equal_requests_and_other_units_differs() {
        assert_eq!(left(&[("/a", 200, 3)], &[("/a", 200, 2)]), [Sums { requests: 0, units: 1 }]);
    }

    /// Which operation came too late to keep its name is no difference; that one is missing is.
    #[test]
    fn what_lost_its_name_is_compared_without_it() {
        assert_eq!(left(&[("/a", 200, 1), (OTHER, 200, 1)], &[(OTHER, 200, 1), ("/b", 200, 1)]), []);
        assert_eq!(left(&[("/a", 200, 1), ("/b", 200, 1)], &[(OTHER, 200, 1)]), [Sums { requests: 1, units: 1 }]);
        assert_eq!(left(&[(OTHER, 200, 1)], &[("/a", 404, 1)]).len(), 2);
    }

    #[test]
    fn days_are_kept_apart() {
        let mut book = Book::default();
        for minute in [Minute(0), Minute(crate::day::DAY_MINUTES)] {
            book.add_from_ledger(minute, &series("/a", 200), Sums { requests: 1, units: 1 });
        }
        book.add_recounted(Minute(0), &series("/a", 200), Sums { requests: 1, units: 1 });
        assert_eq!(book.differences().into_keys().collect::<Vec<_>>(), [Minute(crate::day::DAY_MINUTES).utc_day()]);
        assert_eq!((book.ledger.len(), book.recounted.len()), (2, 1));
    }
}

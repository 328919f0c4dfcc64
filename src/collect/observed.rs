//! What servers said of their quotas, in headers of responses that a client logged: the newest of each series.
//! This file never compares it with a count, and never believes it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::request::{Series, SeriesTable};
use crate::day::Minute;

/// Series whose last word one pass keeps: those heard last. A quota needs the newest alone.
const SERIES_MAX: usize = 1_000;

/// What the responses of one minute said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub minute: Minute,
    pub used: Option<u64>,
    pub remaining: Option<u64>,
    pub limit: Option<u64>,
    pub resets_at: Option<DateTime<Utc>>,
}

impl Observation {
    /// The newer of two; of the same minute, all that was used by its end. Where one says that it is of a later window,
    /// it is newer: the clocks of client and server do not turn together. Any order gives the same.
    pub fn newest(self, other: Observation) -> Observation {
        let age = |of: &Observation| (of.minute, of.resets_at);
        match age(&self).cmp(&age(&other)) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Equal => Observation {
                used: self.used.max(other.used),
                remaining: self.remaining.into_iter().chain(other.remaining).min(),
                limit: self.limit.max(other.limit),
                ..self
            },
        }
    }
}

/// The same by the ids of one table of series.
#[derive(Clone, Debug, Default)]
pub struct Heard(HashMap<u32, Observation>);

impl Heard {
    pub fn note(&mut self, series: u32, observation: Observation) {
        let known = self.0.entry(series).or_insert(observation);
        *known = known.newest(observation);
    }
}

/// The same by what requests are matched by: how long they took tells no quotas apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed(BTreeMap<Series, Observation>);

impl Observed {
    /// Take what was heard of the series in `table`.
    pub fn take_from(&mut self, heard: &mut Heard, table: &SeriesTable) {
        for (id, observation) in heard.0.drain() {
            let Some(series) = table.list().get(id as usize) else { continue };
            self.note(Series { duration: None, ..series.clone() }, observation);
        }
        self.bound();
    }

    pub fn merge(&mut self, other: Observed) {
        other.0.into_iter().for_each(|(series, observation)| self.note(series, observation));
        self.bound();
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Series, Observation)> {
        self.0.iter().map(|(series, observation)| (series, *observation))
    }

    fn note(&mut self, series: Series, observation: Observation) {
        let known = self.0.entry(series).or_insert(observation);
        *known = known.newest(observation);
    }

    /// Keep the newest.
    fn bound(&mut self) {
        if self.0.len() <= SERIES_MAX {
            return;
        }
        let mut minutes: Vec<Minute> = self.0.values().map(|observation| observation.minute).collect();
        minutes.sort_unstable_by(|one, other| other.cmp(one));
        let (oldest, mut places) = (minutes[SERIES_MAX - 1], SERIES_MAX);
        // Of those as old as the oldest that stays, as many as find a place.
        places -= minutes.iter().filter(|minute| **minute > oldest).count();
        self.0.retain(|_, observation| {
            let stays = observation.minute > oldest || (observation.minute == oldest && places > 0);
            places -= usize::from(stays && observation.minute == oldest);
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::request::Bucket;

    fn at(minute: u32, used: u64) -> Observation {
        Observation { minute: Minute(minute), used: Some(used), remaining: None, limit: None, resets_at: None }
    }

    fn series(operation: &str, duration: Option<Bucket>) -> Series {
        Series {
            service: "a".into(),
            key: "k".into(),
            api: "x".into(),
            method: "GET".into(),
            operation: operation.into(),
            status: Some(200),
            duration,
        }
    }

    #[test]
    fn within_a_minute_the_most_that_was_used_counts_and_a_later_window_comes_first() {
        let later = Observation { resets_at: DateTime::from_timestamp(4_000, 0), remaining: Some(9), ..at(7, 1) };
        let earlier = Observation { resets_at: DateTime::from_timestamp(3_000, 0), remaining: Some(1), ..at(7, 9) };
        assert_eq!(at(7, 5).newest(at(7, 3)), at(7, 5));
        assert_eq!(at(7, 5).newest(at(8, 3)), at(8, 3));
        assert_eq!(earlier.newest(later), later);
        assert_eq!(later.newest(Observation { remaining: Some(4), ..later }).remaining, Some(4));
    }

    proptest::proptest! {
        #[test]
        fn any_order_gives_the_same(of in proptest::collection::vec((0u32..3, proptest::option::of(0u64..4), proptest::option::of(0u64..4), proptest::option::of(0i64..3)), 1..6)) {
            let each = |(minute, used, remaining, reset): &(u32, Option<u64>, Option<u64>, Option<i64>)| Observation {
                minute: Minute(*minute),
                used: *used,
                remaining: *remaining,
                limit: *used,
                resets_at: reset.and_then(|at| DateTime::from_timestamp(at, 0)),
            };
            let forth = of.iter().map(each).reduce(Observation::newest);
            let back = of.iter().rev().map(each).reduce(|one, other| other.newest(one));
            proptest::prop_assert_eq!(forth, back);
        }
    }

    #[test]
    fn how_long_requests_took_tells_no_series_apart_and_the_newest_stay() {
        let mut table = SeriesTable::default();
        let (mut heard, mut observed) = (Heard::default(), Observed::default());
        for (minute, duration) in [(5, Bucket::of_ms(1.0)), (6, Bucket::of_ms(9.0)), (4, None)] {
            heard.note(table.id(series("op", duration)), at(minute, 1));
        }
        observed.take_from(&mut heard, &table);
        assert_eq!(observed.iter().collect::<Vec<_>>(), [(&series("op", None), at(6, 1))]);
        for n in 0..2 * SERIES_MAX {
            let minute = u32::try_from(n).expect("fits") / 3;
            heard.note(table.id(series(&format!("op{n:04}"), None)), at(minute, 1));
        }
        observed.take_from(&mut heard, &table);
        assert_eq!(observed.0.len(), SERIES_MAX);
        assert!(observed.0.contains_key(&series("op1999", None)) && !observed.0.contains_key(&series("op", None)));
    }
}

//! Who spent how much when: units by service and operation, an hour each, and a minute each where it is recent, so
//! that any window ends exactly where it does. All of it is bounded; the oldest goes first.
//! This file never reads a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hashbrown::HashMap;

use crate::collect::request::OTHER;
use crate::count::tally::Minutes;
use crate::day::Minute;

/// A service and one of its operations.
pub type Who = (String, String);

const HOUR: u32 = 60;
/// Operations that can be told apart; what comes after them is `(other)` until one of them is forgotten.
const OPERATIONS_MAX: usize = 1_000;
/// Minutes kept for themselves: a window of at most 25 hours and the one before it, as a clock may go back.
pub const RECENT_MINUTES: u32 = 50 * HOUR;
/// Pairs of a minute and an operation, at some 30 bytes: 300 operations that are all called all the time.
const RECENT_MAX: usize = 50 * 60 * 300;

#[derive(Clone, Debug)]
pub struct Contributors {
    names: Vec<Who>,
    ids: HashMap<Who, u32>,
    /// Hours since 1970 -> units by operation.
    hours: BTreeMap<u32, BTreeMap<u32, u64>>,
    hours_max: usize,
    recent: BTreeMap<Minute, BTreeMap<u32, u64>>,
    /// From here on `recent` has all there is.
    recent_from: Minute,
    recent_pairs: usize,
    /// Whether an hour was forgotten since names were last looked through.
    may_forget_names: bool,
}

impl Contributors {
    /// `by` has whole hours before `recent_from` and minutes from there on; `days` are remembered.
    pub fn new(by: BTreeMap<Who, Minutes>, recent_from: Minute, days: u32) -> Contributors {
        let mut contributors = Contributors {
            names: Vec::new(),
            ids: HashMap::new(),
            hours: BTreeMap::new(),
            hours_max: (days * 24) as usize,
            recent: BTreeMap::new(),
            recent_from,
            recent_pairs: 0,
            may_forget_names: false,
        };
        // Names are given to those that spent most.
        let mut by: Vec<_> = by.into_iter().collect();
        by.sort_by_cached_key(|(_, minutes)| std::cmp::Reverse(sum(minutes)));
        for (who, minutes) in &by {
            minutes.iter().for_each(|(minute, units)| contributors.add(&who.0, &who.1, *minute, *units));
        }
        contributors
    }

    pub fn add(&mut self, service: &str, operation: &str, minute: Minute, units: u64) {
        let id = self.id(service, operation);
        let hour = self.hours.entry(minute.0 / HOUR).or_default().entry(id).or_default();
        *hour = hour.saturating_add(units);
        if minute >= self.recent_from {
            let of_minute = self.recent.entry(minute).or_default();
            let before = of_minute.len();
            let sum = of_minute.entry(id).or_default();
            *sum = sum.saturating_add(units);
            self.recent_pairs += of_minute.len() - before;
        }
        while self.hours.len() > self.hours_max {
            self.hours.pop_first();
            self.may_forget_names = true;
        }
        while self.recent.len() > RECENT_MINUTES as usize || self.recent_pairs > RECENT_MAX {
            let Some((minute, of_minute)) = self.recent.pop_first() else { break };
            self.recent_pairs -= of_minute.len();
            self.recent_from = Minute(minute.0 + 1);
        }
    }

    fn id(&mut self, service: &str, operation: &str) -> u32 {
        // An owned key for each row: rows are few, a minute and series each.
        let who = (service.to_owned(), operation.to_owned());
        if let Some(id) = self.ids.get(&who) {
            return *id;
        }
        if self.names.len() >= OPERATIONS_MAX && std::mem::take(&mut self.may_forget_names) {
            self.forget_names();
        }
        let is_full = self.names.len() >= OPERATIONS_MAX;
        let who = if is_full { (OTHER.to_owned(), OTHER.to_owned()) } else { who };
        // `(other)` has a name beyond the bound.
        *self.ids.entry(who).or_insert_with_key(|who| {
            self.names.push(who.clone());
            u32::try_from(self.names.len() - 1).expect("names are few")
        })
    }

    /// Only the names of those that still have units are kept, under new numbers.
    fn forget_names(&mut self) {
        let used: BTreeSet<u32> = self.hours.values().flat_map(BTreeMap::keys).copied().collect();
        let new: HashMap<u32, u32> = used.iter().copied().zip(0..).collect();
        let renumbered = |of: &BTreeMap<u32, u64>| -> BTreeMap<u32, u64> {
            of.iter().filter_map(|(id, units)| Some((*new.get(id)?, *units))).collect()
        };
        self.hours.values_mut().for_each(|of| *of = renumbered(of));
        self.recent.values_mut().for_each(|of| *of = renumbered(of));
        self.recent_pairs = self.recent.values().map(BTreeMap::len).sum();
        self.names = used.iter().map(|id| self.names[*id as usize].clone()).collect();
        self.ids = self.names.iter().cloned().zip(0..).collect();
    }

    /// Those that spent most in these minutes, at most this many, most first.
    pub fn busiest(&self, span: &Range<Minute>, most: usize) -> Vec<(&Who, u64)> {
        let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
        self.each(span, |id, units| {
            let sum = sums.entry(id).or_default();
            *sum = sum.saturating_add(units);
        });
        let named = sums.into_iter().filter(|(_, units)| *units > 0);
        let mut all: Vec<_> = named.map(|(id, units)| (&self.names[id as usize], units)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        all.truncate(most);
        all
    }

    /// What this one spent in these minutes; of an hour that the span cuts, its share, for a mean of days needs no more.
    pub fn units(&self, who: &Who, span: &Range<Minute>) -> u64 {
        let Some(id) = self.ids.get(who) else { return 0 };
        let units = |(hour, part): (u32, Range<u32>)| {
            let units = self.hours.get(&hour).and_then(|of_hour| of_hour.get(id));
            units.map_or(0, |units| share(*units, &part))
        };
        self.parts(span).map(units).fold(0, u64::saturating_add)
    }

    /// All that lies in these minutes: whole hours as such, an hour that the span cuts by its minutes; where these are
    /// not known any more, by its share.
    fn each(&self, span: &Range<Minute>, mut take: impl FnMut(u32, u64)) {
        for (hour, part) in self.parts(span) {
            let is_whole = part.end - part.start == HOUR;
            if !is_whole && part.start >= self.recent_from.0 {
                let cut = self.recent.range(Minute(part.start)..Minute(part.end));
                cut.flat_map(|(_, of)| of).for_each(|(id, units)| take(*id, *units));
            } else {
                self.hours[&hour].iter().for_each(|(id, units)| take(*id, share(*units, &part)));
            }
        }
    }

    /// The hours of a span that are known, and which minutes of them lie in it.
    fn parts(&self, span: &Range<Minute>) -> impl Iterator<Item = (u32, Range<u32>)> {
        let (start, end) = (span.start.0, span.end.0.max(span.start.0));
        let hours = self.hours.range(start / HOUR..end.div_ceil(HOUR)).map(|(hour, _)| *hour);
        let part = move |hour: u32| start.max(hour * HOUR)..end.min((hour * HOUR).saturating_add(HOUR));
        hours.map(move |hour| (hour, part(hour)))
    }
}

/// The part of an hour's units that falls to some of its minutes.
fn share(units: u64, part: &Range<u32>) -> u64 {
    let minutes = u128::from(part.end - part.start);
    u64::try_from(u128::from(units) * minutes / u128::from(HOUR)).unwrap_or(u64::MAX)
}

fn sum(minutes: &Minutes) -> u64 {
    minutes.values().fold(0, |sum, units| sum.saturating_add(*units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> Contributors {
        Contributors::new(BTreeMap::new(), Minute(0), 9)
    }

    fn told<'a>(busiest: &'a [(&Who, u64)]) -> Vec<(&'a str, u64)> {
        busiest.iter().map(|(who, units)| (who.1.as_str(), *units)).collect()
    }

    #[test]
    fn a_window_takes_in_whole_hours_and_cuts_those_at_its_ends() {
        let mut all = nobody();
        for minute in 6_000..6_300 {
            all.add("sync", "search", Minute(minute), 1);
        }
        all.add("crm", "contact", Minute(6_061), 70);
        assert_eq!(told(&all.busiest(&(Minute(6_030)..Minute(6_190)), 9)), [("search", 160), ("contact", 70)]);
        assert_eq!(told(&all.busiest(&(Minute(6_062)..Minute(6_070)), 9)), [("search", 8)]);
        assert_eq!(told(&all.busiest(&(Minute(6_070)..Minute(6_070)), 9)), []);
        assert_eq!(all.units(&("crm".to_owned(), "contact".to_owned()), &(Minute(6_000)..Minute(6_120))), 70);
    }

    #[test]
    fn where_minutes_are_forgotten_an_hour_is_cut_in_proportion() {
        let mut all = Contributors::new(BTreeMap::new(), Minute(12_000), 9);
        all.add("sync", "search", Minute(6_001), 60);
        assert_eq!(all.units(&("sync".to_owned(), "search".to_owned()), &(Minute(6_030)..Minute(6_190))), 30);
    }

    #[test]
    fn memory_is_bounded_however_many_operations_and_minutes_there_are() {
        let mut all = nobody();
        for minute in 0..20_000 {
            all.add("sync", &format!("operation {minute}"), Minute(minute * 7), 1);
        }
        assert!(all.hours.len() <= 9 * 24 && all.recent.len() <= RECENT_MINUTES as usize);
        assert!(all.names.len() <= OPERATIONS_MAX + 1 && all.ids.len() == all.names.len());
        let everything = Minute(0)..Minute(u32::MAX);
        let kept: u64 = all.hours.values().flat_map(BTreeMap::values).sum();
        assert_eq!(all.busiest(&everything, usize::MAX).iter().map(|(_, units)| units).sum::<u64>(), kept);
    }

    #[test]
    fn names_that_nobody_has_any_more_make_room() {
        let mut all = nobody();
        for number in 0..1_500 {
            all.add("sync", &format!("old {number}"), Minute(0), 1);
        }
        assert_eq!(told(&all.busiest(&(Minute(0)..Minute(60)), 1)), [(OTHER, 500)]);
        for hour in 1..300 {
            all.add("sync", "steady", Minute(hour * 60), 1);
        }
        all.add("sync", "new", Minute(299 * 60), 5);
        assert_eq!(told(&all.busiest(&(Minute(299 * 60)..Minute(300 * 60)), 9)), [("new", 5), ("steady", 1)]);
        assert_eq!(all.names.len(), 3, "and what was counted together");
    }
}

//! Two sources whose counts are equal minute by minute: the same calls in two logs, perhaps.
//! This file never decides what counts: it only says what is odd.

use std::collections::BTreeMap;

use crate::day::Minute;

/// Minutes that are remembered of a source: two hours.
const MINUTES_MAX: usize = 120;
/// So many minutes with so many requests must be compared, and at least this share of them be equal.
const MINUTES_MIN: usize = 60;
const REQUESTS_MIN: u64 = 100;
const EQUAL_PERCENT_MIN: usize = 95;

/// A source's requests by the minute, of its latest minutes.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    minutes: BTreeMap<Minute, u64>,
    /// The number of the source whose twin it seems to be; once found, it stays.
    pub twin: Option<usize>,
}

impl Recent {
    /// Whether there are new ones among them: only then is it worth comparing again.
    pub fn add(&mut self, minutes: &BTreeMap<Minute, u64>) -> bool {
        let latest = self.minutes.last_key_value().map(|(minute, _)| *minute);
        for (minute, requests) in minutes.iter().rev().take(MINUTES_MAX) {
            *self.minutes.entry(*minute).or_default() += requests;
        }
        while self.minutes.len() > MINUTES_MAX {
            self.minutes.pop_first();
        }
        self.minutes.last_key_value().map(|(minute, _)| *minute) > latest
    }

    /// Whether there is enough of it to be compared.
    pub fn is_telling(&self) -> bool {
        self.minutes.len() > MINUTES_MIN
    }

    /// Whether the counts of both are the same, in so many minutes that it is hardly chance. The latest minute may not be
    /// read whole yet, and counts that never vary say nothing.
    pub fn is_twin_of(&self, other: &Recent) -> bool {
        let Some((from, to)) = self.common(other) else { return false };
        let (mut compared, mut equal, mut requests) = (0, 0, 0);
        let mut seen = None;
        let mut varies = false;
        for (minute, count) in self.minutes.range(from..to) {
            compared += 1;
            equal += usize::from(other.minutes.get(minute) == Some(count));
            requests += count;
            varies |= seen.replace(*count).is_some_and(|before| before != *count);
        }
        // Minutes in which only the other has requests.
        compared += other.minutes.range(from..to).filter(|(minute, _)| !self.minutes.contains_key(minute)).count();
        compared >= MINUTES_MIN && requests >= REQUESTS_MIN && varies && equal * 100 >= compared * EQUAL_PERCENT_MIN
    }

    /// The minutes that both have read whole.
    fn common(&self, other: &Recent) -> Option<(Minute, Minute)> {
        let from = *self.minutes.first_key_value()?.0.max(other.minutes.first_key_value()?.0);
        let to = *self.minutes.last_key_value()?.0.min(other.minutes.last_key_value()?.0);
        (from < to).then_some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent(minutes: u32, count: impl Fn(u32) -> u64) -> Recent {
        let mut recent = Recent::default();
        recent.add(&(0..minutes).map(|minute| (Minute(1_000 + minute), count(minute))).collect());
        recent
    }

    #[test]
    fn an_hour_of_equal_counts_is_hardly_chance() {
        let one = recent(61, |minute| u64::from(minute % 7 + 1));
        assert!(one.is_telling() && one.is_twin_of(&one.clone()));
        let late = recent(61, |minute| if minute < 3 { 9 } else { u64::from(minute % 7 + 1) });
        assert!(one.is_twin_of(&late), "three of sixty differ");
        let other = recent(61, |minute| if minute < 4 { 9 } else { u64::from(minute % 7 + 1) });
        assert!(!one.is_twin_of(&other), "four of sixty differ");
    }

    #[test]
    fn too_little_says_nothing() {
        let short = recent(60, |minute| u64::from(minute % 7 + 1));
        assert!(!short.is_telling() && !short.is_twin_of(&short.clone()), "the latest minute is not compared");
        let few = recent(61, |minute| u64::from(minute % 2 + 1));
        assert!(!few.is_twin_of(&few.clone()), "ninety requests");
        let steady = recent(61, |_| 5);
        assert!(!steady.is_twin_of(&steady.clone()), "every minute alike");
    }

    #[test]
    fn memory_is_two_hours() {
        let mut recent = recent(5_000, |_| 1);
        recent.add(&BTreeMap::from([(Minute(9_000), 1)]));
        assert_eq!(recent.minutes.len(), MINUTES_MAX);
        assert!(recent.minutes.contains_key(&Minute(9_000)));
    }
}

//! The totals of past days become the total that one expects of another day, before it begins.
//! This file never looks inside a day.

use super::memory::{BRIEF, Memory, NIMBLE, STEADY};
use super::past::{Day, Fresh};

/// Totals to expect of one day, each at least 1 so that it can be divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Midway between mean and median: one wild day moves it less.
    pub steady: f64,
    /// Midway between the mean and the mean of logarithms.
    pub nimble: f64,
    /// The mean of logarithms.
    pub brief: f64,
}

impl Levels {
    /// Of a day with this weekday that comes after all of `before`; `by_total` are their indices, smallest first.
    pub fn of(before: &[Day], by_total: impl Iterator<Item = usize>, weekday: u32) -> Levels {
        let steady = |day: &Day| day.fresh.steady * STEADY.likeness(day.weekday, weekday);
        let nimble = Sums::of(before, weekday, &NIMBLE, |fresh| fresh.nimble);
        let all = Sums::of(before, weekday, &STEADY, |fresh| fresh.steady);
        let median = median(by_total.map(|at| (before[at].total, steady(&before[at]))), all.weights);
        Levels {
            steady: f64::midpoint(all.mean(), median).max(1.0),
            nimble: f64::midpoint(nimble.mean(), nimble.log_mean()).max(1.0),
            brief: Sums::of(before, weekday, &BRIEF, |fresh| fresh.brief).log_mean().max(1.0),
        }
    }

    /// The day's total as one would say it before the day began.
    pub fn middle(&self) -> f64 {
        f64::midpoint(self.steady, self.nimble)
    }
}

/// Weighted sums of totals, to which one more day can be added.
#[derive(Clone, Copy, Default)]
pub struct Sums {
    weights: f64,
    totals: f64,
    logs: f64,
}

impl Sums {
    pub fn of(days: &[Day], weekday: u32, memory: &Memory, kept: impl Fn(&Fresh) -> f64) -> Sums {
        let mut sums = Sums::default();
        for day in days {
            sums.add(kept(&day.fresh) * memory.likeness(day.weekday, weekday), day.total, day.log_total);
        }
        sums
    }

    pub fn add(&mut self, weight: f64, total: f64, log_total: f64) {
        self.weights += weight;
        self.totals += weight * total;
        self.logs += weight * log_total;
    }

    pub fn mean(&self) -> f64 {
        if self.weights > 0.0 { self.totals / self.weights } else { 0.0 }
    }

    pub fn log_mean(&self) -> f64 {
        if self.weights > 0.0 { (self.logs / self.weights).exp_m1() } else { 0.0 }
    }
}

/// The first of these rising values by which half of the weights have been seen.
fn median(values: impl Iterator<Item = (f64, f64)>, weights: f64) -> f64 {
    let mut seen = 0.0;
    let mut last = 0.0;
    for (value, weight) in values {
        last = value;
        seen += weight;
        if seen >= weights / 2.0 {
            break;
        }
    }
    last
}

/// Indices of the days, the smallest total first.
pub fn by_total(days: &[Day]) -> Vec<usize> {
    let mut order: Vec<_> = (0..days.len()).collect();
    order.sort_unstable_by(|a, b| days[*a].total.total_cmp(&days[*b].total));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::curve::BINS;

    fn day(age: u32, weekday: u32, total: f64) -> Day {
        Day::of(age, weekday, &[total / BINS as f64; BINS])
    }

    fn levels(days: &[Day], weekday: u32) -> Levels {
        Levels::of(days, by_total(days).into_iter(), weekday)
    }

    #[test]
    fn days_of_the_same_kind_decide() {
        // Today is Monday; the weekend was quiet, last week's working days were not.
        let history = [day(1, 6, 96.0), day(2, 5, 96.0), day(3, 4, 9_600.0), day(4, 3, 9_600.0), day(7, 0, 9_600.0)];
        assert!(levels(&history, 0).middle() > 6_000.0, "{:?}", levels(&history, 0));
    }

    #[test]
    fn days_that_are_all_alike_have_one_level() {
        let history = [day(1, 1, 500.0), day(2, 0, 500.0), day(9, 5, 500.0)];
        let Levels { steady, nimble, brief } = levels(&history, 2);
        assert!([steady, nimble, brief].iter().all(|level| (level - 500.0).abs() < 1e-6));
    }

    #[test]
    fn a_wild_day_moves_the_mean_of_logarithms_less() {
        let history = [day(1, 1, 10_000.0), day(2, 0, 100.0), day(3, 4, 100.0)];
        let levels = levels(&history, 2);
        assert!(levels.brief < 1_500.0 && levels.brief < levels.nimble, "{levels:?}");
    }

    #[test]
    fn days_of_nothing_have_a_level_that_can_be_divided_by() {
        let levels = levels(&[day(1, 1, 0.0)], 2);
        assert_eq!(levels, Levels { steady: 1.0, nimble: 1.0, brief: 1.0 });
    }
}

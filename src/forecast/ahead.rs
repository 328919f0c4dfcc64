//! The days after a day: what to expect of them, once that day is thought to end with some total.
//! This file never looks inside the day itself.

use super::curve::MIDNIGHT;
use super::level::Sums;
use super::memory::{NIMBLE, STEADY};
use super::past::{Day, Fresh};
use super::shape;

const WEEK: usize = 7;

/// Sums over the days before a day, for each weekday that may follow.
pub struct Ahead<'a> {
    before: &'a [Day],
    weekday: u32,
    age: f64,
    /// For how many of the weekdays that follow; a window that ends tomorrow asks for one.
    days: usize,
    steady: [Sums; WEEK],
    nimble: [Sums; WEEK],
}

impl<'a> Ahead<'a> {
    /// Of the day with this weekday and age (0: today) that comes after all of `before`, and of so many bins after it.
    pub fn of(before: &'a [Day], weekday: u32, age: f64, bins: f64) -> Ahead<'a> {
        // A window has at most some weeks.
        let days = ((bins / MIDNIGHT).ceil() as usize).min(WEEK);
        let each = |of: &dyn Fn(u32) -> Sums| {
            std::array::from_fn(|after| if after < days { of(later(weekday, after)) } else { Sums::default() })
        };
        Ahead {
            before,
            weekday,
            age,
            days,
            steady: each(&|weekday| Sums::of(before, weekday, &STEADY, |fresh| fresh.steady)),
            nimble: each(&|weekday| Sums::of(before, weekday, &NIMBLE, |fresh| fresh.nimble)),
        }
    }

    /// The totals to expect of the days after the day, if it ends with `total`; the first is tomorrow's, and the
    /// eighth is like it.
    pub fn levels(&self, total: f64) -> [f64; WEEK] {
        let fresh = Fresh::at(self.age);
        std::array::from_fn(|after| {
            if after >= self.days {
                return 0.0;
            }
            let weekday = later(self.weekday, after);
            let (mut steady, mut nimble) = (self.steady[after], self.nimble[after]);
            steady.add(fresh.steady * STEADY.likeness(self.weekday, weekday), total, total.ln_1p());
            nimble.add(fresh.nimble * NIMBLE.likeness(self.weekday, weekday), total, total.ln_1p());
            f64::midpoint(steady.mean(), f64::midpoint(nimble.mean(), nimble.log_mean()))
        })
    }

    /// Units to expect in the first so many bins after the day's end.
    pub fn units(&self, levels: &[f64; WEEK], bins: f64) -> f64 {
        let days = (bins / MIDNIGHT).floor();
        // A window has at most some weeks.
        let whole: f64 = (0..days as usize).map(|after| levels[after % WEEK]).sum();
        let last = days as usize % WEEK;
        let rest = bins - days * MIDNIGHT;
        whole + levels[last] * shape::slow_until(self.before, later(self.weekday, last), self.age, rest)
    }
}

/// The weekday of the day so many days after tomorrow.
pub fn later(weekday: u32, after: usize) -> u32 {
    (weekday + 1 + u32::try_from(after % WEEK).unwrap_or(0)) % 7
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::curve::BINS;

    fn day(age: u32, total: f64) -> Day {
        Day::of(age, (35 - age) % 7, &[total / MIDNIGHT; BINS])
    }

    #[test]
    fn each_day_ahead_is_like_its_weekday() {
        // Today is Monday.
        let days: Vec<_> = (1..=28).map(|age| day(age, if (35 - age) % 7 >= 5 { 0.0 } else { 960.0 })).collect();
        let levels = Ahead::of(&days, 0, 0.0, 7.0 * MIDNIGHT).levels(960.0);
        assert!(levels[..4].iter().all(|working_day| *working_day > 750.0), "{levels:?}");
        assert!(levels[4..6].iter().all(|weekend| *weekend < 300.0), "{levels:?}");
    }

    #[test]
    fn a_day_that_went_otherwise_moves_the_next() {
        let days: Vec<_> = (1..=7).map(|age| day(age, 960.0)).collect();
        let ahead = Ahead::of(&days, 0, 0.0, MIDNIGHT);
        assert!((ahead.levels(960.0)[0] - 960.0).abs() < 1e-6);
        assert!(ahead.levels(1_920.0)[0] > 1_100.0);
        assert_eq!(ahead.levels(960.0)[1], 0.0, "nobody asked for the day after");
    }

    #[test]
    fn units_are_whole_days_and_a_part() {
        let days: Vec<_> = (1..=7).map(|age| day(age, 960.0)).collect();
        let ahead = Ahead::of(&days, 0, 0.0, 10.0 * MIDNIGHT);
        let levels = ahead.levels(960.0);
        assert!((ahead.units(&levels, 9.5 * MIDNIGHT) - 9.5 * 960.0).abs() < 1e-6);
        assert_eq!(ahead.units(&levels, 0.0), 0.0);
    }
}

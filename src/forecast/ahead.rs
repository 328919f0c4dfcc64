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
    steady: [Sums; WEEK],
    nimble: [Sums; WEEK],
}

impl<'a> Ahead<'a> {
    /// Of the day with this weekday and age (0: today) that comes after all of `before`.
    pub fn of(before: &'a [Day], weekday: u32, age: f64) -> Ahead<'a> {
        let each = |of: &dyn Fn(u32) -> Sums| std::array::from_fn(|after| of(later(weekday, after)));
        Ahead {
            before,
            weekday,
            age,
            steady: each(&|weekday| Sums::of(before, weekday, &STEADY, |fresh| fresh.steady)),
            nimble: each(&|weekday| Sums::of(before, weekday, &NIMBLE, |fresh| fresh.nimble)),
        }
    }

    /// The totals to expect of the days after the day, if it ends with `total`; the first is tomorrow's, and the
    /// eighth is like it.
    pub fn levels(&self, total: f64) -> [f64; WEEK] {
        let fresh = Fresh::at(self.age);
        std::array::from_fn(|after| {
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

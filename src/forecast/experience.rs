//! What past days teach: computed once a day, asked at every look.
//! This file never sees the running day but as a parameter.

use super::experts::Expectation;
use super::level::by_total;
use super::outage::Usual;
use super::past::Day;
use super::spread::offset;
use super::{PastDay, repair};

/// The days before a day, and what they would have led to expect of each of them.
pub struct Experience {
    pub(super) weekday: u32,
    /// Yesterday first, so that the days before `days[i]` are `days[i + 1..]`.
    pub(super) days: Vec<Day>,
    /// What `days[i..]` lead to expect of the day after them: first of today, then of `days[0]`, and so on.
    pub(super) expected: Vec<Expectation>,
    /// What is usual for today's weekday, if there are enough days to tell.
    pub(super) usual: Option<Usual>,
}

impl Experience {
    /// Of the day with this weekday (0 Monday to 6 Sunday). `history` holds one entry an age, in any order, and may
    /// be empty. Days of which less than half can be believed say nothing.
    pub fn of(history: &[PastDay], weekday: u32) -> Experience {
        let (days, usual) = repair::whole(history, weekday);
        let order = by_total(&days);
        let expected = (0..days.len()).map(|at| {
            let (weekday, age) = match at.checked_sub(1) {
                Some(after) => (days[after].weekday, days[after].age),
                None => (weekday, 0.0),
            };
            // Of the days from `at` on, the smallest total first.
            let by_total = order.iter().filter(|of| **of >= at).map(|of| of - at);
            Expectation::of(&days[at..], by_total, weekday, age)
        });
        let expected = expected.collect();
        Experience { weekday, days, expected, usual }
    }

    /// The median of how far, as a logarithm, past totals were from what was expected of them at the day's start.
    pub(super) fn typical_level_error(&self) -> f64 {
        let error = |(day, expected): (&Day, &Expectation)| {
            let level = expected.levels.middle();
            ((day.total + offset(level)) / (level + offset(level))).ln().abs()
        };
        let mut errors: Vec<_> = self.days.iter().zip(self.expected.iter().skip(1)).map(error).collect();
        errors.sort_unstable_by(f64::total_cmp);
        errors.get(errors.len() / 2).copied().unwrap_or(0.0)
    }
}

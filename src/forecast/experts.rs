//! Six ways to say what is still to come of a day, each right for some client.
//! This file never decides between them.
//!
//! Four of them shrink between "like past days" and "as this morning scales them", known from call centres
//! (Shen & Huang, M&SOM 2008; Weinberg, Brown & Stroud, JASA 2007): a day's busyness is a Gamma-distributed
//! multiplier of its expected Poisson traffic, and its posterior mean, once C were counted where mu F were
//! expected, is `(k mu + C) / (k mu + mu F)`; k, the prior's strength, is in days.

use super::clock::Clock;
use super::curve::{BINS, Curve, HOUR, MIDNIGHT};
use super::level::Levels;
use super::past::Day;
use super::shape;

pub const EXPERTS: usize = 6;
/// A number an expert.
pub type Each = [f64; EXPERTS];

/// k of the experts that look at the whole day so far.
pub const DAY_STRENGTH: f64 = 0.5;
/// k of the experts that look at the last hours only.
const LATELY_STRENGTH: f64 = 0.05;

/// What the days before a day lead one to expect of it.
pub struct Expectation {
    pub levels: Levels,
    /// The shape of the day as all past days have it.
    pub slow: Curve,
    /// The same as the last days have it.
    quick: Curve,
}

impl Expectation {
    /// Of the day with this weekday and age (0: today) that comes after all of `before`.
    pub fn of(before: &[Day], by_total: impl Iterator<Item = usize>, weekday: u32, age: f64) -> Expectation {
        Expectation {
            levels: Levels::of(before, by_total, weekday),
            slow: shape::slow(before, weekday, age),
            quick: shape::quick(before, weekday, age),
        }
    }

    /// Of a day of which only a level is guessed.
    pub fn even(level: f64) -> Expectation {
        let even = Curve::of(&[1.0 / MIDNIGHT; BINS]);
        Expectation { levels: Levels { steady: level, nimble: level, brief: level }, slow: even.clone(), quick: even }
    }

    /// The same of a day on which clocks change: without the lost hour, with the doubled one twice.
    pub fn on(&self, clock: Clock) -> Expectation {
        let passes = clock.passes();
        let passed = |shape: &Curve| Curve::of(&std::array::from_fn(|bin| shape.bin(bin) * passes[bin]));
        Expectation { levels: self.levels, slow: passed(&self.slow), quick: passed(&self.quick) }
    }
}

/// A day as it stands at one moment.
#[derive(Clone, Copy)]
pub struct Moment {
    pub position: f64,
    pub counted: f64,
    /// Each bin for less the longer it is over.
    lately: f64,
    /// Units a bin over the last hour.
    pace: f64,
}

impl Moment {
    pub fn of(counted: &Curve, position: f64) -> Moment {
        let hour = position.min(HOUR);
        let pace = if hour > 0.0 { counted.between(position - hour, position) / hour } else { 0.0 };
        Moment { position, counted: counted.until(position), lately: counted.lately(position), pace }
    }
}

/// What each expert expects from this moment until a later position of the same day.
pub fn ask(expected: &Expectation, yesterday: &Curve, now: &Moment, until: f64) -> Each {
    let Expectation { levels, slow, quick, .. } = expected;
    let by_day = |level| posterior(level, DAY_STRENGTH, now.counted, slow.until(now.position));
    let lately = |level, shape: &Curve| posterior(level, LATELY_STRENGTH, now.lately, shape.lately(now.position));
    let (slowly, quickly) = (slow.between(now.position, until), quick.between(now.position, until));
    [
        slowly * by_day(levels.steady),
        slowly * by_day(levels.nimble),
        slowly * lately(levels.nimble, slow),
        quickly * lately(levels.brief, quick),
        yesterday.between(now.position, until),
        now.pace * (until - now.position),
    ]
}

/// The level, scaled by how busy the day is now thought to be; `level` is at least 1.
pub fn posterior(level: f64, strength_days: f64, counted: f64, share: f64) -> f64 {
    level * (strength_days * level + counted) / (strength_days * level + level * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::clock::tests::clock;

    fn even(age: u32, total: f64) -> Day {
        Day::of(age, 2, &[total / MIDNIGHT; BINS])
    }

    #[test]
    fn as_much_is_still_to_come_as_the_mornings_busyness_says_held_back_by_the_level() {
        // Twice as much as expected of half a day: k mu = 50, (50 + 100) / (50 + 50).
        assert_eq!(posterior(100.0, 0.5, 100.0, 0.5), 150.0);
        // Nothing seen yet, or all as expected: the level.
        assert_eq!([posterior(100.0, 0.5, 0.0, 0.0), posterior(100.0, 0.5, 25.0, 0.25)], [100.0, 100.0]);
    }

    #[test]
    fn on_a_day_like_all_days_before_all_experts_agree() {
        let before = [even(1, 960.0), even(2, 960.0)];
        let expected = Expectation::of(&before, [0, 1].into_iter(), 2, 0.0);
        let now = Moment::of(&before[0].counted, 40.0);
        for answer in ask(&expected, &before[0].counted, &now, 96.0) {
            assert!((answer - 560.0).abs() < 1e-6, "{answer}");
        }
        for answer in ask(&expected, &before[0].counted, &now, 44.0) {
            assert!((answer - 40.0).abs() < 1e-6, "{answer}");
        }
    }

    #[test]
    fn experts_of_the_last_hours_are_moved_most_by_a_burst() {
        let before = [even(1, 960.0), even(2, 960.0)];
        let expected = Expectation::of(&before, [0, 1].into_iter(), 2, 0.0);
        let mut bins = [10.0; BINS];
        bins[36..40].fill(100.0);
        let now = Moment::of(&Curve::of(&bins), 40.0);
        let [day, _, lately, _, yesterday, pace] = ask(&expected, &before[0].counted, &now, 96.0);
        assert!(yesterday < day && day < lately && lately < pace, "{yesterday} {day} {lately} {pace}");
    }

    #[test]
    fn at_midnight_there_is_no_pace_and_no_division_by_nothing() {
        let now = Moment::of(&even(1, 960.0).counted, 0.0);
        assert_eq!((now.pace, now.counted, now.lately), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_day_that_loses_an_hour_expects_less_and_one_that_doubles_it_more() {
        let even = Expectation::even(960.0);
        let total = |hours: f64| (even.on(clock(hours, 3.0)).slow.total() * 96.0).round();
        assert_eq!([total(23.0), total(24.0), total(25.0)], [92.0, 96.0, 100.0]);
    }
}

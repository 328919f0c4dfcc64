//! Six ways to say what is still to come of a day, each right for some client.
//! This file never decides between them.
//!
//! Four of them shrink between "like past days" and "as this morning scales them", known from call centres
//! (Shen & Huang, M&SOM 2008; Weinberg, Brown & Stroud, JASA 2007): a day's busyness is a Gamma-distributed
//! multiplier of its expected Poisson traffic, and its posterior mean, once C were counted where mu F were
//! expected, is `(k mu + C) / (k mu + mu F)`; k, the prior's strength, is in days.

use super::clock::Clock;
use super::curve::{BINS, Curve, HOUR};
use super::level::Levels;
use super::past::Day;
use super::shape;

pub const EXPERTS: usize = 6;
/// A number an expert.
pub type Each = [f64; EXPERTS];

/// k of the experts that look at the whole day so far.
const DAY_STRENGTH: f64 = 0.5;
/// k of the experts that look at the last hours only.
const LATELY_STRENGTH: f64 = 0.05;

/// What the days before a day lead one to expect of it.
pub struct Expectation {
    pub levels: Levels,
    slow_shares: [f64; BINS],
    pub slow: Curve,
    quick_shares: [f64; BINS],
    quick: Curve,
}

impl Expectation {
    /// Of the day with this weekday and age (0: today) that comes after all of `before`.
    pub fn of(before: &[Day], by_total: impl Iterator<Item = usize>, weekday: u32, age: f64) -> Expectation {
        let (slow_shares, quick_shares) = (shape::slow(before, weekday, age), shape::quick(before, weekday, age));
        let (slow, quick) = (Curve::of(&slow_shares), Curve::of(&quick_shares));
        Expectation { levels: Levels::of(before, by_total, weekday), slow_shares, slow, quick_shares, quick }
    }

    /// Of a day of which only a level is guessed.
    pub fn even(level: f64) -> Expectation {
        let shares = [1.0 / BINS as f64; BINS];
        let (slow, quick) = (Curve::of(&shares), Curve::of(&shares));
        let levels = Levels { steady: level, nimble: level, brief: level };
        Expectation { levels, slow_shares: shares, slow, quick_shares: shares, quick }
    }

    /// The same of a day on which clocks change: without the lost hour, with the doubled one twice.
    pub fn on(&self, clock: Clock) -> Expectation {
        let passes = clock.passes();
        let passed = |shares: &[f64; BINS]| std::array::from_fn(|bin| shares[bin] * passes[bin]);
        let (slow_shares, quick_shares) = (passed(&self.slow_shares), passed(&self.quick_shares));
        let (slow, quick) = (Curve::of(&slow_shares), Curve::of(&quick_shares));
        Expectation { levels: self.levels, slow_shares, slow, quick_shares, quick }
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

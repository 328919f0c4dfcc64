//! Past days become what to expect of the next one: its level, its shape, and, once some of it has been
//! counted, what remains. This file never says how sure that is.
//!
//! The method is a shrinkage between "like past days" and "as this morning scales them", known from call
//! centres (Shen & Huang, M&SOM 2008; Weinberg, Brown & Stroud, JASA 2007): the day's busyness is a
//! Gamma-distributed multiplier of its expected Poisson traffic, and its posterior mean after a share F of
//! the day is `(k mu + C) / (k mu + mu F)`.

use super::curve::{Curve, MIDNIGHT};

/// How fast past days are forgotten, and how much a day of another kind says.
struct Memory {
    /// Age at which a day counts half, in days.
    half_life: f64,
    /// Weight of a working day for a weekend day and the other way round.
    other_kind: f64,
    /// Weight of the same day of the week.
    same_weekday: f64,
}

/// Slow to learn, strict about weekdays: clients with a week.
const STEADY: Memory = Memory { half_life: 6.0, other_kind: 0.10, same_weekday: 2.0 };
/// Quick to learn: clients that changed this week.
const NIMBLE: Memory = Memory { half_life: 2.0, other_kind: 0.15, same_weekday: 1.2 };
/// A day's shape changes less than its level.
const SHAPE: Memory = Memory { half_life: 14.0, other_kind: 0.25, same_weekday: 1.3 };

/// Weight of an even day in the shape: no time of day is ever impossible, and the shape always exists.
const EVEN_DAYS: f64 = 0.3;
/// How long the level of past days holds against today's counts, in days (the `k` above).
const LEVEL_DAYS: f64 = 0.5;
/// The same before the first whole day, when the level is a guess.
const GUESS_DAYS: f64 = 0.3;
/// Whoever sets a limit usually lives below it.
const GUESSED_SHARE_OF_LIMIT: f64 = 0.6;

impl Memory {
    /// The weight of each of these days for a day of this weekday, so many days ago (0: today).
    fn weights(&self, history: &[Curve], weekday: u32, days_ago: f64) -> Vec<f64> {
        let freshness = |day: &Curve| (-(day.age - days_ago - 1.0).max(0.0) / self.half_life).exp2();
        history.iter().map(|day| freshness(day) * self.likeness(day.weekday, weekday)).collect()
    }

    fn likeness(&self, from: u32, to: u32) -> f64 {
        match from == to {
            true => self.same_weekday,
            false if is_weekend(from) == is_weekend(to) => 1.0,
            false => self.other_kind,
        }
    }
}

fn is_weekend(weekday: u32) -> bool {
    weekday >= 5
}

/// What the days before a day lead one to expect of it.
pub struct Expectation<'a> {
    history: &'a [Curve],
    shape_weights: Vec<f64>,
    steady: f64,
    nimble: f64,
}

impl<'a> Expectation<'a> {
    /// Of the day with this weekday, so many days ago (0: today). All of `history` lies before it.
    pub fn of(history: &'a [Curve], weekday: u32, days_ago: f64) -> Expectation<'a> {
        let steady = STEADY.weights(history, weekday, days_ago);
        let nimble = NIMBLE.weights(history, weekday, days_ago);
        Expectation {
            history,
            shape_weights: SHAPE.weights(history, weekday, days_ago),
            steady: middle(mean(history, &steady), median(history, &steady)),
            nimble: middle(mean(history, &nimble), log_mean(history, &nimble)),
        }
    }

    /// The day's total as one would say it before the day began.
    pub fn level(&self) -> f64 {
        middle(self.steady, self.nimble)
    }

    /// The share of the day that is usually counted by this position.
    pub fn share_until(&self, position: f64) -> f64 {
        let even = position.clamp(0.0, MIDNIGHT) / MIDNIGHT;
        let mut sum = EVEN_DAYS * even;
        let mut weights = EVEN_DAYS;
        for (day, weight) in self.history.iter().zip(&self.shape_weights) {
            if let Some(share) = day.share_until(position) {
                sum += weight * share;
                weights += weight;
            }
        }
        sum / weights
    }

    /// What is still to come after this position, when so much has been counted by then.
    pub fn remaining(&self, position: f64, counted: f64) -> f64 {
        let share = self.share_until(position);
        let remaining = |level| posterior_remaining(level, LEVEL_DAYS, share, counted);
        middle(remaining(self.steady), remaining(self.nimble))
    }
}

/// What is still to come when no day has been seen: an even day, drawn towards a share of the limit.
pub fn guess_remaining(limit: f64, elapsed_share: f64, counted: f64) -> f64 {
    posterior_remaining(guess_level(limit), GUESS_DAYS, elapsed_share, counted)
}

pub fn guess_level(limit: f64) -> f64 {
    (GUESSED_SHARE_OF_LIMIT * limit).max(1.0)
}

/// The level's remainder times the posterior mean of the day's busyness; `level` is at least 1.
fn posterior_remaining(level: f64, strength_days: f64, share: f64, counted: f64) -> f64 {
    let busyness = (strength_days * level + counted) / (strength_days * level + level * share);
    level * (1.0 - share).max(0.0) * busyness
}

fn middle(a: f64, b: f64) -> f64 {
    f64::midpoint(a, b)
}

/// Weighted mean of the days' totals, at least 1 so that it can be divided by.
fn mean(history: &[Curve], weights: &[f64]) -> f64 {
    weighted(history, weights, |day| day.total).max(1.0)
}

/// The same on a logarithmic scale: one wild day moves it less.
fn log_mean(history: &[Curve], weights: &[f64]) -> f64 {
    weighted(history, weights, |day| day.log_total).exp_m1().max(1.0)
}

fn weighted(history: &[Curve], weights: &[f64], value: impl Fn(&Curve) -> f64) -> f64 {
    let sum: f64 = history.iter().zip(weights).map(|(day, weight)| weight * value(day)).sum();
    let all: f64 = weights.iter().sum();
    if all > 0.0 { sum / all } else { 0.0 }
}

/// Weighted median of the days' totals, at least 1.
fn median(history: &[Curve], weights: &[f64]) -> f64 {
    let mut totals: Vec<(f64, f64)> = history.iter().map(|day| day.total).zip(weights.iter().copied()).collect();
    totals.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let half = weights.iter().sum::<f64>() / 2.0;
    let mut below = 0.0;
    let median = totals.iter().find(|(_, weight)| {
        below += weight;
        below >= half
    });
    median.map_or(1.0, |(total, _)| total.max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::PastDay;
    use crate::forecast::curve::BINS;

    fn day(age: u32, weekday: u32, a_bin: u64) -> Curve {
        Curve::of(&PastDay { age, weekday, bins: vec![a_bin; BINS], holes: crate::forecast::Holes::NONE })
    }

    #[test]
    fn days_of_the_same_kind_decide() {
        // Today is Monday; the weekend was quiet, last week's working days were not.
        let history = [day(1, 6, 1), day(2, 5, 1), day(3, 4, 100), day(4, 3, 100), day(7, 0, 100)];
        let expected = Expectation::of(&history, 0, 0.0);
        assert!(expected.level() > 6_000.0, "{}", expected.level());
    }

    #[test]
    fn a_day_as_expected_keeps_its_level_at_any_time() {
        let history = [day(1, 1, 100), day(2, 0, 100)];
        let expected = Expectation::of(&history, 2, 0.0);
        for position in [0.0, 10.0, 48.0, 95.5] {
            let counted = 100.0 * position;
            assert!((counted + expected.remaining(position, counted) - 9_600.0).abs() < 1e-6);
        }
    }

    #[test]
    fn without_history_an_even_pace_at_the_guessed_level_stays_even() {
        let level = guess_level(40_000.0);
        for elapsed in [0.0, 0.25, 0.5, 1.0] {
            let total = level * elapsed + guess_remaining(40_000.0, elapsed, level * elapsed);
            assert!((total - level).abs() < 1e-6);
        }
    }

    #[test]
    fn history_without_traffic_is_an_even_day_of_one() {
        let history = [day(1, 1, 0)];
        let expected = Expectation::of(&history, 2, 0.0);
        assert_eq!((expected.level(), expected.share_until(24.0)), (1.0, 0.25));
    }
}

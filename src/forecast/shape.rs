//! Past days become the shares that a usual day's bins have of its total.
//! This file never looks at how much a day was.

use super::curve::{BINS, MIDNIGHT};
use super::memory::{BRIEF, SHAPE};
use super::past::Day;

/// The weight of an even day in a shape, in days: no time of day is ever impossible, and the shape always exists.
const EVEN_DAYS_SLOW: f64 = 0.3;
const EVEN_DAYS_QUICK: f64 = 0.15;

/// Of all past days, the like weekdays first.
pub fn slow(before: &[Day], weekday: u32, age: f64) -> [f64; BINS] {
    let fresher = SHAPE.fresher(age);
    let weight = |day: &Day| fresher * day.fresh.shape * SHAPE.likeness(day.weekday, weekday);
    mean(before, weight, EVEN_DAYS_SLOW)
}

/// Of the last few days.
pub fn quick(before: &[Day], weekday: u32, age: f64) -> [f64; BINS] {
    let fresher = BRIEF.fresher(age);
    let weight = |day: &Day| fresher * day.fresh.brief * BRIEF.likeness(day.weekday, weekday);
    mean(before, weight, EVEN_DAYS_QUICK)
}

/// Days that say less than this are not worth the time to be read.
const WEIGHT_MIN: f64 = 0.01;

fn mean(before: &[Day], weight: impl Fn(&Day) -> f64, even_days: f64) -> [f64; BINS] {
    let mut shares = [even_days / MIDNIGHT; BINS];
    let mut weights = even_days;
    for day in before {
        let weight = weight(day);
        if weight < WEIGHT_MIN || day.total <= 0.0 {
            continue;
        }
        weights += weight;
        let scale = weight / day.total;
        for (share, units) in shares.iter_mut().zip(&day.bins) {
            *share += scale * units;
        }
    }
    let scale = weights.recip();
    shares.map(|share| share * scale)
}

/// The share of a usual day that is counted by this position, without making the whole shape.
pub fn slow_until(before: &[Day], weekday: u32, age: f64, position: f64) -> f64 {
    let fresher = SHAPE.fresher(age);
    let mut share = EVEN_DAYS_SLOW * position / MIDNIGHT;
    let mut weights = EVEN_DAYS_SLOW;
    for day in before.iter().filter(|day| day.total > 0.0) {
        let weight = fresher * day.fresh.shape * SHAPE.likeness(day.weekday, weekday);
        weights += weight;
        share += weight * day.counted.until(position) / day.total;
    }
    share / weights
}

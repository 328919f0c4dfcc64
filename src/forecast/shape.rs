//! Past days become the shares that a usual day's bins have of its total.
//! This file never looks at how much a day was.

use super::curve::{BINS, MIDNIGHT};
use super::memory::{BRIEF, Memory, SHAPE};
use super::past::Day;

/// The weight of an even day in a shape, in days: no time of day is ever impossible, and the shape always exists.
const EVEN_DAYS_SLOW: f64 = 0.3;
const EVEN_DAYS_QUICK: f64 = 0.15;

/// Of all past days, the like weekdays first.
pub fn slow(before: &[Day], weekday: u32, age: f64) -> [f64; BINS] {
    mean(before, weekday, age, &SHAPE, EVEN_DAYS_SLOW)
}

/// Of the last few days.
pub fn quick(before: &[Day], weekday: u32, age: f64) -> [f64; BINS] {
    mean(before, weekday, age, &BRIEF, EVEN_DAYS_QUICK)
}

/// Days that say less than this are not worth the time to be read.
const WEIGHT_MIN: f64 = 1e-3;

fn mean(before: &[Day], weekday: u32, age: f64, memory: &Memory, even_days: f64) -> [f64; BINS] {
    let mut shares = [even_days / MIDNIGHT; BINS];
    let mut weights = even_days;
    for day in before {
        let weight = memory.freshness(day.age - age) * memory.likeness(day.weekday, weekday);
        if weight < WEIGHT_MIN || day.total <= 0.0 {
            continue;
        }
        weights += weight;
        let scale = weight / day.total;
        for (share, units) in shares.iter_mut().zip(&day.bins) {
            *share += scale * units;
        }
    }
    shares.map(|share| share / weights)
}

/// The share of a usual day that is counted by this position, without making the whole shape.
pub fn slow_until(before: &[Day], weekday: u32, age: f64, position: f64) -> f64 {
    let mut share = EVEN_DAYS_SLOW * position / MIDNIGHT;
    let mut weights = EVEN_DAYS_SLOW;
    for day in before.iter().filter(|day| day.total > 0.0) {
        let weight = SHAPE.freshness(day.age - age) * SHAPE.likeness(day.weekday, weekday);
        weights += weight;
        share += weight * day.counted.until(position) / day.total;
    }
    share / weights
}

//! Past days become the shares that a usual day's bins have of its total.
//! This file never looks at how much a day was.

use super::curve::{Curve, MIDNIGHT};
use super::memory::{BRIEF, SHAPE};
use super::past::Day;

/// The weight of an even day in a shape, in days: no time of day is ever impossible, and the shape always exists.
const EVEN_DAYS_SLOW: f64 = 0.3;
const EVEN_DAYS_QUICK: f64 = 0.15;
/// Days that say less than this are not worth the time to be read.
const WEIGHT_MIN: f64 = 0.01;

/// Of all past days, the like weekdays first.
pub fn slow(before: &[Day], weekday: u32, age: f64) -> Curve {
    let fresher = SHAPE.fresher(age);
    mean(before, EVEN_DAYS_SLOW, |day| fresher * day.fresh.shape * SHAPE.likeness(day.weekday, weekday))
}

/// Of the last few days.
pub fn quick(before: &[Day], weekday: u32, age: f64) -> Curve {
    let fresher = BRIEF.fresher(age);
    mean(before, EVEN_DAYS_QUICK, |day| fresher * day.fresh.brief * BRIEF.likeness(day.weekday, weekday))
}

fn mean(before: &[Day], even_days: f64, weight: impl Fn(&Day) -> f64) -> Curve {
    let telling = || {
        let weighted = before.iter().map(|day| (weight(day), day));
        weighted.filter(|(weight, day)| *weight >= WEIGHT_MIN && day.total > 0.0)
    };
    let weights = even_days + telling().map(|(weight, _)| weight).sum::<f64>();
    Curve::mean(telling().map(|(weight, day)| (weight / weights / day.total, &day.counted)), even_days / weights)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn day(age: u32, weekday: u32, busy: std::ops::Range<usize>) -> Day {
        Day::of(age, weekday, &std::array::from_fn(|bin| if busy.contains(&bin) { 10.0 } else { 0.0 }))
    }

    #[test]
    fn a_shape_is_shares_and_no_time_is_impossible() {
        for shape in [slow(&[day(1, 0, 0..48)], 1, 0.0), quick(&[day(1, 0, 0..48)], 1, 0.0)] {
            assert!((shape.total() - 1.0).abs() < 1e-9);
            assert!(shape.bin(0) > 5.0 * shape.bin(95) && shape.bin(95) > 0.0);
        }
    }

    #[test]
    fn without_days_or_traffic_a_shape_is_even() {
        assert_eq!([slow(&[], 0, 0.0).until(24.0), quick(&[day(1, 0, 0..0)], 0, 0.0).until(72.0)], [0.25, 0.75]);
    }

    #[test]
    fn the_shape_of_a_saturday_is_that_of_saturdays() {
        let days = [day(1, 4, 0..48), day(7, 5, 48..96)];
        let shape = slow(&days, 5, 0.0);
        assert!(shape.bin(95) > 2.0 * shape.bin(0));
    }

    #[test]
    fn one_share_is_that_of_the_whole_shape_at_any_age() {
        let days = [day(3, 4, 0..48), day(4, 3, 10..60)];
        for (age, position) in [(0.0, 30.5), (2.0, 60.0)] {
            let whole = slow(&days, 5, age).until(position);
            assert!((slow_until(&days, 5, age, position) - whole).abs() < 1e-12);
        }
    }
}

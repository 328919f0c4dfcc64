//! Minutes since a day's start become positions on the wall clock, on days of 23 and 25 hours too.
//! This file never knows the zone: it rests on clocks changing at two or three in the night.

use super::BIN_MINUTES;
use super::curve::{BINS, MIDNIGHT};

const DAY_MINUTES: f64 = 24.0 * 60.0;
/// Europe, America and Australia change their clocks in the hour after two. Where they change at midnight, the
/// first two hours of two days a year are read an hour off.
const CHANGE_MINUTES: f64 = 2.0 * 60.0;

/// How the wall clock goes on one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    pub day_minutes: f64,
    /// What this day has more than 24 hours.
    extra: f64,
}

impl Clock {
    pub fn of(day_minutes: f64) -> Clock {
        // `max` and `min` rather than `clamp`: they also turn a NaN into a bound.
        let day_minutes = day_minutes.max(0.0).min(f64::from(u32::MAX));
        Clock { day_minutes, extra: day_minutes - DAY_MINUTES }
    }

    pub fn is_regular(self) -> bool {
        self.extra == 0.0
    }

    /// The position so many minutes after the day's start. A lost hour is jumped; a doubled hour passes at half
    /// the speed, so that time never runs back.
    pub fn position(self, elapsed_minutes: f64) -> f64 {
        let minutes = if elapsed_minutes < CHANGE_MINUTES {
            elapsed_minutes
        } else if elapsed_minutes < CHANGE_MINUTES + 2.0 * self.extra {
            f64::midpoint(CHANGE_MINUTES, elapsed_minutes)
        } else {
            elapsed_minutes - self.extra
        };
        (minutes / f64::from(BIN_MINUTES)).max(0.0).min(MIDNIGHT)
    }

    /// The bin of the wall clock in which the day's bin of this number begins.
    pub fn bin(self, number: usize) -> usize {
        // A float between 0 and BINS: its whole part is an index.
        (self.position(number as f64 * f64::from(BIN_MINUTES)) as usize).min(BINS - 1)
    }

    /// How often this day passes each bin of the wall clock: never the lost ones, twice the doubled ones.
    pub fn passes(self) -> [f64; BINS] {
        let mut passes = [0.0; BINS];
        let bins = (self.day_minutes / f64::from(BIN_MINUTES)).min(2.0 * MIDNIGHT) as usize;
        for number in 0..bins {
            passes[self.bin(number)] += 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(day: f64, elapsed: &[f64]) -> Vec<f64> {
        elapsed.iter().map(|hours| Clock::of(day * 60.0).position(hours * 60.0) / 4.0).collect()
    }

    #[test]
    fn the_wall_clock_is_right_before_and_after_it_changes() {
        assert_eq!(hours(24.0, &[0.0, 1.0, 2.0, 11.0, 24.0]), [0.0, 1.0, 2.0, 11.0, 24.0]);
        assert_eq!(hours(23.0, &[0.0, 1.0, 2.0, 11.0, 23.0]), [0.0, 1.0, 3.0, 12.0, 24.0]);
        assert_eq!(hours(25.0, &[0.0, 1.0, 2.0, 3.0, 4.0, 13.0, 25.0]), [0.0, 1.0, 2.0, 2.5, 3.0, 12.0, 24.0]);
        assert_eq!(hours(23.5, &[1.5, 2.0, 11.5]), [1.5, 2.5, 12.0]);
    }

    #[test]
    fn a_lost_hour_is_never_passed_and_a_doubled_one_twice() {
        let passes = |day: f64| Clock::of(day * 60.0).passes()[7..17].to_vec();
        assert_eq!(passes(24.0), [1.0; 10]);
        assert_eq!(passes(23.0), [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(passes(25.0), [1.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(Clock::of(1_500.0).passes().iter().sum::<f64>(), 100.0);
    }

    #[test]
    fn a_length_that_is_not_a_number_is_survived() {
        assert!(Clock::of(f64::NAN).position(f64::NAN).is_finite());
    }
}

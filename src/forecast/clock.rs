//! Minutes since a day's start become positions on the wall clock, on days of 23 and 25 hours too.
//! This file never knows a zone: when clocks change is told to it.

use super::curve::{BINS, MIDNIGHT};
use super::{BIN_MINUTES, Today, held};

const DAY_MINUTES: f64 = 24.0 * 60.0;

/// How the wall clock goes on one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    pub day_minutes: f64,
    /// What this day has more than 24 hours.
    extra: f64,
    /// Minutes since the day's start at which the lost hour would begin, or the doubled one begins.
    begins: f64,
}

impl Clock {
    pub fn of(today: &Today) -> Clock {
        let day_minutes = held(today.day_minutes, f64::from(u32::MAX));
        let extra = day_minutes - DAY_MINUTES;
        // Clocks that go back show an hour again that began so much earlier.
        let begins = held(today.clock_change_minutes - extra.max(0.0), day_minutes);
        Clock { day_minutes, extra, begins }
    }

    pub fn is_regular(self) -> bool {
        self.extra == 0.0
    }

    /// The position so many minutes after the day's start. A lost hour is jumped; a doubled hour passes at half
    /// the speed, so that time never runs back.
    pub fn position(self, elapsed_minutes: f64) -> f64 {
        let minutes = if elapsed_minutes < self.begins {
            elapsed_minutes
        } else if elapsed_minutes < self.begins + 2.0 * self.extra {
            f64::midpoint(self.begins, elapsed_minutes)
        } else {
            elapsed_minutes - self.extra
        };
        held(minutes / f64::from(BIN_MINUTES), MIDNIGHT)
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
pub mod tests {
    use super::*;
    use crate::forecast::Holes;

    /// Of a day of so many hours on which clocks change after so many.
    pub fn clock(day_hours: f64, change_hours: f64) -> Clock {
        Clock::of(&Today {
            weekday: 6,
            bins: Vec::new(),
            holes: Holes::NONE,
            elapsed_minutes: 0.0,
            day_minutes: day_hours * 60.0,
            clock_change_minutes: change_hours * 60.0,
        })
    }

    fn hours(clock: Clock, elapsed: &[f64]) -> Vec<f64> {
        elapsed.iter().map(|hours| clock.position(hours * 60.0) / 4.0).collect()
    }

    #[test]
    fn the_wall_clock_is_right_before_and_after_it_changes() {
        assert_eq!(hours(clock(24.0, 0.0), &[0.0, 1.0, 2.0, 11.0, 24.0]), [0.0, 1.0, 2.0, 11.0, 24.0]);
        assert_eq!(hours(clock(23.0, 2.0), &[0.0, 1.0, 2.0, 11.0, 23.0]), [0.0, 1.0, 3.0, 12.0, 24.0]);
        assert_eq!(hours(clock(25.0, 3.0), &[1.0, 2.0, 3.0, 4.0, 13.0, 25.0]), [1.0, 2.0, 2.5, 3.0, 12.0, 24.0]);
        // By half an hour; at midnight; and in the evening of a day that begins at seven.
        assert_eq!(hours(clock(23.5, 2.0), &[1.5, 2.0, 11.5]), [1.5, 2.5, 12.0]);
        assert_eq!(hours(clock(23.0, 0.0), &[0.0, 11.0]), [1.0, 12.0]);
        assert_eq!(hours(clock(25.0, 20.0), &[18.0, 19.0, 20.0, 21.0]), [18.0, 19.0, 19.5, 20.0]);
    }

    #[test]
    fn a_lost_hour_is_never_passed_and_a_doubled_one_twice() {
        let passes = |clock: Clock| clock.passes()[7..17].to_vec();
        assert_eq!(passes(clock(24.0, 0.0)), [1.0; 10]);
        assert_eq!(passes(clock(23.0, 2.0)), [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(passes(clock(25.0, 3.0)), [1.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(clock(25.0, 3.0).passes().iter().sum::<f64>(), 100.0);
    }

    #[test]
    fn a_length_that_is_not_a_number_is_survived() {
        assert!(clock(f64::NAN, f64::NAN).position(f64::NAN).is_finite());
        assert!(clock(f64::INFINITY, f64::INFINITY).position(f64::INFINITY).is_finite());
    }
}

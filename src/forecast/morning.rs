//! The running day becomes a moment of a whole day: its bins on the wall clock, its holes and its outage filled
//! with what was expected of them. This file never adds what it fills in to what is used.

use super::clock::Clock;
use super::curve::{BINS, Curve};
use super::experts::{DAY_STRENGTH, Expectation, posterior};
use super::outage::{self, Usual};
use super::{BIN_MINUTES, Holes, Today, held, real};

/// The running day until now.
pub struct Morning {
    pub clock: Clock,
    pub elapsed_minutes: f64,
    /// Where the wall clock is.
    pub position: f64,
    /// Where the day is by what was counted: in the same bin, see [`reached`].
    pub reached: f64,
    /// Only until `reached`.
    pub counted: Curve,
}

impl Morning {
    pub fn of(today: &Today, clock: Clock, expected: &Expectation, usual: Option<&Usual>) -> Morning {
        let elapsed_minutes = held(today.elapsed_minutes, clock.day_minutes);
        let position = clock.position(elapsed_minutes);
        let mut bins = wall_clock_bins(today, clock, elapsed_minutes);
        let mut holes = wall_clock_holes(today, clock, elapsed_minutes);
        if let Some(usual) = usual {
            // Positions are held between 0 and BINS: their whole part is an index.
            holes = holes.and(outage::holes(&bins, position as usize, usual));
        }
        if holes != Holes::NONE {
            fill(&mut bins, holes, position, expected);
        }
        let reached = reached(&bins, position, expected);
        stretch(&mut bins, reached);
        Morning { clock, elapsed_minutes, position, reached, counted: Curve::of(&bins) }
    }

    pub fn left_minutes(&self) -> f64 {
        self.clock.day_minutes - self.elapsed_minutes
    }
}

/// What was stamped ahead of now falls into the bin that is running.
fn wall_clock_bins(today: &Today, clock: Clock, elapsed_minutes: f64) -> [f64; BINS] {
    let mut bins = [0.0; BINS];
    let running = running_bin(elapsed_minutes);
    for (number, units) in today.bins.iter().enumerate() {
        bins[clock.bin(number.min(running))] += real(*units);
    }
    bins
}

fn wall_clock_holes(today: &Today, clock: Clock, elapsed_minutes: f64) -> Holes {
    let elapsed = 0..=running_bin(elapsed_minutes);
    let holes = elapsed.filter(|number| today.holes.contains(*number));
    holes.fold(Holes::NONE, |holes, number| holes.with(clock.bin(number)))
}

/// The last bin of which some time has passed.
fn running_bin(elapsed_minutes: f64) -> usize {
    // Elapsed minutes are held between 0 and a day.
    ((elapsed_minutes / f64::from(BIN_MINUTES)).ceil() as usize).saturating_sub(1)
}

/// Fill the holes, as far as they are over, at the level of the rest of the morning.
fn fill(bins: &mut [f64; BINS], holes: Holes, position: f64, expected: &Expectation) {
    let passed = |bin: usize| expected.slow.between(bin as f64, position.min(bin as f64 + 1.0));
    let believed = || (0..BINS).filter(|bin| !holes.contains(*bin));
    let counted = believed().map(|bin| bins[bin]).sum();
    let level = level(expected, counted, believed().map(passed).sum());
    for bin in (0..BINS).filter(|bin| holes.contains(*bin)) {
        bins[bin] = bins[bin].max(level * passed(bin));
    }
}

/// The total of a day of which so much was counted where this share was expected.
fn level(expected: &Expectation, counted: f64, share: f64) -> f64 {
    posterior(expected.levels.middle(), DAY_STRENGTH, counted, share)
}

/// How far the running bin has come, by its counts rather than by the clock. A client that makes its requests at the
/// full hour has made all of them at five past; by the clock, two thirds would seem to be still to come.
fn reached(bins: &[f64; BINS], position: f64, expected: &Expectation) -> f64 {
    let start = position.floor();
    if start == position {
        return position;
    }
    let before: f64 = bins[..start as usize].iter().sum();
    let usual = level(expected, before, expected.slow.until(start)) * expected.slow.between(start, start + 1.0);
    let counted = bins[start as usize];
    if usual > 0.0 { start + (counted / usual).min(1.0) } else { position }
}

/// A curve goes on through its last bin as it began: it is read where it has been reached.
fn stretch(bins: &mut [f64; BINS], reached: f64) {
    let begun = reached.fract();
    if begun > 0.0 {
        bins[reached as usize] /= begun;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a client that makes 10 units a bin, so many minutes into a day of so many.
    fn morning(bins: Vec<u64>, elapsed_minutes: f64, day_minutes: f64, holes: Holes) -> Morning {
        let today = Today { weekday: 0, bins, holes, elapsed_minutes, day_minutes, clock_change_minutes: 180.0 };
        let clock = Clock::of(&today);
        Morning::of(&today, clock, &Expectation::even(960.0).on(clock), None)
    }

    #[test]
    fn all_that_was_counted_is_counted_where_the_day_has_come_to() {
        let morning = morning(vec![10, 10, 5], 37.5, 1_440.0, Holes::NONE);
        assert_eq!((morning.position, morning.reached, morning.counted.until(morning.reached)), (2.5, 2.5, 25.0));
    }

    #[test]
    fn a_burst_at_the_full_hour_is_not_expected_again() {
        let reached = |units| morning(vec![10, 10, units], 31.0, 1_440.0, Holes::NONE).reached;
        assert_eq!([reached(10), reached(500)], [3.0, 3.0]);
        assert_eq!(reached(0), 2.0);
    }

    #[test]
    fn what_is_stamped_ahead_of_now_is_counted_now() {
        let morning = morning(vec![10, 10, 0, 0, 7], 30.0, 1_440.0, Holes::NONE);
        assert_eq!(morning.counted.until(morning.reached), 27.0);
    }

    #[test]
    fn holes_are_filled_at_the_level_of_the_rest_of_the_morning() {
        let holes = Holes::NONE.with(1).with(2);
        let filled = morning(vec![10, 0, 0, 10], 60.0, 1_440.0, holes);
        assert!((filled.counted.until(4.0) - 40.0).abs() < 1e-6, "{}", filled.counted.until(4.0));
        let all = morning(vec![0; 4], 60.0, 1_440.0, Holes::ALL);
        assert!((all.counted.until(4.0) - 40.0).abs() < 1e-6, "nothing is known but what is usual");
    }

    #[test]
    fn bins_fall_where_the_wall_clock_was() {
        let counted = |day: f64| {
            let morning = morning(vec![10; 16], 240.0, day * 60.0, Holes::NONE);
            (morning.position, morning.counted.until(morning.reached))
        };
        assert_eq!([counted(23.0), counted(24.0), counted(25.0)], [(20.0, 160.0), (16.0, 160.0), (12.0, 160.0)]);
    }
}

//! The running day becomes a moment of a whole day: its bins on the wall clock, its holes and its outage filled
//! with what was expected of them. This file never adds what it fills in to what is used.

use super::clock::Clock;
use super::curve::{BINS, Curve, MIDNIGHT};
use super::experts::{Expectation, posterior};
use super::outage::{self, Usual};
use super::{BIN_MINUTES, Holes, Today, real};

/// The running day until now.
pub struct Morning {
    pub clock: Clock,
    pub elapsed_minutes: f64,
    pub position: f64,
    /// Only until `position`.
    pub counted: Curve,
}

impl Morning {
    pub fn of(today: &Today, clock: Clock, expected: &Expectation, usual: Option<&Usual>) -> Morning {
        let elapsed_minutes = today.elapsed_minutes.max(0.0).min(clock.day_minutes);
        let position = clock.position(elapsed_minutes);
        let mut bins = wall_clock_bins(today, clock, elapsed_minutes);
        let mut holes = wall_clock_holes(today, clock, elapsed_minutes);
        if let Some(usual) = usual {
            // Positions are held between 0 and BINS: their whole part is an index.
            holes = holes.and(outage::holes(&bins, position as usize, usual));
        }
        stretch_last(&mut bins, position);
        if holes != Holes::NONE {
            fill(&mut bins, holes, position, expected);
        }
        Morning { clock, elapsed_minutes, position, counted: Curve::of(&bins) }
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

/// The curve is read at `position`, in the middle of a bin: as if the bin went on as it began.
fn stretch_last(bins: &mut [f64; BINS], position: f64) {
    let begun = position.fract();
    if begun > 0.0 {
        bins[position as usize] /= begun;
    }
}

/// Fill the holes at the level of the rest of the morning.
fn fill(bins: &mut [f64; BINS], holes: Holes, position: f64, expected: &Expectation) {
    let share = |bin: usize| expected.slow.between(bin as f64, (bin as f64 + 1.0).min(MIDNIGHT));
    let passed = |bin: usize| (position - bin as f64).clamp(0.0, 1.0);
    let believed = || (0..BINS).filter(|bin| !holes.contains(*bin));
    let counted = believed().map(|bin| passed(bin) * bins[bin]).sum();
    let heard = believed().map(|bin| passed(bin) * share(bin)).sum();
    let level = posterior(expected.levels.middle(), LEVEL_STRENGTH, counted, heard);
    for bin in (0..BINS).filter(|bin| holes.contains(*bin)) {
        bins[bin] = bins[bin].max(level * share(bin));
    }
}

/// How long past days' level holds against what was heard today, in days.
const LEVEL_STRENGTH: f64 = 0.5;

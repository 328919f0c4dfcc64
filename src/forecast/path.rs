//! What is expected until any time from now on, step by step until the window's end.
//! This file never says how sure that is.

use super::BIN_MINUTES;
use super::ahead::later;
use super::curve::Curve;
use super::morning::Morning;
use super::past::Day;
use super::shape;

const STEP_MINUTES: f64 = BIN_MINUTES as f64;
const DAY_MINUTES: f64 = 24.0 * 60.0;

/// Units expected from now until each step of a quarter of an hour; the last step is the window's end.
pub struct Path {
    pub left_minutes: f64,
    pub units: Vec<f64>,
}

/// What a path is made of.
pub struct Outlook<'a> {
    pub morning: &'a Morning,
    /// The shape of today.
    pub slow: &'a Curve,
    /// Units expected of today, or of the part of it that is the window's.
    pub today: f64,
    /// The totals expected of the days after today.
    pub levels: [f64; 7],
    pub days: &'a [Day],
    pub weekday: u32,
}

/// Less than nothing to come would leave a path without a shape, so that nothing could stretch it.
const UNITS_MIN: f64 = 1e-6;

impl Path {
    pub fn of(outlook: &Outlook, left_minutes: f64) -> Path {
        let steps = (left_minutes / STEP_MINUTES).ceil() as usize;
        let mut path = Path { left_minutes, units: Vec::with_capacity(steps + 1) };
        let rest_minutes = outlook.morning.left_minutes().min(left_minutes);
        let today = outlook.today.max(UNITS_MIN);
        let mut after = After::today();
        for step in 0..=steps {
            let minutes = (step as f64 * STEP_MINUTES).min(left_minutes);
            path.units.push(if minutes <= rest_minutes {
                today * outlook.share(minutes, rest_minutes)
            } else {
                today + after.units(outlook, minutes - rest_minutes)
            });
        }
        path
    }

    /// Minutes from now at this step.
    pub fn minutes(&self, step: usize) -> f64 {
        (step as f64 * STEP_MINUTES).min(self.left_minutes)
    }

    /// Until the window's end.
    pub fn total(&self) -> f64 {
        self.units.last().copied().unwrap_or(0.0)
    }
}

impl Outlook<'_> {
    /// Of what is expected of today's rest, the share that comes within so many minutes.
    fn share(&self, minutes: f64, rest_minutes: f64) -> f64 {
        let Morning { clock, elapsed_minutes, position, .. } = self.morning;
        let until = |minutes| self.slow.between(*position, clock.position(elapsed_minutes + minutes));
        let all = until(rest_minutes);
        if all > 0.0 { (until(minutes) / all).min(1.0) } else { 0.0 }
    }
}

/// A walk through the days after today.
struct After {
    day: usize,
    /// Expected of the days before this one.
    before: f64,
    shape: Option<Curve>,
}

impl After {
    fn today() -> After {
        After { day: 0, before: 0.0, shape: None }
    }

    /// Units from midnight on; called with rising minutes.
    fn units(&mut self, outlook: &Outlook, minutes: f64) -> f64 {
        while minutes > (self.day + 1) as f64 * DAY_MINUTES {
            self.before += outlook.levels[self.day % 7];
            self.day += 1;
            self.shape = None;
        }
        let shape = self.shape.get_or_insert_with(|| shape::slow(outlook.days, later(outlook.weekday, self.day), 0.0));
        let position = (minutes - self.day as f64 * DAY_MINUTES) / STEP_MINUTES;
        self.before + outlook.levels[self.day % 7] * shape.until(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::clock::Clock;
    use crate::forecast::curve::BINS;
    use crate::forecast::experts::Expectation;
    use crate::forecast::{Holes, Today};

    /// At 10 units a bin from now on.
    fn path(elapsed_minutes: f64, day_minutes: f64, left_minutes: f64) -> Path {
        let (bins, holes) = (Vec::new(), Holes::NONE);
        let today = Today { weekday: 0, bins, holes, elapsed_minutes, day_minutes, clock_change_minutes: 180.0 };
        let clock = Clock::of(&today);
        let expected = Expectation::even(960.0).on(clock);
        let morning = Morning::of(&today, clock, &expected, None);
        let days = [Day::of(1, 6, &[10.0; BINS])];
        let outlook = Outlook {
            slow: &expected.slow,
            today: left_minutes.min(morning.left_minutes()) / STEP_MINUTES * 10.0,
            levels: [960.0; 7],
            morning: &morning,
            days: &days,
            weekday: 0,
        };
        Path::of(&outlook, left_minutes)
    }

    fn assert_even(path: &Path) {
        for (step, units) in path.units.iter().enumerate() {
            let even = path.minutes(step) / STEP_MINUTES * 10.0;
            assert!((units - even).abs() < 1e-6, "{units} and not {even} after {} minutes", path.minutes(step));
        }
    }

    #[test]
    fn a_path_goes_through_midnight_to_the_windows_end() {
        assert_even(&path(600.0, 1_440.0, 840.0));
        assert_even(&path(600.0, 1_440.0, 40.0));
        assert_even(&path(607.0, 1_440.0, 1_440.0));
        let month = path(600.0, 1_440.0, 30.0 * 1_440.0);
        assert_even(&month);
        assert_eq!(month.units.len(), 30 * BINS + 1);
    }

    #[test]
    fn a_path_knows_when_clocks_change() {
        for day_minutes in [1_380.0, 1_500.0] {
            assert_even(&path(0.0, day_minutes, day_minutes));
        }
    }

    #[test]
    fn the_last_step_ends_with_the_window() {
        let path = path(600.0, 1_440.0, 40.0);
        assert_eq!((path.units.len(), path.minutes(2), path.minutes(3)), (4, 30.0, 40.0));
    }
}

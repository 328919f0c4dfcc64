//! A past day becomes a curve: how much of it was counted by each time of day.
//! This file never looks at the running day.

use super::{BIN_MINUTES, PastDay, real};

/// Quarter hours in a day of 24 hours; the scale on which all days are compared, by the wall clock.
pub const BINS: usize = (24 * 60 / BIN_MINUTES) as usize;
/// The position at which that day ends.
pub const MIDNIGHT: f64 = BINS as f64;

/// One whole past day, cumulative.
pub struct Curve {
    /// Days before today.
    pub age: f64,
    pub weekday: u32,
    pub total: f64,
    /// `ln(1 + total)`: asked for once by every later day.
    pub log_total: f64,
    /// Counted by the start of each bin, and at last the total.
    until: [f64; BINS + 1],
}

impl Curve {
    pub fn of(day: &PastDay) -> Curve {
        let mut until = [0.0; BINS + 1];
        for (bin, start) in (1..).zip(0..BINS) {
            until[bin] = until[start] + day.bins.get(start).copied().map_or(0.0, real);
        }
        // A day of more bins than a wall clock shows keeps its total: the surplus falls into its last moment.
        until[BINS] += day.bins.iter().skip(BINS).copied().map(real).sum::<f64>();
        let total = until[BINS];
        Curve { age: f64::from(day.age), weekday: day.weekday, total, log_total: total.ln_1p(), until }
    }

    /// Counted by this position, in bins since midnight; even inside a bin.
    pub fn until(&self, position: f64) -> f64 {
        interpolate(&self.until, position)
    }

    /// The share of the day's total counted by this position; `None` for a day without traffic.
    pub fn share_until(&self, position: f64) -> Option<f64> {
        (self.total > 0.0).then(|| self.until(position) / self.total)
    }
}

/// The value at this position of a table whose index is the position, linear in between, held at its ends.
pub fn interpolate(table: &[f64; BINS + 1], position: f64) -> f64 {
    let held = position.clamp(0.0, MIDNIGHT);
    // A float between 0 and BINS: its whole part is an index.
    let low = (held as usize).min(BINS - 1);
    table[low] + (table[low + 1] - table[low]) * (held - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(bins: Vec<u64>) -> Curve {
        Curve::of(&PastDay { age: 1, weekday: 0, bins, holes: crate::forecast::Holes::NONE })
    }

    #[test]
    fn a_curve_is_linear_inside_a_bin_and_held_at_its_ends() {
        let curve = curve(vec![10; BINS]);
        assert_eq!(
            [curve.until(-1.0), curve.until(0.5), curve.until(96.0), curve.until(200.0)],
            [0.0, 5.0, 960.0, 960.0]
        );
    }

    #[test]
    fn a_day_with_bins_missing_or_to_spare_keeps_its_total() {
        assert_eq!(curve(vec![7]).total, 7.0);
        assert_eq!(curve(vec![1; 100]).total, 100.0);
        assert_eq!(curve(vec![]).share_until(50.0), None);
    }
}

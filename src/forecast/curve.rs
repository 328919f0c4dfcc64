//! Numbers a bin become a curve: how much there was by any time of day, and how much of it lately.
//! The same curve holds a day's units and a usual day's shares. This file never knows which of them it holds.

use super::BIN_MINUTES;

/// Quarter hours in a day of 24 hours; the scale on which all days are compared, by the wall clock.
pub const BINS: usize = (24 * 60 / BIN_MINUTES) as usize;
/// The position at which that day ends. Positions are bins since midnight, fractions included.
pub const MIDNIGHT: f64 = BINS as f64;
/// Bins in an hour.
pub const HOUR: f64 = 60.0 / BIN_MINUTES as f64;

/// After this many bins a unit counts half in what there was lately.
const LATELY_HALF_LIFE: f64 = 3.0 * HOUR;

/// A value at the start of each bin, and one at midnight.
type Table = [f64; BINS + 1];

/// The tables are large: boxed, a curve is moved at no cost.
#[derive(Clone)]
pub struct Curve {
    until: Box<Table>,
    lately: Box<Table>,
}

impl Curve {
    pub fn of(bins: &[f64; BINS]) -> Curve {
        let mut until = Box::new([0.0; BINS + 1]);
        for (at, value) in bins.iter().enumerate() {
            until[at + 1] = until[at] + value;
        }
        Curve::rising(until)
    }

    /// Of what there was by the start of each bin, and by midnight.
    fn rising(until: Box<Table>) -> Curve {
        let faded = (-1.0 / LATELY_HALF_LIFE).exp2();
        let mut lately = Box::new([0.0; BINS + 1]);
        for at in 0..BINS {
            lately[at + 1] = lately[at] * faded + (until[at + 1] - until[at]);
        }
        Curve { until, lately }
    }

    /// The weighted sum of some curves' shapes and of an even one, which has the weight that is left to 1.
    pub fn mean<'a>(weighted: impl Iterator<Item = (f64, &'a Curve)>, even: f64) -> Curve {
        let a_bin = even / MIDNIGHT;
        let mut until: Box<Table> = Box::new(std::array::from_fn(|at| a_bin * at as f64));
        for (weight, curve) in weighted {
            until.iter_mut().zip(curve.until.iter()).for_each(|(sum, value)| *sum += weight * value);
        }
        Curve::rising(until)
    }

    pub fn total(&self) -> f64 {
        self.until[BINS]
    }

    /// What one bin holds.
    pub fn bin(&self, bin: usize) -> f64 {
        self.until[bin + 1] - self.until[bin]
    }

    /// Counted by this position.
    pub fn until(&self, position: f64) -> f64 {
        interpolate(&self.until, position)
    }

    /// Counted from one position to another.
    pub fn between(&self, from: f64, to: f64) -> f64 {
        (self.until(to) - self.until(from)).max(0.0)
    }

    /// Counted since midnight, each bin for less the longer it is over.
    pub fn lately(&self, position: f64) -> f64 {
        interpolate(&self.lately, position)
    }
}

/// The value at this position, linear in between, held at the table's ends.
fn interpolate(table: &Table, position: f64) -> f64 {
    let held = position.clamp(0.0, MIDNIGHT);
    // A float between 0 and BINS: its whole part is an index.
    let low = (held as usize).min(BINS - 1);
    table[low] + (table[low + 1] - table[low]) * (held - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_linear_inside_a_bin_and_held_at_its_ends() {
        let curve = Curve::of(&[10.0; BINS]);
        assert_eq!(
            [curve.until(-1.0), curve.until(0.5), curve.until(96.0), curve.until(200.0)],
            [0.0, 5.0, 960.0, 960.0]
        );
        assert_eq!((curve.between(4.0, 6.0), curve.between(6.0, 4.0), curve.total()), (20.0, 0.0, 960.0));
    }

    #[test]
    fn what_was_counted_three_hours_ago_counts_half() {
        let mut bins = [0.0; BINS];
        bins[0] = 8.0;
        let curve = Curve::of(&bins);
        assert_eq!([curve.lately(1.0), curve.lately(0.5)], [8.0, 4.0]);
        assert!((curve.lately(13.0) - 4.0).abs() < 1e-9 && (curve.lately(25.0) - 2.0).abs() < 1e-9);
    }
}

//! What daycap is held against: a straight line through the day so far, and the one that `predict_linear` draws.
//! This file never looks at a past day's shape; that is what is wrong with it.

/// The units counted since the day's start, as a straight line from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    pub now: f64,
    pub a_minute: f64,
}

impl Line {
    /// Where it is after so many minutes.
    pub fn after(&self, minutes: f64) -> f64 {
        self.now + self.a_minute * minutes
    }

    /// Minutes from now until it has reached this many units; infinite where it never does.
    pub fn until(&self, units: f64) -> f64 {
        if self.now >= units {
            return 0.0;
        }
        if self.a_minute > 0.0 { (units - self.now) / self.a_minute } else { f64::INFINITY }
    }
}

/// Count by elapsed time: what most tools print.
pub fn linear(used: u64, elapsed_minutes: f64) -> Line {
    let now = used as f64;
    Line { now, a_minute: now / elapsed_minutes.max(1.0) }
}

/// Prometheus' `predict_linear`: least squares over samples (minutes from now, value), and the line they give from
/// now on. It starts at the fit's own value now, not at the last sample. `None` of fewer than two samples.
pub fn predict_linear(samples: impl Iterator<Item = (f64, f64)>) -> Option<Line> {
    let (mut n, mut x, mut y, mut xy, mut xx) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (at, value) in samples {
        n += 1.0;
        x += at;
        y += value;
        xy += at * value;
        xx += at * at;
    }
    if n < 2.0 {
        return None;
    }
    let a_minute = (xy - x * y / n) / (xx - x * x / n);
    Some(Line { now: y / n - a_minute * x / n, a_minute })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_goes_on_at_the_days_mean_pace() {
        let line = linear(600, 300.0);
        assert_eq!((line.after(1_140.0), line.until(1_000.0)), (2_880.0, 200.0));
        assert_eq!((line.until(600.0), linear(0, 60.0).until(1.0)), (0.0, f64::INFINITY));
    }

    #[test]
    fn predict_linear_starts_at_the_fit_and_not_at_the_last_sample() {
        // Least squares by hand: mean x -1, mean y 4/3; slope (0*2 - 2*0 ... ) = 2; at 0 it is 4/3 + 2.
        let line = predict_linear([(-2.0, 0.0), (-1.0, 0.0), (0.0, 4.0)].into_iter()).unwrap();
        assert!((line.a_minute - 2.0).abs() < 1e-12 && (line.now - 10.0 / 3.0).abs() < 1e-12, "{line:?}");
    }

    #[test]
    fn one_sample_is_no_line() {
        assert_eq!(predict_linear([(0.0, 4.0)].into_iter()), None);
    }
}

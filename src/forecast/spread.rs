//! Past errors of the same forecaster at the same time of day become the spread around a forecast.
//! This file never assumes a Poisson: real traffic is so over-dispersed that textbook intervals hold a tenth
//! of what they promise.

use super::BIN_MINUTES;
use super::curve::Curve;
use super::expect::Expectation;

/// Errors are logarithms of a ratio; beyond e^2 (a factor of seven) they only say "wild".
const ERROR_MAX: f64 = 2.0;
/// After this many days an error counts half.
const ERROR_HALF_LIFE: f64 = 30.0;
/// Bins in the hour by which the replay also looks before and after the time of day.
const HOUR: f64 = 60.0 / BIN_MINUTES as f64;

/// The distribution of `ln(true remainder / forecast remainder)`: what was seen, and what is assumed until
/// enough has been seen.
pub struct Spread {
    seen: Vec<Error>,
    assumed: Assumed,
    /// How far each past day's total was from what was expected of it at its start.
    level_errors: Vec<f64>,
}

struct Error {
    value: f64,
    weight: f64,
}

/// Pseudo-days of a two-piece Laplace distribution around 0.
struct Assumed {
    days: f64,
    /// Its tenth percentile, below 0 by this much.
    low: f64,
    /// Its ninetieth percentile.
    high: f64,
}

impl Assumed {
    /// Measured on real clients by length of history; wide at first, and wider below than above once some
    /// days are known.
    fn after(history_days: usize) -> Assumed {
        let (days, low, high) = match history_days {
            0 => (4.0, 1.2, 1.2),
            1..=2 => (4.0, 1.0, 0.8),
            3..14 => (4.0, 0.9, 0.65),
            14.. => (3.0, 0.6, 0.6),
        };
        Assumed { days, low, high }
    }

    /// The probability of an error of at most `value`.
    fn below(&self, value: f64) -> f64 {
        // A Laplace tail halves the median's probability to a tenth at ln 5 of its scale.
        let tail = |distance: f64, scale: f64| 0.5 * (-distance * 5_f64.ln() / scale).exp();
        if value < 0.0 { tail(-value, self.low) } else { 1.0 - tail(value, self.high) }
    }
}

impl Spread {
    /// The errors of each past day's forecast at this position and an hour before and after, each made only
    /// from the days before it. `history` is sorted, yesterday first.
    pub fn replayed(history: &[Curve], position: f64) -> Spread {
        let mut spread = Spread {
            seen: Vec::with_capacity(3 * history.len()),
            assumed: Assumed::after(history.len()),
            level_errors: Vec::with_capacity(history.len()),
        };
        // The first day of all has nothing before it: how a guess went says nothing of a forecast.
        for (yesterday, day) in (1..history.len()).zip(history) {
            spread.replay(&history[yesterday..], day, position);
        }
        spread
    }

    fn replay(&mut self, before: &[Curve], day: &Curve, position: f64) {
        let expected = Expectation::of(before, day.weekday, day.age);
        let offset = offset(expected.level());
        self.level_errors.push(((day.total + offset) / (expected.level() + offset)).ln().abs());
        // The three errors of one day share the weight of one: they are hardly independent.
        let weight = (-day.age / ERROR_HALF_LIFE).exp2() / 3.0;
        for position in [position - HOUR, position, position + HOUR] {
            let counted = day.until(position);
            let forecast = expected.remaining(position, counted);
            let error = ((day.total - counted + offset) / (forecast + offset)).ln();
            self.seen.push(Error { value: error.clamp(-ERROR_MAX, ERROR_MAX), weight });
        }
    }

    /// The median of how far, as a logarithm, past totals were from what was expected of them at the day's start.
    pub fn typical_level_error(&self) -> f64 {
        let mut errors = self.level_errors.clone();
        errors.sort_unstable_by(f64::total_cmp);
        errors.get(errors.len() / 2).copied().unwrap_or(0.0)
    }

    /// The probability of an error of at most `value`.
    pub fn below(&self, value: f64) -> f64 {
        let mut below = self.assumed.days * self.assumed.below(value);
        let mut weights = self.assumed.days;
        for error in &self.seen {
            weights += error.weight;
            if error.value <= value {
                below += error.weight;
            }
        }
        below / weights
    }

    /// The error that this share of errors stays below, found by halving the range of errors.
    pub fn quantile(&self, share: f64) -> f64 {
        let (mut low, mut high) = (-ERROR_MAX, ERROR_MAX);
        // 2 * ERROR_MAX / 2^24 is a forecast's ten-millionth.
        for _ in 0..24 {
            let middle = f64::midpoint(low, high);
            if self.below(middle) < share {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

/// Added to both sides of a ratio of remainders: near the day's end a handful of requests is not an error of
/// many times.
pub fn offset(level: f64) -> f64 {
    0.01 * level + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::PastDay;
    use crate::forecast::curve::BINS;

    #[test]
    fn what_is_assumed_has_the_stated_percentiles() {
        let spread = Spread::replayed(&[], 40.0);
        assert!((spread.quantile(0.1) + 1.2).abs() < 1e-6);
        assert!(spread.quantile(0.5).abs() < 1e-6);
        assert!((spread.quantile(0.9) - 1.2).abs() < 1e-6);
    }

    #[test]
    fn days_that_all_went_as_forecast_narrow_the_band() {
        let day =
            |age| Curve::of(&PastDay { age, weekday: 2, bins: vec![50; BINS], holes: crate::forecast::Holes::NONE });
        let history: Vec<_> = (1..=28).map(day).collect();
        let spread = Spread::replayed(&history, 40.0);
        assert!(spread.quantile(0.9) - spread.quantile(0.1) < 0.05);
    }
}

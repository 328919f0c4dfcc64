//! Errors of the same forecast on past days become the spread around today's: conformal prediction whose errors
//! count for less the older they are (Barber, Candes, Ramdas & Tibshirani, Annals of Statistics 2023), and which
//! begins with an assumption, as a week gives few errors.
//! This file never assumes a Poisson: real traffic is so over-dispersed that textbook intervals hold a tenth
//! of what they promise.

/// Errors are logarithms of a ratio; beyond e^2 (a factor of seven) they only say "wild".
const ERROR_MAX: f64 = 2.0;
/// After this many days an error counts half.
const ERROR_HALF_LIFE: f64 = 30.0;

/// How many days the usual client's wildness weighs against this one's.
const SCALE_DAYS: f64 = 2.0;
/// No client is taken for steadier or wilder than the usual one by more than this.
const SCALE_MAX: f64 = 2.0;

/// The distribution of `ln(what came / what was forecast)`: what was seen, and what is assumed until enough
/// has been seen.
pub struct Spread {
    seen: Vec<Error>,
    assumed: Assumed,
    /// By how much errors of today's question are greater than those that were seen.
    stretch: f64,
}

struct Error {
    value: f64,
    weight: f64,
    /// Once settled: of this and all smaller errors together.
    weight_until: f64,
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
            3..14 => (6.0, 0.9, 0.65),
            14.. => (3.0, 0.6, 0.6),
        };
        Assumed { days, low, high }
    }

    /// How far errors are from 0 in the mean: a piece's scale is its percentile over ln 5, as below.
    fn mean_size(&self) -> f64 {
        f64::midpoint(self.low, self.high) / 5_f64.ln()
    }

    /// The probability of an error of at most `value`.
    fn below(&self, value: f64) -> f64 {
        // A Laplace tail halves the median's probability to a tenth at ln 5 of its scale.
        let tail = |distance: f64, scale: f64| 0.5 * (-distance * 5_f64.ln() / scale).exp();
        if value < 0.0 { tail(-value, self.low) } else { 1.0 - tail(value, self.high) }
    }
}

impl Spread {
    pub fn after(history_days: usize, stretch: f64) -> Spread {
        Spread { seen: Vec::with_capacity(3 * history_days), assumed: Assumed::after(history_days), stretch }
    }

    /// Add an error of a day of this age, with this share of the day's weight.
    pub fn add(&mut self, error: f64, age: f64, share: f64) {
        let value = (self.stretch * error).clamp(-ERROR_MAX, ERROR_MAX);
        self.seen.push(Error { value, weight: share * (-age / ERROR_HALF_LIFE).exp2(), weight_until: 0.0 });
    }

    /// When all errors are in: what is assumed narrows for a client that is steadier than most, and widens for a
    /// wilder one, as far as the errors seen can tell.
    pub fn settled(mut self) -> Spread {
        let usual = self.assumed.mean_size();
        let (mut sizes, mut weights) = (SCALE_DAYS * usual, 0.0);
        self.seen.sort_unstable_by(|a, b| a.value.total_cmp(&b.value));
        for error in &mut self.seen {
            sizes += error.weight * error.value.abs();
            weights += error.weight;
            error.weight_until = weights;
        }
        let scale = (sizes / (SCALE_DAYS + weights) / usual).clamp(SCALE_MAX.recip(), SCALE_MAX);
        self.assumed.low *= scale;
        self.assumed.high *= scale;
        self
    }

    /// The probability of an error of at most `value`.
    pub fn below(&self, value: f64) -> f64 {
        let smaller = self.seen.partition_point(|error| error.value <= value);
        let weight = |errors: usize| errors.checked_sub(1).map_or(0.0, |last| self.seen[last].weight_until);
        let below = self.assumed.days * self.assumed.below(value) + weight(smaller);
        below / (self.assumed.days + weight(self.seen.len()))
    }

    #[cfg(test)]
    pub fn errors(&self) -> usize {
        self.seen.len()
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

/// Added to both sides of a ratio: near the day's end a handful of requests is not an error of many times.
pub fn offset(level: f64) -> f64 {
    0.01 * level + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assumed_has_the_stated_percentiles() {
        let spread = Spread::after(0, 1.0);
        assert!((spread.quantile(0.1) + 1.2).abs() < 1e-6);
        assert!(spread.quantile(0.5).abs() < 1e-6);
        assert!((spread.quantile(0.9) - 1.2).abs() < 1e-6);
    }

    #[test]
    fn days_that_all_went_as_forecast_narrow_the_band() {
        let mut spread = Spread::after(28, 1.0);
        (1..=28).for_each(|age| spread.add(0.0, f64::from(age), 1.0));
        let spread = spread.settled();
        assert!(spread.quantile(0.9) - spread.quantile(0.1) < 0.05);
    }

    #[test]
    fn a_steady_client_narrows_what_is_assumed_and_a_wild_one_widens_it() {
        let band = |error: f64| {
            let mut spread = Spread::after(7, 1.0);
            (1..=7).for_each(|age| spread.add(if age % 2 == 0 { error } else { -error }, f64::from(age), 1.0));
            let spread = spread.settled();
            spread.quantile(0.95) - spread.quantile(0.05)
        };
        assert!(band(0.1) < band(0.5) && band(0.5) < band(1.5));
    }

    #[test]
    fn errors_of_a_longer_window_are_stretched_and_none_is_more_than_wild() {
        let mut spread = Spread::after(28, 2.0);
        (1..=28).for_each(|age| spread.add(0.5, f64::from(age), 1.0));
        spread.add(5.0, 1.0, 1.0);
        let spread = spread.settled();
        assert!((spread.quantile(0.5) - 1.0).abs() < 0.01);
        assert_eq!(spread.below(ERROR_MAX + 1.0).clamp(0.99, 1.0), spread.below(ERROR_MAX + 1.0));
    }
}

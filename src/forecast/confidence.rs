//! How far a forecast's probability may be taken for a frequency.
//! This file never changes the forecast.

use super::{Confidence, Experience};

/// Days of history from which a forecast may be called normal: each weekday has been seen twice. With one week,
/// probabilities of 0.8 came true half of the time for the wildest clients measured.
const NORMAL_DAYS_MIN: usize = 14;
/// Half of the past days' totals missed what the days before them led to expect by more than this, as a
/// logarithm (here about 20 %): for clients this wild, probabilities overstate.
const WILD_ERROR: f64 = 0.2;

pub fn confidence(experience: &Experience) -> Confidence {
    match experience.days.len() {
        0 => Confidence::Learning,
        1..NORMAL_DAYS_MIN => Confidence::Low,
        _ if experience.typical_level_error() > WILD_ERROR => Confidence::Low,
        _ => Confidence::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::curve::BINS;
    use crate::forecast::{Holes, PastDay};

    fn told(days: u32, units: impl Fn(u32) -> u64) -> Confidence {
        let day = |age| PastDay { age, weekday: 2, bins: vec![units(age); BINS], holes: Holes::NONE };
        confidence(&Experience::of(&(1..=days).map(day).collect::<Vec<_>>(), 2))
    }

    #[test]
    fn confidence_needs_two_weeks_of_days_that_are_somewhat_alike() {
        assert_eq!(
            [told(0, |_| 10), told(1, |_| 10), told(13, |_| 10)],
            [Confidence::Learning, Confidence::Low, Confidence::Low]
        );
        assert_eq!(
            [told(14, |age| 10 + u64::from(age % 2)), told(14, |age| 1 << (age % 5))],
            [Confidence::Normal, Confidence::Low]
        );
    }
}

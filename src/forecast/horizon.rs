//! How far a forecast looks, from one position of a day: to the day's end, or over so much time.
//! This file never knows how the window that asks is reset.

use super::curve::MIDNIGHT;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Horizon {
    DayEnd,
    Bins(f64),
}

/// A horizon seen from a position: until where in the same day, and how many bins after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    pub until: f64,
    pub beyond: f64,
}

impl Horizon {
    pub fn from(self, position: f64) -> Reach {
        match self {
            Horizon::DayEnd => Reach { until: MIDNIGHT, beyond: 0.0 },
            Horizon::Bins(bins) => {
                let end = position + bins;
                Reach { until: end.min(MIDNIGHT), beyond: (end - MIDNIGHT).max(0.0) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_ends_in_its_day_or_beyond() {
        let reach = |until, beyond| Reach { until, beyond };
        assert_eq!(Horizon::DayEnd.from(40.0), reach(96.0, 0.0));
        assert_eq!(Horizon::Bins(4.0).from(40.0), reach(44.0, 0.0));
        assert_eq!(Horizon::Bins(96.0).from(40.0), reach(96.0, 40.0));
    }
}

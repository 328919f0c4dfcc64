//! Evidence becomes the figures that are printed: medians, means, shares. Fractions are 0 to 1, `None` is undefined.
//! This file never sees a day.

use super::evidence::{Cutoff, Evidence, Method, PROBABILITY_EDGES, Predicted, Raised, Rule};
use super::replay::CUTOFF_HOURS;

/// The figures of one series, or of many.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    pub days: Option<f64>,
    /// Days before the first one judged.
    pub history_days: Option<f64>,
    pub limit: Option<f64>,
    pub exceed_days: Option<f64>,
    pub cutoffs: [AtHour; CUTOFF_HOURS.len()],
    pub rules: [Alerting; Rule::ALL.len()],
    pub reliability: [Reliability; PROBABILITY_EDGES.len() - 1],
    pub exhaustion: Exhaustion,
    pub exhaustion_near: Exhaustion,
}

/// By [`Method::ALL`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtHour {
    pub median_ape: [Option<f64>; Method::ALL.len()],
    pub mean_ape: [Option<f64>; Method::ALL.len()],
    pub coverage: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alerting {
    pub recall: Option<f64>,
    pub precision: Option<f64>,
    pub false_alarm_days_per_100: Option<f64>,
    pub lead_hours_median: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reliability {
    pub predicted: Option<f64>,
    pub observed: Option<f64>,
    pub forecasts: Option<f64>,
}

/// Median error in hours, by [`Method::TIMED`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exhaustion {
    pub hours: [Option<f64>; Method::TIMED.len()],
    pub forecasts: Option<f64>,
}

impl Score {
    pub fn of(evidence: &Evidence, history_days: Option<u32>, limit: Option<u64>) -> Score {
        Score {
            days: Some(evidence.days as f64),
            history_days: history_days.map(f64::from),
            limit: limit.map(|limit| limit as f64),
            exceed_days: Some(evidence.exceed_days as f64),
            cutoffs: evidence.cutoffs.each_ref().map(AtHour::of),
            rules: evidence.rules.each_ref().map(|raised| Alerting::of(raised, evidence)),
            reliability: evidence.reliability.each_ref().map(Reliability::of),
            exhaustion: Exhaustion::of(&evidence.exhaustion),
            exhaustion_near: Exhaustion::of(&evidence.exhaustion_near),
        }
    }

    /// Each figure the median of the series' figures; of those that have it.
    pub fn middle(all: &[Score]) -> Score {
        let middle = |figure: &dyn Fn(&Score) -> Option<f64>| median(all.iter().filter_map(figure));
        let exhaustion = |of: fn(&Score) -> &Exhaustion| Exhaustion {
            hours: std::array::from_fn(|method| middle(&|score| of(score).hours[method])),
            forecasts: middle(&|score| of(score).forecasts),
        };
        Score {
            days: middle(&|score| score.days),
            history_days: middle(&|score| score.history_days),
            limit: middle(&|score| score.limit),
            exceed_days: middle(&|score| score.exceed_days),
            cutoffs: std::array::from_fn(|hour| AtHour {
                median_ape: std::array::from_fn(|method| middle(&|score| score.cutoffs[hour].median_ape[method])),
                mean_ape: std::array::from_fn(|method| middle(&|score| score.cutoffs[hour].mean_ape[method])),
                coverage: middle(&|score| score.cutoffs[hour].coverage),
            }),
            rules: std::array::from_fn(|rule| Alerting {
                recall: middle(&|score| score.rules[rule].recall),
                precision: middle(&|score| score.rules[rule].precision),
                false_alarm_days_per_100: middle(&|score| score.rules[rule].false_alarm_days_per_100),
                lead_hours_median: middle(&|score| score.rules[rule].lead_hours_median),
            }),
            reliability: std::array::from_fn(|bin| Reliability {
                predicted: middle(&|score| score.reliability[bin].predicted),
                observed: middle(&|score| score.reliability[bin].observed),
                forecasts: middle(&|score| score.reliability[bin].forecasts),
            }),
            exhaustion: exhaustion(|score| &score.exhaustion),
            exhaustion_near: exhaustion(|score| &score.exhaustion_near),
        }
    }
}

impl AtHour {
    fn of(cutoff: &Cutoff) -> AtHour {
        AtHour {
            median_ape: cutoff.errors.each_ref().map(|errors| median(errors.iter().copied())),
            mean_ape: cutoff.errors.each_ref().map(|errors| ratio(errors.iter().sum(), errors.len() as u64)),
            coverage: ratio(cutoff.covered as f64, cutoff.bands),
        }
    }
}

impl Alerting {
    fn of(raised: &Raised, evidence: &Evidence) -> Alerting {
        let alerts = raised.in_time + raised.for_nothing;
        Alerting {
            recall: ratio(raised.in_time as f64, evidence.exceed_days),
            precision: ratio(raised.in_time as f64, alerts),
            false_alarm_days_per_100: ratio(raised.for_nothing as f64 * 100.0, evidence.days),
            lead_hours_median: median(raised.lead_hours.iter().copied()),
        }
    }
}

impl Reliability {
    fn of(bin: &Predicted) -> Reliability {
        Reliability {
            predicted: ratio(bin.sum, bin.forecasts),
            observed: ratio(bin.came as f64, bin.forecasts),
            forecasts: Some(bin.forecasts as f64),
        }
    }
}

impl Exhaustion {
    fn of(errors: &[Vec<f64>; Method::TIMED.len()]) -> Exhaustion {
        Exhaustion {
            hours: errors.each_ref().map(|errors| median(errors.iter().copied())),
            forecasts: Some(errors[0].len() as f64),
        }
    }
}

fn ratio(part: f64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part / whole as f64)
}

/// Between the two in the middle of an even number it is their mean.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let above = *values.get(values.len() / 2)?;
    let below = values[(values.len() - 1) / 2];
    Some(f64::midpoint(below, above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_one_or_the_mean_of_the_two() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }

    #[test]
    fn without_a_day_every_share_is_undefined() {
        let score = Score::of(&Evidence::default(), Some(0), Some(1));
        assert_eq!((score.cutoffs[0].median_ape, score.cutoffs[0].coverage), ([None; 4], None));
        let alerting = score.rules[0];
        assert_eq!((alerting.recall, alerting.precision, alerting.false_alarm_days_per_100), (None, None, None));
    }

    #[test]
    fn the_middle_of_many_passes_over_those_that_have_no_figure() {
        let score =
            |days, limit| Score { limit, ..Score::of(&Evidence { days, ..Evidence::default() }, Some(7), None) };
        let middle = Score::middle(&[score(1, Some(10.0)), score(5, None), score(9, Some(30.0))]);
        assert_eq!((middle.days, middle.limit, middle.history_days), (Some(5.0), Some(20.0), Some(7.0)));
    }
}

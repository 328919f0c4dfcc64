//! Replayed days become evidence: each error, each alert that came in time or for nothing, each probability and what
//! came of it. This file never averages; evidence of many series is evidence of each, put together.

use super::replay::{CUTOFF_HOURS, Moment, Replayed};
use super::rivals::Line;

/// What forecasts the day's total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Daycap,
    Linear,
    PredictLinear,
    Yesterday,
}

impl Method {
    pub const ALL: [Method; 4] = [Method::Daycap, Method::Linear, Method::PredictLinear, Method::Yesterday];
    /// Those that say when a limit is reached.
    pub const TIMED: [Method; 3] = [Method::Daycap, Method::Linear, Method::PredictLinear];

    pub fn name(self) -> &'static str {
        match self {
            Method::Daycap => "daycap",
            Method::Linear => "linear",
            Method::PredictLinear => "predict_linear_4h",
            Method::Yesterday => "yesterday",
        }
    }
}

/// What raises an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The probability to pass the limit is at least 0.7, and the day is an hour old.
    Daycap,
    /// The line of the day's mean pace ends above the limit.
    Linear,
    /// The line of the last four hours does.
    PredictLinear,
    /// Four fifths of the limit are used.
    Static80,
}

impl Rule {
    pub const ALL: [Rule; 4] = [Rule::Daycap, Rule::Linear, Rule::PredictLinear, Rule::Static80];

    pub fn name(self) -> &'static str {
        match self {
            Rule::Daycap => "daycap",
            Rule::Linear => "linear",
            Rule::PredictLinear => "predict_linear_4h",
            Rule::Static80 => "static_80",
        }
    }

    fn alerts(self, moment: &Moment, limit: u64) -> bool {
        let ends_above = |line: &Line| line.after(f64::from(moment.left)) > limit as f64;
        match self {
            Rule::Daycap => moment.daycap.exceed_probability >= RAISE_PROBABILITY && moment.elapsed >= QUIET_MINUTES,
            Rule::Linear => ends_above(&moment.linear),
            Rule::PredictLinear => moment.predict_linear.as_ref().is_some_and(ends_above),
            Rule::Static80 => u128::from(moment.used) * 100 >= u128::from(limit) * 80,
        }
    }
}

/// What [`crate::publish::alert`] raises `projected` at unless it is configured otherwise.
const RAISE_PROBABILITY: f64 = 0.7;
/// A day's first hour says too little to alarm anyone.
const QUIET_MINUTES: u32 = 60;
/// An error beyond this counts as this: one day of nearly nothing must not outweigh all others.
pub const APE_MAX: f64 = 3.0;
/// Bounds of the bins in which probabilities are compared with what came of them.
pub const PROBABILITY_EDGES: [f64; 8] = [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0];
/// Near its end, the time of exhaustion is what people act on.
const NEAR_MINUTES: u32 = 6 * 60;

/// What some replayed days have shown. All lists are in no order.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub days: u64,
    /// Days on which more than the limit was used.
    pub exceed_days: u64,
    pub cutoffs: [Cutoff; CUTOFF_HOURS.len()],
    pub rules: [Raised; Rule::ALL.len()],
    pub reliability: [Predicted; PROBABILITY_EDGES.len() - 1],
    /// Error of the time of exhaustion, in hours, where daycap forecast one and it came: for each of [`Method::TIMED`].
    pub exhaustion: [Vec<f64>; Method::TIMED.len()],
    pub exhaustion_near: [Vec<f64>; Method::TIMED.len()],
}

/// Forecasts of the total at one hour.
#[derive(Clone, Debug, Default)]
pub struct Cutoff {
    /// |forecast - total| / total, at most [`APE_MAX`], for each of [`Method::ALL`].
    pub errors: [Vec<f64>; Method::ALL.len()],
    /// Totals within the P10-P90 band, of so many.
    pub covered: u64,
    pub bands: u64,
}

/// Alerts of one rule, by days.
#[derive(Clone, Debug, Default)]
pub struct Raised {
    /// Before the limit was passed.
    pub in_time: u64,
    /// The limit was not passed on that day.
    pub for_nothing: u64,
    /// From the first alert to the crossing, for each day in time.
    pub lead_hours: Vec<f64>,
}

/// Probabilities of one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Predicted {
    pub forecasts: u64,
    pub sum: f64,
    pub came: u64,
}

impl Evidence {
    pub fn add(&mut self, day: &Replayed) {
        self.days += 1;
        self.exceed_days += u64::from(day.crossed.is_some());
        for moment in &day.moments {
            if let Some(cutoff) = moment.cutoff {
                self.cutoffs[cutoff].add(day, moment);
            }
        }
        for (rule, raised) in Rule::ALL.into_iter().zip(&mut self.rules) {
            raised.add(day, before_crossing(day).find(|moment| rule.alerts(moment, day.limit)));
        }
        for moment in before_crossing(day) {
            self.add_probability(moment.daycap.exceed_probability, day.crossed.is_some());
            if let (Some(crossed), Some(exhaustion)) = (day.crossed, moment.daycap.exhaustion_minutes) {
                self.add_exhaustion(day.limit, moment, exhaustion, crossed - moment.elapsed);
            }
        }
    }

    fn add_probability(&mut self, probability: f64, came: bool) {
        let above = PROBABILITY_EDGES.iter().filter(|edge| probability >= **edge).count();
        // Certainty belongs to the last bin; what is below the first is in none.
        if let Some(bin) = above.min(self.reliability.len()).checked_sub(1) {
            let predicted = &mut self.reliability[bin];
            predicted.forecasts += 1;
            predicted.sum += probability;
            predicted.came += u64::from(came);
        }
    }

    /// A line that reaches the limit only after the day's end says that it will not before it.
    fn add_exhaustion(&mut self, limit: u64, moment: &Moment, daycap: f64, truth: u32) {
        let left = f64::from(moment.left);
        let until = |line: &Line| line.until(limit as f64).min(left);
        let predict_linear = moment.predict_linear.as_ref().map_or(left, until);
        let told = [daycap, until(&moment.linear), predict_linear];
        for (place, minutes) in told.into_iter().enumerate() {
            let error = (minutes - f64::from(truth)).abs() / 60.0;
            self.exhaustion[place].push(error);
            if truth <= NEAR_MINUTES {
                self.exhaustion_near[place].push(error);
            }
        }
    }

    pub fn merge(&mut self, other: Evidence) {
        self.days += other.days;
        self.exceed_days += other.exceed_days;
        self.cutoffs.iter_mut().zip(other.cutoffs).for_each(|(own, other)| own.merge(other));
        self.rules.iter_mut().zip(other.rules).for_each(|(own, other)| own.merge(other));
        for (own, other) in self.reliability.iter_mut().zip(other.reliability) {
            own.forecasts += other.forecasts;
            own.sum += other.sum;
            own.came += other.came;
        }
        self.exhaustion.iter_mut().zip(other.exhaustion).for_each(|(own, other)| own.extend(other));
        self.exhaustion_near.iter_mut().zip(other.exhaustion_near).for_each(|(own, other)| own.extend(other));
    }
}

/// The day's hours at which the limit was not passed yet.
fn before_crossing(day: &Replayed) -> impl Iterator<Item = &Moment> {
    day.moments.iter().take_while(|moment| day.crossed.is_none_or(|crossed| moment.elapsed <= crossed))
}

impl Cutoff {
    fn add(&mut self, day: &Replayed, moment: &Moment) {
        let left = f64::from(moment.left);
        let forecasts = [
            Some(moment.daycap.p50 as f64),
            Some(moment.linear.after(left)),
            moment.predict_linear.map(|line| line.after(left)),
            day.yesterday.map(|total| total.max(moment.used) as f64),
        ];
        for (errors, forecast) in self.errors.iter_mut().zip(forecasts) {
            errors.extend(forecast.and_then(|forecast| ape(forecast, day.total)));
        }
        self.bands += 1;
        self.covered += u64::from((moment.daycap.p10..=moment.daycap.p90).contains(&day.total));
    }

    fn merge(&mut self, other: Cutoff) {
        self.errors.iter_mut().zip(other.errors).for_each(|(own, other)| own.extend(other));
        self.bands += other.bands;
        self.covered += other.covered;
    }
}

/// `None` for a day without a count: nothing can be told in percent of it.
fn ape(forecast: f64, total: u64) -> Option<f64> {
    let total = total as f64;
    (total > 0.0).then(|| ((forecast - total).abs() / total).min(APE_MAX))
}

impl Raised {
    fn add(&mut self, day: &Replayed, first: Option<&Moment>) {
        let Some(first) = first else { return };
        let Some(crossed) = day.crossed else {
            self.for_nothing += 1;
            return;
        };
        self.in_time += 1;
        self.lead_hours.push(f64::from(crossed - first.elapsed) / 60.0);
    }

    fn merge(&mut self, other: Raised) {
        self.in_time += other.in_time;
        self.for_nothing += other.for_nothing;
        self.lead_hours.extend(other.lead_hours);
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::backtest::score::Score;
    use crate::forecast::{Forecast, Holes, Running, Today, forecast};

    fn any_forecast() -> Forecast {
        let today = Today {
            weekday: 0,
            bins: vec![0; 96],
            holes: Holes::NONE,
            elapsed_minutes: 60.0,
            day_minutes: 1_440.0,
            clock_change_minutes: 0.0,
        };
        forecast(&[], &today, &Running { limit: 100, used: 0, left_minutes: 1_380.0, leaving: Vec::new() })
    }

    /// At this hour, so much was used, and daycap said this of P50 and of the probability to pass the limit.
    fn moment(hour: u32, used: u64, p50: u64, exceed_probability: f64) -> Moment {
        let daycap = Forecast {
            p10: p50 - p50 / 10,
            p50,
            p90: p50 + p50 / 10,
            exceed_probability,
            exhaustion_minutes: None,
            ..any_forecast()
        };
        let cutoff = CUTOFF_HOURS.iter().position(|cutoff| *cutoff == hour);
        let now = used as f64;
        let linear = Line { now, a_minute: now / f64::from(hour * 60) };
        Moment { elapsed: hour * 60, left: 1_440 - hour * 60, cutoff, used, daycap, linear, predict_linear: None }
    }

    /// A day of 240 units, ten an hour, whose limit is passed after so many minutes.
    pub fn day(limit: u64, crossed: Option<u32>, moments: Vec<Moment>) -> Replayed {
        Replayed { day: "2026-11-22".parse().unwrap(), limit, total: 240, crossed, yesterday: Some(60), moments }
    }

    fn evidence(days: &[Replayed]) -> Evidence {
        let mut evidence = Evidence::default();
        days.iter().for_each(|day| evidence.add(day));
        evidence
    }

    #[test]
    fn errors_are_parts_of_the_total_and_yesterday_is_never_below_what_is_counted() {
        let at_noon = &evidence(&[day(500, None, vec![moment(12, 120, 216, 0.0)])]).cutoffs[4];
        let [daycap, linear, predict_linear, yesterday] = at_noon.errors.each_ref().map(|errors| errors.as_slice());
        assert_eq!((daycap, linear, predict_linear, yesterday), (&[0.1][..], &[0.0][..], &[][..], &[0.5][..]));
        assert_eq!((at_noon.covered, at_noon.bands), (0, 1), "237 is the upper end");
    }

    #[test]
    fn an_error_counts_as_300_percent_at_most_and_a_day_without_a_count_has_none() {
        assert_eq!((ape(5_000.0, 100), ape(50.0, 100), ape(0.0, 0)), (Some(3.0), Some(0.5), None));
    }

    #[test]
    fn an_alert_in_time_leads_one_for_nothing_counts_and_one_after_the_crossing_does_not() {
        let caught =
            day(150, Some(900), vec![moment(9, 90, 200, 0.6), moment(12, 120, 200, 0.7), moment(18, 180, 240, 1.0)]);
        let missed = day(150, Some(900), vec![moment(12, 120, 200, 0.69), moment(18, 180, 240, 1.0)]);
        let for_nothing = day(250, None, vec![moment(12, 120, 300, 0.9)]);
        let quiet = day(250, None, vec![moment(12, 120, 200, 0.1)]);
        let evidence = evidence(&[caught, missed, for_nothing, quiet]);
        let daycap = &evidence.rules[0];
        assert_eq!((daycap.in_time, daycap.for_nothing, daycap.lead_hours.as_slice()), (1, 1, &[3.0][..]));
        let score = Score::of(&evidence, None, None).rules[0];
        assert_eq!((score.recall, score.precision, score.false_alarm_days_per_100), (Some(0.5), Some(0.5), Some(25.0)));
    }

    #[test]
    fn rivals_alert_at_their_own_marks() {
        let at = |used, limit| Rule::ALL.map(|rule| rule.alerts(&moment(12, used, 200, 0.0), limit));
        // Of 300: linear ends at 240; four fifths are 240.
        assert_eq!(at(120, 300), [false, false, false, false]);
        assert_eq!(at(120, 239), [false, true, false, false]);
        assert_eq!(at(120, 150), [false, true, false, true]);
    }

    #[test]
    fn probabilities_are_in_the_bin_that_begins_with_them() {
        let mut evidence = Evidence::default();
        for (probability, came) in [(0.019, true), (0.02, false), (0.7, true), (0.89, false), (0.98, true), (1.0, true)]
        {
            evidence.add_probability(probability, came);
        }
        let told: Vec<_> = evidence.reliability.iter().map(|bin| (bin.forecasts, bin.came)).collect();
        assert_eq!(told, [(1, 0), (0, 0), (0, 0), (0, 0), (2, 1), (0, 0), (2, 2)]);
    }

    #[test]
    fn the_error_of_the_time_of_exhaustion_is_in_hours_and_a_line_ends_with_the_day() {
        let mut at_nine = moment(9, 90, 300, 0.9);
        at_nine.daycap.exhaustion_minutes = Some(300.0);
        // Crossed at 15:00. Daycap said 14:00; linear says 150 units at 15:00; without a line it is the day's end.
        let near = evidence(&[day(150, Some(900), vec![at_nine.clone()])]);
        assert_eq!(near.exhaustion, [vec![1.0], vec![0.0], vec![9.0]]);
        assert_eq!(near.exhaustion_near, near.exhaustion);
        let far = evidence(&[day(150, Some(901), vec![at_nine])]);
        assert!(far.exhaustion_near[0].is_empty() && far.exhaustion[0].len() == 1);
    }

    #[test]
    fn evidence_put_together_is_the_evidence_of_all_days() {
        let days = [
            day(150, Some(900), vec![moment(9, 90, 200, 0.75), moment(12, 120, 200, 0.8)]),
            day(250, None, vec![moment(9, 90, 260, 0.72), moment(12, 120, 200, 0.3)]),
            day(250, None, vec![moment(12, 120, 240, 0.03)]),
        ];
        let mut merged = evidence(&days[..1]);
        merged.merge(evidence(&days[1..]));
        assert_eq!(Score::of(&merged, None, None), Score::of(&evidence(&days), None, None));
    }
}

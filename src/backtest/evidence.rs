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

//! Figures become CSV: one figure a row, so that every measure has the same columns.
//! This file never computes a figure.

use crate::backtest::Backtest;
use crate::backtest::evidence::{Method, PROBABILITY_EDGES, Rule};
use crate::backtest::replay::CUTOFF_HOURS;
use crate::backtest::score::{Exhaustion, Score};
use crate::publish::report::csv_line;

/// `at` is an hour, a bin of probabilities or empty; `of` is what forecast or raised, or empty.
const HEADER: [&str; 5] = ["series", "measure", "at", "of", "value"];

type Figure = (&'static str, String, &'static str, Option<f64>);

pub fn csv(backtest: &Backtest) -> String {
    let each = backtest.series.iter().map(|one| (one.name.as_str(), &one.score));
    let all = each.chain([("(median)", &backtest.median), ("(pooled)", &backtest.pooled)]);
    let rows = all.flat_map(|(name, score)| {
        figures(score).into_iter().map(move |(measure, at, of, value)| {
            let value = value.map(|value| format!("{}", (value * 1e4).round() / 1e4)).unwrap_or_default();
            csv_line([name.to_owned(), measure.to_owned(), at, of.to_owned(), value].into_iter())
        })
    });
    csv_line(HEADER.map(str::to_owned).into_iter()) + &rows.collect::<String>()
}

fn figures(score: &Score) -> Vec<Figure> {
    let mut all = vec![
        ("days", String::new(), "", score.days),
        ("history_days", String::new(), "", score.history_days),
        ("limit", String::new(), "", score.limit),
        ("exceed_days", String::new(), "", score.exceed_days),
    ];
    for (hour, at) in CUTOFF_HOURS.iter().zip(&score.cutoffs) {
        let hour = hour.to_string();
        for (place, method) in Method::ALL.into_iter().enumerate() {
            all.push(("median_ape", hour.clone(), method.name(), at.median_ape[place]));
            all.push(("mean_ape", hour.clone(), method.name(), at.mean_ape[place]));
        }
        all.push(("coverage", hour, "daycap", at.coverage));
    }
    for (rule, figures) in Rule::ALL.into_iter().zip(&score.rules) {
        all.push(("recall", String::new(), rule.name(), figures.recall));
        all.push(("precision", String::new(), rule.name(), figures.precision));
        all.push(("false_alarm_days_per_100", String::new(), rule.name(), figures.false_alarm_days_per_100));
        all.push(("lead_hours_median", String::new(), rule.name(), figures.lead_hours_median));
    }
    for (edges, bin) in PROBABILITY_EDGES.windows(2).zip(&score.reliability) {
        let at = format!("{}-{}", edges[0], edges[1]);
        all.push(("probability_predicted", at.clone(), "daycap", bin.predicted));
        all.push(("probability_observed", at.clone(), "daycap", bin.observed));
        all.push(("probability_forecasts", at, "daycap", bin.forecasts));
    }
    exhaustion(&mut all, "", &score.exhaustion);
    exhaustion(&mut all, "within_6h", &score.exhaustion_near);
    all
}

fn exhaustion(all: &mut Vec<Figure>, at: &str, error: &Exhaustion) {
    for (method, hours) in Method::TIMED.into_iter().zip(error.hours) {
        all.push(("exhaustion_error_hours", at.to_owned(), method.name(), hours));
    }
    all.push(("exhaustion_forecasts", at.to_owned(), "daycap", error.forecasts));
}

//! Figures become JSON. The keys are a contract: new ones may come, none is renamed.
//! This file never computes a figure.

use serde_json::{Value, json};

use crate::backtest::Backtest;
use crate::backtest::evidence::{Method, PROBABILITY_EDGES, Rule};
use crate::backtest::replay::CUTOFF_HOURS;
use crate::backtest::score::{Alerting, AtHour, Exhaustion, Reliability, Score};

pub fn json(backtest: &Backtest) -> String {
    let series: Vec<Value> = backtest
        .series
        .iter()
        .map(|judged| {
            let mut value = score(&judged.score);
            value["name"] = json!(judged.name);
            value
        })
        .collect();
    let told = json!({ "series": series, "median": score(&backtest.median), "pooled": score(&backtest.pooled) });
    format!("{told:#}\n")
}

fn score(score: &Score) -> Value {
    let cutoffs: Vec<Value> = CUTOFF_HOURS.iter().zip(&score.cutoffs).map(|(hour, at)| cutoff(*hour, at)).collect();
    let mut alerts = by_name(Rule::ALL.map(Rule::name), score.rules.each_ref().map(alerting));
    alerts["limit"] = number(score.limit);
    alerts["exceed_days"] = number(score.exceed_days);
    let edges = PROBABILITY_EDGES.windows(2);
    let reliability: Vec<Value> = edges.zip(&score.reliability).map(|(edges, bin)| reliability(edges, bin)).collect();
    let mut exhaustion = exhaustion_error(&score.exhaustion);
    exhaustion["within_6h"] = exhaustion_error(&score.exhaustion_near);
    json!({
        "days": number(score.days),
        "history_days": number(score.history_days),
        "cutoffs": cutoffs,
        "alerts": alerts,
        "reliability": reliability,
        "exhaustion_error_hours": exhaustion,
    })
}

fn cutoff(hour: u32, at: &AtHour) -> Value {
    let of = |figures: &[Option<f64>; Method::ALL.len()]| by_name(Method::ALL.map(Method::name), figures.map(number));
    let (median, mean) = (of(&at.median_ape), of(&at.mean_ape));
    json!({ "hour": hour, "median_ape": median, "mean_ape": mean, "coverage": number(at.coverage) })
}

fn alerting(rule: &Alerting) -> Value {
    json!({
        "recall": number(rule.recall),
        "precision": number(rule.precision),
        "false_alarm_days_per_100": number(rule.false_alarm_days_per_100),
        "lead_hours_median": number(rule.lead_hours_median),
    })
}

fn reliability(edges: &[f64], bin: &Reliability) -> Value {
    json!({
        "from": edges[0],
        "to": edges[1],
        "predicted": number(bin.predicted),
        "observed": number(bin.observed),
        "n": number(bin.forecasts),
    })
}

fn exhaustion_error(error: &Exhaustion) -> Value {
    let mut told = by_name(Method::TIMED.map(Method::name), error.hours.map(number));
    told["n"] = number(error.forecasts);
    told
}

fn by_name<const N: usize>(names: [&str; N], values: [Value; N]) -> Value {
    names.into_iter().map(str::to_owned).zip(values).collect::<serde_json::Map<_, _>>().into()
}

/// Whole numbers as such, others to four places; what is undefined is null.
fn number(figure: Option<f64>) -> Value {
    match figure {
        Some(figure) if figure.fract() == 0.0 && figure.abs() < 1e15 => json!(figure as i64),
        Some(figure) => json!((figure * 1e4).round() / 1e4),
        None => Value::Null,
    }
}

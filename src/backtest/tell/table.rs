//! Figures become tables for people. Of many series, the tables speak of all; a line a series follows.
//! This file never computes a figure.

use super::{grid, percent, tenths, whole};
use crate::backtest::Backtest;
use crate::backtest::evidence::{Method, PROBABILITY_EDGES, Rule};
use crate::backtest::replay::CUTOFF_HOURS;
use crate::backtest::score::Score;
use crate::publish::text::printable;

/// Where nine, noon and eighteen are in [`CUTOFF_HOURS`].
const NINE: usize = 3;
const NOON: usize = 4;
const EVENING: usize = 6;

pub fn table(backtest: &Backtest) -> String {
    let mut parts = vec![heading(backtest)];
    match backtest.series.as_slice() {
        [one] => parts.push(errors("median day (mean day)", &one.score)),
        _ => {
            parts.push(errors("median over the series of each one's median day (mean day)", &backtest.median));
            parts.push(errors("median (mean) of all days of all series", &backtest.pooled));
        }
    }
    parts.push(alerts(backtest));
    parts.push(reliability(&backtest.pooled));
    parts.push(exhaustion(&backtest.pooled));
    if backtest.series.len() > 1 {
        parts.push(series(backtest));
    }
    parts.join("\n")
}

fn heading(backtest: &Backtest) -> String {
    let days = whole(backtest.pooled.days);
    match backtest.series.as_slice() {
        [one] => format!(
            "{}: {days} days forecast, from {} days of history; limit {}, passed on {} days\n",
            printable(&one.name),
            whole(one.score.history_days),
            whole(one.score.limit),
            whole(one.score.exceed_days)
        ),
        all => {
            let history = all.iter().filter_map(|one| one.score.history_days);
            let (least, most) = (history.clone().fold(f64::INFINITY, f64::min), history.fold(0.0, f64::max));
            let history = if least < most { format!("{least} to {most}") } else { format!("{most}") };
            let passed = whole(backtest.pooled.exceed_days);
            let count = all.len();
            format!(
                "{count} series: {days} days forecast, from {history} days of history; limit passed on {passed} days\n"
            )
        }
    }
}

fn errors(what: &str, score: &Score) -> String {
    let header: Vec<&str> =
        ["hour"].into_iter().chain(Method::ALL.map(Method::name)).chain(["within P10-P90"]).collect();
    let rows = CUTOFF_HOURS.iter().zip(&score.cutoffs).map(|(hour, at)| {
        let errors = at.median_ape.iter().zip(&at.mean_ape);
        let errors = errors.map(|(median, mean)| format!("{} ({})", percent(*median), percent(*mean)));
        [format!("{hour:02}:00")].into_iter().chain(errors).chain([percent(at.coverage)]).collect()
    });
    format!("Error of the day's total in %, {what}\n{}", grid(&header, rows, 1..header.len()))
}

fn alerts(backtest: &Backtest) -> String {
    let header = ["of", "rule", "recall %", "precision %", "false alarms in 100 days", "median lead h"];
    let scores = match backtest.series.as_slice() {
        [one] => vec![("the series", &one.score)],
        _ => vec![("all days", &backtest.pooled), ("median series", &backtest.median)],
    };
    let rows = scores.into_iter().flat_map(|(of, score)| {
        Rule::ALL.into_iter().zip(&score.rules).map(move |(rule, figures)| {
            vec![
                of.to_owned(),
                rule.name().to_owned(),
                percent(figures.recall),
                percent(figures.precision),
                tenths(figures.false_alarm_days_per_100),
                tenths(figures.lead_hours_median),
            ]
        })
    });
    format!("Alerts before the limit was passed, looked at each hour\n{}", grid(&header, rows, 2..header.len()))
}

fn reliability(score: &Score) -> String {
    let header = ["probability %", "said, mean %", "came true %", "forecasts"];
    let rows = PROBABILITY_EDGES.windows(2).zip(&score.reliability).map(|(edges, bin)| {
        let bounds = format!("{:.0} to {:.0}", edges[0] * 100.0, edges[1] * 100.0);
        vec![bounds, percent(bin.predicted), percent(bin.observed), whole(bin.forecasts)]
    });
    format!(
        "Probability to pass the limit, said each hour before it was passed\n{}",
        grid(&header, rows, 1..header.len())
    )
}

fn exhaustion(score: &Score) -> String {
    let header: Vec<&str> =
        ["crossing"].into_iter().chain(Method::TIMED.map(Method::name)).chain(["forecasts"]).collect();
    let rows = [("any", &score.exhaustion), ("within 6 h", &score.exhaustion_near)].map(|(of, error)| {
        let hours = error.hours.iter().map(|hours| hours.map_or("-".to_owned(), |hours| format!("{hours:.2}")));
        [of.to_owned()].into_iter().chain(hours).chain([whole(error.forecasts)]).collect()
    });
    format!(
        "Median error in hours of when the limit is reached, where daycap forecast that it is and it was\n{}",
        grid(&header, rows, 1..header.len())
    )
}

fn series(backtest: &Backtest) -> String {
    let header = [
        "series",
        "days",
        "history",
        "limit",
        "passed",
        "9 h",
        "noon",
        "18 h",
        "linear noon",
        "within P10-P90 noon",
        "recall %",
        "precision %",
        "false/100",
        "lead h",
    ];
    let rows = backtest.series.iter().map(|one| {
        let score = &one.score;
        let daycap = &score.rules[0];
        let error = |hour: usize, method: usize| percent(score.cutoffs[hour].median_ape[method]);
        vec![
            printable(&one.name),
            whole(score.days),
            whole(score.history_days),
            whole(score.limit),
            whole(score.exceed_days),
            error(NINE, 0),
            error(NOON, 0),
            error(EVENING, 0),
            error(NOON, 1),
            percent(score.cutoffs[NOON].coverage),
            percent(daycap.recall),
            percent(daycap.precision),
            tenths(daycap.false_alarm_days_per_100),
            tenths(daycap.lead_hours_median),
        ]
    });
    format!(
        "Each series: daycap's median error in % at three hours, and its alerts\n{}",
        grid(&header, rows, 1..header.len())
    )
}

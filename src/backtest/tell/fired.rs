//! What would have fired becomes text: JSON has every day, table and CSV have those on which something happened.
//! This file never decides what fires.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::grid;
use crate::backtest::fired::{Alerts, DayFired, Fired};
use crate::publish::report::csv_line;
use crate::publish::text::{printable, thousands};

pub fn fired_json(all: &[Alerts]) -> String {
    let day = |day: &DayFired| {
        let fired: Vec<Value> = day
            .fired
            .iter()
            .map(|fired| json!({ "at": stamp(fired.at), "level": fired.level, "status": status(fired) }))
            .collect();
        json!({ "day": day.day, "total": day.total, "exceeded_at": day.exceeded_at.map(stamp), "fired": fired })
    };
    let one = |alerts: &Alerts| {
        let days: Vec<Value> = alerts.days.iter().map(day).collect();
        json!({ "name": alerts.name, "zone": alerts.zone.name(), "limit": alerts.limit, "days": days })
    };
    format!("{:#}\n", json!({ "series": all.iter().map(one).collect::<Vec<Value>>() }))
}

pub fn fired_csv(all: &[Alerts]) -> String {
    let header = ["series", "day", "total", "limit", "exceeded_at", "at", "level", "status"];
    let rows = eventful(all).flat_map(|(alerts, day)| {
        let told = day.fired.iter().map(|fired| [stamp(fired.at), fired.level.clone(), status(fired).to_owned()]);
        let silence = day.fired.is_empty().then_some([const { String::new() }; 3]);
        told.chain(silence).map(|told| {
            let exceeded_at = day.exceeded_at.map(stamp).unwrap_or_default();
            let day = [alerts.name.clone(), day.day.to_string(), day.total.to_string(), alerts.limit.to_string()];
            csv_line(day.into_iter().chain([exceeded_at]).chain(told))
        })
    });
    csv_line(header.map(str::to_owned).into_iter()) + &rows.collect::<String>()
}

pub fn fired_table(all: &[Alerts]) -> String {
    let days: usize = all.iter().map(|alerts| alerts.days.len()).sum();
    let rows: Vec<Vec<String>> = eventful(all)
        .map(|(alerts, day)| {
            let zone = alerts.zone;
            let told: Vec<String> = day.fired.iter().map(|fired| said(fired, zone)).collect();
            vec![
                printable(&alerts.name),
                day.day.to_string(),
                thousands(day.total),
                thousands(alerts.limit),
                day.exceeded_at.map_or("-".to_owned(), |at| clock(at, zone)),
                told.join(", "),
            ]
        })
        .collect();
    let quiet = days - rows.len();
    let rest = format!(
        "nothing fired, and no limit was passed, on {} of {} days\n",
        thousands(quiet as u64),
        thousands(days as u64)
    );
    if rows.is_empty() {
        return rest;
    }
    grid(&["series", "day", "used", "limit", "passed at", "what would have been said"], rows, 2..5) + &rest
}

/// The days on which something was said, or should have been.
fn eventful(all: &[Alerts]) -> impl Iterator<Item = (&Alerts, &DayFired)> {
    let of = |alerts| std::iter::repeat(alerts);
    let days = all.iter().flat_map(move |alerts: &Alerts| of(alerts).zip(&alerts.days));
    days.filter(|(_, day)| !day.fired.is_empty() || day.exceeded_at.is_some())
}

fn said(fired: &Fired, zone: Tz) -> String {
    let over = if fired.is_over { " is over" } else { "" };
    format!("{} {}{over}", clock(fired.at, zone), fired.level)
}

fn status(fired: &Fired) -> &'static str {
    if fired.is_over { "resolved" } else { "firing" }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn clock(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M").to_string()
}

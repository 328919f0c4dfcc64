//! `[[quota]]` becomes a [`Quota`], and one more for each service's budget in it. This file never knows how a quota is
//! counted.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use serde::Deserialize;

use super::{preset, zone};
use crate::day::{Calendar, parse_clock};
use crate::quota::{Column, CostRule, Costs, Match, Pattern, Quota, Window, WindowKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuota {
    pub name: String,
    pub preset: Option<String>,
    pub limit: Option<i64>,
    pub window: Option<String>,
    pub tz: Option<String>,
    pub reset: Option<String>,
    pub reset_day: Option<i64>,
    #[serde(default, rename = "match")]
    matching: toml::Table,
    #[serde(default)]
    costs: Vec<RawCost>,
    #[serde(default)]
    budgets: BTreeMap<String, i64>,
    pub burst: Option<String>,
    #[serde(default)]
    pub(super) alert: super::alert::RawAlert,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCost {
    #[serde(default, rename = "match")]
    matching: toml::Table,
    units: i64,
}

/// The quota, then its budgets.
pub(super) fn settle(raw: RawQuota) -> Result<Vec<Quota>, String> {
    let name = raw.name.clone();
    let within = |error: String| format!("quota {name:?}: {error}");
    let raw = preset::complete(raw).map_err(within)?;
    let missing = "limit is missing; write limit = 40000, or choose a preset";
    let limit = limit("limit", raw.limit.ok_or_else(|| within(missing.to_owned()))?).map_err(within)?;
    let quota = Quota {
        name: raw.name.clone(),
        limit,
        window: settle_window(&raw).map_err(within)?,
        matching: settle_match("match", &raw.matching).map_err(within)?,
        costs: settle_costs(&raw.costs).map_err(within)?,
        burst: raw.burst.as_deref().map(str::parse).transpose().map_err(within)?,
        within: None,
    };
    let budgets = raw.budgets.iter().map(|(service, limit)| budget(&quota, service, *limit).map_err(within));
    let budgets: Vec<Quota> = budgets.collect::<Result<_, _>>()?;
    Ok(std::iter::once(quota).chain(budgets).collect())
}

fn limit(key: &str, units: i64) -> Result<NonZeroU64, String> {
    let limit = u64::try_from(units).ok().and_then(NonZeroU64::new);
    limit.ok_or_else(|| format!("{key} is {units}; it must be at least 1"))
}

/// What one service may use of the quota. Budgets are ceilings and no reservations: together they may be more than the
/// quota, but one alone that is could never be reached.
fn budget(quota: &Quota, service: &str, units: i64) -> Result<Quota, String> {
    let key = format!("budgets.{service}");
    let limit = limit(&key, units)?;
    if limit > quota.limit {
        return Err(format!("{key} is {units}; it must be at most the quota's limit, {}", quota.limit));
    }
    let mut services = quota.matching.0.iter().filter(|(column, _)| *column == Column::Service);
    if !services.all(|(column, pattern)| pattern.accepts(*column, service)) {
        return Err(format!("{key}: the quota's match leaves this service out; add it there, or remove its budget"));
    }
    let mut matching = quota.matching.clone();
    matching.0.push((Column::Service, service.into()));
    Ok(Quota {
        name: format!("{}/{service}", quota.name),
        limit,
        matching,
        burst: None,
        within: Some(quota.name.clone()),
        ..quota.clone()
    })
}

fn settle_window(raw: &RawQuota) -> Result<Window, String> {
    let zone = zone(raw.tz.as_deref())?;
    let name = raw.window.as_deref().unwrap_or("day");
    let first_day = first_day(raw.reset_day)?;
    let reset_minutes = raw.reset.as_deref().map(reset_minutes).transpose()?;
    let kind = match name {
        "day" => WindowKind::Day,
        "month" => WindowKind::Month { first_day: first_day.unwrap_or(1) },
        "hour" => WindowKind::Hour,
        "rolling-24h" => WindowKind::Rolling,
        "first-call-24h" => WindowKind::FirstCall,
        "any-day" => WindowKind::AnyDay,
        other => return Err(format!("window is {other:?}; the windows are {}", quoted(&WindowKind::NAMES))),
    };
    let [is_day, is_month] = [kind == WindowKind::Day, name == "month"];
    if let Some(reset) = raw.reset.as_ref().filter(|_| !is_day && !is_month) {
        return Err(format!("reset is {reset:?}; only a day and a month have a time of reset; remove it"));
    }
    if let Some(day) = first_day.filter(|_| !is_month) {
        return Err(format!(
            "reset_day is {day}; only a month has a day of reset; remove it, or write window = \"month\""
        ));
    }
    Ok(Window { kind, calendar: Calendar::new(zone, reset_minutes.unwrap_or(0)) })
}

fn reset_minutes(text: &str) -> Result<u32, String> {
    parse_clock(text).ok_or_else(|| format!("reset is {text:?}; write a time of the day as \"03:00\""))
}

fn first_day(day: Option<i64>) -> Result<Option<u32>, String> {
    let Some(day) = day else { return Ok(None) };
    let first_day = u32::try_from(day).ok().filter(|day| (1..=31).contains(day));
    first_day.map(Some).ok_or_else(|| format!("reset_day is {day}; it is a day of the month, 1 to 31"))
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    quoted.join(", ")
}

fn settle_costs(raw: &[RawCost]) -> Result<Costs, String> {
    let rule = |(number, raw): (usize, &RawCost)| {
        let key = format!("costs, rule {number}");
        let units = u64::try_from(raw.units);
        let units = units.map_err(|_| format!("{key}: units is {}; it must be at least 0", raw.units))?;
        Ok(CostRule { matching: settle_match(&format!("{key}: match"), &raw.matching)?, units })
    };
    let rules: Vec<CostRule> = (1..).zip(raw).map(rule).collect::<Result<_, String>>()?;
    match rules.iter().position(|rule| rule.matching.0.is_empty()) {
        Some(all) if all + 1 < rules.len() => Err(format!(
            "costs, rule {}: it matches every request, so that no later rule is asked; put it last",
            all + 1
        )),
        _ => Ok(Costs(rules)),
    }
}

fn settle_match(key: &str, table: &toml::Table) -> Result<Match, String> {
    let pair = |(column, value): (&String, &toml::Value)| -> Result<(Column, Pattern), String> {
        let wrong = || format!("{key}: {column} is {value}; write a text, a whole number or a list of them");
        let of = column.parse().map_err(|error| format!("{key}: {error}"))?;
        let texts: Option<Vec<String>> = match value {
            toml::Value::Array(values) => values.iter().map(text).collect(),
            one => text(one).map(|text| vec![text]),
        };
        match texts {
            Some(texts) if !texts.is_empty() => Ok((of, Pattern(texts))),
            _ => Err(wrong()),
        }
    };
    table.iter().map(pair).collect::<Result<_, _>>().map(Match)
}

fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::expect;

    use super::*;
    use crate::config::{Surroundings, parse};

    fn quotas(lines: &str) -> Result<Vec<Quota>, String> {
        let text = format!("[[quota]]\nname = \"prod\"\nlimit = 40000\n{lines}\n");
        parse(&text, Path::new("daycap.toml"), &Surroundings::default()).map(|config| config.quotas)
    }

    #[test]
    fn a_window_is_a_name_with_a_zone_and_its_reset() {
        let window = |lines: &str| quotas(lines).expect("a good configuration")[0].window;
        let berlin = "tz = \"Europe/Berlin\"";
        let calendar = |reset| Calendar::new(chrono_tz::Tz::Europe__Berlin, reset);
        assert_eq!(window(berlin), Window { kind: WindowKind::Day, calendar: calendar(0) });
        assert_eq!(window(&format!("{berlin}\nreset = \"03:30\"")).calendar, calendar(210));
        let month = window(&format!("{berlin}\nwindow = \"month\"\nreset_day = 15\nreset = \"03:00\""));
        assert_eq!(month, Window { kind: WindowKind::Month { first_day: 15 }, calendar: calendar(180) });
        for name in WindowKind::NAMES {
            assert_eq!(window(&format!("window = {name:?}")).kind.name(), name);
        }
    }

    #[test]
    fn what_a_quota_cannot_mean_is_refused_with_the_remedy() {
        let errors = [
            "window = \"week\"",
            "reset = \"3:00\"",
            "reset = \"24:00\"",
            "window = \"hour\"\nreset = \"03:00\"",
            "reset_day = 15",
            "window = \"month\"\nreset_day = 32",
            "match = { service = 1.5 }",
            "match = { service = [] }",
            "costs = [{ units = -1 }]",
            "costs = [{ match = { sttaus = 429 }, units = 0 }]",
            "costs = [{ units = 1 }, { match = { status = 429 }, units = 0 }]",
            "costs = [{ match = {} }]",
            "costs = [{ matsch = {}, units = 1 }]",
            "budgets = { sync = 0 }",
            "budgets = { sync = 40001 }",
            "budgets = { sync = 1 }\nmatch = { service = [\"crm\", \"geo*\"] }",
            "burst = \"10 a second\"",
            "[[quota]]\nname = \"prod/sync\"\nlimit = 1\n[[quota]]\nname = \"other\"\nlimit = 1\n[[quota]]\nname = \"prod/sync\"\nlimit = 1",
        ]
        .map(|lines| quotas(lines).expect_err(lines));
        expect![[r#"
            daycap.toml: quota "prod": window is "week"; the windows are "day", "month", "hour", "rolling-24h", "first-call-24h", "any-day"
            daycap.toml: quota "prod": reset is "3:00"; write a time of the day as "03:00"
            daycap.toml: quota "prod": reset is "24:00"; write a time of the day as "03:00"
            daycap.toml: quota "prod": reset is "03:00"; only a day and a month have a time of reset; remove it
            daycap.toml: quota "prod": reset_day is 15; only a month has a day of reset; remove it, or write window = "month"
            daycap.toml: quota "prod": reset_day is 32; it is a day of the month, 1 to 31
            daycap.toml: quota "prod": match: service is 1.5; write a text, a whole number or a list of them
            daycap.toml: quota "prod": match: service is []; write a text, a whole number or a list of them
            daycap.toml: quota "prod": costs, rule 1: units is -1; it must be at least 0
            daycap.toml: quota "prod": costs, rule 1: match: "sttaus" is not a column; the columns are host, service, key, api, method, operation, status
            daycap.toml: quota "prod": costs, rule 1: it matches every request, so that no later rule is asked; put it last
            daycap.toml:4: missing field `units`
            daycap.toml:4: unknown key "matsch"; did you mean "match"?
            daycap.toml: quota "prod": budgets.sync is 0; it must be at least 1
            daycap.toml: quota "prod": budgets.sync is 40001; it must be at most the quota's limit, 40000
            daycap.toml: quota "prod": budgets.sync: the quota's match leaves this service out; add it there, or remove its budget
            daycap.toml: quota "prod": burst is "10 a second"; write requests a second or a minute, as "10/s" or "300/m"
            daycap.toml: two [[quota]] are named "prod/sync"; give each a name of its own"#]].assert_eq(&errors.join("\n"));
    }

    #[test]
    fn a_budget_is_a_quota_of_a_service_within_its_quota() {
        let lines = "match = { key = \"prod\" }\nbudgets = { sync = 30000, crm = 20000 }\nburst = \"10/s\"\nwindow = \"any-day\"\ncosts = [{ units = 2 }]";
        let quotas = quotas(lines).expect("a good configuration");
        let told: Vec<_> = quotas.iter().map(|of| (of.name.as_str(), of.limit.get(), of.within.as_deref())).collect();
        let within = Some("prod");
        assert_eq!(told, [("prod", 40_000, None), ("prod/crm", 20_000, within), ("prod/sync", 30_000, within)]);
        let expected = Match(vec![(Column::Key, "prod".into()), (Column::Service, "sync".into())]);
        assert_eq!(
            (&quotas[2].matching, quotas[2].window, &quotas[2].costs),
            (&expected, quotas[0].window, &quotas[0].costs)
        );
        assert_eq!(quotas.iter().map(|of| of.burst.is_some()).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn two_quotas_of_one_name_are_refused_though_one_is_a_budget() {
        let error = quotas("budgets = { sync = 1 }\n[[quota]]\nname = \"prod/sync\"\nlimit = 1").expect_err("twice");
        assert!(error.contains("two [[quota]] are named \"prod/sync\""), "{error}");
    }

    #[test]
    fn costs_are_rules_in_order_and_labels_may_be_one_of_several() {
        let lines = "costs = [{ match = { operation = \"search*\" }, units = 100 }, { match = { status = [429, \"5xx\"] }, units = 0 }, { units = 2 }]";
        let costs = &quotas(lines).expect("a good configuration")[0].costs;
        let units = |operation: &'static str, status: &'static str| {
            costs.cost(|column| if column == Column::Status { status.into() } else { operation.into() }).units(1, 7)
        };
        assert_eq!(
            [units("searchJobs", "429"), units("list", "429"), units("list", "503"), units("list", "200")],
            [100, 0, 0, 2]
        );
    }
}

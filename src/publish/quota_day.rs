//! How a day went for one quota: the window that was fullest on it becomes a part of the day's summary, with how the
//! forecasts fared. This file never reads the ledger; it is handed what was counted.

use std::ops::Range;

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::summary::{cell, line};
use super::text::thousands;
use crate::count::ledger::Completeness;
use crate::count::query::Incomplete;
use crate::count::rolling::{each_rolling, fullest_rolling};
use crate::count::tally::Minutes;
use crate::day::{Calendar, Day, Minute};
use crate::forecast::{PastDay, Running, bins, forecast};
use crate::quota::{Quota, ROLLING_MINUTES, Window, WindowKind, rolling};

/// One quota's day, by the quota's own zone and requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuotaDay {
    pub name: String,
    pub window: WindowKind,
    pub zone: String,
    pub limit: u64,
    /// In the window that was fullest on this day.
    pub used: u64,
    /// Of the limit, rounded down.
    pub percent: u64,
    /// That window; of a month, only as far as the day's end.
    pub window_start: DateTime<Utc>,
    pub window_end: DateTime<Utc>,
    /// More than the limit was used.
    pub exceeded: bool,
    /// The minute in which the limit was passed.
    pub exceeded_at: Option<DateTime<Utc>>,
    /// Of windows that are days.
    pub forecasts_at: Vec<Fared>,
    /// Of the window.
    pub completeness: Completeness,
}

/// What was forecast at one hour of the day, and how far it was off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fared {
    /// Of the quota's wall clock.
    pub hour: u32,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    /// P50 against the total, rounded; `None` for a day without traffic.
    pub error_percent: Option<i64>,
}

/// Hours of the wall clock at which the forecast is judged afterwards.
const JUDGED_HOURS: [u32; 4] = [9, 12, 15, 18];

/// How this day went for a quota. `units` are those of the quota's requests, as far back as its windows reach;
/// `history` the days before it.
pub fn quota_day(quota: &Quota, day: Day, units: &Minutes, incomplete: &Incomplete, history: &[PastDay]) -> QuotaDay {
    let calendar = quota.window.calendar;
    let of_day = calendar.span(day);
    let span = fullest(quota.window, units, &of_day);
    let (used, limit) = (units_of(units, &span), quota.limit.get());
    let mut completeness = Completeness::Exact;
    completeness.add(incomplete.values().flat_map(|day| day.within(&span).reasons().to_vec()));
    let is_day = quota.window.kind == WindowKind::Day;
    QuotaDay {
        name: quota.name.clone(),
        window: quota.window.kind,
        zone: calendar.zone().name().to_owned(),
        limit,
        used,
        percent: u64::try_from(u128::from(used) * 100 / u128::from(limit.max(1))).unwrap_or(u64::MAX),
        window_start: span.start.start(),
        window_end: span.end.start(),
        exceeded: used > limit,
        exceeded_at: exceeded_at(quota.window.kind, units, &of_day, &span, limit).map(Minute::start),
        forecasts_at: if is_day { how_it_fared(history, units, day, calendar, limit) } else { Vec::new() },
        completeness,
    }
}

/// Of the windows that this day touches, the one that used most in it; of equal ones the first.
fn fullest(window: Window, units: &Minutes, day: &Range<Minute>) -> Range<Minute> {
    if day.is_empty() {
        return day.clone();
    }
    let last = Minute(day.end.0 - 1);
    let fullest = match window.kind {
        WindowKind::Day => None,
        WindowKind::Month { .. } => Some(window.span_at(last, None).start..day.end),
        WindowKind::Rolling | WindowKind::AnyDay => Some(rolling(fullest_rolling(units, day.clone()).0)),
        WindowKind::Hour => {
            let next = |hour: &Range<Minute>| Some(window.span_at(hour.end, None));
            let hours = std::iter::successors(Some(window.span_at(day.start, None)), next);
            fuller(units, hours.take_while(|hour| hour.start < day.end))
        }
        WindowKind::FirstCall => {
            let windows = called(units).take_while(|window| window.start < day.end);
            fuller(units, windows.filter(|window| window.end > day.start))
        }
    };
    fullest.unwrap_or_else(|| day.clone())
}

/// The windows that calls begin, from the first there ever was.
fn called(units: &Minutes) -> impl Iterator<Item = Range<Minute>> {
    let from = |minute: Minute| {
        let (call, _) = units.range(minute..).next()?;
        Some(*call..Minute(call.0.saturating_add(ROLLING_MINUTES)))
    };
    std::iter::successors(from(Minute(0)), move |window| from(window.end))
}

fn fuller(units: &Minutes, windows: impl Iterator<Item = Range<Minute>>) -> Option<Range<Minute>> {
    let used = windows.map(|window| (units_of(units, &window), window));
    used.reduce(|most, other| if other.0 > most.0 { other } else { most }).map(|(_, window)| window)
}

fn units_of(minutes: &Minutes, span: &Range<Minute>) -> u64 {
    minutes.range(span.clone()).fold(0, |sum, (_, units)| sum.saturating_add(*units))
}

/// The minute in which the limit was passed; of rolling windows, for the first time on that day.
fn exceeded_at(
    kind: WindowKind,
    units: &Minutes,
    day: &Range<Minute>,
    span: &Range<Minute>,
    limit: u64,
) -> Option<Minute> {
    if kind.is_rolling() {
        let mut first = None;
        each_rolling(units, day.clone(), |end, used| first = first.or((used > limit).then_some(end)));
        return first;
    }
    let mut used = 0_u64;
    let passed = units.range(span.clone()).find(|(_, units)| {
        used = used.saturating_add(**units);
        used > limit
    });
    passed.map(|(minute, _)| *minute)
}

/// The day's forecasts made again, each only from the days before it and the minutes before its hour.
fn how_it_fared(history: &[PastDay], minutes: &Minutes, day: Day, calendar: Calendar, limit: u64) -> Vec<Fared> {
    let span = calendar.span(day);
    let total = units_of(minutes, &span);
    let judge = |hour| {
        let now = wall_clock(day, hour, calendar)?;
        let known: Minutes = minutes
            .range(span.start..Minute::at(now).clamp(span.start, span.end))
            .map(|(at, units)| (*at, *units))
            .collect();
        let today = bins::today(&known, calendar, now, &Incomplete::new());
        let used = today.bins.iter().copied().fold(0, u64::saturating_add);
        let left_minutes = today.day_minutes - today.elapsed_minutes;
        let forecast = forecast(history, &today, &Running { limit, used, left_minutes, leaving: Vec::new() });
        let error_percent = error_percent(forecast.p50, total);
        Some(Fared { hour, p10: forecast.p10, p50: forecast.p50, p90: forecast.p90, error_percent })
    };
    JUDGED_HOURS.into_iter().filter_map(judge).collect()
}

/// When the clock shows this hour on the calendar's day; `None` where it never does.
fn wall_clock(day: Day, hour: u32, calendar: Calendar) -> Option<DateTime<Utc>> {
    let at = |day: Day| {
        let local = day.0.and_hms_opt(hour, 0, 0)?;
        calendar.zone().from_local_datetime(&local).earliest().map(|instant| instant.with_timezone(&Utc))
    };
    let span = calendar.span(day);
    [at(day), at(day.next())].into_iter().flatten().find(|instant| span.contains(&Minute::at(*instant)))
}

fn error_percent(forecast: u64, total: u64) -> Option<i64> {
    let (forecast, total) = (i128::from(forecast), i128::from(total));
    let half = if forecast < total { -total / 2 } else { total / 2 };
    let rounded = ((forecast - total) * 100 + half).checked_div(total)?;
    Some(i64::try_from(rounded).unwrap_or(i64::MAX))
}

pub(super) fn markdown(quota: &QuotaDay) -> String {
    let (used, limit) = (thousands(quota.used), thousands(quota.limit));
    let at_least = if quota.completeness.is_exact() { "" } else { "at least " };
    let mut text = format!("## Quota {}: {at_least}{used} of {limit} ({}%)\n\n", cell(&quota.name), quota.percent);
    let zone = quota.zone.parse().unwrap_or(Tz::UTC);
    let local = |instant: DateTime<Utc>| instant.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    let verdict = quota.exceeded_at.map_or_else(
        || "The limit was kept.".to_owned(),
        |at| format!("**The limit was passed at {}.**", passed_at(quota, at, zone)),
    );
    let (start, end) = (local(quota.window_start), local(quota.window_end));
    let which = which(quota.window);
    line(&mut text, format_args!("{which} {start} to {end}, {}. {verdict}\n", quota.zone));
    text + &forecasts_table(&quota.forecasts_at)
}

/// What the line calls the window that it tells of.
fn which(window: WindowKind) -> &'static str {
    match window {
        WindowKind::Day => "Window",
        WindowKind::Month { .. } => "The month so far,",
        WindowKind::Hour => "The fullest hour,",
        WindowKind::Rolling | WindowKind::AnyDay => "The fullest 24 hours to end on this day,",
        WindowKind::FirstCall => "The fullest 24 hours from a call on,",
    }
}

/// The clock alone, where the window is the day.
fn passed_at(quota: &QuotaDay, at: DateTime<Utc>, zone: Tz) -> String {
    let format = if quota.window == WindowKind::Day { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.with_timezone(&zone).format(format).to_string()
}

fn forecasts_table(forecasts: &[Fared]) -> String {
    let mut text = String::new();
    if !forecasts.is_empty() {
        text += "| forecast at | P10 | P50 | P90 | P50 off by |\n|---|--:|--:|--:|--:|\n";
    }
    for Fared { hour, p10, p50, p90, error_percent } in forecasts {
        let off = match error_percent {
            None => "-".to_owned(),
            Some(0) => "0%".to_owned(),
            Some(percent) => format!("{percent:+}%"),
        };
        let [p10, p50, p90] = [p10, p50, p90].map(|count| thousands(*count));
        line(&mut text, format_args!("| {hour:02}:00 | {p10} | {p50} | {p90} | {off} |"));
    }
    text + if forecasts.is_empty() { "" } else { "\n" }
}

#[cfg(test)]
pub(super) mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::quota::{Costs, Match};

    const BERLIN: Tz = Tz::Europe__Berlin;

    pub(in crate::publish) fn quota(name: &str, limit: u64, kind: WindowKind, calendar: Calendar) -> Quota {
        Quota {
            name: name.to_owned(),
            limit: NonZeroU64::new(limit).expect("a limit"),
            window: Window { kind, calendar },
            matching: Match::default(),
            costs: Costs::default(),
            burst: None,
            within: None,
        }
    }

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    /// Ten units a minute from 8:00 to 18:00 on each of these days.
    fn office(from: &str, to: &str) -> Minutes {
        use chrono::Timelike;
        let span = day(from).span(BERLIN).start.0..day(to).span(BERLIN).end.0;
        span.map(Minute)
            .filter(|minute| (8..18).contains(&minute.local(BERLIN).hour()))
            .map(|minute| (minute, 10))
            .collect()
    }

    /// The fullest window of the 20th, a Friday, in Berlin: its units, span, and when the limit was passed.
    fn told(kind: WindowKind, limit: u64, minutes: &Minutes) -> String {
        let quota = quota("prod", limit, kind, BERLIN.into());
        let of = quota_day(&quota, day("2026-11-20"), minutes, &Incomplete::new(), &[]);
        let local = |at: DateTime<Utc>| at.with_timezone(&BERLIN).format("%d %H:%M").to_string();
        let passed = of.exceeded_at.map_or("never".to_owned(), local);
        format!("{} from {} to {}, {passed}", of.used, local(of.window_start), local(of.window_end))
    }

    #[test]
    fn the_fullest_window_of_each_kind_is_told() {
        let mut minutes = office("2026-11-01", "2026-11-20");
        minutes.insert(Minute(day("2026-11-20").span(BERLIN).start.0 + 12 * 60), 110);
        let month = WindowKind::Month { first_day: 15 };
        assert_eq!(told(WindowKind::Day, 6_050, &minutes), "6100 from 20 00:00 to 21 00:00, 20 17:55");
        assert_eq!(told(month, 29_990, &minutes), "36100 from 15 00:00 to 21 00:00, 19 17:59");
        assert_eq!(told(WindowKind::Hour, 700, &minutes), "700 from 20 12:00 to 20 13:00, never");
        assert_eq!(told(WindowKind::Rolling, 6_050, &minutes), "6100 from 20 00:00 to 21 00:00, 20 12:00");
        assert_eq!(told(WindowKind::FirstCall, 6_000, &minutes), "6100 from 20 08:00 to 21 08:00, 20 17:50");
        assert_eq!(told(WindowKind::AnyDay, 6_100, &Minutes::new()), "0 from 20 00:00 to 21 00:00, never");
    }

    #[test]
    fn a_replayed_forecast_knows_nothing_of_the_hours_after_it() {
        let minutes = office("2026-11-02", "2026-11-20");
        let today = day("2026-11-20");
        let history = bins::past_days(&minutes, BERLIN.into(), today, 28, &Incomplete::new());
        let mut other = minutes.clone();
        other.insert(Minute::at("2026-11-20T11:00:00Z".parse().expect("noon in Berlin")), 9_999);
        let (as_it_was, as_it_became) = (
            how_it_fared(&history, &minutes, today, BERLIN.into(), 5_000),
            how_it_fared(&history, &other, today, BERLIN.into(), 5_000),
        );
        let bands = |fared: &[Fared]| fared.iter().map(|at| (at.hour, at.p10, at.p50, at.p90)).collect::<Vec<_>>();
        assert_eq!(bands(&as_it_was)[..2], bands(&as_it_became)[..2]);
        assert_ne!(bands(&as_it_was)[2..], bands(&as_it_became)[2..]);
    }

    #[test]
    fn hours_are_the_wall_clocks_on_a_day_of_25_hours() {
        let noon = wall_clock(day("2026-10-25"), 12, BERLIN.into()).expect("there is a noon");
        assert_eq!(bins::today(&Minutes::new(), BERLIN.into(), noon, &Incomplete::new()).elapsed_minutes, 13.0 * 60.0);
    }

    #[test]
    fn errors_are_rounded_and_absent_without_traffic() {
        let errors = [(1_049, 1_000), (1_005, 1_000), (995, 1_000), (0, 1_000), (3, 0)];
        assert_eq!(
            errors.map(|(forecast, total)| error_percent(forecast, total)),
            [Some(5), Some(1), Some(-1), Some(-100), None]
        );
    }
}

//! What one quota has used: units a minute over the forecast's history, and from them its status now.
//! This file never reads the ledger; the counts are given to it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};

use crate::collect::Source;
use crate::collect::request::Series;
use crate::count::ledger::Completeness;
use crate::count::query::Incomplete;
use crate::count::tally::Minutes;
use crate::day::{DAY_MINUTES, Day, Minute};
use crate::forecast::{self, HISTORY_DAYS, PastDay, Running, bins};
use crate::publish::alert::{self, Level};
use crate::publish::snapshot::{Contributor, Pace, QuotaStatus};
use crate::quota::{Column, Quota};

/// Minutes held a quota: the history, the window, and some that logs stamped ahead. Which are the oldest is told by
/// their number and not by the clock, so that one which runs ahead for a while makes nothing forgotten.
const MINUTES_MAX: usize = (HISTORY_DAYS as usize + 3) * DAY_MINUTES as usize;
/// How many operations a status names.
const TOP: usize = 10;

/// Units of a window by (service, operation).
type Top = BTreeMap<(String, String), u64>;

pub struct Usage {
    quota: Quota,
    minutes: Minutes,
    /// Of the running window.
    top: Top,
    window: Range<Minute>,
    /// The window that ran before, and its busiest: a clock may go back into it.
    before: Option<(Range<Minute>, Top)>,
    /// Past days as the forecast wants them, for the day they were made.
    past: Option<(Day, Vec<PastDay>)>,
    levels: Vec<Level>,
}

/// The minutes that forecasts of `now`'s window look at, the running window included.
pub fn history_span(quota: &Quota, now: Minute) -> Range<Minute> {
    let window = quota.window.span_at(now);
    // One day more than the history: the zone's days do not begin with UTC's.
    Minute(window.start.0.saturating_sub((HISTORY_DAYS + 1) * DAY_MINUTES))..window.end
}

impl Usage {
    /// `minutes` covers [`history_span`], `top` the running window.
    pub fn new(quota: Quota, minutes: Minutes, top: Top, now: Minute) -> Usage {
        let window = quota.window.span_at(now);
        Usage { quota, minutes, top, window, before: None, past: None, levels: Vec::new() }
    }

    /// Add what was counted just now. Rows of other quotas' requests are passed over.
    pub fn add(&mut self, rows: &[(Minute, &Series, u64, u64)], host: &str, now: Minute) {
        self.roll(now);
        for (minute, series, _, units) in rows {
            if !self.quota.matching.accepts(|column| label(series, host, column)) {
                continue;
            }
            let minute_units = self.minutes.entry(*minute).or_default();
            *minute_units = minute_units.saturating_add(*units);
            if self.window.contains(minute) {
                *self.top.entry((series.service.to_string(), series.operation.to_string())).or_default() += units;
            } else if *minute < self.window.start {
                self.past = None;
            }
        }
        while self.minutes.len() > MINUTES_MAX {
            self.minutes.pop_first();
        }
    }

    /// A past day is not what it was thought to be.
    pub fn rethink(&mut self) {
        self.past = None;
    }

    /// Enter the window that holds `now`.
    fn roll(&mut self, now: Minute) {
        if !self.window.contains(&now) {
            let window = self.quota.window.span_at(now);
            let left = std::mem::replace(&mut self.window, window);
            let returned = self.before.take().filter(|(before, _)| *before == self.window);
            let top = std::mem::replace(&mut self.top, returned.map(|(_, top)| top).unwrap_or_default());
            self.before = Some((left, top));
        }
    }

    /// The quota's status at `now`; the alert levels that hold are remembered for their hysteresis.
    pub fn status(&mut self, now: DateTime<Utc>, incomplete: &Incomplete) -> QuotaStatus {
        self.roll(Minute::at(now));
        let used = self.minutes.range(self.window.clone()).map(|(_, units)| units).sum();
        let forecast = self.forecast(now, used, incomplete);
        let limit = self.quota.limit.get();
        let window_start = self.window.start.start();
        let exhausted_at = forecast.exhaustion_minutes.map(|minutes| now + minutes_delta(minutes));
        let mut status = QuotaStatus {
            name: self.quota.name.clone(),
            window: self.quota.window.name(),
            limit,
            used,
            remaining: limit.saturating_sub(used),
            zone: self.quota.window.zone().name().to_owned(),
            window_start,
            resets_at: self.window.end.start(),
            forecast,
            exhausted_at,
            alerts: Vec::new(),
            completeness: self.completeness(incomplete),
            stale_sources: Vec::new(),
            top: self.busiest(),
            pace: Pace::default(),
        };
        status.alerts = alert::levels(&status, &self.levels, now);
        self.levels.clone_from(&status.alerts);
        status
    }

    fn forecast(&mut self, now: DateTime<Utc>, used: u64, incomplete: &Incomplete) -> forecast::Forecast {
        let zone = self.quota.window.zone();
        let today = Day::of(Minute::at(now), zone);
        if self.past.as_ref().is_none_or(|(day, _)| *day != today) {
            let holes: BTreeSet<Day> = incomplete.keys().copied().collect();
            // Minutes from before the history would have its first days taken for days of zero.
            let known = self.minutes.range(history_span(&self.quota, Minute::at(now)));
            let known: Minutes = known.map(|(minute, units)| (*minute, *units)).collect();
            self.past = Some((today, bins::past_days(&known, zone, today, HISTORY_DAYS, &holes)));
        }
        let history = self.past.as_ref().map_or(&[][..], |(_, days)| days);
        let today = bins::today(&self.minutes, zone, now);
        let left_minutes = today.day_minutes - today.elapsed_minutes;
        let running = Running { limit: self.quota.limit.get(), used, left_minutes, leaving: Vec::new() };
        forecast::forecast(history, &today, &running)
    }

    fn completeness(&self, incomplete: &Incomplete) -> Completeness {
        let days = self.window.start.utc_day()..=Minute(self.window.end.0.saturating_sub(1)).utc_day();
        let mut completeness = Completeness::Exact;
        for (_, day) in incomplete.range(days) {
            completeness.add(day.within(&self.window).reasons().iter().cloned());
        }
        completeness
    }

    /// Whether this source may hold requests of this quota: nothing that its configuration says speaks against it.
    pub fn may_be_fed_by(&self, source: &Source, host: &str) -> bool {
        let says = |column| match column {
            Column::Host => Some(host),
            Column::Service => source.reading.service.as_deref(),
            Column::Key => source.reading.key.as_deref(),
            Column::Api => source.reading.api.as_deref(),
            Column::Method | Column::Operation | Column::Status => None,
        };
        self.quota.matching.0.iter().all(|(column, value)| says(*column).is_none_or(|said| said == value))
    }

    fn busiest(&self) -> Vec<Contributor> {
        let mut all: Vec<_> = self.top.iter().collect();
        all.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        all.truncate(TOP);
        let contributor = |((service, operation), units): (&(String, String), &u64)| Contributor {
            service: service.clone(),
            operation: operation.clone(),
            units: *units,
            usual: None,
        };
        all.into_iter().map(contributor).collect()
    }
}

fn minutes_delta(minutes: f64) -> TimeDelta {
    // A window has at most 25 hours, so its seconds fit.
    TimeDelta::seconds((minutes * 60.0).clamp(0.0, 1e9) as i64)
}

/// A series' label in this column, as text.
pub fn label<'a>(series: &'a Series, host: &'a str, column: Column) -> std::borrow::Cow<'a, str> {
    match column {
        Column::Host => host.into(),
        Column::Service => (&*series.service).into(),
        Column::Key => (&*series.key).into(),
        Column::Api => (&*series.api).into(),
        Column::Method => (&*series.method).into(),
        Column::Operation => (&*series.operation).into(),
        Column::Status => series.status.map(|status| status.to_string()).unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::{Reading, Start};
    use crate::quota::{Match, Window};

    fn usage(matching: &[(Column, &str)], now: Minute) -> Usage {
        let matching = Match(matching.iter().map(|(column, value)| (*column, (*value).to_owned())).collect());
        let limit = std::num::NonZeroU64::MIN;
        let quota = Quota { name: "prod".to_owned(), limit, window: Window::Day(chrono_tz::Tz::UTC), matching };
        Usage::new(quota, Minutes::new(), Top::new(), now)
    }

    fn series() -> Series {
        Series {
            service: "a".into(),
            key: "k".into(),
            api: "x".into(),
            method: "GET".into(),
            operation: "/".into(),
            status: None,
            duration: None,
        }
    }

    #[test]
    fn minutes_are_bounded_by_their_number_and_the_oldest_go() {
        let now = Minute(30_000_000);
        let mut usage = usage(&[], now);
        let series = series();
        let count = u32::try_from(MINUTES_MAX).expect("fits") + 500;
        let rows: Vec<_> = (0..count).map(|age| (Minute(now.0 - age), &series, 1, 1)).collect();
        usage.add(&rows, "app-1", now);
        assert_eq!(usage.minutes.len(), MINUTES_MAX);
        assert!(usage.minutes.contains_key(&now) && !usage.minutes.contains_key(&Minute(now.0 - count + 1)));
        let oldest = usage.minutes.keys().next().expect("some");
        assert!(*oldest <= history_span(&usage.quota, now).start, "history is missing");
    }

    #[test]
    fn a_source_feeds_a_quota_unless_its_configuration_says_otherwise() {
        let source = |key: Option<&str>| Source {
            name: "a.log".to_owned(),
            paths: vec!["a.log".to_owned()],
            journal: None,
            reading: Reading { key: key.map(std::sync::Arc::from), ..Reading::unsettled(chrono_tz::Tz::UTC) },
            start: Start::Beginning,
        };
        let of_prod = usage(&[(Column::Key, "prod"), (Column::Host, "app-1")], Minute(30_000_000));
        assert!(of_prod.may_be_fed_by(&source(None), "app-1"), "its lines may say so");
        assert!(of_prod.may_be_fed_by(&source(Some("prod")), "app-1"));
        assert!(!of_prod.may_be_fed_by(&source(Some("test")), "app-1"));
        assert!(!of_prod.may_be_fed_by(&source(None), "app-2"));
    }
}

//! What one quota has used: units a minute over the forecast's history, and from them its status now.
//! This file never reads the ledger; the counts are given to it.

mod calls;
mod contributors;
mod pace;
mod rolling;
mod usual;

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};

use crate::collect::Source;
use crate::collect::observed::{Observation, Observed};
use crate::collect::request::Series;
use crate::count::ledger::Completeness;
use crate::count::query::{Incomplete, Recent, Spent};
use crate::count::tally::Minutes;
use crate::day::{DAY_MINUTES, Day, Minute};
use crate::forecast::{self, Experience, Forecast, HISTORY_DAYS, Running, bins};
use crate::observed::Witness;
use crate::publish::snapshot::{CalendarDay, Contributor, Pace, QuotaStatus};
use crate::quota::{Column, Quota, ROLLING_MINUTES, WindowKind};

use calls::Calls;
use contributors::{Contributors, RECENT_MINUTES};
use usual::Usual;

/// Minutes held a quota: the history or a month, today, and some that logs stamped ahead. Which are the oldest is told
/// by their number and not by the clock, so that one which runs ahead for a while makes nothing forgotten.
const MINUTES_MAX: usize = (HISTORY_DAYS as usize + 6) * DAY_MINUTES as usize;
/// Days of which it is remembered who spent: what a usual day compares with, and a window that began a day before.
const CONTRIBUTOR_DAYS: u32 = usual::DAYS + 2;
/// The same for the longest month, and what was before it.
const CONTRIBUTOR_DAYS_OF_MONTH: u32 = 33;
/// How many operations a status names.
const TOP: usize = 10;

pub struct Usage {
    quota: Quota,
    /// Units a minute.
    minutes: Minutes,
    /// Requests a minute, where there is a burst limit.
    requests: Option<Minutes>,
    /// Where a call begins the window.
    calls: Option<Calls>,
    contributors: Contributors,
    window: Range<Minute>,
    begun: bool,
    past: Option<Past>,
    witness: Witness,
}

/// Past days, for as long as today lasts and nothing of them changes.
struct Past {
    today: Day,
    begins: Minute,
    experience: Experience,
    busiest_minute: Option<u64>,
}

/// The minutes that forecasts of `now`'s window look at, and all that were stamped later. Which call began a window is
/// told by all calls there ever were.
pub fn history_span(quota: &Quota, now: Minute) -> Range<Minute> {
    let window = quota.window;
    let history = bins::history_start(window.calendar, window.calendar.day_of(now), HISTORY_DAYS);
    let start = match window.kind {
        WindowKind::Day | WindowKind::Hour => history,
        WindowKind::Month { .. } => history.min(window.span_at(now, None).start),
        // The fullest window of the last day reaches back two.
        WindowKind::Rolling | WindowKind::AnyDay => history.min(Minute(now.0.saturating_sub(2 * ROLLING_MINUTES))),
        WindowKind::FirstCall => Minute(0),
    };
    start..Minute(u32::MAX)
}

/// From when on it is asked who spent.
pub fn recent(quota: &Quota, now: Minute) -> Recent {
    let hours = contributor_days(quota) * DAY_MINUTES;
    // From a whole hour on, so that each hour is known in minutes or not at all.
    let recent = Minute(now.0.saturating_sub(RECENT_MINUTES).next_multiple_of(60));
    let is_month = matches!(quota.window.kind, WindowKind::Month { .. });
    Recent {
        hours_from: Minute(now.0.saturating_sub(hours)),
        // A month began longer ago: where an hour is cut, it is by its share, after a restart as before it.
        minutes_from: if is_month { Minute(u32::MAX) } else { recent },
    }
}

fn contributor_days(quota: &Quota) -> u32 {
    match quota.window.kind {
        WindowKind::Month { .. } => CONTRIBUTOR_DAYS_OF_MONTH,
        WindowKind::Day | WindowKind::Hour | WindowKind::Rolling | WindowKind::FirstCall | WindowKind::AnyDay => {
            CONTRIBUTOR_DAYS
        }
    }
}

impl Usage {
    /// `spent` covers [`history_span`], and [`recent`] by who spent it.
    pub fn new(quota: Quota, spent: Spent, now: Minute) -> Usage {
        let calls = (quota.window.kind == WindowKind::FirstCall).then(|| {
            let mut calls = Calls::default();
            spent.units.keys().for_each(|minute| calls.add(*minute));
            calls
        });
        let contributors = Contributors::new(spent.by, recent(&quota, now).minutes_from, contributor_days(&quota));
        let requests = quota.burst.map(|_| spent.requests);
        let window = now..now;
        let mut usage = Usage {
            quota,
            minutes: spent.units,
            requests,
            calls,
            contributors,
            window,
            begun: false,
            past: None,
            witness: Witness::default(),
        };
        usage.forget();
        usage.enter(now);
        usage
    }

    /// Add what was counted just now. Rows of other quotas' requests are passed over.
    pub fn add(&mut self, rows: &[(Minute, &Series, u64, u64)], host: &str) {
        for (minute, series, requests, logged) in rows {
            let units = self.quota.units(*requests, *logged, |column| label(series, host, column));
            let Some(units) = units else { continue };
            if let Some(of) = &mut self.requests {
                add(of, *minute, *requests);
            }
            if units == 0 {
                continue;
            }
            add(&mut self.minutes, *minute, units);
            self.contributors.add(&series.service, &series.operation, *minute, units);
            self.calls.iter_mut().for_each(|calls| calls.add(*minute));
            if self.past.as_ref().is_some_and(|past| *minute < past.begins) {
                self.past = None;
            }
        }
        self.forget();
    }

    fn forget(&mut self) {
        for minutes in [Some(&mut self.minutes), self.requests.as_mut()].into_iter().flatten() {
            while minutes.len() > MINUTES_MAX {
                minutes.pop_first();
            }
        }
    }

    /// Hear what servers said of this quota; the sentence for people where their limit is another.
    pub fn hear(&mut self, observed: &Observed, host: &str, now: Minute) -> Option<String> {
        // No server knows of a service's budget.
        if self.quota.within.is_some() {
            return None;
        }
        let matching = &self.quota.matching;
        let own = observed.iter().filter(|(series, _)| matching.accepts(|column| label(series, host, column)));
        self.witness.hear(own.map(|(_, observation)| observation), now);
        self.enter(now);
        self.witness.odd_limit(&self.quota, &self.window)
    }

    /// The last that was said in the run before, by quota.
    pub fn resume_witness(&mut self, known: &BTreeMap<String, Observation>) {
        self.witness.resume(known.get(&self.quota.name));
    }

    /// The last that servers said, with the quota's name: for the next run.
    pub fn observed(&self) -> Option<(String, Observation)> {
        Some((self.quota.name.clone(), self.witness.newest()?))
    }

    /// A past day is not what it was thought to be.
    pub fn rethink(&mut self) {
        self.past = None;
    }

    /// Turn to the window that holds `now`.
    fn enter(&mut self, now: Minute) {
        let first_call = self.calls.as_mut().and_then(|calls| calls.window_at(now));
        self.begun = self.calls.is_none() || first_call.is_some();
        self.window = self.quota.window.span_at(now, first_call);
    }

    /// The quota's status at `now`; which alert levels hold, the engine's memory tells.
    pub fn status(&mut self, now: DateTime<Utc>, incomplete: &Incomplete) -> QuotaStatus {
        let minute = Minute::at(now);
        self.enter(minute);
        self.look_back(minute, incomplete);
        let used = self.used();
        let forecast = self.forecast(now, used, incomplete);
        let limit = self.quota.limit.get();
        let kind = self.quota.window.kind;
        let exhausted_at = forecast.exhaustion_minutes.map(|minutes| now + minutes_delta(minutes));
        QuotaStatus {
            name: self.quota.name.clone(),
            within: self.quota.within.clone(),
            window: kind,
            begun: self.begun,
            limit,
            used,
            remaining: limit.saturating_sub(used),
            zone: self.quota.window.zone().name().to_owned(),
            window_start: self.window.start.start(),
            resets_at: self.resets_at(minute).start(),
            calendar_day: (kind == WindowKind::AnyDay).then(|| self.calendar_day(minute)),
            worst: kind.is_rolling().then(|| rolling::worst(&self.minutes, minute)),
            burst: self.burst(),
            forecast,
            exhausted_at,
            alerts: Vec::new(),
            completeness: self.completeness(incomplete),
            stale_sources: Vec::new(),
            top: self.busiest(minute, incomplete),
            pace: self.pace(now),
            server: self.witness.compared(&self.minutes, &self.quota, &self.window),
        }
    }

    /// The first minute of the history that used something. What is older is held or not as chance has it: after a
    /// restart it is not.
    fn first(&self, now: Minute) -> Option<Minute> {
        let calendar = self.quota.window.calendar;
        let begins = bins::history_start(calendar, calendar.day_of(now), HISTORY_DAYS);
        self.minutes.range(begins..).next().map(|(minute, _)| *minute)
    }

    fn used(&self) -> u64 {
        if self.begun { units_of(&self.minutes, &self.window) } else { 0 }
    }

    fn resets_at(&self, now: Minute) -> Minute {
        if self.quota.window.kind.is_rolling() { rolling::empty_at(&self.minutes, now) } else { self.window.end }
    }

    fn calendar_day(&self, now: Minute) -> CalendarDay {
        let calendar = self.quota.window.calendar;
        let day = calendar.day_of(now);
        let span = calendar.span(day);
        CalendarDay { day, used: units_of(&self.minutes, &span), resets_at: span.end.start() }
    }

    fn burst(&self) -> Option<crate::publish::snapshot::BurstStatus> {
        let requests = self.requests.as_ref()?;
        Some(pace::burst(self.quota.burst?, requests, self.window.clone()))
    }

    fn pace(&self, now: DateTime<Utc>) -> Pace {
        let usual_max = self.past.as_ref().and_then(|past| past.busiest_minute);
        Pace { per_minute: pace::per_minute(&self.minutes, now), usual_max }
    }

    /// Make the past days anew where today or they are others than they were.
    fn look_back(&mut self, now: Minute, incomplete: &Incomplete) {
        let calendar = self.quota.window.calendar;
        let today = calendar.day_of(now);
        if self.past.as_ref().is_some_and(|past| past.today == today) {
            return;
        }
        let begins = calendar.start(today);
        let week = calendar.start(today.plus(-i64::from(usual::DAYS)))..begins;
        let knows_a_day = self.first(now).is_some_and(|first| first <= calendar.start(today.previous()));
        let days = bins::past_days(&self.minutes, calendar, today, HISTORY_DAYS, incomplete);
        self.past = Some(Past {
            today,
            begins,
            experience: Experience::of(&days, calendar.weekday(today)),
            busiest_minute: knows_a_day.then(|| pace::busiest(&self.minutes, week)),
        });
    }

    fn forecast(&self, now: DateTime<Utc>, used: u64, incomplete: &Incomplete) -> Forecast {
        let today = bins::today(&self.minutes, self.quota.window.calendar, now, incomplete);
        let running = self.running(now, used);
        match &self.past {
            Some(past) => past.experience.forecast(&today, &running),
            None => forecast::forecast(&[], &today, &running),
        }
    }

    fn running(&self, now: DateTime<Utc>, used: u64) -> Running {
        let limit = self.quota.limit.get();
        if self.quota.window.kind.is_rolling() {
            let leaving = rolling::leaving(&self.minutes, now);
            return Running { limit, used, left_minutes: f64::from(ROLLING_MINUTES), leaving };
        }
        // Seconds of at most a month: exact.
        let left_minutes = (self.window.end.start() - now).num_seconds().max(0) as f64 / 60.0;
        Running { limit, used, left_minutes, leaving: Vec::new() }
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
        let mut wanted = self.quota.matching.0.iter();
        wanted.all(|(column, pattern)| says(*column).is_none_or(|said| pattern.accepts(*column, said)))
    }

    fn busiest(&self, now: Minute, incomplete: &Incomplete) -> Vec<Contributor> {
        if !self.begun {
            return Vec::new();
        }
        let first = self.first(now).unwrap_or(now);
        let usual = Usual::of(self.quota.window, &self.window, now, first, incomplete);
        let all = self.contributors.busiest(&self.window, TOP);
        let contributor = |(who, units): (&contributors::Who, u64)| Contributor {
            service: who.0.clone(),
            operation: who.1.clone(),
            units,
            usual: usual.units(|span| self.contributors.units(who, span)),
        };
        all.into_iter().map(contributor).collect()
    }
}

fn add(minutes: &mut Minutes, minute: Minute, count: u64) {
    let sum = minutes.entry(minute).or_default();
    *sum = sum.saturating_add(count);
}

fn units_of(minutes: &Minutes, span: &Range<Minute>) -> u64 {
    minutes.range(span.clone()).fold(0, |sum, (_, units)| sum.saturating_add(*units))
}

fn minutes_delta(minutes: f64) -> TimeDelta {
    // Some centuries at most, so that the sum with an instant is one.
    TimeDelta::seconds((minutes * 60.0).clamp(0.0, 1e10) as i64)
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
mod tests;

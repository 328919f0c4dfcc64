//! Past days happen again, and what would have been said of them is written down: the rules and the memory are those of
//! [`crate::publish::alert`]. This file decides nothing.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::replay::{Before, Rerun, crossed, each_day};
use super::series::{DayOf, Series};
use crate::count::ledger::Completeness;
use crate::day::{Day, Minute};
use crate::forecast::Forecast;
use crate::publish::alert::{self, Memory, Rules};
use crate::publish::message::{Message, Status};
use crate::publish::snapshot::{Pace, QuotaStatus};
use crate::quota::WindowKind;

/// The daemon looks each minute; alerts of a replay are at most this much late.
const STEP_MINUTES: u32 = 15;

/// The alerts of one series.
#[derive(Clone, Debug)]
pub struct Alerts {
    pub name: String,
    pub zone: Tz,
    pub limit: u64,
    pub days: Vec<DayFired>,
}

/// What would have been said on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayFired {
    pub day: Day,
    pub total: u64,
    /// The minute in which the limit was passed.
    pub exceeded_at: Option<DateTime<Utc>>,
    /// In order.
    pub fired: Vec<Fired>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    pub at: DateTime<Utc>,
    /// As messages name it.
    pub level: String,
    pub is_over: bool,
}

pub fn alerts(series: &Series, history: u32, rules: &Rules) -> Alerts {
    let limit = series.limit_units();
    let mut memory = Memory::default();
    let mut days = Vec::new();
    each_day(series, history, |day, before| {
        let exceeded_at = crossed(day, limit).map(|minute| Minute(day.span.start.0 + minute).start());
        let fired = fired(series, limit, day, before, &mut |quota, now| look(quota, now, rules, &mut memory));
        days.push(DayFired { day: day.day, total: day.total(), exceeded_at, fired });
    });
    Alerts { name: series.name.clone(), zone: series.calendar.zone(), limit, days }
}

fn fired(
    series: &Series,
    limit: u64,
    day: &DayOf,
    before: &Before,
    look: &mut dyn FnMut(QuotaStatus, DateTime<Utc>) -> Vec<Fired>,
) -> Vec<Fired> {
    let end = day.span.end.0 - day.span.start.0;
    let steps = (1..).map(|step| step * STEP_MINUTES.max(series.width)).take_while(|elapsed| *elapsed < end);
    let mut rerun = Rerun::new(series.calendar, limit, day, before);
    // The last look is in the day's last minute: after it, the quota is another window's.
    let looks = steps.chain([end.saturating_sub(1)]);
    looks
        .flat_map(|elapsed| {
            rerun.go_on(elapsed);
            look(status(series, limit, day, rerun.used, rerun.daycap()), rerun.now())
        })
        .collect()
}

/// What people are told of this status, if anything.
fn look(mut quota: QuotaStatus, now: DateTime<Utc>, rules: &Rules, memory: &mut Memory) -> Vec<Fired> {
    quota.exhausted_at = quota.forecast.exhaustion_minutes.map(|minutes| now + seconds(minutes));
    let messages = alert::play(memory, &quota, rules, now);
    messages.into_iter().filter(|message| !message.quiet).map(Fired::of).collect()
}

fn seconds(minutes: f64) -> TimeDelta {
    // A day has at most 25 hours, so its seconds fit.
    TimeDelta::seconds((minutes * 60.0).clamp(0.0, 1e9) as i64)
}

impl Fired {
    fn of(message: Message) -> Fired {
        let is_over = match message.status {
            Status::Firing => false,
            Status::Resolved => true,
        };
        Fired { at: message.at, level: message.level.to_string(), is_over }
    }
}

/// The quota's status as the daemon would have had it; who asked for what is not known any more.
fn status(series: &Series, limit: u64, day: &DayOf, used: u64, forecast: Forecast) -> QuotaStatus {
    QuotaStatus {
        name: series.name.clone(),
        within: None,
        window: WindowKind::Day,
        begun: true,
        limit,
        used,
        remaining: limit.saturating_sub(used),
        zone: series.calendar.zone().name().to_owned(),
        window_start: day.span.start.start(),
        resets_at: day.span.end.start(),
        calendar_day: None,
        worst: None,
        burst: None,
        forecast,
        exhausted_at: None,
        alerts: Vec::new(),
        completeness: Completeness::Exact,
        stale_sources: Vec::new(),
        top: Vec::new(),
        server: None,
        pace: Pace::default(),
    }
}

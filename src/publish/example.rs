//! One snapshot in which every metric, line and label has a value, for the tests that render it.
//! In production, only the templates of notifiers are tried out on its messages, before a real one needs them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use super::alert::Level;
use super::message::{Figures, Message, Severity, Status, Topic};
use super::server::ServerTruth;
use super::snapshot::{
    BurstStatus, BusiestMinute, CalendarDay, CommitStatus, Contributor, Failing, NotifierStatus, Pace, QuotaStatus,
    RequestLabels, Snapshot, SourceStatus, Worst,
};
use super::trouble::Concern;
use crate::collect::request::Lines;
use crate::count::ledger::{Completeness, Reason};
use crate::day::Minute;
use crate::forecast::{Confidence, Forecast};
use crate::quota::WindowKind;

/// Sunday 2026-11-22, half past two in the afternoon UTC.
pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 14, 30, 0).single().expect("a valid instant")
}

/// A quota that is doing well, one that will run out, one whose day is not known, and two sources, of which one has
/// trouble.
pub fn snapshot() -> Snapshot {
    Snapshot {
        at: now(),
        version: "0.1.0",
        host: "app-1".into(),
        quotas: vec![calm_quota(), projected_quota(), any_day_quota()],
        sources: vec![healthy_source(), troubled_source()],
        commit: CommitStatus { last: Some(now() - TimeDelta::seconds(4)), failures: 2, failing: None },
        requests: Arc::new(requests()),
        notifiers: vec![failing_notifier()],
        notifications: BTreeMap::from([
            (("ops".into(), "delivered"), 3),
            (("ops".into(), "failed"), 5),
            (("ops".into(), "dropped"), 1),
        ]),
    }
}

fn failing_notifier() -> NotifierStatus {
    let failing = Failing { since: now() - TimeDelta::minutes(27), error: "connection refused".into() };
    NotifierStatus { name: "ops".into(), pending: 3, failing: Some(failing) }
}

pub fn calm_quota() -> QuotaStatus {
    QuotaStatus {
        name: "prod".into(),
        within: None,
        window: WindowKind::Day,
        begun: true,
        limit: 40_000,
        used: 12_345,
        remaining: 27_655,
        zone: "UTC".into(),
        window_start: midnight(22, 0),
        resets_at: midnight(23, 0),
        calendar_day: None,
        worst: None,
        burst: Some(BurstStatus {
            limit: "10/s".into(),
            limit_per_minute: 600,
            busiest: Some(BusiestMinute { start: now() - TimeDelta::minutes(147), requests: 612 }),
            minutes_above: 1,
        }),
        forecast: Forecast {
            p10: 31_020,
            p50: 33_850,
            p90: 36_700,
            exceed_probability: 0.02,
            exhaustion_minutes: None,
            exhaustion_earliest_minutes: None,
            exhaustion_latest_minutes: None,
            sustainable_per_minute: 48.5,
            history_days: 28,
            confidence: Confidence::Normal,
        },
        exhausted_at: None,
        alerts: vec![],
        completeness: Completeness::Exact,
        stale_sources: vec![],
        top: vec![contributor("sync", "jobSearch", 8_123, None), contributor("crm", "contact", 4_222, Some(4_000))],
        pace: Pace { per_minute: 21.0, usual_max: Some(180) },
        server: Some(ServerTruth {
            at: now() - TimeDelta::minutes(2),
            used: Some(12_340),
            remaining: Some(27_660),
            limit: Some(40_000),
            resets_at: Some(midnight(23, 0)),
            counted: 12_328,
            drift: Some(12),
            uncertainty: 20,
        }),
    }
}

pub fn projected_quota() -> QuotaStatus {
    QuotaStatus {
        name: "maps".into(),
        within: None,
        window: WindowKind::Day,
        begun: true,
        limit: 10_000,
        used: 7_900,
        remaining: 2_100,
        zone: "America/Los_Angeles".into(),
        window_start: midnight(22, 8),
        resets_at: midnight(23, 8),
        calendar_day: None,
        worst: None,
        burst: None,
        forecast: Forecast {
            p10: 10_900,
            p50: 12_400,
            p90: 14_100,
            exceed_probability: 0.97,
            exhaustion_minutes: Some(525.0),
            exhaustion_earliest_minutes: Some(95.0),
            exhaustion_latest_minutes: None,
            sustainable_per_minute: 2.0,
            history_days: 3,
            confidence: Confidence::Low,
        },
        exhausted_at: Some(midnight(22, 8) + TimeDelta::minutes(525)),
        alerts: vec![Level::Projected],
        completeness: Completeness::AtLeast {
            reasons: vec![Reason::between(
                now() - TimeDelta::minutes(90),
                now() - TimeDelta::minutes(88),
                "app.log was truncated before 1,024 bytes were read".into(),
            )],
        },
        stale_sources: vec!["/srv/crm/api.log".into()],
        top: vec![contributor("geo", "/v1/geocode", 7_900, Some(4_100))],
        pace: Pace { per_minute: 12.0, usual_max: Some(60) },
        server: None,
    }
}

/// A budget in a quota whose provider does not say when its day begins. Yesterday was fuller.
pub fn any_day_quota() -> QuotaStatus {
    QuotaStatus {
        name: "jobs/sync".into(),
        // No server knows of a budget.
        server: None,
        within: Some("jobs".into()),
        window: WindowKind::AnyDay,
        limit: 20_000,
        used: 9_300,
        remaining: 10_700,
        window_start: now() - TimeDelta::minutes(1_439),
        resets_at: now() + TimeDelta::minutes(1_440),
        calendar_day: Some(CalendarDay { day: Minute::at(now()).utc_day(), used: 5_100, resets_at: midnight(23, 0) }),
        worst: Some(Worst { used: 11_250, until: now() - TimeDelta::hours(9) }),
        burst: None,
        top: vec![contributor("sync", "jobSearch", 9_300, Some(9_800))],
        ..calm_quota()
    }
}

fn contributor(service: &str, operation: &str, units: u64, usual: Option<u64>) -> Contributor {
    Contributor { service: service.into(), operation: operation.into(), units, usual }
}

/// The projected quota's news.
pub fn alert() -> Message {
    let quota = projected_quota();
    Message {
        id: "maps-projected-1".into(),
        status: Status::Firing,
        level: Topic::Quota(Level::Projected),
        severity: Severity::Warning,
        quota: Some(quota.name.clone()),
        source: None,
        title: "maps is forecast to exceed its limit (79% used)".into(),
        quiet: false,
        message: "quota \"maps\" is forecast to exceed its limit: 7,900 of 10,000 used (79%)".into(),
        at: now(),
        since: now() - TimeDelta::minutes(10),
        figures: Some(Figures {
            used: quota.used,
            limit: quota.limit,
            p10: quota.forecast.p10,
            p50: quota.forecast.p50,
            p90: quota.forecast.p90,
            exceed_probability: quota.forecast.exceed_probability,
            exhausted_at: quota.exhausted_at,
            resets_at: quota.resets_at,
            zone: quota.zone,
            sustainable_per_minute: quota.forecast.sustainable_per_minute,
            confidence: quota.forecast.confidence,
            top: quota.top,
        }),
    }
}

/// A silent source's news.
pub fn trouble() -> Message {
    Message {
        id: "stale-crm-1".into(),
        status: Status::Firing,
        level: Topic::Counting(Concern::Stale),
        severity: Severity::Warning,
        quota: None,
        source: Some("/srv/crm/api.log".into()),
        title: "/srv/crm/api.log is silent".into(),
        quiet: false,
        message: "source \"/srv/crm/api.log\" has been silent for 9 h 00 min".into(),
        at: now(),
        since: now() - TimeDelta::hours(7),
        figures: None,
    }
}

/// A message of each shape.
pub fn messages() -> [Message; 4] {
    let endless = alert().figures.map(|figures| Figures { exhausted_at: None, top: Vec::new(), ..figures });
    [
        alert(),
        Message { status: Status::Resolved, figures: endless, ..alert() },
        trouble(),
        Message { source: None, level: Topic::Counting(Concern::CommitFailing), ..trouble() },
    ]
}

fn healthy_source() -> SourceStatus {
    SourceStatus {
        name: "/var/log/app/*.log".into(),
        logs: 3,
        lag_bytes: 0,
        lines: Lines {
            counted: 20_245,
            skipped: 310,
            tunnels: 0,
            starts: 0,
            malformed: 0,
            no_time: 0,
            bad_time: 0,
            arrived: 0,
        },
        last_request: Some(now() - TimeDelta::seconds(2)),
        stale_since: None,
        stale_after_minutes: Some(15),
        problems: vec![],
    }
}

fn troubled_source() -> SourceStatus {
    SourceStatus {
        name: "/srv/crm/api.log".into(),
        logs: 1,
        lag_bytes: 1_048_576,
        lines: Lines {
            counted: 0,
            skipped: 0,
            tunnels: 0,
            starts: 0,
            malformed: 4,
            no_time: 2,
            bad_time: 1,
            arrived: 0,
        },
        last_request: Some(now() - TimeDelta::hours(9)),
        stale_since: Some(now() - TimeDelta::hours(7)),
        stale_after_minutes: Some(120),
        problems: vec!["/srv/crm/api.log: permission denied; let daycap's group read it".into()],
    }
}

fn requests() -> BTreeMap<RequestLabels, u64> {
    let counted = [
        ("sync", "prod", "jobSearch", "2xx", 8_000),
        ("sync", "prod", "jobSearch", "4xx", 123),
        ("crm", "prod", "contact", "2xx", 4_222),
        ("geo", "maps", "/v1/geocode", "2xx", 7_890),
        ("geo", "maps", "say \"hi\"\\now\n", "none", 10),
    ];
    counted
        .into_iter()
        .map(|(service, key, operation, code_class, count)| (labels(service, key, operation, code_class), count))
        .collect()
}

pub fn labels(service: &str, key: &str, operation: &str, code_class: &'static str) -> RequestLabels {
    RequestLabels { service: service.into(), key: key.into(), operation: operation.into(), code_class }
}

fn midnight(day: u32, utc_hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, day, utc_hour, 0, 0).single().expect("a valid instant")
}

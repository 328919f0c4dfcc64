//! The immutable picture that metrics, web, status and alerts render: everything known at one instant.
//! This file never computes a forecast; it only holds one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::alert::Level;
use super::server::ServerTruth;
use crate::collect::request::{Lines, OTHER};
use crate::count::ledger::Completeness;
use crate::day::Day;
use crate::forecast::Forecast;
use crate::quota::WindowKind;

/// `/api/v1/status` and `daycap status --json` are this, serialised.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    pub at: DateTime<Utc>,
    pub version: &'static str,
    pub host: String,
    pub quotas: Vec<QuotaStatus>,
    pub sources: Vec<SourceStatus>,
    pub commit: CommitStatus,
    pub notifiers: Vec<NotifierStatus>,
    /// Requests counted since the daemon started, as [`RequestCounts`] bounds them.
    #[serde(skip)]
    pub requests: Arc<BTreeMap<RequestLabels, u64>>,
    /// By notifier and result (`delivered`, `failed`, `dropped`).
    #[serde(skip)]
    pub notifications: BTreeMap<(String, &'static str), u64>,
}

impl Snapshot {
    /// Before anything is known.
    pub fn starting(version: &'static str, host: &str, at: DateTime<Utc>) -> Snapshot {
        Snapshot {
            at,
            version,
            host: host.to_owned(),
            quotas: Vec::new(),
            sources: Vec::new(),
            commit: CommitStatus::default(),
            notifiers: Vec::new(),
            requests: Arc::default(),
            notifications: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestLabels {
    pub service: String,
    pub key: String,
    pub operation: String,
    /// `2xx` ... `5xx`, or `none`.
    pub code_class: &'static str,
}

/// Requests since the daemon started, in bounded memory. Who has a series of its own keeps it, and who has
/// none stays in `(other)`: were the rest to shrink when an operation rises out of it, Prometheus would
/// take that for a restart and count the whole rest again.
#[derive(Clone, Debug, Default)]
pub struct RequestCounts {
    counts: Arc<BTreeMap<RequestLabels, u64>>,
    operations: BTreeSet<(String, String)>,
    callers: BTreeSet<(String, String)>,
}

impl RequestCounts {
    /// Operations (of a service) that are counted by name: the first that are seen. Feed the busiest first
    /// (with a count of 0, from the ledger) and it is they.
    pub const OPERATIONS_MAX: usize = 200;
    /// Pairs of service and key that are counted by name.
    pub const CALLERS_MAX: usize = 50;

    pub fn add(&mut self, labels: RequestLabels, count: u64) {
        let labels = self.bounded(labels);
        // The snapshots that share the map keep theirs; it is copied once between two snapshots.
        *Arc::make_mut(&mut self.counts).entry(labels).or_default() += count;
    }

    /// The counts as a snapshot holds them.
    pub fn share(&self) -> Arc<BTreeMap<RequestLabels, u64>> {
        self.counts.clone()
    }

    fn bounded(&mut self, mut labels: RequestLabels) -> RequestLabels {
        if !takes_place(&mut self.callers, (&labels.service, &labels.key), Self::CALLERS_MAX) {
            labels.service = OTHER.into();
            labels.key = OTHER.into();
            labels.operation = OTHER.into();
        } else if !takes_place(&mut self.operations, (&labels.service, &labels.operation), Self::OPERATIONS_MAX) {
            labels.operation = OTHER.into();
        }
        labels
    }
}

/// Whether the name has a place among `most`, or gets a free one.
fn takes_place(places: &mut BTreeSet<(String, String)>, name: (&str, &str), most: usize) -> bool {
    let name = (name.0.to_string(), name.1.to_string());
    if places.contains(&name) {
        return true;
    }
    places.len() < most && places.insert(name)
}

#[derive(Clone, Debug, Serialize)]
pub struct QuotaStatus {
    pub name: String,
    /// The quota that this one is a service's part of.
    pub within: Option<String>,
    /// The kind of window, serialised as the configuration spells it.
    pub window: WindowKind,
    /// Whether the window runs. One that begins with a call does not before it: its start is then now.
    pub begun: bool,
    pub limit: u64,
    pub used: u64,
    pub remaining: u64,
    /// IANA name of the zone whose clock resets the quota.
    pub zone: String,
    /// Of a rolling window, where its first minute begins.
    pub window_start: DateTime<Utc>,
    /// Of a rolling window: when the last of what is used now has left it.
    pub resets_at: DateTime<Utc>,
    /// Where the provider does not say when its day begins: the calendar's, beside the rolling 24 hours.
    pub calendar_day: Option<CalendarDay>,
    /// Of a rolling window: the fullest that ended within the last 24 hours.
    pub worst: Option<Worst>,
    /// How the requests kept to the burst limit, where there is one.
    pub burst: Option<BurstStatus>,
    pub forecast: Forecast,
    /// When the median forecast reaches the limit; `None` when it does not, or when it has been reached.
    pub exhausted_at: Option<DateTime<Utc>>,
    /// The levels that hold now, lowest first.
    pub alerts: Vec<Level>,
    /// Of the window.
    pub completeness: Completeness,
    /// Sources of this quota's requests that are stale: while there is one, low usage means little.
    pub stale_sources: Vec<String>,
    /// Busiest operations of the window, at most 10.
    pub top: Vec<Contributor>,
    pub pace: Pace,
    /// What a server said in this window, where a source maps it. Nothing above is changed by it.
    pub server: Option<ServerTruth>,
}

/// What a calendar's day has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CalendarDay {
    pub day: Day,
    pub used: u64,
    pub resets_at: DateTime<Utc>,
}

/// The fullest of some windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Worst {
    pub used: u64,
    /// The end of its last minute.
    pub until: DateTime<Utc>,
}

/// Requests a minute against the burst limit. A minute is the finest that counts tell: of a limit a second, more
/// seconds may have been above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BurstStatus {
    /// As configured: `10/s`.
    pub limit: String,
    pub limit_per_minute: u64,
    /// Of the window; `None` before its first request.
    pub busiest: Option<BusiestMinute>,
    /// Minutes of the window that had more requests than the limit allows.
    pub minutes_above: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BusiestMinute {
    pub start: DateTime<Utc>,
    pub requests: u64,
}

/// How fast units are being used right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pace {
    /// Units of the last whole minute, or the running one's at its own pace if that is faster.
    pub per_minute: f64,
    /// The busiest minute of the past week, today left out; `None` before a whole day is known.
    pub usual_max: Option<u64>,
}

/// One operation's part in what is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contributor {
    pub service: String,
    pub operation: String,
    pub units: u64,
    /// What it has used by this time on a usual day; `None` before a whole day is known.
    pub usual: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SourceStatus {
    pub name: String,
    pub logs: u64,
    pub lag_bytes: u64,
    pub lines: Lines,
    pub last_request: Option<DateTime<Utc>>,
    /// When it had been silent for longer than expected; `None`: it has not, or nothing is expected of it yet.
    pub stale_since: Option<DateTime<Utc>>,
    /// How long it may be silent after its last request; `None`: for ever, or not known yet.
    pub stale_after_minutes: Option<u32>,
    /// What keeps a path from being read, or is odd about what was read; one sentence each.
    pub problems: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct CommitStatus {
    pub last: Option<DateTime<Utc>>,
    pub failures: u64,
    /// Why the last commit failed; `None` once one has worked again.
    pub failing: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotifierStatus {
    pub name: String,
    /// Messages that it has not brought yet.
    pub pending: u64,
    /// What keeps it from bringing them; `None`: nothing does, or nothing was tried yet.
    pub failing: Option<Failing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The first of the attempts that failed in a row.
    pub since: DateTime<Utc>,
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example::labels;

    /// What the counts of each series were before may only grow.
    fn has_grown(before: &BTreeMap<RequestLabels, u64>, after: &BTreeMap<RequestLabels, u64>) -> bool {
        before.iter().all(|(labels, count)| after.get(labels).is_some_and(|now| now >= count))
    }

    #[test]
    fn no_series_ever_falls_and_no_request_is_lost() {
        let mut counts = RequestCounts::default();
        let mut before = counts.share();
        for round in 0..1_000_u64 {
            counts.add(labels("sync", "prod", &format!("op{:03}", round * 7 % 400), "2xx"), round);
            let after = counts.share();
            assert!(has_grown(&before, &after));
            before = after;
        }
        assert_eq!(before.values().sum::<u64>(), (0..1_000).sum::<u64>());
        assert_eq!(before.len(), RequestCounts::OPERATIONS_MAX + 1);
    }

    #[test]
    fn callers_beyond_the_bound_are_counted_together() {
        let mut counts = RequestCounts::default();
        for caller in 0..1_000 {
            counts.add(labels(&format!("service{caller}"), "prod", "op", "2xx"), 1);
        }
        assert_eq!(counts.share().len(), RequestCounts::CALLERS_MAX + 1);
        assert_eq!(counts.share()[&labels(OTHER, OTHER, OTHER, "2xx")], 950);
    }
}

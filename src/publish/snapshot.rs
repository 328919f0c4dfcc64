//! The immutable picture that metrics, web, status and alerts render: everything known at one instant.
//! This file never computes a forecast; it only holds one.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::alert::Level;
use crate::collect::request::Lines;
use crate::count::ledger::Completeness;
use crate::forecast::Forecast;

/// `/api/v1/status` and `daycap status --json` are this, serialised.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    pub at: DateTime<Utc>,
    pub version: &'static str,
    pub host: String,
    pub quotas: Vec<QuotaStatus>,
    pub sources: Vec<SourceStatus>,
    pub commit: CommitStatus,
    /// Requests counted since the daemon started; bounded by [`super::metrics`].
    #[serde(skip)]
    pub requests: Arc<BTreeMap<RequestLabels, u64>>,
    /// By notifier and result (`delivered`, `failed`).
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

#[derive(Clone, Debug, Serialize)]
pub struct QuotaStatus {
    pub name: String,
    pub limit: u64,
    pub used: u64,
    pub remaining: u64,
    /// IANA name of the zone whose midnight resets the quota.
    pub zone: String,
    pub window_start: DateTime<Utc>,
    pub resets_at: DateTime<Utc>,
    pub forecast: Forecast,
    /// When the median forecast reaches the limit; `None` when it does not, or when it has been reached.
    pub exhausted_at: Option<DateTime<Utc>>,
    /// The levels that hold now, lowest first.
    pub alerts: Vec<Level>,
    /// Of the window's days.
    pub completeness: Completeness,
    /// Busiest operations of the window: service, operation, units; at most 10.
    pub top: Vec<(String, String, u64)>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SourceStatus {
    pub name: String,
    pub logs: u64,
    pub lag_bytes: u64,
    pub lines: Lines,
    pub last_request: Option<DateTime<Utc>>,
    /// What keeps a path from being read, one sentence each.
    pub problems: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct CommitStatus {
    pub last: Option<DateTime<Utc>>,
    pub failures: u64,
    /// Why the last commit failed; `None` once one has worked again.
    pub failing: Option<String>,
}

//! Pure: rules + memory + snapshot -> what to send.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::snapshot::QuotaStatus;

/// What can be wrong with a quota, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Forecast to exceed the limit.
    Projected,
    Used80,
    Used95,
    Exceeded,
}

/// What was already said: once a quota, level and window. Kept in `state.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Quota name -> the window it was said in, and the levels said.
    pub said: BTreeMap<String, Said>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub window_start: DateTime<Utc>,
    pub levels: Vec<Level>,
}

/// One message; serialised, it is what exec gets on stdin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub quota: String,
    pub level: Level,
    /// One sentence for a person: used, limit, forecast with band, when it runs out, reset, what may be spent.
    pub message: String,
    pub at: DateTime<Utc>,
    pub used: u64,
    pub limit: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub exceed_probability: f64,
    pub exhausted_at: Option<DateTime<Utc>>,
    pub resets_at: DateTime<Utc>,
    pub sustainable_per_minute: f64,
}

/// The levels that hold for this quota now, mildest first. (P >= 0.7 raises `Projected`; below 0.4 clears it;
/// between, it stays as `before` had it. Not in the window's first hour.)
pub fn levels(_quota: &QuotaStatus, _before: &[Level], _now: DateTime<Utc>) -> Vec<Level> {
    todo!()
}

/// What to say now, and remember it as said. Only the gravest new level of a quota speaks; the milder ones
/// it implies are remembered with it.
pub fn due(_memory: &mut Memory, _quotas: &[QuotaStatus], _now: DateTime<Utc>) -> Vec<Alert> {
    todo!()
}

//! Counts become a forecast: pure arithmetic, no clock, no IO.

use serde::Serialize;

/// Bins of a quarter of an hour: finer bins gain nothing, coarser ones lose at the day's edges.
pub const BIN_MINUTES: u32 = 15;

/// A window that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct PastDay {
    /// Days before today: yesterday is 1.
    pub age: u32,
    /// 0 Monday to 6 Sunday.
    pub weekday: u32,
    /// Units a bin, by the local wall clock.
    pub bins: Vec<u64>,
    /// False for days that collection knows are incomplete.
    pub whole: bool,
}

/// The window that is running.
#[derive(Clone, Debug, PartialEq)]
pub struct Today {
    pub weekday: u32,
    /// Units a bin so far, by minutes since the window's start.
    pub bins: Vec<u64>,
    pub elapsed_minutes: f64,
    /// 1440, but for days on which clocks change.
    pub window_minutes: f64,
    pub limit: u64,
}

/// How much history a forecast rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// No whole day yet: pace alone.
    Learning,
    /// Little history, or a client whose days differ wildly.
    Low,
    Normal,
}

/// Where the window's total is heading. Units of the quota.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    /// That the total passes the limit, 0 to 1.
    pub exceed_probability: f64,
    /// Minutes after the window's start at which the limit is reached, if the median forecast reaches it.
    pub exhaustion_minutes: Option<f64>,
    /// What may be spent a minute until the window ends without passing the limit.
    pub sustainable_per_minute: f64,
    /// Past days that it rests on.
    pub history_days: u32,
    pub confidence: Confidence,
}

/// `history` holds at most one entry an age, at least one is not needed.
pub fn forecast(_history: &[PastDay], _today: &Today) -> Forecast {
    todo!()
}

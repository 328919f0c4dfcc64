//! Counts become a forecast: how past days went and how today has gone so far say where a window ends, how
//! sure that is, and when the limit is reached. Pure arithmetic; the only folder with floats.
//! Nothing here reads a clock or does IO: time is a field of [`Today`].
//!
//! In the order of thought:
//! - `bins.rs` lays counts on the wall clock; `repair.rs` fills what is missing of past days, `outage.rs` finds what
//!   nobody told, `morning.rs` does both for today, `clock.rs` knows days of 23 and 25 hours.
//! - `memory.rs` weighs past days, `level.rs` and `shape.rs` make of them how much and when, `experience.rs` keeps that.
//! - `experts.rs` says in six ways what is still to come of a day, `blend.rs` weighs them by how they fared,
//!   `ahead.rs` adds the days after it.
//! - `replay.rs` asks the same question on past days; `spread.rs` makes of its errors how sure the answer is.
//! - `path.rs` spreads the answer over time, `window.rs` reads from it what any kind of window wants to know;
//!   `look.rs` puts all of it together.

mod ahead;
pub mod bins;
mod blend;
mod clock;
mod confidence;
mod curve;
mod experience;
mod experts;
mod holes;
mod horizon;
mod level;
mod look;
mod memory;
mod morning;
mod outage;
mod past;
mod path;
mod repair;
mod replay;
mod shape;
mod spread;
mod window;

use serde::{Deserialize, Serialize};

pub use experience::Experience;
pub use holes::Holes;

/// Days of history a forecast rests on: four weeks.
pub const HISTORY_DAYS: u32 = 28;
/// Bins of a quarter of an hour: finer bins gain nothing, coarser ones lose at the day's edges.
pub const BIN_MINUTES: u32 = 15;

/// A day that is over, from one reset to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct PastDay {
    /// Days before today: yesterday is 1.
    pub age: u32,
    /// 0 Monday to 6 Sunday.
    pub weekday: u32,
    /// Units a bin, by the local wall clock.
    pub bins: Vec<u64>,
    /// Bins of which collection knows that counts are missing.
    pub holes: Holes,
}

/// The day that is running. All windows are forecast by days: traffic has a daily shape, whatever a provider's window.
#[derive(Clone, Debug, PartialEq)]
pub struct Today {
    pub weekday: u32,
    /// Units a bin so far, by minutes since the day's start.
    pub bins: Vec<u64>,
    pub holes: Holes,
    pub elapsed_minutes: f64,
    /// 1440, but for days on which clocks change.
    pub day_minutes: f64,
    /// Minutes since the day's start at which they do; on other days it does not matter.
    pub clock_change_minutes: f64,
}

/// The window that the limit holds for, as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    pub limit: u64,
    /// Units that count against the limit now.
    pub used: u64,
    /// Until the window ends; of a rolling one its length, after which nothing that is used now still counts.
    pub left_minutes: f64,
    /// Of a rolling window: the units that leave it, a bin each from now on. Empty for all others.
    pub leaving: Vec<u64>,
}

/// How much history a forecast rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// No whole day yet: pace alone.
    Learning,
    /// Less than two weeks of history, or a client whose days differ wildly: the probability ranks days, but
    /// is not a frequency.
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
    /// Minutes from now until the limit is reached, if the median forecast reaches it in this window.
    /// `None` also once it has been reached.
    pub exhaustion_minutes: Option<f64>,
    /// The same if more comes than in nine of ten cases.
    pub exhaustion_earliest_minutes: Option<f64>,
    /// The same if less comes than in nine of ten cases; `None` where the limit is not reached then.
    pub exhaustion_latest_minutes: Option<f64>,
    /// What may be spent a minute until the window ends without passing the limit.
    pub sustainable_per_minute: f64,
    /// Whole past days that it rests on.
    pub history_days: u32,
    pub confidence: Confidence,
}

/// `history` holds at most one entry an age, in any order, and may be empty. Whoever forecasts more than once a day
/// keeps the [`Experience`].
pub fn forecast(history: &[PastDay], today: &Today, running: &Running) -> Forecast {
    Experience::of(history, today.weekday).forecast(today, running)
}

/// A number between 0 and `most`. What is not a number is nothing: no forecast may come to NaN.
fn held(value: f64, most: f64) -> f64 {
    if value > 0.0 { value.min(most) } else { 0.0 }
}

/// A count as a float: beyond 2^53 its last digits are lost, which no forecast is good enough to miss.
fn real(count: u64) -> f64 {
    count as f64
}

/// A float as a count, rounded; Rust's cast holds what a u64 cannot say at its bounds.
fn count(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests;

//! A quota's status, and what held before, become the levels that hold now.
//! This file never decides whether a level is said.

use chrono::{DateTime, TimeDelta, Utc};

use super::rules::scaled;
use super::{Level, Rules};
use crate::publish::snapshot::QuotaStatus;
use crate::quota::ROLLING_MINUTES;

/// What was known of the same window when it was last looked at.
pub(super) struct Before<'a> {
    pub held: &'a dyn Fn(Level) -> bool,
    /// When it last was used up at a burst's pace.
    pub burst: Option<DateTime<Utc>>,
}

/// The levels that hold for this quota now, mildest first. Each is raised at its threshold and cleared at a lower
/// one; what lies between stays as it was.
pub(super) fn levels(quota: &QuotaStatus, before: &Before, rules: &Rules, now: DateTime<Utc>) -> Vec<Level> {
    let held = |level| (before.held)(level);
    let holds = |level: &Level| match level {
        Level::Used(percent) => is_used(quota, *percent, if held(*level) { margin(quota, rules) } else { 0 }),
        Level::Projected => is_projected(quota, held(*level), rules, now),
        Level::Imminent => is_imminent(quota, held(*level), before.burst, rules, now),
        Level::Exceeded => has_exceeded(quota) || held(*level) && stays_exceeded(quota, rules),
    };
    rules.levels().into_iter().filter(holds).collect()
}

/// Whether use falls again minute by minute, and not all at once when a window ends.
pub fn rolls(quota: &QuotaStatus) -> bool {
    quota.window.is_rolling()
}

fn length(quota: &QuotaStatus) -> TimeDelta {
    // All that a rolling window holds has left it a window's length after the last of it came.
    if rolls(quota) { TimeDelta::minutes(i64::from(ROLLING_MINUTES)) } else { quota.resets_at - quota.window_start }
}

pub(super) fn imminent_within(quota: &QuotaStatus, rules: &Rules) -> TimeDelta {
    scaled(rules.imminent_within, length(quota))
}

fn is_used(quota: &QuotaStatus, percent: u8, margin: u8) -> bool {
    let least = u128::from(percent.saturating_sub(margin));
    u128::from(quota.used) * 100 >= u128::from(quota.limit) * least
}

fn margin(quota: &QuotaStatus, rules: &Rules) -> u8 {
    if rolls(quota) { rules.used_margin } else { 0 }
}

/// A rolling window may have been fuller while nobody looked.
fn has_exceeded(quota: &QuotaStatus) -> bool {
    quota.worst.map_or(quota.used, |worst| worst.used.max(quota.used)) > quota.limit
}

/// Too much used stays too much until the window ends, whatever is found out later.
fn stays_exceeded(quota: &QuotaStatus, rules: &Rules) -> bool {
    !rolls(quota) || is_used(quota, 100, rules.used_margin)
}

fn is_projected(quota: &QuotaStatus, held: bool, rules: &Rules, now: DateTime<Utc>) -> bool {
    let enough = if held { rules.clear } else { rules.raise };
    quota.forecast.exceed_probability >= enough && !is_too_early(quota, rules, now)
}

fn is_imminent(
    quota: &QuotaStatus,
    held: bool,
    burst: Option<DateTime<Utc>>,
    rules: &Rules,
    now: DateTime<Utc>,
) -> bool {
    let lasts = burst.is_some_and(|last| (now - last).abs() < rules.burst_hold);
    let bursts = used_up_at_this_pace(quota, rules, now).is_some() || held && lasts;
    bursts || !is_too_early(quota, rules, now) && (is_certain(quota, held, rules) || is_near(quota, held, rules, now))
}

fn is_certain(quota: &QuotaStatus, held: bool, rules: &Rules) -> bool {
    quota.forecast.exceed_probability >= if held { rules.raise } else { rules.imminent }
}

/// The median forecast reaches the limit soon; a forecast that wavers by half as much again changes nothing.
fn is_near(quota: &QuotaStatus, held: bool, rules: &Rules, now: DateTime<Utc>) -> bool {
    let within = imminent_within(quota, rules);
    let within = if held { within + within / 2 } else { within };
    quota.exhausted_at.is_some_and(|at| at - now <= within)
}

/// A window that has just begun has no forecast that could alarm anyone, unless a burst gives it one.
fn is_too_early(quota: &QuotaStatus, rules: &Rules, now: DateTime<Utc>) -> bool {
    let is_young = now - quota.window_start < scaled(rules.quiet_first, length(quota));
    is_young && !rolls(quota) && used_up_at_this_pace(quota, rules, now).is_none()
}

/// When the rest of the limit is used up at the present pace, where that pace is a burst: it takes no longer than
/// what is imminent, and the client is not used to it. A forecast takes an hour to believe a burst; at ten requests a
/// second, a day's 40,000 are gone in 67 minutes.
pub(super) fn used_up_at_this_pace(quota: &QuotaStatus, rules: &Rules, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let pace = quota.pace.per_minute;
    let is_usual = quota.pace.usual_max.is_some_and(|most| pace <= most as f64 * rules.burst_factor);
    let within = imminent_within(quota, rules);
    let minutes_left = quota.remaining as f64 / pace;
    let is_fast = quota.remaining > 0 && minutes_left * 60.0 <= within.num_seconds() as f64;
    if pace < rules.burst_least as f64 || is_usual || !is_fast {
        return None;
    }
    // At most `within`.
    let at = now + TimeDelta::seconds((minutes_left * 60.0) as i64);
    (rolls(quota) || at < quota.resets_at).then_some(at)
}

//! When a quota's levels are raised and cleared; every threshold of `[alert]` and of a quota's own `alert`.
//! This file never looks at a quota.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;

use super::Level;

/// Thresholds that have been checked: shares and probabilities lie between 0 and 1, `clear` below `raise`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// From this probability on the limit is projected to be passed ...
    pub raise: f64,
    /// ... until it falls below this one. At one threshold for both, a third of the alert days measured raised,
    /// cleared and raised again; with these two, one in twelve.
    pub clear: f64,
    /// From this probability on it is imminent; it ends below `raise`.
    pub imminent: f64,
    /// A limit that will be reached within this time is imminent.
    pub imminent_within: TimeDelta,
    /// A window's beginning says too little for probabilities to alarm anyone.
    pub quiet_first: TimeDelta,
    /// Percents of the limit that are levels, in ascending order.
    pub used: Vec<u8>,
    /// Where use can fall again, a used level ends so many points below its own.
    pub used_margin: u8,
    /// Fewer units in a minute than this are no burst: a client that has just been started by hand makes as many.
    pub burst_least: u64,
    /// A pace is a burst when it is so many times the client's busiest minute of the past week: the yearly
    /// maximum of an hourly job lies a little above the weekly one.
    pub burst_factor: f64,
    /// A burst is over when there was none for so long.
    pub burst_hold: TimeDelta,
    /// Whether a count that became a lower bound is said.
    pub not_exact: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            raise: 0.7,
            clear: 0.4,
            imminent: 0.9,
            imminent_within: TimeDelta::hours(2),
            quiet_first: TimeDelta::hours(1),
            used: vec![80, 95],
            used_margin: 5,
            burst_least: 30,
            burst_factor: 1.25,
            burst_hold: TimeDelta::minutes(15),
            not_exact: true,
        }
    }
}

/// What is said of every quota, and of counting itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Alerting {
    pub usual: Rules,
    /// By quota, where it has rules of its own.
    pub by_quota: BTreeMap<String, Rules>,
    /// Whether a source that fell silent is said.
    pub stale: bool,
    /// Whether commits that fail are said ...
    pub commit_failing: bool,
    /// ... and for how long they must have: the next ones may put it right.
    pub commit_failing_after: Duration,
}

impl Default for Alerting {
    fn default() -> Alerting {
        Alerting {
            usual: Rules::default(),
            by_quota: BTreeMap::new(),
            stale: true,
            commit_failing: true,
            commit_failing_after: Duration::from_secs(60),
        }
    }
}

impl Alerting {
    pub fn of(&self, quota: &str) -> &Rules {
        self.by_quota.get(quota).unwrap_or(&self.usual)
    }
}

/// Times are meant for a window of this length ...
const USUAL_WINDOW: TimeDelta = TimeDelta::hours(24);
/// ... and hold in longer ones and in days of 23 hours too; below this length they shrink with the window, or an
/// hour's window would be all quiet beginning and all imminent.
const SHORT_WINDOW: TimeDelta = TimeDelta::hours(12);

impl Rules {
    /// The levels that there are, mildest first.
    pub fn levels(&self) -> Vec<Level> {
        let used = self.used.iter().map(|percent| Level::Used(*percent));
        let mut levels: Vec<_> = used.chain([Level::Projected, Level::Imminent, Level::Exceeded]).collect();
        levels.sort();
        levels
    }
}

/// What this time comes to in a window of this length.
pub(super) fn scaled(time: TimeDelta, window: TimeDelta) -> TimeDelta {
    if window >= SHORT_WINDOW {
        return time;
    }
    let share = window.num_seconds().max(0) as f64 / USUAL_WINDOW.num_seconds() as f64;
    // Both are shorter than a day of seconds, so the product is.
    TimeDelta::milliseconds((time.num_milliseconds() as f64 * share) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_shrink_with_windows_that_are_shorter_than_half_a_day() {
        let two_hours = TimeDelta::hours(2);
        for (window_hours, minutes) in [(1, 5), (23, 120), (25, 120), (720, 120)] {
            assert_eq!(scaled(two_hours, TimeDelta::hours(window_hours)), TimeDelta::minutes(minutes));
        }
    }

    #[test]
    fn levels_follow_the_percents() {
        let rules = Rules { used: vec![50, 90], ..Rules::default() };
        let expected = [Level::Used(50), Level::Projected, Level::Used(90), Level::Imminent, Level::Exceeded];
        assert_eq!(rules.levels(), expected);
        assert_eq!(Rules::default().levels(), Level::USUAL);
    }
}

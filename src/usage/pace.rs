//! How fast units are used and requests come, against what is usual and what a burst may be. Pure arithmetic on
//! minutes; this file never reads a clock.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};

use crate::count::tally::Minutes;
use crate::day::Minute;
use crate::publish::snapshot::{BurstStatus, BusiestMinute};
use crate::quota::Burst;

/// A running minute says something of the pace once this much of it has passed: less would make a frenzy of the one
/// request in its first second, more would show a burst late.
const TELLING: TimeDelta = TimeDelta::seconds(20);

/// Units a minute: of the last whole minute, or the running one's at its own pace, whichever is more.
pub fn per_minute(minutes: &Minutes, now: DateTime<Utc>) -> f64 {
    let running = Minute::at(now);
    let units = |minute| minutes.get(&minute).copied().unwrap_or(0) as f64;
    let passed = now - running.start();
    let last = units(Minute(running.0.saturating_sub(1)));
    if passed < TELLING {
        return last;
    }
    last.max(units(running) * 60_000.0 / passed.num_milliseconds() as f64)
}

/// The busiest minute of a span.
pub fn busiest(minutes: &Minutes, span: Range<Minute>) -> u64 {
    minutes.range(span).map(|(_, units)| *units).max().unwrap_or(0)
}

/// How the requests of a window kept to the burst limit.
pub fn burst(limit: Burst, requests: &Minutes, window: Range<Minute>) -> BurstStatus {
    let of_window = || requests.range(window.clone());
    // Of equal minutes, the earliest.
    let busiest = of_window().rev().max_by_key(|(_, requests)| **requests);
    let above = of_window().filter(|(_, requests)| **requests > limit.per_minute());
    BurstStatus {
        limit: limit.to_string(),
        limit_per_minute: limit.per_minute(),
        busiest: busiest.map(|(minute, requests)| BusiestMinute { start: minute.start(), requests: *requests }),
        minutes_above: above.count() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_shows_within_half_a_minute_of_its_beginning() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().expect("an instant") };
        let running = Minute::at(at("2026-11-22T12:00:00Z"));
        let minutes = Minutes::from([(Minute(running.0 - 1), 30), (running, 250)]);
        assert_eq!(per_minute(&minutes, at("2026-11-22T12:00:19Z")), 30.0);
        assert_eq!(per_minute(&minutes, at("2026-11-22T12:00:25Z")), 600.0);
        let slowing = Minutes::from([(Minute(running.0 - 1), 30), (running, 10)]);
        assert_eq!(per_minute(&slowing, at("2026-11-22T12:00:50Z")), 30.0);
        assert_eq!(per_minute(&Minutes::new(), at("2026-11-22T12:00:50Z")), 0.0);
    }

    #[test]
    fn minutes_above_the_burst_limit_are_counted_and_the_busiest_named() {
        let requests: Minutes =
            [(9, 900), (10, 600), (11, 601), (12, 700), (13, 700)].map(|(m, n)| (Minute(m), n)).into();
        let limit: Burst = "10/s".parse().expect("a burst");
        let status = burst(limit, &requests, Minute(10)..Minute(20));
        assert_eq!((status.limit_per_minute, status.minutes_above), (600, 3));
        assert_eq!(status.busiest, Some(BusiestMinute { start: Minute(12).start(), requests: 700 }));
        assert_eq!(burst(limit, &requests, Minute(20)..Minute(30)).busiest, None);
    }
}

//! How fast units are used and requests come, against what is usual and what a burst may be. Pure arithmetic on
//! minutes; this file never reads a clock.

use std::ops::Range;

use chrono::{DateTime, Utc};

use crate::count::tally::Minutes;
use crate::day::Minute;
use crate::publish::snapshot::{BurstStatus, BusiestMinute};
use crate::quota::Burst;

/// Units of the last sixty seconds, as far as minutes tell: the running one's, and the share of the last one's that is
/// less than a minute old. The running minute at its own pace would make a frenzy of each job that begins with it.
pub fn per_minute(minutes: &Minutes, now: DateTime<Utc>) -> f64 {
    let running = Minute::at(now);
    let units = |minute| minutes.get(&minute).copied().unwrap_or(0) as f64;
    let left = 1.0 - (now - running.start()).as_seconds_f64() / 60.0;
    units(running) + units(Minute(running.0.saturating_sub(1))) * left
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
    fn a_burst_is_seen_as_it_grows_and_a_job_at_the_minutes_start_is_no_frenzy() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().expect("an instant") };
        let running = Minute::at(at("2026-11-22T12:00:00Z"));
        let minutes = Minutes::from([(Minute(running.0 - 1), 30), (running, 250)]);
        assert_eq!(per_minute(&minutes, at("2026-11-22T12:00:00Z")), 280.0);
        assert_eq!(per_minute(&minutes, at("2026-11-22T12:00:30Z")), 265.0);
        let job = Minutes::from([(running, 200)]);
        assert_eq!(per_minute(&job, at("2026-11-22T12:00:20Z")), 200.0);
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

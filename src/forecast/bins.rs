//! Counted minutes become the quarter hours of past days and of today, as a zone's wall clock shows them.
//! This file never reads a clock: now is a parameter.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;

use super::curve::BINS;
use super::{BIN_MINUTES, Holes, PastDay, Today};
use crate::count::tally::Minutes;
use crate::day::{DAY_MINUTES, Day, Minute, offset_minutes};

/// The days before `today` in `zone`, yesterday first, at most `days_max` back. Days before the first minute
/// ever counted are absent: nothing is known of them. Days after it without traffic are days of zero. The hour
/// that a clock change drops is empty; the hour that it doubles is summed.
pub fn past_days(minutes: &Minutes, zone: Tz, today: Day, days_max: u32, incomplete: &BTreeSet<Day>) -> Vec<PastDay> {
    let Some(first) = minutes.keys().next().map(|minute| Day::of(*minute, zone)) else {
        return Vec::new();
    };
    (1..=days_max)
        .map(|age| (age, today.plus(-i64::from(age))))
        .take_while(|(_, day)| *day >= first)
        .filter(|(_, day)| !day.span(zone).is_empty())
        .map(|(age, day)| PastDay {
            age,
            weekday: weekday(day),
            bins: wall_clock_bins(minutes, zone, day.span(zone)),
            holes: if incomplete.contains(&day) { Holes::ALL } else { Holes::NONE },
        })
        .collect()
}

/// The day that `zone` shows now. Everything counted in it is in its bins, stamps of the near future too:
/// they are used units all the same.
pub fn today(minutes: &Minutes, zone: Tz, now: DateTime<Utc>) -> Today {
    let day = Day::of(Minute::at(now), zone);
    let span = day.span(zone);
    let elapsed_seconds = (now - span.start.start()).num_seconds().clamp(0, i64::from(u32::MAX));
    Today {
        weekday: weekday(day),
        bins: elapsed_bins(minutes, &span),
        // The clamp above keeps the seconds exact.
        elapsed_minutes: elapsed_seconds as f64 / 60.0,
        day_minutes: f64::from(span.end.0 - span.start.0),
        holes: Holes::NONE,
    }
}

/// 0 Monday to 6 Sunday.
fn weekday(day: Day) -> u32 {
    day.0.weekday().num_days_from_monday()
}

fn wall_clock_bins(minutes: &Minutes, zone: Tz, span: Range<Minute>) -> Vec<u64> {
    let mut bins = vec![0_u64; BINS];
    // Offsets change at quarter hours, if at all: one look at the calendar serves fifteen minutes.
    let mut known = None;
    for (minute, units) in minutes.range(span) {
        let quarter = minute.0 / BIN_MINUTES;
        let offset = match known {
            Some((of, offset)) if of == quarter => offset,
            _ => offset_minutes(*minute, zone),
        };
        known = Some((quarter, offset));
        add(&mut bins, wall_clock_minute(*minute, offset), *units);
    }
    bins
}

/// Minutes since local midnight.
fn wall_clock_minute(minute: Minute, offset: i32) -> u32 {
    let local = i64::from(minute.0) + i64::from(offset);
    u32::try_from(local.rem_euclid(i64::from(DAY_MINUTES))).unwrap_or(0)
}

fn elapsed_bins(minutes: &Minutes, span: &Range<Minute>) -> Vec<u64> {
    let bins = (span.end.0 - span.start.0).div_ceil(BIN_MINUTES);
    let mut bins = vec![0_u64; bins as usize];
    for (minute, units) in minutes.range(span.clone()) {
        add(&mut bins, minute.0 - span.start.0, *units);
    }
    bins
}

fn add(bins: &mut [u64], minute: u32, units: u64) {
    let bin = &mut bins[(minute / BIN_MINUTES) as usize];
    *bin = bin.saturating_add(units);
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Tz = Tz::Europe__Berlin;

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    /// One unit every minute of these days.
    fn even(from: &str, to: &str) -> Minutes {
        (day(from).span(BERLIN).start.0..day(to).span(BERLIN).end.0).map(|minute| (Minute(minute), 1)).collect()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn the_hour_that_springs_forward_is_empty_and_the_one_that_falls_back_is_summed() {
        let spring = past_days(&even("2026-03-29", "2026-03-29"), BERLIN, day("2026-03-30"), 28, &BTreeSet::new());
        assert_eq!(spring[0].bins[6..14], [15, 15, 0, 0, 0, 0, 15, 15]);
        assert_eq!(spring[0].bins.iter().sum::<u64>(), 23 * 60);
        let autumn = past_days(&even("2026-10-25", "2026-10-25"), BERLIN, day("2026-10-26"), 28, &BTreeSet::new());
        assert_eq!(autumn[0].bins[6..14], [15, 15, 30, 30, 30, 30, 15, 15]);
    }

    #[test]
    fn days_before_the_first_minute_are_absent_and_silent_days_after_it_are_zero() {
        let minutes = even("2026-11-18", "2026-11-18");
        let incomplete = BTreeSet::from([day("2026-11-19")]);
        let days = past_days(&minutes, BERLIN, day("2026-11-22"), 28, &incomplete);
        let seen: Vec<_> = days
            .iter()
            .map(|day| (day.age, day.weekday, day.bins.iter().sum::<u64>(), day.holes == Holes::NONE))
            .collect();
        assert_eq!(seen, [(1, 5, 0, true), (2, 4, 0, true), (3, 3, 0, false), (4, 2, 1_440, true)]);
    }

    #[test]
    fn no_more_days_are_looked_at_than_asked_for() {
        let days = past_days(&even("2026-10-01", "2026-11-21"), BERLIN, day("2026-11-22"), 28, &BTreeSet::new());
        assert_eq!(days.len(), 28);
    }

    #[test]
    fn a_day_that_the_zone_skipped_is_no_day_of_zero() {
        let apia = Tz::Pacific__Apia;
        let minutes = Minutes::from([(day("2011-12-28").span(apia).start, 5)]);
        let ages: Vec<_> =
            past_days(&minutes, apia, day("2012-01-01"), 28, &BTreeSet::new()).iter().map(|day| day.age).collect();
        assert_eq!(ages, [1, 3, 4]);
    }

    #[test]
    fn today_is_measured_from_its_own_start() {
        let minutes = even("2026-10-25", "2026-10-25");
        let today = today(&minutes, BERLIN, at("2026-10-25T04:30:30Z"));
        assert_eq!((today.elapsed_minutes, today.day_minutes, today.bins.len()), (390.5, 1_500.0, 100));
        assert_eq!((today.weekday, today.bins.iter().sum::<u64>()), (6, 1_500));
    }

    #[test]
    fn counts_at_the_top_of_their_range_do_not_overflow() {
        let start = day("2026-11-22").span(BERLIN).start;
        let minutes = Minutes::from([(start, u64::MAX), (Minute(start.0 + 1), 2)]);
        assert_eq!(today(&minutes, BERLIN, at("2026-11-22T10:00:00Z")).bins[0], u64::MAX);
    }
}

//! Counted minutes become the quarter hours of past days and of today, as a zone's wall clock shows them, from one
//! reset to the next.
//! This file never reads a clock: now is a parameter.

use std::ops::Range;

use chrono::{DateTime, Utc};

use super::curve::BINS;
use super::{BIN_MINUTES, HISTORY_DAYS, Holes, PastDay, Today};
use crate::count::query::Incomplete;
use crate::count::tally::Minutes;
use crate::day::{Calendar, DAY_MINUTES, Day, Minute, offset_minutes};

/// The days before `today`, yesterday first, at most `days_max` back. Days before the first minute ever counted are
/// absent: nothing is known of them, nor of what the first day holds before it. Days after it without traffic are days
/// of zero. The hour that a clock change drops is empty, the one that it doubles is summed, and both are holes.
pub fn past_days(
    minutes: &Minutes,
    calendar: Calendar,
    today: Day,
    days_max: u32,
    incomplete: &Incomplete,
) -> Vec<PastDay> {
    // What lies before the history is not looked at, so that its first days are as known as they are after a restart.
    let begins = history_start(calendar, today, days_max);
    let Some((first, _)) = minutes.range(begins..).next() else {
        return Vec::new();
    };
    let first_day = calendar.day_of(*first);
    (1..=days_max)
        .map(|age| (age, today.plus(-i64::from(age))))
        .take_while(|(_, day)| *day >= first_day)
        .filter(|(_, day)| !calendar.span(*day).is_empty())
        .map(|(age, day)| {
            let span = calendar.span(day);
            let place = |minute: Minute| calendar.wall_minute(minute);
            let holes = holes(&span, *first, incomplete, place).and(clock_change_holes(&span, place));
            PastDay { age, weekday: calendar.weekday(day), bins: wall_clock_bins(minutes, calendar, span), holes }
        })
        .collect()
}

/// Where the history of this many days before `today` begins: a day earlier, for the first minute counted is only
/// then known not to be the first that was looked at.
pub fn history_start(calendar: Calendar, today: Day, days_max: u32) -> Minute {
    calendar.start(today.plus(-i64::from(days_max) - 1))
}

/// The calendar's day that holds `now`. Everything counted in it is in its bins, stamps of the near future too:
/// they are used units all the same.
pub fn today(minutes: &Minutes, calendar: Calendar, now: DateTime<Utc>, incomplete: &Incomplete) -> Today {
    let day = calendar.day_of(Minute::at(now));
    let span = calendar.span(day);
    let elapsed_seconds = (now - span.start.start()).num_seconds().clamp(0, i64::from(u32::MAX));
    let first = minutes.range(history_start(calendar, day, HISTORY_DAYS)..).next();
    let first = first.map_or(span.start, |(minute, _)| *minute);
    let place = |minute: Minute| minute.0 - span.start.0;
    Today {
        weekday: calendar.weekday(day),
        bins: elapsed_bins(minutes, &span),
        // The clamp above keeps the seconds exact.
        elapsed_minutes: elapsed_seconds as f64 / 60.0,
        day_minutes: f64::from(span.end.0 - span.start.0),
        holes: holes(&span, first, incomplete, place),
        clock_change_minutes: clock_change_minutes(&span, calendar),
    }
}

/// Minutes after its start at which the day's wall clock is first not what they say.
fn clock_change_minutes(span: &Range<Minute>, calendar: Calendar) -> f64 {
    if span.end.0 - span.start.0 == DAY_MINUTES {
        return 0.0;
    }
    let mut quarters = (span.start.0..span.end.0).step_by(BIN_MINUTES as usize);
    let change = quarters.find(|minute| calendar.wall_minute(Minute(*minute)) != minute - span.start.0);
    f64::from(change.unwrap_or(span.end.0) - span.start.0)
}

/// The bins that the wall clock of a past day showed never, or twice.
fn clock_change_holes(span: &Range<Minute>, place: impl Fn(Minute) -> u32) -> Holes {
    if span.end.0 - span.start.0 == DAY_MINUTES {
        return Holes::NONE;
    }
    let mut shown = [0_u8; BINS];
    for minute in (span.start.0..span.end.0).step_by(BIN_MINUTES as usize) {
        let bin = (place(Minute(minute)) / BIN_MINUTES) as usize;
        shown[bin] = shown[bin].saturating_add(1);
    }
    (0..BINS).filter(|bin| shown[*bin] != 1).fold(Holes::NONE, Holes::with)
}

/// The bins of which counts may be missing: those that a reason's bounds touch, and those before anything was counted.
/// `place` gives the minute of a day's bins that a minute is in.
fn holes(span: &Range<Minute>, first: Minute, incomplete: &Incomplete, place: impl Fn(Minute) -> u32) -> Holes {
    let before_first = (first > span.start).then(|| span.start..Minute(first.0 - first.0 % BIN_MINUTES));
    let days = span.start.utc_day()..=Minute(span.end.0.saturating_sub(1)).utc_day();
    let reasons = incomplete.range(days).flat_map(|(_, of)| of.reasons());
    let doubtful = reasons.map(|reason| Minute::at(reason.since)..Minute(Minute::at(reason.until).0.saturating_add(1)));
    let mut holes = Holes::NONE;
    for missing in doubtful.chain(before_first) {
        let (from, to) = (missing.start.max(span.start), missing.end.min(span.end));
        // A bin is never wider than the step: none is passed over; the last minute may lie in one more.
        let last = (from < to).then(|| to.0 - 1);
        for minute in (from.0..to.0).step_by(BIN_MINUTES as usize).chain(last) {
            holes = holes.with((place(Minute(minute)) / BIN_MINUTES) as usize);
        }
    }
    holes
}

fn wall_clock_bins(minutes: &Minutes, calendar: Calendar, span: Range<Minute>) -> Vec<u64> {
    let mut bins = vec![0_u64; BINS];
    // Offsets change at quarter hours, if at all: one look at the calendar serves fifteen minutes.
    let mut known = None;
    for (minute, units) in minutes.range(span) {
        let quarter = minute.0 / BIN_MINUTES;
        let offset = match known {
            Some((of, offset)) if of == quarter => offset,
            _ => offset_minutes(*minute, calendar.zone()),
        };
        known = Some((quarter, offset));
        add(&mut bins, calendar.wall_minute_at(*minute, offset), *units);
    }
    bins
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
    use chrono_tz::Tz;

    use super::*;
    use crate::count::ledger::{Completeness, Reason};

    const BERLIN: Tz = Tz::Europe__Berlin;

    /// A loss between these two instants, as the days that it touches tell it.
    fn loss(since: &str, until: &str) -> Incomplete {
        let reason = Reason::between(at(since), at(until), "a.log was truncated".to_owned());
        let mut completeness = Completeness::Exact;
        completeness.add([reason.clone()]);
        reason.days(9).map(|day| (day, completeness.clone())).collect()
    }

    fn holes_of(holes: Holes) -> Vec<usize> {
        (0..100).filter(|bin| holes.contains(*bin)).collect()
    }

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
    fn the_hour_that_springs_forward_is_empty_and_the_one_that_falls_back_is_summed_and_both_are_holes() {
        let spring =
            past_days(&even("2026-03-29", "2026-03-29"), BERLIN.into(), day("2026-03-30"), 28, &Incomplete::new());
        assert_eq!(spring[0].bins[6..14], [15, 15, 0, 0, 0, 0, 15, 15]);
        assert_eq!(spring[0].bins.iter().sum::<u64>(), 23 * 60);
        let autumn =
            past_days(&even("2026-10-25", "2026-10-25"), BERLIN.into(), day("2026-10-26"), 28, &Incomplete::new());
        assert_eq!(autumn[0].bins[6..14], [15, 15, 30, 30, 30, 30, 15, 15]);
        let lost = (8..12).fold(Holes::NONE, Holes::with);
        assert_eq!((spring[0].holes, autumn[0].holes), (lost, lost), "neither is like other days'");
    }

    #[test]
    fn days_before_the_first_minute_are_absent_and_silent_days_after_it_are_zero() {
        let minutes = even("2026-11-18", "2026-11-18");
        let incomplete = loss("2026-11-19T10:00:00Z", "2026-11-19T10:20:00Z");
        let days = past_days(&minutes, BERLIN.into(), day("2026-11-22"), 28, &incomplete);
        let seen: Vec<_> = days
            .iter()
            .map(|day| (day.age, day.weekday, day.bins.iter().sum::<u64>(), day.holes == Holes::NONE))
            .collect();
        assert_eq!(seen, [(1, 5, 0, true), (2, 4, 0, true), (3, 3, 0, false), (4, 2, 1_440, true)]);
    }

    #[test]
    fn no_more_days_are_looked_at_than_asked_for() {
        let days =
            past_days(&even("2026-10-01", "2026-11-21"), BERLIN.into(), day("2026-11-22"), 28, &Incomplete::new());
        assert_eq!(days.len(), 28);
    }

    #[test]
    fn a_day_that_the_zone_skipped_is_no_day_of_zero() {
        let apia = Tz::Pacific__Apia;
        let minutes = Minutes::from([(day("2011-12-28").span(apia).start, 5)]);
        let ages: Vec<_> = past_days(&minutes, apia.into(), day("2012-01-01"), 28, &Incomplete::new())
            .iter()
            .map(|day| day.age)
            .collect();
        assert_eq!(ages, [1, 3, 4]);
    }

    #[test]
    fn today_is_measured_from_its_own_start() {
        let minutes = even("2026-10-25", "2026-10-25");
        let today = today(&minutes, BERLIN.into(), at("2026-10-25T04:30:30Z"), &Incomplete::new());
        assert_eq!((today.elapsed_minutes, today.day_minutes, today.bins.len()), (390.5, 1_500.0, 100));
        assert_eq!((today.weekday, today.bins.iter().sum::<u64>()), (6, 1_500));
        assert_eq!(today.clock_change_minutes, 180.0);
    }

    #[test]
    fn counts_at_the_top_of_their_range_do_not_overflow() {
        let start = day("2026-11-22").span(BERLIN).start;
        let minutes = Minutes::from([(start, u64::MAX), (Minute(start.0 + 1), 2)]);
        assert_eq!(today(&minutes, BERLIN.into(), at("2026-11-22T10:00:00Z"), &Incomplete::new()).bins[0], u64::MAX);
    }

    #[test]
    fn only_the_quarter_hours_that_a_loss_touches_are_holes() {
        let minutes = even("2026-11-18", "2026-11-22");
        // 23:40 to 01:10 in Berlin.
        let incomplete = loss("2026-11-20T22:40:00Z", "2026-11-21T00:10:00Z");
        let days = past_days(&minutes, BERLIN.into(), day("2026-11-22"), 3, &incomplete);
        let holes: Vec<_> = days.iter().map(|day| holes_of(day.holes)).collect();
        assert_eq!(holes, [vec![0, 1, 2, 3, 4], vec![94, 95], vec![]]);
        let today = today(&minutes, BERLIN.into(), at("2026-11-21T12:00:00Z"), &incomplete);
        assert_eq!(holes_of(today.holes), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_the_first_day_holds_before_its_first_minute_is_not_known() {
        let from = Minute::at(at("2026-11-20T08:07:00Z"));
        let minutes = even("2026-11-20", "2026-11-21").split_off(&from);
        let days = past_days(&minutes, BERLIN.into(), day("2026-11-22"), 28, &Incomplete::new());
        assert_eq!(days.len(), 2);
        assert_eq!(holes_of(days[1].holes), (0..36).collect::<Vec<_>>(), "up to 09:00 in Berlin");
        assert_eq!(holes_of(days[0].holes), [0_usize; 0]);
        let first_day = today(&minutes, BERLIN.into(), at("2026-11-20T12:00:00Z"), &Incomplete::new());
        assert_eq!(holes_of(first_day.holes), (0..36).collect::<Vec<_>>());
    }

    /// The hour that the wall clock shows twice is a hole as a whole on a past day; today each of both is itself.
    #[test]
    fn holes_follow_the_wall_clock_of_days_on_which_it_changes() {
        let minutes = even("2026-10-20", "2026-10-25");
        let incomplete = loss("2026-10-25T01:00:00Z", "2026-10-25T01:14:00Z");
        let later = loss("2026-10-25T09:00:00Z", "2026-10-25T09:14:00Z");
        let days = past_days(&minutes, BERLIN.into(), day("2026-10-26"), 1, &later);
        assert_eq!(holes_of(days[0].holes), [8, 9, 10, 11, 40], "02:00 is doubled; 10:00 is ten hours by the clock");
        let today = today(&minutes, BERLIN.into(), at("2026-10-25T12:00:00Z"), &incomplete);
        assert_eq!(holes_of(today.holes), [12], "three hours after its start");
    }

    #[test]
    fn a_day_is_the_quotas_own_from_reset_to_reset() {
        let three = Calendar::new(BERLIN, 3 * 60);
        let minutes = even("2026-11-18", "2026-11-22");
        let days = past_days(&minutes, three, day("2026-11-21"), 9, &Incomplete::new());
        assert_eq!(days.iter().map(|day| day.bins.iter().sum::<u64>()).collect::<Vec<_>>(), [1_440, 1_440, 1_440, 180]);
        assert_eq!(holes_of(days[3].holes), (0..84).collect::<Vec<_>>(), "the 17th, before midnight");
        let today = today(&minutes, three, at("2026-11-22T03:00:00Z"), &Incomplete::new());
        assert_eq!((today.elapsed_minutes, today.weekday), (60.0, 6));
    }
}

//! A zone's calendar whose days begin at a reset time: minutes become its days, months and hours, and back.
//! This file never reads a clock.

use std::ops::Range;

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use super::{DAY_MINUTES, Day, Minute, offset_minutes};

/// Days as a zone's wall clock tells them, from one reset to the next. A day is named by the date on which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    zone: Tz,
    /// Minutes of the wall clock after midnight.
    reset_minutes: u32,
}

/// Days that begin at midnight.
impl From<Tz> for Calendar {
    fn from(zone: Tz) -> Calendar {
        Calendar { zone, reset_minutes: 0 }
    }
}

impl Calendar {
    /// Days that begin this many minutes of the wall clock after midnight, of which a day has 1,440.
    pub fn new(zone: Tz, reset_minutes: u32) -> Calendar {
        assert!(reset_minutes < DAY_MINUTES, "the configuration has checked the time");
        Calendar { zone, reset_minutes }
    }

    pub fn zone(self) -> Tz {
        self.zone
    }

    /// When this day begins: at the first instant at which the clock has reached its reset. A reset that clocks skip
    /// is at the end of what they skip; of one that comes twice, the first counts.
    pub fn start(self, day: Day) -> Minute {
        let midnight = day.0.and_time(chrono::NaiveTime::MIN);
        first_minute(midnight + TimeDelta::minutes(i64::from(self.reset_minutes)), self.zone)
    }

    /// The minutes of this day: usually 1,440, more or fewer where clocks change, none where the calendar skipped it.
    pub fn span(self, day: Day) -> Range<Minute> {
        self.start(day)..self.start(day.next())
    }

    /// The day that holds this minute.
    pub fn day_of(self, minute: Minute) -> Day {
        let guess = Day((minute.local(self.zone) - TimeDelta::minutes(i64::from(self.reset_minutes))).date());
        // Where the clock goes back over a reset, the day has begun though the clock shows the one before again.
        if self.start(guess.next()) <= minute {
            guess.next()
        } else if minute < self.start(guess) {
            guess.previous()
        } else {
            guess
        }
    }

    /// The month that holds this minute, from one `first_day` (1 to 31) to the next, held to the month's last day.
    pub fn month_span(self, minute: Minute, first_day: u32) -> Range<Minute> {
        let day = self.day_of(minute);
        let this = month_start(day, first_day);
        let (from, to) = if this <= day {
            (this, month_start(day.next_month(), first_day))
        } else {
            (month_start(day.month().previous(), first_day), this)
        };
        self.start(from)..self.start(to)
    }

    /// The hour of the zone's clock that holds this minute: a new one begins whenever the clock shows a full hour,
    /// also again, or jumps over one.
    pub fn hour_span(self, minute: Minute) -> Range<Minute> {
        let start = Minute(minute.0.saturating_sub(minute.local(self.zone).minute()));
        let end = Minute(start.0.saturating_add(60));
        if offset_minutes(start, self.zone) == offset_minutes(end, self.zone) {
            return start..end;
        }
        let begins = |minute: &Minute| self.is_full_hour(*minute);
        // The clock changes by at most a day, but shows a full hour within two of real time either way.
        let before = (minute.0.saturating_sub(2 * 60)..=minute.0).rev().map(Minute).find(begins);
        let after = (minute.0.saturating_add(1)..=minute.0.saturating_add(2 * 60)).map(Minute).find(begins);
        before.unwrap_or(start)..after.unwrap_or(end)
    }

    fn is_full_hour(self, minute: Minute) -> bool {
        let (now, before) = (minute.local(self.zone), Minute(minute.0.saturating_sub(1)).local(self.zone));
        now.minute() == 0 || (now.date(), now.hour()) != (before.date(), before.hour())
    }

    /// Minutes of the wall clock since it last showed the reset time: 0 to 1,439.
    pub fn wall_minute(self, minute: Minute) -> u32 {
        self.wall_minute_at(minute, offset_minutes(minute, self.zone))
    }

    /// The same where the offset from UTC is known already.
    pub fn wall_minute_at(self, minute: Minute, offset_minutes: i32) -> u32 {
        let local = i64::from(minute.0) + i64::from(offset_minutes) - i64::from(self.reset_minutes);
        u32::try_from(local.rem_euclid(i64::from(DAY_MINUTES))).unwrap_or(0)
    }

    /// The weekday that most of the day lies on, 0 Monday to 6 Sunday.
    pub fn weekday(self, day: Day) -> u32 {
        let middle = if self.reset_minutes > DAY_MINUTES / 2 { day.next() } else { day };
        middle.0.weekday().num_days_from_monday()
    }

    /// When the wall clock showed the same time some days before.
    pub fn days_before(self, minute: Minute, days: u32) -> Minute {
        first_minute(minute.local(self.zone) - TimeDelta::days(i64::from(days)), self.zone)
    }
}

fn month_start(of: Day, first_day: u32) -> Day {
    let last = of.next_month().previous().0.day();
    Day(of.0.with_day(first_day.clamp(1, last)).unwrap_or(of.0))
}

/// The first minute at which `zone`'s clock shows this time or a later one.
///
/// The time may not exist (clocks spring forward over it) or come twice; whichever way, it is reached at the first
/// instant whose local time is not before it. Local times never go back by more than the hours that a zone's offset
/// can change, so a search over the 30 hours around the same time in UTC is enough.
fn first_minute(local: NaiveDateTime, zone: Tz) -> Minute {
    if let Some(instant) = zone.from_local_datetime(&local).earliest() {
        let before = instant - TimeDelta::minutes(1);
        if before.naive_local() < local {
            return Minute::at(super::ceil_to_minute(instant.with_timezone(&Utc)));
        }
    }
    let same_in_utc = Minute::at(local.and_utc());
    let hours = 15 * 60;
    let mut minutes = same_in_utc.0.saturating_sub(hours)..same_in_utc.0.saturating_add(hours);
    let found = minutes.find(|minute| Minute(*minute).local(zone) >= local);
    Minute(found.unwrap_or(same_in_utc.0.saturating_add(hours)))
}

/// `03:00` as minutes after midnight.
pub fn parse_clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(());
    two_digits(hours).and(two_digits(minutes))?;
    let time = NaiveDate::MIN.and_hms_opt(hours.parse().ok()?, minutes.parse().ok()?, 0)?;
    Some(time.hour() * 60 + time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Minute {
        Minute::at(text.parse().expect("an instant"))
    }

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    #[test]
    fn a_day_begins_at_its_reset_and_is_named_by_the_date_on_which_it_begins() {
        let calendar = Calendar::new(Tz::Europe__Berlin, 3 * 60);
        assert_eq!(calendar.span(day("2026-11-22")), at("2026-11-22T02:00:00Z")..at("2026-11-23T02:00:00Z"));
        assert_eq!(calendar.day_of(at("2026-11-23T01:59:00Z")), day("2026-11-22"));
        assert_eq!(calendar.wall_minute(at("2026-11-23T01:59:00Z")), 1_439);
        assert_eq!(
            (calendar.weekday(day("2026-11-22")), Calendar::new(Tz::UTC, 1_380).weekday(day("2026-11-22"))),
            (6, 0)
        );
    }

    #[test]
    fn a_reset_that_clocks_skip_is_where_they_go_on_and_one_that_comes_twice_counts_once() {
        let calendar = Calendar::new(Tz::Europe__Berlin, 2 * 60 + 30);
        assert_eq!(calendar.start(day("2026-03-29")), at("2026-03-29T01:00:00Z"), "02:30 does not exist");
        assert_eq!(calendar.start(day("2026-10-25")), at("2026-10-25T00:30:00Z"), "02:30 comes twice");
        assert_eq!(calendar.day_of(at("2026-10-25T01:10:00Z")), day("2026-10-25"), "02:10 again");
    }

    #[test]
    fn months_begin_at_their_day_or_at_the_last_they_have() {
        let calendar = Calendar::new(Tz::UTC, 60);
        let span = |minute, first_day| calendar.month_span(at(minute), first_day);
        assert_eq!(span("2026-02-10T00:00:00Z", 1), at("2026-02-01T01:00:00Z")..at("2026-03-01T01:00:00Z"));
        assert_eq!(span("2026-03-01T00:30:00Z", 1), at("2026-02-01T01:00:00Z")..at("2026-03-01T01:00:00Z"));
        assert_eq!(span("2026-03-14T00:00:00Z", 15), at("2026-02-15T01:00:00Z")..at("2026-03-15T01:00:00Z"));
        assert_eq!(span("2026-03-01T00:00:00Z", 31), at("2026-02-28T01:00:00Z")..at("2026-03-31T01:00:00Z"));
        assert_eq!(span("2026-02-28T01:00:00Z", 30), at("2026-02-28T01:00:00Z")..at("2026-03-30T01:00:00Z"));
    }

    #[test]
    fn an_hour_is_the_clocks_and_the_one_that_comes_twice_is_two() {
        let hour = |zone: Tz, minute| Calendar::from(zone).hour_span(at(minute));
        assert_eq!(
            hour(Tz::Asia__Kolkata, "2026-11-22T10:00:00Z"),
            at("2026-11-22T09:30:00Z")..at("2026-11-22T10:30:00Z")
        );
        let los_angeles = |minute| hour(Tz::America__Los_Angeles, minute);
        assert_eq!(los_angeles("2026-11-01T08:59:00Z"), at("2026-11-01T08:00:00Z")..at("2026-11-01T09:00:00Z"));
        assert_eq!(los_angeles("2026-11-01T09:00:00Z"), at("2026-11-01T09:00:00Z")..at("2026-11-01T10:00:00Z"));
        // At 02:00 the clock goes back to 01:30: from 01:00 to the next 02:00 are 90 minutes.
        assert_eq!(
            hour(Tz::Australia__Lord_Howe, "2026-04-04T15:05:00Z"),
            at("2026-04-04T14:00:00Z")..at("2026-04-04T15:30:00Z")
        );
    }

    /// Resets that clocks skip or repeat in some zone among them, and a day of each month that some months lack.
    const RESETS: [u32; 5] = [0, 30, 2 * 60 + 30, 3 * 60, 23 * 60 + 45];

    fn tiles(what: &str, from: Minute, to: Minute, span_at: impl Fn(Minute) -> Range<Minute>) {
        let mut span = span_at(from);
        while span.end < to {
            assert!(span.start < span.end, "{what}: {span:?}");
            let middle = Minute(u32::midpoint(span.start.0, span.end.0));
            for minute in [span.start, middle, Minute(span.end.0 - 1)] {
                assert_eq!(span_at(minute), span, "{what} at {minute:?}");
            }
            let next = span_at(span.end);
            assert_eq!(next.start, span.end, "{what}");
            span = next;
        }
    }

    #[test]
    fn days_and_months_tile_time_in_every_zone() {
        let (from, to) = (at("2026-01-01T00:00:00Z"), at("2027-01-03T00:00:00Z"));
        for zone in chrono_tz::TZ_VARIANTS {
            for reset in [0, 150] {
                let calendar = Calendar::new(zone, reset);
                tiles(&format!("{zone} days from {reset}"), from, to, |minute| calendar.span(calendar.day_of(minute)));
            }
            for first_day in [1, 31] {
                let calendar = Calendar::new(zone, 150);
                tiles(&format!("{zone} months"), from, to, |minute| calendar.month_span(minute, first_day));
            }
        }
    }

    #[test]
    fn hours_tile_time_where_clocks_change() {
        for zone in chrono_tz::TZ_VARIANTS {
            let calendar = Calendar::from(zone);
            let changes = changes_of(zone, at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
            for change in changes {
                let around = (Minute(change.0 - 300), Minute(change.0 + 300));
                tiles(&format!("{zone} hours"), around.0, around.1, |minute| calendar.hour_span(minute));
            }
        }
    }

    /// The hours in which a zone's offset changes.
    fn changes_of(zone: Tz, from: Minute, to: Minute) -> Vec<Minute> {
        let hours = (from.0..to.0).step_by(60).map(Minute);
        hours.filter(|hour| offset_minutes(*hour, zone) != offset_minutes(Minute(hour.0 + 60), zone)).collect()
    }

    /// Days that zones skipped, and midnights that do not exist.
    #[test]
    fn days_tile_time_where_calendars_were_odd() {
        let odd = [
            (Tz::Pacific__Apia, "2011-12-28T00:00:00Z", "2012-01-02T00:00:00Z"),
            (Tz::Pacific__Kwajalein, "1993-08-19T00:00:00Z", "1993-08-25T00:00:00Z"),
            (Tz::America__Sao_Paulo, "2018-11-02T00:00:00Z", "2018-11-07T00:00:00Z"),
            (Tz::America__Sao_Paulo, "2019-02-14T00:00:00Z", "2019-02-20T00:00:00Z"),
        ];
        for (zone, from, to) in odd {
            for reset in RESETS {
                let calendar = Calendar::new(zone, reset);
                let span_at = |minute| calendar.span(calendar.day_of(minute));
                tiles(&format!("{zone} from {reset}"), at(from), at(to), span_at);
            }
        }
    }

    #[test]
    fn a_clock_time_has_two_digits_each() {
        let read = ["03:00", "23:59", "24:00", "3:00", "03:60", "0300", "+3:00"].map(parse_clock);
        assert_eq!(read, [Some(180), Some(1_439), None, None, None, None, None]);
    }

    #[test]
    fn days_before_show_the_same_clock() {
        let berlin = Calendar::from(Tz::Europe__Berlin);
        assert_eq!(berlin.days_before(at("2026-10-26T11:00:00Z"), 7), at("2026-10-19T10:00:00Z"));
        assert_eq!(berlin.days_before(at("2026-03-30T00:30:00Z"), 1), at("2026-03-29T01:00:00Z"), "02:30 was skipped");
    }
}

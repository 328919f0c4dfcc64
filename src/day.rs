//! All calendar arithmetic: minutes, UTC days, and days, weeks and months as a time zone sees them.
//! This file never reads a clock; every instant is a parameter.

mod calendar;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

pub use calendar::{Calendar, parse_clock};

/// The two clocks: what time it is for people, and how long this process runs, which never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub wall: DateTime<Utc>,
    pub uptime: Duration,
}

impl Now {
    /// The first instant of a run.
    pub fn first(wall: DateTime<Utc>) -> Now {
        Now { wall, uptime: Duration::ZERO }
    }
}

/// The grain of time: whole minutes since 1970-01-01T00:00Z, always UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minute(pub u32);

/// Minutes in a UTC day.
pub const DAY_MINUTES: u32 = 24 * 60;

impl Minute {
    /// The minute that holds this instant; `None` before 1970 and after the year 10136.
    pub fn of_unix_seconds(seconds: i64) -> Option<Minute> {
        u32::try_from(seconds.div_euclid(60)).ok().map(Minute)
    }

    /// The minute that holds this instant, held inside what a `Minute` can say.
    pub fn at(instant: DateTime<Utc>) -> Minute {
        let minutes = instant.timestamp().div_euclid(60);
        Minute(u32::try_from(minutes.max(0)).unwrap_or(u32::MAX))
    }

    /// The instant at which this minute begins.
    pub fn start(self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(i64::from(self.0))
    }

    /// The UTC day this minute lies in: the day whose ledger file holds it.
    pub fn utc_day(self) -> Day {
        Day(self.start().date_naive())
    }

    /// This minute's wall clock in `zone`.
    pub fn local(self, zone: Tz) -> NaiveDateTime {
        self.start().with_timezone(&zone).naive_local()
    }
}

/// A calendar day, in whichever zone the context names (the ledger's days are UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub NaiveDate);

impl Day {
    /// The day `zone`'s calendar shows at this minute.
    pub fn of(minute: Minute, zone: Tz) -> Day {
        Day(minute.local(zone).date())
    }

    /// The minutes of this day in `zone`: 1,380, 1,440 or 1,500 of them where clocks change, none where
    /// the zone's calendar skipped the day.
    pub fn span(self, zone: Tz) -> Range<Minute> {
        Calendar::from(zone).span(self)
    }

    pub fn next(self) -> Day {
        self.plus(1)
    }

    pub fn previous(self) -> Day {
        self.plus(-1)
    }

    /// This day moved by whole days; at the calendar's ends it stays where it is.
    pub fn plus(self, days: i64) -> Day {
        let distance = Days::new(days.unsigned_abs());
        let moved = if days < 0 { self.0.checked_sub_days(distance) } else { self.0.checked_add_days(distance) };
        Day(moved.unwrap_or(self.0))
    }

    /// The Monday of this day's ISO week.
    pub fn week(self) -> Day {
        self.plus(-i64::from(self.0.weekday().num_days_from_monday()))
    }

    /// The first day of this day's month.
    pub fn month(self) -> Day {
        Day(self.0.with_day(1).unwrap_or(self.0))
    }

    /// The first day of the month after this day's.
    pub fn next_month(self) -> Day {
        Day(self.month().0.checked_add_months(Months::new(1)).unwrap_or(self.0))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Day, String> {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map(Day)
            .map_err(|_| format!("{text:?} is not a day; write it as 2026-11-22"))
    }
}

/// Offsets of a fraction of a minute (some zones before 1972) move a day's start up to a whole minute.
fn ceil_to_minute(instant: DateTime<Utc>) -> DateTime<Utc> {
    match instant.second() {
        0 => instant,
        second => instant + TimeDelta::seconds(60 - i64::from(second)),
    }
}

/// How far `zone`'s clock is from UTC at this minute, in minutes.
pub fn offset_minutes(minute: Minute, zone: Tz) -> i32 {
    zone.offset_from_utc_datetime(&minute.start().naive_utc()).fix().local_minus_utc().div_euclid(60)
}

/// The zone of this IANA name, or a sentence that offers the nearest name there is.
pub fn parse_zone(name: &str) -> Result<Tz, String> {
    name.parse::<Tz>().map_err(|_| {
        let lower = name.to_lowercase();
        let nearest = chrono_tz::TZ_VARIANTS
            .iter()
            .map(|zone| (strsim::jaro_winkler(&zone.name().to_lowercase(), &lower), zone.name()))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map_or("UTC", |(_, name)| name);
        format!("{name:?} is not an IANA time zone; did you mean {nearest:?}?")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(day: &str, zone: Tz) -> u32 {
        let span = day.parse::<Day>().expect("a day").span(zone);
        span.end.0 - span.start.0
    }

    #[test]
    fn days_where_clocks_change_have_23_and_25_hours() {
        assert_eq!(minutes("2026-03-08", Tz::America__Los_Angeles), 23 * 60);
        assert_eq!(minutes("2026-11-01", Tz::America__Los_Angeles), 25 * 60);
        assert_eq!(minutes("2026-11-02", Tz::America__Los_Angeles), 24 * 60);
    }

    #[test]
    fn a_half_hour_clock_change_makes_a_day_of_half_hours() {
        assert_eq!(minutes("2026-04-05", Tz::Australia__Lord_Howe), 24 * 60 + 30);
    }

    #[test]
    fn a_day_whose_midnight_does_not_exist_begins_at_the_first_instant_there_is() {
        let day: Day = "2018-11-04".parse().expect("a day");
        assert_eq!(minutes("2018-11-04", Tz::America__Sao_Paulo), 23 * 60);
        assert_eq!(
            day.span(Tz::America__Sao_Paulo).start.local(Tz::America__Sao_Paulo).to_string(),
            "2018-11-04 01:00:00"
        );
    }

    #[test]
    fn a_day_that_the_zone_skipped_is_empty() {
        assert_eq!(minutes("2011-12-30", Tz::Pacific__Apia), 0);
    }

    /// In every zone, each day begins where the one before ends, and every minute lies in the day that
    /// claims it.
    #[test]
    fn days_tile_time_in_every_zone() {
        for zone in chrono_tz::TZ_VARIANTS {
            let mut day: Day = "2026-01-01".parse().expect("a day");
            while day.0.year() < 2027 {
                let span = day.span(zone);
                assert_eq!(span.end, day.next().span(zone).start, "{zone} {day}");
                assert_eq!(Day::of(span.start, zone), day, "{zone} {day}");
                assert_eq!(Day::of(Minute(span.end.0 - 1), zone), day, "{zone} {day}");
                day = day.next();
            }
        }
    }

    #[test]
    fn an_unknown_zone_is_answered_with_the_nearest() {
        let error = parse_zone("Europe/Berln").expect_err("no such zone");
        assert_eq!(error, "\"Europe/Berln\" is not an IANA time zone; did you mean \"Europe/Berlin\"?");
    }
}

//! What a report groups by: a minute becomes its hour, day, week or month on a zone's calendar, and labels
//! become themselves. Each combination is made once and then known by a number.
//! This file never adds anything up.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hash;
use std::ops::Range;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use hashbrown::HashMap;

use crate::day::{Day, Minute, offset_minutes};
use crate::quota::{Column, Match};

/// What a report groups by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    Hour,
    Day,
    Week,
    Month,
    Label(Column),
}

impl By {
    fn name(self) -> &'static str {
        match self {
            By::Hour => "hour",
            By::Day => "day",
            By::Week => "week",
            By::Month => "month",
            By::Label(column) => column.name(),
        }
    }

    fn all() -> impl Iterator<Item = By> {
        [By::Hour, By::Day, By::Week, By::Month].into_iter().chain(Column::ALL.map(By::Label))
    }
}

impl fmt::Display for By {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<By, String> {
        if let Some(by) = By::all().find(|by| by.name() == text) {
            return Ok(by);
        }
        let names: Vec<_> = By::all().map(By::name).collect();
        let likeness = |name: &str| strsim::jaro_winkler(name, text);
        let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).copied().unwrap_or("day");
        Err(format!("{text:?} is not something to group by; did you mean {nearest:?}? There are {}", names.join(", ")))
    }
}

/// One column of a group. The order of the variants' contents is the order of a report's rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    /// When the local hour begins, in minutes since 1970, and the offset that makes it local: where clocks go
    /// back, the hour that comes twice is two groups.
    Hour {
        utc_minute: i64,
        offset_minutes: i32,
    },
    Day(Day),
    /// By its Monday.
    Week(Day),
    /// By its first day.
    Month(Day),
    Label(Box<str>),
}

impl Part {
    /// The calendar part of a `by` column; `None` where it is a label.
    fn of_minute(by: By, minute: Minute, zone: Tz) -> Option<Part> {
        match by {
            By::Hour => Some(Part::hour(minute, zone)),
            By::Day => Some(Part::Day(Day::of(minute, zone))),
            By::Week => Some(Part::Week(Day::of(minute, zone).week())),
            By::Month => Some(Part::Month(Day::of(minute, zone).month())),
            By::Label(_) => None,
        }
    }

    /// The minutes of a calendar part; `None` where it is a label.
    pub fn minutes(&self, zone: Tz) -> Option<Range<Minute>> {
        let until = |first: Day, end: Day| Some(first.span(zone).start..end.span(zone).start);
        match self {
            Part::Hour { utc_minute, .. } => {
                let start = u32::try_from(*utc_minute).unwrap_or(0);
                Some(Minute(start)..Minute(start.saturating_add(60)))
            }
            Part::Day(day) => Some(day.span(zone)),
            Part::Week(monday) => until(*monday, monday.plus(7)),
            Part::Month(first) => until(*first, first.next_month()),
            Part::Label(_) => None,
        }
    }

    fn hour(minute: Minute, zone: Tz) -> Part {
        let offset_minutes = offset_minutes(minute, zone);
        let local = i64::from(minute.0) + i64::from(offset_minutes);
        Part::Hour { utc_minute: i64::from(minute.0) - local.rem_euclid(60), offset_minutes }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Hour { utc_minute, offset_minutes } => {
                let local: DateTime<Utc> =
                    DateTime::UNIX_EPOCH + TimeDelta::minutes(utc_minute + i64::from(*offset_minutes));
                let sign = if *offset_minutes < 0 { '-' } else { '+' };
                let (hours, minutes) = (offset_minutes.abs() / 60, offset_minutes.abs() % 60);
                write!(formatter, "{}{sign}{hours:02}:{minutes:02}", local.format("%Y-%m-%dT%H:00"))
            }
            Part::Day(day) => day.fmt(formatter),
            Part::Week(monday) => write!(formatter, "{}", monday.0.format("%G-W%V")),
            Part::Month(first) => write!(formatter, "{}", first.0.format("%Y-%m")),
            Part::Label(label) => formatter.write_str(label),
        }
    }
}

/// Values by a dense number, in order of first sight.
#[derive(Clone, Debug)]
struct Numbered<T> {
    numbers: HashMap<T, u32>,
    list: Vec<T>,
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn new() -> Numbered<T> {
        Numbered { numbers: HashMap::new(), list: Vec::new() }
    }

    fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = u32::try_from(self.list.len()).expect("fewer than 2^32 groups fit in memory");
        self.list.push(value.clone());
        self.numbers.insert(value, number);
        number
    }
}

/// Minutes kept at hand: logs and day files run through time, so a day's worth and some more suffices.
const SLOTS: usize = 4096;

/// The groups that minutes fall into.
#[derive(Clone)]
pub(super) struct Times {
    by: Vec<By>,
    span: Range<Option<Minute>>,
    zone: Tz,
    groups: Numbered<Vec<Part>>,
    /// The answers for the minutes last asked for, each at the place its lowest bits say.
    slots: Vec<Option<(Minute, Option<u32>)>>,
}

impl Times {
    pub fn new(by: &[By], span: Range<Option<Minute>>, zone: Tz) -> Times {
        let by = by.iter().copied().filter(|by| !matches!(by, By::Label(_))).collect();
        Times { by, span, zone, groups: Numbered::new(), slots: vec![None; SLOTS] }
    }

    /// The number of this minute's group; `None` outside the span.
    #[inline]
    pub fn number(&mut self, minute: Minute) -> Option<u32> {
        let slot = minute.0 as usize % SLOTS;
        match self.slots[slot] {
            Some((known, number)) if known == minute => number,
            _ => {
                let number = self.find(minute);
                self.slots[slot] = Some((minute, number));
                number
            }
        }
    }

    fn find(&mut self, minute: Minute) -> Option<u32> {
        let inside =
            self.span.start.is_none_or(|start| start <= minute) && self.span.end.is_none_or(|end| minute < end);
        let parts = self.by.iter().filter_map(|by| Part::of_minute(*by, minute, self.zone));
        inside.then(|| self.groups.number(parts.collect()))
    }

    pub fn parts(&self, number: u32) -> &[Part] {
        &self.groups.list[number as usize]
    }

    /// For each of the other's numbers, the one here.
    pub fn learn(&mut self, other: Times) -> Vec<u32> {
        other.groups.list.into_iter().map(|parts| self.groups.number(parts)).collect()
    }
}

/// The groups that labels fall into.
#[derive(Clone)]
pub(super) struct Labels {
    by: Vec<Column>,
    matching: Match,
    groups: Numbered<Vec<Part>>,
}

impl Labels {
    pub fn new(by: &[By], matching: &Match) -> Labels {
        let label = |by: &By| if let By::Label(column) = by { Some(*column) } else { None };
        Labels { by: by.iter().filter_map(label).collect(), matching: matching.clone(), groups: Numbered::new() }
    }

    /// The label columns that an answer depends on.
    pub fn needed(&self) -> Vec<Column> {
        let mut needed: Vec<Column> =
            self.by.iter().chain(self.matching.0.iter().map(|(column, _)| column)).copied().collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// The number of the group that these labels are in; `None` where they do not match.
    pub fn number<'a>(&mut self, label: impl Fn(Column) -> Cow<'a, str>) -> Option<u32> {
        if !self.matching.accepts(&label) {
            return None;
        }
        let parts = self.by.iter().map(|column| Part::Label(label(*column).into()));
        Some(self.groups.number(parts.collect()))
    }

    pub fn parts(&self, number: u32) -> &[Part] {
        &self.groups.list[number as usize]
    }

    /// For each of the other's numbers, the one here.
    pub fn learn(&mut self, other: Labels) -> Vec<u32> {
        other.groups.list.into_iter().map(|parts| self.groups.number(parts)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(text: &str) -> Minute {
        Minute::at(text.parse().unwrap())
    }

    fn text(by: By, at: &str, zone: Tz) -> String {
        Part::of_minute(by, minute(at), zone).unwrap().to_string()
    }

    #[test]
    fn an_hour_says_its_offset_so_the_one_that_comes_twice_is_two() {
        let zone = Tz::America__Los_Angeles;
        assert_eq!(text(By::Hour, "2026-11-01T08:59:00Z", zone), "2026-11-01T01:00-07:00");
        assert_eq!(text(By::Hour, "2026-11-01T09:00:00Z", zone), "2026-11-01T01:00-08:00");
        assert_eq!(text(By::Hour, "2026-11-22T13:59:00Z", Tz::Asia__Kathmandu), "2026-11-22T19:00+05:45");
        assert_eq!(text(By::Hour, "2026-11-22T13:59:00Z", Tz::UTC), "2026-11-22T13:00+00:00");
    }

    #[test]
    fn hours_of_a_half_hour_clock_change_sort_by_time() {
        let zone = Tz::Australia__Lord_Howe;
        let hours = (0..6 * 60).map(|m| Part::hour(Minute(minute("2026-04-04T12:00:00Z").0 + m), zone));
        assert!(hours.collect::<Vec<_>>().is_sorted());
    }

    #[test]
    fn days_weeks_and_months_are_the_zones() {
        let zone = Tz::Pacific__Auckland;
        assert_eq!(text(By::Day, "2026-12-31T12:00:00Z", zone), "2027-01-01");
        assert_eq!(text(By::Week, "2026-12-31T12:00:00Z", zone), "2026-W53");
        assert_eq!(text(By::Month, "2026-12-31T12:00:00Z", zone), "2027-01");
    }

    #[test]
    fn a_calendar_part_holds_the_minutes_that_it_is_made_of() {
        for zone in [Tz::UTC, Tz::Europe__Berlin, Tz::Asia__Kathmandu, Tz::Australia__Lord_Howe] {
            for by in [By::Hour, By::Day, By::Week, By::Month] {
                for at in ["2026-03-29T01:30:00Z", "2026-10-25T00:59:00Z", "2026-12-31T23:59:00Z"].map(minute) {
                    let part = Part::of_minute(by, at, zone).unwrap();
                    assert!(part.minutes(zone).unwrap().contains(&at), "{part} {zone}");
                }
            }
        }
        assert_eq!(Part::Label("a".into()).minutes(Tz::UTC), None);
    }

    #[test]
    fn an_unknown_column_is_answered_with_the_nearest_and_all() {
        assert_eq!("operation".parse(), Ok(By::Label(Column::Operation)));
        let error = "dya".parse::<By>().unwrap_err();
        assert_eq!(
            error,
            "\"dya\" is not something to group by; did you mean \"day\"? There are \
             hour, day, week, month, host, service, key, api, method, operation, status"
        );
    }
}

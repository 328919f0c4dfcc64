//! Time stamps become minutes: RFC 3339 and its relatives, common log format, asctime, syslog's without a year, Unix time
//! in any unit.
//! This file never reads a clock; a stamp without a zone is read in the zone it is given.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::field::Unit;
use crate::day::Minute;

/// A written stamp, split where its minute ends: the minute follows from `minute` and `zone` alone, so
/// lines of one minute are parsed once.
struct Stamp<'a> {
    /// `2026-11-22T21:53`, `22/Nov/2026:21:53`, `Sun Nov 22 21:53` or `Nov 22 21:53`.
    minute: &'a [u8],
    /// What follows seconds and fraction: empty, `Z`, `+01:00`, ` +0100`, ` UTC`, ` 2026` …
    zone: &'a [u8],
}

/// Reads stamps, remembering the last minute.
pub struct Clockwork {
    zone: Tz,
    last_text: Vec<u8>,
    /// Where in `last_text` the zone starts.
    last_split: usize,
    last: Option<Minute>,
    /// See [`Clockwork::set_reference`].
    reference: Option<Minute>,
}

/// Below this, a number is no Unix time but a duration or a count that has a stamp's name
/// (1973-03-03 in seconds).
const EPOCH_SECONDS_MIN: u64 = 100_000_000;
/// From here on a number counts the next smaller unit: 1e11 s would be the year 5138.
const EPOCH_SECONDS_END: u64 = 100_000_000_000;

impl Clockwork {
    pub fn new(zone: Tz) -> Clockwork {
        Clockwork { zone, last_text: Vec::new(), last_split: 0, last: None, reference: None }
    }

    /// Stamps without a year were written at this minute or before it; unless it is known, they cannot be read.
    pub fn set_reference(&mut self, reference: Option<Minute>) {
        if self.reference != reference {
            self.reference = reference;
            // What was remembered may have been read by the former.
            self.last_text.clear();
            self.last_split = 0;
        }
    }

    /// The minute of a stamp in text; `None` where it cannot be read or lies before 1970.
    #[inline]
    pub fn text(&mut self, text: &[u8]) -> Option<Minute> {
        match split(text) {
            Some(stamp) => self.stamp(&stamp),
            None if text.first().is_some_and(u8::is_ascii_alphabetic) => self.stamp(&split_named(text)?),
            None => epoch_text(text),
        }
    }

    #[inline]
    fn stamp(&mut self, stamp: &Stamp<'_>) -> Option<Minute> {
        let (minute, zone) = self.last_text.split_at(self.last_split);
        if stamp.minute != minute || stamp.zone != zone || minute.is_empty() {
            self.learn(stamp);
        }
        self.last
    }

    #[cold]
    fn learn(&mut self, stamp: &Stamp<'_>) {
        self.last = if stamp.minute.first().is_some_and(u8::is_ascii_alphabetic) {
            named_minute(stamp, self.zone, self.reference)
        } else {
            minute(stamp, self.zone)
        };
        self.last_text.clear();
        self.last_text.extend_from_slice(stamp.minute);
        self.last_split = self.last_text.len();
        self.last_text.extend_from_slice(stamp.zone);
    }
}

/// The minute of a Unix time: seconds, milliseconds, microseconds or nanoseconds by its magnitude.
#[inline]
pub fn epoch_whole(count: u64) -> Option<Minute> {
    let seconds = match count {
        0..EPOCH_SECONDS_MIN => return None,
        EPOCH_SECONDS_MIN..EPOCH_SECONDS_END => count,
        EPOCH_SECONDS_END..100_000_000_000_000 => count / 1_000,
        100_000_000_000_000..100_000_000_000_000_000 => count / 1_000_000,
        _ => count / 1_000_000_000,
    };
    Minute::of_unix_seconds(i64::try_from(seconds).ok()?)
}

/// The minute of a Unix time whose unit is known; by its magnitude where it is guessed.
#[inline]
pub fn epoch_whole_in(unit: Unit, count: u64) -> Option<Minute> {
    let seconds = match unit {
        Unit::Guess | Unit::Go => return epoch_whole(count),
        Unit::Seconds => count,
        Unit::Millis => count / 1_000,
        Unit::Micros => count / 1_000_000,
        Unit::Nanos => count / 1_000_000_000,
    };
    // In another unit than it is said to be, it would be counted in 1970.
    Minute::of_unix_seconds(i64::try_from(seconds).ok().filter(|_| seconds >= EPOCH_SECONDS_MIN)?)
}

/// The same for a count with a fraction.
pub fn epoch_number_in(unit: Unit, count: f64) -> Option<Minute> {
    // 2^63 is beyond every unit; NaN and negative counts fail the comparison. Cutting the fraction off is the meaning: a
    // minute is a floor.
    if (0.0..9.2e18).contains(&count) { epoch_whole_in(unit, count as u64) } else { None }
}

/// The same for a count in text.
pub fn epoch_text_in(unit: Unit, text: &[u8]) -> Option<Minute> {
    epoch_digits(text).and_then(|count| epoch_whole_in(unit, count))
}

/// A Unix time written as text, with or without a fraction.
fn epoch_text(text: &[u8]) -> Option<Minute> {
    epoch_digits(text).and_then(epoch_whole)
}

/// The whole part of a number in digits.
fn epoch_digits(text: &[u8]) -> Option<u64> {
    let mut count = 0u64;
    for (at, byte) in text.iter().enumerate() {
        if *byte == b'.' && at > 0 {
            return text[at + 1..].iter().all(u8::is_ascii_digit).then_some(count);
        }
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        count = count.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (!text.is_empty()).then_some(count)
}

/// The written forms; `None` where the text is of neither.
#[inline]
fn split(text: &[u8]) -> Option<Stamp<'_>> {
    let minute_end = match (text.get(4)?, text.get(2)?) {
        (b'-' | b'/', _) => 16,
        (_, b'/') => 17,
        _ => return None,
    };
    let (minute, rest) = text.split_at_checked(minute_end)?;
    Some(Stamp { minute, zone: after_seconds(rest)? })
}

/// What follows `:21.263611` or `:21,263`; seconds may be absent. A leap second belongs to its minute.
#[inline]
fn after_seconds(rest: &[u8]) -> Option<&[u8]> {
    let [b':', tens, ones, rest @ ..] = rest else {
        return if rest.first() == Some(&b':') { None } else { Some(rest) };
    };
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() || (*tens > b'5' && (*tens, *ones) != (b'6', b'0')) {
        return None;
    }
    match rest {
        [b'.' | b',', digits @ ..] => {
            let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if count == 0 { None } else { digits.get(count..) }
        }
        _ => Some(rest),
    }
}

/// The UTC minute of a written one.
fn minute(stamp: &Stamp<'_>, zone: Tz) -> Option<Minute> {
    let local = naive(stamp.minute)?;
    instant(local, offset_seconds(stamp.zone)?, zone)
}

/// The UTC minute of a wall clock so many seconds east of UTC, or in the zone.
fn instant(local: NaiveDateTime, offset: Option<i64>, zone: Tz) -> Option<Minute> {
    let seconds = match offset {
        Some(offset) => local.and_utc().timestamp() - offset,
        None => in_zone(local, zone)?,
    };
    Minute::of_unix_seconds(seconds)
}

/// `2026-11-22T21:53` (also `/`, and a space or `t` between) or `22/Nov/2026:21:53`.
fn naive(text: &[u8]) -> Option<NaiveDateTime> {
    let (date, clock) = if text.len() == 16 {
        let separates = matches!(text[10], b'T' | b't' | b' ') && text[4] == text[7];
        let month = number(&text[5..7])?;
        (NaiveDate::from_ymd_opt(year(&text[..4])?, month, number(&text[8..10])?).filter(|_| separates)?, &text[11..])
    } else {
        let separates = text[6] == b'/' && text[11] == b':';
        let date = NaiveDate::from_ymd_opt(year(&text[7..11])?, month_named(&text[3..6])?, number(&text[..2])?);
        (date.filter(|_| separates)?, &text[12..])
    };
    if clock[2] != b':' {
        return None;
    }
    date.and_hms_opt(number(&clock[..2])?, number(&clock[3..])?, 0)
}

/// Stamps that begin with a name: `Sun Nov 22 21:53:21 2026`, `Nov 22 21:53:21`. A day of one digit may have a space in
/// front, as both asctime and syslog write it.
fn split_named(text: &[u8]) -> Option<Stamp<'_>> {
    let (minute, rest) = text.split_at_checked(memchr::memchr(b':', text)? + 3)?;
    Some(Stamp { minute, zone: after_seconds(rest)? })
}

/// The UTC minute of a stamp that begins with a name.
fn named_minute(stamp: &Stamp<'_>, zone: Tz, reference: Option<Minute>) -> Option<Minute> {
    let words = |text| <[u8]>::split(text, u8::is_ascii_whitespace).filter(|word: &&[u8]| !word.is_empty());
    let mut named = words(stamp.minute);
    let mut name = named.next()?;
    if is_weekday(name) {
        name = named.next()?;
    }
    let (month, day, clock) = (month_named(name)?, number(named.next()?)?, named.next()?);
    let [_, _, b':', _, _] = clock else { return None };
    let (hour, minute) = (number(&clock[..2])?, number(&clock[3..])?);
    let local = |year| NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(hour, minute, 0);
    // Behind the clock: a zone, a year, both or neither.
    let stated = words(stamp.zone).find(|word| word.len() == 4 && word.iter().all(u8::is_ascii_digit));
    let offset = match words(stamp.zone).find(|word| Some(*word) != stated) {
        Some(offset) => offset_seconds(offset)?,
        None => None,
    };
    let instant = |year| instant(local(year)?, offset, zone);
    match stated {
        Some(stated) => instant(year(stated)?),
        None => latest(reference?, instant),
    }
}

/// A stamp may be this much later than its log was last written to: clocks and zones differ.
const AHEAD_MINUTES_MAX: u32 = crate::day::DAY_MINUTES;
/// 29 February comes again after at most so many years.
const LEAP_YEARS_MAX: i32 = 8;

/// Of a date that comes every year, the latest that had come at `reference`.
fn latest(reference: Minute, instant: impl Fn(i32) -> Option<Minute>) -> Option<Minute> {
    let end = Minute(reference.0.saturating_add(AHEAD_MINUTES_MAX));
    let year = chrono::Datelike::year(&reference.start());
    (year - LEAP_YEARS_MAX..=year + 1).rev().filter_map(instant).find(|minute| *minute <= end)
}

fn is_weekday(name: &[u8]) -> bool {
    const DAYS: [&[u8]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];
    DAYS.iter().any(|day| day.eq_ignore_ascii_case(name))
}

fn year(digits: &[u8]) -> Option<i32> {
    number(digits).and_then(|year| i32::try_from(year).ok())
}

fn number(digits: &[u8]) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn month_named(name: &[u8]) -> Option<u32> {
    const MONTHS: [&[u8]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    (1..).zip(MONTHS).find(|(_, month)| month.eq_ignore_ascii_case(name)).map(|(number, _)| number)
}

/// Seconds east of UTC; `Some(None)` where the stamp says no zone, `None` where it says one that cannot be read.
fn offset_seconds(zone: &[u8]) -> Option<Option<i64>> {
    let zone = zone.trim_ascii();
    // Java adds the zone's name: `+01:00[Europe/Berlin]`.
    let zone = zone.split(|byte| *byte == b'[').next().unwrap_or(zone);
    let (sign, digits) = match zone {
        b"" => return Some(None),
        b"Z" | b"z" | b"UTC" | b"GMT" => return Some(Some(0)),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [_, _] => (digits, &b"00"[..]),
        [_, _, b':', minutes @ ..] if minutes.len() == 2 => (&digits[..2], minutes),
        [_, _, _, _] => digits.split_at(2),
        _ => return None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then(|| Some(sign * i64::from(hours * 3600 + minutes * 60)))
}

/// Unix seconds of a wall clock. Where it comes twice (clocks go back) the earlier one; where it does not
/// exist (clocks go forward) as if the change had not happened yet, which is later by the gap's length.
fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<i64> {
    if let Some(instant) = zone.from_local_datetime(&local).earliest() {
        return Some(instant.timestamp());
    }
    // No gap is longer than the day that some Pacific zones skipped.
    let before = zone.from_local_datetime(&(local - TimeDelta::days(1))).earliest()?;
    Some((before + TimeDelta::days(1)).timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The UTC minute, written out; "-" where there is none.
    fn read(text: &str, zone: Tz) -> String {
        let minute = Clockwork::new(zone).text(text.as_bytes());
        minute.map_or("-".to_owned(), |minute| minute.start().format("%Y-%m-%dT%H:%M").to_string())
    }

    #[test]
    fn every_written_form_of_an_instant_is_the_same_minute() {
        for text in [
            "2026-11-22T21:53:21Z",
            "2026-11-22T21:53Z",
            "2026-11-22T21:53:21.2Z",
            "2026-11-22T21:53:21.263611Z",
            "2026-11-22T21:53:21.4667656190123Z",
            "2026-11-22t21:53:60z",
            "2026-11-22 21:53:21,179",
            "2026-11-22 21:53:21.280844+00:00",
            "2026/11/22 21:53:21",
            "2026-11-22T22:53:21+01:00",
            "2026-11-22T22:53:21.5+01:00[Europe/Berlin]",
            "2026-11-22T16:53:21-0500",
            "2026-11-23T03:23:21 +05:30",
            "2026-11-22T22:53:21+01",
            "2026-11-22 21:53:21 UTC",
            "22/Nov/2026:21:53:21 +0000",
            "22/Nov/2026:22:53:21 +0100",
            "Sun Nov 22 21:53:21 2026",
            "Sun Nov 22 21:53:21 UTC 2026",
            "Nov 22 21:53:21 2026",
            "1795384401",
            "1795384401.263",
            "1795384401263",
            "1795384401263000",
            "1795384401263000000",
        ] {
            assert_eq!(read(text, Tz::UTC), "2026-11-22T21:53", "{text}");
        }
        assert_eq!(epoch_number_in(Unit::Guess, 1_795_384_401.280_844), epoch_whole(1_795_384_401));
        assert_eq!(epoch_number_in(Unit::Guess, 1_795_384_401_280.5), epoch_whole(1_795_384_401));
    }

    #[test]
    fn what_cannot_be_read_or_lies_before_1970_has_no_minute() {
        for text in [
            "",
            "-",
            "yesterday",
            "2026-11-22",
            "2026-13-22T21:53:21Z",
            "2026-02-30T21:53:21Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T21:53:61Z",
            "2026-11-22T21:53:2Z",
            "2026-11-22T21:53:21.Z",
            "2026-11-22T21:53:21 CET",
            "2026-11-22T21:53:21+25:00",
            "2026-11-22T21:53:21+0",
            "2026-11-22X21:53:21Z",
            "2026-11/22T21:53:21Z",
            "1969-12-31T23:59:59Z",
            "22/Foo/2026:21:53:21 +0000",
            "0.023",
            "12",
            "Nov 22 21:53:21",
            "Sun Foo 22 21:53:21 2026",
            "Sun Nov 22 21:53",
            "Sun Nov 22 2:53:21 2026",
            "Nov 22 21:53:21 CET",
            "a:",
            "Nov:",
            "-5",
            "99999999999999999999999",
        ] {
            assert_eq!(read(text, Tz::UTC), "-", "{text}");
        }
        assert_eq!(epoch_number_in(Unit::Guess, f64::NAN), None);
        assert_eq!(epoch_number_in(Unit::Guess, -1.0), None);
        assert_eq!(epoch_number_in(Unit::Guess, 1e300), None);
    }

    #[test]
    fn the_first_minute_there_is_can_be_read() {
        assert_eq!(Clockwork::new(Tz::UTC).text(b"1970-01-01T00:00:59Z"), Some(Minute(0)));
    }

    #[test]
    fn a_stamp_without_zone_is_read_in_the_given_one() {
        let zone = Tz::America__Los_Angeles;
        assert_eq!(read("2026-07-01 12:00:00", zone), "2026-07-01T19:00");
        assert_eq!(read("2026-12-01 12:00:00", zone), "2026-12-01T20:00");
        // 01:30 comes twice on this night; 02:30 does not come on that one.
        assert_eq!(read("2026-11-01 01:30:00", zone), "2026-11-01T08:30");
        assert_eq!(read("2026-03-08 02:30:00", zone), "2026-03-08T10:30");
        assert_eq!(read("2026-03-08 03:30:00", zone), "2026-03-08T10:30");
    }

    #[test]
    fn a_stamp_without_a_year_is_of_the_latest_year_that_had_it() {
        for (written, text, minute) in [
            ("2026-11-22T21:54:00Z", "Nov 22 21:53:21", "2026-11-22T21:53"),
            ("2026-11-22T21:54:00Z", "Nov  1 21:53:21.5", "2026-11-01T21:53"),
            ("2026-11-22T21:54:00Z", "Nov 1 21:53:21", "2026-11-01T21:53"),
            // A log's last lines of a year, written to again in the next, and the other way round.
            ("2027-01-02T00:00:00Z", "Dec 31 23:59:59", "2026-12-31T23:59"),
            ("2026-12-31T23:59:59Z", "Jan  1 00:30:00", "2027-01-01T00:30"),
            // A day ahead is a clock that is wrong, more is the year before.
            ("2026-11-21T21:53:00Z", "Nov 22 21:53:21", "2026-11-22T21:53"),
            ("2026-11-21T21:52:00Z", "Nov 22 21:53:21", "2025-11-22T21:53"),
            ("2026-11-22T21:54:00Z", "Feb 29 12:00:00", "2024-02-29T12:00"),
            ("2026-11-22T21:54:00Z", "Feb 30 12:00:00", "-"),
        ] {
            let mut clockwork = Clockwork::new(Tz::UTC);
            clockwork.set_reference(Clockwork::new(Tz::UTC).text(written.as_bytes()));
            let read = clockwork.text(text.as_bytes());
            let read = read.map_or("-".to_owned(), |minute| minute.start().format("%Y-%m-%dT%H:%M").to_string());
            assert_eq!(read, minute, "{text} written by {written}");
        }
    }

    #[test]
    fn another_reference_is_another_year() {
        let mut clockwork = Clockwork::new(Tz::UTC);
        for (year, read) in [(2025, "2025"), (2026, "2026"), (2024, "2024")] {
            let written = format!("{year}-12-01T00:00:00Z");
            clockwork.set_reference(Clockwork::new(Tz::UTC).text(written.as_bytes()));
            let minute = clockwork.text(b"Nov 22 21:53:21").expect("a minute");
            assert_eq!(minute.start().format("%Y").to_string(), read);
        }
    }

    #[test]
    fn the_remembered_minute_is_used_only_for_itself() {
        let mut clockwork = Clockwork::new(Tz::UTC);
        for (text, minute) in [
            ("2026-11-22T21:53:21Z", "21:53"),
            ("2026-11-22T21:53:59.9Z", "21:53"),
            ("2026-11-22T21:54:00Z", "21:54"),
            ("2026-11-22T21:54:00+01:00", "20:54"),
            ("2026-11-22T21:54:00", "21:54"),
            ("2026-11-22T21:54", "21:54"),
        ] {
            let read = clockwork.text(text.as_bytes()).expect("a minute");
            assert_eq!(read.start().format("%H:%M").to_string(), minute, "{text}");
        }
        assert_eq!(clockwork.text(b"2026-11-22T21:54:99"), None);
    }
}

//! One series of counts, and the days that it is made of: what each minute of a day saw, and which are unknown.
//! This file never forecasts, and reads no file.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::count::query::Incomplete;
use crate::count::tally::Minutes;
use crate::day::{Calendar, Day, Minute};
use crate::forecast::{BIN_MINUTES, Holes, PastDay, bins};

/// Counts of one client, and what its days are measured by.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    /// Whose days these are.
    pub calendar: Calendar,
    pub limit: Limit,
    /// In order; none begins before the one before it has ended.
    pub rows: Vec<(Minute, u64)>,
    /// Minutes in which a row's units came, from its own on.
    pub width: u32,
    pub unsaid: Unsaid,
    /// Days of which units are known to be missing.
    pub doubtful: BTreeSet<Day>,
    /// Days that can be over: none ends later than this begins.
    pub end: Day,
}

/// The limit of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Units(u64),
    /// This percentile of the series' own whole days.
    Percentile(u32),
}

/// What a minute means of which there is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// Nobody looked.
    Unknown,
    /// The ledger holds no minutes without requests.
    Nothing,
}

/// One day of a series.
#[derive(Clone, Debug)]
pub struct DayOf {
    pub day: Day,
    pub span: Range<Minute>,
    /// By minutes since the day's start.
    pub units: Vec<u64>,
    /// Minutes since the day's start of which nothing is known.
    gaps: Vec<Range<u32>>,
    is_doubtful: bool,
}

impl Series {
    /// The days on which something is known, in order.
    pub fn days(&self) -> impl Iterator<Item = DayOf> + '_ {
        let day_of = |row: &(Minute, u64)| self.calendar.day_of(row.0);
        let ends = self.rows.first().map(day_of).zip(self.rows.last().map(day_of));
        let in_order = std::iter::successors(ends.map(|(first, _)| first), |day| Some(day.next()));
        in_order
            .take_while(move |day| ends.is_some_and(|(_, last)| *day <= last) && *day < self.end)
            .map(move |day| DayOf { is_doubtful: self.is_doubtful(day, ends), ..self.day(day) })
            .filter(|day| !day.span.is_empty() && !day.is_wholly_unknown())
    }

    /// On a ledger's first day counting began at some time, on its last it may have ended: yesterday's rows, if any, say
    /// that it goes on.
    fn is_doubtful(&self, day: Day, ends: Option<(Day, Day)>) -> bool {
        let is_at_an_end = ends.is_some_and(|(first, last)| day == first || day == last && day != self.end.previous());
        self.doubtful.contains(&day) || self.unsaid == Unsaid::Nothing && is_at_an_end
    }

    /// This day, as far as the rows tell.
    pub fn day(&self, day: Day) -> DayOf {
        let span = self.calendar.span(day);
        let mut of = DayOf {
            day,
            units: vec![0; (span.end.0 - span.start.0) as usize],
            gaps: Vec::new(),
            span,
            is_doubtful: false,
        };
        let mut told = 0;
        for (minute, units) in self.rows_within(&of.span) {
            // Rows are aligned with the day's start, so that none begins before it.
            let start = minute.0.saturating_sub(of.span.start.0);
            of.leave_out(told..start);
            of.spread(start, self.width, *units);
            told = start + self.width;
        }
        of.leave_out(told..of.span.end.0 - of.span.start.0);
        if self.unsaid == Unsaid::Nothing {
            of.gaps.clear();
        }
        of
    }

    fn rows_within(&self, span: &Range<Minute>) -> &[(Minute, u64)] {
        let at = |bound: Minute| self.rows.partition_point(|(minute, _)| *minute < bound);
        &self.rows[at(span.start)..at(span.end)]
    }

    /// The limit of this series' days; at least 1.
    pub fn limit_units(&self) -> u64 {
        match self.limit {
            Limit::Units(units) => units.max(1),
            Limit::Percentile(percent) => {
                let mut totals: Vec<u64> = self.days().filter(DayOf::is_known).map(|day| day.total()).collect();
                percentile(&mut totals, percent).max(1)
            }
        }
    }
}

/// Between two days in the order of their totals it lies on the line between them, rounded down.
fn percentile(totals: &mut [u64], percent: u32) -> u64 {
    totals.sort_unstable();
    let Some(last) = totals.len().checked_sub(1) else { return 0 };
    let place = last as u128 * u128::from(percent.min(100));
    let (below, rest) = ((place / 100) as usize, place % 100);
    let (low, high) = (totals[below], totals[(below + 1).min(last)]);
    let between = u128::from(high - low) * rest / 100;
    low.saturating_add(u64::try_from(between).unwrap_or(u64::MAX))
}

impl DayOf {
    /// Every minute of the day is known.
    pub fn is_known(&self) -> bool {
        self.gaps.is_empty() && !self.is_doubtful
    }

    fn is_wholly_unknown(&self) -> bool {
        self.gaps.iter().map(|gap| gap.len()).sum::<usize>() == self.units.len()
    }

    pub fn total(&self) -> u64 {
        self.units.iter().fold(0, |sum: u64, units| sum.saturating_add(*units))
    }

    fn leave_out(&mut self, minutes: Range<u32>) {
        if !minutes.is_empty() {
            self.gaps.push(minutes);
        }
    }

    /// Units that came somewhere in these minutes, spread over them in whole units.
    fn spread(&mut self, start: u32, width: u32, units: u64) {
        let until = |minute: u32| u128::from(units) * u128::from(minute) / u128::from(width);
        let minutes = self.units.iter_mut().skip(start as usize).zip(0..width);
        minutes.for_each(|(of, minute)| *of = (until(minute + 1) - until(minute)) as u64);
    }

    /// The units of the minutes before this one, as a ledger would hold them. The day's first minute is there even
    /// without units: the day is known.
    pub fn until(&self, elapsed: u32) -> Minutes {
        let known = self.units.iter().zip(0..elapsed);
        let counted = known.filter(|(units, minute)| **units > 0 || *minute == 0);
        counted.map(|(units, minute)| (Minute(self.span.start.0 + minute), *units)).collect()
    }

    /// This day as the history of the one after it.
    pub fn as_past(&self, calendar: Calendar) -> Option<PastDay> {
        let minutes = self.until(self.span.end.0 - self.span.start.0);
        let past = bins::past_days(&minutes, calendar, self.day.next(), 1, &Incomplete::new()).pop()?;
        Some(PastDay { holes: self.holes(calendar), ..past })
    }

    fn holes(&self, calendar: Calendar) -> Holes {
        if self.is_doubtful {
            return Holes::ALL;
        }
        let unknown = self.gaps.iter().cloned().flatten();
        unknown.fold(Holes::NONE, |holes, minute| holes.with(self.wall_clock_bin(minute, calendar)))
    }

    fn wall_clock_bin(&self, elapsed: u32, calendar: Calendar) -> usize {
        (calendar.wall_minute(Minute(self.span.start.0 + elapsed)) / BIN_MINUTES) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;

    const BERLIN: Tz = Tz::Europe__Berlin;

    /// A row of 7 units every quarter of an hour of these days, but for the rows of these numbers.
    fn quarters(from: &str, to: &str, left_out: &[usize]) -> Series {
        let [from, to] = [from, to].map(|day| day.parse::<Day>().unwrap().span(BERLIN));
        let all = (from.start.0..to.end.0).step_by(15).enumerate();
        let rows =
            all.filter(|(number, _)| !left_out.contains(number)).map(|(_, minute)| (Minute(minute), 7)).collect();
        Series {
            name: "a".to_owned(),
            calendar: BERLIN.into(),
            limit: Limit::Percentile(85),
            rows,
            width: 15,
            unsaid: Unsaid::Unknown,
            doubtful: BTreeSet::new(),
            end: Day(chrono::NaiveDate::MAX),
        }
    }

    #[test]
    fn a_row_is_spread_over_its_minutes_in_whole_units() {
        let day = quarters("2026-11-22", "2026-11-22", &[]).days().next().unwrap();
        assert_eq!(day.units[..15], [0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!((day.total(), day.is_known()), (96 * 7, true));
    }

    #[test]
    fn days_of_23_and_25_hours_are_whole() {
        let totals = |day| quarters(day, day, &[]).days().map(|day| (day.total(), day.is_known())).collect::<Vec<_>>();
        assert_eq!(totals("2026-03-29"), [(92 * 7, true)]);
        assert_eq!(totals("2026-10-25"), [(100 * 7, true)]);
    }

    #[test]
    fn a_missing_row_is_a_hole_of_the_wall_clock() {
        // The 20th quarter after midnight of the day that springs forward begins at 06:00.
        let day = quarters("2026-03-29", "2026-03-29", &[20]).days().next().unwrap();
        let past = day.as_past(BERLIN.into()).unwrap();
        assert_eq!((day.is_known(), past.holes), (false, Holes::NONE.with(24)));
        assert_eq!((past.bins[23], past.bins[24], past.bins[25]), (7, 0, 7));
    }

    #[test]
    fn a_day_without_rows_is_no_day_unless_silence_means_nothing_was_asked() {
        let middle: Vec<usize> = (96..192).collect();
        let series = quarters("2026-11-20", "2026-11-22", &middle);
        assert_eq!(series.days().map(|day| day.day.to_string()).collect::<Vec<_>>(), ["2026-11-20", "2026-11-22"]);
        let ledger = Series { unsaid: Unsaid::Nothing, ..series };
        let told: Vec<_> = ledger.days().map(|day| (day.total(), day.is_known())).collect();
        assert_eq!(told, [(96 * 7, false), (0, true), (96 * 7, false)], "nobody knows when counting began and ended");
        let running = Series { end: "2026-11-23".parse().unwrap(), ..ledger };
        assert!(running.days().last().unwrap().is_known(), "yesterday's counts say that counting goes on");
    }

    #[test]
    fn days_that_are_not_over_and_days_in_doubt_are_not_known() {
        let mut series = quarters("2026-11-20", "2026-11-22", &[]);
        series.end = "2026-11-22".parse().unwrap();
        series.doubtful.insert("2026-11-21".parse().unwrap());
        let known: Vec<_> = series.days().map(|day| day.is_known()).collect();
        assert_eq!(known, [true, false]);
        assert_eq!(series.days().nth(1).unwrap().as_past(BERLIN.into()).unwrap().holes, Holes::ALL);
    }

    #[test]
    fn a_percentile_lies_between_the_days_around_it() {
        assert_eq!(percentile(&mut [40, 10, 20, 30], 50), 25);
        assert_eq!(percentile(&mut [40, 10, 20, 30], 85), 35);
        assert_eq!((percentile(&mut [5, 9], 0), percentile(&mut [5, 9], 100), percentile(&mut [], 85)), (5, 9, 0));
    }
}

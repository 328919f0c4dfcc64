//! Past days happen again: at each hour of a day, what would have been forecast from the days before it and the
//! minutes before that hour. Nothing after it is ever looked at; this file never judges.

use super::rivals::{Line, linear, predict_linear};
use super::series::{DayOf, Series};
use crate::count::query::Incomplete;
use crate::count::tally::Minutes;
use crate::day::{Calendar, Day, Minute};
use crate::forecast::{BIN_MINUTES, Experience, Forecast, PastDay, Running, bins};
use chrono::{DateTime, Utc};

/// Hours of the wall clock at which forecasts of the total are judged.
pub const CUTOFF_HOURS: [u32; 8] = [2, 4, 6, 9, 12, 15, 18, 21];
/// Alerts are judged each hour.
const STEP_MINUTES: u32 = 60;
/// How far back `predict_linear` looks.
const FIT_MINUTES: u32 = 4 * 60;

/// A day that happened again.
#[derive(Clone, Debug)]
pub struct Replayed {
    pub day: Day,
    pub limit: u64,
    pub total: u64,
    /// Minutes after the day's start at which more than the limit was used.
    pub crossed: Option<u32>,
    /// What the last known day before it used.
    pub yesterday: Option<u64>,
    pub moments: Vec<Moment>,
}

/// What was known and forecast at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Minutes since the day's start.
    pub elapsed: u32,
    pub left: u32,
    /// Its place in [`CUTOFF_HOURS`], if it is such an hour.
    pub cutoff: Option<usize>,
    pub used: u64,
    pub daycap: Forecast,
    pub linear: Line,
    pub predict_linear: Option<Line>,
}

/// The days before the one that is replayed.
#[derive(Default)]
pub struct Before {
    days: Vec<Day>,
    past: Vec<PastDay>,
    last: Option<DayOf>,
    /// Total of the last known day.
    yesterday: Option<u64>,
}

impl Before {
    /// What may be seen of the days before this one: as many as `history`, by the calendar.
    fn turn_to(&mut self, day: Day, history: u32) {
        let age = |of: &Day| (day.0 - of.0).num_days().try_into().unwrap_or(u32::MAX);
        let stale = self.days.iter().filter(|of| age(of) > history).count();
        self.days.drain(..stale);
        self.past.drain(..stale);
        self.days.iter().zip(&mut self.past).for_each(|(of, past)| past.age = age(of));
    }

    fn add(&mut self, day: DayOf, calendar: Calendar) {
        if let Some(past) = day.as_past(calendar) {
            self.days.push(day.day);
            self.past.push(past);
        }
        if day.is_known() {
            self.yesterday = Some(day.total());
        }
        self.last = Some(day);
    }
}

/// How the days of a series are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Days before the first one that is judged.
    pub history_days: u32,
    pub first: Option<Day>,
}

/// The first day that has `history` days before it; of a series too short for one, the one in its middle.
pub fn choose(series: &Series, history: u32) -> Chosen {
    let mut known = series.days().filter(DayOf::is_known).map(|day| day.day);
    let Some(first) = known.next() else { return Chosen { history_days: 0, first: None } };
    let last = known.last().unwrap_or(first);
    let days = u32::try_from((last.0 - first.0).num_days() + 1).unwrap_or(u32::MAX);
    let history_days = if history < days { history } else { days / 2 };
    Chosen { history_days, first: Some(first.plus(i64::from(history_days))) }
}

/// Each known day from the chosen one on, with the days before it.
pub fn each_day(series: &Series, history: u32, mut visit: impl FnMut(&DayOf, &Before)) {
    let Some(first) = choose(series, history).first else { return };
    let mut before = Before::default();
    for day in series.days() {
        before.turn_to(day.day, history);
        if day.day >= first && day.is_known() {
            visit(&day, &before);
        }
        before.add(day, series.calendar);
    }
}

/// This day, hour by hour.
pub fn replay(series: &Series, limit: u64, day: &DayOf, before: &Before) -> Replayed {
    let mut rerun = Rerun::new(series.calendar, limit, day, before);
    let moment = |(elapsed, cutoff)| {
        rerun.go_on(elapsed);
        rerun.moment(cutoff)
    };
    let moments = instants(day, series.calendar).into_iter().map(moment).collect();
    let yesterday = before.yesterday;
    Replayed { day: day.day, limit, total: day.total(), crossed: crossed(day, limit), yesterday, moments }
}

/// The full hours since the day's start, and the cut-off hours of its wall clock, each when the clock first shows it; in
/// order.
fn instants(day: &DayOf, calendar: Calendar) -> Vec<(u32, Option<usize>)> {
    let end = day.span.end.0 - day.span.start.0;
    let mut left: Vec<usize> = (0..CUTOFF_HOURS.len()).collect();
    let mut at = |elapsed: u32| {
        let wall = calendar.wall_minute(Minute(day.span.start.0 + elapsed));
        let found = left.iter().position(|place| CUTOFF_HOURS[*place] * 60 == wall);
        let cutoff = found.map(|found| left.remove(found));
        (cutoff.is_some() || elapsed.is_multiple_of(STEP_MINUTES)).then_some((elapsed, cutoff))
    };
    // Clocks change by quarters of an hour.
    (BIN_MINUTES..end).step_by(BIN_MINUTES as usize).filter_map(&mut at).collect()
}

pub fn crossed(day: &DayOf, limit: u64) -> Option<u32> {
    let mut used = 0_u64;
    let passes = |units: &u64| {
        used = used.saturating_add(*units);
        used > limit
    };
    day.units.iter().position(passes).and_then(|minute| u32::try_from(minute).ok())
}

/// A day as far as it has happened again.
pub struct Rerun<'a> {
    calendar: Calendar,
    limit: u64,
    day: &'a DayOf,
    before: &'a Before,
    experience: Experience,
    elapsed: u32,
    pub used: u64,
    minutes: Minutes,
}

impl<'a> Rerun<'a> {
    pub fn new(calendar: Calendar, limit: u64, day: &'a DayOf, before: &'a Before) -> Rerun<'a> {
        let experience = Experience::of(&before.past, calendar.weekday(day.day));
        Rerun { calendar, limit, day, before, experience, elapsed: 0, used: 0, minutes: Minutes::new() }
    }

    /// Let happen what happened before this minute of the day.
    pub fn go_on(&mut self, elapsed: u32) {
        for minute in self.elapsed..elapsed {
            let units = self.day.units[minute as usize];
            self.used = self.used.saturating_add(units);
            self.minutes.insert(Minute(self.day.span.start.0 + minute), units);
        }
        self.elapsed = elapsed;
    }

    pub fn now(&self) -> DateTime<Utc> {
        Minute(self.day.span.start.0 + self.elapsed).start()
    }

    /// What daycap says now, by the same steps as in the daemon.
    pub fn daycap(&self) -> Forecast {
        let today = bins::today(&self.minutes, self.calendar, self.now(), &Incomplete::new());
        let left_minutes = today.day_minutes - today.elapsed_minutes;
        let running = Running { limit: self.limit, used: self.used, left_minutes, leaving: Vec::new() };
        self.experience.forecast(&today, &running)
    }

    fn moment(&self, cutoff: Option<usize>) -> Moment {
        Moment {
            elapsed: self.elapsed,
            left: self.day.span.end.0 - self.day.span.start.0 - self.elapsed,
            cutoff,
            used: self.used,
            daycap: self.daycap(),
            linear: linear(self.used, f64::from(self.elapsed)),
            predict_linear: predict_linear(self.samples()),
        }
    }

    /// The count since midnight at the end of each of the last four hours' minutes. Where these reach into the day
    /// before, it is below zero there, as a counter that is never reset would be seen from midnight.
    fn samples(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let of_today = self.day.units[..self.elapsed as usize].iter().rev();
        let adjoins = |last: &&DayOf| last.span.end == self.day.span.start && last.is_known();
        let of_yesterday =
            self.before.last.as_ref().filter(adjoins).into_iter().flat_map(|last| last.units.iter().rev());
        let falls = of_today.chain(of_yesterday).scan(self.used as f64, |value, units| {
            let at = *value;
            *value -= *units as f64;
            Some(at)
        });
        (0..FIT_MINUTES).zip(falls).map(|(ago, value)| (-f64::from(ago), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::series::{Limit, Unsaid};
    use chrono_tz::Tz;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Rows of an hour from midnight UTC of 2026-11-02, a Monday, on.
    fn hourly(counts: &[u64]) -> Series {
        let start = "2026-11-02".parse::<Day>().unwrap().span(Tz::UTC).start.0;
        let rows = counts.iter().zip(0..).map(|(count, hour)| (Minute(start + 60 * hour), *count)).collect();
        Series {
            name: "a".to_owned(),
            calendar: Tz::UTC.into(),
            limit: Limit::Units(1_000),
            rows,
            width: 60,
            unsaid: Unsaid::Unknown,
            doubtful: BTreeSet::new(),
            end: Day(chrono::NaiveDate::MAX),
        }
    }

    fn replayed(series: &Series, history: u32) -> Vec<Replayed> {
        let mut all = Vec::new();
        each_day(series, history, |day, before| all.push(replay(series, series.limit_units(), day, before)));
        all
    }

    #[test]
    fn days_are_judged_once_they_have_the_history_asked_for() {
        let series = hourly(&[10; 24 * 10]);
        let judged = |history| replayed(&series, history).iter().map(|day| day.day.to_string()).collect::<Vec<_>>();
        assert_eq!(judged(8), ["2026-11-10", "2026-11-11"]);
        assert_eq!(judged(0).len(), 10);
        assert_eq!(choose(&series, 8).history_days, 8);
    }

    #[test]
    fn a_series_shorter_than_the_history_is_judged_from_its_middle_on() {
        let series = hourly(&[10; 24 * 10]);
        assert_eq!((choose(&series, 28).history_days, replayed(&series, 28).len()), (5, 5));
    }

    #[test]
    fn a_day_with_a_missing_row_is_not_judged_and_is_no_yesterday() {
        let mut series = hourly(&[10; 24 * 4]);
        series.rows.remove(24 * 2 + 5);
        let days = replayed(&series, 1);
        assert_eq!(days.iter().map(|day| day.day.to_string()).collect::<Vec<_>>(), ["2026-11-03", "2026-11-05"]);
        assert_eq!(days[1].yesterday, Some(240));
    }

    #[test]
    fn linear_and_predict_linear_are_as_computed_by_hand() {
        // Yesterday 60 an hour, one a minute; today 120 an hour from midnight on.
        let series = hourly(&[[60; 24], [120; 24]].concat());
        let day = replayed(&series, 1).pop().unwrap();
        let at_six = day.moments.iter().find(|moment| moment.cutoff == Some(2)).unwrap();
        assert_eq!((at_six.elapsed, at_six.left, at_six.used), (360, 1_080, 720));
        assert_eq!(at_six.linear.after(1_080.0), 2_880.0);
        // The last four hours are on one line: two a minute.
        let line = at_six.predict_linear.unwrap();
        assert!((line.a_minute - 2.0).abs() < 1e-9 && (line.now - 720.0).abs() < 1e-6, "{line:?}");
        // Half of the two hours' window before 02:00 is yesterday's: the pace is between the two.
        let at_two = day.moments[1].predict_linear.unwrap();
        assert!((1.0..2.0).contains(&at_two.a_minute) && (200.0..240.0).contains(&at_two.now), "{at_two:?}");
    }

    #[test]
    fn the_minute_of_the_crossing_is_the_first_with_more_than_the_limit() {
        let series = hourly(&[60; 24]);
        let day = series.days().next().unwrap();
        assert_eq!((crossed(&day, 59), crossed(&day, 60), crossed(&day, 1_440)), (Some(59), Some(60), None));
    }

    #[test]
    fn cut_off_hours_are_the_wall_clocks_on_days_of_23_and_25_hours() {
        let zone = Tz::Europe__Berlin;
        let elapsed = |day: &str| {
            let day: Day = day.parse().unwrap();
            let span = day.span(zone);
            let rows = (span.start.0..span.end.0).step_by(60).map(|minute| (Minute(minute), 1)).collect();
            let series = Series { calendar: zone.into(), rows, ..hourly(&[]) };
            let instants = instants(&series.day(day), zone.into());
            instants
                .into_iter()
                .filter_map(|(elapsed, cutoff)| cutoff.map(|at| (CUTOFF_HOURS[at], elapsed / 60)))
                .collect::<Vec<_>>()
        };
        let spring = [(4, 3), (6, 5), (9, 8), (12, 11), (15, 14), (18, 17), (21, 20)];
        assert_eq!(elapsed("2026-03-29"), spring, "02:00 does not exist");
        let autumn = [(2, 2), (4, 5), (6, 7), (9, 10), (12, 13), (15, 16), (18, 19), (21, 22)];
        assert_eq!(elapsed("2026-10-25"), autumn);
    }

    /// What is known and forecast on this day after so many hours.
    fn at(series: &Series, day: Day, hours: u32) -> Moment {
        let mut before = Before::default();
        for past in series.days().take_while(|past| past.day < day) {
            before.turn_to(past.day, 28);
            before.add(past, series.calendar);
        }
        before.turn_to(day, 28);
        let day = series.day(day);
        let mut rerun = Rerun::new(series.calendar, 1_000, &day, &before);
        rerun.go_on(hours * 60);
        rerun.moment(None)
    }

    fn any_series() -> impl Strategy<Value = Series> {
        let zone = prop::sample::select(vec![Tz::UTC, Tz::Europe__Berlin, Tz::America__Los_Angeles]);
        let row = (0..200_u64, prop::bool::weighted(0.97));
        (zone, prop::sample::select(vec![15_u32, 30, 60]), 0..60_u32, prop::collection::vec(row, 24 * 4..24 * 12))
            .prop_map(|(zone, width, days_off, counts)| {
                // From here on, sixty days hold a change of clocks in both zones.
                let start = "2026-09-10".parse::<Day>().unwrap().plus(i64::from(days_off)).span(zone).start.0;
                let all = counts.into_iter().zip(0..);
                let rows = all
                    .filter(|((_, is_there), _)| *is_there)
                    .map(|((count, _), row)| (Minute(start + width * row), count));
                Series { calendar: zone.into(), width, rows: rows.collect(), ..hourly(&[]) }
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_forecast_knows_nothing_of_what_comes_after_it(series in any_series(), pick in 0.0..1.0_f64, hours in 1..23_u32) {
            let days: Vec<Day> = series.days().map(|day| day.day).collect();
            let day = days[(pick * days.len() as f64) as usize];
            let now = series.calendar.start(day).0 + hours * 60;
            let known = at(&series, day, hours);
            let mut cut = series.clone();
            cut.rows.retain(|(minute, _)| minute.0 < now);
            prop_assume!(!cut.rows.is_empty());
            prop_assert_eq!(&known, &at(&cut, day, hours), "cut away");
            let mut other = series.clone();
            other.rows.iter_mut().filter(|(minute, _)| minute.0 >= now).for_each(|(_, count)| *count = *count * 7 + 5);
            prop_assert_eq!(&known, &at(&other, day, hours), "another future");
        }
    }
}

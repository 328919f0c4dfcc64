//! When a source's requests came becomes how long it may be silent before that is news: pure arithmetic on
//! minutes, bounded however long it learns. This file never reads a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::day::{DAY_MINUTES, Minute};

/// What `stale_after` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StaleAfter {
    /// After twice the longest silence that is known of the source.
    #[default]
    Auto,
    Never,
    After(Duration),
}

/// A silence is news when it is this many times as long as any before. The longest of a hundred random gaps is
/// about 4.6 times the mean one; at twice that, one gap in 10,000 is a false alarm, at 1.5 times one in 1,000.
const TIMES_THE_LONGEST: u32 = 2;
/// A client that logs every minute may restart, or be deployed anew.
const EXPECTED_MINUTES_MIN: u32 = 15;
/// A weekend and half a night; whatever is silent longer is worth a look.
const EXPECTED_MINUTES_MAX: u32 = 3 * DAY_MINUTES;
/// Before a source was seen for a whole day, its nights are unknown.
const KNOWN_MINUTES_MIN: u32 = DAY_MINUTES;
/// Before a week, an hour of the day has been seen too seldom to speak for itself.
const HOURS_KNOWN_MINUTES_MIN: u32 = 7 * DAY_MINUTES;
/// A silence is compared with those that began at most this many hours of the day earlier or later.
const HOURS_AROUND: usize = 2;
const HOURS: usize = 24;
/// Two such spans are remembered: the present one and the one before, so 14 to 28 days.
const SPAN_MINUTES: u32 = 14 * DAY_MINUTES;

/// What is known of a source's silences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habit {
    /// Since when it is known without a break longer than what is remembered.
    first: Minute,
    /// Its newest request.
    last: Minute,
    /// The present span, counted from 1970.
    span: u32,
    /// By the hour of the day, UTC, in which a silence of this span began: the longest, in minutes.
    longest: [u32; HOURS],
    /// The same of the span before.
    longest_before: [u32; HOURS],
}

impl Habit {
    /// A source whose first known request was at this minute.
    pub fn new(first: Minute) -> Habit {
        let span = first.0 / SPAN_MINUTES;
        Habit { first, last: first, span, longest: [0; HOURS], longest_before: [0; HOURS] }
    }

    pub fn last(&self) -> Minute {
        self.last
    }

    /// It requested at this minute. Minutes before the newest one teach nothing: logs that are read side by side
    /// come out of order.
    pub fn learn(&mut self, minute: Minute) {
        if minute <= self.last {
            return;
        }
        let span = minute.0 / SPAN_MINUTES;
        match span.saturating_sub(self.span) {
            0 => {}
            1 => self.longest_before = std::mem::take(&mut self.longest),
            _ => return *self = Habit::new(minute),
        }
        self.span = span;
        let longest = &mut self.longest[hour(self.last)];
        *longest = (minute.0 - self.last.0).max(*longest);
        self.last = minute;
    }

    /// No request can have come after now: a clock that ran ahead for a while must not hide a silence for ever.
    pub fn hold_below(&mut self, now: Minute) {
        self.last = self.last.min(now);
        self.first = self.first.min(now);
        self.span = self.span.min(now.0 / SPAN_MINUTES);
    }

    /// How long a silence that began with the last request may be; `None` while too little is known.
    pub fn expected_minutes(&self) -> Option<u32> {
        let known = self.last.0 - self.first.0;
        let longest = match known {
            ..KNOWN_MINUTES_MIN => return None,
            KNOWN_MINUTES_MIN..HOURS_KNOWN_MINUTES_MIN => self.longest_of(0..HOURS),
            _ => {
                let earliest = hour(self.last) + HOURS - HOURS_AROUND;
                self.longest_of(earliest..earliest + 2 * HOURS_AROUND + 1)
            }
        };
        Some(longest.saturating_mul(TIMES_THE_LONGEST).clamp(EXPECTED_MINUTES_MIN, EXPECTED_MINUTES_MAX))
    }

    fn longest_of(&self, hours: impl Iterator<Item = usize>) -> u32 {
        hours.map(|hour| self.longest[hour % HOURS].max(self.longest_before[hour % HOURS])).max().unwrap_or(0)
    }
}

fn hour(minute: Minute) -> usize {
    // Below 24.
    (minute.0 % DAY_MINUTES / 60) as usize
}

/// How many minutes a source may be silent after its last request; `None`: for ever, or not known yet.
pub fn patience_minutes(stale_after: StaleAfter, habit: &Habit) -> Option<u32> {
    match stale_after {
        StaleAfter::Never => None,
        StaleAfter::After(time) => Some(u32::try_from(time.as_secs().div_ceil(60)).unwrap_or(u32::MAX)),
        StaleAfter::Auto => habit.expected_minutes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MONDAY: u32 = 29_669_760; // 2026-05-31T00:00Z is a Sunday; one day on.

    /// A minute of a day counted from that Monday.
    fn at(day: u32, hour: u32, minute: u32) -> Minute {
        Minute(MONDAY + DAY_MINUTES + day * DAY_MINUTES + hour * 60 + minute)
    }

    fn learned(minutes: impl IntoIterator<Item = Minute>) -> Habit {
        let mut minutes = minutes.into_iter();
        let mut habit = Habit::new(minutes.next().expect("at least one"));
        minutes.for_each(|minute| habit.learn(minute));
        habit
    }

    /// Every five minutes from 8 to 18 o'clock of these days.
    fn office(days: impl IntoIterator<Item = u32>) -> impl Iterator<Item = Minute> {
        days.into_iter().flat_map(|day| (8..18).flat_map(move |hour| (0..60).step_by(5).map(move |m| at(day, hour, m))))
    }

    fn weekdays(weeks: u32) -> impl Iterator<Item = u32> {
        (0..weeks * 7).filter(|day| day % 7 < 5)
    }

    #[test]
    fn nothing_is_expected_before_a_whole_day_is_known() {
        assert_eq!(Habit::new(at(0, 8, 0)).expected_minutes(), None);
        assert_eq!(learned((0..1439).map(|minute| at(0, 0, minute))).expected_minutes(), None);
        assert_eq!(learned((0..1441).map(|minute| at(0, 0, minute))).expected_minutes(), Some(15));
    }

    #[test]
    fn in_the_first_week_the_longest_silence_of_any_hour_counts() {
        let habit = learned(office(0..2).chain([at(2, 8, 0), at(2, 10, 0)]));
        assert_eq!(habit.expected_minutes(), Some(2 * (14 * 60 + 5)), "the night");
    }

    #[test]
    fn after_a_week_a_silence_by_day_is_news_sooner_than_one_by_night() {
        let days = office(weekdays(3));
        let morning = learned(days.chain(office([21]).take_while(|minute| *minute <= at(21, 11, 0))));
        assert_eq!(morning.expected_minutes(), Some(15), "by day a request came every five minutes");
        let friday_evening = learned(office(weekdays(3)));
        assert_eq!(
            friday_evening.expected_minutes(),
            Some(EXPECTED_MINUTES_MAX),
            "twice a weekend, held below three days"
        );
    }

    #[test]
    fn silences_that_began_a_little_earlier_or_later_count_too() {
        let lunch = |day| [at(day, 11, 0), at(day, 12, 30)];
        let habit = learned((0..9).flat_map(lunch).chain([at(9, 9, 0)]));
        assert_eq!(habit.expected_minutes(), Some(2 * 90));
    }

    #[test]
    fn what_is_older_than_four_weeks_is_forgotten() {
        let start = 14 - (at(0, 0, 0).0 % SPAN_MINUTES) / DAY_MINUTES;
        let gap_then_busy = |days: u32| {
            let busy = (0..days * 24 * 12).map(move |five| Minute(at(start, 9, 0).0 + 5 * five));
            learned([at(start, 0, 0)].into_iter().chain(busy)).longest_of(0..HOURS)
        };
        assert_eq!(gap_then_busy(20), 540);
        assert_eq!(gap_then_busy(29), 5);
    }

    #[test]
    fn a_source_that_comes_back_after_months_is_learnt_anew() {
        let habit = learned(office(0..10).chain([at(100, 8, 0)]));
        assert_eq!(habit, Habit::new(at(100, 8, 0)));
    }

    #[test]
    fn a_clock_that_ran_ahead_hides_no_silence_once_it_is_right_again() {
        let mut habit = learned(office(0..10).chain([at(4_000, 8, 0)]));
        habit.hold_below(at(10, 8, 0));
        assert_eq!(habit.last(), at(10, 8, 0));
        (0..1441).for_each(|minute| habit.learn(at(10, 8, minute)));
        assert_eq!(habit.expected_minutes(), Some(15), "it learns again");
    }

    #[test]
    fn a_configured_time_needs_no_history() {
        let habit = Habit::new(at(0, 8, 0));
        assert_eq!(patience_minutes(StaleAfter::After(Duration::from_secs(7_201)), &habit), Some(121));
        assert_eq!(patience_minutes(StaleAfter::Never, &habit), None);
        assert_eq!(patience_minutes(StaleAfter::Auto, &habit), None);
    }

    proptest! {
        /// Any minutes, in any order: what is expected stays within its bounds, and `last` never goes back.
        #[test]
        fn learning_never_goes_wrong(minutes in prop::collection::vec(any::<u32>().prop_map(Minute), 1..50), now in any::<u32>()) {
            let mut habit = Habit::new(minutes[0]);
            for minute in minutes {
                let before = habit.last();
                habit.learn(minute);
                prop_assert!(habit.last() >= before);
                if let Some(expected) = habit.expected_minutes() {
                    prop_assert!((EXPECTED_MINUTES_MIN..=EXPECTED_MINUTES_MAX).contains(&expected));
                }
            }
            habit.hold_below(Minute(now));
            prop_assert!(habit.last() <= Minute(now));
            habit.expected_minutes();
        }
    }
}

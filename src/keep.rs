//! Which days may be forgotten: never more than `state.keep` asks, and never because a clock was wrong.
//! This file never removes anything.

use std::collections::BTreeSet;

use crate::day::Day;

/// A newest day is believed when this many days with counts, itself included, ...
const WITNESSES: usize = 3;
/// ... lie within so many days before it. A clock that is years ahead for two days removes nothing, nor do lines
/// with a stamp of the future.
const WITNESS_DAYS: i64 = 30;

/// The day before which counts may be forgotten: `keep_days` before today, or before the newest day with counts
/// that can be believed, whichever is the earlier. `None`: nothing may be forgotten.
pub fn horizon(counted: &BTreeSet<Day>, today: Day, keep_days: u32) -> Option<Day> {
    let is_believed = |day: &&Day| counted.range(day.plus(1 - WITNESS_DAYS)..=**day).count() >= WITNESSES;
    let newest = counted.range(..=today).rev().find(is_believed)?;
    Some(newest.plus(-i64::from(keep_days)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    /// Ten days up to this one.
    fn ten_days(to: &str) -> BTreeSet<Day> {
        (0..10).map(|age| day(to).plus(-age)).collect()
    }

    fn check(counted: &BTreeSet<Day>, today: &str, expected: Option<&str>) {
        assert_eq!(horizon(counted, day(today), 800), expected.map(day));
    }

    #[test]
    fn days_are_kept_from_the_newest_day_with_counts() {
        check(&ten_days("2026-11-22"), "2026-11-22", Some("2024-09-13"));
        check(&ten_days("2026-11-22"), "2026-12-22", Some("2024-09-13"));
        check(&BTreeSet::new(), "2026-11-22", None);
    }

    #[test]
    fn a_clock_years_ahead_forgets_nothing_even_while_lines_follow_it() {
        let mut counted = ten_days("2026-11-22");
        check(&counted, "2036-11-22", Some("2024-09-13"));
        counted.extend([day("2036-11-22"), day("2036-11-23")]);
        check(&counted, "2036-11-23", Some("2024-09-13"));
        check(&counted, "2026-11-23", Some("2024-09-13"));
    }

    #[test]
    fn a_clock_years_behind_forgets_nothing_more() {
        check(&ten_days("2026-11-22"), "1970-01-02", None);
    }

    #[test]
    fn days_that_stand_alone_are_not_believed() {
        let mut counted = ten_days("2026-11-22");
        counted.insert(day("2026-12-31"));
        check(&counted, "2027-01-10", Some("2024-09-13"));
    }
}

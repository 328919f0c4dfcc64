//! Hours in which a client that is usually busy made no request become holes: its log, or its host, was away.
//! This file never looks at what collection knows; that is certain and comes first.

use super::Holes;
use super::curve::BINS;

pub const HOURS: usize = 24;
/// Bins in an hour.
const BINS_AN_HOUR: usize = BINS / HOURS;
/// A number an hour of the wall clock.
pub type Hourly = [f64; HOURS];

/// An hour is empty with less than this share of what is expected of it.
const EMPTY_SHARE: f64 = 0.02;
/// Where fewer were expected, an empty hour is no news.
const EXPECTED_MIN: f64 = 20.0;
/// An hour that is empty on more of the past days is the client's habit.
const EMPTY_DAYS_MAX: f64 = 0.25;
/// A single empty hour may be a long call, a lock or a lunch.
const HOURS_MIN: usize = 2;

/// What is usual for a day of one weekday, hour by hour.
#[derive(Clone, Debug)]
pub struct Usual {
    pub shares: Hourly,
    /// On which share of the past days the hour was empty.
    pub emptiness: Hourly,
}

pub fn hourly(bins: &[f64; BINS]) -> Hourly {
    std::array::from_fn(|hour| bins[hour * BINS_AN_HOUR..(hour + 1) * BINS_AN_HOUR].iter().sum())
}

/// Whether so few are nothing, where so many are expected.
pub fn is_empty(units: f64, expected: f64) -> bool {
    units <= EMPTY_SHARE * expected
}

/// The bins that are missing of these, of which all but the first `until` are still to come.
pub fn holes(bins: &[f64; BINS], until: usize, usual: &Usual) -> Holes {
    let hours = until / BINS_AN_HOUR;
    let counts = hourly(bins);
    let level = own_level(&counts[..hours], usual);
    let expected = |hour: usize| level * usual.shares[hour];
    let is_missing = |hour: usize| {
        is_empty(counts[hour], expected(hour))
            && expected(hour) >= EXPECTED_MIN
            && usual.emptiness[hour] <= EMPTY_DAYS_MAX
    };
    let missing: Vec<usize> = (0..hours).filter(|hour| is_missing(*hour)).collect();
    if missing.len() < HOURS_MIN {
        return Holes::NONE;
    }
    let bin_is_empty = |bin: usize| is_empty(bins[bin], expected(bin / BINS_AN_HOUR) / BINS_AN_HOUR as f64);
    missing.iter().fold(Holes::NONE, |holes, hour| holes.and(around(*hour, until, bin_is_empty)))
}

/// The total that the day would have had by its own busy hours: one in which much is missing is not quiet.
fn own_level(counts: &[f64], usual: &Usual) -> f64 {
    let level = |is_heard: &dyn Fn(usize) -> bool| {
        let heard = (0..counts.len()).filter(|hour| is_heard(*hour));
        let (units, share) =
            heard.fold((0.0, 0.0), |(units, share), hour| (units + counts[hour], share + usual.shares[hour]));
        if share > 0.0 { units / share } else { 0.0 }
    };
    let at_first = level(&|_| true);
    level(&|hour| !is_empty(counts[hour], at_first * usual.shares[hour]))
}

/// The hour's bins, and the empty ones next to it: outages do not keep to the hour.
fn around(hour: usize, until: usize, is_empty: impl Fn(usize) -> bool) -> Holes {
    let (start, end) = (hour * BINS_AN_HOUR, (hour + 1) * BINS_AN_HOUR);
    let earlier = (start.saturating_sub(BINS_AN_HOUR - 1)..start).rev().take_while(|bin| is_empty(*bin));
    let later = (end..(end + BINS_AN_HOUR - 1).min(until)).take_while(|bin| is_empty(*bin));
    earlier.chain(start..end).chain(later).fold(Holes::NONE, Holes::with)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Busy from 6 h to 22 h.
    fn usual() -> Usual {
        let shares = std::array::from_fn(|hour| if (6..22).contains(&hour) { 1.0 / 16.0 } else { 0.0 });
        Usual { shares, emptiness: [0.0; HOURS] }
    }

    /// Of such a day, without some bins.
    fn without(missing: std::ops::Range<usize>) -> [f64; BINS] {
        std::array::from_fn(|bin| if (24..88).contains(&bin) && !missing.contains(&bin) { 25.0 } else { 0.0 })
    }

    fn found(missing: std::ops::Range<usize>, usual: &Usual) -> Vec<usize> {
        let holes = holes(&without(missing), BINS, usual);
        (0..BINS).filter(|bin| holes.contains(*bin)).collect()
    }

    #[test]
    fn two_empty_hours_where_many_are_expected_are_an_outage() {
        assert_eq!(found(40..48, &usual()), (40..48).collect::<Vec<_>>());
        assert!(found(40..44, &usual()).is_empty(), "one hour is none");
        assert!(found(88..96, &usual()).is_empty(), "nor is the night");
    }

    #[test]
    fn an_outage_reaches_as_far_as_empty_bins_around_its_hours_do() {
        assert_eq!(found(38..51, &usual()), (38..51).collect::<Vec<_>>());
    }

    #[test]
    fn hours_that_are_often_empty_are_a_habit() {
        let mut lunch = usual();
        lunch.emptiness[10..12].fill(0.3);
        assert!(found(40..48, &lunch).is_empty());
    }

    #[test]
    fn few_calls_that_are_missing_are_no_news() {
        let bins = without(40..48).map(|units| units / 10.0);
        assert_eq!(holes(&bins, BINS, &usual()), Holes::NONE);
    }

    #[test]
    fn a_day_of_nothing_is_quiet_and_the_hours_to_come_are_not_missing() {
        assert_eq!(holes(&[0.0; BINS], BINS, &usual()), Holes::NONE);
        let mut morning = without(0..0);
        morning[40..].fill(0.0);
        assert_eq!(holes(&morning, 40, &usual()), Holes::NONE);
    }
}

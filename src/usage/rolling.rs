//! What a rolling window holds: what leaves it when, and which of the last day's windows was the fullest. Pure
//! arithmetic on minutes; this file never reads a clock.

use chrono::{DateTime, Utc};

use crate::count::rolling::fullest_rolling;
use crate::count::tally::Minutes;
use crate::day::Minute;
use crate::forecast::BIN_MINUTES;
use crate::publish::snapshot::Worst;
use crate::quota::{ROLLING_MINUTES, rolling};

/// The fullest 24 hours that ended within the last 24, the running ones included; of equal ones the latest.
pub fn worst(minutes: &Minutes, now: Minute) -> Worst {
    let (last, used) = fullest_rolling(minutes, rolling(now));
    Worst { used, until: Minute(last.0.saturating_add(1)).start() }
}

/// When the last of what the window holds now has left it; now, where it holds nothing.
pub fn empty_at(minutes: &Minutes, now: Minute) -> Minute {
    let last = minutes.range(..=now).next_back().map(|(minute, _)| minute.0.saturating_add(ROLLING_MINUTES));
    Minute(last.unwrap_or(now.0).max(now.0))
}

/// Units that leave the window, a bin each from now on.
pub fn leaving(minutes: &Minutes, now: DateTime<Utc>) -> Vec<u64> {
    let last = Minute::at(now);
    let mut bins = vec![0_u64; (ROLLING_MINUTES / BIN_MINUTES) as usize];
    for (minute, units) in minutes.range(rolling(last)) {
        let leaves = Minute(minute.0.saturating_add(ROLLING_MINUTES)).start();
        let bin = (leaves - now).num_minutes() / i64::from(BIN_MINUTES);
        let bin = usize::try_from(bin).unwrap_or(0).min(bins.len() - 1);
        bins[bin] = bins[bin].saturating_add(*units);
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(of: &[(u32, u64)]) -> Minutes {
        of.iter().map(|(minute, units)| (Minute(*minute), *units)).collect()
    }

    #[test]
    fn the_fullest_window_of_the_last_day_may_be_over() {
        let minutes = minutes(&[(10_000, 5), (11_000, 7), (11_500, 1)]);
        let told = |now| {
            let worst = worst(&minutes, Minute(now));
            (worst.used, Minute::at(worst.until).0)
        };
        assert_eq!(told(10_000), (5, 10_001));
        assert_eq!(told(11_000), (12, 11_001));
        assert_eq!(told(11_800), (12, 11_001), "though no more than 8 count now");
        assert_eq!(told(12_439), (12, 11_001), "though daycap may have been down when it was");
        assert_eq!(told(12_880), (8, 11_501), "windows with 10,000 ended longer ago");
        assert_eq!(told(20_000), (0, 20_001));
    }

    #[test]
    fn what_leaves_is_in_the_quarter_hour_in_which_it_does() {
        let now: DateTime<Utc> = "2026-11-22T12:00:30Z".parse().expect("an instant");
        let last = Minute::at(now).0;
        let bins = leaving(
            &minutes(&[(last, 1), (last - 1_439, 2), (last - 1_425, 4), (last - 1_424, 8), (last - 1_440, 16)]),
            now,
        );
        assert_eq!((bins[0], bins[1], bins[95], bins.iter().sum::<u64>()), (2 + 4, 8, 1, 15));
    }

    #[test]
    fn it_is_empty_a_day_after_the_last_request() {
        assert_eq!(empty_at(&minutes(&[(10_000, 1)]), Minute(10_100)), Minute(11_440));
        assert_eq!(empty_at(&minutes(&[(10_000, 1)]), Minute(12_000)), Minute(12_000));
        assert_eq!(empty_at(&Minutes::new(), Minute(7)), Minute(7));
    }
}

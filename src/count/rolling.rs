//! Sums of the 24 hours that end with each minute of a span: how full a rolling window was. This file never reads a
//! clock.

use std::ops::Range;

use super::tally::Minutes;
use crate::day::Minute;
use crate::quota::rolling;

/// Tell of the 24 hours that end with each of these minutes what was used in them. Only minutes that use something are
/// told, and the first and the last: between them no window is fuller.
pub fn each_rolling(minutes: &Minutes, ends: Range<Minute>, mut tell: impl FnMut(Minute, u64)) {
    if ends.is_empty() {
        return;
    }
    let last = Minute(ends.end.0 - 1);
    let mut entering = minutes.range(rolling(ends.start).start..=last).peekable();
    let mut leaving = entering.clone();
    let mut used = 0_u128;
    let using = minutes.range(ends.clone()).map(|(minute, _)| *minute);
    for end in [ends.start].into_iter().chain(using).chain([last]) {
        let begins = rolling(end).start;
        while let Some((_, units)) = entering.next_if(|(minute, _)| **minute <= end) {
            used += u128::from(*units);
        }
        while let Some((_, units)) = leaving.next_if(|(minute, _)| **minute < begins) {
            used -= u128::from(*units);
        }
        tell(end, u64::try_from(used).unwrap_or(u64::MAX));
    }
}

/// The last minute of the fullest 24 hours of those that end in the span, and what they used; of equal ones the latest.
pub fn fullest_rolling(minutes: &Minutes, ends: Range<Minute>) -> (Minute, u64) {
    let mut fullest = (ends.start, 0);
    each_rolling(minutes, ends, |end, used| {
        if used >= fullest.1 {
            fullest = (end, used);
        }
    });
    fullest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fullest_is_that_of_all_windows(
            of in prop::collection::btree_map(0_u32..6_000, 1_u64..9, 0..30),
            start in 0_u32..5_000,
            length in 1_u32..1_500,
        ) {
            let minutes: Minutes = of.iter().map(|(minute, units)| (Minute(*minute), *units)).collect();
            let used = |of: &BTreeMap<u32, u64>, last: u32| {
                of.range((last + 1).saturating_sub(1_440)..=last).map(|(_, units)| units).sum::<u64>()
            };
            let expected = (start..start + length).map(|last| used(&of, last)).max().unwrap_or(0);
            let (end, most) = fullest_rolling(&minutes, Minute(start)..Minute(start + length));
            prop_assert_eq!((most, used(&of, end.0)), (expected, expected));
        }
    }
}

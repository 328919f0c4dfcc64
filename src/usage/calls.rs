//! Which minutes had calls becomes which call began the window of 24 hours that runs: a replay of all windows since
//! the first call, so that a restart, a lost state and a late line come to the same answer.
//! This file never counts units.

use std::collections::BTreeMap;

use crate::day::{DAY_MINUTES, Minute};
use crate::quota::ROLLING_MINUTES;

const WORD_BITS: u32 = u64::BITS;
const WORDS: usize = DAY_MINUTES.div_ceil(WORD_BITS) as usize;
/// Days remembered, 184 bytes each: a century, as long as a ledger can be kept.
const DAYS_MAX: usize = 36_525;

/// The minutes that had calls, a bit each.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// By UTC day since 1970.
    days: BTreeMap<u32, [u64; WORDS]>,
    /// The call that began the window last asked for.
    known: Option<Minute>,
}

impl Calls {
    pub fn add(&mut self, minute: Minute) {
        // A call before the one that began the window may move all that follow.
        self.known = self.known.filter(|begun| *begun <= minute);
        let (word, bit) = place(minute.0 % DAY_MINUTES);
        self.days.entry(minute.0 / DAY_MINUTES).or_insert([0; WORDS])[word] |= bit;
        if self.days.len() > DAYS_MAX {
            self.days.pop_first();
        }
    }

    /// The call whose window holds this minute; `None`: the next call begins one.
    pub fn window_at(&mut self, now: Minute) -> Option<Minute> {
        let holds = |begun: &Minute| *begun <= now && now.0 - begun.0 < ROLLING_MINUTES;
        if self.known.as_ref().is_none_or(|begun| !holds(begun)) {
            // Windows follow each other: going on from one that is over is the same as beginning anew.
            let from = self.known.filter(|begun| *begun <= now).unwrap_or(Minute(0));
            self.known = self.last_begun(from, now);
        }
        self.known.filter(holds)
    }

    /// The last window to begin up to `now`, of those from `from` on.
    fn last_begun(&self, from: Minute, now: Minute) -> Option<Minute> {
        let next = |begun: &Minute| self.first_from(Minute(begun.0.saturating_add(ROLLING_MINUTES)));
        let windows = std::iter::successors(self.first_from(from), next);
        windows.take_while(|begun| *begun <= now).last()
    }

    /// The first call in this minute or after it.
    fn first_from(&self, minute: Minute) -> Option<Minute> {
        let (day, within) = (minute.0 / DAY_MINUTES, minute.0 % DAY_MINUTES);
        let first_of = |day: &u32, words: &[u64; WORDS], from: u32| {
            let bit = first_bit(words, from)?;
            Some(Minute(day * DAY_MINUTES + bit))
        };
        let this = self.days.get(&day).and_then(|words| first_of(&day, words, within));
        this.or_else(|| self.days.range(day + 1..).find_map(|(day, words)| first_of(day, words, 0)))
    }
}

fn place(minute: u32) -> (usize, u64) {
    ((minute / WORD_BITS) as usize, 1 << (minute % WORD_BITS))
}

fn first_bit(words: &[u64; WORDS], from: u32) -> Option<u32> {
    let (first, _) = place(from);
    (first..WORDS).zip(0_u32..).find_map(|(at, nth)| {
        let mask = if nth == 0 { u64::MAX << (from % WORD_BITS) } else { u64::MAX };
        let word = words[at] & mask;
        let begins = (from / WORD_BITS + nth) * WORD_BITS;
        (word != 0).then(|| begins + word.trailing_zeros())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calls(minutes: &[u32]) -> Calls {
        let mut calls = Calls::default();
        minutes.iter().for_each(|minute| calls.add(Minute(*minute)));
        calls
    }

    #[test]
    fn a_window_begins_with_the_first_call_after_the_one_before_is_over() {
        let mut calls = calls(&[10_000, 11_000, 11_439, 11_500, 20_000]);
        let asked = [9_999, 10_000, 11_439, 11_440, 11_499, 11_500, 12_939, 12_940, 20_000, 21_440];
        let begun = asked.map(|minute| calls.window_at(Minute(minute)).map(|begun| begun.0));
        let [first, second, third] = [Some(10_000), Some(11_500), Some(20_000)];
        assert_eq!(begun, [None, first, first, None, None, second, second, None, third, None]);
    }

    #[test]
    fn a_late_line_moves_the_windows_as_if_it_had_been_there_before() {
        let mut late = calls(&[10_000, 11_430, 11_450]);
        assert_eq!(late.window_at(Minute(11_460)), Some(Minute(11_450)));
        late.add(Minute(9_995));
        assert_eq!(late.window_at(Minute(11_460)), Some(Minute(11_450)), "the first window ends at 11,435");
        late.add(Minute(11_440));
        assert_eq!(late.window_at(Minute(11_460)), Some(Minute(11_440)));
    }

    proptest! {
        /// However calls come in and whenever it is asked, the windows are those of a plain replay.
        #[test]
        fn any_order_gives_the_windows_of_a_replay(
            minutes in prop::collection::vec(0_u32..20_000, 1..40),
            asked in prop::collection::vec(0_u32..25_000, 1..20),
        ) {
            let mut calls = Calls::default();
            let mut seen = std::collections::BTreeSet::new();
            let mut asked = asked.into_iter().cycle();
            for minute in minutes {
                calls.add(Minute(minute));
                seen.insert(minute);
                let now = asked.next().unwrap_or_default();
                let mut running: Option<u32> = None;
                for call in seen.range(..=now) {
                    if running.is_none_or(|begun| *call >= begun + 1_440) {
                        running = Some(*call);
                    }
                }
                let expected = running.filter(|begun| now < begun + 1_440).map(Minute);
                prop_assert_eq!(calls.window_at(Minute(now)), expected);
            }
        }
    }
}

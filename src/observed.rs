//! What servers said of one quota, beside what daycap counts itself: how far the two are apart.
//! This file never changes a count or a limit: what a server says is shown, and never adopted.
//!
//! Both are compared at the end of a minute, the grain of all counts. The server's number is the highest that a
//! response of that minute told; requests of the minute whose lines told none, that were under way, or that another
//! machine made a moment later are in the one number and not in the other. So the difference is uncertain by what the
//! minute itself holds, which is told beside it.

use std::ops::Range;

use chrono::TimeDelta;

use crate::collect::observed::Observation;
use crate::count::tally::Minutes;
use crate::day::Minute;
use crate::publish::server::ServerTruth;
use crate::publish::text::thousands;

/// Clocks of clients may run ahead by as many minutes; what is stamped later yet would be the newest for ever.
const AHEAD_MINUTES_MAX: u32 = 10;

/// The last that servers said of one quota.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    newest: Option<Observation>,
    /// The limit that people were told of because it is not the configured one.
    limit_said: Option<u64>,
}

impl Witness {
    /// Go on from what was known in the run before, which has said what there was to say.
    pub fn resume(&mut self, known: Option<&Observation>) {
        self.newest = known.copied();
        self.limit_said = known.and_then(|observation| observation.limit);
    }

    /// For the next run.
    pub fn newest(&self) -> Option<Observation> {
        self.newest
    }

    /// Hear what was observed of the quota's own requests.
    pub fn hear(&mut self, observed: impl Iterator<Item = Observation>, now: Minute) {
        let believable = observed.filter(|of| of.minute.0 <= now.0.saturating_add(AHEAD_MINUTES_MAX));
        self.newest = self.newest.into_iter().chain(believable).reduce(Observation::newest);
    }

    /// A sentence, once, when the server's limit in this window is not the configured one.
    pub fn odd_limit(&mut self, name: &str, limit: u64, window: &Range<Minute>) -> Option<String> {
        let told = self.newest.filter(|of| is_within(of, window))?.limit?;
        let is_news = self.limit_said.replace(told) != Some(told) && told != limit;
        is_news.then(|| {
            format!(
                "quota {name:?}: the server says that its limit is {}, the configuration says {}; what the server says is \
                 shown and not used: set `limit` to what holds",
                thousands(told),
                thousands(limit)
            )
        })
    }

    /// The last word of the server on this window, and how far the count of `minutes` is from it.
    pub fn compared(&self, minutes: &Minutes, window: &Range<Minute>, limit: u64) -> Option<ServerTruth> {
        let of = self.newest.filter(|of| is_within(of, window))?;
        let counted = minutes.range(window.start..=of.minute).map(|(_, units)| units).sum();
        let by_remaining = || Some(of.limit.unwrap_or(limit).saturating_sub(of.remaining?));
        let used = of.used.or_else(by_remaining);
        Some(ServerTruth {
            at: of.minute.start(),
            used,
            remaining: of.remaining,
            limit: of.limit,
            resets_at: of.resets_at,
            counted,
            drift: used.map(|used| difference(used, counted)),
            uncertainty: minutes.get(&of.minute).copied().unwrap_or(0),
        })
    }
}

/// Whether it speaks of this window. Clocks of client and server do not turn together: in the first minute, only a
/// server that says when its window ends is sure to speak of the new one.
fn is_within(of: &Observation, window: &Range<Minute>) -> bool {
    let is_of_this = match of.resets_at {
        Some(at) => at > window.start.start() + TimeDelta::minutes(1),
        None => of.minute > window.start,
    };
    window.contains(&of.minute) && is_of_this
}

fn difference(one: u64, other: u64) -> i64 {
    let apart = i64::try_from(one.abs_diff(other)).unwrap_or(i64::MAX);
    if one >= other { apart } else { -apart }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u32 = 29_923_200;

    fn at(minute: u32, used: u64) -> Observation {
        Observation { minute: Minute(START + minute), used: Some(used), remaining: None, limit: None, resets_at: None }
    }

    fn window() -> Range<Minute> {
        Minute(START)..Minute(START + 1_440)
    }

    /// Ten units in the window before, then 2 a minute in minutes 1 to 5 and 50 in minute 9.
    fn minutes() -> Minutes {
        let own = (1..=5).map(|minute| (Minute(START + minute), 2));
        [(Minute(START - 1), 10), (Minute(START + 9), 50)].into_iter().chain(own).collect()
    }

    fn heard(of: Observation) -> Witness {
        let mut witness = Witness::default();
        witness.hear([of].into_iter(), Minute(START + 60));
        witness
    }

    fn drift(of: Observation) -> Option<i64> {
        heard(of).compared(&minutes(), &window(), 100)?.drift
    }

    #[test]
    fn drift_is_what_the_server_counted_more_in_the_same_window_up_to_the_same_minute() {
        let truth = heard(at(5, 22)).compared(&minutes(), &window(), 100).expect("of this window");
        assert_eq!((truth.counted, truth.drift, truth.uncertainty), (10, Some(12), 2));
        assert_eq!(drift(at(5, 10)), Some(0));
        assert_eq!(drift(at(5, 0)), Some(-10));
        assert_eq!(drift(at(9, 60)), Some(0));
        let remaining = |limit| Observation { used: None, remaining: Some(70), limit, ..at(5, 0) };
        assert_eq!(drift(remaining(Some(90))), Some(10));
        assert_eq!(drift(remaining(None)), Some(20), "of the configured limit");
        assert_eq!(drift(remaining(Some(7))), Some(-10), "less than nothing is not used");
    }

    #[test]
    fn a_limit_alone_is_shown_without_a_drift() {
        let limit = Observation { used: None, limit: Some(90), ..at(5, 0) };
        let truth = heard(limit).compared(&minutes(), &window(), 100).expect("of this window");
        assert_eq!((truth.limit, truth.used, truth.drift), (Some(90), None, None));
    }

    #[test]
    fn what_was_said_of_an_earlier_window_is_not_compared() {
        let resets =
            |of: Observation, minutes: u32| Observation { resets_at: Some(Minute(START + minutes).start()), ..of };
        for (of, compared) in [
            (Observation { minute: Minute(START - 1), ..at(0, 99) }, false),
            (at(0, 99), false),
            (at(1, 99), true),
            (resets(at(0, 1), 1_440), true),
            (resets(at(2, 99), 0), false),
            (resets(at(0, 99), 1), false),
        ] {
            assert_eq!(drift(of).is_some(), compared, "{of:?}");
        }
        let next = window().end..Minute(START + 2_880);
        assert_eq!(heard(at(5, 22)).compared(&minutes(), &next, 100), None);
    }

    #[test]
    fn a_stamp_of_the_future_is_not_the_last_word() {
        let mut witness = heard(at(5, 22));
        witness.hear([at(60 + 11, 7)].into_iter(), Minute(START + 60));
        assert_eq!(witness.newest(), Some(at(5, 22)));
        witness.hear([at(60 + 10, 7)].into_iter(), Minute(START + 60));
        assert_eq!(witness.newest(), Some(at(70, 7)));
    }

    #[test]
    fn another_limit_than_the_configured_one_is_said_once() {
        let limit = |of: u64| Observation { limit: Some(of), ..at(5, 22) };
        let mut witness = heard(limit(90));
        assert_eq!(
            witness.odd_limit("prod", 40_000, &window()).as_deref(),
            Some(
                "quota \"prod\": the server says that its limit is 90, the configuration says 40,000; what the server says \
                 is shown and not used: set `limit` to what holds"
            )
        );
        assert_eq!(witness.odd_limit("prod", 40_000, &window()), None);
        let mut next = Witness::default();
        next.resume(witness.newest().as_ref());
        assert_eq!(next.odd_limit("prod", 40_000, &window()), None, "the run before has said it");
        next.hear([Observation { limit: Some(95), ..at(6, 23) }].into_iter(), Minute(START + 60));
        assert!(next.odd_limit("prod", 40_000, &window()).is_some());
        assert_eq!(heard(limit(40_000)).odd_limit("prod", 40_000, &window()), None);
        assert_eq!(heard(limit(90)).odd_limit("prod", 40_000, &(window().end..Minute(START + 2_880))), None);
    }
}

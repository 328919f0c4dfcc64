//! What servers said of one quota, beside what daycap counts itself: how far the two are apart.
//! This file never changes a count or a limit: what a server says is shown, and never adopted.
//!
//! Both are compared at the end of a minute, the grain of all counts. The server's number is the highest that a
//! response of that minute told; requests of the minute whose lines told none, that were under way, or that another
//! machine made a moment later are in the one number and not in the other. So the difference is uncertain by what the
//! minute itself holds, which is told beside it.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::TimeDelta;

use crate::collect::observed::Observation;
use crate::count::tally::Minutes;
use crate::day::Minute;
use crate::publish::server::ServerTruth;
use crate::publish::text::thousands;
use crate::quota::{Quota, ROLLING_MINUTES, Window, WindowKind, rolling};

/// Clocks of clients may run ahead by as many minutes; what is stamped later yet would be the newest for ever.
const AHEAD_MINUTES_MAX: u32 = 10;

/// Limits that are told apart: a match may take in requests of several of a server's limits.
const LIMITS_SAID_MAX: usize = 8;

/// The last that servers said of one quota.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    newest: Option<Observation>,
    /// The limits that were looked at: what is odd about one is said once.
    limits_said: BTreeSet<u64>,
}

impl Witness {
    /// Go on from what was known in the run before, which has said what there was to say.
    pub fn resume(&mut self, known: Option<&Observation>) {
        self.newest = known.copied();
        self.limits_said.extend(known.and_then(|observation| observation.limit));
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

    /// A sentence, once, when the server's limit in the running window is not the configured one.
    pub fn odd_limit(&mut self, quota: &Quota, running: &Range<Minute>) -> Option<String> {
        let Quota { name, limit, window, .. } = quota;
        let (limit, told) = (limit.get(), self.newest.filter(|of| span(of, *window, running).is_some())?.limit?);
        let is_news = self.limits_said.len() < LIMITS_SAID_MAX && self.limits_said.insert(told);
        (is_news && told != limit).then(|| {
            format!(
                "quota {name:?}: the server says that its limit is {}, the configuration says {}; what the server says is \
                 shown and not used: set `limit` to what holds",
                thousands(told),
                thousands(limit)
            )
        })
    }

    /// The last word of the server on the running window, and how far the quota's `minutes` are from it.
    pub fn compared(&self, minutes: &Minutes, quota: &Quota, running: &Range<Minute>) -> Option<ServerTruth> {
        let of = self.newest?;
        let span = span(&of, quota.window, running)?;
        let counted = minutes.range(span.start..=of.minute).map(|(_, units)| units).sum();
        let by_remaining = || Some(of.limit.unwrap_or(quota.limit.get()).saturating_sub(of.remaining?));
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

/// The window that it speaks of, if that still runs: the minutes to compare it with.
fn span(of: &Observation, window: Window, running: &Range<Minute>) -> Option<Range<Minute>> {
    match window.kind {
        WindowKind::Day | WindowKind::Month { .. } | WindowKind::Hour | WindowKind::FirstCall => {
            is_within(of, running).then(|| running.clone())
        }
        WindowKind::Rolling => running.contains(&of.minute).then(|| rolling(of.minute)),
        WindowKind::AnyDay => {
            // It ends with the running minute.
            let now = Minute(running.end.0.saturating_sub(1));
            let day = any_day(of, window, now);
            (day.contains(&now) && is_within(of, &day)).then_some(day)
        }
    }
}

/// Where the provider does not say when its day begins, its server may: by when it ends. Else it is the calendar's day.
fn any_day(of: &Observation, window: Window, now: Minute) -> Range<Minute> {
    match of.resets_at.map(Minute::at) {
        Some(end) => Minute(end.0.saturating_sub(ROLLING_MINUTES))..end,
        None => window.calendar.span(window.calendar.day_of(now)),
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
    use crate::quota::{Costs, Match};

    const START: u32 = 29_923_200;

    fn at(minute: u32, used: u64) -> Observation {
        Observation { minute: Minute(START + minute), used: Some(used), remaining: None, limit: None, resets_at: None }
    }

    fn window() -> Range<Minute> {
        Minute(START)..Minute(START + 1_440)
    }

    fn quota(kind: WindowKind, limit: u64) -> Quota {
        Quota {
            name: "prod".to_owned(),
            limit: std::num::NonZeroU64::new(limit).expect("at least 1"),
            window: Window { kind, ..Window::day(chrono_tz::Tz::UTC) },
            matching: Match::default(),
            costs: Costs::default(),
            burst: None,
            within: None,
        }
    }

    fn day(limit: u64) -> Quota {
        quota(WindowKind::Day, limit)
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
        heard(of).compared(&minutes(), &day(100), &window())?.drift
    }

    #[test]
    fn drift_is_what_the_server_counted_more_in_the_same_window_up_to_the_same_minute() {
        let truth = heard(at(5, 22)).compared(&minutes(), &day(100), &window()).expect("of this window");
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
        let truth = heard(limit).compared(&minutes(), &day(100), &window()).expect("of this window");
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
        assert_eq!(heard(at(5, 22)).compared(&minutes(), &day(100), &next), None);
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
            witness.odd_limit(&day(40_000), &window()).as_deref(),
            Some(
                "quota \"prod\": the server says that its limit is 90, the configuration says 40,000; what the server says \
                 is shown and not used: set `limit` to what holds"
            )
        );
        assert_eq!(witness.odd_limit(&day(40_000), &window()), None);
        let mut next = Witness::default();
        next.resume(witness.newest().as_ref());
        assert_eq!(next.odd_limit(&day(40_000), &window()), None, "the run before has said it");
        next.hear([Observation { limit: Some(95), ..at(6, 23) }].into_iter(), Minute(START + 60));
        assert!(next.odd_limit(&day(40_000), &window()).is_some());
        // Two limits in one match, whose turns come and go.
        next.hear([Observation { limit: Some(90), ..at(7, 24) }].into_iter(), Minute(START + 60));
        assert_eq!(next.odd_limit(&day(40_000), &window()), None);
        assert_eq!(heard(limit(40_000)).odd_limit(&day(40_000), &window()), None);
        assert_eq!(heard(limit(90)).odd_limit(&day(40_000), &(window().end..Minute(START + 2_880))), None);
    }

    /// Of 24 hours that end with the observed minute, however long ago that is.
    #[test]
    fn a_rolling_window_is_compared_as_it_was_when_the_server_spoke() {
        let rolling_quota = quota(WindowKind::Rolling, 100);
        let drift = |of: Observation, now: u32| {
            let truth = heard(of).compared(&minutes(), &rolling_quota, &rolling(Minute(START + now)));
            truth.map(|truth| (truth.counted, truth.drift))
        };
        assert_eq!(drift(at(5, 22), 5), Some((20, Some(2))), "with the ten of the minute before midnight");
        assert_eq!(drift(at(5, 22), 1_000), Some((20, Some(2))));
        assert_eq!(drift(at(5, 22), 1_445), None, "a day later");
    }

    /// A server that says when its day ends says when it began.
    #[test]
    fn of_any_day_the_servers_own_is_compared_else_the_calendars() {
        let any_day = quota(WindowKind::AnyDay, 100);
        let counted = |of: Observation, now: u32| {
            let truth = heard(of).compared(&minutes(), &any_day, &rolling(Minute(START + now)));
            truth.map(|truth| truth.counted)
        };
        let ends = |minute: u32| Observation { resets_at: Some(Minute(START + minute).start()), ..at(5, 22) };
        assert_eq!(counted(at(5, 22), 60), Some(10));
        assert_eq!(counted(ends(1_440), 60), Some(10));
        assert_eq!(counted(ends(1_400), 60), Some(20), "it began 40 minutes earlier");
        assert_eq!(counted(ends(1_443), 60), Some(6), "and here three minutes later");
        assert_eq!(counted(ends(30), 60), None, "that day is over");
        assert_eq!(counted(at(5, 22), 1_440), None, "and so is this one");
    }
}

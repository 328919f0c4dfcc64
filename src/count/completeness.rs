//! Whether a count is all there was; where it is not, why, and between which two instants lines are missing.
//! This file never decides that something is missing; it is told.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::day::{Day, Minute};

/// Reasons kept of a day, or told of a report; more of them would not make it less exact.
pub const REASONS_MAX: usize = 20;
/// What the last reason says when there were more.
const AND_MORE: &str = "and more";

/// Whether a day's count is all there was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Completeness {
    #[default]
    Exact,
    AtLeast {
        reasons: Vec<Reason>,
    },
}

/// Why a count is a lower bound.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// Lines from here on may be missing ...
    pub since: DateTime<Utc>,
    /// ... up to here.
    pub until: DateTime<Utc>,
    /// One sentence, without a full stop, that names the log or the file.
    pub what: String,
}

impl Reason {
    /// Of lines between these two instants, whichever is the earlier: a clock may have gone back between them.
    pub fn between(one: DateTime<Utc>, other: DateTime<Utc>, what: String) -> Reason {
        Reason { since: one.min(other), until: one.max(other), what }
    }

    /// All that is known is the UTC day.
    pub fn of_day(day: Day, what: String) -> Reason {
        let span = day.span(Tz::UTC);
        Reason { since: span.start.start(), until: Minute(span.end.0.saturating_sub(1)).start(), what }
    }

    /// Whether lines of these minutes may be missing.
    pub fn touches(&self, span: &Range<Minute>) -> bool {
        Minute::at(self.since) < span.end && span.start <= Minute::at(self.until)
    }

    /// The UTC days it speaks of, at most this many: the latest.
    pub fn days(&self, days_max: u32) -> impl Iterator<Item = Day> {
        let last = Minute::at(self.until).utc_day();
        let first = Minute::at(self.since).utc_day().max(last.plus(1 - i64::from(days_max.max(1))));
        std::iter::successors(Some(first), move |day| (*day < last).then(|| day.next()))
    }
}

/// `app.log was truncated (between 2026-11-22 10:00 and 10:05 UTC)`; of a whole day, only the day.
impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = Minute::at(self.since).utc_day();
        if *self == Reason::of_day(day, self.what.clone()) {
            return write!(formatter, "{} (on {day})", self.what);
        }
        let until = if self.until.date_naive() == self.since.date_naive() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        let (since, until) = (self.since.format("%Y-%m-%d %H:%M:%S"), self.until.format(until));
        write!(formatter, "{} (between {since} and {until} UTC)", self.what)
    }
}

impl Completeness {
    /// Once at least, always at least: `reasons` are added to those there are, each once. What finds no place
    /// any more widens the last one, which then says so.
    pub fn add(&mut self, reasons: impl IntoIterator<Item = Reason>) {
        for reason in reasons {
            match self {
                Completeness::Exact => *self = Completeness::AtLeast { reasons: vec![reason] },
                Completeness::AtLeast { reasons } => insert(reasons, reason),
            }
        }
    }

    /// All that speaks of these minutes.
    pub fn within(&self, span: &Range<Minute>) -> Completeness {
        let mut within = Completeness::Exact;
        within.add(self.reasons().iter().filter(|reason| reason.touches(span)).cloned());
        within
    }

    /// None where it is exact.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Completeness::Exact => &[],
            Completeness::AtLeast { reasons } => reasons,
        }
    }

    pub fn is_exact(&self) -> bool {
        *self == Completeness::Exact
    }

    /// The reasons as one line; empty where it is exact.
    pub fn told(&self) -> String {
        self.reasons().iter().map(Reason::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// Of this host's lines, some that a report asks for may be missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Doubt {
    pub reason: Reason,
    pub host: String,
}

impl Doubt {
    /// The reason for who reads of several hosts.
    pub fn told(&self) -> Reason {
        Reason { what: format!("{}: {}", self.host, self.reason.what), ..self.reason.clone() }
    }
}

fn insert(reasons: &mut Vec<Reason>, reason: Reason) {
    if reasons.contains(&reason) {
        return;
    }
    if reasons.len() < REASONS_MAX - 1 && reason.what != AND_MORE {
        reasons.push(reason);
        return;
    }
    match reasons.last_mut().filter(|last| last.what == AND_MORE) {
        Some(last) => {
            last.since = last.since.min(reason.since);
            last.until = last.until.max(reason.until);
        }
        None => reasons.push(Reason { what: AND_MORE.to_owned(), ..reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn reason(since: &str, until: &str) -> Reason {
        Reason::between(at(since), at(until), "app.log was truncated".to_owned())
    }

    #[test]
    fn a_reason_is_told_with_its_bounds() {
        let told = |since, until| reason(since, until).to_string();
        assert_eq!(
            told("2026-11-22T10:00:03Z", "2026-11-22T10:05:00Z"),
            "app.log was truncated (between 2026-11-22 10:00:03 and 10:05:00 UTC)"
        );
        assert_eq!(
            told("2026-11-22T00:05:00Z", "2026-11-21T23:00:00Z"),
            "app.log was truncated (between 2026-11-21 23:00:00 and 2026-11-22 00:05:00 UTC)"
        );
        let day = Reason::of_day("2026-11-22".parse().unwrap(), "its file was damaged".to_owned());
        assert_eq!(day.to_string(), "its file was damaged (on 2026-11-22)");
    }

    #[test]
    fn a_reason_speaks_of_each_day_that_it_touches_but_not_of_more_than_asked() {
        let days = |reason: &Reason, max| reason.days(max).map(|day| day.to_string()).collect::<Vec<_>>();
        let over_midnight = reason("2026-11-21T23:59:59Z", "2026-11-23T00:00:00Z");
        assert_eq!(days(&over_midnight, 800), ["2026-11-21", "2026-11-22", "2026-11-23"]);
        assert_eq!(days(&over_midnight, 2), ["2026-11-22", "2026-11-23"]);
        assert_eq!(days(&reason("1970-01-01T00:00:00Z", "2026-11-23T00:00:00Z"), 800).len(), 800);
        assert_eq!(days(&Reason::of_day("2026-11-22".parse().unwrap(), String::new()), 800), ["2026-11-22"]);
    }

    #[test]
    fn only_reasons_that_touch_a_span_are_within_it() {
        let mut day = Completeness::Exact;
        day.add([reason("2026-11-22T10:00:30Z", "2026-11-22T10:05:30Z")]);
        let span = |from, to| Minute::at(at(from))..Minute::at(at(to));
        assert!(day.within(&span("2026-11-22T00:00:00Z", "2026-11-22T10:00:00Z")).is_exact());
        assert!(!day.within(&span("2026-11-22T00:00:00Z", "2026-11-22T10:01:00Z")).is_exact());
        assert!(!day.within(&span("2026-11-22T10:05:00Z", "2026-11-23T00:00:00Z")).is_exact());
        assert!(day.within(&span("2026-11-22T10:06:00Z", "2026-11-23T00:00:00Z")).is_exact());
    }

    proptest! {
        /// However many there are, the list is short, says that there were more, and spans them all; adding
        /// again what was added changes nothing.
        #[test]
        fn the_list_is_bounded_and_loses_no_minute(starts in prop::collection::vec(0_i64..10_000, 0..60)) {
            let reasons: Vec<Reason> = starts.iter().map(|start| {
                let since = at("2026-11-22T00:00:00Z") + TimeDelta::minutes(*start);
                Reason { since, until: since + TimeDelta::minutes(3), what: format!("log {start}") }
            }).collect();
            let mut all = Completeness::Exact;
            all.add(reasons.clone());
            let distinct: std::collections::BTreeSet<_> = starts.iter().collect();
            prop_assert_eq!(all.reasons().len(), distinct.len().min(REASONS_MAX));
            let says_more = all.reasons().last().is_some_and(|last| last.what == AND_MORE);
            prop_assert_eq!(says_more, distinct.len() >= REASONS_MAX);
            for reason in &reasons {
                let span = Minute::at(reason.since)..Minute::at(reason.until);
                prop_assert!(all.reasons().iter().any(|told| told.touches(&span)));
            }
            let mut again = all.clone();
            again.add(reasons);
            prop_assert_eq!(again, all);
        }
    }
}

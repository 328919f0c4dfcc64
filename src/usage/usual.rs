//! What of the past week compares with a window as far as it has run: the same hours of the days before. Pure calendar
//! arithmetic; this file never reads a clock and never counts.

use std::ops::Range;

use crate::count::query::Incomplete;
use crate::day::Minute;
use crate::quota::{Window, WindowKind};

/// Days that make a usual one.
pub const DAYS: u32 = 7;

/// Spans to be averaged, each list over itself.
pub struct Usual {
    /// As much of past days as has run of this window; of a month, as has run of today.
    parts: Vec<Range<Minute>>,
    /// Of a month: whole days, and how many of them it has had.
    wholes: Vec<Range<Minute>>,
    whole_days: u64,
}

impl Usual {
    /// Nothing is known before `first`, nor of what is incomplete.
    pub fn of(window: Window, span: &Range<Minute>, now: Minute, first: Minute, incomplete: &Incomplete) -> Usual {
        let calendar = window.calendar;
        let today = calendar.day_of(now);
        let is_known = |span: &Range<Minute>| span.start >= first && !is_doubtful(span, incomplete);
        let (from, whole_days) = match window.kind {
            WindowKind::Month { .. } => {
                let days = (today.0 - calendar.day_of(span.start).0).num_days();
                (calendar.start(today), u64::try_from(days).unwrap_or(0))
            }
            WindowKind::Day | WindowKind::Hour | WindowKind::Rolling | WindowKind::FirstCall | WindowKind::AnyDay => {
                (span.start, 0)
            }
        };
        let until = if window.kind.is_rolling() { span.end } else { now };
        let part = |days| calendar.days_before(from, days)..calendar.days_before(until, days);
        let whole = |days: u32| calendar.span(today.plus(-i64::from(days)));
        let wholes = if whole_days == 0 { Vec::new() } else { (1..=DAYS).map(whole).filter(is_known).collect() };
        Usual { parts: (1..=DAYS).map(part).filter(is_known).collect(), wholes, whole_days }
    }

    /// What is usual of that of which `units` tells a span's; `None` before a day is known.
    pub fn units(&self, units: impl Fn(&Range<Minute>) -> u64) -> Option<u64> {
        let mean = |spans: &[Range<Minute>]| {
            let sum = spans.iter().fold(0_u64, |sum, span| sum.saturating_add(units(span)));
            let count = u64::try_from(spans.len()).ok().filter(|count| *count > 0)?;
            Some(sum.saturating_add(count / 2) / count)
        };
        let part = mean(&self.parts)?;
        let whole = if self.whole_days == 0 { 0 } else { mean(&self.wholes)? };
        Some(part.saturating_add(whole.saturating_mul(self.whole_days)))
    }
}

fn is_doubtful(span: &Range<Minute>, incomplete: &Incomplete) -> bool {
    let days = span.start.utc_day()..=span.end.utc_day();
    incomplete.range(days).any(|(_, of)| of.reasons().iter().any(|reason| reason.touches(span)))
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::day::Calendar;

    fn at(text: &str) -> Minute {
        Minute::at(text.parse().expect("an instant"))
    }

    fn usual(kind: WindowKind, now: &str, first: &str) -> Usual {
        let window = Window { kind, calendar: Calendar::from(Tz::Europe__Berlin) };
        let span = window.span_at(at(now), Some(at(now)));
        Usual::of(window, &span, at(now), at(first), &Incomplete::new())
    }

    #[test]
    fn a_day_compares_with_the_same_hours_of_the_week_before() {
        let usual = usual(WindowKind::Day, "2026-10-26T11:00:00Z", "2026-10-22T09:00:00Z");
        // The 22nd is not known from its start. Noon was at 10:00 UTC before the clock went back on the 25th.
        let expected = [
            at("2026-10-24T22:00:00Z")..at("2026-10-25T11:00:00Z"),
            at("2026-10-23T22:00:00Z")..at("2026-10-24T10:00:00Z"),
            at("2026-10-22T22:00:00Z")..at("2026-10-23T10:00:00Z"),
        ];
        assert_eq!(usual.parts, expected);
        assert_eq!(usual.units(|span| u64::from(span.end.0 - span.start.0)), Some(740));
    }

    #[test]
    fn nothing_is_usual_before_a_day_is_known() {
        assert_eq!(usual(WindowKind::Day, "2026-10-26T11:00:00Z", "2026-10-25T09:00:00Z").units(|_| 1), None);
    }

    #[test]
    fn a_month_compares_with_usual_days_of_the_past_week() {
        let usual = usual(WindowKind::Month { first_day: 1 }, "2026-11-22T11:00:00Z", "2026-11-01T00:00:00Z");
        assert_eq!(usual.units(|span| u64::from(span.end.0 - span.start.0)), Some(21 * 1_440 + 720));
    }

    #[test]
    fn rolling_hours_compare_with_whole_days() {
        let usual = usual(WindowKind::Rolling, "2026-11-22T11:00:00Z", "2026-11-01T00:00:00Z");
        assert_eq!(usual.parts.len(), 7);
        assert_eq!(usual.parts[0], at("2026-11-20T11:01:00Z")..at("2026-11-21T11:01:00Z"));
    }
}

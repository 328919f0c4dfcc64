//! When used units stop counting: a provider's window, and which minutes it holds. This file never counts anything.

use std::fmt;
use std::ops::Range;

use chrono_tz::Tz;
use serde::Serialize;

use crate::day::{Calendar, DAY_MINUTES, Minute};

/// The length of windows of 24 hours, whatever clocks do.
pub const ROLLING_MINUTES: u32 = DAY_MINUTES;

/// When units stop counting against a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub kind: WindowKind,
    /// Whose days and hours: the window's own, or else those in which the quota is reported.
    pub calendar: Calendar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// From one reset to the next.
    Day,
    /// From the reset of this day of the month to the next.
    Month { first_day: u32 },
    /// An hour of the zone's clock.
    Hour,
    /// The 1,440 minutes that end with the running one.
    Rolling,
    /// 24 hours from a call on; the first call after them begins the next.
    FirstCall,
    /// The provider does not say when its day begins. Rolling 24 hours bound the days of every zone and reset, but for
    /// those of 25 hours.
    AnyDay,
}

impl WindowKind {
    /// As the configuration spells them.
    pub const NAMES: [&'static str; 6] = ["day", "month", "hour", "rolling-24h", "first-call-24h", "any-day"];

    pub fn name(self) -> &'static str {
        match self {
            WindowKind::Day => "day",
            WindowKind::Month { .. } => "month",
            WindowKind::Hour => "hour",
            WindowKind::Rolling => "rolling-24h",
            WindowKind::FirstCall => "first-call-24h",
            WindowKind::AnyDay => "any-day",
        }
    }

    /// Whether units leave it minute by minute, instead of all at once.
    pub fn is_rolling(self) -> bool {
        match self {
            WindowKind::Rolling | WindowKind::AnyDay => true,
            WindowKind::Day | WindowKind::Month { .. } | WindowKind::Hour | WindowKind::FirstCall => false,
        }
    }
}

impl fmt::Display for WindowKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for WindowKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Window {
    /// Local midnight to local midnight: 23, 24 or 25 hours.
    pub fn day(zone: Tz) -> Window {
        Window { kind: WindowKind::Day, calendar: Calendar::from(zone) }
    }

    pub fn zone(self) -> Tz {
        self.calendar.zone()
    }

    /// The window that holds this minute. `first_call` tells, of windows that a call begins, the one that did; without
    /// it the answer is the window that a call now would begin.
    pub fn span_at(self, minute: Minute, first_call: Option<Minute>) -> Range<Minute> {
        match self.kind {
            WindowKind::Day => self.calendar.span(self.calendar.day_of(minute)),
            WindowKind::Month { first_day } => self.calendar.month_span(minute, first_day),
            WindowKind::Hour => self.calendar.hour_span(minute),
            WindowKind::Rolling | WindowKind::AnyDay => rolling(minute),
            WindowKind::FirstCall => {
                let start = first_call.unwrap_or(minute);
                start..Minute(start.0.saturating_add(ROLLING_MINUTES))
            }
        }
    }
}

/// The 24 hours that end with this minute.
pub fn rolling(last: Minute) -> Range<Minute> {
    let end = last.0.saturating_add(1);
    Minute(end.saturating_sub(ROLLING_MINUTES))..Minute(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_holds_the_minute_it_is_asked_for() {
        let kinds = [
            WindowKind::Day,
            WindowKind::Month { first_day: 31 },
            WindowKind::Hour,
            WindowKind::Rolling,
            WindowKind::FirstCall,
            WindowKind::AnyDay,
        ];
        assert_eq!(kinds.map(WindowKind::name), WindowKind::NAMES);
        for kind in kinds {
            let window = Window { kind, calendar: Calendar::new(Tz::Asia__Kathmandu, 180) };
            for minute in (29_000_000..29_100_000).step_by(997).map(Minute) {
                let span = window.span_at(minute, None);
                assert!(span.contains(&minute), "{kind}");
                assert!(
                    kind.is_rolling() == (span.end.0 == minute.0 + 1 && span.end.0 - span.start.0 == 1_440),
                    "{kind}"
                );
            }
        }
    }
}

//! What people call a quota's window: what its units count since, when they stop to count. One place for the words that
//! differ from window to window. This file never counts anything.

use chrono::{DateTime, Utc};

use super::snapshot::{BurstStatus, QuotaStatus};
use super::text::{clock, duration, instant, thousands};
use crate::quota::WindowKind;

/// `used in the last 24 h`.
pub fn used(quota: &QuotaStatus) -> &'static str {
    match quota.window {
        WindowKind::Day => "used",
        WindowKind::Month { .. } => "used this month",
        WindowKind::Hour => "used this hour",
        WindowKind::Rolling | WindowKind::AnyDay => "used in the last 24 h",
        WindowKind::FirstCall if quota.begun => "used since the first call",
        WindowKind::FirstCall => "used, the window has not begun",
    }
}

/// `2026-11-23 00:00 UTC, in 9 h 30 min`, or what else it is that makes units free again.
pub fn resets(quota: &QuotaStatus, now: DateTime<Utc>) -> String {
    let at = || format!("{}, in {}", instant(quota.resets_at, &quota.zone), duration(quota.resets_at - now));
    match quota.window {
        WindowKind::Day | WindowKind::Month { .. } | WindowKind::Hour => at(),
        WindowKind::FirstCall if quota.begun => at(),
        WindowKind::FirstCall => "24 h after the next call, which begins the window".into(),
        WindowKind::Rolling | WindowKind::AnyDay if quota.used == 0 => "each unit 24 h after its use".into(),
        WindowKind::Rolling | WindowKind::AnyDay => format!("each unit 24 h after its use, the last at {}", at()),
    }
}

/// The same where space is short: `reset 00:00 UTC`.
pub fn resets_shortly(quota: &QuotaStatus) -> String {
    match quota.window {
        WindowKind::Day | WindowKind::Hour => format!("reset {}", clock(quota.resets_at, &quota.zone)),
        WindowKind::Month { .. } => format!("reset {}", instant(quota.resets_at, &quota.zone)),
        WindowKind::FirstCall if quota.begun => format!("reset {}", clock(quota.resets_at, &quota.zone)),
        WindowKind::FirstCall => "window has not begun".into(),
        WindowKind::Rolling | WindowKind::AnyDay => "rolling 24 h".into(),
    }
}

/// How long what may be spent is for.
pub fn until(quota: &QuotaStatus) -> &'static str {
    if quota.window.is_rolling() { "for the next 24 h" } else { "until then" }
}

/// When nothing is exhausted.
pub fn not_before(quota: &QuotaStatus) -> &'static str {
    if quota.window.is_rolling() { "not in the next 24 h" } else { "not before it resets" }
}

/// `3,021 on 2026-11-22, which ends 2026-11-23 00:00 UTC`: the calendar's day, where the provider does not say when its own begins.
pub fn calendar_day(quota: &QuotaStatus) -> Option<String> {
    let day = quota.calendar_day.as_ref()?;
    let resets = instant(day.resets_at, &quota.zone);
    Some(format!("{} on {}, which ends {resets}; the provider's own day is not known", thousands(day.used), day.day))
}

/// `41,000 in the 24 h until 2026-11-22 09:12 UTC`, where those were fuller than the last.
pub fn fullest(quota: &QuotaStatus) -> Option<String> {
    let worst = quota.worst.filter(|worst| worst.used > quota.used)?;
    Some(format!("{} in the 24 h until {}", thousands(worst.used), instant(worst.until, &quota.zone)))
}

/// `busiest minute 612 requests at 2026-11-22 12:03 UTC; 1 minute above 10/s at least`.
pub fn burst(burst: &BurstStatus, zone: &str) -> String {
    let limit = &burst.limit;
    let Some(busiest) = burst.busiest else { return format!("no request yet; {limit} is allowed") };
    // A minute's mean is all that is known of its seconds.
    let is_rough = limit.ends_with("/s");
    let above = match (burst.minutes_above, is_rough) {
        (0, true) => format!("no minute above {limit} on average"),
        (0, false) => format!("never above {limit}"),
        (1, rough) => format!("1 minute above {limit}{}", if rough { " at least" } else { "" }),
        (minutes, rough) => {
            format!("{} minutes above {limit}{}", thousands(minutes), if rough { " at least" } else { "" })
        }
    };
    format!("busiest minute {} requests at {}; {above}", thousands(busiest.requests), instant(busiest.start, zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;

    #[test]
    fn each_window_has_its_words() {
        let kinds = [
            WindowKind::Day,
            WindowKind::Month { first_day: 1 },
            WindowKind::Hour,
            WindowKind::Rolling,
            WindowKind::FirstCall,
            WindowKind::AnyDay,
        ];
        let told = kinds.map(|window| {
            let quota = QuotaStatus { window, ..example::calm_quota() };
            format!("{}: {} · {}", used(&quota), resets(&quota, example::now()), resets_shortly(&quota))
        });
        expect_test::expect![[r#"
            used: 2026-11-23 00:00 UTC, in 9 h 30 min · reset 00:00 UTC
            used this month: 2026-11-23 00:00 UTC, in 9 h 30 min · reset 2026-11-23 00:00 UTC
            used this hour: 2026-11-23 00:00 UTC, in 9 h 30 min · reset 00:00 UTC
            used in the last 24 h: each unit 24 h after its use, the last at 2026-11-23 00:00 UTC, in 9 h 30 min · rolling 24 h
            used since the first call: 2026-11-23 00:00 UTC, in 9 h 30 min · reset 00:00 UTC
            used in the last 24 h: each unit 24 h after its use, the last at 2026-11-23 00:00 UTC, in 9 h 30 min · rolling 24 h"#]].assert_eq(&told.join("\n"));
        let waiting = QuotaStatus { window: WindowKind::FirstCall, begun: false, used: 0, ..example::calm_quota() };
        assert_eq!(resets(&waiting, example::now()), "24 h after the next call, which begins the window");
        assert_eq!(resets_shortly(&waiting), "window has not begun");
    }

    #[test]
    fn a_burst_a_second_is_known_only_by_the_minute() {
        let of = |limit: &str, minutes_above| {
            let mut status = example::calm_quota().burst.expect("it has one");
            (status.limit, status.minutes_above) = (limit.into(), minutes_above);
            burst(&status, "UTC")
        };
        let busiest = "busiest minute 612 requests at 2026-11-22 12:03 UTC; ";
        let told = [of("10/s", 0), of("10/s", 1), of("300/m", 0), of("300/m", 2)];
        let above = [
            "no minute above 10/s on average",
            "1 minute above 10/s at least",
            "never above 300/m",
            "2 minutes above 300/m",
        ];
        assert_eq!(told, above.map(|above| format!("{busiest}{above}")));
    }
}

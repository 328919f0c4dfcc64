//! A snapshot becomes the text of `daycap status`, the line that systemd shows, and the answer of `--check`.
//! This file never decides whether a quota is in danger; the forecast and the alerts have.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};

use super::alert::Level;
use super::server;
use super::snapshot::{Contributor, Failing, NotifierStatus, QuotaStatus, Snapshot, SourceStatus};
use super::text::{bar, clock, compact, compact_band, duration, instant, likelihood, percent, printable, thousands};
use super::window;
use crate::collect::request::Lines;
use crate::count::ledger::Completeness;
use crate::forecast::Confidence;

/// Operations that a block names.
const TOP_SHOWN: usize = 3;
const BAR_CHARACTERS: u64 = 24;

/// A block a quota, then a line a source; ends in a line feed.
pub fn text(snapshot: &Snapshot) -> String {
    let mut blocks: Vec<_> = snapshot.quotas.iter().map(|quota| block(quota, snapshot.at)).collect();
    if blocks.is_empty() {
        blocks.push("no quota is configured\n".into());
    }
    if !snapshot.sources.is_empty() {
        blocks.push(snapshot.sources.iter().map(|source| source_lines(source, snapshot.at)).collect());
    }
    let failing = snapshot.notifiers.iter().filter_map(notifier_line).collect::<String>();
    if !failing.is_empty() {
        blocks.push(failing);
    }
    if let Some(reason) = &snapshot.commit.failing {
        blocks.push(format!("counts are not being saved: {}\n", printable(reason)));
    }
    blocks.join("\n")
}

/// Whether any quota is over its limit, or forecast to go over: what `status --check` answers.
pub fn over_or_forecast_over(snapshot: &Snapshot) -> bool {
    snapshot.quotas.iter().any(|quota| quota.used > quota.limit || quota.alerts.iter().any(|level| says_over(*level)))
}

fn says_over(level: Level) -> bool {
    match level {
        Level::Projected | Level::Imminent | Level::Exceeded => true,
        Level::Used(_) => false,
    }
}

/// `12,345/40,000 (31 %) · forecast 33.9k [31-37k] · reset 00:00 UTC`
pub fn one_line(quota: &QuotaStatus) -> String {
    let forecast = &quota.forecast;
    let mut line = format!(
        "{}/{} ({}) · forecast {} [{}] · {}",
        thousands(quota.used),
        thousands(quota.limit),
        percent(quota.used, quota.limit),
        compact(forecast.p50),
        compact_band(forecast.p10, forecast.p90),
        window::resets_shortly(quota)
    );
    if !quota.stale_sources.is_empty() {
        line += &format!(" · silent: {}", printable(&quota.stale_sources.join(", ")));
    }
    line
}

fn block(quota: &QuotaStatus, now: DateTime<Utc>) -> String {
    let mut text = format!(
        "{}{}: {} of {} {} [{}] {}\n",
        printable(&quota.name),
        quota.within.as_ref().map_or(String::new(), |whole| format!(" (part of {})", printable(whole))),
        thousands(quota.used),
        thousands(quota.limit),
        window::used(quota),
        bar(quota.used, quota.limit, BAR_CHARACTERS),
        percent(quota.used, quota.limit)
    );
    let rate = quota.forecast.sustainable_per_minute.max(0.0);
    let rows = [
        ("today", window::calendar_day(quota)),
        ("fullest", window::fullest(quota)),
        ("forecast", Some(forecast(quota))),
        ("over limit", Some(format!("{} likely", likelihood(quota.forecast.exceed_probability)))),
        ("runs out", Some(runs_out(quota, now))),
        ("resets", Some(window::resets(quota, now))),
        ("may spend", Some(format!("{rate:.1} a minute {}", window::until(quota)))),
        ("burst", quota.burst.as_ref().map(|burst| window::burst(burst, &quota.zone))),
        ("busiest", Some(busiest(quota))),
        ("count", Some(count(&quota.completeness))),
    ];
    for (name, value) in rows.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<11} {value}");
    }
    if !quota.alerts.is_empty() {
        let levels: Vec<_> = quota.alerts.iter().map(Level::to_string).collect();
        let _ = writeln!(text, "  {:<11} {}", "alerts", levels.join(", "));
    }
    if let Some(truth) = &quota.server {
        let _ = writeln!(text, "  {:<11} {}", "server says", server::told(truth, quota));
    }
    if !quota.stale_sources.is_empty() {
        let names = printable(&quota.stale_sources.join(", "));
        let _ = writeln!(text, "  {:<11} {names}: low usage may be lines that are not there", "silent");
    }
    text
}

fn forecast(quota: &QuotaStatus) -> String {
    let forecast = &quota.forecast;
    let basis = match (forecast.confidence, forecast.history_days) {
        (Confidence::Learning, _) => "today's pace alone, no whole day is known yet".into(),
        (Confidence::Low, days) => format!("rough: {} of history", plural(u64::from(days), "day")),
        (Confidence::Normal, days) => format!("{} of history", plural(u64::from(days), "day")),
    };
    format!(
        "{}, 8 times in 10 between {} and {} ({basis})",
        thousands(forecast.p50),
        thousands(forecast.p10),
        thousands(forecast.p90)
    )
}

fn runs_out(quota: &QuotaStatus, now: DateTime<Utc>) -> String {
    match quota.exhausted_at {
        _ if quota.used > quota.limit => format!("{} over the limit", thousands(quota.used - quota.limit)),
        _ if quota.used == quota.limit => "all of it is used".into(),
        Some(at) => format!("{}, in {}{}", instant(at, &quota.zone), duration(at - now), as_early_as(quota, now)),
        None => window::not_before(quota).into(),
    }
}

/// When it runs out if more comes than in nine of ten cases.
fn as_early_as(quota: &QuotaStatus, now: DateTime<Utc>) -> String {
    quota.forecast.exhaustion_earliest_minutes.map_or_else(String::new, |minutes| {
        // At most a month of seconds.
        let earliest = now + TimeDelta::seconds((minutes * 60.0) as i64);
        format!(" (as early as {})", clock(earliest, &quota.zone))
    })
}

fn busiest(quota: &QuotaStatus) -> String {
    let shown = quota.top.iter().take(TOP_SHOWN);
    let named: Vec<_> = shown
        .map(|Contributor { service, operation, units, usual }| {
            let usual = usual.map_or(String::new(), |units| format!(" (usually {})", thousands(units)));
            format!("{} {} {}{usual}", printable(service), printable(operation), thousands(*units))
        })
        .collect();
    if named.is_empty() { "nothing yet".into() } else { named.join(", ") }
}

fn count(completeness: &Completeness) -> String {
    match completeness {
        Completeness::Exact => "exact".into(),
        Completeness::AtLeast { .. } => format!("at least this many: {}", printable(&completeness.told())),
    }
}

fn source_lines(source: &SourceStatus, now: DateTime<Utc>) -> String {
    let last = match source.last_request {
        Some(at) => format!("last request {} ago", duration(now - at)),
        None => "no request yet".into(),
    };
    let mut text = format!(
        "source {}: {}, {}, {}{}\n",
        printable(&source.name),
        plural(source.logs, "log"),
        lag(source.lag_bytes),
        last,
        lines(&source.lines)
    );
    if let (Some(_), Some(minutes)) = (source.stale_since, source.stale_after_minutes) {
        let expected = duration(TimeDelta::minutes(i64::from(minutes)));
        let _ = writeln!(text, "  stale: silent for longer than the {expected} that are expected of it");
    }
    for problem in &source.problems {
        let _ = writeln!(text, "  problem: {}", printable(problem));
    }
    text
}

/// Of one that fails.
fn notifier_line(notifier: &NotifierStatus) -> Option<String> {
    let Failing { since, error } = notifier.failing.as_ref()?;
    let waiting = match notifier.pending {
        0 => "nothing waiting, failing".to_owned(),
        pending => format!("{pending} waiting, failing"),
    };
    let since = instant(*since, "UTC");
    Some(format!("notify {}: {waiting} since {since}: {}\n", printable(&notifier.name), printable(error)))
}

fn lag(bytes: u64) -> String {
    match bytes {
        0 => "read to the end".into(),
        bytes => format!("{} bytes behind", thousands(bytes)),
    }
}

/// What became of the lines this process has read; nothing of one that has read none, as `daycap status`.
fn lines(lines: &Lines) -> String {
    if *lines == Lines::default() {
        return String::new();
    }
    let counted = format!(", {} counted", plural(lines.counted, "line"));
    let others = [(lines.skipped, "skipped"), (lines.rejected(), "unreadable")];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    others.fold(counted, |text, (count, word)| format!("{text}, {} {word}", thousands(count)))
}

fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::publish::example;

    #[test]
    fn the_text_says_what_there_is_and_what_to_do() {
        expect![[r#"
            prod: 12,345 of 40,000 used [#######.................] 31 %
              forecast    33,850, 8 times in 10 between 31,020 and 36,700 (28 days of history)
              over limit  2 % likely
              runs out    not before it resets
              resets      2026-11-23 00:00 UTC, in 9 h 30 min
              may spend   48.5 a minute until then
              burst       busiest minute 612 requests at 2026-11-22 12:03 UTC; 1 minute above 10/s at least
              busiest     sync jobSearch 8,123, crm contact 4,222 (usually 4,000)
              count       exact
              server says 12,340 of 40,000 used at 14:28 UTC: 12 more than counted here, give or take 20

            maps: 7,900 of 10,000 used [##################......] 79 %
              forecast    12,400, 8 times in 10 between 10,900 and 14,100 (rough: 3 days of history)
              over limit  97 % likely
              runs out    2026-11-22 08:45 PST, in 2 h 15 min (as early as 08:05 PST)
              resets      2026-11-23 00:00 PST, in 17 h 30 min
              may spend   2.0 a minute until then
              busiest     geo /v1/geocode 7,900 (usually 4,100)
              count       at least this many: app.log was truncated before 1,024 bytes were read (between 2026-11-22 13:00:00 and 13:02:00 UTC)
              alerts      projected
              silent      /srv/crm/api.log: low usage may be lines that are not there

            jobs/sync (part of jobs): 9,300 of 20,000 used in the last 24 h [###########.............] 47 %
              today       5,100 on 2026-11-22, which ends 2026-11-23 00:00 UTC; the provider's own day is not known
              fullest     11,250 in the 24 h until 2026-11-22 05:30 UTC
              forecast    33,850, 8 times in 10 between 31,020 and 36,700 (28 days of history)
              over limit  2 % likely
              runs out    not in the next 24 h
              resets      each unit 24 h after its use, the last at 2026-11-23 14:30 UTC, in 1 d 0 h
              may spend   48.5 a minute for the next 24 h
              busiest     sync jobSearch 9,300 (usually 9,800)
              count       exact

            source /var/log/app/*.log: 3 logs, read to the end, last request 2 s ago, 20,245 lines counted, 310 skipped
            source /srv/crm/api.log: 1 log, 1,048,576 bytes behind, last request 9 h 00 min ago, 0 lines counted, 7 unreadable
              stale: silent for longer than the 2 h 00 min that are expected of it
              problem: /srv/crm/api.log: permission denied; let daycap's group read it

            notify ops: 3 waiting, failing since 2026-11-22 14:03 UTC: connection refused
        "#]]
        .assert_eq(&text(&example::snapshot()));
    }

    #[test]
    fn one_line_is_short_enough_for_systemd() {
        expect!["12,345/40,000 (31 %) · forecast 33.9k [31-37k] · reset 00:00 UTC"]
            .assert_eq(&one_line(&example::calm_quota()));
    }

    #[test]
    fn an_empty_daemon_says_so() {
        let mut snapshot = example::snapshot();
        snapshot.quotas.clear();
        snapshot.sources.clear();
        snapshot.notifiers.clear();
        assert_eq!(text(&snapshot), "no quota is configured\n");
    }

    #[test]
    fn a_used_up_quota_names_no_time_to_come() {
        let quota = |used| QuotaStatus { used, ..example::projected_quota() };
        assert_eq!(runs_out(&quota(10_000), example::now()), "all of it is used");
        assert_eq!(runs_out(&quota(12_500), example::now()), "2,500 over the limit");
    }

    #[test]
    fn commits_that_fail_are_told() {
        let mut snapshot = example::snapshot();
        snapshot.commit.failing = Some("No space left on device".into());
        assert!(text(&snapshot).ends_with("\ncounts are not being saved: No space left on device\n"));
    }

    #[test]
    fn check_fails_for_what_is_over_or_will_be() {
        let check = |used, alerts: &[Level]| {
            let mut snapshot = example::snapshot();
            snapshot.quotas = vec![QuotaStatus { used, alerts: alerts.to_vec(), ..example::calm_quota() }];
            over_or_forecast_over(&snapshot)
        };
        assert!(!check(12_345, &[]));
        assert!(!check(40_000, &[Level::Used(80), Level::Used(95)]));
        assert!(check(12_345, &[Level::Projected]));
        assert!(check(39_000, &[Level::Exceeded]));
        assert!(check(40_001, &[]));
    }
}

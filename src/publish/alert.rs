//! Pure: rules + memory + snapshot -> what to send, and the sentence that says it.
//! This file never reads a clock and never sends anything.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::message::{Figures, Message, Severity, Status, Topic};
use super::snapshot::QuotaStatus;
use super::text::thousands;
use crate::count::ledger::Completeness;
use crate::forecast::Confidence;

/// What can be wrong with a quota, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Forecast to exceed the limit.
    Projected,
    /// At least 80 % of the limit are used.
    #[serde(rename = "used_80")]
    Used80,
    /// At least 95 % of the limit are used.
    #[serde(rename = "used_95")]
    Used95,
    /// More than the limit is used. (A used-up quota is not exceeded yet: the next request exceeds it.)
    Exceeded,
}

impl Level {
    pub const ALL: [Level; 4] = [Level::Projected, Level::Used80, Level::Used95, Level::Exceeded];

    /// The level's name in metrics, in JSON and in `DAYCAP_LEVEL`.
    pub fn name(self) -> &'static str {
        match self {
            Level::Projected => "projected",
            Level::Used80 => "used_80",
            Level::Used95 => "used_95",
            Level::Exceeded => "exceeded",
        }
    }

    /// The levels that a message of this one makes superfluous, itself included.
    fn implied(self) -> &'static [Level] {
        match self {
            Level::Projected => &[Level::Projected],
            Level::Used80 => &[Level::Used80],
            Level::Used95 => &[Level::Used80, Level::Used95],
            Level::Exceeded => &Level::ALL,
        }
    }
}

/// What was already said: once a quota, level and window. Kept in `state.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Quota name -> the window it was said in, and the levels said.
    pub said: BTreeMap<String, Said>,
    /// The same of the window that was shown before: a wrong clock shows another window for a while, and what was
    /// said in this one must not be said again when it comes back.
    #[serde(default)]
    pub before: BTreeMap<String, Said>,
}

impl Memory {
    /// Turn to the quota's window, where it is another than the one last shown.
    fn enter(&mut self, quota: &QuotaStatus) {
        let is_present = |said: &Said| said.window_start == quota.window_start;
        if self.said.get(&quota.name).is_some_and(is_present) {
            return;
        }
        let left = self.said.remove(&quota.name);
        if self.before.get(&quota.name).is_some_and(is_present) {
            self.said.extend(self.before.remove_entry(&quota.name));
        }
        self.before.extend(left.map(|said| (quota.name.clone(), said)));
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub window_start: DateTime<Utc>,
    pub levels: Vec<Level>,
}

/// Raised at 0.7 and cleared only below 0.4: at one threshold for both, a third of the alert days measured
/// raised, cleared and raised again.
const RAISE_PROBABILITY: f64 = 0.7;
const CLEAR_PROBABILITY: f64 = 0.4;
/// A window's first hour says too little to alarm anyone.
const QUIET_FIRST: TimeDelta = TimeDelta::hours(1);

/// The levels that hold for this quota now, mildest first. (P >= 0.7 raises `Projected`; below 0.4 clears it;
/// between, it stays as `before` had it. Not in the window's first hour.)
pub fn levels(quota: &QuotaStatus, before: &[Level], now: DateTime<Utc>) -> Vec<Level> {
    let holds = |level: &Level| match level {
        Level::Projected => is_projected(quota, before, now),
        Level::Used80 => is_used(quota, 80),
        Level::Used95 => is_used(quota, 95),
        Level::Exceeded => quota.used > quota.limit,
    };
    Level::ALL.into_iter().filter(holds).collect()
}

fn is_projected(quota: &QuotaStatus, before: &[Level], now: DateTime<Utc>) -> bool {
    let enough = if before.contains(&Level::Projected) { CLEAR_PROBABILITY } else { RAISE_PROBABILITY };
    now - quota.window_start >= QUIET_FIRST && quota.forecast.exceed_probability >= enough
}

fn is_used(quota: &QuotaStatus, percent: u64) -> bool {
    u128::from(quota.used) * 100 >= u128::from(quota.limit) * u128::from(percent)
}

/// What to say now, and remember it as said. Only the gravest new level of a quota speaks; the milder ones
/// that hold with it or that it implies are remembered with it. A new window begins with nothing said; a quota that
/// is no more is forgotten, so that the memory is never larger than two windows of each of `quotas`.
pub fn due(memory: &mut Memory, quotas: &[QuotaStatus], now: DateTime<Utc>) -> Vec<Message> {
    let is_there = |name: &String| quotas.iter().any(|quota| quota.name == *name);
    memory.said.retain(|name, _| is_there(name));
    memory.before.retain(|name, _| is_there(name));
    quotas.iter().for_each(|quota| memory.enter(quota));
    quotas.iter().filter_map(|quota| due_for(memory, quota, now)).collect()
}

fn due_for(memory: &mut Memory, quota: &QuotaStatus, now: DateTime<Utc>) -> Option<Message> {
    let said = memory.said.get(&quota.name).map_or(&[][..], |said| &said.levels);
    let gravest = quota.alerts.iter().copied().filter(|level| !said.contains(level)).max()?;
    let known =
        |level: &Level| said.contains(level) || quota.alerts.contains(level) || gravest.implied().contains(level);
    let levels = Level::ALL.into_iter().filter(known).collect();
    memory.said.insert(quota.name.clone(), Said { window_start: quota.window_start, levels });
    Some(alert(quota, gravest, now))
}

fn alert(quota: &QuotaStatus, level: Level, now: DateTime<Utc>) -> Message {
    Message {
        id: format!("{}/{}/{}", quota.name, level.name(), quota.window_start.timestamp()),
        status: Status::Firing,
        level: Topic::Quota(level),
        severity: severity(level),
        quota: Some(quota.name.clone()),
        source: None,
        message: message(quota, level),
        at: now,
        since: now,
        figures: Some(figures(quota)),
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Projected | Level::Used80 => Severity::Warning,
        Level::Used95 | Level::Exceeded => Severity::Critical,
    }
}

fn figures(quota: &QuotaStatus) -> Figures {
    Figures {
        used: quota.used,
        limit: quota.limit,
        p10: quota.forecast.p10,
        p50: quota.forecast.p50,
        p90: quota.forecast.p90,
        exceed_probability: quota.forecast.exceed_probability,
        exhausted_at: quota.exhausted_at,
        resets_at: quota.resets_at,
        zone: quota.zone.clone(),
        sustainable_per_minute: quota.forecast.sustainable_per_minute,
        confidence: quota.forecast.confidence,
        top: quota.top.iter().take(3).cloned().collect(),
    }
}

/// `quota "prod" is forecast to exceed its limit: 20,150 of 40,000 used (50%); ...`
fn message(quota: &QuotaStatus, level: Level) -> String {
    let mut parts = vec![used(quota), outlook(quota)];
    parts.extend(quota.exhausted_at.map(|at| format!("runs out {}", local(at, &quota.zone))));
    parts.push(format!("resets {}", local(quota.resets_at, &quota.zone)));
    parts.push(spendable(quota));
    format!("quota {:?} {}: {}", quota.name, headline(quota, level), parts.join("; "))
}

fn headline(quota: &QuotaStatus, level: Level) -> &'static str {
    match level {
        Level::Projected => "is forecast to exceed its limit",
        Level::Used80 => "has used 80% of its limit",
        Level::Used95 if quota.used == quota.limit => "is used up",
        Level::Used95 => "has used 95% of its limit",
        Level::Exceeded => "has exceeded its limit",
    }
}

fn used(quota: &QuotaStatus) -> String {
    let at_least = match quota.completeness {
        Completeness::Exact => "",
        Completeness::AtLeast { .. } => "at least ",
    };
    let (used, limit) = (thousands(quota.used), thousands(quota.limit));
    format!("{at_least}{used} of {limit} used ({}%)", percent(quota.used, quota.limit))
}

/// Whole percents, rounded down: 100% is said when it is reached, not before.
fn percent(used: u64, limit: u64) -> u128 {
    u128::from(used) * 100 / u128::from(limit.max(1))
}

/// The forecast with its band, and how far to trust it.
fn outlook(quota: &QuotaStatus) -> String {
    let forecast = &quota.forecast;
    let band = format!("{}-{}", thousands(forecast.p10), thousands(forecast.p90));
    let chance = chance(quota);
    let median = thousands(forecast.p50);
    match forecast.confidence {
        Confidence::Learning => format!("still learning, no whole day seen yet: total likely {band}"),
        Confidence::Low => format!("forecast {median} (P10-P90 {band}), {chance} to exceed, low confidence"),
        Confidence::Normal => format!("forecast {median} (P10-P90 {band}), {chance} to exceed"),
    }
}

/// A forecast is never as sure as 0% or 100%; a count is.
fn chance(quota: &QuotaStatus) -> String {
    let probability = quota.forecast.exceed_probability;
    if quota.used > quota.limit {
        "100%".to_owned()
    } else if probability < 0.01 {
        "<1%".to_owned()
    } else if probability > 0.99 {
        ">99%".to_owned()
    } else {
        format!("{:.0}%", probability * 100.0)
    }
}

fn spendable(quota: &QuotaStatus) -> String {
    if quota.used >= quota.limit {
        "nothing may be spent until then".to_owned()
    } else {
        format!("{:.1} a minute may be spent until then", quota.forecast.sustainable_per_minute)
    }
}

/// The zone's wall clock, with the date and the zone: `2026-11-22 19:40 Europe/Berlin`.
fn local(instant: DateTime<Utc>, zone: &str) -> String {
    match zone.parse::<Tz>() {
        Ok(tz) => format!("{} {zone}", instant.with_timezone(&tz).format("%Y-%m-%d %H:%M")),
        Err(_) => format!("{} UTC", instant.format("%Y-%m-%d %H:%M")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::ledger::Reason;
    use crate::forecast::Forecast;
    use crate::publish::snapshot::Pace;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    /// Noon in Berlin, half used, the limit in reach.
    fn quota(used: u64, exceed_probability: f64) -> QuotaStatus {
        QuotaStatus {
            name: "prod".to_owned(),
            limit: 40_000,
            used,
            remaining: 40_000_u64.saturating_sub(used),
            zone: "Europe/Berlin".to_owned(),
            window_start: at("2026-11-21T23:00:00Z"),
            resets_at: at("2026-11-22T23:00:00Z"),
            forecast: Forecast {
                p10: 38_500,
                p50: 44_120,
                p90: 51_003,
                exceed_probability,
                exhaustion_minutes: Some(1_180.0),
                exhaustion_earliest_minutes: None,
                exhaustion_latest_minutes: None,
                sustainable_per_minute: 27.56,
                history_days: 21,
                confidence: Confidence::Normal,
            },
            exhausted_at: Some(at("2026-11-22T18:40:00Z")),
            alerts: Vec::new(),
            completeness: Completeness::Exact,
            stale_sources: Vec::new(),
            top: Vec::new(),
            pace: Pace::default(),
            server: None,
            ..crate::publish::example::calm_quota()
        }
    }

    const NOON: &str = "2026-11-22T11:00:00Z";

    fn level(message: &Message) -> Level {
        match message.level {
            Topic::Quota(level) => level,
            other @ (Topic::Counting(_) | Topic::Drill(_)) => panic!("{other}"),
        }
    }

    /// The levels that speak when a quota goes through these (used, probability), a message each.
    fn spoken(memory: &mut Memory, steps: &[(u64, f64)]) -> Vec<Level> {
        let mut before = Vec::new();
        let mut spoken = Vec::new();
        for (used, probability) in steps {
            let mut quota = quota(*used, *probability);
            quota.alerts = levels(&quota, &before, at(NOON));
            before.clone_from(&quota.alerts);
            spoken.extend(due(memory, &[quota], at(NOON)).iter().map(|message| level(message)));
        }
        spoken
    }

    fn held(used: u64, probability: f64, before: &[Level]) -> Vec<Level> {
        levels(&quota(used, probability), before, at(NOON))
    }

    #[test]
    fn projected_is_raised_at_0_7_and_cleared_below_0_4() {
        assert_eq!(held(1_000, 0.69, &[]), []);
        assert_eq!(held(1_000, 0.7, &[]), [Level::Projected]);
        assert_eq!(held(1_000, 0.4, &[Level::Projected]), [Level::Projected]);
        assert_eq!(held(1_000, 0.39, &[Level::Projected]), []);
    }

    #[test]
    fn nothing_is_projected_in_the_windows_first_hour() {
        let before = [Level::Projected];
        assert_eq!(levels(&quota(1_000, 1.0), &before, at("2026-11-21T23:59:59Z")), []);
        assert_eq!(levels(&quota(1_000, 1.0), &before, at("2026-11-22T00:00:00Z")), [Level::Projected]);
    }

    #[test]
    fn used_levels_hold_from_their_exact_share_on() {
        assert_eq!(held(31_999, 0.0, &[]), []);
        assert_eq!(held(32_000, 0.0, &[]), [Level::Used80]);
        assert_eq!(held(38_000, 0.0, &[]), [Level::Used80, Level::Used95]);
        assert_eq!(held(40_000, 0.0, &[]), [Level::Used80, Level::Used95]);
        assert_eq!(held(40_001, 1.0, &[]), Level::ALL);
    }

    #[test]
    fn a_level_speaks_once_a_window_however_often_it_comes_back() {
        let steps = [(1_000, 0.8), (1_000, 0.3), (1_000, 0.8), (33_000, 0.9), (33_001, 0.9)];
        assert_eq!(spoken(&mut Memory::default(), &steps), [Level::Projected, Level::Used80]);
    }

    #[test]
    fn jumping_straight_to_exceeded_sends_one_message() {
        assert_eq!(spoken(&mut Memory::default(), &[(41_000, 1.0), (42_000, 1.0)]), [Level::Exceeded]);
    }

    #[test]
    fn a_projection_after_80_percent_is_news() {
        let steps = [(32_000, 0.2), (34_000, 0.8), (39_000, 0.9), (40_001, 1.0)];
        let all = [Level::Used80, Level::Projected, Level::Used95, Level::Exceeded];
        assert_eq!(spoken(&mut Memory::default(), &steps), all);
    }

    proptest! {
        #[test]
        fn whatever_a_day_does_no_level_speaks_twice_and_exceeded_is_the_last(
            mut used in prop::collection::vec(0..45_000_u64, 1..40),
            probabilities in prop::collection::vec(0.0..1.0, 40),
        ) {
            used.sort_unstable();
            let steps: Vec<_> = used.into_iter().zip(probabilities).collect();
            let spoken = spoken(&mut Memory::default(), &steps);
            prop_assert!(Level::ALL.iter().all(|level| spoken.iter().filter(|said| *said == level).count() <= 1));
            let exceeded = spoken.iter().position(|level| *level == Level::Exceeded);
            prop_assert!(exceeded.is_none_or(|place| place == spoken.len() - 1));
        }
    }

    #[test]
    fn what_was_said_is_remembered_through_a_restart() {
        let mut memory = Memory::default();
        spoken(&mut memory, &[(33_000, 0.9)]);
        let kept = serde_json::to_string(&memory).expect("a memory serialises");
        let mut back: Memory = serde_json::from_str(&kept).expect("it is read back");
        assert_eq!(back, memory);
        assert_eq!(spoken(&mut back, &[(33_500, 0.9)]), []);
    }

    #[test]
    fn a_new_window_and_a_removed_quota_are_forgotten() {
        let mut memory = Memory::default();
        spoken(&mut memory, &[(33_000, 0.1)]);
        let mut tomorrow = quota(33_000, 0.1);
        tomorrow.window_start = at("2026-11-22T23:00:00Z");
        tomorrow.alerts = vec![Level::Used80];
        assert_eq!(due(&mut memory, &[tomorrow], at("2026-11-23T10:00:00Z")).len(), 1);
        due(&mut memory, &[], at(NOON));
        assert_eq!(memory, Memory::default());
    }

    #[test]
    fn a_clock_that_ran_ahead_and_came_back_says_nothing_again() {
        let mut memory = Memory::default();
        spoken(&mut memory, &[(33_000, 0.1)]);
        let mut ahead = quota(33_000, 0.1);
        ahead.window_start = at("2036-11-21T23:00:00Z");
        ahead.alerts = vec![Level::Used80];
        let said = |memory: &mut Memory, quota: &QuotaStatus| due(memory, std::slice::from_ref(quota), at(NOON)).len();
        assert_eq!(said(&mut memory, &ahead), 1);
        assert_eq!(spoken(&mut memory, &[(33_000, 0.1), (38_000, 0.1)]), [Level::Used95]);
        assert_eq!(said(&mut memory, &ahead), 0);
        assert_eq!(spoken(&mut memory, &[(38_000, 0.1)]), []);
        let calm = QuotaStatus { window_start: at("2046-11-21T23:00:00Z"), ..quota(0, 0.0) };
        assert_eq!(said(&mut memory, &calm), 0);
        assert_eq!(spoken(&mut memory, &[(38_000, 0.1)]), [], "a window in which nothing was said came between");
    }

    #[test]
    fn quotas_speak_for_themselves() {
        let mut first = quota(33_000, 0.1);
        first.alerts = vec![Level::Used80];
        let second = QuotaStatus { name: "test".to_owned(), ..first.clone() };
        let alerts = due(&mut Memory::default(), &[first, second], at(NOON));
        assert_eq!(alerts.iter().filter_map(|alert| alert.quota.as_deref()).collect::<Vec<_>>(), ["prod", "test"]);
    }

    #[test]
    fn a_levels_name_is_its_name_in_json() {
        for level in Level::ALL {
            assert_eq!(serde_json::to_string(&level).expect("a level serialises"), format!("\"{}\"", level.name()));
        }
    }

    fn check(quota: &QuotaStatus, level: Level, expected: &Expect) {
        expected.assert_eq(&message(quota, level));
    }

    #[test]
    fn a_projection_says_all_that_a_person_needs() {
        check(
            &quota(20_150, 0.87),
            Level::Projected,
            &expect![[
                r#"quota "prod" is forecast to exceed its limit: 20,150 of 40,000 used (50%); forecast 44,120 (P10-P90 38,500-51,003), 87% to exceed; runs out 2026-11-22 19:40 Europe/Berlin; resets 2026-11-23 00:00 Europe/Berlin; 27.6 a minute may be spent until then"#
            ]],
        );
    }

    #[test]
    fn an_exceeded_limit_leaves_nothing_to_spend() {
        let exceeded = QuotaStatus { exhausted_at: None, ..quota(40_001, 1.0) };
        check(
            &exceeded,
            Level::Exceeded,
            &expect![[
                r#"quota "prod" has exceeded its limit: 40,001 of 40,000 used (100%); forecast 44,120 (P10-P90 38,500-51,003), 100% to exceed; resets 2026-11-23 00:00 Europe/Berlin; nothing may be spent until then"#
            ]],
        );
    }

    #[test]
    fn a_message_without_history_or_with_lost_lines_says_so() {
        let mut learning = QuotaStatus {
            exhausted_at: None,
            completeness: Completeness::AtLeast {
                reasons: vec![Reason::of_day("2026-11-22".parse().expect("a day"), "a log was truncated".to_owned())],
            },
            ..quota(32_000, 0.3)
        };
        learning.forecast.confidence = Confidence::Learning;
        check(
            &learning,
            Level::Used80,
            &expect![[
                r#"quota "prod" has used 80% of its limit: at least 32,000 of 40,000 used (80%); still learning, no whole day seen yet: total likely 38,500-51,003; resets 2026-11-23 00:00 Europe/Berlin; 27.6 a minute may be spent until then"#
            ]],
        );
    }

    #[test]
    fn a_used_up_quota_is_called_so_and_a_forecast_is_never_certain() {
        let mut used_up = QuotaStatus { exhausted_at: None, ..quota(40_000, 0.999) };
        used_up.forecast.confidence = Confidence::Low;
        check(
            &used_up,
            Level::Used95,
            &expect![[
                r#"quota "prod" is used up: 40,000 of 40,000 used (100%); forecast 44,120 (P10-P90 38,500-51,003), >99% to exceed, low confidence; resets 2026-11-23 00:00 Europe/Berlin; nothing may be spent until then"#
            ]],
        );
    }
}

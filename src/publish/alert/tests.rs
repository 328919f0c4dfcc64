//! What a quota goes through, and what is said of it.

use super::*;
use crate::count::ledger::{Completeness, Reason};
use crate::forecast::{Confidence, Forecast};
use crate::publish::example;
use crate::publish::message::Text;
use crate::publish::snapshot::{Contributor, Pace, Worst};
use crate::quota::WindowKind;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// Noon in Berlin, the limit out of sight.
fn quota(used: u64, exceed_probability: f64) -> QuotaStatus {
    QuotaStatus {
        name: "prod".to_owned(),
        window: WindowKind::Day,
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
        burst: None,
        server: None,
        ..example::calm_quota()
    }
}

const NOON: &str = "2026-11-22T11:00:00Z";

fn minutes(count: i64) -> DateTime<Utc> {
    at(NOON) + TimeDelta::minutes(count)
}

fn day_after(quota: QuotaStatus) -> QuotaStatus {
    let (window_start, resets_at) = (quota.window_start + TimeDelta::days(1), quota.resets_at + TimeDelta::days(1));
    QuotaStatus { window_start, resets_at, exhausted_at: None, ..quota }
}

fn rolling(used: u64) -> QuotaStatus {
    QuotaStatus { window: WindowKind::Rolling, exhausted_at: None, ..quota(used, 0.0) }
}

fn pace(per_minute: f64, usual_max: Option<u64>) -> Pace {
    Pace { per_minute, usual_max }
}

fn level(message: &Message) -> Level {
    match message.level {
        Topic::Quota(level) => level,
        other @ (Topic::Counting(_) | Topic::Drill(_)) => panic!("{other}"),
    }
}

/// `+projected` fires, `-projected` is over, `(-projected)` is over without a word to people.
fn told(messages: &[Message]) -> String {
    let one = |message: &Message| {
        let sign = if message.status == Status::Firing { '+' } else { '-' };
        let name = format!("{sign}{}", message.level);
        if message.quiet { format!("({name})") } else { name }
    };
    messages.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn play_at(memory: &mut Memory, quota: &QuotaStatus, now: DateTime<Utc>) -> String {
    told(&play(memory, quota, &Rules::default(), now))
}

/// What is said when a quota goes through these (used, probability).
fn said(memory: &mut Memory, steps: &[(u64, f64)]) -> String {
    let steps = steps.iter().map(|(used, probability)| play_at(memory, &quota(*used, *probability), at(NOON)));
    steps.filter(|said| !said.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The levels that hold, when these held before.
fn held(quota: &QuotaStatus, before: &[Level]) -> Vec<Level> {
    let held = |level| before.contains(&level);
    judge::levels(quota, &Before { held: &held, burst: None }, &Rules::default(), at(NOON))
}

// ---- which levels hold ----

#[test]
fn projected_is_raised_at_0_7_and_cleared_below_0_4() {
    assert_eq!(held(&quota(1_000, 0.69), &[]), []);
    assert_eq!(held(&quota(1_000, 0.7), &[]), [Level::Projected]);
    assert_eq!(held(&quota(1_000, 0.4), &[Level::Projected]), [Level::Projected]);
    assert_eq!(held(&quota(1_000, 0.39), &[Level::Projected]), []);
}

#[test]
fn imminent_is_raised_at_0_9_and_cleared_below_what_raises_a_projection() {
    let both = [Level::Projected, Level::Imminent];
    assert_eq!(held(&quota(1_000, 0.89), &[]), [Level::Projected]);
    assert_eq!(held(&quota(1_000, 0.9), &[]), both);
    assert_eq!(held(&quota(1_000, 0.7), &both), both);
    assert_eq!(held(&quota(1_000, 0.69), &both), [Level::Projected]);
}

#[test]
fn what_runs_out_within_two_hours_is_imminent_and_stays_so_within_three() {
    let out_at = |time| QuotaStatus { exhausted_at: Some(at(time)), ..quota(1_000, 0.6) };
    assert_eq!(held(&out_at("2026-11-22T13:00:01Z"), &[]), []);
    assert_eq!(held(&out_at("2026-11-22T13:00:00Z"), &[]), [Level::Imminent]);
    assert_eq!(held(&out_at("2026-11-22T14:00:00Z"), &[Level::Imminent]), [Level::Imminent]);
    assert_eq!(held(&out_at("2026-11-22T14:00:01Z"), &[Level::Imminent]), []);
}

#[test]
fn no_probability_counts_in_the_windows_first_hour_unless_there_is_a_burst() {
    let memory = Memory::default();
    let levels = |quota: &QuotaStatus, time| memory.levels(quota, &Rules::default(), at(time));
    assert_eq!(levels(&quota(1_000, 1.0), "2026-11-21T23:59:59Z"), []);
    assert_eq!(levels(&quota(1_000, 1.0), "2026-11-22T00:00:00Z"), [Level::Projected, Level::Imminent]);
    let bursts = QuotaStatus { pace: pace(600.0, Some(100)), ..quota(1_000, 0.8) };
    assert_eq!(levels(&bursts, "2026-11-21T23:05:00Z"), [Level::Projected, Level::Imminent]);
}

#[test]
fn used_levels_hold_from_their_exact_share_on() {
    assert_eq!(held(&quota(31_999, 0.0), &[]), []);
    assert_eq!(held(&quota(32_000, 0.0), &[]), [Level::Used(80)]);
    assert_eq!(held(&quota(38_000, 0.0), &[]), [Level::Used(80), Level::Used(95)]);
    assert_eq!(held(&quota(40_000, 0.0), &[]), [Level::Used(80), Level::Used(95)]);
    assert_eq!(held(&quota(40_001, 1.0), &[]), Level::USUAL);
}

#[test]
fn a_pace_is_a_burst_when_it_ends_the_limit_soon_and_is_not_usual() {
    let imminent = |used, per_minute, usual_max| {
        let quota = QuotaStatus { pace: pace(per_minute, usual_max), ..quota(used, 0.0) };
        !held(&quota, &[]).is_empty()
    };
    // 120 minutes times 333.3 are 40,000.
    assert!(imminent(0, 334.0, None));
    assert!(!imminent(0, 333.0, None));
    assert!(imminent(20_000, 167.0, None), "half of the limit is gone in half the time");
    assert!(imminent(0, 600.0, Some(400)));
    let small = |per_minute| QuotaStatus { limit: 500, remaining: 500, pace: pace(per_minute, None), ..quota(0, 0.0) };
    assert_eq!((held(&small(29.0), &[]).len(), held(&small(30.0), &[]).len()), (0, 1), "a handful is no burst");
    assert!(!imminent(0, 600.0, Some(480)), "an hourly job that is a quarter busier than in its busiest week");
    assert!(!imminent(40_000, 600.0, None) || held(&quota(40_000, 0.0), &[]).contains(&Level::Used(95)));
    assert!(!imminent(0, f64::NAN, None) && !imminent(0, 0.0, None));
    let late = QuotaStatus { resets_at: minutes(30), pace: pace(600.0, None), ..quota(1_000, 0.0) };
    assert_eq!(held(&late, &[]), [], "the window ends before the limit is reached");
}

#[test]
fn an_hours_window_has_minutes_where_a_day_has_hours() {
    let quota = |used, per_minute| QuotaStatus {
        window: WindowKind::Hour,
        window_start: at(NOON),
        resets_at: minutes(60),
        exhausted_at: None,
        pace: pace(per_minute, None),
        ..quota(used, 0.95)
    };
    let levels = |quota: &QuotaStatus, now| Memory::default().levels(quota, &Rules::default(), now);
    assert_eq!(levels(&quota(1_000, 0.0), minutes(2)), []);
    assert_eq!(levels(&quota(1_000, 0.0), minutes(3)), [Level::Projected, Level::Imminent]);
    let calm = |per_minute| QuotaStatus {
        forecast: Forecast { exceed_probability: 0.0, ..quota(0, 0.0).forecast },
        ..quota(0, per_minute)
    };
    assert_eq!(levels(&calm(7_000.0), minutes(3)), [], "the limit lasts for six minutes");
    assert_eq!(levels(&calm(8_000.0), minutes(3)), [Level::Imminent], "for five");
}

#[test]
fn where_use_falls_again_its_levels_end_five_points_lower() {
    let used_80 = [Level::Used(80)];
    assert_eq!(held(&rolling(30_000), &used_80), used_80);
    assert_eq!(held(&rolling(29_999), &used_80), []);
    let all = [Level::Used(80), Level::Used(95), Level::Exceeded];
    assert_eq!(held(&rolling(38_000), &all), all);
    assert_eq!(held(&rolling(37_999), &all), all[..2]);
}

#[test]
fn exceeded_stays_until_the_window_ends_whatever_is_found_out_later() {
    assert!(held(&quota(39_000, 0.0), &[Level::Exceeded]).contains(&Level::Exceeded));
}

// ---- what is said ----

#[test]
fn a_level_speaks_once_a_window_however_often_it_comes_back() {
    let steps = [(1_000, 0.8), (1_000, 0.3), (1_000, 0.8), (33_000, 0.8), (33_001, 0.8)];
    assert_eq!(said(&mut Memory::default(), &steps), "+projected; -projected; +used_80");
}

#[test]
fn jumping_straight_to_exceeded_sends_one_message() {
    assert_eq!(said(&mut Memory::default(), &[(41_000, 1.0), (42_000, 1.0)]), "+exceeded");
}

#[test]
fn a_day_that_goes_wrong_is_told_in_steps_and_never_back() {
    let steps = [(32_000, 0.2), (34_000, 0.8), (35_000, 0.95), (39_000, 0.99), (40_001, 1.0), (41_000, 1.0)];
    assert_eq!(said(&mut Memory::default(), &steps), "+used_80; +projected; +imminent; +used_95; +exceeded");
    let steps = [(1_000, 0.95), (32_000, 0.95), (40_001, 1.0)];
    assert_eq!(said(&mut Memory::default(), &steps), "+imminent; +exceeded", "80 % after imminent is no news");
}

#[test]
fn what_is_over_is_said_once_with_the_same_id_and_since_when() {
    let mut memory = Memory::default();
    let fired = play(&mut memory, &quota(1_000, 0.8), &Rules::default(), minutes(0));
    let over = play(&mut memory, &quota(1_500, 0.3), &Rules::default(), minutes(40));
    assert_eq!((fired[0].id.as_str(), fired[0].status), ("prod/projected/1795302000", Status::Firing));
    assert_eq!((&over[0].id, over[0].status), (&fired[0].id, Status::Resolved));
    assert_eq!((over[0].since, over[0].at), (minutes(0), minutes(40)));
    assert_eq!(over[0].title, "prod is no longer forecast to exceed its limit (3% used)");
}

#[test]
fn milder_matters_end_without_a_word_while_a_graver_one_goes_on() {
    let steps = [(1_000, 0.8), (1_000, 0.95), (39_000, 0.95), (39_000, 0.1)];
    assert_eq!(
        said(&mut Memory::default(), &steps),
        "+projected; +imminent; +used_95; (-projected) -imminent",
        "95 % are used, and will not be forgotten"
    );
}

#[test]
fn a_reset_ends_every_matter_and_says_so_once() {
    let mut memory = Memory::default();
    said(&mut memory, &[(1_000, 0.8), (39_000, 0.95), (41_203, 1.0)]);
    let messages = play(&mut memory, &day_after(quota(3, 0.1)), &Rules::default(), at("2026-11-22T23:00:09Z"));
    assert_eq!(told(&messages), "(-projected) (-imminent) -exceeded");
    let last = messages.last().expect("one");
    assert_eq!(last.title, "prod starts anew after 41,203 of 40,000 used (103%)");
    assert_eq!(
        last.message,
        r#"quota "prod" starts anew: when its last window was last looked at, 41,203 of 40,000 used (103%), 1,203 over its limit"#
    );
    assert_eq!(play_at(&mut memory, &day_after(quota(4, 0.1)), minutes(13 * 60)), "");
}

#[test]
fn after_downtime_over_a_reset_only_what_is_wrong_now_speaks() {
    let mut memory = Memory::default();
    said(&mut memory, &[(1_000, 0.8), (33_000, 0.8)]);
    let memory_kept = serde_json::to_string(&memory).expect("serialises");
    let mut memory: Memory = serde_json::from_str(&memory_kept).expect("is read back");
    let today = day_after(quota(39_500, 0.97));
    assert_eq!(play_at(&mut memory, &today, at("2026-11-23T15:00:00Z")), "(-used_80) (-projected) +imminent");
    assert_eq!(play_at(&mut memory, &today, at("2026-11-23T15:00:10Z")), "");
}

#[test]
fn a_burst_holds_through_its_pauses_and_a_second_one_is_news_two_hours_after_the_first() {
    let mut memory = Memory::default();
    let calm = QuotaStatus { exhausted_at: None, ..quota(2_000, 0.05) };
    let bursts = QuotaStatus { pace: pace(600.0, Some(50)), ..calm.clone() };
    let mut play = |quota: &QuotaStatus, minute| play_at(&mut memory, quota, minutes(minute));
    assert_eq!(play(&bursts, 0), "+imminent");
    assert_eq!(play(&calm, 14), "");
    assert_eq!(play(&bursts, 15), "");
    assert_eq!(play(&calm, 29), "");
    assert_eq!(play(&calm, 30), "-imminent");
    assert_eq!(play(&bursts, 149), "", "it goes on");
    assert_eq!(play(&calm, 170), "");
    assert_eq!(play(&bursts, 290), "+imminent");
    assert_eq!(play(&calm, 310), "-imminent");
}

#[test]
fn where_no_window_ends_a_level_speaks_again_after_a_day() {
    let mut memory = Memory::default();
    let mut play = |used, hours: i64| {
        let start = minutes(hours * 60 - 24 * 60);
        let quota = QuotaStatus { window_start: start, resets_at: minutes(hours * 60), ..rolling(used) };
        play_at(&mut memory, &quota, minutes(hours * 60))
    };
    assert_eq!(play(32_000, 0), "+used_80");
    assert_eq!(play(30_500, 2), "");
    assert_eq!(play(29_000, 5), "-used_80");
    assert_eq!(play(32_000, 9), "", "once a day");
    assert_eq!(play(29_000, 20), "");
    assert_eq!(play(32_000, 24), "+used_80");
    assert_eq!(play(38_000, 60), "+used_95");
    assert_eq!(play(100, 61), "(-used_80) -used_95");
    play(100, 90);
    assert_eq!(memory, Memory::default(), "nothing is remembered of a calm that lasts");
}

#[test]
fn a_limit_that_was_raised_is_judged_anew() {
    let mut memory = Memory::default();
    assert_eq!(said(&mut memory, &[(40_001, 1.0)]), "+exceeded");
    let higher = |used| QuotaStatus { limit: 100_000, remaining: 100_000 - used, ..quota(used, 0.1) };
    assert_eq!(play_at(&mut memory, &higher(40_002), at(NOON)), "-exceeded");
    let messages = play(&mut memory, &higher(85_000), &Rules::default(), at(NOON));
    assert_eq!(told(&messages), "+used_80");
}

#[test]
fn what_was_said_is_remembered_through_a_restart() {
    let mut memory = Memory::default();
    said(&mut memory, &[(33_000, 0.8)]);
    let kept = serde_json::to_string(&memory).expect("a memory serialises");
    let mut back: Memory = serde_json::from_str(&kept).expect("it is read back");
    assert_eq!(back, memory);
    assert_eq!(said(&mut back, &[(33_500, 0.5)]), "", "between the thresholds it still holds");
    assert_eq!(back.levels(&quota(33_500, 0.5), &Rules::default(), at(NOON)), [Level::Used(80), Level::Projected]);
}

/// As daycap 0.1.0 wrote it, who knew no end of a matter.
#[test]
fn an_older_memory_says_nothing_again() {
    let older = r#"{"said":{"prod":{"window_start":"2026-11-21T23:00:00Z","levels":["projected","used_80"]}},
        "before":{"prod":{"window_start":"2026-11-20T23:00:00Z","levels":["exceeded"]}}}"#;
    let mut memory: Memory = serde_json::from_str(older).expect("it is read");
    assert_eq!(said(&mut memory, &[(33_000, 0.5), (38_000, 0.1)]), "+used_95");
    let newest = serde_json::from_str::<Memory>(r#"{"said":{}}"#).expect("it is read");
    assert_eq!(newest, Memory::default());
}

#[test]
fn a_removed_quota_is_forgotten_and_what_fired_is_over() {
    let mut memory = Memory::default();
    said(&mut memory, &[(33_000, 0.1)]);
    assert_eq!(told(&due(&mut memory, &[], &Alerting::default(), at(NOON))), "(-used_80)");
    assert_eq!(memory, Memory::default());
}

#[test]
fn a_clock_that_ran_ahead_and_came_back_says_nothing_again() {
    let mut memory = Memory::default();
    said(&mut memory, &[(33_000, 0.1)]);
    let shown = |year: i32| format!("{year}-11-21T23:00:00Z");
    let ahead = QuotaStatus { window_start: at(&shown(2036)), exhausted_at: None, ..quota(33_000, 0.1) };
    let jump = |memory: &mut Memory, quota: &QuotaStatus| {
        let messages = play(memory, quota, &Rules::default(), at("2036-11-22T12:00:00Z"));
        messages.iter().filter(|message| message.status == Status::Firing).count()
    };
    assert_eq!(jump(&mut memory, &ahead), 1);
    assert_eq!(said(&mut memory, &[(33_000, 0.1), (38_000, 0.1)]), "-used_80; +used_95");
    assert_eq!(jump(&mut memory, &ahead), 0);
    assert_eq!(said(&mut memory, &[(38_000, 0.1)]), "");
    let calm = QuotaStatus { window_start: at(&shown(2046)), ..quota(0, 0.0) };
    assert_eq!(jump(&mut memory, &calm), 0);
    assert_eq!(said(&mut memory, &[(38_000, 0.1)]), "", "a window in which nothing was said came between");
}

#[test]
fn quotas_speak_for_themselves_and_by_their_own_rules() {
    let first = quota(33_000, 0.1);
    let second = QuotaStatus { name: "test".to_owned(), ..first.clone() };
    let own = Rules { used: vec![70], ..Rules::default() };
    let alerting = Alerting { by_quota: BTreeMap::from([("test".to_owned(), own)]), ..Alerting::default() };
    let alerts = due(&mut Memory::default(), &[first, second], &alerting, at(NOON));
    let told: Vec<_> = alerts.iter().map(|alert| alert.id.as_str()).collect();
    assert_eq!(told, ["prod/used_80/1795302000", "test/used_70/1795302000"]);
}

// ---- whatever a day does ----

/// What a quota may do from one look to the next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Use(u64),
    Expect(f64),
    Pace(f64),
    Wait(i64),
    NextWindow,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_000_u64).prop_map(Step::Use),
        4 => (0.0..1.0).prop_map(Step::Expect),
        1 => (0.0..900.0).prop_map(Step::Pace),
        2 => (1..200_i64).prop_map(Step::Wait),
        1 => Just(Step::NextWindow),
        1 => Just(Step::Restart),
    ]
}

/// Every message of a life that takes these steps and then ends with the quota; each with the window it was said in.
fn life(steps: &[Step]) -> Vec<(DateTime<Utc>, Message)> {
    let (mut memory, mut quota, mut now) = (Memory::default(), quota(0, 0.0), at(NOON));
    let mut messages = Vec::new();
    for step in steps {
        match step {
            Step::Use(units) => quota.used += units,
            Step::Expect(probability) => quota.forecast.exceed_probability = *probability,
            Step::Pace(per_minute) => quota.pace = pace(*per_minute, Some(200)),
            Step::Wait(count) => now += TimeDelta::minutes(*count),
            Step::NextWindow => quota = day_after(QuotaStatus { used: 0, ..quota }),
            Step::Restart => {
                let kept = serde_json::to_string(&memory).expect("serialises");
                memory = serde_json::from_str(&kept).expect("is read back");
            }
        }
        quota.remaining = quota.limit.saturating_sub(quota.used);
        let said = play(&mut memory, &quota, &Rules::default(), now);
        messages.extend(said.into_iter().map(|message| (quota.window_start, message)));
    }
    let rest = due(&mut memory, &[], &Alerting::default(), now);
    messages.extend(rest.into_iter().map(|message| (quota.window_start, message)));
    assert_eq!(memory, Memory::default());
    messages
}

proptest! {
    #[test]
    fn whatever_happens_each_matter_fires_once_and_ends_once(steps in prop::collection::vec(step(), 1..120)) {
        let messages = life(&steps);
        let mut open = std::collections::BTreeSet::new();
        let mut ids = std::collections::BTreeSet::new();
        for (_, message) in &messages {
            match message.status {
                Status::Firing => prop_assert!(ids.insert(&message.id) && open.insert(&message.id), "{message:?}"),
                Status::Resolved => prop_assert!(open.remove(&message.id), "{message:?}"),
            }
        }
        prop_assert!(open.is_empty());
    }

    #[test]
    fn whatever_happens_a_level_speaks_once_a_window_and_nothing_milder_beside_it(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut spoken: BTreeMap<DateTime<Utc>, Vec<(Level, bool)>> = BTreeMap::new();
        for (window, message) in &life(&steps) {
            let before = spoken.entry(*window).or_default();
            let level = level(message);
            if message.status == Status::Resolved {
                before.iter_mut().filter(|(of, _)| *of == level).for_each(|(_, is_over)| *is_over = true);
                continue;
            }
            // A new burst may speak again.
            prop_assert!(level == Level::Imminent || before.iter().all(|(of, _)| *of != level), "{before:?} {level}");
            let is_graver = |(of, is_over): &(Level, bool)| !is_over && of.gravity() > level.gravity();
            prop_assert!(!before.iter().any(is_graver), "{before:?} {level}");
            before.push((level, false));
        }
    }

    #[test]
    fn whatever_happens_people_hear_one_thing_at_a_look_and_exceeded_lasts(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let (mut memory, mut quota) = (Memory::default(), quota(0, 0.0));
        for step in steps {
            match step {
                Step::Use(units) => quota.used += units,
                // Costs that turn out lower: the limit was passed all the same.
                Step::Pace(_) => quota.used -= quota.used / 4,
                Step::Expect(probability) => quota.forecast.exceed_probability = probability,
                Step::NextWindow => quota = day_after(QuotaStatus { used: 0, ..quota }),
                Step::Wait(_) | Step::Restart => {}
            }
            let was_exceeded = memory.levels(&quota, &Rules::default(), at(NOON)).contains(&Level::Exceeded);
            let messages = play(&mut memory, &quota, &Rules::default(), at(NOON));
            prop_assert!(messages.iter().filter(|message| !message.quiet).count() <= 1);
            let is_exceeded = memory.levels(&quota, &Rules::default(), at(NOON)).contains(&Level::Exceeded);
            prop_assert_eq!(is_exceeded, was_exceeded);
        }
    }
}

#[test]
fn eighty_percent_are_news_after_a_scare_that_came_to_nothing() {
    let said = |looks: [(u64, f64); 3]| {
        let mut memory = Memory::default();
        let mut look = |((used, probability), hour): ((u64, f64), i64)| {
            let quota = QuotaStatus { exhausted_at: None, ..quota(used, probability) };
            told(&play(&mut memory, &quota, &Rules::default(), minutes(60 * hour)))
        };
        looks.into_iter().zip(0..).map(&mut look).collect::<Vec<_>>()
    };
    assert_eq!(said([(1_000, 0.95), (1_000, 0.1), (33_000, 0.1)]), ["+imminent", "-imminent", "+used_80"]);
    assert_eq!(said([(1_000, 0.95), (33_000, 0.95), (33_000, 0.95)]), ["+imminent", "", ""]);
}

// ---- the words ----

fn check(quota: &QuotaStatus, level: Level, expected: &Expect) {
    let Text { title, message } = sentence::fires(quota, level, &Rules::default(), at(NOON));
    expected.assert_eq(&format!("{title}\n{message}"));
}

fn contributor(operation: &str, units: u64, usual: Option<u64>) -> Contributor {
    Contributor { service: "sync".to_owned(), operation: operation.to_owned(), units, usual }
}

#[test]
fn a_projection_says_all_that_a_person_needs() {
    let top = vec![
        contributor("search", 8_123, Some(4_000)),
        contributor("login", 5_000, Some(0)),
        contributor("say \"hi\"\n", 4_222, None),
        contributor("fourth", 1, None),
    ];
    check(
        &QuotaStatus { top, ..quota(20_150, 0.87) },
        Level::Projected,
        &expect![[r#"
        prod is forecast to exceed its limit (50% used)
        quota "prod" is forecast to exceed its limit: 20,150 of 40,000 used (50%); forecast 44,120 (P10-P90 38,500-51,003), 87% to exceed; runs out 2026-11-22 19:40 Europe/Berlin; resets 2026-11-23 00:00 Europe/Berlin; 27.6 a minute may be spent until then; most by sync search 8,123 (usually 4,000 by now), sync login 5,000 (usually none by now), sync say "hi"\n 4,222"#]],
    );
}

#[test]
fn a_burst_says_its_pace_and_when_the_limit_is_reached_at_it() {
    let burst = |usual_max| QuotaStatus { pace: pace(612.0, usual_max), exhausted_at: None, ..quota(1_100, 0.08) };
    check(
        &burst(Some(94)),
        Level::Imminent,
        &expect![[r#"
        prod is being used up by a burst (2% used)
        quota "prod" is being used up by a burst: 1,100 of 40,000 used (2%); forecast 44,120 (P10-P90 38,500-51,003), 8% to exceed; runs out 2026-11-22 13:03 Europe/Berlin at the last minute's pace of 612 (its busiest minute used to have 94); resets 2026-11-23 00:00 Europe/Berlin; 27.6 a minute may be spent until then"#]],
    );
    check(
        &burst(None),
        Level::Imminent,
        &expect![[r#"
        prod is being used up by a burst (2% used)
        quota "prod" is being used up by a burst: 1,100 of 40,000 used (2%); forecast 44,120 (P10-P90 38,500-51,003), 8% to exceed; runs out 2026-11-22 13:03 Europe/Berlin at the last minute's pace of 612 (what is usual is not known yet); resets 2026-11-23 00:00 Europe/Berlin; 27.6 a minute may be spent until then"#]],
    );
}

#[test]
fn imminent_is_certain_or_soon() {
    check(
        &quota(20_150, 0.995),
        Level::Imminent,
        &expect![[r#"
        prod is all but certain to exceed its limit (50% used)
        quota "prod" is all but certain to exceed its limit: 20,150 of 40,000 used (50%); forecast 44,120 (P10-P90 38,500-51,003), >99% to exceed; runs out 2026-11-22 19:40 Europe/Berlin; resets 2026-11-23 00:00 Europe/Berlin; 27.6 a minute may be spent until then"#]],
    );
    let soon = QuotaStatus { exhausted_at: Some(minutes(90)), ..quota(36_000, 0.62) };
    check(
        &soon,
        Level::Imminent,
        &expect![[r#"
        prod will soon be used up (90% used)
        quota "prod" will soon be used up: 36,000 of 40,000 used (90%); forecast 44,120 (P10-P90 38,500-51,003), 62% to exceed; runs out 2026-11-22 13:30 Europe/Berlin; resets 2026-11-23 00:00 Europe/Berlin; 27.6 a minute may be spent until then"#]],
    );
}

#[test]
fn an_exceeded_limit_leaves_nothing_to_spend() {
    let exceeded = QuotaStatus { exhausted_at: None, ..quota(40_001, 1.0) };
    check(
        &exceeded,
        Level::Exceeded,
        &expect![[r#"
        prod has exceeded its limit (100% used)
        quota "prod" has exceeded its limit: 40,001 of 40,000 used (100%); forecast 44,120 (P10-P90 38,500-51,003), 100% to exceed; resets 2026-11-23 00:00 Europe/Berlin; nothing may be spent until then"#]],
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
        Level::Used(80),
        &expect![[r#"
        prod has used 80% of its limit (80% used)
        quota "prod" has used 80% of its limit: at least 32,000 of 40,000 used (80%); still learning, no whole day seen yet: total likely 38,500-51,003; resets 2026-11-23 00:00 Europe/Berlin; 27.6 a minute may be spent until then"#]],
    );
}

#[test]
fn a_used_up_quota_is_called_so_and_a_forecast_is_never_certain() {
    let mut used_up = QuotaStatus { exhausted_at: None, ..quota(40_000, 0.999) };
    used_up.forecast.confidence = Confidence::Low;
    check(
        &used_up,
        Level::Used(95),
        &expect![[r#"
        prod is used up (100% used)
        quota "prod" is used up: 40,000 of 40,000 used (100%); forecast 44,120 (P10-P90 38,500-51,003), >99% to exceed, low confidence; resets 2026-11-23 00:00 Europe/Berlin; nothing may be spent until then"#]],
    );
}

#[test]
fn where_no_window_ends_nothing_is_said_to_reset() {
    check(
        &rolling(33_000),
        Level::Used(80),
        &expect![[r#"
            prod has used 80% of its limit (82% used)
            quota "prod" has used 80% of its limit: 33,000 of 40,000 used (82%); forecast 44,120 (P10-P90 38,500-51,003), <1% to exceed; each unit is free again 24 h after its use; 27.6 a minute may be spent for the next 24 h"#]],
    );
}

#[test]
fn a_rolling_window_that_was_fuller_says_when() {
    let worst = Some(Worst { used: 41_203, until: at("2026-11-22T09:12:00Z") });
    check(
        &QuotaStatus { worst, window: WindowKind::AnyDay, ..rolling(33_000) },
        Level::Exceeded,
        &expect![[r#"
        prod has exceeded its limit (82% used)
        quota "prod" has exceeded its limit: 33,000 of 40,000 used (82%); 41,203 in the 24 h until 2026-11-22 10:12 CET; forecast 44,120 (P10-P90 38,500-51,003), <1% to exceed; each unit is free again 24 h after its use; 27.6 a minute may be spent for the next 24 h"#]],
    );
}

#[test]
fn what_is_over_says_how_things_stand() {
    let Text { title, message } = sentence::is_over(&quota(20_150, 0.2), Level::Projected);
    expect![[r#"
        prod is no longer forecast to exceed its limit (50% used)
        quota "prod" is no longer forecast to exceed its limit: 20,150 of 40,000 used (50%); forecast 44,120 (P10-P90 38,500-51,003), 20% to exceed; runs out 2026-11-22 19:40 Europe/Berlin; resets 2026-11-23 00:00 Europe/Berlin; 27.6 a minute may be spent until then"#]].assert_eq(&format!("{title}\n{message}"));
}

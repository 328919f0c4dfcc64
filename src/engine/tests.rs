//! Made-up events, and what the engine answers; nothing here touches a file or waits for anything.

use super::*;
use crate::collect::log::Fingerprint;
use crate::collect::request::{Decoded, Series, pack};
use crate::config::Surroundings;

const NOON: &str = "2026-11-22T12:00:00Z";

fn now_after(seconds: u64) -> Now {
    let noon: DateTime<Utc> = NOON.parse().expect("a time");
    let uptime = Duration::from_secs(seconds);
    Now { wall: noon + uptime, uptime }
}

/// An engine with one source and a quota of 100 a day.
fn engine() -> Engine {
    engine_of("[[source]]\npath = \"a.log\"\n[[quota]]\nname = \"prod\"\nlimit = 100\n")
}

fn engine_of(text: &str) -> Engine {
    let surroundings = Surroundings { hostname: "app-1".to_owned(), ..Surroundings::default() };
    let config =
        crate::config::parse(text, std::path::Path::new("daycap.toml"), &surroundings).expect("a good configuration");
    let now = Minute::at(now_after(0).wall);
    let usage = |quota: &crate::quota::Quota| Usage::new(quota.clone(), BTreeMap::new(), BTreeMap::new(), now);
    let usages = config.quotas.iter().map(usage).collect();
    Engine::new(Arc::new(config), "0", State::default(), usages, Incomplete::new())
}

/// What a pass finds that read `requests` requests of this minute.
fn harvest(at: &str, requests: u64, offset: u64) -> Event {
    let minute = Minute::at(at.parse().expect("a time"));
    let mut decoded = Decoded::default();
    let series = Series {
        service: "a".into(),
        key: "k".into(),
        api: "x".into(),
        method: "GET".into(),
        operation: "/".into(),
        status: Some(200),
        duration: None,
    };
    let id = decoded.series.id(series);
    for line in 0..requests {
        decoded.rows.key.push(pack(minute, id));
        decoded.rows.start.push(line);
        decoded.rows.units.push(1);
        decoded.rows.bytes.push(0);
        decoded.rows.duration_ms.push(0.0);
    }
    let mut found = Harvest { caught_up: true, ..Harvest::default() };
    found.tally.add(&mut decoded);
    let mark = mark(offset);
    found.touched.entry(minute.utc_day()).or_default().insert(mark.id);
    found.marks.insert(mark.id, mark);
    Event::Harvested(Box::new(found))
}

fn mark(offset: u64) -> LogMark {
    LogMark {
        id: LogId(7),
        path: "a.log".to_owned(),
        device: 1,
        inode: 2,
        born_ns: None,
        head: Fingerprint::default(),
        begun: 0,
        offset,
        anchor: Fingerprint::default(),
        ladder: Default::default(),
        open: false,
        missing_since: None,
        format: None,
    }
}

fn commit_in(effects: Vec<Effect>) -> Option<Commit> {
    effects.into_iter().find_map(|effect| if let Effect::Commit(commit) = effect { Some(*commit) } else { None })
}

fn requests_in(commit: &Commit) -> u64 {
    commit.tally.rows().iter().map(|(_, _, requests, _)| requests).sum()
}

fn saved(left: Commit) -> Event {
    let left = Commit { tally: Tally::default(), marks: BTreeMap::new(), ..left };
    Event::Committed(Box::new(Committed { left, error: None }), Duration::ZERO)
}

fn failed(left: Commit) -> Event {
    Event::Committed(Box::new(Committed { left, error: Some("disk full".to_owned()) }), Duration::ZERO)
}

fn alerts_in(effects: &[Effect]) -> Vec<alert::Level> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Deliver(alert) = effect { Some(alert.level) } else { None })
        .collect()
}

#[test]
fn counts_and_their_marks_are_committed_together_and_once() {
    let mut engine = engine();
    let commit = commit_in(engine.apply(now_after(0), harvest(NOON, 3, 300))).expect("a commit");
    assert_eq!(requests_in(&commit), 3);
    assert_eq!(commit.marks.values().flatten().map(|mark| mark.offset).collect::<Vec<_>>(), [300]);
    assert_eq!(commit.state.marks, [mark(300)]);
    assert!(commit_in(engine.apply(now_after(1), Event::Tick)).is_none(), "a second commit while one is under way");
    engine.apply(now_after(2), saved(commit));
    assert!(commit_in(engine.apply(now_after(60), Event::Tick)).is_none(), "a commit of nothing");
}

#[test]
fn what_could_not_be_saved_is_in_the_next_commit_with_what_came_since() {
    let mut engine = engine();
    let commit = commit_in(engine.apply(now_after(0), harvest(NOON, 3, 300))).expect("a commit");
    engine.apply(now_after(1), harvest(NOON, 2, 500));
    engine.apply(now_after(2), failed(commit));
    assert_eq!(engine.snapshot(now_after(2).wall).commit.failures, 1);
    let commit = commit_in(engine.apply(now_after(60), Event::Tick)).expect("another try");
    assert_eq!(requests_in(&commit), 5);
    assert_eq!(commit.marks.values().flatten().map(|mark| mark.offset).collect::<Vec<_>>(), [500]);
    engine.apply(now_after(61), saved(commit));
    assert_eq!(engine.snapshot(now_after(61).wall).commit.failing, None);
}

#[test]
fn a_commit_that_took_long_is_not_followed_at_once() {
    let mut engine = engine();
    let commit = commit_in(engine.apply(now_after(0), harvest(NOON, 1, 1))).expect("a commit");
    let left = Commit { tally: Tally::default(), marks: BTreeMap::new(), ..commit };
    engine.apply(now_after(2), Event::Committed(Box::new(Committed { left, error: None }), Duration::from_secs(2)));
    assert!(commit_in(engine.apply(now_after(41), harvest(NOON, 1, 2))).is_none(), "more than a twentieth of the time");
    assert!(commit_in(engine.apply(now_after(42), Event::Tick)).is_some());
}

#[test]
fn the_end_waits_for_a_commit_and_tells_whether_all_was_saved() {
    for (is_saved, event) in [(true, saved as fn(Commit) -> Event), (false, failed)] {
        let mut engine = engine();
        let under_way = commit_in(engine.apply(now_after(0), harvest(NOON, 3, 300))).expect("a commit");
        engine.apply(now_after(1), harvest(NOON, 2, 500));
        assert!(engine.apply(now_after(1), Event::Stop).is_empty(), "did not wait for the commit under way");
        let last = commit_in(engine.apply(now_after(1), saved(under_way))).expect("a last commit");
        assert_eq!(requests_in(&last), 2);
        let effects = engine.apply(now_after(1), event(last));
        let ends: Vec<bool> = effects
            .iter()
            .filter_map(|effect| if let Effect::End { saved } = effect { Some(*saved) } else { None })
            .collect();
        assert_eq!(ends, [is_saved]);
    }
}

/// What is not saved must not be dropped by a reload either: it is told, and held for the next try.
#[test]
fn an_end_that_is_taken_back_goes_on_with_what_was_not_saved() {
    let mut engine = engine();
    let commit = commit_in(engine.apply(now_after(0), harvest(NOON, 3, 300))).expect("a commit");
    engine.apply(now_after(1), Event::Stop);
    let again = commit_in(engine.apply(now_after(2), failed(commit))).expect("a last try");
    engine.apply(now_after(3), failed(again));
    assert!(commit_in(engine.apply(now_after(4), Event::GoOn)).is_none());
    let commit = commit_in(engine.apply(now_after(60), Event::Tick)).expect("the interval is over");
    assert_eq!(requests_in(&commit), 3);
}

#[test]
fn half_read_logs_raise_no_alert() {
    let mut engine = engine();
    let Event::Harvested(mut half) = harvest(NOON, 101, 300) else { unreachable!("it is a harvest") };
    half.caught_up = false;
    assert_eq!(alerts_in(&engine.apply(now_after(0), Event::Harvested(half))), []);
    assert_eq!(alerts_in(&engine.apply(now_after(1), harvest(NOON, 1, 400))), [alert::Level::Exceeded]);
    assert_eq!(alerts_in(&engine.apply(now_after(2), harvest(NOON, 1, 500))), [], "said twice");
}

/// 2026-11-21 ends at noon of the 22nd, UTC, where clocks are twelve hours behind.
#[test]
fn a_summary_waits_for_the_day_to_end_in_every_quotas_zone() {
    let text = "[[source]]\npath = \"a.log\"\n[[quota]]\nname = \"here\"\nlimit = 100\n[[quota]]\nname = \"west\"\nlimit = 100\ntz = \"Etc/GMT+12\"\n";
    for (minutes, expected) in [(-1, false), (0, true)] {
        let mut engine = engine_of(text);
        let at = |seconds| {
            let now = now_after(seconds);
            Now { wall: now.wall + chrono::TimeDelta::minutes(minutes), ..now }
        };
        let commit = commit_in(engine.apply(at(0), harvest("2026-11-21T13:00:00Z", 1, 100))).expect("a commit");
        let effects = engine.apply(at(1), saved(commit));
        let told: Vec<String> = effects
            .iter()
            .filter_map(|effect| if let Effect::Summarise(day) = effect { Some(day.to_string()) } else { None })
            .collect();
        assert_eq!(told.contains(&"2026-11-21".to_owned()), expected, "{told:?}");
    }
}

#[test]
fn a_finished_day_is_summarised_once_its_counts_are_saved() {
    let mut engine = engine();
    let summaries = |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::Summarise(_))).count();
    let effects = engine.apply(now_after(0), harvest("2026-11-21T10:00:00Z", 1, 100));
    assert_eq!(summaries(&effects), 0, "before the commit");
    let commit = commit_in(effects).expect("a commit");
    let day: Day = "2026-11-21".parse().expect("a day");
    assert!(commit.state.unsummarised.contains(&day), "a crash now would forget the summary");
    assert_eq!(summaries(&engine.apply(now_after(1), saved(commit))), 1);
    let error = Some("disk full".to_owned());
    engine.apply(now_after(2), Event::Summarised(day, error));
    let again = commit_in(engine.apply(now_after(70), Event::Tick)).expect("what is due is saved");
    assert_eq!(summaries(&engine.apply(now_after(70), saved(again))), 1, "not tried again");
    engine.apply(now_after(71), Event::Summarised(day, None));
    assert_eq!(summaries(&engine.apply(now_after(200), Event::Tick)), 0, "written again without a reason");
}

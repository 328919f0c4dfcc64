//! Made-up events, and what the engine answers; nothing here touches a file or waits for anything.

use super::*;
use crate::collect::log::Fingerprint;
use crate::collect::loss::Loss;
use crate::collect::request::{Decoded, Series, pack};
use crate::collect::tail::SourceProgress;
use crate::config::Surroundings;
use crate::count::ledger::Written;
use crate::count::query::Spent;
use crate::publish::message::{Status, Topic};
use crate::publish::trouble::Concern;

const NOON: &str = "2026-11-22T12:00:00Z";

fn now_after(seconds: u64) -> Now {
    let noon: DateTime<Utc> = NOON.parse().expect("a time");
    let uptime = Duration::from_secs(seconds);
    Now { wall: noon + uptime, uptime }
}

const ONE_SOURCE: &str = "[[source]]\npath = \"a.log\"\n[[quota]]\nname = \"prod\"\nlimit = 100\n";

/// An engine with one source and a quota of 100 a day.
fn engine() -> Engine {
    engine_of(ONE_SOURCE)
}

fn engine_of(text: &str) -> Engine {
    engine_with(text, State::default())
}

fn config_of(text: &str) -> Config {
    let surroundings = Surroundings { hostname: "app-1".to_owned(), ..Surroundings::default() };
    crate::config::parse(text, std::path::Path::new("daycap.toml"), &surroundings).expect("a good configuration")
}

fn engine_with(text: &str, state: State) -> Engine {
    let config = config_of(text);
    let now = Minute::at(now_after(0).wall);
    let usage = |quota: &crate::quota::Quota| Usage::new(quota.clone(), Spent::default(), now);
    let usages = config.quotas.iter().map(usage).collect();
    Engine::new(Arc::new(config), "0", state, usages, Doubts::default(), BTreeSet::new())
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
        count_from: Default::default(),
        cursor: None,
        backlog: 0,
        arrived: 0,
    }
}

fn commit_in(effects: Vec<Effect>) -> Option<Commit> {
    effects.into_iter().find_map(|effect| if let Effect::Commit(commit) = effect { Some(*commit) } else { None })
}

fn requests_in(commit: &Commit) -> u64 {
    commit.tally.rows().iter().map(|(_, _, requests, _)| requests).sum()
}

fn saved(left: Commit) -> Event {
    Event::Committed(Box::new(all_of(left)), Duration::ZERO)
}

/// All of it was written.
fn all_of(commit: Commit) -> Committed {
    let left = Commit { tally: Tally::default(), marks: BTreeMap::new(), at_least: BTreeMap::new(), ..commit };
    Committed { left, written: BTreeMap::new(), error: None }
}

fn failed(left: Commit) -> Event {
    let error = Some("disk full".to_owned());
    Event::Committed(Box::new(Committed { left, written: BTreeMap::new(), error }), Duration::ZERO)
}

fn alerts_in(effects: &[Effect]) -> Vec<alert::Level> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell(message) if message.status == Status::Firing => Some(message.level),
            _ => None,
        })
        .filter_map(|topic| if let Topic::Quota(level) = topic { Some(level) } else { None })
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
    assert_eq!(engine.snapshot(now_after(2)).commit.failures, 1);
    let commit = commit_in(engine.apply(now_after(60), Event::Tick)).expect("another try");
    assert_eq!(requests_in(&commit), 5);
    assert_eq!(commit.marks.values().flatten().map(|mark| mark.offset).collect::<Vec<_>>(), [500]);
    engine.apply(now_after(61), saved(commit));
    assert_eq!(engine.snapshot(now_after(61)).commit.failing, None);
}

#[test]
fn a_commit_that_took_long_is_not_followed_at_once() {
    let mut engine = engine();
    let commit = commit_in(engine.apply(now_after(0), harvest(NOON, 1, 1))).expect("a commit");
    engine.apply(now_after(2), Event::Committed(Box::new(all_of(commit)), Duration::from_secs(2)));
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

fn troubles_in(effects: &[Effect]) -> Vec<Concern> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell(message) if message.status == Status::Firing => Some(message.level),
            _ => None,
        })
        .filter_map(|topic| if let Topic::Counting(concern) = topic { Some(concern) } else { None })
        .collect()
}

fn day(text: &str) -> Day {
    text.parse().expect("a day")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// What a pass finds that saw a log vanish between 23:30 of the day before and now.
fn harvest_of_loss() -> Event {
    let loss = Loss {
        source: 0,
        path: "/var/log/a.log".to_owned(),
        what: "was truncated before it was read".to_owned(),
        since: at("2026-11-21T23:30:00Z"),
        until: at(NOON),
    };
    Event::Harvested(Box::new(Harvest { caught_up: true, losses: vec![loss], ..Harvest::default() }))
}

#[test]
fn a_loss_makes_its_days_at_least_at_once_and_in_the_next_commit() {
    let mut engine = engine();
    let effects = engine.apply(now_after(0), harvest_of_loss());
    let told = engine.snapshot(now_after(0)).quotas[0].completeness.told();
    assert_eq!(
        told,
        "/var/log/a.log: was truncated before it was read (between 2026-11-21 23:30:00 and 2026-11-22 12:00:00 UTC)"
    );
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Say(Severity::Error, text) if text.contains(&told))));
    assert_eq!(troubles_in(&effects), [Concern::NotExact]);
    let commit = commit_in(effects).expect("a commit");
    assert_eq!(commit.at_least.keys().copied().collect::<Vec<_>>(), [day("2026-11-21"), day("2026-11-22")]);
    assert!(commit.state.unsummarised.contains(&day("2026-11-21")), "the summary of that day is wrong now");

    engine.apply(now_after(1), failed(commit));
    let again = commit_in(engine.apply(now_after(60), Event::Tick)).expect("another try");
    assert_eq!(again.at_least.len(), 2, "a failed commit forgot it");
    engine.apply(now_after(61), saved(again));
    assert!(!engine.snapshot(now_after(61)).quotas[0].completeness.is_exact(), "it stays");
    let next = commit_in(engine.apply(now_after(120), harvest(NOON, 1, 1))).expect("a commit");
    assert!(next.at_least.is_empty(), "it is in the footers by now");
}

/// The window of the 22nd begins at 08:00 UTC in Los Angeles.
#[test]
fn a_loss_marks_only_the_windows_that_it_touches() {
    let quota = |name: &str, zone: &str| format!("[[quota]]\nname = {name:?}\nlimit = 100\ntz = {zone:?}\n");
    let source = "[[source]]\npath = \"a.log\"\n".to_owned();
    let mut engine = engine_of(&(source + &quota("here", "UTC") + &quota("west", "America/Los_Angeles")));
    let Event::Harvested(mut harvest) = harvest_of_loss() else { unreachable!("it is a harvest") };
    harvest.losses[0].until = at("2026-11-22T03:00:00Z");
    engine.apply(now_after(0), Event::Harvested(harvest));
    let quotas = engine.snapshot(now_after(0)).quotas;
    assert_eq!(quotas.iter().map(|quota| quota.completeness.is_exact()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn days_older_than_kept_are_forgotten_once_a_day() {
    let mut engine = engine_of("[state]\nkeep = \"30d\"\n[[source]]\npath = \"a.log\"\n");
    let forgotten = |effects: &[Effect]| -> Vec<String> {
        let day = |effect: &Effect| if let Effect::Forget(day) = effect { Some(day.to_string()) } else { None };
        effects.iter().filter_map(day).collect()
    };
    for (seconds, date) in [(0, "2026-11-20"), (1, "2026-11-21"), (2, "2026-11-22")] {
        let effects = engine.apply(now_after(seconds), harvest(&format!("{date}T11:00:00Z"), 1, seconds));
        assert_eq!(forgotten(&effects), [""; 0]);
    }
    assert_eq!(forgotten(&engine.apply(now_after(86_400), Event::Tick)), ["2026-10-23"]);
    assert_eq!(forgotten(&engine.apply(now_after(86_410), Event::Tick)), [""; 0]);
}

#[test]
fn a_day_file_that_was_set_aside_is_told_at_once() {
    let mut engine = engine();
    let commit = commit_in(engine.apply(now_after(0), harvest(NOON, 3, 300))).expect("a commit");
    let reason = Reason::of_day(day("2026-11-22"), "the day's file was unreadable".to_owned());
    let written = BTreeMap::from([(day("2026-11-22"), Written { requests: 3, set_aside: Some(reason) })]);
    let effects =
        engine.apply(now_after(1), Event::Committed(Box::new(Committed { written, ..all_of(commit) }), Duration::ZERO));
    let published = effects.iter().find_map(|effect| match effect {
        Effect::Publish(snapshot) => Some(snapshot.quotas[0].completeness.told()),
        _ => None,
    });
    assert_eq!(published.as_deref(), Some("the day's file was unreadable (on 2026-11-22)"));
    assert_eq!(troubles_in(&effects), [Concern::NotExact]);
    assert_eq!(troubles_in(&engine.apply(now_after(20), Event::Tick)), [], "said twice");
}

#[test]
fn commits_that_fail_for_a_minute_are_said_to_people_once() {
    let mut engine = engine();
    let mut said = Vec::new();
    let mut commit = commit_in(engine.apply(now_after(0), harvest(NOON, 3, 300)));
    for seconds in (1..200).step_by(10) {
        let mut effects = match commit.take() {
            Some(commit) => engine.apply(now_after(seconds), failed(commit)),
            None => Vec::new(),
        };
        effects.extend(engine.apply(now_after(seconds + 9), Event::Tick));
        said.extend(troubles_in(&effects).into_iter().map(|concern| (concern, seconds)));
        commit = commit_in(effects);
    }
    assert_eq!(said, [(Concern::CommitFailing, 61)]);
}

/// What a pass finds that read one request of each of these minutes.
fn harvest_of(minutes: impl IntoIterator<Item = Minute>) -> Event {
    let minutes = minutes.into_iter().map(|minute| (minute, 1)).collect();
    Event::Harvested(Box::new(Harvest {
        caught_up: true,
        minutes: BTreeMap::from([(0, minutes)]),
        ..Harvest::default()
    }))
}

/// Every minute of the two days before noon.
fn two_days() -> impl Iterator<Item = Minute> {
    let noon = Minute::at(at(NOON)).0;
    (noon - 2 * DAY_MINUTES..=noon).map(Minute)
}

fn state_in(effects: Vec<Effect>) -> State {
    commit_in(effects).expect("a commit").state
}

#[test]
fn a_source_that_stopped_is_stale_once_and_its_quota_says_so() {
    let mut engine = engine();
    engine.apply(now_after(0), harvest_of(two_days()));
    assert_eq!(troubles_in(&engine.apply(now_after(14 * 60), Event::Tick)), []);
    let effects = engine.apply(now_after(16 * 60), Event::Tick);
    assert_eq!(troubles_in(&effects), [Concern::Stale]);
    let snapshot = engine.snapshot(now_after(16 * 60));
    assert_eq!(snapshot.sources[0].stale_since, Some(at("2026-11-22T12:15:00Z")));
    assert_eq!(snapshot.quotas[0].stale_sources, ["a.log"]);
    let state = state_in(effects);

    let mut restarted = engine_with(ONE_SOURCE, state);
    let effects = restarted.apply(now_after(17 * 60), harvest_of([]));
    assert_eq!(troubles_in(&effects), [], "a restart says it again");
    assert!(restarted.snapshot(now_after(17 * 60)).sources[0].stale_since.is_some());
    let logs_again = [Minute::at(now_after(18 * 60).wall)];
    restarted.apply(now_after(18 * 60), harvest_of(logs_again));
    assert_eq!(restarted.snapshot(now_after(18 * 60)).sources[0].stale_since, None);
    restarted.apply(now_after(18 * 60 + 10), Event::Tick);
    assert_eq!(troubles_in(&restarted.apply(now_after(120 * 60), Event::Tick)), [Concern::Stale], "a second silence");
}

#[test]
fn half_read_logs_are_not_silent() {
    let mut engine = engine();
    let Event::Harvested(mut half) = harvest_of(two_days()) else { unreachable!("it is a harvest") };
    half.caught_up = false;
    half.progress = vec![SourceProgress { logs: 1, lag_bytes: 7 }];
    engine.apply(now_after(0), Event::Harvested(half));
    assert_eq!(troubles_in(&engine.apply(now_after(60 * 60), Event::Tick)), []);
    assert_eq!(engine.snapshot(now_after(60 * 60)).sources[0].stale_since, None);
}

#[test]
fn a_configured_silence_is_judged_without_history_and_never_means_never() {
    for (value, expected) in [("1h", true), ("never", false), ("auto", false)] {
        let mut engine = engine_of(&format!("[[source]]\npath = \"a.log\"\nstale_after = {value:?}\n"));
        engine.apply(now_after(0), harvest_of([Minute::at(at(NOON))]));
        assert_eq!(troubles_in(&engine.apply(now_after(59 * 60), Event::Tick)), [], "{value}");
        let said = troubles_in(&engine.apply(now_after(61 * 60), Event::Tick));
        assert_eq!(!said.is_empty(), expected, "{value}");
    }
}

#[test]
fn a_quota_of_another_key_does_not_wait_for_a_silent_source() {
    let source = "[[source]]\npath = \"a.log\"\nkey = \"test\"\nstale_after = \"1h\"\n";
    let quota = |name: &str| format!("[[quota]]\nname = {name:?}\nlimit = 5\nmatch = {{ key = {name:?} }}\n");
    let mut engine = engine_of(&(source.to_owned() + &quota("prod") + &quota("test")));
    engine.apply(now_after(0), harvest_of([Minute::at(at(NOON))]));
    let quotas = engine.snapshot(now_after(61 * 60)).quotas;
    let silent: Vec<_> = quotas.iter().map(|quota| quota.stale_sources.len()).collect();
    assert_eq!(silent, [0, 1]);
}

#[test]
fn stamps_far_ahead_are_said_and_hide_no_silence() {
    let mut engine = engine();
    let noon = Minute::at(at(NOON));
    let in_a_year = Minute(noon.0 + 365 * DAY_MINUTES);
    let effects = engine.apply(now_after(0), harvest_of(two_days().chain([in_a_year, Minute(7)])));
    let said: Vec<_> = effects
        .iter()
        .filter_map(|effect| if let Effect::Say(Severity::Warn, text) = effect { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    let source = &engine.snapshot(now_after(0)).sources[0];
    assert_eq!(source.last_request, Some(at(NOON)));
    assert!(source.problems[0].starts_with("1 lines are stamped more than a day ahead of the clock"));
    assert!(source.problems[1].starts_with("1 lines are older than the 800 days of state.keep"));
    assert_eq!(troubles_in(&engine.apply(now_after(16 * 60), Event::Tick)), [Concern::Stale]);
}

#[test]
fn a_request_stamped_a_little_ahead_was_made_by_now() {
    let mut engine = engine();
    engine.apply(now_after(0), harvest_of(two_days().map(|minute| Minute(minute.0 + 600))));
    assert_eq!(engine.snapshot(now_after(0)).sources[0].last_request, Some(at(NOON)));
    assert_eq!(troubles_in(&engine.apply(now_after(16 * 60), Event::Tick)), [Concern::Stale]);
}

/// Uptime goes on; the wall clock is ten years ahead.
fn jumped(seconds: u64) -> Now {
    Now { wall: at("2036-11-22T12:00:00Z"), ..now_after(seconds) }
}

#[test]
fn a_clock_that_runs_ahead_and_comes_back_loses_nothing() {
    let mut engine = engine();
    let commit = commit_in(engine.apply(now_after(0), harvest(NOON, 85, 300))).expect("a commit");
    engine.apply(now_after(1), saved(commit));
    let before = engine.snapshot(now_after(2)).quotas[0].clone();
    let effects = engine.apply(jumped(20), harvest("2036-11-22T12:00:00Z", 3, 400));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Forget(_))), "the ledger is forgotten");
    assert_eq!(engine.snapshot(jumped(20)).quotas[0].used, 3);
    let effects = engine.apply(now_after(40), harvest(NOON, 1, 500));
    let after = engine.snapshot(now_after(40)).quotas[0].clone();
    assert_eq!((after.used, after.top[0].units), (86, 86));
    assert_eq!(after.window_start, before.window_start);
    assert_eq!(alerts_in(&effects), [], "80 % is said again");
}

#[test]
fn a_silence_is_noticed_though_the_clock_went_back() {
    let mut engine = engine();
    engine.apply(now_after(0), harvest_of(two_days()));
    let back = |seconds| Now { wall: at("1970-01-01T00:00:00Z"), ..now_after(seconds) };
    assert_eq!(troubles_in(&engine.apply(back(60), Event::Tick)), []);
    assert_eq!(troubles_in(&engine.apply(back(16 * 60), Event::Tick)), [Concern::Stale]);
}

#[test]
fn a_day_that_a_wrong_clock_ended_is_summarised_again_when_it_ends() {
    let mut engine = engine();
    let summaries = |effects: &[Effect]| -> Vec<String> {
        let day = |effect: &Effect| if let Effect::Summarise(day) = effect { Some(day.to_string()) } else { None };
        effects.iter().filter_map(day).collect()
    };
    let commit = commit_in(engine.apply(now_after(0), harvest(NOON, 1, 100))).expect("a commit");
    assert_eq!(summaries(&engine.apply(jumped(1), saved(commit))), ["2026-11-22"]);
    engine.apply(jumped(2), Event::Summarised(day("2026-11-22"), None));
    let commit = commit_in(engine.apply(now_after(60), harvest(NOON, 1, 200))).expect("a commit");
    assert_eq!(summaries(&engine.apply(now_after(61), saved(commit))), [""; 0]);
    let midnight = now_after(12 * 3_600);
    assert_eq!(summaries(&engine.apply(midnight, Event::Tick)), ["2026-11-22"]);
}

#[test]
fn what_no_file_says_yet_is_committed_though_nothing_else_changes() {
    let config = Arc::new(config_of(ONE_SOURCE));
    let mut doubts = Doubts::default();
    doubts.note_day(day("2026-11-20"), Reason::of_day(day("2026-11-20"), "the ledger's file is gone".to_owned()));
    let mut engine = Engine::new(config, "0", State::default(), Vec::new(), doubts, BTreeSet::new());
    let commit = commit_in(engine.apply(now_after(0), Event::Tick)).expect("a commit");
    assert_eq!(commit.at_least.keys().copied().collect::<Vec<_>>(), [day("2026-11-20")]);
}

const TOLD: &str = "[[source]]\npath = \"a.log\"\n[[quota]]\nname = \"prod\"\nlimit = 100\n[[notify]]\nname = \"ops\"\ntype = \"exec\"\ncommand = [\"true\"]\n";

/// The ids of the news that are to be tried now.
fn tried_in(effects: &[Effect]) -> Vec<String> {
    let id = |effect: &Effect| match effect {
        Effect::Deliver { parcel, .. } => match parcel.as_ref() {
            Parcel::News(message) => Some(message.id.clone()),
            Parcel::Standing(_) => None,
        },
        _ => None,
    };
    effects.iter().filter_map(id).collect()
}

fn tried(error: Option<&str>) -> Event {
    let undelivered = |error: &str| Undelivered {
        why: error.to_owned(),
        brief: error.to_owned(),
        again: crate::publish::deliver::Again::Later,
    };
    Event::Tried { notifier: "ops".to_owned(), error: error.map(undelivered) }
}

/// A daemon's engine, whose quota is exceeded, so that there is news.
fn engine_with_news(state: State) -> (Engine, Vec<Effect>) {
    // By way of the file: what is under way is not in it.
    let state = serde_json::from_str(&serde_json::to_string(&state).expect("serialises")).expect("is read back");
    let mut engine = engine_with(TOLD, state);
    assert!(engine.open_outbox(now_after(0).wall).is_empty());
    let effects = engine.apply(now_after(0), harvest(NOON, 101, 300));
    (engine, effects)
}

#[test]
fn news_is_in_the_state_until_it_has_arrived_and_the_next_process_tries_it() {
    let (mut engine, effects) = engine_with_news(State::default());
    let ids = tried_in(&effects);
    assert_eq!((ids.len(), alerts_in(&effects).len()), (1, 1), "it is logged, and tried at once");
    let commit = commit_in(effects).expect("a commit");
    let state = commit.state.clone();
    engine.apply(now_after(1), saved(commit));

    let effects = engine.apply(now_after(2), tried(Some("no route")));
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Say(Severity::Warn, text) if text.contains("no route")))
    );
    assert_eq!(engine.snapshot(now_after(2)).notifiers[0].pending, 1);
    let (_, again) = engine_with_news(state);
    assert_eq!(tried_in(&again), ids, "the next process");

    let effects = engine.apply(now_after(20), Event::Tick);
    assert_eq!(tried_in(&effects), ids);
    let commit = commit_in(effects).expect("the attempt is in the state");
    engine.apply(now_after(20), saved(commit));
    engine.apply(now_after(21), tried(None));
    assert_eq!(engine.snapshot(now_after(21)).notifications[&("ops".to_owned(), "delivered")], 1);
    let state = commit_in(engine.apply(now_after(60), Event::Tick)).expect("a commit").state;
    assert_eq!(tried_in(&engine_with_news(state).1), [""; 0], "it has arrived");
}

#[test]
fn only_the_daemons_engine_brings_news_out() {
    let mut engine = engine_of(TOLD);
    let effects = engine.apply(now_after(0), harvest(NOON, 101, 300));
    assert_eq!(tried_in(&effects), [""; 0]);
    let state = commit_in(effects).expect("a commit").state;
    assert_eq!(tried_in(&engine_with_news(state).1).len(), 1, "it waits for the daemon");
}

#[test]
fn the_end_gives_deliveries_some_time_and_keeps_what_it_cuts_off() {
    for arrives in [true, false] {
        let (mut engine, effects) = engine_with_news(State::default());
        let commit = commit_in(effects).expect("a commit");
        engine.apply(now_after(1), saved(commit));
        assert!(engine.apply(now_after(2), Event::Stop).is_empty(), "it does not wait for the delivery");
        let effects =
            if arrives { engine.apply(now_after(2), tried(None)) } else { engine.apply(now_after(3), Event::Tick) };
        let cut =
            effects.iter().any(|effect| matches!(effect, Effect::Say(_, text) if text.contains("cut off by the end")));
        assert_eq!(cut, !arrives);
        let last = commit_in(effects);
        assert_eq!(last.is_some(), arrives, "what is cut off is in the state already");
        let effects = engine.apply(now_after(4), last.map_or(Event::Tick, saved));
        assert!(effects.iter().any(|effect| matches!(effect, Effect::End { saved: true })));
    }
}
// ---- alerts ----

const DAY_OF_40_000: &str = "[[source]]\npath = \"a.log\"\n[[quota]]\nname = \"prod\"\nlimit = 40000\n";

fn spent(minutes: &BTreeMap<Minute, u64>) -> Spent {
    Spent { units: minutes.clone(), ..Spent::default() }
}

/// An engine that goes on from here, with what the ledger holds.
fn engine_after(state: State, minutes: BTreeMap<Minute, u64>, at: &str) -> Engine {
    let config = config_of(DAY_OF_40_000);
    let now = Minute::at(self::at(at));
    let usage = |quota: &crate::quota::Quota| Usage::new(quota.clone(), spent(&minutes), now);
    let usages = config.quotas.iter().map(usage).collect();
    Engine::new(Arc::new(config), "0", state, usages, Doubts::default(), BTreeSet::new())
}

/// So many seconds after an instant.
fn after(instant: &str, seconds: u64) -> Now {
    let uptime = Duration::from_secs(seconds);
    Now { wall: at(instant) + uptime, uptime }
}

fn requests_at(now: Now, requests: u64) -> Event {
    harvest(&now.wall.to_rfc3339(), requests, 0)
}

/// What is said: `+` fires, `-` is over, in brackets where people hear nothing of it.
fn told(effects: &[Effect]) -> String {
    let one = |effect: &Effect| {
        let Effect::Tell(message) = effect else { return None };
        let sign = if message.status == Status::Firing { '+' } else { '-' };
        let name = format!("{sign}{}", message.level);
        Some(if message.quiet { format!("({name})") } else { name })
    };
    effects.iter().filter_map(one).collect::<Vec<_>>().join(" ")
}

/// Two weeks before the day of `at`, of a client that makes 15 requests a minute, and an hourly job of 300 in a minute.
fn two_weeks(at: &str) -> BTreeMap<Minute, u64> {
    let now = Minute::at(self::at(at));
    let units = |minute: u32| if minute.is_multiple_of(60) { 300 } else { 15 };
    (now.0 - 14 * DAY_MINUTES..now.0).map(|minute| (Minute(minute), units(minute))).collect()
}

/// The second in which somebody hears of a client that makes ten requests a second from `at` on.
fn seconds_until_a_burst_is_told(engine: &mut Engine, at: &str) -> Option<u64> {
    (0..120).find(|second| {
        let said = told(&engine.apply(after(at, *second), requests_at(after(at, *second), 10)));
        assert!(said.is_empty() || said == "+imminent", "{said}");
        !said.is_empty()
    })
}

#[test]
fn ten_requests_a_second_in_the_night_are_told_within_a_minute() {
    for begins in ["2026-11-22T03:00:00Z", "2026-11-22T03:00:30Z", "2026-11-22T00:00:10Z", "2026-11-22T03:00:59Z"] {
        for history in [BTreeMap::new(), two_weeks(begins)] {
            let days = history.len() / 1_440;
            let mut engine = engine_after(State::default(), history, begins);
            let told = seconds_until_a_burst_is_told(&mut engine, begins);
            assert!(told.is_some_and(|second| second <= 60), "{begins}, {days} days of history: {told:?}");
        }
    }
}

#[test]
fn a_job_that_runs_each_hour_is_no_burst() {
    let begins = "2026-11-22T03:00:00Z";
    let mut engine = engine_after(State::default(), two_weeks(begins), begins);
    for hour in 0..3 {
        for second in 0..30 {
            let now = after(begins, hour * 3_600 + second);
            assert_eq!(told(&engine.apply(now, requests_at(now, 12))), "", "{hour}:{second}");
        }
        let later = after(begins, hour * 3_600 + 90);
        assert_eq!(told(&engine.apply(later, Event::Tick)), "");
    }
}

#[test]
fn a_restart_says_nothing_again_and_a_reset_once_that_it_is_over() {
    let mut engine = engine();
    let effects = engine.apply(now_after(0), harvest(NOON, 101, 300));
    assert_eq!(told(&effects), "+exceeded");
    let state = state_in(effects);
    let ledger = BTreeMap::from([(Minute::at(at(NOON)), 101)]);
    let restart = |state: State, ledger: &BTreeMap<Minute, u64>, at: &str| {
        let config = config_of(ONE_SOURCE);
        let usages = vec![Usage::new(config.quotas[0].clone(), spent(ledger), Minute::at(self::at(at)))];
        Engine::new(Arc::new(config), "0", state, usages, Doubts::default(), BTreeSet::new())
    };
    let mut again = restart(state.clone(), &ledger, NOON);
    assert_eq!(told(&again.apply(now_after(60), harvest_of([]))), "");
    assert_eq!(again.snapshot(now_after(60)).quotas[0].alerts.last(), Some(&alert::Level::Exceeded));
    let midnight = now_after(12 * 3_600);
    assert_eq!(told(&again.apply(midnight, Event::Tick)), "-exceeded");
    assert_eq!(told(&again.apply(now_after(12 * 3_600 + 60), Event::Tick)), "");

    let mut next_day = restart(state, &ledger, "2026-11-23T09:00:00Z");
    assert_eq!(
        told(&next_day.apply(now_after(21 * 3_600), harvest_of([]))),
        "-exceeded",
        "daycap was down over the reset"
    );
    assert_eq!(told(&next_day.apply(now_after(21 * 3_600 + 60), harvest_of([]))), "");
}

#[test]
fn what_was_said_goes_into_the_history_once_though_commits_fail() {
    let mut engine = engine();
    let levels = |commit: &Commit| commit.said.iter().map(|said| said.level.to_string()).collect::<Vec<_>>();
    let commit = commit_in(engine.apply(now_after(0), harvest(NOON, 80, 300))).expect("a commit");
    assert_eq!(levels(&commit), ["imminent"]);
    engine.apply(now_after(1), harvest(NOON, 21, 400));
    engine.apply(now_after(2), failed(commit));
    let mut commit = commit_in(engine.apply(now_after(60), Event::Tick)).expect("another try");
    assert_eq!(levels(&commit), ["imminent", "exceeded"]);
    commit.said.clear();
    engine.apply(now_after(61), saved(commit));
    let commit = commit_in(engine.apply(now_after(120), harvest(NOON, 1, 500))).expect("a commit");
    assert_eq!(levels(&commit), [""; 0]);
}

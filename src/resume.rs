//! What is on disk becomes a running engine and its harvester: the state's marks say where to read on,
//! the day files' footers say which lines beyond them are counted already. This file never writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};

use crate::collect::log::LogId;
use crate::collect::tail::{Known, Tail};
use crate::config::Config;
use crate::count::ledger::{Footer, Ledger, Reason};
use crate::count::query::{self, Incomplete};
use crate::day::{Day, Minute};
use crate::doubt::Doubts;
use crate::engine::Engine;
use crate::harvest::{Arrived, Counted, Harvester};
use crate::keep;
use crate::state::{self, Held, Loaded, State};
use crate::usage::{Usage, history_span, recent};

/// A run, about to begin.
pub struct Resumed {
    pub engine: Engine,
    pub harvester: Harvester,
    pub ledger: Ledger,
    /// What a person should know about the state found.
    pub warnings: Vec<String>,
}

/// Read state and ledger; nothing is changed on disk.
pub fn resume(config: &Arc<Config>, version: &'static str, now: DateTime<Utc>) -> anyhow::Result<Resumed> {
    let ledger = Ledger::new(&config.state_dir, &config.host);
    let (state, warning) = settle(state::load(&config.state_dir)?);
    let mut warnings = Vec::from_iter(warning);
    let footers = ledger.footers().context("cannot read the ledger")?;
    let known = known_logs(&state, &footers);
    let (usages, unread) = usages(config, &ledger, Minute::at(now)).context("cannot read the ledger")?;
    let mut doubts = Doubts::saved(incomplete(&footers));
    for (day, completeness) in unread {
        completeness.reasons().iter().for_each(|reason| doubts.note_saved(day, reason.clone()));
    }
    let days = counted_days(&footers);
    let kept_from = keep::horizon(&days, Minute::at(now).utc_day(), config.keep_days);
    for (day, reason) in vanished(&state.held, &footers, kept_from) {
        warnings.push(format!("the count of {day} is a lower bound: {}", reason.what));
        doubts.note_day(day, reason);
    }
    let tail = Tail::new(config.sources.clone(), known).after(state.saved);
    let harvester = Harvester::new(tail, counted(&footers)).with_arrived(arrived(&footers));
    let engine = Engine::new(config.clone(), version, state, usages, doubts, days);
    Ok(Resumed { engine, harvester, ledger, warnings })
}

/// What a report cannot know from the ledger: of which host's files counts are gone, as far as the state knows. A
/// ledger whose footers cannot be read is for the report itself to tell.
pub fn missing(loaded: &Loaded, ledger: &Ledger, now: DateTime<Utc>, keep_days: u32) -> Vec<(String, Reason)> {
    let (Loaded::Good(state) | Loaded::Previous(state, _)) = loaded else { return Vec::new() };
    let Ok(footers) = ledger.footers() else { return Vec::new() };
    let kept_from = keep::horizon(&counted_days(&footers), Minute::at(now).utc_day(), keep_days);
    let vanished = vanished(&state.held, &footers, kept_from);
    vanished.into_iter().map(|(_, reason)| (ledger.host().to_owned(), reason)).collect()
}

/// Days whose file held more than it does now, or is gone: the state's marks are beyond lines that no file holds.
fn vanished(held: &Held, footers: &[Footer], kept_from: Option<Day>) -> Vec<(Day, Reason)> {
    let found: BTreeMap<(Day, &str), Option<u64>> =
        footers.iter().map(|footer| ((footer.day, footer.host.as_str()), footer.requests)).collect();
    let doubt = |(day, host, requests): (Day, &str, u64)| {
        let what = match found.get(&(day, host)) {
            None => format!("the ledger's file of host {host} is gone; it held {requests} requests"),
            Some(Some(now)) if *now < requests => {
                format!("the ledger's file of host {host} holds {now} requests; it held {requests}")
            }
            Some(_) => return None,
        };
        Some((day, Reason::of_day(day, what)))
    };
    held.files().filter(|(day, ..)| kept_from.is_none_or(|from| *day >= from)).filter_map(doubt).collect()
}

/// The days that hold counts.
fn counted_days(footers: &[Footer]) -> BTreeSet<Day> {
    footers.iter().filter(|footer| footer.requests != Some(0)).map(|footer| footer.day).collect()
}

fn settle(loaded: Loaded) -> (State, Option<String>) {
    match loaded {
        Loaded::Fresh => (State::default(), None),
        Loaded::Good(state) => (state, None),
        Loaded::Previous(state, why) => (
            state,
            Some(format!("{why}; going on from the state before it: lines are read again, none is counted twice")),
        ),
        Loaded::Lost(why) => {
            let cost = "logs are to be read again from their start; what the ledger holds is not counted twice";
            (State::default(), Some(format!("{why}; {cost}")))
        }
    }
}

/// Every log that state or footers name, the longest unseen first. A log is known again by its furthest mark,
/// wherever that is written; it is read on from the state's mark, or from where it began where the state has
/// none: its first commit was cut short, or the state is lost. What lies between is skipped by the footers.
pub(crate) fn known_logs(state: &State, footers: &[Footer]) -> Vec<Known> {
    let mut known: BTreeMap<LogId, (Option<Day>, Known)> = BTreeMap::new();
    let is_in_state: BTreeSet<LogId> = state.marks.iter().map(|mark| mark.id).collect();
    let resumes = state.marks.iter().map(|mark| (None, mark, mark.offset));
    let rereads =
        footers.iter().flat_map(|footer| footer.marks.iter().map(move |mark| (Some(footer.day), mark, mark.begun)));
    for (day, mark, resume) in resumes.chain(rereads) {
        let (last, log) = known.entry(mark.id).or_insert_with(|| (day, Known { mark: mark.clone(), resume }));
        *last = day.max(*last);
        // The state's cursor says where in a journal to read on: a footer's would be too far.
        let has_place = mark.cursor.is_some() && is_in_state.contains(&mark.id);
        if mark.offset > log.mark.offset && !has_place {
            log.mark = mark.clone();
        }
    }
    let mut known: Vec<_> = known.into_values().collect();
    known.sort_by_key(|(last, log)| (is_in_state.contains(&log.mark.id), *last));
    known.into_iter().map(|(_, log)| log).collect()
}

fn counted(footers: &[Footer]) -> Counted {
    let mut counted = Counted::default();
    for footer in footers {
        for mark in &footer.marks {
            let offset = counted.entry(mark.id).or_default().entry(footer.day).or_default();
            *offset = mark.offset.max(*offset);
        }
    }
    counted
}

fn arrived(footers: &[Footer]) -> Arrived {
    let mut arrived = Arrived::default();
    for mark in footers.iter().flat_map(|footer| &footer.marks).filter(|mark| mark.arrived > 0) {
        let counted_to = arrived.entry(mark.id).or_default();
        *counted_to = mark.arrived.max(*counted_to);
    }
    arrived
}

fn incomplete(footers: &[Footer]) -> Incomplete {
    let mut incomplete = Incomplete::new();
    for footer in footers {
        if !footer.completeness.is_exact() {
            incomplete.entry(footer.day).or_default().add(footer.completeness.reasons().iter().cloned());
        }
    }
    incomplete
}

/// What each quota has used, and the days that could not all be read for it.
fn usages(config: &Config, ledger: &Ledger, now: Minute) -> anyhow::Result<(Vec<Usage>, Incomplete)> {
    let mut unread = Incomplete::new();
    let usage = |quota: &crate::quota::Quota| {
        let span = history_span(quota, now);
        let mut spent = query::spent(ledger, span, &quota.matching, &quota.costs, recent(quota, now))?;
        unread.extend(std::mem::take(&mut spent.incomplete));
        Ok(Usage::new(quota.clone(), spent, now))
    };
    let usages = config.quotas.iter().map(usage).collect::<anyhow::Result<_>>()?;
    Ok((usages, unread))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{self, Committed};
    use crate::config::Surroundings;
    use crate::day::Now;
    use crate::engine::{Effect, Event};
    use std::path::Path;
    use std::time::Duration;

    fn now() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().expect("an instant")
    }

    const LINES: [&str; 3] = ["2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z"];

    /// A state directory and a log of three requests, two of the day before.
    fn fixture() -> (tempfile::TempDir, Arc<Config>) {
        let dir = tempfile::tempdir().expect("a directory");
        let line = |at| format!("{{\"time\":\"{at}\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200}}\n");
        let log = dir.path().join("a.log");
        std::fs::write(&log, LINES.map(line).concat()).expect("writes");
        let text = format!("[[source]]\npath = {log:?}\n[[quota]]\nname = \"prod\"\nlimit = 100\n");
        let surroundings = Surroundings {
            hostname: "app-1".to_owned(),
            state_directory: Some(dir.path().join("state")),
            ..Surroundings::default()
        };
        std::fs::create_dir(dir.path().join("state")).expect("a directory");
        let config = crate::config::parse(&text, Path::new("daycap.toml"), &surroundings).expect("good");
        (dir, Arc::new(config))
    }

    /// One request more.
    fn append(dir: &Path) {
        let line = "{\"time\":\"2026-11-22T10:00:00Z\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200}\n";
        let text = std::fs::read_to_string(dir.join("a.log")).expect("reads");
        std::fs::write(dir.join("a.log"), text + line).expect("writes");
    }

    fn resumed(config: &Arc<Config>) -> Resumed {
        resume(config, "0", now()).expect("resumes")
    }

    /// Read all there is and save it, as the daemon would.
    fn run(config: &Arc<Config>) -> Resumed {
        let mut resumed = resumed(config);
        let harvest = Box::new(resumed.harvester.pass(Now::first(now())));
        let mut effects = resumed.engine.apply(Now::first(now()), Event::Harvested(harvest));
        while let Some(effect) = effects.pop() {
            let Effect::Commit(commit) = effect else { continue };
            let committed: Committed = commit::perform(*commit, &resumed.ledger, &config.state_dir);
            assert_eq!(committed.error, None);
            let event = Event::Committed(Box::new(committed), Duration::ZERO);
            effects.extend(resumed.engine.apply(Now::first(now()), event));
        }
        resumed
    }

    fn told(resumed: &Resumed) -> Vec<String> {
        let footers = resumed.ledger.footers().expect("reads");
        footers
            .iter()
            .filter(|footer| !footer.completeness.is_exact())
            .map(|of| format!("{} {}", of.day, of.completeness.told()))
            .collect()
    }

    fn file(config: &Config, day: &str) -> std::path::PathBuf {
        config.state_dir.join(format!("usage/date={day}/app-1.parquet"))
    }

    #[test]
    fn a_day_file_that_is_gone_is_a_lower_bound_for_good_and_never_an_empty_day() {
        let (_dir, config) = fixture();
        assert_eq!(told(&run(&config)), [""; 0]);
        assert_eq!(resumed(&config).warnings, [""; 0]);
        std::fs::remove_file(file(&config, "2026-11-21")).expect("removes");

        let state = state::load(&config.state_dir).expect("loads");
        let missing = missing(&state, &resumed(&config).ledger, now(), 800);
        assert_eq!(missing.len(), 1, "a report without a daemon says so too");

        let what = "the ledger's file of host app-1 is gone; it held 2 requests";
        let again = run(&config);
        assert_eq!(again.warnings, [format!("the count of 2026-11-21 is a lower bound: {what}")]);
        assert_eq!(told(&again), [format!("2026-11-21 {what} (on 2026-11-21)")]);
        assert_eq!(resumed(&config).warnings, [""; 0], "the footer says so now");
        assert_eq!(told(&resumed(&config)).len(), 1);
    }

    #[test]
    fn a_day_file_that_an_older_one_replaced_is_a_lower_bound() {
        let (dir, config) = fixture();
        run(&config);
        let backup = std::fs::read(file(&config, "2026-11-22")).expect("reads");
        append(dir.path());
        run(&config);
        std::fs::write(file(&config, "2026-11-22"), backup).expect("writes");
        let mut again = resumed(&config);
        let status = &again.engine.snapshot(Now::first(now())).quotas[0];
        assert_eq!(status.used, 1);
        assert_eq!(
            status.completeness.told(),
            "the ledger's file of host app-1 holds 1 requests; it held 2 (on 2026-11-22)"
        );
    }

    /// The footer is sound, so that only reading the rows shows it.
    #[test]
    fn damaged_rows_are_noticed_at_the_start_and_kept_aside_at_the_next_commit() {
        let (dir, config) = fixture();
        run(&config);
        let path = file(&config, "2026-11-22");
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[10] ^= 1;
        std::fs::write(&path, bytes).expect("writes");
        let mut again = resumed(&config);
        let status = &again.engine.snapshot(Now::first(now())).quotas[0];
        assert_eq!(status.used, 0);
        assert!(status.completeness.told().contains("checksum differs"), "{}", status.completeness.told());
        append(dir.path());
        let again = run(&config);
        assert!(path.with_extension("parquet.corrupt-1").exists());
        assert_eq!(told(&again).len(), 1);
    }

    #[test]
    fn a_lost_state_beside_a_ledger_counts_nothing_twice() {
        let (_dir, config) = fixture();
        run(&config);
        for name in ["state.json", "state.previous.json"] {
            let path = config.state_dir.join(name);
            if path.exists() {
                std::fs::write(path, b"{").expect("writes");
            }
        }
        let mut again = run(&config);
        assert_eq!(again.warnings.len(), 1);
        assert_eq!(again.engine.snapshot(Now::first(now())).quotas[0].used, 1);
        assert_eq!(told(&again), [""; 0]);
        let requests: Vec<_> = again.ledger.footers().expect("reads").iter().map(|footer| footer.requests).collect();
        assert_eq!(requests, [Some(2), Some(1)]);
    }

    /// A run of its own, on made-up time.
    struct Session {
        resumed: Resumed,
        config: Arc<Config>,
        began: DateTime<Utc>,
    }

    impl Session {
        fn new(config: &Arc<Config>, at: &str) -> Session {
            let began = at.parse().expect("an instant");
            Session { resumed: resume(config, "0", began).expect("resumes"), config: config.clone(), began }
        }

        /// Read and save: how many lines were counted, how many of them because they arrived, how many refused.
        fn pass(&mut self, at: &str) -> [u64; 3] {
            let wall: DateTime<Utc> = at.parse().expect("an instant");
            let now = Now { wall, uptime: (wall - self.began).to_std().expect("later") };
            let harvest = Box::new(self.resumed.harvester.pass(now));
            let lines = harvest.lines.get(&0).copied().unwrap_or_default();
            let mut effects = self.resumed.engine.apply(now, Event::Harvested(harvest));
            while let Some(effect) = effects.pop() {
                let Effect::Commit(commit) = effect else { continue };
                let committed: Committed = commit::perform(*commit, &self.resumed.ledger, &self.config.state_dir);
                assert_eq!(committed.error, None);
                let event = Event::Committed(Box::new(committed), Duration::ZERO);
                effects.extend(self.resumed.engine.apply(now, event));
            }
            [lines.counted, lines.arrived, lines.no_time]
        }
    }

    fn write_unstamped(dir: &Path, lines: usize) {
        let text = std::fs::read_to_string(dir.join("a.log")).expect("reads");
        let more = "{\"method\":\"GET\",\"path\":\"/a\",\"status\":200}\n".repeat(lines);
        std::fs::write(dir.join("a.log"), text + &more).expect("writes");
    }

    /// Requests that the ledger holds, by day.
    fn held(config: &Config) -> Vec<(String, u64)> {
        let footers = Ledger::new(&config.state_dir, &config.host).footers().expect("reads");
        footers.iter().map(|footer| (footer.day.to_string(), footer.requests.expect("known"))).collect()
    }

    #[test]
    fn a_line_without_a_stamp_counts_when_it_arrives_and_is_refused_when_nobody_saw_it_come() {
        let (dir, config) = fixture();
        write_unstamped(dir.path(), 2);
        let mut session = Session::new(&config, "2026-11-22T12:00:00Z");
        assert_eq!(session.pass("2026-11-22T12:00:00Z"), [3, 0, 2], "they were there before");
        write_unstamped(dir.path(), 4);
        assert_eq!(session.pass("2026-11-22T12:00:20Z"), [4, 4, 0]);
        write_unstamped(dir.path(), 8);
        assert_eq!(session.pass("2026-11-22T12:09:00Z"), [0, 0, 8], "the machine slept");
        write_unstamped(dir.path(), 16);
        let mut soon = Session::new(&config, "2026-11-22T12:12:00Z");
        assert_eq!(soon.pass("2026-11-22T12:12:00Z"), [16, 16, 0], "the run before looked three minutes ago");
        write_unstamped(dir.path(), 32);
        let mut late = Session::new(&config, "2026-11-22T12:30:00Z");
        assert_eq!(late.pass("2026-11-22T12:30:00Z"), [0, 0, 32]);
        assert_eq!(held(&config), [("2026-11-21".to_owned(), 2), ("2026-11-22".to_owned(), 1 + 4 + 16)]);
    }

    #[test]
    fn a_log_that_turns_up_under_its_eyes_is_live_and_one_that_was_there_is_not() {
        let (dir, config) = fixture();
        std::fs::rename(dir.path().join("a.log"), dir.path().join("aside")).expect("renames");
        // Files are written now, whatever time is made up.
        let clock = std::fs::metadata(dir.path().join("aside")).and_then(|of| of.modified()).expect("a time");
        let wall = DateTime::<Utc>::from(clock);
        let text = |seconds| (wall + chrono::TimeDelta::seconds(seconds)).to_rfc3339();
        let mut session = Session::new(&config, &text(0));
        assert_eq!(session.pass(&text(0)), [0, 0, 0]);
        std::fs::write(dir.path().join("a.log"), "").expect("writes");
        write_unstamped(dir.path(), 2);
        assert_eq!(session.pass(&text(1)), [2, 2, 0]);
    }

    /// Two days' lines in one commit, which ends after the first day's file: the second day's are in no file, and the
    /// first day's must not count again.
    #[test]
    fn a_commit_cut_between_the_days_of_arrival_neither_loses_nor_doubles_a_line() {
        let (dir, config) = fixture();
        let mut session = Session::new(&config, "2026-11-22T23:59:00Z");
        session.pass("2026-11-22T23:59:00Z");
        let state = std::fs::read(config.state_dir.join("state.json")).expect("reads");
        write_unstamped(dir.path(), 4);
        // Commits are ten seconds apart.
        assert_eq!(session.pass("2026-11-22T23:59:55Z"), [4, 4, 0]);
        write_unstamped(dir.path(), 8);
        append(dir.path());
        assert_eq!(session.pass("2026-11-23T00:00:01Z"), [9, 8, 0]);
        session.pass("2026-11-23T00:00:10Z");
        let all = [("2026-11-21".to_owned(), 2), ("2026-11-22".to_owned(), 6), ("2026-11-23".to_owned(), 8)];
        assert_eq!(held(&config), all);
        for cut in [true, false] {
            std::fs::write(config.state_dir.join("state.json"), &state).expect("writes");
            if cut {
                std::fs::remove_file(file(&config, "2026-11-23")).expect("removes");
            }
            let again = Session::new(&config, "2026-11-23T00:00:30Z").pass("2026-11-23T00:00:30Z");
            assert_eq!(again, if cut { [8, 8, 0] } else { [0, 0, 0] });
            assert_eq!(held(&config), all);
        }
    }
}

//! daycap as a whole, driven step by step on made-up time: resume, pass, engine, commit, and its deaths. A commit
//! that the engine asks for is held until the history performs it, as a slow disk would.
//! This file never knows what was written to the logs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use hashbrown::HashMap;

use super::history::LostState;
use crate::collect::Format;
use crate::collect::loss::Loss;
use crate::commit::{self, Commit};
use crate::config::{Config, Surroundings, ad_hoc};
use crate::count::ledger::{Completeness, Ledger};
use crate::count::query::{self, By, Query};
use crate::day::{Day, Minute, Now};
use crate::engine::{Effect, Event};
use crate::harvest::Harvest;
use crate::quota::Match;
use crate::resume::{Resumed, resume};
use crate::state;

const HOST: &str = "model";
/// Passes until daycap must have read all that is there.
const PASSES_MAX: u32 = 12;

pub struct Run {
    config: Arc<Config>,
    resumed: Resumed,
    pub wall: DateTime<Utc>,
    uptime: Duration,
    /// Asked for by the engine, and not yet performed.
    asked: Option<Box<Commit>>,
    saved: Option<bool>,
    /// Requests by operation: what the ledger held at the start, and what was found since.
    pub counted: HashMap<String, u64>,
    /// What was said to be lost, in all lives.
    pub losses: Vec<Loss>,
}

fn config(state_dir: &Path, patterns: Vec<String>) -> Config {
    let surroundings = Surroundings {
        state_directory: Some(state_dir.to_owned()),
        hostname: HOST.to_owned(),
        ..Surroundings::default()
    };
    let mut config = ad_hoc(patterns, None, chrono_tz::UTC, &surroundings);
    config.sources[0].reading.format = Some(Format::JSON);
    // Histories say when a commit happens.
    config.commit_interval = Duration::ZERO;
    config
}

impl Run {
    pub fn begin(state_dir: &Path, patterns: Vec<String>, wall: DateTime<Utc>) -> Run {
        let config = Arc::new(config(state_dir, patterns));
        let resumed = resume(&config, "model", wall).expect("a state directory that can be read");
        let mut run = Run {
            config,
            resumed,
            wall,
            uptime: Duration::ZERO,
            asked: None,
            saved: None,
            counted: HashMap::new(),
            losses: Vec::new(),
        };
        run.counted = run.in_ledger();
        run
    }

    /// Whatever was not committed is forgotten.
    pub fn kill(&mut self) {
        self.asked = None;
        self.saved = None;
        self.uptime = Duration::ZERO;
        self.resumed = resume(&self.config, "model", self.wall).expect("a state directory that can be read");
        state::set_bad_aside(&self.config.state_dir).expect("a directory that can be written");
        self.counted = self.in_ledger();
        // What was told and not saved is forgotten with the counts that it was told beside.
        let flagged = self.incomplete();
        self.losses.retain(|loss| days(loss).iter().all(|day| flagged.contains_key(day)));
    }

    /// Stop as the daemon does, and begin again.
    pub fn restart(&mut self) -> Result<(), String> {
        self.stop()?;
        self.kill();
        Ok(())
    }

    fn stop(&mut self) -> Result<(), String> {
        self.perform_asked();
        self.apply(Event::Stop);
        self.perform_asked();
        match self.saved {
            Some(true) => Ok(()),
            saved => Err(format!("the last commit saved nothing: {saved:?}")),
        }
    }

    pub fn pass_time(&mut self, seconds: u32) {
        self.wall += TimeDelta::seconds(i64::from(seconds));
        self.uptime += Duration::from_secs(u64::from(seconds));
    }

    fn now(&self) -> Now {
        Now { wall: self.wall, uptime: self.uptime }
    }

    fn look_now(&mut self) -> Now {
        self.pass_time(1);
        self.now()
    }

    /// One look, and all that it shows; whether it brought nothing.
    pub fn look(&mut self) -> bool {
        let now = self.look_now();
        // One worker, for a thread a pass would cost more than all else.
        let harvest = self.resumed.harvester.pass_at_most(Some(now), crate::collect::tail::CHUNK_BYTES, u64::MAX);
        let is_all = harvest.caught_up && harvest.lines.is_empty();
        self.take(harvest);
        is_all
    }

    /// Looks until one brings nothing.
    pub fn look_fully(&mut self) -> Result<(), String> {
        for _ in 0..PASSES_MAX {
            if self.look() {
                return Ok(());
            }
        }
        Err(format!("{PASSES_MAX} looks, and each brought lines though nobody wrote any"))
    }

    pub fn only_look(&mut self) {
        let now = self.look_now();
        let harvest = self.resumed.harvester.look(now);
        self.take(harvest);
    }

    pub fn read_some(&mut self, look: bool, chunk_bytes: usize, bytes_max: u64) {
        let look = look.then(|| self.look_now());
        let harvest = self.resumed.harvester.pass_at_most(look, chunk_bytes, bytes_max);
        self.take(harvest);
    }

    fn take(&mut self, mut harvest: Harvest) {
        for (_, series, requests, _) in harvest.tally.rows() {
            *self.counted.entry_ref(&*series.operation).or_default() += requests;
        }
        self.losses.extend(harvest.losses.iter().cloned());
        // Alerts and summaries are not looked at here: to this engine the catch-up never ends.
        harvest.caught_up = false;
        self.apply(Event::Harvested(Box::new(harvest)));
    }

    fn apply(&mut self, event: Event) {
        let now = self.now();
        for effect in self.resumed.engine.apply(now, event) {
            match effect {
                Effect::Commit(commit) => self.asked = Some(commit),
                Effect::End { saved } => self.saved = Some(saved),
                Effect::Say(..)
                | Effect::Publish(_)
                | Effect::Tell(_)
                | Effect::Deliver { .. }
                | Effect::Summarise(_)
                | Effect::Forget(_) => {}
            }
        }
    }

    /// Commits until nothing is left to commit.
    pub fn commit(&mut self) {
        self.apply(Event::Tick);
        self.perform_asked();
        self.apply(Event::Tick);
        self.perform_asked();
    }

    fn perform_asked(&mut self) {
        while let Some(commit) = self.asked.take() {
            let committed = commit::perform(*commit, &self.resumed.ledger, &self.config.state_dir);
            assert_eq!(committed.error, None, "nothing is in a commit's way");
            self.apply(Event::Committed(Box::new(committed), Duration::ZERO));
        }
    }

    /// A commit one of whose days, or whose state, cannot be written.
    pub fn commit_fails(&mut self, of_state: bool) {
        self.apply(Event::Tick);
        let Some(commit) = self.asked.take() else { return };
        let state_dir = self.config.state_dir.clone();
        let day = commit.tally.days().into_iter().next();
        let obstacle = match day.filter(|_| !of_state) {
            Some(day) => state_dir.join(format!("usage/date={day}/.{HOST}.parquet.tmp")),
            None => state_dir.join(".state.json.tmp"),
        };
        // What a killed commit may have left there.
        let _ = fs::remove_file(&obstacle);
        fs::create_dir_all(&obstacle).expect("an obstacle");
        let committed = commit::perform(*commit, &self.resumed.ledger, &state_dir);
        fs::remove_dir(&obstacle).expect("removes it");
        assert!(committed.error.is_some(), "the obstacle was in the commit's way");
        self.apply(Event::Committed(Box::new(committed), Duration::ZERO));
        // The engine asks for the next at once; it is performed when the history says so.
    }

    /// kill -9 inside a commit: of what it put in place, in its order, only the first `steps` are on disk.
    pub fn crash(&mut self, steps: usize) {
        self.apply(Event::Tick);
        if let Some(commit) = self.asked.take() {
            let before = files(&self.config.state_dir);
            commit::perform(*commit, &self.resumed.ledger, &self.config.state_dir);
            let after = files(&self.config.state_dir);
            let mut changed: Vec<&PathBuf> =
                after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).map(|(path, _)| path).collect();
            changed.sort_by_cached_key(|path| made(path));
            for path in changed.into_iter().skip(steps) {
                match before.get(path) {
                    Some(old) => put_back(path, old),
                    None => fs::remove_file(path).expect("takes it away"),
                }
            }
        }
        self.kill();
    }

    pub fn lose_state(&mut self, how: LostState) {
        let (current, previous) =
            (self.config.state_dir.join("state.json"), self.config.state_dir.join("state.previous.json"));
        match how {
            LostState::Corrupt if current.exists() => fs::write(&current, "{\"version\":1,").expect("writes"),
            LostState::Corrupt => {}
            LostState::Deleted => drop(fs::remove_file(&current)),
            LostState::BothDeleted => {
                drop(fs::remove_file(&current));
                drop(fs::remove_file(&previous));
            }
        }
    }

    /// Stop without beginning again.
    pub fn end(&mut self) -> Result<(), String> {
        self.stop()
    }

    fn ledger(&self) -> Ledger {
        Ledger::new(&self.config.state_dir, HOST)
    }

    fn in_ledger(&self) -> HashMap<String, u64> {
        let rows = self.ask(&["operation"]);
        rows.into_iter().map(|(mut group, requests)| (group.remove(0), requests)).collect()
    }

    /// The days on which the ledger has each operation.
    pub fn days(&self) -> Vec<(String, String, u64)> {
        let rows = self.ask(&["day", "operation"]);
        let named = |(mut group, requests): (Vec<String>, u64)| (group.remove(1), group.remove(0), requests);
        rows.into_iter().map(named).collect()
    }

    fn ask(&self, by: &[&str]) -> Vec<(Vec<String>, u64)> {
        let by: Vec<By> = by.iter().map(|name| name.parse().expect("a column")).collect();
        let query = Query { span: None..None, by, matching: Match::default(), zone: chrono_tz::UTC };
        let report = query::report(&self.ledger(), &query, &[], &mut |_, _| {}).expect("a ledger that can be read");
        report.rows.into_iter().map(|row| (row.group, row.requests)).collect()
    }

    /// The days that say `at_least`, with their reasons.
    pub fn incomplete(&self) -> BTreeMap<Day, Vec<String>> {
        let footers = self.ledger().footers().expect("a ledger that can be read");
        let reasons = footers.into_iter().filter_map(|footer| match footer.completeness {
            Completeness::Exact => None,
            Completeness::AtLeast { reasons } => {
                Some((footer.day, reasons.into_iter().map(|reason| reason.what).collect()))
            }
        });
        reasons.collect()
    }
}

/// Every UTC day that a loss touches.
pub fn days(loss: &Loss) -> Vec<Day> {
    let (first, last) = (Minute::at(loss.since).utc_day(), Minute::at(loss.until).utc_day());
    std::iter::successors(Some(first), |day| Some(day.next())).take_while(|day| *day <= last).collect()
}

/// When a file was made. What a commit puts in place it makes afresh, one after the other, so this is its order; files
/// made within one tick of the clock are told apart by their inodes, which a file system in memory numbers in order.
fn made(path: &Path) -> (Option<SystemTime>, u64) {
    // The state of before gets its other name just before the new one takes its place.
    let path = if path.ends_with("state.previous.json") { path.with_file_name("state.json") } else { path.to_owned() };
    let metadata = fs::metadata(path).expect("is there");
    (metadata.created().ok(), metadata.ino())
}

/// Other names of the file keep what they have.
fn put_back(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).expect("takes it away");
    fs::write(path, bytes).expect("puts it back");
}

/// Every file below a directory, with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = walkdir::WalkDir::new(dir).into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().to_owned(), fs::read(entry.path()).expect("reads"))).collect()
}

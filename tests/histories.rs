//! The histories of `src/model/`, once more and on the real binary: real time, real signals, SIGKILL wherever it comes,
//! and at chosen calls of a commit. Each line must be in the ledger exactly once.
//!
//! Only gentle ones: what daycap sees before it is destroyed depends here on the machine's speed.

mod common;

#[path = "../src/model"]
#[allow(dead_code, reason = "the model's own tests use the rest")]
mod model {
    pub mod history;
    pub mod world;
}

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
// The model names these as the library does.
use daycap::{collect, day};

use common::strace::tampered;
use common::{DEADLINE, Daemon, daycap, run};
use model::history::{Between, Family, LostState, Op, history};
use model::world::World;

const HOST: &str = "model";
const HISTORIES: u64 = 12;
const OPERATIONS: usize = 60;

/// A world, and the daemon that follows it.
struct Host {
    world: World,
    room: tempfile::TempDir,
    daemon: Option<Daemon>,
    /// The daemon is to die at a call, or has.
    is_doomed: bool,
}

impl Host {
    fn new() -> Host {
        let wall: DateTime<Utc> = "2026-11-22T19:30:00Z".parse().expect("a time");
        let world = World::new(Family::Gentle, wall, collect::tail::LINE_BYTES_MAX);
        let room = tempfile::tempdir().expect("a directory");
        let text = format!(
            "[state]\ndir = {:?}\nhost = \"{HOST}\"\ncommit_interval = \"5ms\"\nkeep = \"36500d\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [[source]]\npath = {:?}\nformat = \"json\"\n",
            room.path().join("state"),
            world.patterns(),
        );
        fs::write(room.path().join("daycap.toml"), text).expect("writes");
        let mut host = Host { world, room, daemon: None, is_doomed: false };
        host.start();
        host
    }

    fn state(&self) -> PathBuf {
        self.room.path().join("state")
    }

    fn config(&self) -> String {
        self.room.path().join("daycap.toml").to_str().expect("UTF-8").to_owned()
    }

    fn start(&mut self) {
        self.daemon = Some(Daemon::start(&["--config", &self.config()]));
        self.is_doomed = false;
    }

    fn kill(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill();
        }
    }

    fn restart(&mut self) {
        match self.daemon.take() {
            Some(mut daemon) if !self.is_doomed => {
                // Before, a signal would end it as it ends any program.
                daemon.wait_for_words("metrics at http://");
                let (status, _, said) = daemon.terminate();
                assert!(status.success(), "{said:#?}");
            }
            Some(daemon) => daemon.kill(),
            None => {}
        }
        self.start();
    }

    /// From now on the daemon runs until it comes to this step of a commit; then it is killed before the step is done.
    fn doom(&mut self, step: u8) {
        self.kill();
        let state = self.state();
        let day = state.join("usage/date=2026-11-22");
        let steps = [
            ("fsync", day.join(format!(".{HOST}.parquet.tmp"))),
            ("rename", day.join(format!("{HOST}.parquet"))),
            ("fsync", day),
            ("fsync", state.join(".state.json.tmp")),
            ("rename", state.join("state.json")),
        ];
        let (call, path) = &steps[usize::from(step) % steps.len()];
        let command = tampered(call, path, "signal=KILL:when=1");
        self.daemon = Some(Daemon::start_as(command, &["--config", &self.config()]));
        self.is_doomed = true;
    }

    /// Requests by label, as the ledger has them now.
    fn counted(&self) -> HashMap<String, u64> {
        let config = self.config();
        let arguments = ["report", "--config", &config, "--by", "operation", "--format", "csv"];
        let (text, words, code) = run(daycap().args(arguments));
        assert_eq!(code, 0, "{words}");
        let row = |line: &str| {
            let mut columns = line.split(',');
            let label = columns.next().expect("a label").to_owned();
            (label, columns.next().expect("requests").parse().expect("a number"))
        };
        text.lines().skip(1).map(row).collect()
    }

    /// Wait until everything that is on disk is in the ledger.
    fn settle(&mut self) -> Result<(), String> {
        if self.is_doomed || self.daemon.is_none() {
            self.kill();
            self.start();
        }
        let deadline = Instant::now() + DEADLINE;
        loop {
            let counted = self.counted();
            let lines = &self.world.lines;
            let is_due = |number: &usize| lines[*number].whole && !lines[*number].may_be_cut;
            let is_missing = |number: &usize| !counted.contains_key(&lines[*number].label);
            let on_disk = self.world.on_disk();
            match on_disk.into_iter().filter(is_due).find(is_missing) {
                None => return Ok(()),
                Some(number) if Instant::now() > deadline => {
                    return Err(format!("line {number} is on disk, and is not counted"));
                }
                Some(_) => {}
            }
        }
    }

    fn perform(&mut self, op: Op) -> Result<(), String> {
        match op {
            Op::Write { log, lines } => self.world.write(log, lines),
            Op::Half { log } => self.world.half(log),
            Op::Odd { log, what } => self.world.odd(log, what),
            Op::Rotate { log, dated, reopen } => {
                if World::is_link(log) {
                    self.world.leave_link();
                    self.settle()?;
                }
                self.world.rotate(log, dated, reopen);
            }
            Op::Reopen { log } => self.world.reopen(log),
            Op::RenameBack { log } => self.world.rename_back(log),
            Op::CopyTruncate { log, dated, between } => {
                self.world.finish_jobs(usize::from(log));
                if self.world.copy(log, dated) {
                    if between == Between::Kill {
                        self.kill();
                        self.start();
                    }
                    self.world.truncate(log, 0);
                }
            }
            Op::SlowCopyTruncate { log } => {
                self.world.finish_jobs(usize::from(log));
                self.world.slow_copy(log);
            }
            Op::Gzip { log, nth, parts, members } => self.world.gzip(log, nth, parts, members),
            Op::GzipAside { log, nth, .. } => {
                if let Some(plain) = self.world.gzip_aside(log, nth) {
                    self.world.remove(&plain);
                }
            }
            Op::Step => self.world.step(),
            Op::OldArchive { lines } => self.world.old_archive(lines),
            Op::SwapLink => {
                self.world.leave_link();
                self.settle()?;
                self.world.swap_link();
            }
            Op::HardLink { log } => self.world.hard_link(log),
            Op::Redirect { log } => self.world.redirect(log),
            Op::Hours { hours } => self.world.wall += TimeDelta::hours(i64::from(hours)),
            Op::LookFully => self.settle()?,
            Op::Restart => self.restart(),
            Op::Kill => {
                self.kill();
                self.start();
            }
            Op::Crash { steps } => self.doom(steps),
            Op::LoseState { how, .. } => {
                self.kill();
                lose_state(&self.state(), how);
                self.start();
            }
            Op::DropArchive { log, nth } => {
                self.settle()?;
                if let Some(path) = self.world.archive(log, nth) {
                    // Choosing it may have ended a rotator's work.
                    self.settle()?;
                    self.world.remove(&path);
                }
            }
            // The daemon looks and commits by itself, and its clock is the machine's.
            Op::Look
            | Op::LookOnly
            | Op::ReadSome { .. }
            | Op::Commit
            | Op::CommitFails { .. }
            | Op::Quiet { .. }
            | Op::Clock { .. } => {}
            Op::Truncate { .. }
            | Op::Shrink { .. }
            | Op::Delete { .. }
            | Op::DeleteCreate { .. }
            | Op::LeakyCopyTruncate { .. } => unreachable!("not in gentle histories"),
        }
        Ok(())
    }

    /// Every line counts once; and another start finds nothing new.
    fn end(&mut self) -> Result<(), String> {
        self.settle()?;
        self.restart();
        self.settle()?;
        self.restart();
        self.kill();
        let counted = self.counted();
        for (label, count) in &counted {
            let Some(number) = self.world.line_of(label) else { return Err(format!("nobody wrote {label:?}")) };
            let line = &self.world.lines[number];
            if *count > line.times || !line.whole {
                return Err(format!("line {number} counts {count} times, and was written {} times", line.times));
            }
        }
        let is_once =
            |line: &&model::world::Line| line.whole && !line.may_be_cut && line.times == 1 && line.file.is_some();
        let lost = self.world.lines.iter().filter(is_once).find(|line| !counted.contains_key(&line.label));
        lost.map_or(Ok(()), |line| Err(format!("the line of {:?} at {} is lost", day_of(line), line.written)))
    }
}

fn day_of(line: &model::world::Line) -> day::Day {
    line.minute.utc_day()
}

fn lose_state(state: &Path, how: LostState) {
    let (current, previous) = (state.join("state.json"), state.join("state.previous.json"));
    let remove = |path: &Path| fs::remove_file(path).unwrap_or_default();
    match how {
        LostState::Corrupt if current.exists() => fs::write(&current, "{\"version\":1,").expect("writes"),
        LostState::Corrupt => {}
        LostState::Deleted => remove(&current),
        LostState::BothDeleted => {
            remove(&current);
            remove(&previous);
        }
    }
}

fn play(seed: u64) -> Result<(), String> {
    let mut host = Host::new();
    for op in history(seed, Family::Gentle, OPERATIONS) {
        host.perform(op).map_err(|what| format!("{op:?}: {what}\n{}", host.world.listing()))?;
    }
    host.end().map_err(|what| format!("at the end: {what}\n{}", host.world.listing()))
}

/// `DAYCAP_MODEL_OPERATIONS` and `DAYCAP_MODEL_SEED` play as many, from there on, as they do in the model itself.
fn play_many(first: u64) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let first = number("DAYCAP_MODEL_SEED").unwrap_or(first);
    let histories = number("DAYCAP_MODEL_OPERATIONS").map_or(HISTORIES, |all| all.div_ceil(2 * OPERATIONS as u64));
    for seed in first..first + histories {
        if let Err(what) = play(seed) {
            let ops: String =
                history(seed, Family::Gentle, OPERATIONS).iter().map(|op| format!("    {op:?}\n")).collect();
            panic!("history of seed {seed}:\n{ops}{what}");
        }
    }
}

#[test]
fn the_real_daemon_counts_every_line_of_gentle_histories_once_1() {
    play_many(1 << 40);
}

#[test]
fn the_real_daemon_counts_every_line_of_gentle_histories_once_2() {
    play_many(2 << 40);
}

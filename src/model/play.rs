//! A history is played on a world and on daycap, and each line's count is held against what the disk held when
//! daycap looked.
//! This file never forgives: what it demands of a line depends on what was readable, not on how hard it was.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use super::history::{Between, Family, Op};
use super::run::Run;
use super::world::{Line, World};
use crate::collect::log::FileKey;
use crate::collect::tail::LINE_BYTES_MAX;
use crate::day::{Day, Minute};

mod verdict;

/// Longer than an archive is waited for.
const QUIET_MINUTES: u32 = 30;

/// Where a history begins: late in a UTC day, so that it reaches the next one.
fn begin() -> DateTime<Utc> {
    "2026-11-22T19:30:00Z".parse().expect("a time")
}

/// State directories are synced all the time, which costs nothing in memory.
fn state_dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a directory")
}

/// A line that is longer than the smallest chunk of its history may be read in that chunk, cut, and rejected.
fn line_bytes_max(history: &[Op]) -> usize {
    let chunks = history.iter().filter_map(|op| match op {
        Op::ReadSome { chunk_bytes, .. } => Some(usize::from(*chunk_bytes)),
        _ => None,
    });
    chunks.min().unwrap_or(LINE_BYTES_MAX)
}

struct Player {
    family: Family,
    world: World,
    run: Run,
    _state_dir: TempDir,
    /// Lines that could be read at a complete look: they count.
    due: BTreeSet<usize>,
    /// Lines of deleted files that were open: the next complete look reads them through the open file.
    owed: BTreeSet<usize>,
    /// Files that a look found in this life of daycap, and has open.
    open: BTreeSet<FileKey>,
    /// Files that a look may have opened in this life of daycap, or that gave lines to the ledger.
    met: BTreeSet<FileKey>,
    /// Lines in those files: if they are lost, that can be known.
    knowable: BTreeSet<usize>,
    lines_before: usize,
    clock_slack: TimeDelta,
}

/// Play it. `Err`: what went wrong, and after which operation.
pub fn play(history: &[Op], family: Family) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| Player::new(family, line_bytes_max(history)).play(history))).unwrap_or_else(
        |panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
        },
    )
}

impl Player {
    fn new(family: Family, line_bytes_max: usize) -> Player {
        let (world, state_dir) = (World::new(family, begin(), line_bytes_max), state_dir());
        let run = Run::begin(state_dir.path(), world.patterns(), begin());
        Player {
            family,
            world,
            run,
            _state_dir: state_dir,
            due: BTreeSet::new(),
            owed: BTreeSet::new(),
            open: BTreeSet::new(),
            met: BTreeSet::new(),
            knowable: BTreeSet::new(),
            lines_before: 0,
            clock_slack: TimeDelta::zero(),
        }
    }

    fn play(&mut self, history: &[Op]) -> Result<(), String> {
        for (index, op) in history.iter().enumerate() {
            self.perform(*op)
                .map(|()| self.note_lines())
                .and_then(|()| self.nothing_counts_twice())
                .map_err(|what| format!("after operation {index}, {op:?}: {what}"))?;
        }
        let ended = self.end(history).map_err(|what| format!("at the end: {what}"));
        ended.map_err(|what| format!("{what}\n{}", self.world.listing()))
    }

    fn perform(&mut self, op: Op) -> Result<(), String> {
        self.world.wall = self.run.wall;
        match op {
            Op::Write { log, lines } => self.world.write(log, lines),
            Op::Half { log } => self.world.half(log),
            Op::Odd { log, what } => self.world.odd(log, what),
            Op::Rotate { log, dated, reopen } => {
                if World::is_link(log) {
                    self.leave_link()?;
                }
                self.world.rotate(log, dated, reopen);
            }
            Op::Reopen { log } => self.world.reopen(log),
            Op::RenameBack { log } => self.world.rename_back(log),
            Op::CopyTruncate { log, dated, between } => {
                self.world.finish_jobs(usize::from(log));
                if self.world.copy(log, dated) {
                    self.between(between);
                    self.world.truncate(log, 0);
                }
            }
            Op::SlowCopyTruncate { log } => {
                self.world.finish_jobs(usize::from(log));
                self.world.slow_copy(log);
            }
            Op::Gzip { log, nth, parts, members } => self.world.gzip(log, nth, parts, members),
            Op::GzipAside { log, nth, look_between } => {
                if let Some(plain) = self.world.gzip_aside(log, nth) {
                    if look_between {
                        self.look();
                    }
                    self.world.remove(&plain);
                }
            }
            Op::Step => self.world.step(),
            Op::OldArchive { lines } => self.world.old_archive(lines),
            Op::SwapLink => {
                self.leave_link()?;
                self.world.swap_link();
            }
            Op::HardLink { log } => self.world.hard_link(log),
            Op::Redirect { log } => self.world.redirect(log),
            Op::Quiet { minutes } => self.quiet(u32::from(minutes)),
            Op::Hours { hours } => self.run.pass_time(3600 * u32::from(hours)),
            Op::Clock { hours } => {
                self.run.wall += TimeDelta::hours(i64::from(hours));
                self.clock_slack += TimeDelta::hours(1);
            }
            Op::LookOnly => {
                self.meet();
                self.run.only_look();
            }
            Op::ReadSome { look, chunk_bytes, kilobytes } => {
                if look {
                    self.meet();
                }
                self.run.read_some(look, usize::from(chunk_bytes), u64::from(kilobytes) << 10);
            }
            Op::Look => self.look(),
            Op::LookFully => self.look_fully()?,
            Op::Commit => self.run.commit(),
            Op::CommitFails { of_state } => self.run.commit_fails(of_state),
            Op::Restart => {
                self.run.restart()?;
                self.note_start();
            }
            Op::Kill => self.kill(),
            Op::Crash { steps } => {
                self.run.crash(usize::from(steps));
                self.note_start();
            }
            Op::LoseState { how, kill } => {
                if !kill {
                    self.run.end()?;
                }
                self.run.lose_state(how);
                self.kill();
            }
            Op::DropArchive { log, nth } => {
                if self.family == Family::Gentle {
                    self.settle()?;
                }
                if let Some(path) = self.world.archive(log, nth) {
                    if self.family == Family::Gentle {
                        // Choosing it may have ended a rotator's work.
                        self.settle()?;
                    }
                    self.world.remove(&path);
                }
            }
            Op::Truncate { log, lines } => {
                self.destroy(log, |world| world.truncate(log, 0));
                self.world.write(log, lines);
            }
            Op::Shrink { log, sixteenths, lines } => {
                self.destroy(log, |world| world.shrink(log, sixteenths));
                self.world.write(log, lines);
            }
            Op::Delete { log } => self.delete(log),
            Op::DeleteCreate { log, lines } => {
                self.delete(log);
                self.world.reopen(log);
                self.world.write(log, lines);
            }
            Op::LeakyCopyTruncate { log } => {
                self.world.finish_jobs(usize::from(log));
                if self.world.copy(log, false) {
                    self.world.write(log, 2);
                    self.note_lines();
                    self.destroy(log, |world| world.truncate(log, 0));
                }
            }
        }
        Ok(())
    }

    /// A link's old target is out of reach for whoever starts afterwards.
    fn leave_link(&mut self) -> Result<(), String> {
        self.world.leave_link();
        self.settle()
    }

    /// Lines written just now to files that daycap knows.
    fn note_lines(&mut self) {
        let new = self.lines_before..self.world.lines.len();
        self.lines_before = new.end;
        let is_known = |number: &usize| self.world.lines[*number].file.is_some_and(|file| self.met.contains(&file));
        self.knowable.extend(new.filter(is_known));
    }

    /// Where nothing goes that was read, what goes leaves no trace: nobody can know that there were lines.
    fn destroy(&mut self, log: u8, act: impl FnOnce(&mut World)) {
        let mut gone = self.world.lines_of(log);
        act(&mut self.world);
        let left = self.world.on_disk();
        gone.retain(|number| !left.contains(number));
        if !gone.iter().any(|number| self.run.counted.contains_key(&self.world.lines[*number].label)) {
            self.knowable.retain(|number| !gone.contains(number));
        }
    }

    fn delete(&mut self, log: u8) {
        if let Some((file, lines)) = self.world.delete(log)
            && self.open.contains(&file)
        {
            self.owed.extend(lines);
        }
    }

    fn between(&mut self, between: Between) {
        match between {
            Between::Nothing => {}
            // Nothing is written in between, not even to an empty log.
            Between::Look => drop(self.run.look()),
            Between::Kill => self.kill(),
        }
    }

    fn look(&mut self) {
        self.meet();
        self.run.look();
    }

    fn look_fully(&mut self) -> Result<(), String> {
        self.meet();
        self.run.look_fully()?;
        if self.family == Family::Harsh {
            self.due.extend(self.world.on_disk());
            self.due.append(&mut self.owed);
        }
        Ok(())
    }

    fn quiet(&mut self, minutes: u32) {
        for _ in 0..minutes {
            self.run.pass_time(59);
            self.look();
        }
    }

    fn kill(&mut self) {
        self.run.kill();
        self.note_start();
    }

    /// In gentle histories: what is about to go is in the ledger.
    fn settle(&mut self) -> Result<(), String> {
        if self.family == Family::Gentle {
            self.look_fully()?;
            self.run.commit();
        }
        Ok(())
    }

    fn meet(&mut self) {
        if self.family == Family::Harsh {
            self.open = self.world.files();
            self.met.extend(&self.open);
            self.knowable.extend(self.world.on_disk());
        }
    }

    /// What was only in memory, and has gone from the disk, cannot be counted any more. Of what is gone from the disk,
    /// only logs with lines in the ledger are known.
    fn note_start(&mut self) {
        if self.family == Family::Gentle {
            return;
        }
        self.owed.clear();
        self.open.clear();
        let on_disk = self.world.on_disk();
        let (lines, counted) = (&self.world.lines, &self.run.counted);
        let is_in_ledger = |line: &Line| counted.contains_key(&line.label);
        // The rest is due again once there was a complete look in this life.
        self.due.retain(|number| is_in_ledger(&lines[*number]));
        let known: BTreeSet<FileKey> =
            lines.iter().filter(|line| is_in_ledger(line)).filter_map(|line| line.file).collect();
        self.met.retain(|file| known.contains(file));
        // What only the life before had read, and went in its time, left no trace.
        self.knowable
            .retain(|number| on_disk.contains(number) && lines[*number].file.is_some_and(|file| known.contains(&file)));
    }

    fn nothing_counts_twice(&self) -> Result<(), String> {
        for (label, count) in &self.run.counted {
            let Some(number) = self.world.line_of(label) else { return Err(format!("nobody wrote {label:?}")) };
            let line = &self.world.lines[number];
            if *count > line.times {
                return Err(format!("line {number} counts {count} times, and was written {} times", line.times));
            }
            // What is left of a log that was cut, and a rest that comes late, may make up a line.
            if !line.whole && self.family == Family::Gentle {
                return Err(format!("line {number} counts, and was never whole"));
            }
        }
        Ok(())
    }
}

//! Counts and marks become durable: first each changed day's file, then what was said, then `state.json`. A crash
//! between any two steps neither loses nor doubles a line, since each day file says itself which lines it holds.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use crate::collect::log::LogMark;
use crate::count::ledger::{self, Ledger, Written};
use crate::count::query::Incomplete;
use crate::count::tally::Tally;
use crate::day::Day;
use crate::publish::history;
use crate::publish::message::Message;
use crate::state::{self, State};

/// All that a commit writes. Made by the engine, performed by the shell, and given back.
pub struct Commit {
    pub tally: Tally,
    /// For each changed day, the marks of the logs that gave it lines.
    pub marks: BTreeMap<Day, Vec<LogMark>>,
    /// Days of which lines may be missing, and which do not say so yet.
    pub at_least: Incomplete,
    /// What was said since the last commit, for the history.
    pub said: Vec<Message>,
    /// What was said before this day is not kept.
    pub said_from: Option<Day>,
    pub state: State,
}

/// What became of a commit.
pub struct Committed {
    /// What could not be written; it belongs back into the next commit.
    pub left: Commit,
    /// The days whose files are in place.
    pub written: BTreeMap<Day, Written>,
    /// The first failure. `None`: everything is on disk, the state too.
    pub error: Option<String>,
}

/// Write it. Days written before a failure stay written, and are not given back.
pub fn perform(mut commit: Commit, ledger: &Ledger, state_dir: &Path) -> Committed {
    let ledger::Committed { written, failed } = ledger.commit(&commit.tally, &commit.marks, &commit.at_least);
    commit.tally.take_days(&written.keys().copied().collect());
    // A day can be written and yet not known to be durable: its marks come again, so that it is synced.
    let doubtful = failed.as_ref().map(|(day, _)| *day);
    let is_left = |day: &Day| !written.contains_key(day) || doubtful == Some(*day);
    commit.marks.retain(|day, _| is_left(day));
    commit.at_least.retain(|day, _| is_left(day));
    for (day, written) in &written {
        commit.state.held.note(*day, ledger.host(), written.requests);
    }
    let error = match failed {
        Some((day, error)) => Some(format!("cannot write the ledger's day {day}: {error:#}")),
        // The state's marks cover every day, so it is written only after all of them.
        None => save(&mut commit, state_dir).err().map(|error| format!("{error:#}")),
    };
    Committed { left: commit, written, error }
}

/// The state knows what was said, and nothing is said twice: so it is written only after the history.
fn save(commit: &mut Commit, state_dir: &Path) -> anyhow::Result<()> {
    history::append(state_dir, &commit.said, commit.said_from).context("cannot write alerts.jsonl")?;
    commit.said.clear();
    state::save(state_dir, &commit.state).context("cannot save the state")
}

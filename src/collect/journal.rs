//! systemd's journal as a source: each match of a source (a unit, or `FIELD=value`) is followed by a position of its own,
//! and its entries become lines of JSON, as `journalctl -o json` prints them, one a chunk.
//!
//! journald numbers the entries of a chain of files; the match's entries of one chain are one log, and an entry's number
//! is where its line starts. So marks and footers mean what they mean for files, also after the journal's older files are
//! gone. The mark has the cursor of the last entry too: that is where the next run of journalctl begins.
//! This file never reads a journal's files, and never waits for what is not there yet.

mod cursor;
mod poll;
mod followed;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Source;
use super::log::{LogId, LogMark};
use super::loss::Loss;
use super::settle::Detect;
use super::tail::{Known, Piece, Problem};
use crate::day::Now;
use followed::Followed;
use poll::{Failure, Program};

/// Where this machine's journal is: on disk, and in memory.
const DIRECTORIES: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// What has failed is tried again after this long.
const RETRY: Duration = Duration::from_secs(60);
/// Logs of matches that are not configured now, whose marks are kept all the same.
const OTHERS_MAX: usize = 1000;

/// Which entries of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Entries that have one of these, each `FIELD=value`.
    pub matches: Vec<String>,
    /// Where the journal's files are; `None`: where this machine's journald puts them.
    pub directory: Option<PathBuf>,
}

/// All matches of all sources.
pub(super) struct Journals {
    followed: Vec<Followed>,
    /// Marks of other matches: to be known again should they come back.
    others: Others,
    /// When the run before this one last looked.
    pub(super) looked_before: Option<DateTime<Utc>>,
    pub(super) program: Program,
}

type Others = BTreeMap<LogId, LogMark>;

impl Journals {
    /// Takes its own logs out of what is known.
    pub(super) fn new(sources: &[Source], known: &mut Vec<Known>) -> Journals {
        let of_source = |(index, source)| Followed::all(index, source);
        let mut followed: Vec<Followed> = sources.iter().enumerate().flat_map(of_source).collect();
        for at in 1..followed.len() {
            let (before, this) = followed.split_at_mut(at);
            let same = before.iter().filter(|other| other.directory == this[0].directory);
            this[0].earlier = same.map(|other| other.matching.clone()).collect();
        }
        let mut others = BTreeMap::new();
        for log in known.extract_if(.., |known| known.mark.cursor.is_some()) {
            match followed.iter_mut().find(|followed| followed.label == log.mark.path) {
                Some(followed) => followed.know(&log),
                None => drop(others.insert(log.mark.id, log.at_resume())),
            }
        }
        while others.len() > OTHERS_MAX {
            others.pop_first();
        }
        Journals { followed, others, looked_before: None, program: Program::default() }
    }

    /// Ask for new entries.
    pub(super) fn look(&mut self, now: Now, detect: Detect, losses: &mut Vec<Loss>) {
        for followed in &mut self.followed {
            if followed.batch.peek().is_some() || now.uptime < followed.rests_until {
                continue;
            }
            followed.begin(now, self.looked_before);
            let Err(failure) = followed.poll(&self.program, now, &mut self.others, losses) else {
                followed.settle(now, detect);
                continue;
            };
            followed.rests_until = now.uptime + RETRY;
            followed.trouble = Some(told(&failure, &self.program));
            if matches!(failure, Failure::Hung) {
                // The others may hang as well: they are asked at the next look, so that this one ends in time.
                return;
            }
        }
    }

    /// The next entry, as a chunk of one line.
    pub(super) fn next_chunk(&mut self, buffer: &mut Vec<u8>) -> Option<Piece> {
        let Journals { followed, others, .. } = self;
        followed.iter_mut().find_map(|followed| followed.next_chunk(others, buffer))
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = LogMark> {
        self.others.values().cloned().chain(self.followed.iter().flat_map(Followed::marks))
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        self.followed.iter().filter_map(|followed| {
            let what = followed.trouble.clone()?;
            Some(Problem { source: followed.source, path: followed.label.clone(), what, keeps_unread: true })
        })
    }

    /// Each match is a log of its source; and the bytes that were taken and not given out.
    pub(super) fn lags(&self) -> impl Iterator<Item = (usize, u64)> {
        self.followed.iter().map(|followed| {
            let taken = followed.batch.left().len() as u64;
            (followed.source, taken.max(u64::from(followed.is_behind)))
        })
    }

    /// Whether more is there than the last look could take.
    pub(super) fn are_behind(&self) -> bool {
        self.followed.iter().any(|followed| followed.is_behind)
    }

    /// Whether new entries come without any directory to tell of them.
    pub(super) fn are_untold(&self) -> bool {
        self.followed.iter().any(|followed| followed.roots().is_empty())
    }

    /// The directories whose changes tell of new entries: each machine's journal has a folder in them.
    pub(super) fn directories(&self) -> BTreeSet<PathBuf> {
        let roots: BTreeSet<PathBuf> = self.followed.iter().flat_map(Followed::roots).collect();
        roots.iter().flat_map(|root| folders(root)).chain(roots.iter().cloned()).collect()
    }
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn told(failure: &Failure, program: &Program) -> String {
    match failure {
        Failure::Missing => {
            "journalctl is not there; install systemd's, or let the client log to a file and read that".to_owned()
        }
        Failure::Forbidden => "the journal may not be read; add daycap's user to the group systemd-journal or adm \
                               (SupplementaryGroups=systemd-journal in its unit)"
            .to_owned(),
        Failure::Hung => {
            let seconds = program.patience.as_secs();
            format!("journalctl gave nothing in {seconds} s, and was killed; it is asked again in a minute")
        }
        Failure::Other(words) => format!("journalctl failed ({words}); it is asked again in a minute"),
    }
}

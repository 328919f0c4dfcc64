//! Logs whose content is gone before it could be read to its end: an archive is waited for, and when none turns up, a
//! [`Loss`] says what may be missing, and between which instants.
//! This file never looks for archives; a scan finds them.

use std::io;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::log::{FileKey, LogId};
use super::tail::Tail;
use crate::day::Now;

/// How long a log's archive is waited for. A rotation takes seconds, compressing a large log a minute or so.
const ARCHIVE_WAIT: Duration = Duration::from_secs(120);

/// Lines that were destroyed before they could be read, or may have been: the days between the two instants are not
/// counted exactly any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    pub source: usize,
    /// Where the log was last seen.
    pub path: String,
    /// What happened to it, in one sentence without bounds or path.
    pub what: String,
    /// When the content was last known to be whole.
    pub since: DateTime<Utc>,
    /// When it was found to be gone.
    pub until: DateTime<Utc>,
}

/// A log that may still turn up in an archive.
pub(super) struct Missing {
    source: usize,
    what: &'static str,
    since: DateTime<Utc>,
    /// `None` until the scan that follows.
    gone: Option<Now>,
}

impl Tail {
    /// Note when this look is, and when the one before was.
    pub(super) fn begin_look(&mut self, now: Now) {
        if !self.is_first_scan {
            self.looked_before = Some(self.now.wall);
        }
        self.now = now;
        self.latest = now.wall;
        self.unpacked = 0;
        self.heads = None;
        self.is_unsettled = false;
    }

    /// Wait for an archive of this past log, if anything may have been lost with its file.
    pub(super) fn miss(&mut self, id: LogId, what: &'static str) {
        let Some(known) = self.past.get(id).filter(|known| known.mark.open) else { return };
        let Some(source) = self.source_of(Path::new(&known.mark.path)) else { return };
        let since = known.mark.missing_since.or(self.looked_before).unwrap_or(self.now.wall);
        if let Some(known) = self.past.get_mut(id) {
            known.mark.missing_since = Some(since);
        }
        self.missing.insert(id, Missing { source, what, since, gone: None });
    }

    /// The source that a log belongs to by its path.
    fn source_of(&self, path: &Path) -> Option<usize> {
        self.patterns.iter().find(|pattern| pattern.is_wanted(path)).map(|pattern| pattern.source)
    }

    /// At the end of a scan: whose content turned up, and whose is given up.
    pub(super) fn settle_missing(&mut self, now: Now) {
        if self.is_first_scan {
            let open: Vec<LogId> =
                self.past.iter().filter(|known| known.mark.open).map(|known| known.mark.id).collect();
            for id in open {
                self.miss(id, "is gone since daycap last ran, and no copy of what it held is there");
            }
        }
        self.missing.retain(|id, _| self.past.contains(*id));
        let mut given_up = Vec::new();
        for (id, missing) in &mut self.missing {
            // While archives wait to be looked at, it may be in one of them.
            let gone = match missing.gone {
                Some(gone) if !self.is_unsettled => gone,
                Some(_) | None => *missing.gone.insert(now),
            };
            if now.uptime.saturating_sub(gone.uptime) >= ARCHIVE_WAIT {
                given_up.push(*id);
            }
        }
        for id in given_up {
            self.give_up(id);
        }
    }

    fn give_up(&mut self, id: LogId) {
        let Some((path, file)) = self.past.get(id).map(|known| (known.mark.path.clone(), known.mark.file())) else {
            return;
        };
        let is_met = |file: &FileKey| self.files.contains_key(file) || self.pending.contains_key(file);
        if may_be_there(Path::new(&path), file, is_met) {
            return;
        }
        if let Some(missing) = self.missing.remove(&id) {
            if let Some(known) = self.past.get_mut(id) {
                (known.mark.open, known.mark.missing_since) = (false, None);
            }
            let until = missing.gone.map_or(self.now.wall, |gone| gone.wall);
            let (since, until) = (missing.since.min(until), missing.since.max(until));
            self.losses.push(Loss { source: missing.source, path, what: missing.what.to_owned(), since, until });
        }
    }

    /// Say that lines may have been lost since the last look.
    pub(super) fn lose(&mut self, source: usize, path: &Path, what: &str) {
        let since = self.looked_before.unwrap_or(self.now.wall).min(self.now.wall);
        let path = path.to_string_lossy().into_owned();
        self.losses.push(Loss { source, path, what: what.to_owned(), since, until: self.now.wall });
    }
}

/// Whether the log may still be there, and only cannot be read now: a file that cannot be opened, a directory that may
/// not be searched, a network that is down.
fn may_be_there(path: &Path, file: FileKey, is_met: impl Fn(&FileKey) -> bool) -> bool {
    match std::fs::metadata(path) {
        Ok(metadata) => FileKey::of(&metadata) == file && !is_met(&file),
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

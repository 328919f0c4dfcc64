//! The logs that no file is known to hold any more: their marks are kept to know their archives by.
//! This file never looks at a file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::log::{FileKey, LogId};
use super::tail::Known;

/// Logs whose file is gone and whose mark is still kept; the oldest are forgotten. At a rotation an hour this is more
/// than a year.
pub(super) const PAST_LOGS_MAX: usize = 10_000;

/// The logs whose file is gone, from the longest gone to the latest.
#[derive(Default)]
pub(super) struct Past {
    logs: BTreeMap<u64, Known>,
    ages: HashMap<LogId, u64>,
    inodes: BTreeSet<(u64, u64)>,
    next_age: u64,
}

impl Past {
    pub(super) fn add(&mut self, known: Known) {
        let age = self.next_age;
        self.next_age += 1;
        self.ages.insert(known.mark.id, age);
        self.inodes.insert((known.mark.inode, age));
        self.logs.insert(age, known);
    }

    /// Once a scan is over: before the first, every log that is known is here, and most are about to be found.
    pub(super) fn forget_oldest(&mut self) {
        while self.logs.len() > PAST_LOGS_MAX
            && let Some((age, oldest)) = self.logs.pop_first()
        {
            self.ages.remove(&oldest.mark.id);
            self.inodes.remove(&(oldest.mark.inode, age));
        }
    }

    pub(super) fn take(&mut self, id: LogId) -> Option<Known> {
        let age = self.ages.remove(&id)?;
        let mut known = self.logs.remove(&age)?;
        self.inodes.remove(&(known.mark.inode, age));
        known.mark.missing_since = None;
        Some(known)
    }

    pub(super) fn contains(&self, id: LogId) -> bool {
        self.ages.contains_key(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.logs.values()
    }

    /// The generations of this file's content, the furthest read first.
    pub(super) fn of_file(&self, file: FileKey) -> Vec<&Known> {
        let ages = self.inodes.range((file.inode, 0)..=(file.inode, u64::MAX));
        let mut generations: Vec<_> = ages
            .filter_map(|(_, age)| self.logs.get(age))
            .filter(|known| file.is_after_remount(&known.mark.file()))
            .collect();
        generations.sort_by_key(|known| std::cmp::Reverse(known.mark.offset));
        generations
    }

    pub(super) fn get(&self, id: LogId) -> Option<&Known> {
        self.logs.get(self.ages.get(&id)?)
    }

    pub(super) fn get_mut(&mut self, id: LogId) -> Option<&mut Known> {
        self.logs.get_mut(self.ages.get(&id)?)
    }
}

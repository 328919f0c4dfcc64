//! Which known logs may a new file be a copy of? An index by head, and by the name before any rotation, so that the
//! first look at ten thousand logs does not hold each against each.
//! This file never reads a file; what it offers is held against the content by `judge`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::log::{Fingerprint, LogId, LogMark};
use super::rotation::{base_name, file_name};

#[derive(Default)]
pub(super) struct Heads {
    /// By the head's length, then its hash. A log's head only grows during a scan, so an older one still leads to it.
    by_head: BTreeMap<u32, HashMap<u64, Vec<LogId>>>,
    by_base: HashMap<String, Vec<LogId>>,
}

impl Heads {
    pub(super) fn add(&mut self, mark: &LogMark) {
        if mark.head.len > 0 {
            self.by_head.entry(mark.head.len).or_default().entry(mark.head.hash).or_default().push(mark.id);
            self.by_base.entry(base_of(Path::new(&mark.path))).or_default().push(mark.id);
        }
    }

    /// The logs that begin as `head` does, or that have a longer head and a name that this file may have been rotated
    /// from.
    pub(super) fn alike(&self, path: &Path, head: &[u8]) -> BTreeSet<LogId> {
        let reached = self.by_head.range(..=u32::try_from(head.len()).unwrap_or(u32::MAX));
        let begun = reached.filter_map(|(len, hashes)| hashes.get(&Fingerprint::of(&head[..*len as usize]).hash));
        let named = self.by_base.get(&base_of(path));
        begun.chain(named).flatten().copied().collect()
    }
}

fn base_of(path: &Path) -> String {
    base_name(&file_name(path)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::ladder::Ladder;

    fn mark(id: u64, path: &str, head: &[u8]) -> LogMark {
        LogMark {
            id: LogId(id),
            path: path.to_owned(),
            device: 0,
            inode: 0,
            born_ns: None,
            head: Fingerprint::of(head),
            begun: 0,
            offset: 0,
            anchor: Fingerprint::default(),
            ladder: Ladder::from_offset(0),
            open: false,
            missing_since: None,
            format: None,
            cursor: None,
            backlog: 0,
            arrived: 0,
        }
    }

    #[test]
    fn logs_are_found_by_their_head_or_their_name_and_no_others() {
        let mut heads = Heads::default();
        heads.add(&mark(1, "/a/app.log", b"one"));
        heads.add(&mark(2, "/a/other.log", b"one two"));
        heads.add(&mark(3, "/a/third.log", b"three"));
        heads.add(&mark(4, "/a/empty.log", b""));
        let alike = |path: &str, head: &[u8]| -> Vec<u64> {
            heads.alike(Path::new(path), head).into_iter().map(|id| id.0).collect()
        };
        assert_eq!(alike("/b/new", b"one two three"), [1, 2]);
        assert_eq!(alike("/b/new", b"one"), [1]);
        assert_eq!(alike("/b/new", b""), [] as [u64; 0]);
        assert_eq!(alike("/b/third.log.1.gz", b"th"), [3]);
        assert_eq!(alike("/b/empty.log.1", b"x"), [] as [u64; 0]);
    }
}

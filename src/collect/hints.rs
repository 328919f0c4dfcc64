//! A hint becomes a look at the files that it names, and at no other, so that a busy log costs the same among ten
//! thousand as alone. What such a look cannot settle is left to the scan, which never trusts a hint.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::follow::Log;
use super::log::{FileKey, LogId, Stamp};
use super::stream::STDIN;
use super::tail::Tail;
use crate::day::Now;

impl Tail {
    /// Look at these files for new content. `false` when one of them wants a scan: it holds no log that is followed, or
    /// it is not known yet what it holds.
    pub fn look_at(&mut self, paths: &BTreeSet<PathBuf>, now: Now) -> bool {
        // Of the other logs, the last scan is still what is known.
        let scanned = std::mem::replace(&mut self.now, now);
        self.latest = now.wall;
        let before = self.looked_before.replace(scanned.wall);
        let unsettled = paths.iter().filter(|path| path.as_os_str() != STDIN && !self.look_at_one(path)).count();
        (self.now, self.looked_before) = (scanned, before);
        unsettled == 0
    }

    /// Told by the file, not by its path: events name a file by any of its names, and never by a relative one.
    fn look_at_one(&mut self, path: &Path) -> bool {
        let Ok(metadata) = fs::metadata(path) else { return false };
        let Some(id) = self.files.get(&FileKey::of(&metadata)).copied() else { return false };
        let Some(log) = self.followed.get_mut(&id) else { return false };
        if log.is_unknown() || log.is_archive() {
            return false;
        }
        let stamp = Stamp::of(&metadata);
        if log.stamp != Some(stamp) {
            log.stamp = Some(stamp);
            self.check(id);
        }
        true
    }

    /// Open a log's file, and close others for it where that makes too many. Why it cannot be opened, whoever reads it says.
    pub(super) fn open_within_bounds(&mut self, id: LogId) {
        let Some(log) = self.followed.get_mut(&id).filter(|log| log.file.is_none()) else { return };
        match log.open() {
            Ok(true) => self.note_opened(),
            Ok(false) => {}
            Err(error) => self.make_room_after(&error),
        }
    }

    /// Whether the last scan left something that only another can settle, and that no event will tell of: a log that was
    /// found under no name, or could not be read as it should.
    pub fn is_in_doubt(&self) -> bool {
        let is_known = |log: &Log| log.seen && log.stamp.is_some() && log.trouble.is_none();
        self.is_unsettled
            || self.journals.are_untold()
            || !self.problems.is_empty()
            || !self.followed.values().all(is_known)
    }
}

/// Half of what this process may have open, for the rest of it wants files and sockets, too.
pub(super) fn half_of_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit / 2).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use chrono::DateTime;

    use super::super::tail::CHUNK_BYTES;
    use super::super::{Format, Reading, Source, Start};
    use super::*;

    const LINE: &str = "{\"timestamp\":\"2026-11-22T09:00:00Z\",\"status\":200}\n";

    fn now() -> Now {
        Now::first(DateTime::UNIX_EPOCH)
    }

    /// A directory that the logs `*.log` are followed in.
    struct World {
        _temporary: tempfile::TempDir,
        root: PathBuf,
        tail: Tail,
    }

    impl World {
        fn new() -> World {
            let temporary = tempfile::tempdir().unwrap();
            let root = temporary.path().to_owned();
            let reading = Reading { format: Some(Format::JSON), ..Reading::unsettled(chrono_tz::Tz::UTC) };
            let paths = vec![format!("{}/*.log", root.display())];
            let source = Source { name: "test".to_owned(), paths, journal: None, reading, start: Start::Beginning };
            World { _temporary: temporary, root, tail: Tail::new(vec![source], Vec::new()) }
        }

        fn write(&self, name: &str, lines: usize) {
            let mut file = OpenOptions::new().create(true).append(true).open(self.root.join(name)).unwrap();
            file.write_all(LINE.repeat(lines).as_bytes()).unwrap();
        }

        /// Whether a look at these files settled what they hold.
        fn look_at(&mut self, names: &[&str]) -> bool {
            self.tail.look_at(&names.iter().map(|name| self.root.join(name)).collect(), now())
        }

        fn scan(&mut self) {
            self.tail.scan(now());
        }

        fn lines(&mut self) -> usize {
            let mut buffer = Vec::with_capacity(CHUNK_BYTES);
            let mut lines = 0;
            while self.tail.next_chunk(&mut buffer).is_some() {
                lines += buffer.split_inclusive(|byte| *byte == b'\n').count();
            }
            lines
        }
    }

    #[test]
    fn only_the_file_that_is_named_is_looked_at() {
        let mut world = World::new();
        world.write("a.log", 1);
        world.write("b.log", 1);
        world.scan();
        assert_eq!(world.lines(), 2);
        world.write("a.log", 2);
        world.write("b.log", 4);
        assert!(world.look_at(&["a.log"]));
        assert_eq!(world.lines(), 2);
        assert!(world.look_at(&["a.log", "b.log"]));
        assert_eq!(world.lines(), 4);
        world.scan();
        assert_eq!(world.lines(), 0);
    }

    #[test]
    fn a_log_is_known_by_any_of_its_names() {
        let mut world = World::new();
        world.write("a.log", 1);
        world.scan();
        assert_eq!(world.lines(), 1);
        std::os::unix::fs::symlink(world.root.join("a.log"), world.root.join("link")).unwrap();
        world.write("a.log", 2);
        assert!(world.look_at(&["./link"]));
        assert_eq!(world.lines(), 2);
    }

    #[test]
    fn what_a_look_cannot_settle_wants_a_scan() {
        let mut world = World::new();
        world.write("empty.log", 0);
        world.scan();
        assert!(!world.look_at(&["gone.log"]));
        world.write("new.log", 1);
        assert!(!world.look_at(&["new.log"]));
        world.write("empty.log", 2);
        assert!(!world.look_at(&["empty.log"]), "its first content tells what log it is");
        assert!(!world.look_at(&[""]), "a directory");
        assert_eq!(world.lines(), 0);
        world.scan();
        assert_eq!(world.lines(), 3);
        assert!(world.look_at(&["new.log", "empty.log"]));
    }

    #[test]
    fn one_unsettled_file_keeps_no_other_from_being_looked_at() {
        let mut world = World::new();
        world.write("b.log", 1);
        world.scan();
        assert_eq!(world.lines(), 1);
        world.write("b.log", 2);
        assert!(!world.look_at(&["a.log", "b.log", "c.log"]));
        assert_eq!(world.lines(), 2);
    }

    #[test]
    fn a_truncated_log_is_read_from_its_start() {
        let mut world = World::new();
        world.write("a.log", 5);
        world.scan();
        assert_eq!(world.lines(), 5);
        fs::write(world.root.join("a.log"), LINE.replace("200", "500")).unwrap();
        world.look_at(&["a.log"]);
        world.scan();
        assert_eq!(world.lines(), 1);
    }

    #[test]
    fn what_no_event_will_tell_of_is_in_doubt() {
        let mut world = World::new();
        world.scan();
        assert!(world.tail.is_in_doubt(), "nothing matches yet");
        world.write("a.log", 1);
        world.scan();
        assert_eq!(world.lines(), 1);
        assert!(!world.tail.is_in_doubt());
        fs::rename(world.root.join("a.log"), world.root.join("elsewhere")).unwrap();
        world.write("b.log", 1);
        world.scan();
        assert!(world.tail.is_in_doubt(), "a.log is read on where no pattern leads");
    }
}

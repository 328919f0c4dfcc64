//! notify as a hint to look sooner: what the kernel tells of watched directories becomes [`Changes`], and a call of `wake`.
//! This file never says what is true. Events get lost (full queue, network file systems, no watches left); the
//! regular scan is what makes counts correct.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode, Event, EventKind, ModifyKind};
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};
use rustix::fs::statfs;

use super::find::DIRECTORIES_MAX;
use super::log::FileKey;

/// Changed files that are named one by one. Of more, a scan costs little more than looking at each.
const PATHS_MAX: usize = 1024;
/// EMFILE on every system this runs on.
const TOO_MANY_INSTANCES: i32 = 24;

/// File systems whose every change the kernel makes itself, and so tells of: their numbers in linux/magic.h (for ZFS,
/// in its own sources). Any other may be changed by another machine, as NFS, SMB, 9p and FUSE (virtiofs, too) are.
const TOLD_OF: [(&str, u32); 9] = [
    ("ext2, ext3, ext4", 0xEF53),
    ("xfs", 0x5846_5342),
    ("btrfs", 0x9123_683E),
    ("f2fs", 0xF2F5_2010),
    ("bcachefs", 0xCA45_1A4E),
    ("zfs", 0x2FC1_2FC1),
    ("tmpfs", 0x0102_1994),
    ("ramfs", 0x8584_58F6),
    ("overlayfs", 0x794C_7630),
];

/// What the kernel has told and nobody has looked at yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files whose content or rights have changed; at most [`PATHS_MAX`].
    pub paths: BTreeSet<PathBuf>,
    /// Something else has: a name came or went, a directory changed, or events were lost.
    pub anything: bool,
}

/// Where notify's thread leaves changes for whoever looks.
#[derive(Default)]
pub struct Hints(Mutex<Changes>);

impl Hints {
    pub fn take(&self) -> Changes {
        std::mem::take(&mut *self.lock())
    }

    /// There is something to read from this path. Whether that is worth waking up for.
    pub fn add_path(&self, path: &Path) -> bool {
        let mut changes = self.lock();
        let is_first = changes.paths.is_empty();
        changes.paths.insert(path.to_owned());
        is_first
    }

    /// Whether files have changed, and whether anything else has.
    pub fn are_there(&self) -> (bool, bool) {
        let changes = self.lock();
        (!changes.paths.is_empty(), changes.anything)
    }

    /// Whether this is worth waking up for: the first of its kind since changes were last taken.
    fn add(&self, event: &notify::Result<Event>) -> bool {
        let mut changes = self.lock();
        let before = (changes.paths.is_empty(), changes.anything);
        match scope(event) {
            Scope::Nothing => {}
            Scope::Files(paths) => {
                let new = paths.iter().filter(|path| !changes.paths.contains(*path)).cloned().collect::<Vec<_>>();
                changes.paths.extend(new);
            }
            Scope::Anything => changes.anything = true,
        }
        if changes.paths.len() > PATHS_MAX {
            *changes = Changes { paths: BTreeSet::new(), anything: true };
        }
        before != (changes.paths.is_empty(), changes.anything)
    }

    fn lock(&self) -> MutexGuard<'_, Changes> {
        // Nothing panics while it is held, and no change is half made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much an event leaves to look at.
enum Scope<'a> {
    Nothing,
    Files(&'a [PathBuf]),
    Anything,
}

/// Reads are nothing: daycap's own would wake it forever. What is not known to concern a file's content or rights alone
/// is anything; an overflown queue and an error say that events were lost.
fn scope(event: &notify::Result<Event>) -> Scope<'_> {
    let Ok(event) = event else { return Scope::Anything };
    if event.need_rescan() {
        return Scope::Anything;
    }
    match event.kind {
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_))
        | EventKind::Access(AccessKind::Close(AccessMode::Write))
            if !event.paths.is_empty() =>
        {
            Scope::Files(&event.paths)
        }
        EventKind::Access(_) => Scope::Nothing,
        EventKind::Modify(_) | EventKind::Create(_) | EventKind::Remove(_) | EventKind::Any | EventKind::Other => {
            Scope::Anything
        }
    }
}

pub struct Watch {
    /// `None` where the system has no events to offer.
    watcher: Option<RecommendedWatcher>,
    /// By what path each directory is watched. One path each, for one watch is all that the kernel keeps of a directory;
    /// and a new directory under an old name needs a new one.
    watched: BTreeMap<FileKey, PathBuf>,
    tells_all: bool,
    complaint: Option<String>,
    has_complained: bool,
}

impl Watch {
    /// `wake` is called from notify's own thread.
    pub fn new(hints: Arc<Hints>, wake: impl Fn() + Send + 'static) -> Watch {
        let watcher = recommended_watcher(move |event: notify::Result<Event>| {
            if hints.add(&event) {
                wake();
            }
        });
        let complaint = watcher.as_ref().err().map(|error| unwatched(None, error));
        Watch { watcher: watcher.ok(), watched: BTreeMap::new(), tells_all: false, complaint, has_complained: false }
    }

    /// Watch exactly these directories from now on. Whether a watch was added: what happened there before, no event
    /// will tell.
    pub fn watch_dirs(&mut self, directories: &BTreeSet<PathBuf>) -> bool {
        let mut wanted = BTreeMap::new();
        for path in directories {
            if let Some(key) = key(path) {
                wanted.entry(key).or_insert(path);
            }
        }
        let stale: Vec<_> = self.watched.extract_if(.., |key, path| wanted.get(key) != Some(&&*path)).collect();
        let Some(watcher) = &mut self.watcher else { return false };
        for (_, path) in stale {
            // A directory that is gone took its watch along.
            let _ = watcher.unwatch(&path);
        }
        self.tells_all = directories.len() < DIRECTORIES_MAX;
        let before = self.watched.len();
        for (key, path) in wanted {
            self.tells_all &= is_told_of(path);
            if self.watched.contains_key(&key) {
                continue;
            }
            match watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(key, path.clone());
                }
                Err(error) => {
                    self.tells_all = false;
                    // What went away since the scan is no trouble.
                    if !matches!(error.kind, ErrorKind::PathNotFound) {
                        self.complaint = Some(unwatched(Some(path), &error));
                    }
                }
            }
        }
        self.watched.len() > before
    }

    /// Whether the kernel tells of every change below the directories, as far as anyone can know.
    pub fn tells_all(&self) -> bool {
        self.tells_all
    }

    /// One sentence when watching fails, once in a lifetime: it only makes looking slower.
    pub fn take_complaint(&mut self) -> Option<String> {
        let complaint = self.complaint.take().filter(|_| !self.has_complained);
        self.has_complained |= complaint.is_some();
        complaint
    }
}

fn key(directory: &Path) -> Option<FileKey> {
    std::fs::metadata(directory).ok().filter(|metadata| metadata.is_dir()).map(|metadata| FileKey::of(&metadata))
}

/// Whether this directory's file system is one that the kernel tells all of.
fn is_told_of(directory: &Path) -> bool {
    let Ok(status) = statfs(directory) else { return false };
    u32::try_from(status.f_type).is_ok_and(|kind| TOLD_OF.iter().any(|(_, told_of)| *told_of == kind))
}

fn unwatched(path: Option<&Path>, error: &notify::Error) -> String {
    let what = path.map_or("files".to_owned(), |path| path.display().to_string());
    let remedy = match &error.kind {
        ErrorKind::MaxFilesWatch => " (raise the sysctl fs.inotify.max_user_watches)",
        ErrorKind::Io(error) if error.raw_os_error() == Some(TOO_MANY_INSTANCES) => {
            " (raise the sysctl fs.inotify.max_user_instances)"
        }
        ErrorKind::Generic(_)
        | ErrorKind::Io(_)
        | ErrorKind::PathNotFound
        | ErrorKind::WatchNotFound
        | ErrorKind::InvalidConfig(_) => "",
    };
    format!("cannot watch {what}: {error}{remedy}; changes there are found by the regular scan, about a second later")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use notify::event::{CreateKind, DataChange, Flag, MetadataKind, RemoveKind, RenameMode};

    use super::*;

    /// Far more than an event takes; only a failing test waits for it.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct World {
        _temporary: tempfile::TempDir,
        root: PathBuf,
        watch: Watch,
        hints: Arc<Hints>,
        woken: Receiver<()>,
    }

    impl World {
        fn new() -> World {
            let temporary = tempfile::tempdir().unwrap();
            let root = temporary.path().to_owned();
            let hints = Arc::new(Hints::default());
            let (wake, woken) = channel();
            // Nobody listens any more once the test is over.
            let watch = Watch::new(hints.clone(), move || wake.send(()).unwrap_or_default());
            World { _temporary: temporary, root, watch, hints, woken }
        }

        fn watch(&mut self, names: &[&str]) -> bool {
            let added = self.watch.watch_dirs(&names.iter().map(|name| self.root.join(name)).collect());
            assert_eq!(self.watch.take_complaint(), None);
            added
        }

        fn write(&self, name: &str) {
            fs::write(self.root.join(name), "x\n").unwrap();
        }

        /// All that the kernel tells until it tells of this file's content.
        fn wait_for(&self, name: &str) -> Changes {
            let mut all = Changes::default();
            while !all.paths.contains(&self.root.join(name)) {
                self.woken.recv_timeout(PATIENCE).unwrap();
                let changes = self.hints.take();
                all.paths.extend(changes.paths);
                all.anything |= changes.anything;
            }
            all
        }
    }

    #[test]
    fn a_new_file_is_anything_and_more_of_its_content_names_it_alone() {
        let mut world = World::new();
        assert!(world.watch(&[""]));
        world.write("a.log");
        assert!(world.wait_for("a.log").anything, "its name is new");
        world.write("a.log");
        let changes = world.wait_for("a.log");
        assert!(!changes.anything && changes.paths.len() == 1, "{changes:?}");
    }

    #[test]
    fn a_directory_made_anew_is_watched_anew() {
        let mut world = World::new();
        let logs = world.root.join("logs");
        fs::create_dir(&logs).unwrap();
        assert!(world.watch(&["logs"]));
        assert!(!world.watch(&["logs"]), "it is watched already");
        fs::rename(&logs, world.root.join("old")).unwrap();
        fs::create_dir(&logs).unwrap();
        assert!(world.watch(&["logs"]));
        world.write("logs/a.log");
        world.wait_for("logs/a.log");
    }

    #[test]
    fn a_missing_directory_is_no_complaint_and_is_watched_once_there() {
        let mut world = World::new();
        assert!(!world.watch(&["logs"]));
        fs::create_dir(world.root.join("logs")).unwrap();
        assert!(world.watch(&["logs"]));
        world.write("logs/a.log");
        world.wait_for("logs/a.log");
    }

    #[test]
    fn a_directory_of_two_names_is_still_watched_when_one_of_them_goes() {
        let mut world = World::new();
        fs::create_dir(world.root.join("real")).unwrap();
        std::os::unix::fs::symlink("real", world.root.join("link")).unwrap();
        world.watch(&["link", "real"]);
        fs::remove_file(world.root.join("link")).unwrap();
        world.watch(&["link", "real"]);
        world.write("real/a.log");
        world.wait_for("real/a.log");
    }

    #[test]
    fn the_kernel_is_trusted_where_every_directory_is_watched_on_a_file_system_that_it_writes_itself() {
        let mut world = World::new();
        world.watch(&[""]);
        assert!(world.watch.tells_all(), "{:?}", statfs(&world.root));
        // A file system that no table of ours has.
        world.watch.watch_dirs(&BTreeSet::from([world.root.clone(), PathBuf::from("/proc/self")]));
        assert!(!world.watch.tells_all());
        world.watch(&[""]);
        assert!(world.watch.tells_all());
        let many = (0..DIRECTORIES_MAX).map(|number| world.root.join(number.to_string())).collect();
        world.watch.watch_dirs(&many);
        assert!(!world.watch.tells_all(), "more directories than are offered");
    }

    #[test]
    fn each_event_leaves_as_much_to_look_at_as_it_may_mean() {
        let told = |kind, paths: &[&str]| {
            let hints = Hints::default();
            hints.add(&Ok(paths.iter().fold(Event::new(kind), |event, path| event.add_path(PathBuf::from(path)))));
            let Changes { paths, anything } = hints.take();
            (paths.len(), anything)
        };
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert_eq!(told(data, &["/a.log"]), (1, false));
        assert_eq!(told(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), &["/a.log"]), (1, false));
        assert_eq!(told(EventKind::Access(AccessKind::Close(AccessMode::Write)), &["/a.log"]), (1, false));
        assert_eq!(told(EventKind::Access(AccessKind::Close(AccessMode::Read)), &["/a.log"]), (0, false));
        assert_eq!(told(EventKind::Access(AccessKind::Open(AccessMode::Any)), &["/a.log"]), (0, false));
        assert_eq!(told(EventKind::Create(CreateKind::File), &["/a.log"]), (0, true));
        assert_eq!(told(EventKind::Remove(RemoveKind::Folder), &["/a"]), (0, true));
        assert_eq!(told(EventKind::Modify(ModifyKind::Name(RenameMode::Both)), &["/a", "/b"]), (0, true));
        assert_eq!(told(EventKind::Modify(ModifyKind::Any), &["/a.log"]), (0, true));
        assert_eq!(told(data, &[]), (0, true), "no path to look at");
        assert_eq!(told(EventKind::Other, &[]), (0, true));
    }

    #[test]
    fn lost_events_are_anything() {
        let hints = Hints::default();
        assert!(hints.add(&Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan))));
        assert!(hints.take().anything);
        assert!(hints.add(&Err(notify::Error::generic("lost"))));
        assert!(hints.take().anything);
    }

    #[test]
    fn more_files_than_are_named_are_anything_and_only_news_wakes() {
        let hints = Hints::default();
        let mut wakes = 0;
        for number in 0..=PATHS_MAX {
            let event = Event::new(EventKind::Modify(ModifyKind::Data(DataChange::Any)));
            wakes += u32::from(hints.add(&Ok(event.add_path(PathBuf::from(format!("/{number}.log"))))));
        }
        assert_eq!(wakes, 2, "for the first file, and for anything");
        assert_eq!(hints.take(), Changes { paths: BTreeSet::new(), anything: true });
    }

    #[test]
    fn what_cannot_be_watched_is_said_with_its_remedy_once() {
        let limit = unwatched(Some(Path::new("/logs")), &notify::Error::new(ErrorKind::MaxFilesWatch));
        assert!(limit.contains("fs.inotify.max_user_watches"), "{limit}");
        let emfile = notify::Error::io(std::io::Error::from_raw_os_error(TOO_MANY_INSTANCES));
        let limit = unwatched(None, &emfile);
        assert!(limit.contains("fs.inotify.max_user_instances"), "{limit}");
        let mut watch = World::new().watch;
        for expected in [Some("once"), None] {
            watch.complaint = Some("once".to_owned());
            assert_eq!(watch.take_complaint().as_deref(), expected);
        }
    }
}

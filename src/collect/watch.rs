//! notify as a hint to look sooner: a change in a watched directory becomes a call of `wake`.
//! This file never says what changed. Events get lost (full queue, network file systems, no watches left); the
//! regular scan is what makes counts correct.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use notify::event::{Event, EventKind};
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};

use super::log::FileKey;

pub struct Watch {
    /// `None` where the system has no events to offer.
    watcher: Option<RecommendedWatcher>,
    /// Which directory was behind each path: a new one under an old name needs a new watch.
    watched: BTreeMap<PathBuf, FileKey>,
    complaint: Option<String>,
    has_complained: bool,
}

impl Watch {
    /// `wake` is called from notify's own thread.
    pub fn new(wake: impl Fn() + Send + 'static) -> Watch {
        let watcher = recommended_watcher(move |event: notify::Result<Event>| {
            if is_worth_a_look(&event) {
                wake();
            }
        });
        let complaint = watcher.as_ref().err().map(|error| unwatched(None, error));
        Watch { watcher: watcher.ok(), watched: BTreeMap::new(), complaint, has_complained: false }
    }

    /// Watch exactly these directories from now on. Gives one sentence when watching fails, once in a lifetime: it only
    /// makes looking slower.
    pub fn watch_dirs(&mut self, directories: &BTreeSet<PathBuf>) -> Option<String> {
        let wanted: BTreeMap<_, _> = directories.iter().filter_map(|path| Some((path.clone(), key(path)?))).collect();
        let stale: Vec<_> = self.watched.extract_if(.., |path, key| wanted.get(path) != Some(key)).collect();
        if let Some(watcher) = &mut self.watcher {
            for (path, _) in stale {
                // A directory that is gone took its watch along.
                let _ = watcher.unwatch(&path);
            }
            for (path, key) in wanted {
                if self.watched.contains_key(&path) {
                    continue;
                }
                match watcher.watch(&path, RecursiveMode::NonRecursive) {
                    Ok(()) => {
                        self.watched.insert(path, key);
                    }
                    Err(error) => self.complaint = Some(unwatched(Some(&path), &error)),
                }
            }
        }
        let complaint = self.complaint.take().filter(|_| !self.has_complained);
        self.has_complained |= complaint.is_some();
        complaint
    }
}

/// Everything but reads: daycap's own would wake it forever. An overflown queue and an error say that events were lost.
fn is_worth_a_look(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(event) => event.need_rescan() || !matches!(event.kind, EventKind::Access(_)),
        Err(_) => true,
    }
}

fn key(directory: &Path) -> Option<FileKey> {
    std::fs::metadata(directory).ok().filter(|metadata| metadata.is_dir()).map(|metadata| FileKey::of(&metadata))
}

fn unwatched(path: Option<&Path>, error: &notify::Error) -> String {
    let what = path.map_or("files".to_owned(), |path| path.display().to_string());
    let remedy = match error.kind {
        ErrorKind::MaxFilesWatch => " (raise the sysctl fs.inotify.max_user_watches)",
        ErrorKind::Generic(_)
        | ErrorKind::Io(_)
        | ErrorKind::PathNotFound
        | ErrorKind::WatchNotFound
        | ErrorKind::InvalidConfig(_) => "",
    };
    format!("cannot watch {what}: {error}{remedy}; changes there are found by the regular scan, up to a second later")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use notify::event::{AccessKind, Flag};

    use super::*;

    /// Far more than an event takes; only a failing test waits for it.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn watch() -> (Watch, Receiver<()>) {
        let (wake, woken) = channel();
        // Nobody listens any more once the test is over.
        let wake = move || wake.send(()).unwrap_or_default();
        (Watch::new(wake), woken)
    }

    #[test]
    fn a_change_wakes() {
        let directory = tempfile::tempdir().unwrap();
        let (mut watch, woken) = watch();
        assert_eq!(watch.watch_dirs(&BTreeSet::from([directory.path().to_owned()])), None);
        fs::write(directory.path().join("a.log"), "x\n").unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn a_directory_made_anew_is_watched_anew() {
        let directory = tempfile::tempdir().unwrap();
        let logs = directory.path().join("logs");
        let wanted = BTreeSet::from([logs.clone()]);
        let (mut watch, woken) = watch();
        fs::create_dir(&logs).unwrap();
        watch.watch_dirs(&wanted);
        fs::rename(&logs, directory.path().join("old")).unwrap();
        fs::create_dir(&logs).unwrap();
        watch.watch_dirs(&wanted);
        while woken.try_recv().is_ok() {}
        fs::write(logs.join("a.log"), "x\n").unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn a_missing_directory_is_no_complaint_and_is_watched_once_there() {
        let directory = tempfile::tempdir().unwrap();
        let logs = directory.path().join("logs");
        let wanted = BTreeSet::from([logs.clone()]);
        let (mut watch, woken) = watch();
        assert_eq!(watch.watch_dirs(&wanted), None);
        fs::create_dir(&logs).unwrap();
        watch.watch_dirs(&wanted);
        fs::write(logs.join("a.log"), "x\n").unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn lost_events_wake_and_own_reads_do_not() {
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(is_worth_a_look(&Ok(overflow)));
        assert!(is_worth_a_look(&Err(notify::Error::generic("lost"))));
        assert!(!is_worth_a_look(&Ok(Event::new(EventKind::Access(AccessKind::Any)))));
    }

    #[test]
    fn running_out_of_watches_names_the_remedy() {
        let text = unwatched(Some(Path::new("/logs")), &notify::Error::new(ErrorKind::MaxFilesWatch));
        assert!(text.contains("fs.inotify.max_user_watches"), "{text}");
    }
}

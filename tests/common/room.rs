//! A directory with a log, a state directory and a configuration: all that a daemon needs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lines::{assert_each_line_once, line};
use super::{Daemon, daycap};

/// The host that the day files are named after.
pub const HOST: &str = "web";
/// Said once everything there was at the start has been read.
const CAUGHT_UP: &str = "prod: ";

pub struct Room {
    pub root: PathBuf,
    /// Removed in the end, unless it is in somebody else's folder.
    _temporary: Option<tempfile::TempDir>,
}

impl Room {
    pub fn new() -> Room {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path().to_owned();
        Room { _temporary: Some(temporary), ..Room::furnish(root) }
    }

    /// One of several under a folder.
    pub fn below(folder: &Path, name: &str) -> Room {
        let root = folder.join(name);
        fs::create_dir(&root).expect("a directory");
        Room::furnish(root)
    }

    fn furnish(root: PathBuf) -> Room {
        let room = Room { root, _temporary: None };
        for folder in [room.logs(), room.state()] {
            fs::create_dir(folder).expect("a directory");
        }
        let text = format!(
            "[state]\ndir = {:?}\nhost = \"{HOST}\"\ncommit_interval = \"20ms\"\nkeep = \"36500d\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"sync\"\npath = \"{}/*.log\"\n[[quota]]\nname = \"prod\"\nlimit = 40000\n",
            room.state(),
            room.logs().display()
        );
        fs::write(room.root.join("daycap.toml"), text).expect("writes");
        room
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("logs/app.log")
    }

    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Append these lines to the log.
    pub fn write(&self, numbers: Range<u64>) {
        let mut log = OpenOptions::new().create(true).append(true).open(self.log()).expect("opens");
        log.write_all(numbers.map(line).collect::<String>().as_bytes()).expect("writes");
    }

    pub fn start(&self) -> Daemon {
        self.start_as(daycap())
    }

    pub fn start_as(&self, command: Command) -> Daemon {
        Daemon::start_as(command, &["--config", self.root.join("daycap.toml").to_str().expect("UTF-8")])
    }

    /// Count what is there now, and end.
    pub fn catch_up(&self) {
        let mut daemon = self.start();
        daemon.wait_for_words(CAUGHT_UP);
        let (status, _, said) = daemon.terminate();
        assert!(status.success(), "{said:#?}");
    }

    /// The ledger has each of these lines once, and still does after another start, which finds nothing new.
    pub fn assert_each_line_once(&self, lines: u64) {
        assert_each_line_once(&self.state(), 0..lines, |_| "the log".to_owned());
        self.catch_up();
        assert_each_line_once(&self.state(), 0..lines, |_| "the log, after another start".to_owned());
    }
}

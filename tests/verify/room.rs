//! A place to count in: logs whose lines are all different, a configuration, a ledger that can be forged.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use daycap::collect::decode::Decoder;
use daycap::collect::request::Decoded;
use daycap::collect::{Chunk, Reading};
use daycap::count::ledger::Ledger;
use daycap::count::tally::Tally;
use expect_test::Expect;

use crate::common::{daycap, run};

/// A directory with logs, a ledger of host `here`, and a configuration.
pub struct Room {
    _temporary: tempfile::TempDir,
    root: PathBuf,
    /// Lines written so far: no two are the same, so that no log looks like a copy of another.
    written: Cell<usize>,
}

impl Room {
    pub fn new() -> Room {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path().to_owned();
        fs::create_dir(root.join("logs")).expect("a directory");
        let room = Room { _temporary: temporary, root, written: Cell::new(0) };
        room.configure("here");
        room
    }

    pub fn configure(&self, host: &str) {
        let text = format!(
            "[state]\ndir = {:?}\nhost = {host:?}\nkeep = \"36500d\"\ncommit_interval = \"1ms\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\npath = \"{}/*.log\"\n",
            self.path("state"),
            self.path("logs").display()
        );
        fs::write(self.path("daycap.toml"), text).expect("writes");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn day_file(&self, day: u32) -> PathBuf {
        self.path(&format!("state/usage/date=2026-11-{day:02}/here.parquet"))
    }

    /// Write this many requests, one a second, from noon on of a day in November.
    pub fn log(&self, name: &str, day: u32, requests: usize) {
        let first = self.written.get();
        self.written.set(first + requests);
        let lines: String = (0..requests).map(|at| line(day, at, first + at)).collect();
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).expect("opens");
        file.write_all(lines.as_bytes()).expect("writes");
    }

    pub fn ask(&self, words: &[&str]) -> (String, String, i32) {
        let (command, rest) = words.split_first().expect("a command");
        run(daycap().arg(command).arg("--config").arg(self.path("daycap.toml")).args(rest).current_dir(&self.root))
    }

    pub fn ingest(&self) {
        let logs = format!("{}/*", self.path("logs").display());
        let (_, err, code) = self.ask(&["ingest", &logs]);
        assert_eq!(code, 0, "{err}");
    }

    /// What `verify` prints: the exit code, the table, then the words.
    pub fn check(&self, words: &[&str], expected: Expect) {
        let (out, err, code) = self.ask(&[&["verify"], words].concat());
        expected.assert_eq(&everywhere(&format!("exit {code}\n{out}{err}"), &self.root));
    }

    /// Add what this line says to what the ledger holds, behind its back.
    pub fn forge(&self, line: &str) {
        let reading = Reading::unsettled(chrono_tz::Tz::UTC);
        let (mut decoded, mut tally) = (Decoded::default(), Tally::default());
        let chunk = Chunk { start: 0, end: line.len() as u64, written: None };
        Decoder::new(&reading, "app".into()).decode(line.as_bytes(), &chunk, &mut decoded);
        tally.add(&mut decoded);
        let ledger = Ledger::new(&self.path("state"), "here");
        assert!(ledger.commit(&tally, &BTreeMap::new(), &BTreeMap::new()).failed.is_none());
    }
}

/// A request so many seconds after noon. All lines have the same length.
pub fn line(day: u32, second: usize, serial: usize) -> String {
    let (hour, minute, second) = (12 + second / 3600, second / 60 % 60, second % 60);
    let time = format!("2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    format!(
        "{{\"time\":\"{time}\",\"method\":\"GET\",\"url\":\"https://api.example.com/jobs\",\"status\":200,\"serial\":\"{serial:06}\"}}\n"
    )
}

/// The same wherever the room is; the rule under a header is as long as the longest path.
fn everywhere(text: &str, root: &Path) -> String {
    let text = text.replace(&root.display().to_string(), "ROOM");
    let line = |line: &str| if line.starts_with('─') { "───\n".to_owned() } else { format!("{line}\n") };
    text.lines().map(line).collect()
}

/// Each file below, with its content.
pub fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(everything(&path));
        } else {
            files.insert(path.clone(), fs::read(path).expect("reads"));
        }
    }
    files
}

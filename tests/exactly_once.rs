//! Promise 1 on the real binary: a growing, rotating log, a daemon killed with SIGKILL again and again,
//! and in the end each (minute, operation, status) in the ledger is exactly what was written.

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use common::{DEADLINE, Daemon, ledger_by_duckdb};
use notify::{RecursiveMode, Watcher};

const KILLS: u32 = 10;
const LINES_A_ROUND: u64 = 3_000;

/// Deterministic numbers, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A client that logs its requests, in pieces as real writers do, and the truth about them.
struct Client {
    log: PathBuf,
    file: File,
    rotations: u32,
    truth: BTreeMap<(String, String, u16), u64>,
    random: Random,
    written: u64,
}

impl Client {
    fn new(dir: &Path, seed: u64) -> Client {
        let log = dir.join("sync.log");
        Client { file: open(&log), log, rotations: 0, truth: BTreeMap::new(), random: Random(seed), written: 0 }
    }

    fn write_line(&mut self) {
        self.written += 1;
        // Three days, so that commits write several files and a crash falls between them.
        let second = 1_795_132_800 + self.random.below(3 * 1440) * 60 + self.random.below(60);
        let operation = ["JobSearch", "JobDetails", "ProposalList"][self.random.below(3) as usize];
        let status = [200, 200, 200, 429][self.random.below(4) as usize];
        let stamp = chrono::DateTime::from_timestamp(i64::try_from(second).expect("fits"), 0).expect("a time");
        let line = format!(
            "{{\"time\":{},\"method\":\"POST\",\"url\":\"https://api.example.com/graphql\",\"status\":{status},\"operation\":\"{operation}\",\"id\":{}}}\n",
            second * 1000,
            self.written
        );
        let minute = stamp.format("%Y-%m-%d %H:%M:00").to_string();
        *self.truth.entry((minute, operation.to_owned(), status)).or_default() += 1;
        let cut = self.random.below(line.len() as u64) as usize;
        self.file.write_all(&line.as_bytes()[..cut]).expect("writes");
        self.file.write_all(&line.as_bytes()[cut..]).expect("writes");
    }

    /// app.log becomes app.log.1, as by logrotate without compression; older ones move up.
    fn rotate(&mut self) {
        for number in (1..=self.rotations).rev() {
            let name = |number| self.log.with_extension(format!("log.{number}"));
            fs::rename(name(number), name(number + 1)).expect("renames");
        }
        fs::rename(&self.log, self.log.with_extension("log.1")).expect("renames");
        self.rotations += 1;
        // The old file is written to for a little longer, as by a client that has not reopened it yet.
        self.write_line();
        self.file = open(&self.log);
    }

    fn truth(&self) -> Vec<String> {
        let group = |((minute, operation, status), count): (&(String, String, u16), &u64)| {
            format!("{minute}|{operation}|{status}|{count}")
        };
        self.truth.iter().map(group).collect()
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("opens")
}

/// Tells of every change below a directory, so that a kill can be aimed at a commit's inside.
fn changes(dir: &Path) -> (Receiver<()>, notify::RecommendedWatcher) {
    let (sender, receiver) = channel();
    let tell = move |_: notify::Result<notify::Event>| sender.send(()).unwrap_or_default();
    let mut watcher = notify::recommended_watcher(tell).expect("watches");
    watcher.watch(dir, RecursiveMode::Recursive).expect("watches");
    (receiver, watcher)
}

#[test]
fn ten_kills_neither_lose_nor_double_a_line() {
    let room = tempfile::tempdir().expect("a directory");
    let (logs, state) = (room.path().join("logs"), room.path().join("state"));
    fs::create_dir(&logs).expect("a directory");
    fs::create_dir(&state).expect("a directory");
    let config = room.path().join("daycap.toml");
    let text = format!(
        "[state]\ndir = {state:?}\ncommit_interval = \"20ms\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"sync\"\npath = \"{}/*.log\"\n[[quota]]\nname = \"prod\"\nlimit = 40000\n",
        logs.display()
    );
    fs::write(&config, text).expect("writes");
    let config = config.to_str().expect("UTF-8");
    let mut client = Client::new(&logs, 0x5eed);
    for round in 0..KILLS {
        let (changed, _watcher) = changes(&state);
        let daemon = Daemon::start(&["--config", config]);
        let half = client.random.below(LINES_A_ROUND);
        (0..half).for_each(|_| client.write_line());
        if round % 3 == 1 {
            client.rotate();
        }
        (half..LINES_A_ROUND).for_each(|_| client.write_line());
        // The n-th change of the state directory: somewhere inside the first few commits.
        for _ in 0..=client.random.below(40) {
            changed.recv_timeout(DEADLINE).expect("the daemon commits");
            client.write_line();
        }
        daemon.kill();
    }
    let mut daemon = Daemon::start(&["--config", config]);
    daemon.wait_for_words("prod: ");
    daemon.wait_for_metric("daycap_log_lag_bytes{source=\"sync\"}", |lag| lag == 0.0);
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    assert_eq!(ledger_by_duckdb(&state), client.truth());
    assert_eq!(client.truth.values().sum::<u64>(), client.written);
}

#[test]
fn two_processes_never_share_a_state_directory() {
    let room = tempfile::tempdir().expect("a directory");
    let state = room.path().join("state");
    let arguments = ["nothing.log", "--state", state.to_str().expect("UTF-8"), "--listen", "127.0.0.1:0"];
    let mut daemon = Daemon::start(&arguments);
    daemon.wait_for_words("metrics at");
    let (_, words, code) = common::run(common::daycap().arg("run").args(arguments));
    assert_eq!(code, 75);
    assert!(words.contains(&format!("in use by process {}", daemon.pid())), "{words}");
}

//! Many logs, and everything that can be short: open files, watches, inotify itself, places in its queue, permissions.
//! The real binary; run with `--nocapture` to see the figures that ARCHITECTURE.md quotes.

mod common;

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::Utc;
use common::{Daemon, daycap};

/// Two seconds are the promise; this is for a machine that is busy with other tests. It is less than the interval of
/// scans that nothing calls for.
const SOON: Duration = Duration::from_secs(6);
/// A debug build needs a quarter of a minute to meet ten thousand logs; on a busy machine more.
const FIRST_PASS: Duration = Duration::from_secs(240);
const USED: &str = "daycap_quota_used{quota=\"prod\"}";

struct Room {
    _temporary: tempfile::TempDir,
    root: PathBuf,
    /// A request, now.
    line: String,
    written: u32,
}

impl Room {
    #[expect(clippy::disallowed_methods, reason = "the daemon under test reads the same clock")]
    fn new() -> Room {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path().to_owned();
        for name in ["logs", "state"] {
            fs::create_dir(root.join(name)).expect("a directory");
        }
        let config = format!(
            "[state]\ndir = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"sync\"\npath = \"{}/**/*.log\"\n[[quota]]\nname = \"prod\"\nlimit = 1000000\n",
            root.join("state"),
            root.join("logs").display()
        );
        fs::write(root.join("daycap.toml"), config).expect("writes");
        let line =
            format!("{{\"timestamp\":\"{}\",\"url\":\"/jobs/7\",\"status\":200,\"id\":", Utc::now().to_rfc3339());
        Room { _temporary: temporary, root, line, written: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(name)
    }

    /// Append lines, no two of them equal, to a log in a directory that may be new.
    fn write(&mut self, name: &str, lines: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        let text: String = (0..lines).map(|line| format!("{}\"{}\"}}\n", self.line, self.written + line)).collect();
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opens");
        file.write_all(text.as_bytes()).expect("writes");
        self.written += lines;
    }

    fn start(&self) -> Daemon {
        self.start_by(daycap())
    }

    fn start_by(&self, command: Command) -> Daemon {
        Daemon::start_as(command, &["--config", self.root.join("daycap.toml").to_str().expect("UTF-8")])
    }

    /// Wait until exactly what was written is counted; how long it took.
    fn wait(&self, daemon: &mut Daemon, patience: Duration) -> Duration {
        let begun = Instant::now();
        let is_counted = |used: Option<f64>| used == Some(f64::from(self.written));
        while !is_counted(daemon.metric(USED)) {
            let used = daemon.metric(USED);
            assert!(used.is_none_or(|used| used <= f64::from(self.written)), "{used:?} of {} twice", self.written);
            assert!(begun.elapsed() < patience, "{used:?} of {}: {:#?}", self.written, daemon.said);
            daemon.listen(Duration::from_millis(20));
        }
        begun.elapsed()
    }

    fn restrict(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).expect("changes");
    }
}

/// The binary, started by another program that takes a right or a resource away from it.
fn daycap_by(program: &str, arguments: &[&str]) -> Command {
    let daycap = daycap();
    let mut command = Command::new(program);
    command.args(arguments).arg(daycap.get_program());
    for (name, value) in daycap.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// In a user namespace of its own, where this limit is nothing.
fn daycap_without(limit: &str) -> Command {
    let script = format!("echo 0 > /proc/sys/user/{limit} && exec \"$0\" \"$@\"");
    daycap_by("unshare", &["--user", "--map-root-user", "sh", "-c", &script])
}

/// Of all its threads, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("reads");
    let fields: Vec<_> = text.rsplit(')').next().expect("fields").split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

/// The most memory it ever had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("reads");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Ticks that a quiet daemon takes in this span.
fn idle_ticks(daemon: &mut Daemon, span: Duration) -> u64 {
    let before = cpu_ticks(daemon.pid());
    daemon.listen(span);
    cpu_ticks(daemon.pid()) - before
}

#[test]
fn ten_thousand_idle_logs_cost_little_more_than_ten_and_what_changes_is_counted_soon() {
    const QUIET: Duration = Duration::from_secs(20);
    let idle = [10, 10_000].map(|logs| {
        let mut room = Room::new();
        for log in 0..logs {
            room.write(&format!("{}/service-{log}.log", log % 100), 2);
        }
        let mut daemon = room.start();
        let first = room.wait(&mut daemon, FIRST_PASS);
        let idle = idle_ticks(&mut daemon, QUIET);
        room.write("7/service-7.log", 3);
        let write = room.wait(&mut daemon, SOON);
        room.write("new/directory/late.log", 5);
        let new = room.wait(&mut daemon, SOON);
        room.write("new/directory/late.log", 1);
        room.wait(&mut daemon, SOON);
        let peak = peak_kib(daemon.pid());
        // What the systemd unit allows.
        assert!(peak < 512 << 10, "{peak} KiB");
        let (status, stop, said) = daemon.terminate();
        assert!(status.success(), "{said:#?}");
        let state = fs::metadata(room.root.join("state/state.json")).expect("a state").len();
        println!(
            "{logs} logs: first pass {first:.1?}, idle {idle} ticks in {QUIET:?}, a write counted after {write:.1?}, a new directory's log after {new:.1?}, peak {} MiB, stopped in {stop:.1?}, state {} KiB",
            peak >> 10,
            state >> 10
        );
        idle
    });
    // Five in a hundred more of a core, in a debug build; a scan a second takes twice that.
    assert!(idle[1] <= idle[0] + QUIET.as_secs() * 5, "{idle:?}");
}

#[test]
fn a_new_tree_is_found_and_what_was_written_before_it_was_watched_is_counted() {
    let mut room = Room::new();
    room.write("a.log", 1);
    let mut daemon = room.start();
    room.wait(&mut daemon, SOON);
    for round in 0..20 {
        room.write(&format!("{round}/b/c/d.log"), 3);
        room.write(&format!("{round}/b/c/d.log"), 1);
    }
    room.wait(&mut daemon, SOON);
    for round in 0..20 {
        room.write(&format!("{round}/b/c/d.log"), 1);
    }
    room.wait(&mut daemon, SOON);
}

#[test]
fn a_queue_of_events_that_overflows_loses_no_line() {
    let mut room = Room::new();
    for name in ["a.log", "b.log"] {
        room.write(name, 1);
    }
    let mut daemon = room.start();
    room.wait(&mut daemon, SOON);
    let text = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("reads");
    let places: u32 = text.trim().parse().expect("a number");
    daemon.signal("STOP");
    // A write makes three events: opened, changed, closed. Equal ones that follow each other would be one.
    for _ in 0..=places / 6 {
        room.write("a.log", 1);
        room.write("b.log", 1);
    }
    room.write("told/by/nobody.log", 7);
    fs::rename(room.path("a.log"), room.path("a.log.1")).expect("renames");
    room.write("a.log", 1);
    daemon.signal("CONT");
    room.wait(&mut daemon, SOON);
}

#[test]
fn without_inotify_or_watches_logs_are_followed_by_scans_and_it_is_said_once() {
    for (limit, remedy) in [
        ("max_inotify_instances", "fs.inotify.max_user_instances"),
        ("max_inotify_watches", "fs.inotify.max_user_watches"),
    ] {
        let mut room = Room::new();
        room.write("a.log", 3);
        let mut daemon = room.start_by(daycap_without(limit));
        daemon.wait_for_words(remedy);
        room.wait(&mut daemon, SOON);
        room.write("a.log", 2);
        room.write("later/b.log", 4);
        room.wait(&mut daemon, SOON);
        let (status, _, said) = daemon.terminate();
        assert!(status.success(), "{said:#?}");
        assert_eq!(said.iter().filter(|line| line.contains("cannot watch")).count(), 1, "{said:#?}");
    }
}

/// The daemon has some fifteen open for itself: of 64 a log may have half, of 28 there are too few.
#[test]
fn with_few_open_files_all_of_many_logs_are_counted_once() {
    for limit in [64, 28] {
        let mut room = Room::new();
        let write_all = |room: &mut Room| (0..300).for_each(|log| room.write(&format!("{log}.log"), 2));
        write_all(&mut room);
        let mut daemon = room.start_by(daycap_by("prlimit", &[&format!("--nofile={limit}:{limit}")]));
        let mut took = vec![room.wait(&mut daemon, FIRST_PASS)];
        for _ in 0..3 {
            write_all(&mut room);
            took.push(room.wait(&mut daemon, FIRST_PASS));
        }
        fs::rename(room.path("7.log"), room.path("7.log.1")).expect("renames");
        write_all(&mut room);
        took.push(room.wait(&mut daemon, FIRST_PASS));
        println!("300 logs with {limit} open files: {took:.1?}");
        assert_eq!(daemon.metric("daycap_day_exact{quota=\"prod\"}"), Some(1.0), "EMFILE is no loss");
        let (status, _, said) = daemon.terminate();
        assert!(status.success(), "{said:#?}");
    }
}

#[test]
fn a_log_that_may_not_be_read_is_said_and_counted_once_it_may() {
    let mut room = Room::new();
    room.write("open.log", 1);
    room.write("secret.log", 4);
    room.write("closed/a.log", 5);
    let readable = room.written - 9;
    room.restrict("secret.log", 0o000);
    room.restrict("closed", 0o000);
    // Permissions do not stop root, unless it has lost its capabilities.
    let is_stopped = fs::File::open(room.path("secret.log")).is_err();
    let command = if is_stopped { daycap() } else { daycap_by("setpriv", &["--bounding-set=-all"]) };
    let mut daemon = room.start_by(command);
    daemon.wait_for_words("secret.log: cannot be read: permission denied");
    daemon.wait_for_metric(USED, |used| used == f64::from(readable));
    assert!(daemon.said.iter().any(|line| is_denied(line, &room.path("closed"))), "{:#?}", daemon.said);
    room.restrict("secret.log", 0o644);
    daemon.wait_for_words("secret.log: is well again");
    daemon.wait_for_metric(USED, |used| used == f64::from(readable + 4));
    room.restrict("closed", 0o755);
    room.wait(&mut daemon, SOON);
    room.write("secret.log", 1);
    room.write("closed/a.log", 1);
    room.wait(&mut daemon, SOON);
}

fn is_denied(line: &str, path: &Path) -> bool {
    line.contains(&format!("{}: cannot be looked at: permission denied", path.display()))
}

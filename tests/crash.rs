//! Crashes, full and failing disks, on the real binary: killed before each step of a commit, refused by the disk at
//! each kind of step, stopped under load; in the end each line is in the ledger exactly once.

mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::lines::assert_each_line_once;
use common::room::{HOST, Room};
use common::strace::{Call, let_go, read, recorded, tampered};
use common::writer::Writer;

const LINES: u64 = 90;
/// They are of so many days.
const DAYS: usize = 3;
const SIGKILL: i32 = 9;
const COMMIT_FAILURES: &str = "daycap_commit_failures_total";

// ---- a crash before each step of a commit ----

/// A call in a commit: this path's n-th of this name.
#[derive(Debug)]
struct Step {
    name: String,
    /// Below the room.
    path: PathBuf,
    nth: usize,
}

/// Whether the ledger that a commit adds to is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ledger {
    New,
    Old,
}

/// A room with lines to count, and how many were written in all.
fn prepared(folder: &Path, name: &str, ledger: Ledger, first: u64) -> (Room, u64) {
    let room = Room::below(folder, name);
    room.write(first..first + LINES);
    if ledger == Ledger::New {
        return (room, LINES);
    }
    room.catch_up();
    room.write(first + LINES..first + 2 * LINES);
    (room, 2 * LINES)
}

/// What the daemon asks of the kernel, below the state directory, from its start to its end.
fn record(folder: &Path, ledger: Ledger) -> (Room, Vec<Call>) {
    let (room, _) = prepared(folder, "record", ledger, 0);
    let record = room.root.join("record");
    let mut daemon = room.start_as(recorded(&record));
    daemon.wait_for_words("prod: ");
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    let calls = read(&record, &room.state());
    (room, calls)
}

/// The renames of day files, and those of the state.
fn renames<'a>(room: &Room, calls: &'a [Call]) -> (Vec<&'a Call>, Vec<&'a Call>) {
    let (state, usage) = (room.state().join("state.json"), room.state().join("usage"));
    let renames = calls.iter().filter(|call| call.name == "rename" && call.succeeded);
    let (states, others): (Vec<_>, Vec<_>) = renames.partition(|call| call.paths[1] == state);
    (others.into_iter().filter(|call| call.paths[1].starts_with(&usage)).collect(), states)
}

/// The steps of the first commit, up to the one that makes its last rename durable.
fn steps(room: &Room, calls: &[Call]) -> Vec<Step> {
    let (days, states) = renames(room, calls);
    let (day, state) = (days[DAYS - 1], states[0]);
    let of_thread: Vec<_> = calls.iter().filter(|call| call.thread == state.thread).collect();
    let is_last = |call: &&&Call| call.begun > state.ended.max(day.ended) && call.is("fsync", &room.state());
    let last = of_thread.iter().find(is_last).expect("the last rename is made durable").ended;
    let mut steps = Vec::new();
    for (place, call) in of_thread.iter().enumerate().filter(|(_, call)| call.matters() && call.ended <= last) {
        // Of a link, the new name tells more; of a rename, the old one is that of the temporary file.
        let path = if call.name == "linkat" { &call.paths[1] } else { &call.paths[0] };
        let is_same = |other: &&&Call| other.name == call.name && other.paths.contains(path);
        let nth = of_thread[..=place].iter().filter(is_same).count();
        let path = path.strip_prefix(&room.root).expect("below the room").to_owned();
        steps.push(Step { name: call.name.clone(), path, nth });
    }
    steps
}

/// Kill before each step in turn; in every third case the log is rotated before daycap is started again.
fn killed_before_each_step(ledger: Ledger, steps_min: usize) {
    let folder = tempfile::tempdir().expect("a directory");
    let (room, calls) = record(folder.path(), ledger);
    let steps = steps(&room, &calls);
    assert!(steps.len() >= steps_min, "only {} steps: {steps:#?}", steps.len());
    fs::remove_dir_all(&room.root).expect("removes");
    let mut written = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let first = index as u64 * 4 * LINES;
        let (room, lines) = prepared(folder.path(), &format!("step-{index}"), ledger, first);
        let how = format!("signal=KILL:when={}", step.nth);
        let daemon = room.start_as(tampered(&step.name, &room.root.join(&step.path), &how));
        let (status, said) = daemon.wait_for_end();
        assert_eq!(status.signal(), Some(SIGKILL), "{step:?}: {status}: {said:#?}");
        if index % 3 == 0 {
            fs::rename(room.log(), room.log().with_extension("log.1")).expect("renames");
        }
        let more = first + lines..first + lines + LINES;
        room.write(more.clone());
        room.catch_up();
        written.push(first..more.end);
    }
    let origin = |number: u64| format!("killed before {:?}", steps[(number / (4 * LINES)) as usize]);
    assert_each_line_once(&folder.path().join("step-*/state"), written.into_iter().flatten(), origin);
}

#[test]
fn killed_before_each_step_of_the_first_commit_nothing_is_lost_or_doubled() {
    // Three days, each a folder, a file and its way into place; then the state.
    killed_before_each_step(Ledger::New, 28);
}

#[test]
fn killed_before_each_step_of_a_later_commit_nothing_is_lost_or_doubled() {
    killed_before_each_step(Ledger::Old, 26);
}

// ---- the power fails: what is not synced may be gone, in any order ----

/// For each rename: the file was synced after its last write, and its folder was synced after the rename.
fn renames_are_durable(calls: &[Call]) {
    for rename in calls.iter().filter(|call| call.name == "rename") {
        let [from, to] = &rename.paths[..] else { panic!("two names: {rename:?}") };
        let written = calls.iter().filter(|call| call.is("write", from) && call.ended < rename.begun);
        let written = written.map(|call| call.ended).max().unwrap_or_else(|| panic!("never written: {rename:?}"));
        let is_synced = calls
            .iter()
            .any(|call| call.is("fsync", from) && call.succeeded && written < call.begun && call.ended < rename.begun);
        assert!(is_synced, "{} got its name before its content was durable", to.display());
        let folder = to.parent().expect("a folder");
        let is_named = calls.iter().any(|call| call.is("fsync", folder) && call.succeeded && rename.ended < call.begun);
        assert!(is_named, "{} got a name that was never made durable", to.display());
    }
}

/// Before `state.json` is replaced, everything that its marks speak of is durable: day files' names, and folders.
fn state_comes_last(room: &Room, calls: &[Call]) {
    let (days, states) = renames(room, calls);
    assert!(days[DAYS - 1].ended < states[0].begun, "state.json was replaced before the days of its marks");
    let folders = calls.iter().filter(|call| call.name == "mkdir" && call.succeeded);
    let names = folders.map(|call| (call, &call.paths[0])).chain(days.into_iter().map(|call| (call, &call.paths[1])));
    for (call, name) in names.filter(|(_, name)| name.starts_with(room.state().join("usage"))) {
        let state = states.iter().find(|state| call.ended < state.begun).expect("a state after it");
        let folder = name.parent().expect("a folder");
        let is_durable = |sync: &Call| {
            sync.is("fsync", folder) && sync.succeeded && call.ended < sync.begun && sync.ended < state.begun
        };
        assert!(calls.iter().any(is_durable), "state.json was replaced before {} was durable", name.display());
    }
}

/// A state that knows something as said is only there once the history has it.
fn what_was_said_comes_before_the_state(room: &Room, calls: &[Call]) {
    let (_, states) = renames(room, calls);
    let history = room.state().join("alerts.jsonl");
    for write in calls.iter().filter(|call| call.is("write", &history)) {
        let state = states.iter().find(|state| write.ended < state.begun).expect("a state after it");
        let is_durable = |sync: &Call| {
            sync.is("fsync", &history) && sync.succeeded && write.ended < sync.begun && sync.ended < state.begun
        };
        assert!(calls.iter().any(is_durable), "state.json was replaced before what was said was durable");
    }
}

#[test]
fn whatever_a_commit_relies_on_is_durable_first() {
    for ledger in [Ledger::New, Ledger::Old] {
        let folder = tempfile::tempdir().expect("a directory");
        let (room, calls) = record(folder.path(), ledger);
        renames_are_durable(&calls);
        state_comes_last(&room, &calls);
        what_was_said_comes_before_the_state(&room, &calls);
        let others = ["lock", "alerts.jsonl"].map(|name| room.state().join(name));
        for call in calls.iter().filter(|call| call.name == "write" && !others.contains(&call.paths[0])) {
            // What has its last name already is never written to.
            assert!(call.paths[0].to_string_lossy().ends_with(".tmp"), "{call:?}");
        }
    }
}

// ---- a disk that is full, or fails ----

/// What the disk refuses: a call on this path, below the state directory.
struct Refusal {
    call: &'static str,
    path: String,
    error: &'static str,
}

fn refusals() -> Vec<Refusal> {
    let day = |name: &str| format!("usage/date=2026-02-28{name}");
    let day_file = day(&format!("/.{HOST}.parquet.tmp"));
    let state_file = ".state.json.tmp".to_owned();
    let refusal = |call, path: &str, error| Refusal { call, path: path.to_owned(), error };
    vec![
        refusal("mkdir", &day(""), "ENOSPC"),
        refusal("openat", &day_file, "ENOSPC"),
        refusal("write", &day_file, "ENOSPC"),
        refusal("write", &state_file, "ENOSPC"),
        refusal("fsync", &day_file, "EIO"),
        refusal("fsync", &day(""), "EIO"),
        refusal("fsync", &state_file, "EIO"),
        refusal("fsync", "", "EIO"),
        refusal("rename", &day_file, "EIO"),
    ]
}

/// All lines of a room with a bad disk.
const LINES_SUFFERED: u64 = 4 * LINES;

impl Refusal {
    /// A daemon that has counted all lines from `first` on, and cannot save the last of them.
    fn suffered_by(&self, room: &Room, first: u64) -> common::Daemon {
        room.write(first..first + LINES);
        let has_old_ledger = self.call != "mkdir";
        if has_old_ledger {
            room.catch_up();
        }
        let already = if has_old_ledger { LINES } else { 0 };
        room.write(first + LINES..first + 2 * LINES);
        // Without the slash that joining nothing leaves at the end.
        let path: PathBuf = room.state().join(&self.path).components().collect();
        let mut daemon = room.start_as(tampered(self.call, &path, &format!("error={}", self.error)));
        daemon.wait_for_metric(COMMIT_FAILURES, |failures| failures >= 1.0);
        room.write(first + 2 * LINES..first + LINES_SUFFERED);
        assert!(daemon.wait_until_counted(LINES_SUFFERED - already), "counting stopped: {self}");
        let failures = daemon.metric(COMMIT_FAILURES).expect("it is there");
        daemon.wait_for_metric(COMMIT_FAILURES, |now| now > failures);
        daemon
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "{} of {:?} gave {}", self.call, self.path, self.error)
    }
}

/// Each refusal in a room of its own, all at once: mostly they wait for the next try. In the end all is counted.
fn after_each_refusal(go_on: impl Fn(&Refusal, common::Daemon) + Sync) {
    let folder = tempfile::tempdir().expect("a directory");
    let refusals = refusals();
    std::thread::scope(|scope| {
        for (index, refusal) in refusals.iter().enumerate() {
            let room = Room::below(folder.path(), &format!("refusal-{index}"));
            let go_on = &go_on;
            scope.spawn(move || {
                go_on(refusal, refusal.suffered_by(&room, index as u64 * LINES_SUFFERED));
                room.catch_up();
            });
        }
    });
    let lines = 0..refusals.len() as u64 * LINES_SUFFERED;
    let origin = |number: u64| refusals[(number / LINES_SUFFERED) as usize].to_string();
    assert_each_line_once(&folder.path().join("refusal-*/state"), lines, origin);
}

#[test]
fn what_a_bad_disk_refused_is_saved_once_it_is_well_again() {
    after_each_refusal(|_, mut daemon| {
        let_go(daemon.pid());
        daemon.wait_for_words("counts are saved again");
        // Saved is saved.
        daemon.kill();
    });
}

#[test]
fn a_stop_while_the_disk_is_bad_says_so_and_the_next_start_counts_it() {
    after_each_refusal(|refusal, daemon| {
        let (status, _, said) = daemon.terminate();
        assert_eq!(status.code(), Some(1), "{refusal}: {said:#?}");
        let words = "the last counts could not be saved; they are counted again at the next start";
        assert!(said.iter().any(|line| line.contains(words)), "{refusal}: {said:#?}");
    });
}

#[test]
fn a_crash_while_the_disk_is_bad_costs_nothing() {
    after_each_refusal(|_, daemon| daemon.kill());
}

// ---- a stop under load ----

/// A second is the promise (it takes some ten milliseconds); the rest is for a machine busy with other tests.
const STOP_MAX: Duration = Duration::from_secs(5);
/// To catch up with at the first start: some megabyte, for which a build without optimisation takes a while.
const BACKLOG_LINES: u64 = 8_000;

#[test]
fn a_stop_under_load_is_quick() {
    let room = Room::new();
    room.write(0..BACKLOG_LINES);
    let writer = Writer::start(&room.log(), BACKLOG_LINES);
    for stop in 0..4 {
        let mut daemon = room.start();
        // The first in the middle of catching up, the others at work.
        daemon.wait_for_words("metrics at");
        if stop > 0 {
            assert!(daemon.wait_until_counted(1), "nothing is counted");
        }
        let (status, took, said) = daemon.terminate();
        eprintln!("stop {stop} took {took:?}");
        assert!(status.success(), "{said:#?}");
        assert!(took < STOP_MAX, "stop {stop} took {took:?}");
    }
    let written = writer.finish();
    room.catch_up();
    room.assert_each_line_once(written);
}

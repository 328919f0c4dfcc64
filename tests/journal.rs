//! systemd's journal as a source: real journal files, the real journalctl, the real daemon. Each entry counts once,
//! through restarts, crashes, rotations and vacuums, or the day says that it may not have.

mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::journal::{JournalDirectory, with_journalctl};
use common::lines::{assert_each_line_once, assert_lines_once};
use common::strace::tampered;
use common::{Daemon, daycap, run};

const SIGKILL: i32 = 9;
const LINES: u64 = 30;
/// The days of the lines: each commit writes all of them.
const DAYS: [&str; 3] = ["2026-02-27", "2026-02-28", "2026-03-01"];
const UNIT: &str = "app.service";

/// A journal, a state directory and a configuration that reads one unit, or what else is said.
struct Room {
    root: PathBuf,
    journal: JournalDirectory,
    _temporary: tempfile::TempDir,
}

impl Room {
    fn new() -> Room {
        Room::reading("journal = \"app\"")
    }

    fn reading(what: &str) -> Room {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path().to_owned();
        fs::create_dir(root.join("state")).expect("a directory");
        let room = Room { journal: JournalDirectory::new(root.join("journal")), root, _temporary: temporary };
        room.configure(what);
        room
    }

    fn configure(&self, what: &str) {
        let text = format!(
            "[state]\ndir = {:?}\nhost = \"web\"\ncommit_interval = \"20ms\"\nkeep = \"36500d\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"sync\"\n{what}\njournal_directory = {:?}\n[[quota]]\nname = \"prod\"\nlimit = 40000\n",
            self.state(),
            self.journal.path
        );
        fs::write(self.config(), text).expect("writes");
    }

    fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    fn config(&self) -> PathBuf {
        self.root.join("daycap.toml")
    }

    fn start(&self) -> Daemon {
        self.start_as(daycap())
    }

    fn start_as(&self, command: Command) -> Daemon {
        Daemon::start_as(command, &["--config", self.config().to_str().expect("UTF-8")])
    }

    /// Count what is there now, and end; what was said.
    fn catch_up(&self) -> Vec<String> {
        let mut daemon = self.start();
        daemon.wait_for_words("prod: ");
        let (status, _, said) = daemon.terminate();
        assert!(status.success(), "{said:#?}");
        said
    }

    fn assert_each_line_once(&self, lines: u64) {
        self.catch_up();
        assert_each_line_once(&self.state(), 0..lines, |_| "the journal".to_owned());
        self.catch_up();
        assert_each_line_once(&self.state(), 0..lines, |_| "the journal, after another start".to_owned());
    }

    fn verify(&self) -> (String, i32) {
        let (out, words, code) =
            run(daycap().args(["verify", "--format", "csv", "--config"]).arg(self.config().as_os_str()));
        (out + &words, code)
    }
}

#[test]
fn journal_entries_count_once_through_restarts_and_rotations() {
    let mut room = Room::new();
    room.journal.write(UNIT, 0..LINES);
    room.catch_up();
    room.journal.write(UNIT, LINES..2 * LINES);
    room.journal.write(UNIT, 2 * LINES..3 * LINES);
    room.assert_each_line_once(3 * LINES);
    assert_eq!(room.journal.archives().len(), 2, "it was rotated twice");
}

#[test]
fn a_running_daemon_counts_entries_as_they_come() {
    let mut room = Room::reading("journal = \"app\"\nformat = \"json\"");
    let mut daemon = room.start();
    daemon.wait_for_words("waiting: the journal has no entry");
    for round in 0..3 {
        room.journal.write(UNIT, round * LINES..(round + 1) * LINES);
        assert!(daemon.wait_until_counted((round + 1) * LINES), "{:#?}", daemon.said);
    }
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    room.assert_each_line_once(3 * LINES);
}

/// A commit renames a file for each day, and then the state. After a crash before any of them, the entries since the
/// state's cursor are read again, and those of the days that were written are passed over.
#[test]
fn killed_before_each_rename_of_a_commit_no_entry_is_lost_or_doubled() {
    let days = DAYS.map(|day| PathBuf::from(format!("usage/date={day}/.web.parquet.tmp")));
    for last in days.iter().map(PathBuf::as_path).chain([Path::new(".state.json.tmp")]) {
        for is_first_commit in [true, false] {
            let mut room = Room::new();
            room.journal.write(UNIT, 0..LINES);
            let mut lines = LINES;
            if !is_first_commit {
                room.catch_up();
                room.journal.write(UNIT, LINES..2 * LINES);
                lines += LINES;
            }
            let daemon = room.start_as(tampered("rename", &room.state().join(last), "signal=KILL:when=1"));
            let (status, said) = daemon.wait_for_end();
            assert_eq!(status.signal(), Some(SIGKILL), "{last:?}: {status}: {said:#?}");
            room.journal.write(UNIT, lines..lines + LINES);
            room.assert_each_line_once(lines + LINES);
        }
    }
}

#[test]
fn a_lost_state_counts_no_entry_twice_though_the_journal_was_vacuumed() {
    let mut room = Room::new();
    room.journal.write(UNIT, 0..LINES);
    room.journal.write(UNIT, LINES..2 * LINES);
    room.catch_up();
    room.journal.vacuum();
    for name in ["state.json", "state.previous.json"] {
        fs::write(room.state().join(name), "{").expect("writes");
    }
    room.journal.write(UNIT, 2 * LINES..3 * LINES);
    room.assert_each_line_once(3 * LINES);
}

#[test]
fn a_journal_vacuumed_before_it_was_read_is_a_told_loss() {
    let mut room = Room::new();
    room.journal.write(UNIT, 0..LINES);
    room.catch_up();
    room.journal.write(UNIT, LINES..2 * LINES);
    room.journal.write(UNIT, 2 * LINES..3 * LINES);
    room.journal.vacuum();
    // Entries are of another time than this test's; what daycap knows is when it last looked.
    let state = room.state().join("state.json");
    let text = fs::read_to_string(&state).expect("reads");
    assert!(text.contains("\"cursor\":\"s="), "{text}");
    forget_when_it_was_saved(&room.state());
    let said = room.catch_up();
    let told = said.iter().any(|line| line.contains("lines are lost") && line.contains("the journal was vacuumed"));
    assert!(told, "{said:#?}");
    assert_lines_once(
        &room.state(),
        0..3 * LINES,
        |number| !(LINES..2 * LINES).contains(&number),
        |_| "the journal".to_owned(),
    );
}

/// A state that does not say when it was saved, as the first versions wrote it: the last entry's own time stands for it.
fn forget_when_it_was_saved(state: &Path) {
    let path = state.join("state.json");
    let text = fs::read_to_string(&path).expect("reads");
    let (before, body) = text.split_once("\"state\":").expect("an envelope");
    let body = body.strip_suffix('}').expect("closed");
    let mut value: serde_json::Value = serde_json::from_str(body).expect("JSON");
    value["saved"] = serde_json::Value::Null;
    let body = value.to_string();
    let checksum = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(body.as_bytes()));
    let version = before.split("\"checksum\"").next().expect("a version");
    fs::write(&path, format!("{version}\"checksum\":\"{checksum}\",\"state\":{body}}}")).expect("writes");
}

/// The last entry of a quiet unit goes with the oldest files, and nothing is missing.
#[test]
fn a_journal_vacuumed_after_it_was_read_is_no_loss() {
    let mut room = Room::new();
    room.journal.write(UNIT, 0..LINES);
    room.catch_up();
    room.journal.write("other.service", LINES..2 * LINES);
    room.journal.vacuum();
    let said = room.catch_up();
    assert!(!said.iter().any(|line| line.contains("lost")), "{said:#?}");
    room.journal.write(UNIT, LINES..2 * LINES);
    room.assert_each_line_once(2 * LINES);
}

#[test]
fn only_the_units_and_fields_that_are_named_count() {
    let mut room = Room::reading("journal = [\"app\", \"_SYSTEMD_UNIT=sync@1.service\"]");
    room.journal.write(UNIT, 0..10);
    room.journal.write("sync@1.service", 10..20);
    room.journal.write("other.service", 20..30);
    room.catch_up();
    assert_each_line_once(&room.state(), 0..20, |_| "the journal".to_owned());
    room.configure("journal = [\"other\", \"app\", \"sync@1.service\"]");
    room.assert_each_line_once(30);
}

#[test]
fn an_entry_that_two_matches_have_counts_once() {
    let mut room = Room::reading("journal = [\"app\", \"SYSLOG_IDENTIFIER=app\"]");
    room.journal.write(UNIT, 0..10);
    room.journal.write("other.service", 10..20);
    room.assert_each_line_once(20);
}

#[test]
fn messages_that_are_no_text_keep_no_other_from_counting() {
    let mut room = Room::new();
    room.journal.write(UNIT, 0..LINES);
    room.journal.write_message(UNIT, b"not\0text\xff");
    room.journal.write_message(UNIT, b"one\nmessage\nof three lines");
    room.journal.write_message(UNIT, &b"longer than a line may be ".repeat(100_000));
    room.journal.write(UNIT, LINES..2 * LINES);
    room.assert_each_line_once(2 * LINES);
}

#[test]
fn a_unit_s_entries_can_be_verified_while_they_are_there() {
    let mut room = Room::new();
    room.journal.write(UNIT, 0..LINES);
    room.journal.write(UNIT, LINES..2 * LINES);
    room.catch_up();
    let (words, code) = room.verify();
    assert_eq!((words.matches(",equal,").count(), code), (DAYS.len(), 0), "{words}");
    room.journal.vacuum();
    let (words, code) = room.verify();
    assert_eq!((words.matches(",cannot be checked,").count(), code), (DAYS.len(), 0), "{words}");
}

#[test]
fn a_journalctl_that_is_not_there_or_fails_is_a_problem_with_a_remedy() {
    let cases = [
        ("exec /nowhere/journalctl", "journalctl failed ("),
        ("echo 'Bad message' >&2; exit 1", "journalctl failed (Bad message); it is asked again in a minute"),
        (
            "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1",
            "add daycap's user to the group systemd-journal or adm",
        ),
    ];
    for (script, words) in cases {
        let room = Room::new();
        let mut daemon = room.start_as(with_journalctl(&room.root, script));
        daemon.wait_for_words(words);
    }
    let room = Room::new();
    let mut nowhere = daycap();
    nowhere.env("PATH", &room.root);
    room.start_as(nowhere).wait_for_words("journalctl is not there");
}

//! Real rotations on the real binary: logrotate in its modes and Python's rotating handlers turn the log under a
//! client that keeps writing, and in the end each line is in the ledger exactly once.

mod common;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use common::lines::{LINES_MAX, assert_lines_once, line, numbers, requests};
use common::room::Room;
use common::writer::{self, Writer};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Rotations while the daemon runs, in pairs: one when it has read something, one right behind it.
const ROTATIONS: u64 = 6;
/// The same for archives named by the second: each takes one.
const DATED_ROTATIONS: u64 = 2;

/// What the writer does around a rotation. A real one is told by a signal in `postrotate`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reopens {
    /// Some time after logrotate is done: until then it writes to the renamed file.
    Afterwards,
    /// Before logrotate compresses: what it would write later would be lost with the plain file. So `postrotate`
    /// waits for it.
    BeforeCompression,
    /// Never, for the file stays. But logrotate destroys what is written between its copy and its truncation,
    /// before anybody has to read it; so here the writer holds still while logrotate runs.
    Never,
    /// Never, and it does not hold still either.
    NeverAndWritesOn,
}

/// logrotate with a configuration and a state of its own.
struct Logrotate {
    config: PathBuf,
    state: PathBuf,
}

impl Logrotate {
    fn new(room: &Room, directives: &str, postrotate: &str) -> Logrotate {
        let config = room.root.join("logrotate.conf");
        let text = format!(
            "\"{}\" {{\n  rotate 1000\n  {directives}\n  postrotate\n    {postrotate}\n  endscript\n}}\n",
            room.log().display()
        );
        fs::write(&config, text).expect("writes");
        Logrotate { config, state: room.root.join("logrotate.state") }
    }

    /// `false` if the archive's name is taken: names by date change once a second.
    fn run(&self) -> bool {
        // Debian keeps it where only root's PATH leads.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("logrotate");
        command.env("PATH", path).arg("-f").arg("-s").arg(&self.state).arg(&self.config);
        let output = command.output().unwrap_or_else(|error| panic!("logrotate: {error}; run `make test`"));
        let words = String::from_utf8_lossy(&output.stderr);
        let is_taken = words.contains("already exists, skipping rotation");
        assert!(is_taken || output.status.success() && words.is_empty(), "{}: {words}", output.status);
        !is_taken
    }
}

/// The writer's side of `postrotate`: two named pipes, on which both wait.
struct Postrotate {
    request: PathBuf,
    answer: PathBuf,
}

impl Postrotate {
    fn new(room: &Room) -> Postrotate {
        let pipe = |name: &str| {
            let path = room.root.join(name);
            assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
            path
        };
        Postrotate { request: pipe("request"), answer: pipe("answer") }
    }

    fn script(&self) -> String {
        format!("echo reopen > {}; read answer < {}", self.request.display(), self.answer.display())
    }

    /// Serve the script until the end is asked for.
    fn serve(&self, writer: Sender<writer::Command>) {
        let (request, answer) = (self.request.clone(), self.answer.clone());
        std::thread::spawn(move || {
            while fs::read_to_string(&request).expect("a request") == "reopen\n" {
                let (done, reopened) = channel();
                writer.send(writer::Command::Reopen(done)).expect("the writer runs");
                reopened.recv().expect("the writer reopens");
                fs::write(&answer, "done\n").expect("the script waits");
            }
        });
    }

    fn end(&self) {
        fs::write(&self.request, "end\n").expect("somebody listens");
    }
}

/// A client, and what turns its log.
struct Rotation {
    logrotate: Logrotate,
    reopens: Reopens,
    postrotate: Postrotate,
    writer: Writer,
    reopened: Option<Receiver<()>>,
    logs: PathBuf,
}

impl Rotation {
    fn new(room: &Room, directives: &str, reopens: Reopens) -> Rotation {
        let postrotate = Postrotate::new(room);
        let script = if reopens == Reopens::BeforeCompression { postrotate.script() } else { "true".to_owned() };
        let writer = Writer::start(&room.log(), 0);
        postrotate.serve(writer.commands());
        let logrotate = Logrotate::new(room, directives, &script);
        Rotation { logrotate, reopens, postrotate, writer, reopened: None, logs: room.logs() }
    }

    fn rotate(&mut self) {
        if let Some(reopened) = self.reopened.take() {
            reopened.recv().expect("the writer reopens");
        }
        let before = archives(&self.logs);
        let pause = (self.reopens == Reopens::Never).then(|| self.writer.pause());
        while !self.logrotate.run() {}
        drop(pause);
        assert_eq!(archives(&self.logs), before + 1);
        if self.reopens == Reopens::Afterwards {
            self.reopened = Some(self.writer.reopen());
        }
    }

    /// How many lines were written.
    fn finish(self) -> u64 {
        self.postrotate.end();
        self.writer.finish()
    }
}

fn archives(logs: &Path) -> usize {
    fs::read_dir(logs).expect("a directory").count() - 1
}

/// A life of rotations, with the daemon and without it; gives the room and how many lines were written.
fn rotated(directives: &str, reopens: Reopens) -> (Room, u64) {
    let room = Room::new();
    let mut rotation = Rotation::new(&room, directives, reopens);
    let mut daemon = room.start();
    let rotations = if directives.contains("dateext") { DATED_ROTATIONS } else { ROTATIONS };
    for number in 0..rotations {
        if number % 2 == 0 {
            let counted = daemon.counted();
            assert!(daemon.wait_until_counted(counted + 1), "nothing is counted any more after rotation {number}");
        }
        rotation.rotate();
    }
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    let counted = requests(&room.state());
    // Twice while nobody looks, and once while what they left is read.
    rotation.rotate();
    rotation.rotate();
    let mut daemon = room.start();
    rotation.rotate();
    let written = rotation.finish();
    if reopens == Reopens::NeverAndWritesOn {
        // How many lines are there to count is not known; what is left, the next start counts.
        daemon.wait_for_words("prod: ");
    } else {
        daemon.wait_until_counted(written - counted);
    }
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    (room, written)
}

fn each_line_counts_once(directives: &str, reopens: Reopens) {
    let (room, written) = rotated(directives, reopens);
    room.assert_each_line_once(written);
}

/// What logrotate destroyed in its own window may count or not: daycap may have been quicker. All else counts once.
fn each_line_that_is_left_counts_once(directives: &str) {
    let (room, written) = rotated(directives, Reopens::NeverAndWritesOn);
    room.catch_up();
    let mut left = HashSet::new();
    for entry in fs::read_dir(room.logs()).expect("a directory") {
        let path = entry.expect("an entry").path();
        let mut bytes = fs::read(&path).expect("reads");
        if path.extension().is_some_and(|extension| extension == "gz") {
            bytes.clear();
            MultiGzDecoder::new(File::open(&path).expect("opens")).read_to_end(&mut bytes).expect("unpacks");
        }
        left.extend(numbers(&bytes));
    }
    let left = &left;
    let origin = |number| if left.contains(&number) { "in a file" } else { "destroyed by logrotate" }.to_owned();
    assert_lines_once(&room.state(), 0..written, |number| left.contains(&number), origin);
}

#[test]
fn a_log_that_logrotate_renames_counts_once() {
    each_line_counts_once("create", Reopens::Afterwards);
}

#[test]
fn a_log_that_logrotate_copies_and_truncates_counts_once() {
    each_line_counts_once("copytruncate", Reopens::Never);
}

#[test]
fn a_log_that_logrotate_copies_compresses_and_truncates_counts_once() {
    each_line_counts_once("copytruncate\n  compress", Reopens::Never);
}

#[test]
fn a_log_that_is_written_to_while_logrotate_copies_and_truncates_counts_no_line_twice() {
    each_line_that_is_left_counts_once("copytruncate");
}

#[test]
fn a_log_that_is_written_to_while_logrotate_copies_compresses_and_truncates_counts_no_line_twice() {
    each_line_that_is_left_counts_once("copytruncate\n  compress");
}

#[test]
fn a_log_that_logrotate_compresses_at_once_counts_once() {
    each_line_counts_once("create\n  compress", Reopens::BeforeCompression);
}

#[test]
fn a_log_that_logrotate_compresses_at_the_next_rotation_counts_once() {
    each_line_counts_once("create\n  compress\n  delaycompress", Reopens::Afterwards);
}

#[test]
fn a_log_that_logrotate_names_by_date_counts_once() {
    each_line_counts_once("create\n  dateext\n  dateformat -%Y%m%d-%s", Reopens::Afterwards);
}

#[test]
fn a_log_that_logrotate_names_by_date_and_compresses_counts_once() {
    each_line_counts_once("create\n  compress\n  dateext\n  dateformat -%Y%m%d-%s", Reopens::BeforeCompression);
}

/// What logrotate does while daycap does not get to run: of 100 lines read, this many got into the copy.
fn a_copy_of_what_was_read_counts_once(copied: usize, compressed: bool) {
    let room = Room::new();
    room.write(0..100);
    let mut daemon = room.start();
    assert!(daemon.wait_until_counted(100));
    daemon.signal("STOP");
    let copy: String = (0..100).map(line).take(copied).collect();
    if compressed {
        let mut gz =
            GzEncoder::new(File::create(room.logs().join("app.log.1.gz")).expect("creates"), Compression::fast());
        gz.write_all(copy.as_bytes()).expect("packs");
        gz.finish().expect("packs");
    } else {
        fs::write(room.logs().join("app.log.1"), copy).expect("writes");
    }
    File::create(room.log()).expect("truncates");
    room.write(100..200);
    daemon.signal("CONT");
    assert!(daemon.wait_until_counted(200));
    assert!(daemon.terminate().0.success());
    room.assert_each_line_once(200);
}

#[test]
fn a_whole_copy_of_what_was_read_counts_once() {
    a_copy_of_what_was_read_counts_once(100, false);
    a_copy_of_what_was_read_counts_once(100, true);
}

#[test]
fn a_copy_of_less_than_was_read_counts_once() {
    a_copy_of_what_was_read_counts_once(90, false);
}

#[test]
fn a_compressed_copy_of_less_than_was_read_counts_once() {
    a_copy_of_what_was_read_counts_once(90, true);
}

/// A Python process at full speed: it has to take lines until there are this many archives and lines.
fn each_line_of_a_handler_counts_once(handler: &str, archives_min: usize, lines_min: u64) {
    let room = Room::new();
    let mut daemon = room.start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/write_log.py");
    let mut client = Command::new("python3").arg(script).arg(handler).arg(room.log()).stdin(Stdio::piped()).spawn();
    let client = client.as_mut().expect("python3 is in PATH");
    let mut input = std::io::BufWriter::new(client.stdin.take().expect("a pipe"));
    let mut written = 0;
    while written < lines_min || archives(&room.logs()) < archives_min {
        assert!(written < LINES_MAX, "the handler does not rotate");
        for _ in 0..1000 {
            input.write_all(line(written).as_bytes()).expect("the client reads");
            written += 1;
        }
    }
    input.into_inner().expect("the client reads");
    assert!(client.wait().expect("ends").success());
    daemon.wait_until_counted(written);
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    room.assert_each_line_once(written);
}

#[test]
fn a_log_that_python_rotates_by_size_counts_once() {
    each_line_of_a_handler_counts_once("size", 100, 50_000);
}

#[test]
fn a_log_that_python_rotates_by_time_counts_once() {
    each_line_of_a_handler_counts_once("time", 3, 50_000);
}

/// The same directory, mounted in a second place as containers do, in a mount namespace of its own.
#[test]
fn a_log_seen_through_a_bind_mount_counts_once() {
    let room = tempfile::tempdir().expect("a directory");
    for name in ["logs", "other"] {
        std::fs::create_dir(room.path().join(name)).expect("a directory");
    }
    let log = "{\"ts\":\"2026-11-22T10:00:00Z\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200}\n".repeat(5);
    std::fs::write(room.path().join("logs/app.log"), log).expect("writes");
    let script = "mount --bind logs other && exec \"$0\" ingest --state state logs/app.log other/app.log";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_daycap")]);
    let (_, words, code) = common::run(command.current_dir(room.path()));
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("5 requests counted"), "{words}");
}

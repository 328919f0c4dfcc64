//! The real binary, as the tests drive it: started, watched, asked, stopped, killed.
//! Nothing here sleeps: every wait is for a line, a file event or an answer, and has a deadline.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod journal;
pub mod lines;
pub mod receiver;
pub mod room;
pub mod strace;
pub mod writer;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longer than anything takes here, even on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Often enough to go on soon, and seldom enough to leave the processor to the daemon.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// The binary under test.
pub fn daycap() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daycap"));
    command.env_remove("STATE_DIRECTORY").env_remove("JOURNAL_STREAM").env("NO_COLOR", "1");
    command
}

/// Run to the end; stdout, stderr and the exit code.
pub fn run(command: &mut Command) -> (String, String, i32) {
    let output = command.output().expect("daycap runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr), output.status.code().expect("an exit code"))
}

/// A running daemon. It is killed when dropped.
pub struct Daemon {
    child: Child,
    words: Receiver<String>,
    /// Heard while waiting for something else.
    heard: VecDeque<String>,
    address: Option<String>,
    /// Everything it has said so far.
    pub said: Vec<String>,
}

impl Daemon {
    /// Start `daycap run` with these arguments, on a port of its own.
    pub fn start(arguments: &[&str]) -> Daemon {
        Daemon::start_as(daycap(), arguments)
    }

    /// Start it with an environment of its own.
    pub fn start_as(mut command: Command, arguments: &[&str]) -> Daemon {
        command.arg("run").args(arguments).stdin(Stdio::null());
        Daemon::spawn(command)
    }

    /// Start it behind a pipe, and give what writes to it.
    pub fn start_behind_a_pipe(arguments: &[&str]) -> (Daemon, ChildStdin) {
        let mut command = daycap();
        command.arg("run").args(arguments).stdin(Stdio::piped());
        let mut daemon = Daemon::spawn(command);
        let stdin = daemon.child.stdin.take().expect("a pipe");
        (daemon, stdin)
    }

    fn spawn(mut command: Command) -> Daemon {
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("the daemon starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, words) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Daemon { child, words, heard: VecDeque::new(), address: None, said: Vec::new() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Wait until it says a line with this in it.
    pub fn wait_for_words(&mut self, part: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let heard = self.heard.pop_front().ok_or(RecvTimeoutError::Timeout);
            let left = deadline.saturating_duration_since(Instant::now());
            match heard.or_else(|_| self.words.recv_timeout(left)) {
                Ok(line) => {
                    self.said.push(line.clone());
                    self.note_address(&line);
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("never said {part:?}: {:#?}", self.said),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without saying {part:?}: {:#?}", self.said),
            }
        }
    }

    /// Hear what it says for this long; it can still be waited for.
    pub fn listen(&mut self, span: Duration) {
        let deadline = Instant::now() + span;
        while let Ok(line) = self.words.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.note_address(&line);
            self.heard.push_back(line);
        }
    }

    fn note_address(&mut self, line: &str) {
        if let Some((_, after)) = line.split_once("metrics at http://") {
            self.address = after.split('/').next().map(str::to_owned);
        }
    }

    /// The body of an answer to GET.
    pub fn get(&mut self, path: &str) -> String {
        if self.address.is_none() {
            self.wait_for_words("metrics at http://");
        }
        let address = self.address.as_deref().expect("known by now");
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("asks");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answers");
        answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
    }

    /// The value of a metric, by its name and labels as they are printed.
    pub fn metric(&mut self, name: &str) -> Option<f64> {
        let body = self.get("/metrics");
        body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Ask for a metric again and again until it is as wanted.
    pub fn wait_for_metric(&mut self, name: &str, wanted: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !self.metric(name).is_some_and(&wanted) {
            assert!(Instant::now() < deadline, "{name} is {:?}", self.metric(name));
            self.listen(ASK_AGAIN);
        }
    }

    /// Lines counted since it started.
    pub fn counted(&mut self) -> u64 {
        // A metric's floats are exact up to 2^53.
        self.metric("daycap_log_lines_total{result=\"counted\",source=\"sync\"}").map_or(0, |lines| lines as u64)
    }

    /// Wait until so many lines are counted since it started. `false` when they do not come: which ones are
    /// missing, the ledger tells better.
    pub fn wait_until_counted(&mut self, lines: u64) -> bool {
        let deadline = Instant::now() + DEADLINE;
        while self.counted() < lines {
            if Instant::now() > deadline {
                return false;
            }
            self.listen(ASK_AGAIN);
        }
        true
    }

    /// Wait until it ends by itself, or is ended by somebody else.
    pub fn wait_for_end(mut self) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + DEADLINE;
        let mut said = self.take_said();
        loop {
            match self.words.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("never ended: {said:#?}"),
            }
        }
        (self.child.wait().expect("ends"), said)
    }

    /// SIGKILL: no chance to save anything.
    pub fn kill(mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("ends");
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    fn take_said(&mut self) -> Vec<String> {
        let mut said = std::mem::take(&mut self.said);
        said.extend(self.heard.drain(..));
        said
    }

    /// SIGTERM; how it ended, and after how long.
    pub fn terminate(mut self) -> (ExitStatus, Duration, Vec<String>) {
        let begun = Instant::now();
        self.signal("TERM");
        let status = self.child.wait().expect("ends");
        let took = begun.elapsed();
        let mut said = self.take_said();
        said.extend(self.words.iter());
        (status, took, said)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ledger's sums as DuckDB reads them: `minute|operation|status|requests`, sorted.
pub fn ledger_by_duckdb(state: &Path) -> Vec<String> {
    let python = std::env::var("DAYCAP_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_ledger.py");
    let output = Command::new(&python).arg(script).arg(state).output();
    let output = output.unwrap_or_else(|error| panic!("{python}: {error}; run `make test`, which installs it"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let groups = text.lines().skip_while(|line| !line.is_empty()).skip(1);
    groups.map(|line| line.split('|').take(4).collect::<Vec<_>>().join("|")).collect()
}

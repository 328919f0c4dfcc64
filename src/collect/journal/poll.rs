//! One run of journalctl becomes a batch of entries, each a line of JSON with its cursor. A batch is bounded, and so is
//! the time: a journalctl that hangs is killed.
//! This file never decides where to read from, nor what an entry means.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::process::{Pid, Signal, kill_process_group};

use super::cursor::{BYTES_MAX as CURSOR_BYTES_MAX, Cursor, KEY, instant};
use crate::collect::tail::LINE_BYTES_MAX;

/// Bytes taken from one run; the next goes on behind them.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// What journalctl says beside the entries is kept so far.
const WORDS_BYTES_MAX: usize = 4 << 10;
/// Read at once.
const READ_BYTES: usize = 64 << 10;
/// Of its list of files: a line a file and number, for some thousand files.
const HEADERS_BYTES_MAX: u64 = 16 << 20;

/// How journalctl is called.
#[derive(Clone, Debug)]
pub(in crate::collect) struct Program {
    pub(in crate::collect) path: PathBuf,
    /// A run that takes longer is killed; what it gave by then is used.
    pub(in crate::collect) patience: Duration,
}

impl Default for Program {
    /// Seconds are usual for a journal of gigabytes on a slow disk. The watchdog barks after a minute.
    fn default() -> Program {
        Program { path: "journalctl".into(), patience: Duration::from_secs(15) }
    }
}

/// Where a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Beginning,
    /// With this entry, if it is there still.
    Entry(Cursor),
    /// With what was received at this instant, to the second.
    Instant(DateTime<Utc>),
}

/// The lines that a run gave.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    entries: Vec<(Cursor, Range<usize>)>,
    next: usize,
    /// The bound was reached, or the time was up: more may follow.
    pub(super) is_cut: bool,
}

/// Whether all of a run's output was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    All,
    /// The rest is not wanted.
    Part,
}

/// Why a run gave nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no such program.
    Missing,
    /// The process may not read the journal.
    Forbidden,
    /// It was killed.
    Hung,
    /// What it said when it failed.
    Other(String),
}

impl Batch {
    /// The next entry and its line, which ends in LF.
    pub(super) fn next(&mut self) -> Option<(Cursor, &[u8])> {
        let (cursor, line) = self.entries.get(self.next)?.clone();
        self.next += 1;
        Some((cursor, &self.bytes[line]))
    }

    pub(super) fn peek(&self) -> Option<Cursor> {
        self.entries.get(self.next).map(|(cursor, _)| *cursor)
    }

    pub(super) fn last(&self) -> Option<Cursor> {
        self.entries.last().map(|(cursor, _)| *cursor)
    }

    /// Bytes that were not taken yet.
    pub(super) fn left(&self) -> &[u8] {
        self.entries.get(self.next).map_or(&[], |(_, line)| &self.bytes[line.start..])
    }

    /// Take in what journalctl prints, up to the bound. What is no entry is passed over.
    fn fill(&mut self, output: &mut impl Read) -> io::Result<Taken> {
        let mut line = Line::default();
        let mut buffer = vec![0; READ_BYTES];
        while self.bytes.len() < BATCH_BYTES_MAX {
            let read = match output.read(&mut buffer) {
                Ok(0) => return Ok(Taken::All),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            for part in buffer[..read].split_inclusive(|byte| *byte == b'\n') {
                line.add(part);
                if part.ends_with(b"\n") {
                    self.push(&mut line);
                }
            }
        }
        self.is_cut = true;
        Ok(Taken::Part)
    }

    fn push(&mut self, line: &mut Line) {
        if let Some(cursor) = line.cursor.take().or_else(|| Cursor::of_line(&line.text)) {
            let start = self.bytes.len();
            self.bytes.append(&mut line.text);
            self.entries.push((cursor, start..self.bytes.len()));
        }
        *line = Line::default();
    }
}

/// A line as it comes in, cut at [`LINE_BYTES_MAX`]; its cursor may stand anywhere.
#[derive(Default)]
struct Line {
    text: Vec<u8>,
    cursor: Option<Cursor>,
    /// Of an over-long line: the bytes that were passed last, in which a cursor may have begun.
    passed: Vec<u8>,
}

impl Line {
    fn add(&mut self, part: &[u8]) {
        let room = LINE_BYTES_MAX - self.text.len();
        if part.len() <= room && self.passed.is_empty() {
            return self.text.extend_from_slice(part);
        }
        if self.passed.is_empty() {
            self.cursor = Cursor::of_line(&self.text);
            self.passed.extend_from_slice(&self.text[self.text.len().saturating_sub(KEY.len() + CURSOR_BYTES_MAX)..]);
            self.text.truncate(LINE_BYTES_MAX - 1);
            self.text.extend_from_slice(&part[..room.saturating_sub(1).min(part.len())]);
            self.text.push(b'\n');
        }
        if self.cursor.is_none() {
            self.passed.extend_from_slice(part);
            self.cursor = Cursor::of_line(&self.passed);
            self.passed.drain(..self.passed.len().saturating_sub(KEY.len() + CURSOR_BYTES_MAX));
        }
    }
}

impl Program {
    /// The entries of this match from there on, in the journal's order.
    pub(super) fn entries(&self, matching: &str, directory: Option<&Path>, from: Place) -> Result<Batch, Failure> {
        let mut command = self.command(directory);
        command.args(["--output=json", "--all", matching]);
        match from {
            Place::Beginning => {}
            Place::Entry(cursor) => drop(command.arg(format!("--cursor={cursor}"))),
            Place::Instant(instant) => drop(command.arg(format!("--since=@{}", instant.timestamp()))),
        }
        let mut batch = Batch::default();
        let ended = self.run(command, |output| batch.fill(output))?;
        if ended.is_hung && batch.entries.is_empty() {
            return Err(Failure::Hung);
        }
        batch.is_cut |= ended.is_hung;
        if !batch.entries.is_empty() {
            return Ok(batch);
        }
        ended.judge().map(|()| batch)
    }

    /// Of each chain of journal files, when the first entry that is left of it was received.
    pub(super) fn oldest(&self, directory: Option<&Path>) -> Result<BTreeMap<u128, DateTime<Utc>>, Failure> {
        let mut command = self.command(directory);
        command.arg("--header");
        let mut text = Vec::new();
        let ended = self.run(command, |output| {
            let read = output.take(HEADERS_BYTES_MAX).read_to_end(&mut text)?;
            Ok(if read as u64 == HEADERS_BYTES_MAX { Taken::Part } else { Taken::All })
        })?;
        if ended.is_hung {
            return Err(Failure::Hung);
        }
        ended.judge().map(|()| oldest(&String::from_utf8_lossy(&text)))
    }

    fn command(&self, directory: Option<&Path>) -> Command {
        let mut command = Command::new(&self.path);
        command.env("LC_ALL", "C").arg("--no-pager");
        if let Some(directory) = directory {
            command.arg("--directory").arg(directory);
        }
        // Its own process group, so that all of it can be killed.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command
    }

    /// Run it, and let `take` have its output, until it wants no more or nothing more comes. What hangs is killed.
    fn run(
        &self,
        mut command: Command,
        take: impl FnOnce(&mut ChildStdout) -> io::Result<Taken>,
    ) -> Result<Ended, Failure> {
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::Missing,
            _ => Failure::Other(error.to_string()),
        })?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (mut output, mut errors) = (child.stdout.take(), child.stderr.take());
        let (running, ended) = channel::<()>();
        thread::scope(|scope| {
            let watch = scope.spawn(move || kill_when_due(group, &ended, self.patience));
            let listen = scope.spawn(|| errors.as_mut().map(listen).unwrap_or_default());
            let taken = output.as_mut().map_or(Ok(Taken::All), take);
            if !matches!(taken, Ok(Taken::All)) {
                kill(group);
            }
            let words = join(listen);
            let status = child.wait();
            drop(running);
            let is_hung = join(watch);
            let failed = |error: io::Error| Failure::Other(error.to_string());
            taken.map_err(failed)?;
            Ok(Ended { status: status.map_err(failed)?, words, is_hung })
        })
    }
}

/// How a run ended.
struct Ended {
    status: ExitStatus,
    words: String,
    is_hung: bool,
}

impl Ended {
    /// Whether a run that gave nothing had nothing to give.
    fn judge(&self) -> Result<(), Failure> {
        let is_forbidden = ["insufficient permissions", "not seeing messages", "Permission denied"];
        if is_forbidden.iter().any(|words| self.words.contains(words)) {
            return Err(Failure::Forbidden);
        }
        if self.status.success() {
            return Ok(());
        }
        let first = self.words.lines().next().map_or_else(|| self.status.to_string(), str::to_owned);
        Err(Failure::Other(first))
    }
}

/// Whether it was killed because its time was up.
fn kill_when_due(group: Option<Pid>, ended: &Receiver<()>, patience: Duration) -> bool {
    let is_due = ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
    if is_due {
        kill(group);
    }
    is_due
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // What has ended by itself need not be killed.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What it says, to its end; the beginning is kept.
fn listen(errors: &mut (impl Read + ?Sized)) -> String {
    let (mut words, mut buffer) = (Vec::new(), [0; WORDS_BYTES_MAX]);
    while let Ok(read @ 1..) = errors.read(&mut buffer) {
        let room = WORDS_BYTES_MAX.saturating_sub(words.len());
        words.extend_from_slice(&buffer[..read.min(room)]);
    }
    String::from_utf8_lossy(&words).into_owned()
}

/// The headers of journal files, as `journalctl --header` prints them: a paragraph a file.
fn oldest(headers: &str) -> BTreeMap<u128, DateTime<Utc>> {
    let mut oldest = BTreeMap::new();
    for file in headers.split("\n\n") {
        let value = |name: &str| file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let chain = value("Sequential number ID").and_then(|id| u128::from_str_radix(id.trim(), 16).ok());
        let in_brackets = |value: &str| {
            let (_, number) = value.trim_end_matches(')').rsplit_once('(')?;
            u64::from_str_radix(number, 16).ok()
        };
        let first = value("Head realtime timestamp").and_then(in_brackets);
        // A file that is empty yet has nothing older than what comes.
        if let (Some(chain), Some(first @ 1..)) = (chain, first) {
            let known = oldest.entry(chain).or_insert(instant(first));
            *known = instant(first).min(*known);
        }
    }
    oldest
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const CURSOR: &str = "s=a;i=1;b=b;m=1;t=660edd1a48640;x=5";

    /// What a journalctl gives that is this script: the length of each entry's line, or why it gave nothing.
    fn check(script: &str, patience: Duration) -> Result<(Vec<usize>, bool), Failure> {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("journalctl");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("may be run");
        let program = Program { path, patience };
        let mut batch = program.entries("A=b", None, Place::Beginning)?;
        let mut lines = Vec::new();
        while let Some((_, line)) = batch.next() {
            assert_eq!(memchr::memchr(b'\n', line), Some(line.len() - 1));
            lines.push(line.len());
        }
        Ok((lines, batch.is_cut))
    }

    const LONG: Duration = Duration::from_secs(60);

    fn entry(rest: &str) -> String {
        format!("{{\"__CURSOR\":\"{CURSOR}\",\"MESSAGE\":\"{rest}\"}}")
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        let lines = format!("echo '-- No entries --'; echo '{}'; echo '{{}}'", entry(""));
        let length = entry("").len() + 1;
        assert_eq!(check(&lines, LONG).expect("an entry"), (vec![length], false));
        assert_eq!(check("echo '-- No entries --'", LONG).expect("none"), (vec![], false));
    }

    #[test]
    fn an_entry_beyond_a_megabyte_is_cut_and_keeps_its_cursor_wherever_it_stands() {
        let message = "head -c 3000000 /dev/zero | tr '\\0' x";
        let first = format!("printf '{{\"__CURSOR\":\"{CURSOR}\",\"M\":\"'; {message}; echo '\"}}'");
        let last = format!("printf '{{\"M\":\"'; {message}; echo '\",\"__CURSOR\":\"{CURSOR}\"}}'");
        let next = format!("echo '{}'", entry("next"));
        let (lines, is_cut) = check(&format!("{first}\n{last}\n{next}"), LONG).expect("entries");
        assert_eq!((lines, is_cut), (vec![LINE_BYTES_MAX, LINE_BYTES_MAX, entry("next").len() + 1], false));
    }

    #[test]
    fn a_batch_has_a_bound_and_the_rest_is_not_waited_for() {
        let (lines, is_cut) = check(&format!("yes '{}'", entry("again")), LONG).expect("entries");
        let bytes: usize = lines.iter().sum();
        assert!(is_cut && (BATCH_BYTES_MAX..BATCH_BYTES_MAX + READ_BYTES).contains(&bytes), "{bytes}");
    }

    /// Its child holds the pipes, too.
    #[test]
    fn what_hangs_is_killed_and_what_it_gave_is_used() {
        let short = Duration::from_millis(300);
        assert!(matches!(check("sleep 600 & wait", short), Err(Failure::Hung)));
        let given = check(&format!("echo '{}'; sleep 600", entry("")), short).expect("an entry");
        assert_eq!(given, (vec![entry("").len() + 1], true));
    }

    #[test]
    fn a_failure_is_told_by_its_words() {
        let other = |script| match check(script, LONG) {
            Err(Failure::Other(words)) => words,
            other => panic!("{other:?}"),
        };
        assert_eq!(other("echo 'Bad message' >&2; exit 1"), "Bad message");
        assert_eq!(other("exit 3"), "exit status: 3");
        let words = "Hint: You are currently not seeing messages from other users and the system.";
        assert!(matches!(check(&format!("echo '{words}' >&2"), LONG), Err(Failure::Forbidden)));
        let program = Program { path: "/nowhere/journalctl".into(), patience: LONG };
        assert!(matches!(program.entries("A=b", None, Place::Beginning), Err(Failure::Missing)));
    }

    /// As journalctl 252 prints them; the last file has no entry yet.
    #[test]
    fn the_oldest_entry_of_each_chain_is_found_in_the_headers() {
        let file = |chain: &str, first: &str| {
            format!(
                "File path: x/system.journal\nSequential number ID: {chain}\nState: OFFLINE\n\
                 Head sequential number: 7 (7)\nHead realtime timestamp: Mon 2026-11-23 09:00:06 UTC ({first})\n"
            )
        };
        let headers = [file("a", "660edd1f0d180"), file("a", "660edd1a48640"), file("b", "1"), file("c", "0")];
        let oldest = oldest(&headers.join("\n"));
        assert_eq!(oldest, BTreeMap::from([(10, instant(0x0006_60ed_d1a4_8640)), (11, instant(1))]));
    }
}

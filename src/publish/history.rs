//! `<state>/alerts.jsonl`: every message that was said, a line of JSON each, appended in the order of saying.
//! A crash may have a message written twice, never lost; this file never decides what is said.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::message::Message;
use crate::day::{Day, Minute};

/// Some ten thousand messages, more than any person has read. The older half goes when there are more.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How far back a line's end is looked for at once.
const STEP_BYTES: u64 = 64 * 1024;

/// What was said, oldest first.
#[derive(Debug, Default, PartialEq)]
pub struct History {
    pub messages: Vec<Message>,
    /// Lines that are no message.
    pub unreadable: u64,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("alerts.jsonl")
}

/// Add these messages and see that they are on disk; forget those of before `from`. After an error, none of them
/// counts as written: whoever gives them again may write one twice, which the reader notices.
pub fn append(dir: &Path, messages: &[Message], from: Option<Day>) -> io::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    // First, so that a failure to shorten it does not lengthen it at each try.
    prune(dir, from, BYTES_MAX)?;
    let mut lines = Vec::new();
    for message in messages {
        serde_json::to_writer(&mut lines, message)?;
        lines.push(b'\n');
    }
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path(dir))?;
    let end = end_of_whole_lines(&file)?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    let written = file.write_all(&lines).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a line would be cut at the next try; without it, a reader has less to pass over.
        let _ = file.set_len(end);
    }
    written.and_then(|()| sync(dir))
}

/// Where the last whole line ends: behind it, a crash may have left the beginning of another.
fn end_of_whole_lines(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(STEP_BYTES);
        // At most a step.
        let mut bytes = vec![0; (end - start) as usize];
        file.read_exact_at(&mut bytes, start)?;
        if let Some(place) = memchr::memrchr(b'\n', &bytes) {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Keep the newest messages only: of no day before `from`, and half of the bytes that are allowed if there are more.
fn prune(dir: &Path, from: Option<Day>, bytes_max: u64) -> io::Result<()> {
    let is_large = match fs::metadata(path(dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?.len() > bytes_max,
    };
    if !is_large && !begins_before(dir, from)? {
        return Ok(());
    }
    let bytes = fs::read(path(dir))?;
    let kept = newest(&bytes, from, if is_large { bytes_max / 2 } else { bytes_max });
    let temporary = dir.join(".alerts.jsonl.tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(kept)?;
    file.sync_all()?;
    fs::rename(&temporary, path(dir))?;
    sync(dir)
}

/// Whether the oldest message is older than is kept.
fn begins_before(dir: &Path, from: Option<Day>) -> io::Result<bool> {
    let Some(from) = from else { return Ok(false) };
    let mut line = Vec::new();
    io::BufReader::new(File::open(path(dir))?).read_until(b'\n', &mut line)?;
    Ok(!line.is_empty() && !is_kept(&line, from))
}

fn is_kept(line: &[u8], from: Day) -> bool {
    let message: Option<Message> = serde_json::from_slice(line).ok();
    message.is_some_and(|message| Minute::at(message.at).utc_day() >= from)
}

/// The lines from the first that is kept on, at most so many bytes of the newest.
fn newest(bytes: &[u8], from: Option<Day>, bytes_max: u64) -> &[u8] {
    let mut rest = bytes;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at(end + 1);
        let is_too_much = rest.len() as u64 > bytes_max;
        if !is_too_much && from.is_none_or(|from| is_kept(line, from)) {
            return rest;
        }
        rest = after;
    }
    &[]
}

/// Everything that was said. A message that a crash had written twice is there once, and a last line that is not
/// whole (yet) is none.
pub fn read(dir: &Path) -> io::Result<History> {
    let bytes = match fs::read(path(dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(History::default()),
        bytes => bytes?,
    };
    let mut history = History::default();
    let mut seen = BTreeSet::new();
    let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |place| place + 1);
    for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice::<Message>(line) {
            Ok(message) if seen.insert((message.id.clone(), message.status)) => history.messages.push(message),
            Ok(_) => {}
            Err(_) => history.unreadable += 1,
        }
    }
    Ok(history)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;
    use crate::publish::message::Status;
    use chrono::TimeDelta;

    fn said(number: i64) -> Message {
        Message { id: format!("m{number}"), at: example::now() + TimeDelta::days(number), ..example::alert() }
    }

    fn ids(dir: &Path) -> Vec<String> {
        read(dir).expect("reads").messages.into_iter().map(|message| message.id).collect()
    }

    fn day(number: i64) -> Option<Day> {
        Some(Minute::at(said(number).at).utc_day())
    }

    #[test]
    fn what_was_said_is_read_back_in_order() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(read(dir.path()).expect("reads"), History::default());
        append(dir.path(), &[said(1), said(2)], None).expect("writes");
        append(dir.path(), &[], None).expect("writes");
        append(dir.path(), &[example::trouble()], None).expect("writes");
        assert_eq!(read(dir.path()).expect("reads").messages, [said(1), said(2), example::trouble()]);
    }

    #[test]
    fn what_a_crash_had_written_twice_is_there_once_and_its_end_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let over = Message { status: Status::Resolved, ..said(1) };
        for messages in [vec![said(1)], vec![said(1), over.clone()], vec![over.clone()]] {
            append(dir.path(), &messages, None).expect("writes");
        }
        assert_eq!(read(dir.path()).expect("reads").messages, [said(1), over]);
    }

    #[test]
    fn a_line_torn_at_any_byte_is_cut_and_nothing_else_is_lost() {
        let dir = tempfile::tempdir().expect("a directory");
        append(dir.path(), &[said(1)], None).expect("writes");
        let first = fs::read(path(dir.path())).expect("reads");
        append(dir.path(), &[said(2)], None).expect("writes");
        let both = fs::read(path(dir.path())).expect("reads");
        for length in first.len()..both.len() {
            fs::write(path(dir.path()), &both[..length]).expect("writes");
            assert_eq!(ids(dir.path()), ["m1"], "{length}");
            append(dir.path(), &[said(3)], None).expect("writes");
            assert_eq!(ids(dir.path()), ["m1", "m3"], "{length}");
        }
    }

    #[test]
    fn lines_that_are_no_messages_are_counted_and_passed_over() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(path(dir.path()), "{\"id\":1}\n\n\0\n").expect("writes");
        append(dir.path(), &[said(1)], None).expect("writes");
        assert_eq!(read(dir.path()).expect("reads"), History { messages: vec![said(1)], unreadable: 2 });
    }

    #[test]
    fn messages_of_days_that_are_not_kept_go_with_the_next_that_comes() {
        let dir = tempfile::tempdir().expect("a directory");
        append(dir.path(), &[said(1), said(2), said(3)], day(1)).expect("writes");
        append(dir.path(), &[said(4)], day(3)).expect("writes");
        assert_eq!(ids(dir.path()), ["m3", "m4"]);
        append(dir.path(), &[said(5)], day(9)).expect("writes");
        assert_eq!(ids(dir.path()), ["m5"]);
    }

    #[test]
    fn a_history_that_is_too_large_loses_its_older_half() {
        let dir = tempfile::tempdir().expect("a directory");
        let messages: Vec<_> = (0..100).map(said).collect();
        append(dir.path(), &messages, None).expect("writes");
        let bytes = fs::metadata(path(dir.path())).expect("is there").len();
        prune(dir.path(), None, bytes).expect("writes");
        assert_eq!(ids(dir.path()).len(), 100);
        prune(dir.path(), None, bytes - 1).expect("writes");
        let left = ids(dir.path());
        assert!((45..=50).contains(&left.len()) && left.last().is_some_and(|id| id == "m99"), "{left:?}");
    }

    /// A directory where the file should be stands for every disk that cannot be written.
    #[test]
    fn what_cannot_be_written_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(path(dir.path())).expect("a directory");
        assert!(append(dir.path(), &[said(1)], None).is_err());
    }
}

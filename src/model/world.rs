//! The logs of a made-up host: real files, their writers and rotators, and for each line whether it was ever whole.
//! What can be read at an instant is told by the disk itself, never by what should be there.
//! This file never knows what daycap counted.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use hashbrown::HashMap;
use memchr::memmem;
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

use super::history::{Family, Odd, Random};
use crate::collect::log::FileKey;
use crate::day::Minute;

mod disk;
mod rotation;

/// Of the logs, the one that is a symbolic link to a file elsewhere.
const LINK: usize = 3;
const LOGS: [&str; 4] = ["app.log", "web.log", "d/app.log", "link.log"];

pub struct Line {
    pub label: String,
    pub written: DateTime<Utc>,
    pub minute: Minute,
    pub times: u64,
    /// Of its bytes, without what ends it.
    hash: u64,
    /// It stood in a file with its LF, and nothing else in its line.
    pub whole: bool,
    /// Longer than what is decoded at once: it may be rejected.
    pub may_be_cut: bool,
    /// The file it was written to, if that could be found under a name then.
    pub file: Option<FileKey>,
}

struct Writer {
    file: File,
    /// `None`: it appends.
    at: Option<u64>,
    /// A line that is half written: its number, bytes, how many are written, and where it begins.
    half: Option<Half>,
}

struct Half {
    line: usize,
    bytes: Vec<u8>,
    cut: usize,
    start: u64,
}

/// A rotator at work.
struct Job {
    log: usize,
    target: PathBuf,
    kind: JobKind,
}

enum JobKind {
    Gzip { parts: Vec<Vec<u8>>, plain: PathBuf },
    CopyTruncate,
}

pub struct World {
    root: TempDir,
    family: Family,
    pub wall: DateTime<Utc>,
    pub lines: Vec<Line>,
    by_label: HashMap<String, usize>,
    writers: [Option<Writer>; LOGS.len()],
    jobs: Vec<Job>,
    serial: u32,
    line_bytes_max: usize,
}

impl World {
    pub fn new(family: Family, wall: DateTime<Utc>, line_bytes_max: usize) -> World {
        let root = TempDir::new().expect("a directory");
        fs::create_dir(root.path().join("logs")).expect("a directory");
        fs::create_dir(root.path().join("pods")).expect("a directory");
        World {
            root,
            family,
            wall,
            lines: Vec::new(),
            by_label: HashMap::new(),
            writers: [const { None }; LOGS.len()],
            jobs: Vec::new(),
            serial: 0,
            line_bytes_max,
        }
    }

    pub fn is_link(log: u8) -> bool {
        usize::from(log) % LOGS.len() == LINK
    }

    pub fn patterns(&self) -> Vec<String> {
        let logs = self.logs();
        vec![format!("{}/*.log", logs.display()), format!("{}/*/*.log", logs.display())]
    }

    fn logs(&self) -> PathBuf {
        self.root.path().join("logs")
    }

    fn path(&self, log: usize) -> PathBuf {
        self.logs().join(LOGS[log])
    }

    pub fn line_of(&self, label: &str) -> Option<usize> {
        self.by_label.get(label).copied()
    }

    // ---- lines ----

    /// A line that was never written before. In gentle histories lines of all times are written at any time; in harsh
    /// ones at their own, since a loss is told by its time.
    fn fresh(&mut self, pad: usize) -> (usize, Vec<u8>) {
        let number = self.lines.len();
        let label = label(number);
        let mut random = Random::new(number as u64);
        let stamp = match self.family {
            Family::Gentle => {
                self.wall - TimeDelta::seconds(i64::try_from(random.below(3 * 24 * 3600)).expect("three days"))
            }
            Family::Harsh => self.wall,
        };
        let pad = "x".repeat(pad + random.below(180) as usize);
        let text = format!(
            "{{\"time\":{},\"operation\":\"{label}\",\"method\":\"POST\",\
             \"url\":\"https://api.example.com/graphql\",\"status\":200,\"pad\":\"{pad}\"}}\n",
            stamp.timestamp_millis()
        );
        self.by_label.insert(label.clone(), number);
        let minute = Minute::at(stamp);
        self.lines.push(Line {
            label,
            written: self.wall,
            minute,
            times: 1,
            hash: 0,
            whole: false,
            may_be_cut: false,
            file: None,
        });
        (number, text.into_bytes())
    }

    pub fn write(&mut self, log: u8, lines: u8) {
        let log = usize::from(log) % LOGS.len();
        self.finish_half(log);
        for _ in 0..lines {
            let (number, bytes) = self.fresh(0);
            self.put(log, number, &bytes);
        }
    }

    pub fn half(&mut self, log: u8) {
        let log = usize::from(log) % LOGS.len();
        self.finish_half(log);
        let (line, bytes) = self.fresh(0);
        // At least the brace is missing.
        let cut = 1 + Random::new(line as u64 ^ 0x5555).below(bytes.len() as u64 - 3) as usize;
        let wall = self.wall;
        let writer = self.writer(log);
        let start = writer.at.unwrap_or_else(|| len(&writer.file));
        writer.put(&bytes[..cut], wall);
        writer.half = Some(Half { line, bytes, cut, start });
    }

    pub fn odd(&mut self, log: u8, what: Odd) {
        let log = usize::from(log) % LOGS.len();
        self.finish_half(log);
        match what {
            Odd::CrLf => {
                let (number, mut bytes) = self.fresh(0);
                bytes.insert(bytes.len() - 1, b'\r');
                self.put(log, number, &bytes);
            }
            Odd::NotUtf8 => {
                let (number, mut bytes) = self.fresh(4);
                let at = bytes.len() - 6;
                bytes[at..at + 2].copy_from_slice(b"\xff\xc0");
                self.put(log, number, &bytes);
            }
            Odd::Blank => self.put_text(log, b"\n\n\n"),
            Odd::Banner { long } => {
                let banner = "{\"level\":30,\"msg\":\"started\",\"version\":\"1.2.3\"}\n";
                self.put_text(log, banner.repeat(if long { 40 } else { 5 }).as_bytes());
            }
            Odd::Same { times } => {
                let (number, bytes) = self.fresh(0);
                for _ in 0..times {
                    self.put(log, number, &bytes);
                }
                self.lines[number].times = u64::from(times);
            }
            Odd::Long { kilobytes } => {
                let (number, bytes) = self.fresh(usize::from(kilobytes) << 10);
                self.lines[number].may_be_cut = bytes.len() > self.line_bytes_max;
                self.put(log, number, &bytes);
            }
        }
    }

    fn put(&mut self, log: usize, number: usize, bytes: &[u8]) {
        let wall = self.wall;
        let writer = self.writer(log);
        let start = writer.at.unwrap_or_else(|| len(&writer.file));
        writer.put(bytes, wall);
        self.note_line(log, number, start, bytes);
    }

    fn put_text(&mut self, log: usize, text: &[u8]) {
        let wall = self.wall;
        self.writer(log).put(text, wall);
    }

    fn finish_half(&mut self, log: usize) {
        let Some(writer) = &mut self.writers[log] else { return };
        let Some(half) = writer.half.take() else { return };
        writer.put(&half.bytes[half.cut..], self.wall);
        self.note_line(log, half.line, half.start, &half.bytes);
    }

    /// Was this line written whole: it stands where it began, behind a line's end, NULs left out?
    fn note_line(&mut self, log: usize, number: usize, start: u64, bytes: &[u8]) {
        let Some(writer) = &self.writers[log] else { return };
        let mut there = vec![0; bytes.len()];
        let stands = writer.file.read_exact_at(&mut there, start).is_ok() && there == bytes;
        self.lines[number].whole = stands && is_line_start(&writer.file, start);
        self.lines[number].hash = xxh3_64(bytes.trim_ascii_end());
        let metadata = writer.file.metadata().expect("an open file");
        let is_findable = fs::metadata(self.path(log)).is_ok_and(|there| there.ino() == metadata.ino())
            || (log != LINK && metadata.nlink() > 0);
        self.lines[number].file = is_findable.then(|| FileKey::of(&metadata));
    }

    /// A file's time is the made-up one.
    fn date(&self, path: &Path) {
        let file = OpenOptions::new().write(true).open(path).expect("opens");
        file.set_modified(self.wall.into()).expect("is open to be written");
    }

    fn writer(&mut self, log: usize) -> &mut Writer {
        if self.writers[log].is_none() {
            self.writers[log] = Some(self.open(log, true));
        }
        self.writers[log].as_mut().expect("just opened")
    }

    fn open(&mut self, log: usize, append: bool) -> Writer {
        let path = self.path(log);
        fs::create_dir_all(path.parent().expect("in a directory")).expect("a directory");
        if log == LINK && !path.is_symlink() {
            self.point_link();
        }
        let file = OpenOptions::new().create(true).read(true).append(append).write(true).open(&path).expect("opens");
        if len(&file) == 0 {
            file.set_modified(self.wall.into()).expect("is open to be written");
        }
        let at = (!append).then(|| len(&file));
        Writer { file, at, half: None }
    }

    pub fn reopen(&mut self, log: u8) {
        let log = usize::from(log) % LOGS.len();
        // The last words of a client that closes its log.
        self.finish_half(log);
        self.writers[log] = Some(self.open(log, true));
    }

    pub fn redirect(&mut self, log: u8) {
        let log = usize::from(log) % LOGS.len();
        self.finish_half(log);
        self.writers[log] = Some(self.open(log, false));
    }
}

impl Writer {
    /// Written at a made-up time, which is also the file's.
    fn put(&mut self, bytes: &[u8], wall: DateTime<Utc>) {
        match &mut self.at {
            None => self.file.write_all(bytes).expect("writes"),
            Some(at) => {
                self.file.write_all_at(bytes, *at).expect("writes");
                *at += bytes.len() as u64;
            }
        }
        self.file.set_modified(wall.into()).expect("is open to be written");
    }
}

fn len(file: &File) -> u64 {
    file.metadata().expect("an open file").len()
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(path).expect("opens");
    file.write_all(bytes).expect("writes");
}

/// Whether only NULs are between `start` and the end of the line before it.
fn is_line_start(file: &File, mut start: u64) -> bool {
    while start > 0 {
        let mut block = vec![0; start.min(4096) as usize];
        start -= block.len() as u64;
        file.read_exact_at(&mut block, start).expect("was written");
        if let Some(last) = block.iter().rposition(|byte| *byte != 0) {
            return block[last] == b'\n';
        }
    }
    true
}

/// A number in letters: digits would be taken for an id.
fn label(number: usize) -> String {
    let mut rest = number;
    let mut letters = Vec::new();
    for _ in 0..5 {
        letters.push(b'g' + u8::try_from(rest % 20).expect("a letter"));
        rest /= 20;
    }
    letters.reverse();
    format!("Q{}", String::from_utf8(letters).expect("letters"))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
}

/// As gzip does, in one member or several.
fn packed(bytes: &[u8], members: u8) -> Vec<u8> {
    let mut packed = Vec::new();
    for part in bytes.chunks(bytes.len().div_ceil(usize::from(members.max(1))).max(1)).chain(
        // An empty file is one empty member.
        bytes.is_empty().then_some(bytes),
    ) {
        let mut encoder = GzEncoder::new(&mut packed, Compression::fast());
        encoder.write_all(part).expect("packs");
        encoder.finish().expect("packs");
    }
    packed
}

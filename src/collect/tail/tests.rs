//! Every line once: real files in a fresh directory, lines that are all different, and a ledger of what was written
//! that must equal what was read, line by line.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::SystemTime;

use chrono::TimeDelta;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::collect::Start;
use crate::collect::log::FileKey;
use crate::collect::past::PAST_LOGS_MAX;
use crate::collect::torn;
use crate::day::Now;

mod pieces;

/// Longer than an archive is waited for.
const ARCHIVE_SECONDS: u32 = 1000;

/// A directory with logs, a tail over them, and both ledgers.
struct World {
    directory: TempDir,
    sources: Vec<Source>,
    tail: Tail,
    chunk_bytes: usize,
    now: Now,
    next_line: u64,
    written: Vec<String>,
    read: Vec<String>,
    pieces: Vec<Piece>,
}

fn found_json(_: &[u8]) -> Detection {
    Detection::Found(Format::JSON)
}

fn source(directory: &TempDir, patterns: &[&str]) -> Source {
    let paths: Vec<_> = patterns.iter().map(|pattern| format!("{}/{pattern}", directory.path().display())).collect();
    let reading = Reading::unsettled(chrono_tz::Tz::UTC);
    Source { name: paths[0].clone(), paths, journal: None, reading, start: Start::Beginning }
}

impl World {
    fn new(patterns: &[&str]) -> World {
        let directory = TempDir::new().unwrap();
        let sources = vec![source(&directory, patterns)];
        World::with(directory, sources)
    }

    fn with(directory: TempDir, sources: Vec<Source>) -> World {
        let mut world = World {
            directory,
            tail: Tail::new(sources.clone(), Vec::new()),
            sources,
            chunk_bytes: CHUNK_BYTES,
            now: Now::first(DateTime::UNIX_EPOCH),
            next_line: 0,
            written: Vec::new(),
            read: Vec::new(),
            pieces: Vec::new(),
        };
        world.set_up();
        world
    }

    fn set_up(&mut self) {
        self.tail.chunk_bytes = self.chunk_bytes;
        self.tail.detect = found_json;
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// The next line that was never written before.
    fn fresh_line(&mut self) -> String {
        self.next_line += 1;
        let line = format!("line {:06} {}\n", self.next_line, "x".repeat((self.next_line % 40) as usize));
        self.written.push(line.clone());
        line
    }

    fn write(&mut self, name: &str, lines: usize) {
        let text: String = (0..lines).map(|_| self.fresh_line()).collect();
        self.append(name, &text);
    }

    fn write_to(&mut self, file: &mut File, lines: usize) {
        let text: String = (0..lines).map(|_| self.fresh_line()).collect();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
    }

    fn delete(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn truncate(&self, name: &str) {
        OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(0).unwrap();
    }

    fn packed(&self, name: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&fs::read(self.path(name)).unwrap()).unwrap();
        encoder.finish().unwrap()
    }

    /// As `gzip NAME` does.
    fn gzip(&self, name: &str) {
        fs::write(self.path(&format!("{name}.gz")), self.packed(name)).unwrap();
        self.delete(name);
    }

    /// One scan, and all there is to read.
    fn look(&mut self) {
        self.tail.scan(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        let mut buffer = Vec::new();
        while let Some(piece) = self.tail.next_chunk(&mut buffer) {
            assert!(buffer.ends_with(b"\n"));
            assert!(piece.reading.format.is_some());
            let text = String::from_utf8(buffer.clone()).unwrap();
            self.read.extend(text.split_inclusive('\n').map(str::to_owned));
            self.pieces.push(piece);
        }
        assert!(buffer.is_empty());
    }

    /// Stop, and start from what a state file would hold.
    fn restart(&mut self) {
        let state = serde_json::to_string(&self.tail.marks().into_values().collect::<Vec<_>>()).unwrap();
        let marks: Vec<LogMark> = serde_json::from_str(&state).unwrap();
        let known = marks.into_iter().map(|mark| Known { resume: mark.offset, mark }).collect();
        self.tail = Tail::new(self.sources.clone(), known).after(Some(self.now.wall));
        self.set_up();
    }

    fn restart_and_look(&mut self) {
        self.restart();
        self.look();
    }

    #[track_caller]
    fn assert_each_line_once(&self) {
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        self.written.iter().for_each(|line| *counts.entry(line).or_default() -= 1);
        self.read.iter().for_each(|line| *counts.entry(line).or_default() += 1);
        counts.retain(|_, count| *count != 0);
        assert!(counts.is_empty(), "lost (-) or doubled (+): {:?}", counts.iter().take(5).collect::<Vec<_>>());
    }

    #[track_caller]
    fn look_finds_each_line_once(&mut self) {
        self.look();
        self.assert_each_line_once();
        self.look();
        self.assert_each_line_once();
        self.restart_and_look();
        self.look();
        self.assert_each_line_once();
    }

    /// Let time pass; it stands still otherwise.
    fn wait(&mut self, seconds: u32) {
        self.now.wall += TimeDelta::seconds(i64::from(seconds));
        self.now.uptime += Duration::from_secs(u64::from(seconds));
    }

    /// The file system's clock.
    fn file_time(&self) -> DateTime<Utc> {
        fs::metadata(self.directory.path()).unwrap().modified().unwrap().into()
    }

    /// What is lost, once the time is over in which archives turn up.
    fn losses(&mut self) -> Vec<Loss> {
        self.look();
        self.wait(ARCHIVE_SECONDS);
        self.look();
        self.tail.take_losses()
    }

    fn cut(&self, name: &str, len: u64) {
        OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(len).unwrap();
    }

    fn len(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).unwrap().len()
    }

    /// As `zstd --rm NAME` does.
    fn zstd(&self, name: &str) {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(&fs::read(self.path(name)).unwrap()).unwrap();
        fs::write(self.path(&format!("{name}.zst")), encoder.finish().unwrap()).unwrap();
        self.delete(name);
    }

    fn problems(&self) -> Vec<String> {
        self.tail.problems().into_iter().map(|problem| problem.what).collect()
    }
}

#[test]
fn lines_are_read_once_as_they_come() {
    let mut world = World::new(&["*.log"]);
    world.write("a.log", 3);
    world.look();
    world.assert_each_line_once();
    world.write("a.log", 2);
    world.write("b.log", 2);
    world.look_finds_each_line_once();
}

#[test]
fn a_partial_line_waits_for_its_end() {
    let mut world = World::new(&["a.log"]);
    let line = world.fresh_line();
    let (begin, end) = line.split_at(7);
    world.append("a.log", begin);
    world.look();
    assert!(world.read.is_empty());
    world.restart_and_look();
    assert!(world.read.is_empty());
    world.append("a.log", end);
    world.look_finds_each_line_once();
}

#[test]
fn a_log_that_was_empty_at_first_is_read_from_its_first_byte() {
    let mut world = World::new(&["a.log"]);
    world.append("a.log", "");
    world.look();
    world.restart_and_look();
    world.write("a.log", 2);
    world.look_finds_each_line_once();
}

#[test]
fn the_old_writer_of_a_renamed_log_is_still_heard() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 3);
    world.look();
    let mut old = OpenOptions::new().append(true).open(world.path("app.log")).unwrap();
    world.write_to(&mut old, 1);
    world.rename("app.log", "app.log.1");
    world.write_to(&mut old, 1);
    world.write("app.log", 2);
    world.look();
    world.assert_each_line_once();
    world.write_to(&mut old, 1);
    world.write("app.log", 1);
    world.look_finds_each_line_once();
}

#[test]
fn a_log_renamed_out_of_sight_is_still_heard() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 3);
    world.look();
    let mut old = OpenOptions::new().append(true).open(world.path("app.log")).unwrap();
    world.rename("app.log", "elsewhere");
    world.write_to(&mut old, 2);
    world.write("app.log", 2);
    world.look();
    world.write_to(&mut old, 2);
    world.look();
    world.assert_each_line_once();
}

#[test]
fn a_rename_while_stopped_keeps_the_unread_rest() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 3);
    world.look();
    world.write("app.log", 2);
    world.rename("app.log", "app.log.1");
    world.write("app.log", 2);
    world.restart();
    world.look_finds_each_line_once();
}

#[test]
fn two_rotations_between_two_scans_lose_nothing() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 3);
    world.look();
    world.write("app.log", 1);
    world.rename("app.log", "app.log.1");
    world.write("app.log", 4);
    world.rename("app.log.1", "app.log.2");
    world.rename("app.log", "app.log.1");
    world.write("app.log", 2);
    world.look_finds_each_line_once();
}

#[test]
fn a_rotation_chain_counts_each_line_once() {
    let mut world = World::new(&["app.log*"]);
    for round in 0..6 {
        world.write("app.log", 3 + round);
        if round % 2 == 0 {
            world.look();
        }
        for number in (1..=round).rev() {
            world.rename(&format!("app.log.{number}"), &format!("app.log.{}", number + 1));
        }
        world.rename("app.log", "app.log.1");
        if round == 3 {
            world.restart();
        }
    }
    world.look_finds_each_line_once();
}

#[test]
fn a_rename_back_is_no_new_log() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 3);
    world.look();
    world.rename("app.log", "app.log.1");
    world.look();
    world.rename("app.log.1", "app.log");
    world.write("app.log", 1);
    world.look_finds_each_line_once();
}

#[test]
fn a_truncated_log_is_read_from_its_start() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 30);
    world.look();
    world.truncate("app.log");
    world.write("app.log", 2);
    world.look_finds_each_line_once();
    let marks = world.tail.marks();
    assert_eq!(marks.len(), 2, "both generations stay known: {marks:?}");
}

#[test]
fn a_log_truncated_and_grown_past_its_mark_is_read_from_its_start() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 3);
    world.look();
    world.truncate("app.log");
    world.write("app.log", 30);
    world.look_finds_each_line_once();
}

#[test]
fn a_truncation_while_stopped_is_seen() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 3);
    world.look();
    world.restart();
    world.truncate("app.log");
    world.write("app.log", 30);
    world.look_finds_each_line_once();
}

#[test]
fn a_truncation_while_stopped_is_seen_behind_an_equal_banner() {
    let mut world = World::new(&["app.log"]);
    let banner = format!("# the same banner in each log {}\n", "#".repeat(100)).repeat(12);
    // What is equal up to the byte is the same to daycap: the second banner is not read again.
    world.written.extend(banner.split_inclusive('\n').map(str::to_owned));
    for lines in [200, 250] {
        world.append("app.log", &banner);
        world.write("app.log", lines);
        world.look();
        if lines == 200 {
            world.restart();
            world.truncate("app.log");
        }
    }
    world.look_finds_each_line_once();
}

#[test]
fn a_longer_copy_of_an_unread_log_counts_what_is_its_own() {
    let mut world = World::new(&["*.log"]);
    world.write("a.log", 100);
    world.copy("a.log", "b.log");
    world.write("b.log", 2);
    world.look();
    world.look_finds_each_line_once();
}

#[test]
fn a_copy_that_was_empty_when_first_seen_counts_nothing() {
    let mut world = World::new(&["*.log"]);
    world.write("a.log", 100);
    world.append("b.log", "");
    world.look();
    // Into the same file: its inode stays.
    world.copy("a.log", "b.log");
    world.look_finds_each_line_once();
}

#[test]
fn a_copy_of_a_read_log_counts_nothing() {
    for lines in [2, 100] {
        let mut world = World::new(&["app.log"]);
        world.write("app.log", lines);
        world.look();
        world.copy("app.log", "app.log.1");
        world.truncate("app.log");
        world.write("app.log", 2);
        world.look_finds_each_line_once();
    }
}

#[test]
fn a_copy_seen_before_the_truncation_counts_nothing() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 100);
    world.look();
    world.copy("app.log", "app.log.1");
    world.look();
    world.assert_each_line_once();
    world.truncate("app.log");
    world.look();
    world.write("app.log", 2);
    world.look_finds_each_line_once();
}

#[test]
fn a_copy_seen_while_it_grows_counts_nothing() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 200);
    world.look();
    let content = fs::read(world.path("app.log")).unwrap();
    for len in [0, 1500, 4000, content.len()] {
        fs::write(world.path("app.log.1"), &content[..len]).unwrap();
        world.look();
        world.assert_each_line_once();
    }
    world.truncate("app.log");
    world.look_finds_each_line_once();
}

#[test]
fn the_unread_rest_of_a_truncated_log_is_read_from_its_copy() {
    for lines in [2, 100] {
        for restart in [false, true] {
            let mut world = World::new(&["app.log"]);
            world.write("app.log", lines);
            world.look();
            world.write("app.log", lines);
            world.copy("app.log", "app.log.1");
            world.truncate("app.log");
            world.write("app.log", 2);
            if restart {
                world.restart();
            }
            world.look_finds_each_line_once();
        }
    }
}

#[test]
fn a_deleted_log_is_read_to_its_end_and_let_go() {
    let mut world = World::new(&["app.log"]);
    world.tail.quiet_max = Duration::ZERO;
    world.write("app.log", 3);
    world.look();
    let mut writer = OpenOptions::new().append(true).open(world.path("app.log")).unwrap();
    world.write_to(&mut writer, 2);
    world.delete("app.log");
    world.look();
    world.assert_each_line_once();
    world.write_to(&mut writer, 1);
    world.look();
    world.assert_each_line_once();
    for _ in 0..3 {
        world.look();
    }
    assert_eq!(world.tail.progress()[0].logs, 0);
    assert_eq!(world.tail.marks().len(), 1, "its mark is kept, to know its archives by");
}

#[test]
fn a_log_deleted_and_made_anew_is_another_log() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 3);
    world.look();
    world.delete("app.log");
    world.write("app.log", 10);
    world.look();
    world.delete("app.log");
    world.restart();
    world.write("app.log", 10);
    world.look_finds_each_line_once();
}

#[test]
fn the_gz_of_a_read_log_adds_nothing() {
    for lines in [2, 300] {
        for restart in [false, true] {
            let mut world = World::new(&["app.log"]);
            world.tail.quiet_max = Duration::ZERO;
            world.write("app.log", lines);
            world.look();
            world.rename("app.log", "app.log.1");
            world.gzip("app.log.1");
            world.write("app.log", 1);
            if restart {
                world.restart();
            }
            world.look();
            world.look();
            world.look_finds_each_line_once();
        }
    }
}

#[test]
fn the_gz_of_a_half_read_log_gives_the_rest() {
    for lines in [2, 300] {
        let mut world = World::new(&["app.log"]);
        world.write("app.log", lines);
        world.look();
        world.write("app.log", lines);
        world.rename("app.log", "app.log.1");
        world.gzip("app.log.1");
        world.write("app.log", 1);
        world.restart();
        world.look_finds_each_line_once();
    }
}

#[test]
fn a_gz_never_seen_before_is_read_whole_and_once() {
    let mut world = World::new(&["app.log"]);
    world.chunk_bytes = 100;
    world.set_up();
    world.write("app.log.2", 300);
    world.gzip("app.log.2");
    world.write("app.log", 3);
    world.look();
    world.assert_each_line_once();
    world.rename("app.log.2.gz", "app.log.3.gz");
    world.look_finds_each_line_once();
}

#[test]
fn a_gz_is_left_until_it_is_whole() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log.1", 300);
    let packed = world.packed("app.log.1");
    world.delete("app.log.1");
    for len in [0, 5, 30, packed.len() - 1] {
        fs::write(world.path("app.log.1.gz"), &packed[..len]).unwrap();
        world.look();
        assert!(world.read.is_empty(), "{len} bytes");
    }
    world.look();
    assert!(
        world.problems().iter().any(|what| what.starts_with("is not a whole compressed file")),
        "{:?}",
        world.problems()
    );
    fs::write(world.path("app.log.1.gz"), &packed).unwrap();
    world.look_finds_each_line_once();
    assert!(world.problems().is_empty());
}

#[test]
fn a_gz_beside_the_log_it_was_made_from_adds_nothing() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log.1", 300);
    fs::write(world.path("app.log.1.gz"), world.packed("app.log.1")).unwrap();
    world.look();
    world.assert_each_line_once();
    world.tail.quiet_max = Duration::ZERO;
    world.delete("app.log.1");
    world.look();
    world.look();
    world.look_finds_each_line_once();
}

#[test]
fn logs_with_the_same_head_are_not_mixed_up() {
    let mut world = World::new(&["*.log"]);
    let banner = "# the same banner in each log\n".repeat(60);
    for name in ["a.log", "b.log", "c.log"] {
        world.append(name, &banner);
        world.written.extend(banner.split_inclusive('\n').map(str::to_owned));
        world.write(name, 5);
    }
    world.look();
    world.assert_each_line_once();
    world.write("b.log", 5);
    world.rename("c.log", "c.log.1");
    world.write("c.log", 1);
    world.look_finds_each_line_once();
}

#[test]
fn short_logs_that_begin_alike_are_not_mixed_up() {
    let mut world = World::new(&["*.log"]);
    for name in ["a.log", "b.log"] {
        world.append(name, "started\n");
        world.written.push("started\n".to_owned());
        world.look();
    }
    world.assert_each_line_once();
    world.write("a.log", 1);
    world.write("b.log", 1);
    world.look_finds_each_line_once();
}

#[test]
fn a_copy_that_goes_its_own_way_counts_from_there() {
    let mut world = World::new(&["*.log"]);
    world.write("a.log", 100);
    world.look();
    world.copy("a.log", "b.log");
    world.look();
    world.assert_each_line_once();
    world.write("b.log", 2);
    world.look();
    world.write("a.log", 2);
    world.write("b.log", 2);
    world.look_finds_each_line_once();
}

#[test]
fn one_file_under_many_names_is_one_log() {
    let directory = TempDir::new().unwrap();
    let sources = vec![source(&directory, &["*.log", "a.*"]), source(&directory, &["*"])];
    let mut world = World::with(directory, sources);
    world.write("a.log", 3);
    fs::hard_link(world.path("a.log"), world.path("b.log")).unwrap();
    symlink(world.path("a.log"), world.path("c.log")).unwrap();
    world.look();
    assert_eq!(world.tail.progress()[0].logs, 1);
    assert_eq!(world.tail.progress()[1].logs, 0);
    world.write("b.log", 1);
    world.look_finds_each_line_once();
}

#[test]
fn a_swapped_symlink_leads_to_the_new_log_and_the_old_is_drained() {
    let mut world = World::new(&["links/*.log"]);
    fs::create_dir(world.path("links")).unwrap();
    world.write("0.log", 3);
    symlink(world.path("0.log"), world.path("links/web.log")).unwrap();
    world.look();
    world.write("0.log", 2);
    world.delete("links/web.log");
    world.write("1.log", 2);
    symlink(world.path("1.log"), world.path("links/web.log")).unwrap();
    world.look();
    world.assert_each_line_once();
}

#[test]
fn new_directories_and_files_are_picked_up() {
    let mut world = World::new(&["*/app.log"]);
    world.look();
    assert!(world.problems()[0].starts_with("waiting: nothing matches yet"));
    fs::create_dir(world.path("web")).unwrap();
    world.write("web/app.log", 2);
    world.look_finds_each_line_once();
    assert!(world.problems().is_empty());
    assert!(world.tail.directories().contains(&world.path("web")));
}

#[test]
fn a_log_that_cannot_be_looked_at_is_told_and_read_later() {
    // Tests may run as root, whom no permission stops; a loop of links stops anyone.
    let mut world = World::new(&["app.log"]);
    symlink(world.path("app.log"), world.path("app.log")).unwrap();
    world.look();
    assert!(world.problems()[0].starts_with("cannot be looked at"), "{:?}", world.problems());
    world.delete("app.log");
    world.write("app.log", 2);
    world.look_finds_each_line_once();
    assert!(world.problems().is_empty());
}

#[test]
fn an_over_long_line_counts_once_cut_short() {
    for name in ["app.log", "app.log.1"] {
        let mut world = World::new(&["app.log"]);
        world.chunk_bytes = 128;
        world.set_up();
        world.write(name, 3);
        let long = "y".repeat(300_000);
        world.append(name, &long);
        world.look();
        world.append(name, "\n");
        world.written.push(format!("{}\n", "y".repeat(127)));
        world.write(name, 3);
        if name != "app.log" {
            world.gzip(name);
            world.restart();
        }
        world.look_finds_each_line_once();
        let longest = world.pieces.iter().max_by_key(|piece| piece.chunk.end - piece.chunk.start).unwrap();
        assert_eq!(longest.chunk.end - longest.chunk.start, 300_001);
    }
}

#[test]
fn a_busy_log_leaves_turns_to_others() {
    let mut world = World::new(&["*.log"]);
    world.chunk_bytes = 64;
    world.set_up();
    world.write("busy.log", 100);
    world.write("idle.log", 1);
    world.look();
    let idle = world.pieces.iter().position(|piece| &*piece.default_service == "idle").unwrap();
    assert!(idle <= 1, "read {idle}th");
}

#[test]
fn the_file_name_is_the_default_service() {
    let mut world = World::new(&["*.log"]);
    world.write("orders.api.log", 1);
    world.write("orders.api.log.1", 1);
    world.look();
    assert_eq!(world.pieces.len(), 2);
    assert!(world.pieces.iter().all(|piece| &*piece.default_service == "orders"));
    assert_eq!(world.pieces[0].reading, world.pieces[1].reading);
}

#[test]
fn start_at_the_end_skips_what_was_there_and_nothing_later() {
    let directory = TempDir::new().unwrap();
    let sources = vec![Source { start: Start::End, ..source(&directory, &["*.log"]) }];
    let mut world = World::with(directory, sources);
    world.write("a.log", 100);
    world.written.clear();
    let line = world.fresh_line();
    world.append("a.log", &line[..5]);
    world.look();
    assert!(world.read.is_empty());
    world.append("a.log", &line[5..]);
    world.write("a.log", 1);
    world.write("b.log", 2);
    world.look();
    world.assert_each_line_once();
    // While stopped, the log is rotated: its rest and its successor are read whole.
    world.write("a.log", 1);
    world.rename("a.log", "a.log.1");
    world.write("a.log", 2);
    world.restart();
    world.look_finds_each_line_once();
}

#[test]
fn lost_state_reads_again_from_where_it_says() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 100);
    world.look();
    let marks: Vec<_> = world.tail.marks().into_values().collect();
    let first: u64 = world.written.iter().take(40).map(|line| line.len() as u64).sum();
    for rotated in [false, true] {
        if rotated {
            world.rename("app.log", "app.log.1");
            world.gzip("app.log.1");
        }
        let known = marks.iter().map(|mark| Known { mark: mark.clone(), resume: first }).collect();
        world.tail = Tail::new(world.sources.clone(), known);
        world.set_up();
        assert_eq!(world.tail.marks()[&marks[0].id].offset, first, "lines to be read again are not claimed as read");
        world.read.clear();
        world.look();
        assert_eq!(world.read, world.written[40..]);
        assert!(world.pieces.iter().all(|piece| piece.log == marks[0].id));
    }
}

#[test]
fn a_mark_kept_unseen_through_lost_state_still_leads_to_its_log() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 100);
    world.look();
    let mark = world.tail.marks().into_values().next().unwrap();
    let first: u64 = world.written.iter().take(40).map(|line| line.len() as u64).sum();
    world.tail = Tail::new(world.sources.clone(), vec![Known { mark, resume: first }]);
    // Stopped again before the first scan: the mark it leaves has no anchor.
    world.restart();
    world.read.clear();
    world.look();
    assert_eq!(world.read, world.written[40..]);
}

#[test]
fn an_unknown_format_is_told_and_nothing_is_lost() {
    fn by_first_byte(head: &[u8]) -> Detection {
        match head.first() {
            None => Detection::Empty,
            Some(b'l') => Detection::Found(Format::COMBINED),
            Some(_) => Detection::Unknown("looks like noise".to_owned()),
        }
    }
    let mut world = World::new(&["app.log"]);
    world.tail.detect = by_first_byte;
    world.append("app.log", "?");
    world.look();
    assert!(world.problems().is_empty(), "no whole line yet");
    world.append("app.log", "\n");
    world.written.push("?\n".to_owned());
    world.look();
    assert!(world.problems()[0].starts_with("looks like noise"), "{:?}", world.problems());
    assert!(world.read.is_empty());
    assert_eq!(world.tail.progress()[0].lag_bytes, 2);
    // Later lines may tell what the first do not.
    world.write("app.log", 5000);
    world.look();
    world.assert_each_line_once();
    assert!(world.problems().is_empty());
    assert_eq!(world.tail.marks().values().next().unwrap().format, Some(Format::COMBINED));
}

#[test]
fn more_logs_than_may_be_open_are_all_followed() {
    let mut world = World::new(&["*.log"]);
    world.tail.open_files_max = 4;
    for round in 0..3 {
        for log in 0..20 {
            world.write(&format!("{log}.log"), 1 + round);
        }
        world.look();
        assert!(world.tail.followed.values().filter(|log| log.file.is_some()).count() <= 4);
        world.assert_each_line_once();
    }
    world.rename("3.log", "3.log.1");
    world.write("3.log", 1);
    world.look_finds_each_line_once();
}

#[test]
fn a_mark_names_the_file_that_holds_the_log() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 3);
    world.look();
    world.rename("app.log", "app.log.1");
    world.look();
    let marks = world.tail.marks();
    let mark = marks.values().next().unwrap();
    assert_eq!(mark.file(), FileKey::of(&fs::metadata(world.path("app.log.1")).unwrap()));
    assert!(mark.path.ends_with("app.log.1"));
    assert_eq!(mark.offset, fs::metadata(world.path("app.log.1")).unwrap().len());
}

#[test]
fn a_log_cut_to_part_of_itself_goes_on_from_there() {
    for restart in [false, true] {
        for keep in [1, 10, 80, 99] {
            let mut world = World::new(&["app.log"]);
            world.write("app.log", 100);
            world.look();
            let kept: u64 = world.written.iter().take(keep).map(|line| line.len() as u64).sum();
            if restart {
                world.restart();
            }
            world.cut("app.log", kept);
            world.write("app.log", 5);
            world.look_finds_each_line_once();
            assert_eq!(world.losses().len(), 1, "what was written between the last look and the cut is not known");
        }
    }
}

#[test]
fn a_log_cut_far_back_counts_no_line_twice_and_says_what_it_leaves_out() {
    for grown in [0, 500] {
        let mut world = World::new(&["app.log"]);
        world.write("app.log", 1000);
        world.look();
        let kept: u64 = world.written.iter().take(500).map(|line| line.len() as u64).sum();
        world.cut("app.log", kept + 3);
        world.append("app.log", "\n");
        let before = world.written.len();
        world.write("app.log", grown);
        let after = world.written.split_off(before);
        world.look();
        let read_again = world.read.split_off(1000);
        assert!(read_again.iter().all(|line| after.contains(line)), "{:?}", &read_again[..read_again.len().min(3)]);
        assert!(read_again.len() >= grown / 4, "{}", read_again.len());
        let losses = world.losses();
        assert!(losses.iter().any(|loss| loss.what.starts_with("was cut so far back")), "{losses:?}");
    }
}

#[test]
fn a_truncated_log_without_a_copy_is_a_loss() {
    for restart in [false, true] {
        let mut world = World::new(&["app.log"]);
        world.write("app.log", 30);
        world.look();
        world.wait(10);
        world.look();
        let looked = world.now.wall;
        if restart {
            world.restart();
        }
        world.wait(5);
        world.truncate("app.log");
        world.write("app.log", 2);
        world.look_finds_each_line_once();
        assert_eq!(world.tail.take_losses(), [], "an archive may still turn up");
        let losses = world.losses();
        let [loss] = losses.as_slice() else { panic!("{losses:?}") };
        assert!(loss.path.ends_with("app.log") && loss.what.contains("no copy of what it held is there"), "{loss:?}");
        assert_eq!(loss.until, looked + TimeDelta::seconds(5));
        assert_eq!(loss.since, looked);
        world.restart();
        assert_eq!(world.losses(), [], "it is said once");
    }
}

#[test]
fn a_truncated_log_whose_copy_is_there_is_no_loss() {
    for restart in [false, true] {
        for pack in [false, true] {
            let mut world = World::new(&["app.log"]);
            world.write("app.log", 30);
            world.look();
            world.write("app.log", 30);
            world.copy("app.log", "app.log.1");
            world.truncate("app.log");
            if pack {
                world.gzip("app.log.1");
            }
            if restart {
                world.restart();
            }
            world.look_finds_each_line_once();
            assert_eq!(world.losses(), []);
        }
    }
}

#[test]
fn a_log_that_vanished_while_stopped_is_a_loss() {
    let mut world = World::new(&["*.log"]);
    world.now.wall = world.file_time();
    world.write("app.log", 30);
    world.write("old.log", 30);
    world.write("old.log.1", 30);
    let long_ago = SystemTime::from(world.file_time() - TimeDelta::days(2));
    File::options().append(true).open(world.path("old.log")).unwrap().set_modified(long_ago).unwrap();
    world.look();
    world.look();
    for name in ["app.log", "old.log", "old.log.1"] {
        world.delete(name);
    }
    world.restart();
    let losses = world.losses();
    let [loss] = losses.as_slice() else { panic!("{losses:?}") };
    assert!(loss.path.ends_with("/app.log") && loss.what.starts_with("is gone since daycap last ran"), "{loss:?}");
}

#[test]
fn a_log_deleted_before_its_eyes_is_no_loss() {
    let mut world = World::new(&["app.log"]);
    world.tail.quiet_max = Duration::ZERO;
    world.now.wall = world.file_time();
    world.write("app.log", 30);
    world.look();
    world.write("app.log", 3);
    world.delete("app.log");
    for _ in 0..5 {
        world.look();
    }
    world.assert_each_line_once();
    assert_eq!(world.losses(), []);
    world.restart();
    assert_eq!(world.losses(), []);
}

#[test]
fn a_log_that_cannot_be_opened_is_not_lost() {
    let mut world = World::new(&["app.log"]);
    world.write("app.log", 30);
    world.look();
    for mark in world.tail.marks().values() {
        assert!(mark.open || world.now.wall == DateTime::UNIX_EPOCH);
    }
    // Its directory cannot be searched: as root, only a loop of links does that.
    world.restart();
    world.rename("app.log", "hidden");
    symlink(world.path("app.log"), world.path("app.log")).unwrap();
    assert_eq!(world.losses(), []);
    world.delete("app.log");
    world.rename("hidden", "app.log");
    world.write("app.log", 1);
    world.look_finds_each_line_once();
    assert_eq!(world.losses(), []);
}

#[test]
fn the_last_line_of_an_archive_counts_without_an_lf() {
    for restart in [false, true] {
        let mut world = World::new(&["app.log"]);
        world.write("app.log.1", 3);
        let last = world.fresh_line();
        world.append("app.log.1", last.trim_end());
        world.look();
        assert_eq!(world.read.len(), 3, "its writer may be in the middle of it");
        world.tail.quiet_max = Duration::ZERO;
        if restart {
            world.restart();
        }
        world.gzip("app.log.1");
        for _ in 0..4 {
            world.look();
        }
        world.look_finds_each_line_once();
    }
}

#[test]
fn the_last_line_of_a_deleted_log_counts_without_an_lf() {
    let mut world = World::new(&["app.log"]);
    world.tail.quiet_max = Duration::ZERO;
    world.write("app.log", 3);
    let last = world.fresh_line();
    world.append("app.log", last.trim_end());
    world.look();
    world.delete("app.log");
    for _ in 0..6 {
        world.look();
    }
    world.assert_each_line_once();
    assert_eq!(world.tail.progress()[0].logs, 0);
    assert_eq!(world.losses(), []);
}

#[test]
fn a_zst_gives_what_was_not_read_of_its_log() {
    for read in [0, 2, 300] {
        for restart in [false, true] {
            let mut world = World::new(&["app.log"]);
            world.tail.quiet_max = Duration::ZERO;
            world.write("app.log", read);
            world.look();
            world.write("app.log", 200);
            world.rename("app.log", "app.log.1");
            world.write("app.log", 1);
            if restart {
                world.restart();
            }
            world.zstd("app.log.1");
            for _ in 0..4 {
                world.look();
            }
            world.look_finds_each_line_once();
            assert_eq!(world.losses(), []);
        }
    }
}

#[test]
fn part_of_a_copy_of_a_truncated_log_counts_nothing() {
    for len in [300, 1500, 4000] {
        for restart in [false, true] {
            let mut world = World::new(&["app.log"]);
            world.write("app.log", 200);
            world.look();
            let content = fs::read(world.path("app.log")).unwrap();
            if restart {
                world.restart();
            }
            // Never seen while its log was whole.
            fs::write(world.path("app.log.1"), &content[..len]).unwrap();
            world.truncate("app.log");
            world.look();
            world.write("app.log", 2);
            world.look_finds_each_line_once();
            // It was still being written after all.
            fs::write(world.path("app.log.1"), &content).unwrap();
            world.look_finds_each_line_once();
        }
    }
}

#[test]
fn an_archive_overwritten_by_the_next_counts_each_generation_once() {
    let mut world = World::new(&["app.log"]);
    for _ in 0..4 {
        world.write("app.log", 60);
        world.look();
        world.write("app.log", 5);
        // `cp` writes into the file that is there.
        world.copy("app.log", "app.log.1");
        world.truncate("app.log");
        world.look();
        world.look();
        world.assert_each_line_once();
    }
    world.look_finds_each_line_once();
    assert_eq!(world.losses(), []);
}

#[test]
fn a_log_truncated_between_a_read_and_its_second_check_is_read_anew() {
    for regrown in [0, 3, 400] {
        let mut world = World::new(&["app.log"]);
        world.write("app.log", 100);
        world.look();
        // These are read, and gone before they are believed: they do not count.
        let lost: String = (0..5).map(|number| format!("lost {number}\n")).collect();
        world.append("app.log", &lost);
        let path = world.path("app.log");
        let fresh: String = (0..regrown).map(|_| world.fresh_line()).collect();
        torn::at_next_read(move || fs::write(&path, fresh).unwrap());
        world.look_finds_each_line_once();
        assert_eq!(world.losses().len(), 1);
    }
}

#[test]
fn nuls_before_a_line_are_passed_over() {
    for nuls in [1_000, CHUNK_BYTES as u64, 10 * CHUNK_BYTES as u64] {
        for pack in [false, true] {
            let mut world = World::new(&["app.log"]);
            world.write("app.log.1", 3);
            let hole = world.len("app.log.1") + nuls;
            world.cut("app.log.1", hole);
            world.look();
            assert_eq!(world.read.len(), 3);
            world.write("app.log.1", 3);
            if pack {
                world.gzip("app.log.1");
                world.restart();
            }
            for _ in 0..2 {
                world.look();
                world.read.iter_mut().for_each(|line| *line = line.trim_start_matches('\0').to_owned());
                world.assert_each_line_once();
                world.restart();
            }
        }
    }
}

#[test]
fn a_preallocated_log_is_read_as_it_fills() {
    let mut world = World::new(&["app.log"]);
    let file = File::create(world.path("app.log")).unwrap();
    file.set_len(3 * CHUNK_BYTES as u64).unwrap();
    let mut at = 0;
    for _ in 0..5 {
        let line = world.fresh_line();
        std::os::unix::fs::FileExt::write_all_at(&file, line.as_bytes(), at).unwrap();
        at += line.len() as u64;
        world.look();
        world.assert_each_line_once();
    }
    world.restart_and_look();
    world.assert_each_line_once();
}

#[test]
fn a_year_of_archives_is_looked_at_a_second_at_a_time() {
    let mut world = World::new(&["app.log"]);
    for number in 1..=8 {
        let name = format!("app.log.{number}");
        world.write(&name, 200);
        world.gzip(&name);
        world.tail.unpacked_bytes_max = world.len(&format!("{name}.gz")) * 3 / 2;
    }
    let mut scans = 0;
    while scans == 0 || world.tail.is_unsettled() {
        world.tail.scan(world.now);
        scans += 1;
    }
    assert!((4..=5).contains(&scans), "{scans}");
    assert_eq!(world.tail.progress()[0].logs, 8);
    world.look_finds_each_line_once();
}

#[test]
fn start_at_the_end_reads_a_log_that_appeared_while_stopped() {
    let directory = TempDir::new().unwrap();
    let sources = vec![Source { start: Start::End, ..source(&directory, &["*.log"]) }];
    let mut world = World::with(directory, sources);
    world.write("2026-11-21.log", 10);
    world.written.clear();
    world.now.wall = world.file_time();
    world.look();
    world.restart();
    world.write("2026-11-22.log", 10);
    world.look_finds_each_line_once();
}

#[test]
fn a_device_with_another_number_after_a_reboot_holds_the_same_logs() {
    for lines in [2, 100] {
        let mut world = World::new(&["app.log"]);
        world.write("app.log", lines);
        world.look();
        let moved = |mark: LogMark| LogMark { device: mark.device + 1, ..mark };
        let known = world.tail.marks().into_values().map(moved);
        let known = known.map(|mark| Known { resume: mark.offset, mark }).collect();
        world.tail = Tail::new(world.sources.clone(), known);
        world.set_up();
        world.write("app.log", 2);
        world.look_finds_each_line_once();
        assert_eq!(world.losses(), []);
    }
}

#[test]
fn a_copy_of_a_log_that_was_empty_when_last_seen_counts_nothing() {
    let mut world = World::new(&["*.log", "*/*.log"]);
    fs::create_dir(world.path("d")).unwrap();
    world.write("d/app.log", 1);
    world.write("app.log", 1);
    world.look();
    world.copy("app.log", "app.log.1");
    world.truncate("app.log");
    world.look();
    world.write("app.log", 1);
    world.rename("app.log.1", "app.log.2");
    world.copy("app.log", "app.log.1");
    world.look_finds_each_line_once();
    world.truncate("app.log");
    world.look_finds_each_line_once();
}

#[test]
fn more_logs_than_are_remembered_when_gone_are_all_known_after_a_restart() {
    let mut world = World::new(&["*.log"]);
    // Twice, so that each log has another head than when it was first seen.
    for _ in 0..2 {
        for log in 0..PAST_LOGS_MAX + 20 {
            world.write(&format!("{log}.log"), 1);
        }
        world.look();
    }
    world.restart_and_look();
    world.assert_each_line_once();
}

/// What may happen to a log and its archives without destroying a line.
#[derive(Clone, Debug)]
enum Act {
    Write(usize),
    BeginLine,
    Rename,
    CopyTruncate,
    /// The writer still has the renamed file open.
    WriteToRotated,
    Gzip(usize),
    Scan,
    Look,
    /// Only at the files that a hint names.
    LookAt(usize),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (1usize..60).prop_map(Act::Write),
        1 => Just(Act::BeginLine),
        2 => Just(Act::Rename),
        2 => Just(Act::CopyTruncate),
        1 => Just(Act::WriteToRotated),
        2 => (1usize..4).prop_map(Act::Gzip),
        1 => Just(Act::Scan),
        4 => Just(Act::Look),
        2 => (1usize..4).prop_map(Act::LookAt),
        2 => Just(Act::Restart),
    ]
}

impl World {
    fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Make room for a new `.1`.
    fn shift(&self) {
        for number in (1..40).rev() {
            for suffix in ["", ".gz"] {
                let from = format!("app.log.{number}{suffix}");
                if self.exists(&from) {
                    self.rename(&from, &format!("app.log.{}{suffix}", number + 1));
                }
            }
        }
    }

    fn perform(&mut self, act: &Act, begun: &mut Option<String>) {
        match act {
            Act::Write(lines) => {
                if let Some(rest) = begun.take() {
                    self.append("app.log", &rest);
                }
                self.write("app.log", *lines);
            }
            Act::BeginLine if begun.is_none() => {
                let line = self.fresh_line();
                self.append("app.log", &line[..6]);
                *begun = Some(line[6..].to_owned());
            }
            // A line begun is finished first: its two halves in two files would be another story.
            Act::Rename if begun.is_none() && self.exists("app.log") => {
                self.shift();
                self.rename("app.log", "app.log.1");
            }
            Act::CopyTruncate if begun.is_none() && self.exists("app.log") => {
                self.shift();
                self.copy("app.log", "app.log.1");
                self.truncate("app.log");
            }
            Act::WriteToRotated if self.exists("app.log.1") => self.write("app.log.1", 2),
            Act::Gzip(number) if self.exists(&format!("app.log.{number}")) => self.gzip(&format!("app.log.{number}")),
            Act::Scan => self.tail.scan(self.now),
            Act::Look => self.look(),
            Act::LookAt(count) => {
                let names = ["app.log", "app.log.1", "app.log.2.gz"];
                self.tail.look_at(&names[..*count].iter().map(|name| self.path(name)).collect(), self.now);
                self.drain();
            }
            Act::Restart => self.restart(),
            Act::BeginLine | Act::Rename | Act::CopyTruncate | Act::WriteToRotated | Act::Gzip(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_history_without_destruction_loses_or_doubles_a_line(
        acts in proptest::collection::vec(act(), 1..30),
        chunk_bytes in prop_oneof![Just(64usize), Just(1000), Just(CHUNK_BYTES)],
    ) {
        let mut world = World::new(&["app.log"]);
        world.chunk_bytes = chunk_bytes;
        world.set_up();
        let mut begun = None;
        for act in &acts {
            world.perform(act, &mut begun);
        }
        world.perform(&Act::Write(1), &mut begun);
        world.tail.quiet_max = Duration::ZERO;
        for _ in 0..5 {
            world.look();
        }
        world.assert_each_line_once();
        world.restart_and_look();
        world.look();
        world.assert_each_line_once();
    }

    #[test]
    fn any_chunk_size_reads_the_same_lines(
        lines in proptest::collection::vec("[a-z ]{0,40}", 0..60),
        chunk_bytes in 16usize..64,
        writes in 1usize..6,
    ) {
        let mut world = World::new(&["app.log"]);
        world.chunk_bytes = chunk_bytes;
        world.set_up();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        for part in text.as_bytes().chunks(text.len() / writes + 1) {
            world.append("app.log", std::str::from_utf8(part).unwrap());
            world.look();
        }
        world.written = lines.iter().map(|line| format!("{}\n", &line[..line.len().min(if line.len() < chunk_bytes { line.len() } else { chunk_bytes - 1 })])).collect();
        prop_assert_eq!(&world.read, &world.written);
        let marks: Vec<_> = world.tail.marks().into_values().map(|mark| mark.offset).collect();
        prop_assert!(text.is_empty() || marks == [text.len() as u64]);
    }
}

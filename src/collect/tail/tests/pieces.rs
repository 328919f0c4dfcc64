//! Lines that a container's runtime cut into pieces: a chunk never ends inside one, while its end can still come.

use super::*;

fn world(paths: &[&str]) -> World {
    let directory = TempDir::new().unwrap();
    let mut source = source(&directory, paths);
    source.reading.format = Some("cri:json".parse().unwrap());
    World::with(directory, vec![source])
}

impl World {
    /// A line of the container's.
    fn add(&mut self, stream: &str, tag: &str) {
        self.next_line += 1;
        let line = format!("2026-11-22T21:53:09Z {stream} {tag} {}\n", self.next_line);
        self.append("app.log", &line);
        self.written.push(line);
    }
}

#[test]
fn a_lines_pieces_wait_for_the_last() {
    let mut world = world(&["app.log"]);
    world.add("stdout", "F");
    world.add("stdout", "P");
    world.look();
    assert_eq!(world.read.len(), 1);
    world.add("stderr", "F");
    world.restart_and_look();
    assert_eq!(world.read.len(), 1, "its stream goes on");
    world.add("stdout", "P");
    world.add("stdout", "F");
    world.add("stdout", "F");
    world.look();
    assert_eq!(world.pieces.len(), 2, "all pieces are in one chunk");
    world.look_finds_each_line_once();
}

#[test]
fn pieces_without_a_last_are_read_when_nobody_writes_any_more() {
    for compressed in [false, true] {
        let mut world = world(&["app.log"]);
        world.tail.quiet_max = Duration::ZERO;
        world.add("stdout", "F");
        world.add("stdout", "P");
        world.look();
        assert_eq!(world.read.len(), 1);
        if compressed {
            world.rename("app.log", "app.log.1");
            world.gzip("app.log.1");
        } else {
            world.delete("app.log");
        }
        for _ in 0..6 {
            world.look();
        }
        world.assert_each_line_once();
        assert_eq!(world.losses(), []);
    }
}

#[test]
fn a_line_longer_than_a_chunk_does_not_stop_its_log() {
    let mut world = world(&["app.log"]);
    world.chunk_bytes = 128;
    world.set_up();
    for tag in ["F", "P", "P", "P", "P", "P", "P", "F", "F", "P", "F"] {
        world.add("stdout", tag);
        world.look();
    }
    world.look_finds_each_line_once();
}

#[test]
fn an_archive_is_cut_where_its_log_was() {
    let mut world = world(&["app.log"]);
    world.chunk_bytes = 100;
    world.set_up();
    for tag in ["F", "P", "P", "F", "F", "F", "P", "F", "P"] {
        world.add("stdout", tag);
    }
    world.gzip("app.log");
    world.look_finds_each_line_once();
    let ends: Vec<u64> = world.pieces.iter().map(|piece| piece.chunk.end).collect();
    let line = |count: u64| count * "2026-11-22T21:53:09Z stdout F 1\n".len() as u64;
    assert_eq!(ends, [line(1), line(4), line(6), line(8), line(9)]);
}

#[test]
fn a_chunk_knows_when_its_log_was_written() {
    let mut world = world(&["app.log"]);
    world.add("stdout", "F");
    world.look();
    let modified = fs::metadata(world.path("app.log")).unwrap().modified().unwrap();
    assert_eq!(world.pieces[0].chunk.written, Some(crate::day::Minute::at(modified.into())));
}

//! Standard input as a log: followed until it ends, or counted into the ledger as often as it is given and only once.

mod common;

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::process::{Output, Stdio};

use common::lines::{assert_each_line_once, line};
use common::{Daemon, daycap, run};

fn lines(numbers: Range<u64>) -> String {
    numbers.map(line).collect()
}

fn state(room: &tempfile::TempDir) -> String {
    room.path().join("state").to_str().expect("UTF-8").to_owned()
}

const UNSTAMPED: &str = "{\"method\":\"GET\",\"url\":\"/a\",\"status\":200}\n";

#[test]
fn a_stream_is_counted_as_it_comes_and_its_end_ends_the_daemon() {
    let room = tempfile::tempdir().expect("a directory");
    let state = state(&room);
    let arguments = ["-", "--limit", "9", "--state", &state, "--listen", "127.0.0.1:0"];
    let (mut daemon, mut pipe) = Daemon::start_behind_a_pipe(&arguments);
    for round in 0..3 {
        pipe.write_all(lines(round * 100..(round + 1) * 100).as_bytes()).expect("writes");
        let counted = (round + 1) * 100;
        daemon.wait_for_metric("daycap_log_lines_total{result=\"counted\",source=\"-\"}", |lines| {
            lines == counted as f64
        });
    }
    // The last line has no end but the stream's.
    pipe.write_all(lines(300..301).trim_end().as_bytes()).expect("writes");
    drop(pipe);
    let (status, said) = daemon.wait_for_end();
    assert!(status.success(), "{said:#?}");
    assert_each_line_once(Path::new(&state), 0..301, |_| "the stream".to_owned());
}

#[test]
fn every_stream_counts_even_one_that_says_the_same() {
    let room = tempfile::tempdir().expect("a directory");
    let state = state(&room);
    for _ in 0..2 {
        let (daemon, mut pipe) = Daemon::start_behind_a_pipe(&["-", "--state", &state, "--listen", "127.0.0.1:0"]);
        pipe.write_all(UNSTAMPED.repeat(3).as_bytes()).expect("writes");
        drop(pipe);
        let (status, said) = daemon.wait_for_end();
        assert!(status.success(), "{said:#?}");
    }
    let (report, _, _) = run(daycap().args(["report", "--by", "operation", "--format", "csv", "--state", &state]));
    assert!(report.contains("/a,6,"), "{report}");
}

fn ingest(state: &str, text: &str) -> String {
    let mut command = daycap();
    command.args(["ingest", "-", "--state", state]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("daycap runs");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("writes");
    let Output { status, stderr, .. } = child.wait_with_output().expect("ends");
    let words = String::from_utf8(stderr).expect("UTF-8");
    assert!(status.success(), "{words}");
    words
}

#[test]
fn a_stream_that_is_ingested_again_counts_once_and_what_it_has_more_counts() {
    for first in [2, 500] {
        let room = tempfile::tempdir().expect("a directory");
        let state = state(&room);
        for (given, words) in [
            (first, format!("{first} requests counted")),
            (first, "0 requests counted".to_owned()),
            (first + 300, "300 requests counted".to_owned()),
            (first, "0 requests counted".to_owned()),
        ] {
            let told = ingest(&state, &lines(0..given));
            assert!(told.contains(&words), "{given}: {told}");
        }
        assert_each_line_once(Path::new(&state), 0..first + 300, |_| "the stream".to_owned());
        assert!(!Path::new(&state).join("stdin.1").exists(), "raw lines are not kept");
    }
}

#[test]
fn a_stream_of_the_past_has_no_time_of_arrival() {
    let room = tempfile::tempdir().expect("a directory");
    let told = ingest(&state(&room), &UNSTAMPED.repeat(2));
    assert!(told.contains("0 requests counted, 0 lines skipped, 2 rejected"), "{told}");
}

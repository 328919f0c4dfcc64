//! What `daycap explain` says of each sample and of each log in tests/formats: how it is read, and a configuration that
//! pins it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{daycap, run};
use expect_test::expect_file;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The logs in a folder, in order.
fn logs(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect(folder);
    let mut names: Vec<String> =
        entries.map(|entry| format!("{folder}/{}", entry.expect("an entry").file_name().to_string_lossy())).collect();
    names.retain(|name| name.contains(".log"));
    names.sort();
    names
}

fn explained(log: &str) -> (String, String, i32) {
    run(daycap().args(["explain", log]).current_dir(ROOT))
}

/// All but the lines themselves.
fn summary(told: &str) -> String {
    let lines = told.lines().take_while(|line| !line.starts_with("  lines as read:"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn each_log_is_explained() {
    let all: String = ["sample-logs", "tests/formats"]
        .into_iter()
        .flat_map(logs)
        .map(|log| {
            let (told, complaint, code) = explained(&log);
            assert_eq!((complaint.as_str(), code), ("", 0), "{log}\n{told}");
            summary(&told)
        })
        .collect();
    expect_file!["expected/explained.txt"].assert_eq(&all);
}

/// What is offered to pin a reading is a configuration as it stands, and reads the log in the same way.
#[test]
fn what_pins_a_reading_reads_it_so() {
    let room = tempfile::tempdir().expect("a directory");
    let config: PathBuf = room.path().join("daycap.toml");
    for log in ["sample-logs", "tests/formats"].into_iter().flat_map(logs) {
        let (told, ..) = explained(&log);
        let (_, pinned) = told.split_once("to pin this reading:\n").expect("a configuration");
        fs::write(&config, pinned).expect("writes");
        let (_, complaint, code) = run(daycap().args(["check-config", "--config"]).arg(&config).current_dir(ROOT));
        assert_eq!(code, 0, "{complaint}\n{pinned}");
        let (again, ..) = run(daycap().args(["explain", &log, "--config"]).arg(&config).current_dir(ROOT));
        let counts = |told: &str| told.lines().find(|line| line.contains("lines looked at")).map(str::to_owned);
        assert_eq!(counts(&again), counts(&told), "{again}");
    }
}

#[test]
fn a_log_that_cannot_be_told_ends_with_1_and_the_remedy() {
    let room = tempfile::tempdir().expect("a directory");
    let json = "{\"time\":\"2026-11-22T10:00:00Z\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200}\n";
    let combined = "::1 - - [22/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 2 \"-\" \"-\"\n";
    for (lines, remedy) in [
        (
            format!("{}{}", json.repeat(5), combined.repeat(5)),
            "write format = \"json\" or format = \"combined\" in its [[source]]",
        ),
        (
            "GET|https://api.example.com/a?token=s3cr3t|200\n".repeat(5),
            "format = \"regex\" and a pattern in its [[source]]",
        ),
        ("just words\n".repeat(5), "format: text, until a request tells: no line reports one"),
    ] {
        let log = room.path().join("app.log");
        fs::write(&log, lines).expect("writes");
        let (told, complaint, code) = run(daycap().arg("explain").arg(&log));
        assert_eq!(code, 1, "{told}");
        assert!(told.contains(remedy) && complaint.contains("cannot tell the format of"), "{told}{complaint}");
        assert!(!told.contains("s3cr3t"), "{told}");
    }
}

/// Each configuration in docs/formats.md is a good one.
#[test]
fn the_configurations_in_the_documentation_are_good() {
    let room = tempfile::tempdir().expect("a directory");
    let config = room.path().join("daycap.toml");
    let text = fs::read_to_string(Path::new(ROOT).join("docs/formats.md")).expect("docs/formats.md");
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect();
    assert!(blocks.len() >= 5, "only {} blocks", blocks.len());
    for block in blocks {
        fs::write(&config, block).expect("writes");
        let (_, complaint, code) = run(daycap().args(["check-config", "--config"]).arg(&config));
        assert_eq!(code, 0, "{complaint}\n{block}");
    }
}

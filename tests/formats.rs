//! The lines in tests/formats/, which real producers wrote, are counted as their README says. None of the producers has
//! to be there: tests/producers.rs runs those.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::{daycap, run};

/// Stands in the logs where a secret would.
const SECRET: &str = "s3cr3t";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

/// A row of README.md: `| [pino.log](pino.log) | pino 10.4.0 | as it comes | 7 |`.
struct Row {
    log: String,
    requests: u64,
    /// Whether its requests can be counted after the fact.
    has_times: bool,
}

fn row(line: &str) -> Option<Row> {
    let mut cells = line.strip_prefix("| [")?.split(" | ");
    let log = cells.next()?.split(']').next()?.to_owned();
    let requests = cells.last()?.trim_end_matches(" |");
    let (number, remark) = requests.split_once(',').unwrap_or((requests, ""));
    Some(Row { log, requests: number.parse().expect("a number of requests"), has_times: remark.is_empty() })
}

fn rows() -> Vec<Row> {
    let index = fs::read_to_string(folder().join("README.md")).expect("tests/formats/README.md");
    index.lines().filter_map(row).collect()
}

/// What `daycap report` counts in a log, and everything that it and `daycap explain` print.
fn counted(log: &str) -> (u64, String) {
    let log = folder().join(log);
    let (csv, said, _) = run(daycap().args(["report", "--by", "operation,status", "--format", "csv"]).arg(&log));
    let (explained, complained, _) = run(daycap().arg("explain").arg(&log));
    let requests = csv.lines().skip(1).map(|line| line.split(',').nth(2).expect("requests").parse::<u64>());
    let requests = requests.map(|requests| requests.expect("a count")).sum();
    (requests, [csv, said, explained, complained].concat())
}

#[test]
fn lines_of_real_producers_are_counted_as_their_index_says() {
    let mut wrong = Vec::new();
    for Row { log, requests, has_times } in rows() {
        let (counted, printed) = counted(&log);
        // What arrives without a time counts when it arrives, and a file that is there already arrived who knows when.
        let wanted = if has_times { requests } else { 0 };
        if counted != wanted {
            wrong.push(format!("{log}: {wanted} requests, {counted} counted\n{printed}"));
        }
        if printed.contains(SECRET) {
            wrong.push(format!("{log}: a secret is in what daycap prints\n{printed}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_log_has_its_row() {
    let logs = fs::read_dir(folder()).expect("tests/formats").map(|entry| entry.expect("an entry").file_name());
    let logs = logs.map(|name| name.into_string().expect("UTF-8")).filter(|name| name != "README.md");
    assert_eq!(logs.collect::<BTreeSet<_>>(), rows().into_iter().map(|row| row.log).collect());
}

//! The sample logs are what their generator makes, small enough to be kept in the repository, and counted
//! by daycap as their generator counted them.

#[path = "../sample-logs/generate.rs"]
#[allow(dead_code, reason = "its command line is not called here")]
mod generate;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const COMMITTED_BYTES_MAX: u64 = 300_000;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs")
}

/// The logs in `sample-logs/`, by name.
fn committed() -> Vec<(String, PathBuf)> {
    let mut logs: Vec<_> = fs::read_dir(directory())
        .expect("sample-logs/")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path))
        .filter(|(name, _)| name.contains(".log"))
        .collect();
    logs.sort();
    logs
}

/// Compressors of different versions give different bytes; what they compress is what counts.
fn content(path: &Path) -> Vec<u8> {
    let file = fs::File::open(path).expect("a sample log");
    let mut reader: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("a whole sample log");
    bytes
}

#[test]
fn sample_logs_are_what_the_generator_makes() {
    let (generated, _) = generate::week::samples();
    let committed = committed();
    let names: Vec<_> = committed.iter().map(|(name, _)| name).collect();
    assert_eq!(names, generated.keys().collect::<Vec<_>>(), "run `make samples`");
    for (name, path) in &committed {
        assert!(content(path) == generated[name], "sample-logs/{name} differs; run `make samples`");
    }
}

#[test]
fn sample_logs_are_small() {
    let sizes = committed().into_iter().map(|(_, path)| fs::metadata(path).expect("a sample log").len());
    assert!(sizes.sum::<u64>() < COMMITTED_BYTES_MAX);
}

/// Each line of truth is one request line: the proxy's log holds nothing else, the others also talk.
#[test]
fn the_truth_knows_every_request_line() {
    let (files, truth) = generate::week::samples();
    let requests = files
        .values()
        .flat_map(|content| content.split(|byte| *byte == b'\n'))
        .filter(|line| is_request(&String::from_utf8_lossy(line)))
        .count();
    assert_eq!(u64::try_from(requests).expect("a count"), truth.requests());
}

fn is_request(line: &str) -> bool {
    line.contains("\"http_request\"") || line.contains(" HTTP/1.1\" ")
}

#[test]
fn every_sample_line_ends() {
    for (name, content) in generate::week::samples().0 {
        assert_eq!(content.last(), Some(&b'\n'), "{name}");
    }
}

/// Requests by day, service, operation and status.
type Counts = BTreeMap<[String; 4], u64>;

/// Sums a CSV whose first columns are day (or minute), service, operation and status, and whose fifth is requests.
fn counts(csv: &str) -> Counts {
    let mut counts = Counts::new();
    for line in csv.lines().skip(1) {
        let mut fields = line.split(',').map(str::to_owned);
        let mut field = || fields.next().expect("five fields");
        let group = [field()[..10].to_owned(), field(), field(), field()];
        *counts.entry(group).or_default() += field().parse::<u64>().expect("a count");
    }
    counts
}

fn daycap(arguments: &[&str], logs: &[PathBuf]) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_daycap")).args(arguments).args(logs).output().expect("daycap");
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

fn paths() -> Vec<PathBuf> {
    committed().into_iter().map(|(_, path)| path).collect()
}

const BY: &str = "day,service,operation,status";

#[test]
fn a_report_of_the_sample_logs_is_the_truth() {
    let report = daycap(&["report", "--by", BY, "--format", "csv"], &paths());
    assert_eq!(counts(&report), counts(&generate::week::samples().1.csv()));
}

#[test]
fn a_ledger_that_took_the_sample_logs_twice_holds_them_once() {
    let state = TempDir::new().expect("a directory");
    let state = state.path().to_str().expect("a path in UTF-8");
    for _ in 0..2 {
        daycap(&["ingest", "--state", state], &paths());
    }
    let report = daycap(&["report", "--state", state, "--by", BY, "--format", "csv"], &[]);
    assert_eq!(counts(&report), counts(&generate::week::samples().1.csv()));
}

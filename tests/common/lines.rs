//! Log lines that the ledger tells apart: each has a (minute, operation, status) of its own, so that a lost line
//! and a doubled one never cancel.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::ledger_by_duckdb;

/// Neighbouring lines are of different days, so that each commit writes several files.
const DAYS: [&str; 3] = ["2026-02-27", "2026-02-28", "2026-03-01"];
const MINUTES: u64 = 24 * 60;
/// Letters only: digits could be taken for an id and cut out.
const OPERATIONS: [&str; 26] = [
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima",
    "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "xray",
    "yankee", "zulu",
];
const STATUSES: [u16; 10] = [200, 201, 204, 301, 400, 401, 404, 409, 429, 500];

/// So many lines can be told apart.
pub const LINES_MAX: u64 = (DAYS.len() * OPERATIONS.len() * STATUSES.len()) as u64 * MINUTES;

/// What a line's number becomes in the ledger.
struct Labels {
    day: &'static str,
    minute: u64,
    operation: &'static str,
    status: u16,
}

impl Labels {
    fn of(number: u64) -> Labels {
        assert!(number < LINES_MAX, "line {number} cannot be told from line {}", number % LINES_MAX);
        let mut rest = usize::try_from(number).expect("fits");
        let mut digit = |base: usize| {
            let digit = rest % base;
            rest /= base;
            digit
        };
        Labels {
            day: DAYS[digit(DAYS.len())],
            minute: digit(24 * 60) as u64,
            operation: OPERATIONS[digit(OPERATIONS.len())],
            status: STATUSES[digit(STATUSES.len())],
        }
    }

    fn time(&self) -> String {
        format!("{:02}:{:02}:00", self.minute / 60, self.minute % 60)
    }
}

/// The line with this number, with its LF.
pub fn line(number: u64) -> String {
    let labels = Labels::of(number);
    let Labels { day, operation, status, .. } = labels;
    let time = labels.time();
    format!(
        "{{\"timestamp\":\"{day}T{time}Z\",\"method\":\"POST\",\"url\":\"https://api.example.com/graphql\",\"status\":{status},\"operation\":\"{operation}\",\"number\":{number}}}\n"
    )
}

/// Its group in the ledger, as [`ledger_by_duckdb`] names it.
fn group(number: u64) -> String {
    let labels = Labels::of(number);
    format!("{} {}|{}|{}", labels.day, labels.time(), labels.operation, labels.status)
}

/// Requests by group, as DuckDB reads the ledger. `state` may be a pattern for several directories.
fn ledger(state: &Path) -> HashMap<String, u64> {
    let split = |line: &String| {
        let (group, requests) = line.rsplit_once('|').expect("a group and its requests");
        (group.to_owned(), requests.parse().expect("a number"))
    };
    ledger_by_duckdb(state).iter().map(split).collect()
}

/// How many requests the ledger holds.
pub fn requests(state: &Path) -> u64 {
    ledger(state).values().sum()
}

/// Compare the ledger line by line with what was written. `origin` tells where a line comes from.
pub fn assert_each_line_once(state: &Path, written: impl Iterator<Item = u64>, origin: impl Fn(u64) -> String) {
    assert_lines_once(state, written, |_| true, origin);
}

/// The same where some lines were destroyed before anybody had to read them: whether these are counted is left open,
/// but no line counts twice.
pub fn assert_lines_once(
    state: &Path,
    written: impl Iterator<Item = u64>,
    is_to_be_found: impl Fn(u64) -> bool,
    origin: impl Fn(u64) -> String,
) {
    let mut ledger = ledger(state);
    let (mut lost, mut doubled) = (Findings::default(), Findings::default());
    let mut lines = 0;
    for number in written {
        lines += 1;
        match ledger.remove(&group(number)).unwrap_or(0) {
            0 if is_to_be_found(number) => lost.add(number, origin(number)),
            0 | 1 => {}
            _ => doubled.add(number, origin(number)),
        }
    }
    assert!(lines > 0, "nothing was written, so nothing is shown");
    let is_exact = lost.count + doubled.count == 0 && ledger.is_empty();
    assert!(is_exact, "of {lines} lines, lost: {lost}, doubled: {doubled}, never written: {ledger:#?}");
}

/// The numbers of the whole lines in these bytes.
pub fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"timestamp\""));
    whole.filter_map(|line| {
        let line = std::str::from_utf8(line).expect("UTF-8").strip_suffix("}\n")?;
        line.rsplit_once("\"number\":")?.1.parse().ok()
    })
}

/// Line numbers that should not be: how many of each origin, and between which.
#[derive(Default)]
struct Findings {
    count: u64,
    by_origin: BTreeMap<String, (u64, u64, u64)>,
}

impl Findings {
    fn add(&mut self, number: u64, origin: String) {
        self.count += 1;
        let (count, _, last) = self.by_origin.entry(origin).or_insert((0, number, number));
        *count += 1;
        *last = number;
    }
}

impl std::fmt::Display for Findings {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "{}", self.count)?;
        for (origin, (count, first, last)) in &self.by_origin {
            write!(out, "\n  {origin}: {count}, numbers {first} to {last}")?;
        }
        Ok(())
    }
}

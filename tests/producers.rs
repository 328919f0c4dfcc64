//! Real libraries write their logs about calls that a loopback API counted, and daycap has to report just that count,
//! by method, operation and status. What each producer is, rows.rs says; the scripts beside it make the calls, and try
//! again on 429 and 500. `UPDATE_README=1 cargo test --test producers` writes the table into docs/formats.md;
//! `PRODUCERS_LOGS=FOLDER` keeps a copy of the logs there.

mod common;
#[path = "producers/api.rs"]
mod api;
#[path = "producers/rows.rs"]
mod rows;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use api::{Api, Asked};
use chrono::{DateTime, Utc};
use common::{Daemon, daycap, run};
use rows::{FAMILIES, Family, Names, Program, Row, Time};

/// Families that run at a time: as many as the smallest machine has cores.
const AT_ONCE: usize = 2;
/// How long arrived lines may take to be counted, on a busy machine.
const ARRIVAL: Duration = Duration::from_secs(20);
/// In each URL's query and each request's Authorization.
const SECRET: &str = "s3cr3t";

/// Requests by method, operation and status.
type Counts = BTreeMap<(String, String, String), u64>;

/// What came of a row.
struct Outcome {
    row: &'static Row,
    /// `httpx 0.28.1`, as the script found it installed.
    versions: String,
    made: Counts,
    counted: Counts,
    /// What else is wrong, in sentences.
    complaints: Vec<String>,
}

#[test]
fn real_producers_are_counted_as_the_api_counted_them() {
    let room = tempfile::tempdir().expect("a directory");
    let room = room.path();
    let begun = now();
    let live = Live::start(room);
    let written = run_all(room);
    keep_logs(room);
    let arrived = live.end();
    let hours = [begun, now()].map(|at| at.format("%Y-%m-%dT%H:00+00:00").to_string());

    let outcomes: Vec<Outcome> = written.into_iter().map(|written| written.judged(room, &arrived, &hours)).collect();
    print!("{}", table(&outcomes, true));
    let wrong: Vec<String> = outcomes.iter().filter_map(|outcome| outcome.complaint(room)).collect();
    assert!(wrong.is_empty(), "{} of {} logs are not counted right\n{}", wrong.len(), outcomes.len(), wrong.join("\n"));
    assert_documented(&table(&outcomes, false));
}

#[expect(clippy::disallowed_methods, reason = "producers stamp their lines by the same clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

// ---- producers run ----

/// A log that its producer is done with.
struct Written {
    row: &'static Row,
    versions: String,
    truth: BTreeMap<Asked, u64>,
}

/// Run every script, each against an API of its own.
fn run_all(room: &Path) -> Vec<Written> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let run_some = |families: Vec<(u64, &'static Family)>| {
        let run = |(number, family)| (number, run_family(family, &runtime.block_on(Api::start(number)), room));
        families.into_iter().map(run).collect::<Vec<_>>()
    };
    let mut written: Vec<(u64, Vec<Written>)> = std::thread::scope(|scope| {
        // Node's families are the quicker ones: dealt out in turn, both threads end at about the same time.
        let hands = (0..AT_ONCE).map(|hand| (0..).zip(&FAMILIES).skip(hand).step_by(AT_ONCE).collect());
        let threads: Vec<_> = hands.map(|families| scope.spawn(|| run_some(families))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("its producers ran")).collect()
    });
    written.sort_by_key(|(number, _)| *number);
    written.into_iter().flat_map(|(_, written)| written).collect()
}

fn run_family(family: &'static Family, api: &Api, room: &Path) -> Vec<Written> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/producers").join(family.script);
    let mut command = program(family.program);
    command.arg(script).arg(&api.url).arg(room).env("TZ", "UTC");
    let remedy = "scripts/setup.sh test (or make test) installs what is missing";
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; {remedy}"));
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {errors}\n{remedy}", family.script);
    let versions: BTreeMap<&str, &str> = said.lines().filter_map(|line| line.split_once('\t')).collect();
    assert_eq!(versions.len(), family.rows.len(), "{} wrote other logs than rows.rs has: {said}", family.script);
    let versions = |row: &Row| (*versions.get(row.log).unwrap_or_else(|| panic!("no {}: {said}", row.log))).to_owned();
    family.rows.iter().map(|row| Written { row, versions: versions(row), truth: api.truth() }).collect()
}

/// For whoever wants to see what the producers wrote.
fn keep_logs(room: &Path) {
    let Some(folder) = std::env::var_os("PRODUCERS_LOGS") else { return };
    fs::create_dir_all(&folder).expect("a folder for logs");
    for row in FAMILIES.iter().flat_map(|family| family.rows) {
        let log = log(room, row);
        fs::copy(&log, Path::new(&folder).join(log.file_name().expect("a name"))).expect("copies");
    }
}

fn program(program: Program) -> Command {
    let cache = cache();
    let mut command = match program {
        Program::Python => Command::new(std::env::var_os("DAYCAP_PYTHON").unwrap_or_else(|| "python3".into())),
        Program::Node => Command::new("node"),
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [cache.join("venv/bin"), cache.join("bin")].into_iter().chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).expect("a search path"));
    // Nothing is written into the clone.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("NODE_PATH", cache.join("node/node_modules"));
    command
}

/// Where scripts/setup.sh keeps what the tests need.
fn cache() -> PathBuf {
    let folder = |variable: &str| std::env::var_os(variable).filter(|value: &OsString| !value.is_empty());
    let below = |variable: &str, rest: &str| folder(variable).map(|folder| Path::new(&folder).join(rest));
    let cache = below("DAYCAP_CACHE", "").or_else(|| below("XDG_CACHE_HOME", "daycap"));
    cache.or_else(|| below("HOME", ".cache/daycap")).expect("DAYCAP_CACHE or HOME is set")
}

// ---- daycap counts ----

/// A daemon that follows the logs whose lines count when they arrive.
struct Live {
    daemon: Daemon,
    state: PathBuf,
    logs: Vec<(&'static str, PathBuf)>,
}

impl Live {
    fn start(room: &Path) -> Live {
        let rows = FAMILIES.iter().flat_map(|family| family.rows).filter(|row| row.time == Time::Arrival);
        let logs: Vec<_> = rows.map(|row| (row.log, log(room, row))).collect();
        let state = room.join("state");
        fs::create_dir(&state).expect("a directory");
        let mut text = format!(
            "[state]\ndir = {state:?}\ncommit_interval = \"20ms\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[quota]]\nname = \"all\"\nlimit = 1000000\n"
        );
        for (name, log) in &logs {
            let _ = write!(text, "[[source]]\nname = \"{name}\"\nservice = \"{name}\"\npath = {log:?}\n");
        }
        let config = room.join("daycap.toml");
        fs::write(&config, text).expect("writes");
        let mut daemon = Daemon::start(&["--config", config.to_str().expect("UTF-8")]);
        // Said when it has read what was there before it: nothing yet.
        daemon.wait_for_words("all: ");
        Live { daemon, state, logs }
    }

    /// Once all is read: what the ledger says, by log.
    fn end(mut self) -> BTreeMap<String, Report> {
        let deadline = Instant::now() + ARRIVAL;
        while !self.has_read_all() && Instant::now() < deadline {
            self.daemon.listen(Duration::from_millis(50));
        }
        let (_, _, said) = self.daemon.terminate();
        let (csv, errors, _) = run(daycap()
            .args(["report", "--by", "service,hour,method,operation,status", "--format", "csv"])
            .arg("--state")
            .arg(&self.state));
        let said = format!("{errors}{}", said.join("\n"));
        self.logs.iter().map(|(name, _)| ((*name).to_owned(), Report::of(&csv, Some(name), &said))).collect()
    }

    fn has_read_all(&mut self) -> bool {
        let metrics = self.daemon.get("/metrics");
        self.logs.iter().all(|(name, log)| {
            let source = format!("source=\"{name}\"");
            let lines =
                metrics.lines().filter(|line| line.starts_with("daycap_log_lines_total{") && line.contains(&source));
            let read: u64 = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum();
            read == u64::try_from(fs::read_to_string(log).unwrap_or_default().lines().count()).expect("few")
        })
    }
}

fn log(room: &Path, row: &Row) -> PathBuf {
    room.join(row.log).with_extension("log")
}

/// What `daycap report` printed.
#[derive(Clone, Default)]
struct Report {
    counts: Counts,
    hours: Vec<String>,
    /// Everything it said.
    said: String,
}

impl Report {
    /// From CSV, only the rows of one service if one is given.
    fn of(csv: &str, service: Option<&str>, said: &str) -> Report {
        let mut report = Report { said: said.to_owned(), ..Report::default() };
        let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let names = lines.next().unwrap_or_default();
        for cells in lines {
            let cell = |name| names.iter().position(|column| *column == name).map(|at| cells[at]);
            let text = |name| cell(name).expect("a column").to_owned();
            if service.is_none() || cell("service") == service {
                let requests: u64 = text("requests").parse().expect("a count");
                *report.counts.entry((text("method"), text("operation"), text("status"))).or_default() += requests;
                report.hours.push(text("hour"));
            }
        }
        report
    }
}

impl Written {
    fn judged(self, room: &Path, arrived: &BTreeMap<String, Report>, hours: &[String; 2]) -> Outcome {
        let log = log(room, self.row);
        let afterwards = reported(&log);
        let explained = explained(&log);
        let (report, refused) = match self.row.time {
            Time::Stamped => (&afterwards, true),
            Time::Arrival => (&arrived[self.row.log], afterwards.counts.is_empty()),
        };
        let mut complaints = Vec::new();
        if !refused {
            complaints.push("read afterwards, lines without a time stamp were counted all the same".to_owned());
        }
        if let Some(hour) = report.hours.iter().find(|hour| !hours.contains(hour)) {
            complaints.push(format!("requests of {hour}, but the producers ran at {hours:?}"));
        }
        let printed = [&report.said, &afterwards.said, &explained, &format!("{:?}", report.counts)];
        if printed.iter().any(|text| text.contains(SECRET)) {
            complaints.push("a secret of the log is in what daycap prints".to_owned());
        }
        let made = made(self.truth, self.row.names);
        if made != report.counts {
            complaints.extend([report.said.clone(), explained]);
        }
        Outcome { row: self.row, versions: self.versions, made, counted: report.counts.clone(), complaints }
    }
}

/// What `daycap report` makes of a finished log.
fn reported(log: &Path) -> Report {
    let arguments = ["report", "--by", "hour,method,operation,status", "--format", "csv"];
    let (csv, said, _) = run(daycap().args(arguments).arg(log));
    Report::of(&csv, None, &said)
}

fn explained(log: &Path) -> String {
    let (explained, said, _) = run(daycap().arg("explain").arg(log));
    explained + &said
}

fn made(truth: BTreeMap<Asked, u64>, names: Names) -> Counts {
    let mut made = Counts::new();
    for (asked, times) in truth {
        *made.entry(labels(asked, names)).or_default() += times;
    }
    made
}

/// How daycap should name a request that a log tells by its path, or by its operation.
fn labels(asked: Asked, names: Names) -> (String, String, String) {
    let operation = match names {
        Names::Path => asked.path,
        Names::Operation => asked.operation.unwrap_or(asked.path),
    };
    (asked.method, operation, asked.status.to_string())
}

// ---- what is shown ----

impl Outcome {
    /// What is wrong, with the log's first line.
    fn complaint(&self, room: &Path) -> Option<String> {
        let keys = self.made.keys().chain(self.counted.keys().filter(|key| !self.made.contains_key(key)));
        let differences = keys.filter_map(|key| {
            let [made, counted] = [&self.made, &self.counted].map(|counts| counts.get(key).copied().unwrap_or(0));
            (made != counted).then(|| format!("\n    {key:?}: {made} made, {counted} counted"))
        });
        let differences: String = differences.collect();
        let text = fs::read_to_string(log(room, self.row)).unwrap_or_default();
        let wrong = !differences.is_empty() || !self.complaints.is_empty();
        wrong.then(|| {
            let (lines, first) = (text.lines().count(), text.lines().next().unwrap_or_default());
            let complaints = self.complaints.join("\n");
            format!("{}: {lines} lines, the first: {first}{differences}\n{complaints}", self.row.log)
        })
    }
}

/// In Markdown. nginx is the machine's own: its version is not the same everywhere.
fn table(outcomes: &[Outcome], with_every_version: bool) -> String {
    let mut table =
        "| log | written by | configuration | requests made | requests counted |\n|---|---|---|---:|---:|\n".to_owned();
    for Outcome { row, versions, made, counted, .. } in outcomes {
        let versions = if versions.starts_with("nginx") && !with_every_version { "nginx of Debian" } else { versions };
        let [made, counted] = [made, counted].map(|counts| counts.values().sum::<u64>());
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {} | {versions} | {} | {made} | {counted} |", row.log, row.configuration);
    }
    table
}

const BEGIN: &str = "<!-- producers -->\n";
const END: &str = "<!-- /producers -->";

/// docs/formats.md has this table between its marks.
fn assert_documented(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    let present = fs::read_to_string(&path).expect("docs/formats.md");
    let (before, rest) = present.split_once(BEGIN).expect("docs/formats.md marks where the table begins");
    let (_, after) = rest.split_once(END).expect("docs/formats.md marks where the table ends");
    let fresh = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, &fresh).expect("docs/formats.md");
    } else {
        assert!(
            present == fresh,
            "docs/formats.md is out of date; UPDATE_README=1 cargo test --test producers\n{table}"
        );
    }
}

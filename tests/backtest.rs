//! `daycap backtest` on the real binary: counts from CSV and from the ledger, the figures of rivals as computed by hand,
//! the JSON that programs rely on, and what is refused and how.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{daycap, run};
use expect_test::{Expect, expect, expect_file};
use serde_json::Value;
use tempfile::TempDir;

/// Twenty days from Monday, 2 November on: nothing before 8, then 100 an hour until 18; 160 on the 18th and 21st.
/// Passed is a limit of 1,200 on these two days, at 15:30.
fn office_hours() -> String {
    let mut text = "series,timestamp,count\n".to_owned();
    for (day, hour) in (2..22).flat_map(|day| (0..24).map(move |hour| (day, hour))) {
        let rate = if [18, 21].contains(&day) { 160 } else { 100 };
        let count = if (8..18).contains(&hour) { rate } else { 0 };
        writeln!(text, "office,2026-11-{day:02} {hour:02}:00:00,{count}").expect("writes");
    }
    text
}

struct Room(TempDir);

impl Room {
    fn new() -> Room {
        Room(tempfile::tempdir().expect("a directory"))
    }

    fn with(counts: &str) -> Room {
        let room = Room::new();
        fs::write(room.0.path().join("counts.csv"), counts).expect("writes");
        room
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, words: &[&str]) -> (String, String, i32) {
        run(daycap().arg("backtest").args(words).current_dir(self.path()))
    }

    /// What it prints, when it ends well.
    fn ask(&self, words: &[&str]) -> String {
        let (out, err, code) = self.run(words);
        assert_eq!((code, err.as_str()), (0, ""), "{words:?}");
        out
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.ask(&[words, &["--format", "json"]].concat())).expect("JSON")
    }

    fn refused(&self, words: &[&str], expected: Expect) {
        let (out, err, code) = self.run(words);
        expected.assert_eq(&format!("exit {code}\n{out}{err}"));
    }
}

const ASKED: [&str; 6] = ["--counts", "counts.csv", "--history", "14", "--limit", "1200"];

#[test]
fn a_table_says_errors_alerts_probabilities_and_times() {
    let room = Room::with(&office_hours());
    expect_file!["expected/backtest.txt"].assert_eq(&room.ask(&ASKED));
}

#[test]
fn rivals_are_as_wrong_as_computed_by_hand() {
    let told = Room::with(&office_hours()).json(&ASKED);
    let series = &told["series"][0];
    assert_eq!((&series["name"], &series["days"], &series["history_days"]), (&"office".into(), &6.into(), &14.into()));
    let at = |hour: u64| {
        let cutoffs = series["cutoffs"].as_array().expect("a list");
        cutoffs.iter().find(|cutoff| cutoff["hour"] == hour).expect("the hour")
    };
    // Linear knows four of ten hours at noon, doubles them, and is a fifth short.
    assert_eq!(at(12)["median_ape"]["linear"], 0.2);
    assert_eq!(at(6)["median_ape"]["linear"], 1);
    // The last four hours before 18:00 go on for six more; an hour's units do not divide by its minutes.
    let predict_linear = at(18)["median_ape"]["predict_linear_4h"].as_f64().expect("a number");
    assert!((predict_linear - 0.6).abs() < 0.001, "{predict_linear}");
    // Two days are 1,600 after 1,000, one is 1,000 after 1,600, three are as the day before.
    assert_eq!(at(12)["median_ape"]["yesterday"], 0.1875);
    assert_eq!(at(12)["mean_ape"]["yesterday"], 0.225);
    // By 18:00 the 1,600 are counted.
    assert_eq!(at(18)["mean_ape"]["yesterday"], 0.1);
    let alerts = &series["alerts"];
    assert_eq!((&alerts["limit"], &alerts["exceed_days"]), (&1200.into(), &2.into()));
    // Linear: at noon 640 x 2; but 900 x 24 / 17 on each other day, too.
    let linear = &alerts["linear"];
    assert_eq!(
        (&linear["recall"], &linear["precision"], &linear["lead_hours_median"]),
        (&1.into(), &0.3333.into(), &3.5.into())
    );
    assert_eq!(linear["false_alarm_days_per_100"], 66.6667);
    // Four fifths are 960: at 14:00 on the two days, at 18:00 on all others.
    let fixed = &alerts["static_80"];
    assert_eq!(
        (&fixed["recall"], &fixed["precision"], &fixed["lead_hours_median"]),
        (&1.into(), &0.3333.into(), &1.5.into())
    );
    assert_eq!(told["pooled"]["alerts"]["static_80"], *fixed);
    assert_eq!(told["median"]["cutoffs"], series["cutoffs"]);
}

#[test]
fn daycap_is_better_than_a_straight_line_on_a_client_with_office_hours() {
    let told = Room::with(&office_hours()).json(&ASKED);
    let series = &told["series"][0];
    for cutoff in series["cutoffs"].as_array().expect("a list") {
        let error = |method: &str| cutoff["median_ape"][method].as_f64().expect("a number");
        assert!(error("daycap") < error("linear") / 3.0, "{cutoff:#}");
    }
    let [daycap, linear] = ["daycap", "linear"].map(|rule| &series["alerts"][rule]);
    let false_alarms = |rule: &Value| rule["false_alarm_days_per_100"].as_f64().expect("a number");
    assert_eq!(daycap["recall"], 1, "{daycap:#}");
    assert!(false_alarms(daycap) < false_alarms(linear), "{daycap:#}");
}

/// The keys of a value, in lists those of the first.
fn keys(value: &Value, indent: usize, text: &mut String) {
    let fields: Vec<(&str, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.as_str(), value)).collect(),
        Value::Array(all) => all.first().map(|first| ("[]", first)).into_iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (key, value) in fields {
        writeln!(text, "{:indent$}{key}", "").expect("writes");
        keys(value, indent + 2, text);
    }
}

#[test]
fn json_has_the_keys_that_programs_rely_on() {
    let told = Room::with(&office_hours()).json(&ASKED);
    let mut text = String::new();
    keys(&told["series"], 0, &mut text);
    expect_file!["expected/backtest-keys.txt"].assert_eq(&text);
    let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&told), ["median", "pooled", "series"]);
    let with_name = [names(&told["median"]), vec!["name".to_owned()]].concat();
    let mut of_series = names(&told["series"][0]);
    of_series.sort_by_key(|name| name == "name");
    assert_eq!(of_series, with_name);
}

#[test]
fn what_is_undefined_is_null() {
    let room = Room::with(&office_hours());
    let told = room.json(&["--counts", "counts.csv", "--limit", "5000"]);
    let series = &told["series"][0];
    assert_eq!((&series["days"], &series["history_days"]), (&10.into(), &10.into()), "from the middle on");
    assert_eq!(
        (&series["alerts"]["daycap"]["recall"], &series["alerts"]["linear"]["precision"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(series["exhaustion_error_hours"]["within_6h"]["daycap"], Value::Null);
}

#[test]
fn csv_is_a_figure_a_row() {
    let out = Room::with(&office_hours()).ask(&[&ASKED[..], &["--format", "csv"]].concat());
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "series,measure,at,of,value");
    for row in ["office,median_ape,12,linear,0.2", "(pooled),recall,,static_80,1", "(median),days,,,6"] {
        assert!(lines.contains(&row), "{row} is not in {out}");
    }
}

#[test]
fn what_would_have_fired_is_told_day_by_day() {
    let room = Room::with(&office_hours());
    expect![[r#"
        series   day           used   limit   passed at   what would have been said
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        office   2026-11-16   1,000   1,200           -   18:00 used_80
        office   2026-11-17   1,000   1,200           -   01:00 used_80 is over, 18:00 used_80
        office   2026-11-18   1,600   1,200       15:30   01:00 used_80 is over, 12:00 imminent, 16:00 exceeded
        office   2026-11-19   1,000   1,200           -   01:00 exceeded is over, 02:00 imminent, 10:00 imminent is over, 18:00 used_80
        office   2026-11-20   1,000   1,200           -   01:00 used_80 is over, 18:00 used_80
        office   2026-11-21   1,600   1,200       15:30   01:00 used_80 is over, 10:00 projected, 11:00 imminent, 16:00 exceeded
        nothing fired, and no limit was passed, on 0 of 6 days
    "#]]
    .assert_eq(&room.ask(&[&ASKED[..], &["--alerts"]].concat()));
    let told = room.json(&[&ASKED[..], &["--alerts"]].concat());
    let days = told["series"][0]["days"].as_array().expect("a list").clone();
    assert_eq!(days.len(), 6);
    assert_eq!((&days[2]["total"], &days[2]["exceeded_at"]), (&1600.into(), &"2026-11-18T15:30:00Z".into()));
    assert!(days[2]["fired"].as_array().expect("a list").iter().any(|fired| fired["level"] == "exceeded"), "{days:#?}");
}

#[test]
fn without_history_the_first_day_is_forecast_too() {
    let told = Room::with(&office_hours()).json(&["--counts", "counts.csv", "--history", "0", "--limit", "p85"]);
    let series = &told["series"][0];
    assert_eq!(
        (&series["days"], &series["history_days"], &series["alerts"]["limit"]),
        (&20.into(), &0.into(), &1000.into())
    );
    assert!(series["cutoffs"][4]["median_ape"]["daycap"].is_number());
}

#[test]
fn counts_come_from_many_files_and_from_standard_input() {
    let room = Room::with(&office_hours());
    let nameless: String = office_hours().replace("series,", "").replace("office,", "");
    fs::write(room.path().join("other.csv"), &nameless).expect("writes");
    let command = &mut daycap();
    let mut child = command
        .args(["backtest", "--counts", "-", "--counts", "counts.csv", "--counts", "other.csv", "--format", "json"])
        .current_dir(room.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdin.take().expect("a pipe").write_all(nameless.as_bytes()).expect("writes");
    let told: Value = serde_json::from_slice(&child.wait_with_output().expect("ends").stdout).expect("JSON");
    let named: Vec<_> =
        told["series"].as_array().expect("a list").iter().map(|series| series["name"].clone()).collect();
    assert_eq!(named, ["counts", "office", "other"]);
    assert_eq!(told["series"][0]["cutoffs"], told["series"][1]["cutoffs"]);
}

#[test]
fn a_day_of_23_hours_is_whole_and_one_with_a_missing_row_is_not() {
    // Local hours of Berlin around the night of 29 March, which has no 02:00.
    let hours = (26..32).flat_map(|day| (0..24).map(move |hour| (day, hour))).filter(|at| *at != (29, 2));
    let rows = |left_out: (u32, u32)| {
        let rows = hours.clone().filter(|at| *at != left_out);
        rows.fold("timestamp,count\n".to_owned(), |text, (day, hour)| text + &format!("2026-03-{day} {hour:02}:00,5\n"))
    };
    let judged = |text: &str| {
        let told = Room::with(text).json(&["--counts", "counts.csv", "--tz", "Europe/Berlin", "--history", "0"]);
        told["series"][0]["days"].clone()
    };
    assert_eq!((judged(&rows((0, 0))), judged(&rows((29, 3)))), (6.into(), 5.into()));
}

#[test]
fn wrong_counts_and_wrong_words_are_refused_with_the_remedy() {
    let room = Room::with("timestamp,count\n2026-11-22 01:00,1\n2026-11-22 02:00,-1\n");
    room.refused(
        &["--counts", "counts.csv"],
        expect![[r#"
        exit 1
        daycap: counts.csv line 3: count -1 is negative; leave out the row of a bin whose count is not known
    "#]],
    );
    room.refused(
        &["--counts", "none.csv"],
        expect![[r#"
        exit 1
        daycap: cannot read none.csv: No such file or directory (os error 2)
    "#]],
    );
    room.refused(
        &["--counts", "counts.csv", "--limit", "p101"],
        expect![[r#"
        exit 2
        daycap: --limit "p101": write units a day, as 40000, or a percentile of the series' own days, as p85
    "#]],
    );
    room.refused(
        &["--counts", "counts.csv", "--tz", "Europe/Berln"],
        expect![[r#"
        exit 2
        daycap: --tz: "Europe/Berln" is not an IANA time zone; did you mean "Europe/Berlin"?
    "#]],
    );
    room.refused(
        &["--state", "none"],
        expect![[r#"
        exit 1
        daycap: there is no ledger in none; give the daemon's with --state, or counts with --counts
    "#]],
    );
}

/// Thirteen whole days and a bit of requests, one each hour of UTC and five at 12:00; counted by the real binary.
fn ledger(room: &Room) {
    let lines = (5..19).flat_map(|day| (0..24).map(move |hour| (day, hour))).flat_map(|(day, hour)| {
        let requests = if hour == 12 { 5 } else { 1 };
        (0..requests).map(move |second| {
            format!("{{\"timestamp\":\"2024-03-{day:02}T{hour:02}:00:{second:02}Z\",\"method\":\"GET\",\"url\":\"https://api.example.com/{day}\",\"status\":200}}\n")
        })
    });
    fs::write(room.path().join("app.log"), lines.collect::<String>()).expect("writes");
    let text = "[state]\ndir = \"state\"\nhost = \"here\"\nkeep = \"36500d\"\n[[quota]]\nname = \"prod\"\nlimit = 30\ntz = \"Europe/Berlin\"\n";
    fs::write(room.path().join("daycap.toml"), text).expect("writes");
    let (_, err, code) = run(daycap().args(["ingest", "app.log", "--config", "daycap.toml"]).current_dir(room.path()));
    assert_eq!(code, 0, "{err}");
}

#[test]
fn the_ledger_is_judged_by_its_quotas() {
    let room = Room::new();
    ledger(&room);
    let told = room.json(&["--config", "daycap.toml", "--history", "7"]);
    let series = &told["series"][0];
    assert_eq!((&series["name"], &series["alerts"]["limit"]), (&"prod".into(), &30.into()));
    // Counting began at some time of the 5th, and ended at some time of Berlin's 19th: the 6th to the 18th are known.
    assert_eq!((&series["days"], &series["history_days"]), (&6.into(), &7.into()), "{told:#}");
    let stricter = room.json(&["--config", "daycap.toml", "--history", "7", "--limit", "20"]);
    assert_eq!(stricter["series"][0]["alerts"]["exceed_days"], 6);
    let without = room.json(&["--state", "state", "--tz", "Europe/Berlin"]);
    assert_eq!((&without["series"][0]["name"], &without["series"][0]["alerts"]["limit"]), (&"all".into(), &28.into()));
    room.refused(
        &["--config", "daycap.toml", "--tz", "UTC"],
        expect![[r#"
        exit 2
        daycap: --tz: each configured quota has its own zone; leave --tz out, or give --counts
    "#]],
    );
}

#[test]
fn the_script_prints_the_tables_that_the_document_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let room = Room::new();
    let [first, second] = ["a,", "b,"].map(|name| office_hours().replace("office,", name));
    fs::write(room.path().join("first.csv"), &first).expect("writes");
    fs::write(room.path().join("second.csv"), &second).expect("writes");
    let clients = first + second.split_once('\n').expect("a header").1;
    fs::write(room.path().join("servegen_api_clients.csv"), clients).expect("writes");
    let script = &mut Command::new(root.join("scripts/forecast-tables.sh"));
    let (printed, err, code) = run(script.arg(env!("CARGO_BIN_EXE_daycap")).arg(room.path()));
    assert_eq!((code, err.as_str()), (0, ""));
    let document = fs::read_to_string(root.join("docs/forecast.md")).expect("the document");
    let (_, after) = document.split_once("<!-- tables -->\n").expect("a begin");
    let (shown, _) = after.split_once("<!-- end of tables -->").expect("an end");
    // The words are the same; the figures are of other series.
    let words = |text: &str| {
        let is_told = |line: &&str| line.starts_with("###") || line.starts_with("```") || line.contains(", ");
        let of_words = |line: &str| line.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
        let lines = text.lines().filter(is_told).filter(|line| !line.contains("  ") && !line.contains(" series: "));
        lines.filter(|line| !line.contains(" days forecast")).map(of_words).collect::<Vec<_>>()
    };
    assert_eq!(words(&printed), words(shown));
}

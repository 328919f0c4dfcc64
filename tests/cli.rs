//! The commands as a user types them, on the real binary: what they print, what they refuse and how.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use common::{daycap, run};
use expect_test::{Expect, expect};

const SAMPLES: [&str; 5] = [
    "sample-logs/sync.log",
    "sample-logs/sync.log.1.gz",
    "sample-logs/billing.log",
    "sample-logs/billing.log.1.gz",
    "sample-logs/gateway.log",
];

/// Run with these words in the repository's folder; the exit code, then what it said.
fn check(words: &[&str], expected: Expect) {
    let (out, err, code) = run(daycap().args(words).current_dir(env!("CARGO_MANIFEST_DIR")));
    expected.assert_eq(&format!("exit {code}\n{out}{err}"));
}

#[test]
fn wrong_words_are_refused_with_the_remedy() {
    check(
        &["report", "--since", "2026-11-02", "--until", "2026-11-01"],
        expect![[r#"
            exit 2
            daycap: --since 2026-11-02 is after --until 2026-11-01; both days are included, the earlier one first
        "#]],
    );
    check(
        &["report", "--tz", "Europe/Berln"],
        expect![[r#"
            exit 2
            daycap: --tz: "Europe/Berln" is not an IANA time zone; did you mean "Europe/Berlin"?
        "#]],
    );
    check(
        &["check-config", "--config", "no-such.toml"],
        expect![[r#"
            exit 2
            daycap: cannot read the configuration no-such.toml: No such file or directory (os error 2); give another with --config
        "#]],
    );
    let (_, err, code) = run(daycap().args(["run", "a.log", "--limit", "0"]));
    assert_eq!(code, 2);
    assert!(err.contains("number would be zero for non-zero type"), "{err}");
}

#[test]
fn logs_that_cannot_be_read_are_named() {
    check(
        &["report", "no-such.log"],
        expect![[r#"
            exit 1
            daycap: cannot read no-such.log: No such file or directory (os error 2)
        "#]],
    );
    check(
        &["report", "sample-logs/*.nothing"],
        expect![[r#"
            exit 1
            daycap: no file matches "sample-logs/*.nothing"
        "#]],
    );
    check(
        &["report", "LICENSE-MIT"],
        expect![[r#"
            exit 0
            no requests
            daycap: LICENSE-MIT: none of its 21 lines reports a request; `daycap explain LICENSE-MIT` shows how they are read
        "#]],
    );
}

#[test]
fn a_report_asks_an_empty_ledger_and_gets_an_empty_answer() {
    let room = tempfile::tempdir().expect("a directory");
    let state = room.path().to_str().expect("UTF-8");
    let (out, err, code) = run(daycap().args(["report", "--state", state, "--format", "csv"]));
    assert_eq!((code, out.as_str()), (0, "day,requests,errors,units,bytes,duration_ms_p50,duration_ms_p95\n"));
    assert!(err.contains("there is no ledger in"), "{err}");
}

/// The same requests, whichever way they are asked for: as files, through standard input, from the ledger.
#[test]
fn every_way_to_the_same_logs_counts_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ask = |words: &[&str]| {
        let (out, err, code) = run(daycap().args(words).current_dir(root));
        assert_eq!(code, 0, "{err}");
        out
    };
    let columns = "day,service,operation,status";
    let from_logs = ask(&[&["report", "--by", columns, "--format", "csv"][..], &SAMPLES[..]].concat());
    assert!(from_logs.lines().count() > 50, "{from_logs}");

    let room = tempfile::tempdir().expect("a directory");
    let state = room.path().to_str().expect("UTF-8");
    let no_config = ["--state", state];
    for _ in 0..2 {
        // The second time there is nothing new.
        ask(&[&["ingest"][..], &no_config[..], &SAMPLES[..]].concat());
        let from_ledger = ask(&[&["report", "--by", columns, "--format", "csv"][..], &no_config[..]].concat());
        assert_eq!(from_ledger, from_logs);
    }

    let mut child = daycap();
    child.args(["report", "-", "--by", "day", "--format", "csv", "--where", "operation=JobSearch"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    let log = fs::read(root.join(SAMPLES[0])).expect("reads");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(&log).expect("writes");
    drop(input);
    let from_stdin = child.wait_with_output().expect("ends").stdout;
    let from_file = ask(&["report", SAMPLES[0], "--by", "day", "--format", "csv", "--where", "operation=JobSearch"]);
    assert_eq!(String::from_utf8(from_stdin).expect("UTF-8"), from_file);
}

#[test]
fn each_day_is_its_zones_day() {
    let room = tempfile::tempdir().expect("a directory");
    let log = room.path().join("a.log");
    let line = |stamp: &str| {
        format!("{{\"time\":\"{stamp}\",\"method\":\"GET\",\"url\":\"https://api.example.com/a\",\"status\":200}}\n")
    };
    // One request an hour from 2026-10-31T00:00Z on, 72 of them: clocks go back in Los Angeles on 1 November.
    let lines: String = (0..72)
        .map(|hour| line(&format!("2026-{}T{:02}:30:00Z", ["10-31", "11-01", "11-02"][hour / 24], hour % 24)))
        .collect();
    fs::write(&log, lines).expect("writes");
    let log = log.to_str().expect("UTF-8");
    check(
        &["report", log, "--tz", "America/Los_Angeles", "--format", "csv"],
        expect![[r#"
            exit 0
            day,requests,errors,units,bytes,duration_ms_p50,duration_ms_p95
            2026-10-30,7,0,7,0,,
            2026-10-31,24,0,24,0,,
            2026-11-01,25,0,25,0,,
            2026-11-02,16,0,16,0,,
        "#]],
    );
    check(
        &[
            "report",
            log,
            "--tz",
            "America/Los_Angeles",
            "--format",
            "csv",
            "--since",
            "2026-11-01",
            "--until",
            "2026-11-01",
            "--by",
            "week",
        ],
        expect![[r#"
            exit 0
            week,requests,errors,units,bytes,duration_ms_p50,duration_ms_p95
            2026-W44,25,0,25,0,,
        "#]],
    );
}

#[test]
fn the_example_configuration_is_good_and_completions_are_made() {
    let (out, err, code) =
        run(daycap().args(["check-config", "--config", "systemd/daycap.toml"]).current_dir(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("good"), "{out}");
    for shell in ["bash", "zsh", "fish"] {
        let (script, err, code) = run(daycap().args(["completions", shell]));
        assert_eq!(code, 0, "{err}");
        assert!(script.contains("check-config"), "{shell}");
    }
}

#[test]
fn every_command_shows_examples() {
    for command in ["run", "report", "status", "explain", "ingest", "verify", "check-config", "completions"] {
        let (help, _, code) = run(daycap().args([command, "--help"]));
        assert_eq!(code, 0);
        assert!(help.contains("Examples:") && help.contains(&format!("daycap {command}")), "{help}");
    }
}

/// A container that is made anew has another name, and its state may not have been saved in time.
#[test]
fn a_host_that_changed_its_name_and_lost_its_state_counts_nothing_twice() {
    let room = tempfile::tempdir().expect("a directory");
    let config = room.path().join("daycap.toml");
    let state = room.path().join("state");
    for host in ["one", "other"] {
        fs::write(&config, format!("[state]\ndir = {state:?}\nhost = {host:?}\n")).expect("writes");
        let words = ["ingest", "--config", config.to_str().expect("UTF-8"), SAMPLES[4]];
        let (_, err, code) = run(daycap().args(words).current_dir(env!("CARGO_MANIFEST_DIR")));
        assert_eq!(code, 0, "{err}");
        fs::remove_file(state.join("state.json")).expect("removes");
    }
    let state = state.to_str().expect("UTF-8");
    let total = |words: &[&str]| {
        let (out, _, _) = run(daycap().args(words).current_dir(env!("CARGO_MANIFEST_DIR")));
        serde_json::from_str::<serde_json::Value>(&out).expect("JSON")["total"]["requests"].clone()
    };
    let from_log = total(&["report", SAMPLES[4], "--format", "json"]);
    assert_eq!(total(&["report", "--state", state, "--format", "json"]), from_log);
}

#[test]
fn a_status_without_a_state_directory_is_no_good_news() {
    let room = tempfile::tempdir().expect("a directory");
    let nowhere = room.path().join("nowhere");
    let (out, err, code) = run(daycap().args(["status", "--check", "--limit", "5", "--state"]).arg(&nowhere));
    assert_eq!((out.as_str(), code), ("", 1), "{err}");
    assert!(err.contains("there is no state directory"), "{err}");
}

/// What `explain` offers to pin a reading is a configuration as it stands.
#[test]
fn each_sample_is_explained_with_a_configuration_that_is_good() {
    let room = tempfile::tempdir().expect("a directory");
    let config = room.path().join("daycap.toml");
    for (sample, format) in SAMPLES.iter().zip(["json", "json", "json", "json", "combined"]) {
        let (out, err, code) = run(daycap().args(["explain", sample]).current_dir(env!("CARGO_MANIFEST_DIR")));
        assert_eq!(code, 0, "{err}");
        assert!(out.contains(&format!("format: {format}")) && out.contains(" 0 rejected"), "{out}");
        let (_, pinned) = out.split_once("to pin this reading:\n").expect("a configuration");
        fs::write(&config, pinned).expect("writes");
        let (_, err, code) = run(daycap().arg("check-config").arg("--config").arg(&config));
        assert_eq!(code, 0, "{err}\n{pinned}");
    }
}

/// A log of two days in a state directory; the first day's file is lost after that.
#[test]
fn a_report_and_a_status_say_what_is_a_lower_bound_and_why() {
    let room = tempfile::tempdir().expect("a directory");
    let (log, state) = (room.path().join("a.log"), room.path().join("state"));
    let line = |at| format!("{{\"time\":\"{at}\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200}}\n");
    fs::write(&log, ["2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z", "2026-11-21T10:00:00Z"].map(line).concat())
        .expect("writes");
    let ingest = || {
        let (_, err, code) = run(daycap().arg("ingest").arg(&log).arg("--state").arg(&state));
        assert_eq!(code, 0, "{err}");
        err
    };
    ingest();
    let host = fs::read_dir(state.join("usage/date=2026-11-20")).expect("lists").next().expect("one").expect("reads");
    fs::remove_file(host.path()).expect("removes");
    let host = host.file_name().into_string().expect("a name").replace(".parquet", "");
    let report = |words: &[&str]| {
        let (out, err, code) = run(daycap().arg("report").args(words).arg("--state").arg(&state));
        assert_eq!(code, 0, "{err}");
        (out.replace(&host, "HOST"), err.replace(&host, "HOST"))
    };
    let before = report(&[]).0;
    expect![[r#"
        day         requests  errors  units  bytes  p50 ms  p95 ms
        ───────────────────────────────────────────────────────────
        2026-11-21         1       0      1      0       -       -
        ───────────────────────────────────────────────────────────
        total             ≥1       0      1      0       -       -
        ≥ at least this many: HOST: the ledger's file of host HOST is gone; it held 2 requests (on 2026-11-20)
    "#]]
    .assert_eq(&before);
    assert!(ingest().contains("the count of 2026-11-20 is a lower bound"), "the next run says so too");
    assert_eq!(report(&[]).0, before, "and puts it into the ledger");
    let (csv, words) = report(&["--format", "csv"]);
    expect![[r#"
        day,requests,errors,units,bytes,duration_ms_p50,duration_ms_p95
        2026-11-21,1,0,1,0,,
    "#]]
    .assert_eq(&csv);
    assert!(words.contains("at least this many: HOST: the ledger's file"), "{words}");
    let json: serde_json::Value = serde_json::from_str(&report(&["--format", "json"]).0).expect("JSON");
    assert_eq!((&json["rows"][0]["at_least"], &json["total"]["at_least"]), (&false.into(), &true.into()));
    assert_eq!(json["completeness"]["reasons"][0]["since"], "2026-11-20T00:00:00Z");
    assert_eq!(report(&["--since", "2026-11-21"]).0.matches('≥').count(), 0);
}

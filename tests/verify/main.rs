//! `daycap verify` on the real binary: a ledger that holds what the logs say is equal, every other one is told from it,
//! and what cannot be told is said to be so.

#[path = "../common/mod.rs"]
mod common;
mod room;

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use common::{Daemon, daycap, run};
use daycap::config::{self, Surroundings};
use daycap::day::{Day, Now};
use expect_test::expect;
use room::{Room, everything, line};

#[test]
fn a_ledger_that_holds_what_the_logs_say_is_equal_and_stays_untouched() {
    let room = Room::new();
    room.log("logs/app.log", 20, 100);
    room.log("logs/app.log", 21, 1_300);
    room.log("logs/other.log", 21, 7);
    room.ingest();
    let before = everything(&room.path("state"));
    room.check(
        &[],
        expect![[r#"
            exit 0
            day         ledger  recounted  verdict
            ───
            2026-11-20     100        100  equal
            2026-11-21   1,307      1,307  equal
        "#]],
    );
    assert_eq!(everything(&room.path("state")), before);
}

#[test]
fn samples_named_without_a_configuration_are_equal() {
    let room = Room::new();
    let state = room.path("state");
    let logs = ["sync.log", "sync.log.1.gz", "billing.log", "billing.log.1.gz", "gateway.log"];
    let logs = logs.map(|log| format!("sample-logs/{log}"));
    let ask = |command: &str| {
        run(daycap().arg(command).arg("--state").arg(&state).args(&logs).current_dir(env!("CARGO_MANIFEST_DIR")))
    };
    assert_eq!(ask("ingest").2, 0);
    let (out, err, code) = ask("verify");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out.lines().filter(|line| line.ends_with("equal")).count(), 7, "{out}");
}

#[test]
fn more_less_and_other_units_are_told_by_their_cells() {
    let room = Room::new();
    room.log("logs/app.log", 20, 100);
    room.log("logs/app.log", 21, 100);
    room.log("logs/app.log", 22, 100);
    room.ingest();
    room.forge(&line(20, 0, 0));
    room.forge(&line(20, 3_600, 0));
    room.forge(&line(23, 0, 0));
    // The status of one line in the middle: the file keeps its length, its head and its end.
    let log = room.path("logs/app.log");
    let text = fs::read_to_string(&log).expect("reads");
    let line = text.lines().nth(150).expect("two hundred more").to_owned();
    fs::write(&log, text.replace(&line, &line.replace("\"status\":200", "\"status\":500"))).expect("writes");
    room.check(
        &[],
        expect![[r#"
            exit 1
            day         ledger  recounted  verdict
            ───
            2026-11-20     102        100  differs: ledger has 2 more in 2 cells
            2026-11-21     100        100  differs: ledger has 1 more and 1 less in 2 cells
            2026-11-22     100        100  equal
            2026-11-23       1          0  differs: ledger has 1 more in 1 cell
        "#]],
    );
    room.check(
        &["--since", "2026-11-22", "--until", "2026-11-22", "--format", "csv"],
        expect![[r#"
            exit 0
            day,ledger,recounted,verdict,detail
            2026-11-22,100,100,equal,
        "#]],
    );
    room.check(
        &["--until", "2026-11-20", "--format", "json"],
        expect![[r#"
            exit 1
            {
              "days": [
                {
                  "day": "2026-11-20",
                  "detail": "ledger has 2 more in 2 cells",
                  "ledger": 102,
                  "recounted": 100,
                  "verdict": "differs"
                }
              ],
              "not_counted_yet": 0
            }
        "#]],
    );
}

#[test]
fn a_days_file_that_is_gone_or_damaged_is_named() {
    let room = Room::new();
    for day in 20..23 {
        room.log("logs/app.log", day, 100);
    }
    room.ingest();
    fs::remove_file(room.day_file(20)).expect("removes");
    fs::write(room.day_file(21), "PAR1 no more").expect("writes");
    let (out, err, code) = room.ask(&["verify"]);
    assert_eq!(code, 1, "{out}{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[2].ends_with("2026-11-20       0        100  differs: ledger has 100 less in 2 cells"), "{out}");
    assert!(lines[3].contains("2026-11-21       0          0  damaged: "), "{out}");
    assert!(lines[3].contains("date=2026-11-21/here.parquet: it is not a day file of daycap, or damaged"), "{out}");
    assert!(lines[4].ends_with("2026-11-22     100        100  equal"), "{out}");

    let (out, err, code) = room.ask(&["verify", "--until", "1999-12-31"]);
    assert_eq!((out.as_str(), code), ("no days\n", 0), "{err}");
}

/// What is older than `keep` was forgotten on purpose.
#[test]
fn a_forgotten_day_is_not_missed() {
    let room = Room::new();
    room.log("logs/app.log", 20, 100);
    room.log("logs/app.log", 22, 100);
    room.ingest();
    fs::remove_file(room.day_file(20)).expect("removes");
    let path = room.path("daycap.toml");
    let text = fs::read_to_string(&path).expect("reads").replace("36500d", "3d");
    let config = config::parse(&text, &path, &Surroundings::default()).expect("a configuration");
    let day = |text: &str| text.parse::<Day>().expect("a day");
    let days_at = |now: &str| {
        let now = Now::first(now.parse().expect("an instant"));
        let all = day("2026-01-01")..=day("2026-12-31");
        let verified = daycap::verify::verify(&config, all, || now).expect("reads");
        verified.days.iter().map(|checked| checked.day).collect::<Vec<_>>()
    };
    assert_eq!(days_at("2026-11-23T23:59:00Z"), [day("2026-11-20"), day("2026-11-22")]);
    assert_eq!(days_at("2026-11-24T00:00:00Z"), [day("2026-11-22")]);
    assert_eq!(days_at("2026-12-24T00:00:00Z"), [day("2026-11-22")]);
}

#[test]
fn logs_are_known_again_by_whatever_name_and_packed() {
    let room = Room::new();
    room.log("logs/app.log", 20, 100);
    room.log("logs/app.log", 21, 3);
    room.ingest();
    let plain = fs::read(room.path("logs/app.log")).expect("reads");
    let packed = File::create(room.path("logs/app.log-20261122.gz")).expect("creates");
    let mut gz = flate2::write::GzEncoder::new(packed, flate2::Compression::default());
    gz.write_all(&plain).expect("packs");
    gz.finish().expect("packs");
    fs::remove_file(room.path("logs/app.log")).expect("removes");
    room.log("logs/app.log", 22, 5);
    room.ingest();
    room.log("logs/app.log", 22, 2);
    room.check(
        &[],
        expect![[r#"
            exit 0
            day         ledger  recounted  verdict
            ───
            2026-11-20     100        100  equal
            2026-11-21       3          3  equal
            2026-11-22       5          5  equal
            daycap: 2 requests at hand are not in the ledger yet; they are no difference
        "#]],
    );
    // Moved out of the sources' sight, under a name that says another service.
    fs::create_dir(room.path("archive")).expect("a directory");
    fs::rename(room.path("logs/app.log-20261122.gz"), room.path("archive/old.gz")).expect("moves");
    room.check(
        &["--until", "2026-11-21"],
        expect![[r#"
            exit 0
            day         ledger  recounted  verdict
            ───
            2026-11-20     100          0  cannot be checked: 1 of 1 logs is not at hand (last seen as ROOM/logs/app.log)
            2026-11-21       3          0  cannot be checked: 1 of 1 logs is not at hand (last seen as ROOM/logs/app.log)
        "#]],
    );
    room.check(
        &["--until", "2026-11-21", "archive/old.gz"],
        expect![[r#"
            exit 0
            day         ledger  recounted  verdict
            ───
            2026-11-20     100        100  equal
            2026-11-21       3          3  equal
        "#]],
    );
}

#[test]
fn a_log_that_was_emptied_leaves_only_its_own_days_unchecked() {
    let room = Room::new();
    room.log("logs/app.log", 20, 100);
    room.log("logs/other.log", 20, 10);
    room.ingest();
    fs::write(room.path("logs/app.log"), "").expect("truncates");
    room.log("logs/app.log", 21, 50);
    room.ingest();
    room.check(
        &[],
        expect![[r#"
            exit 0
            day         ledger  recounted  verdict
            ───
            2026-11-20     110         10  cannot be checked: 1 of 2 logs is not at hand (last seen as ROOM/logs/app.log)
            2026-11-21      50         50  equal
        "#]],
    );
}

/// Half a log is no log: what was cut off cannot be recounted.
#[test]
fn a_log_that_is_shorter_than_what_was_counted_is_not_at_hand() {
    let room = Room::new();
    room.log("logs/app.log", 20, 100);
    room.ingest();
    room.log("logs/app.log", 21, 100);
    room.ingest();
    let length = (line(20, 0, 0).len() * 150) as u64;
    OpenOptions::new().write(true).open(room.path("logs/app.log")).and_then(|log| log.set_len(length)).expect("cuts");
    room.check(
        &[],
        expect![[r#"
            exit 0
            day         ledger  recounted  verdict
            ───
            2026-11-20     100        100  equal
            2026-11-21     100         50  cannot be checked: 1 of 1 logs is not at hand (last seen as ROOM/logs/app.log)
        "#]],
    );
}

/// Of a file's generations, the one that is there is told by its content.
#[test]
fn a_log_that_was_cut_shorter_is_checked_as_what_it_became() {
    let room = Room::new();
    let length = (line(20, 0, 0).len() * 100) as u64;
    room.log("logs/app.log", 20, 200);
    room.ingest();
    OpenOptions::new().write(true).open(room.path("logs/app.log")).and_then(|log| log.set_len(length)).expect("cuts");
    room.ingest();
    room.log("logs/app.log", 21, 50);
    room.ingest();
    room.check(
        &[],
        expect![[r#"
            exit 0
            day         ledger  recounted  verdict
            ───
            2026-11-20     200          0  cannot be checked: 1 of 1 logs is not at hand (last seen as ROOM/logs/app.log)
            2026-11-21      50         50  equal
        "#]],
    );
}

/// A container that is made anew has another name; what it counts of a log that is still there goes into its own file.
#[test]
fn a_host_that_changed_its_name_checks_the_days_that_it_shares_with_itself() {
    let room = Room::new();
    room.configure("former");
    room.log("logs/app.log", 20, 10);
    room.log("logs/app.log", 21, 20);
    room.ingest();
    room.configure("here");
    room.log("logs/app.log", 21, 5);
    room.log("logs/app.log", 22, 7);
    room.ingest();
    // A stranger's day, copied here: its logs are on another machine.
    let stranger = room.path("state/usage/date=2026-11-22/stranger.parquet");
    let elsewhere = Room::new();
    elsewhere.configure("stranger");
    elsewhere.log("logs/app.log", 22, 1_000);
    elsewhere.ingest();
    fs::copy(elsewhere.path("state/usage/date=2026-11-22/stranger.parquet"), stranger).expect("copies");
    let equal = || {
        expect![[r#"
        exit 0
        day         ledger  recounted  verdict
        ───
        2026-11-21      25         25  equal
        2026-11-22       7          7  equal
    "#]]
    };
    room.check(&[], equal());
    // The footers know as much as the state.
    fs::remove_file(room.path("state/state.json")).expect("removes");
    let _ = fs::remove_file(room.path("state/state.previous.json"));
    room.check(&["--until", "2026-11-22"], equal());
}

#[test]
fn without_anything_to_compare_the_remedy_is_told() {
    let room = Room::new();
    room.log("logs/app.log", 20, 10);
    room.check(
        &[],
        expect![[r#"
            exit 1
            daycap: there is no ledger in ROOM/state; give the daemon's with --state or state.dir
        "#]],
    );
    room.ingest();
    room.configure("other");
    room.check(
        &[],
        expect![[r#"
            exit 1
            daycap: the ledger in ROOM/state has no day of host "other", but of "here": set state.host, or verify it there
        "#]],
    );
    fs::write(room.path("daycap.toml"), "").expect("writes");
    room.check(
        &[],
        expect![[r#"
            exit 2
            daycap: the configuration has no [[source]]; name the logs to recount, as in `daycap verify logs/*.log*`, or give --config FILE
        "#]],
    );
    room.configure("here");
    let (out, err, code) = room.ask(&["verify", "logs/missing.log"]);
    assert!(code == 1 && out.contains("cannot be checked"), "{out}{err}");
    assert!(err.contains("logs/missing.log: "), "{err}");
    room.check(
        &["--since", "2026-11-02", "--until", "2026-11-01"],
        expect![[r#"
            exit 2
            daycap: --since 2026-11-02 is after --until 2026-11-01; both days are included, the earlier one first
        "#]],
    );
}

/// A commit may come between any two steps of a recount; it never makes a difference.
#[test]
fn beside_a_daemon_that_commits_all_the_time_nothing_ever_differs() {
    let room = Room::new();
    room.log("logs/app.log", 20, 2_000);
    let mut daemon = Daemon::start(&["--config", room.path("daycap.toml").to_str().expect("UTF-8")]);
    let counted = "daycap_log_lines_total{result=\"counted\",source=";
    let source = format!("{counted}\"{}/*.log\"}}", room.path("logs").display());
    daemon.wait_for_metric(&source, |lines| lines == 2_000.0 && room.day_file(20).exists());
    for round in 0..20 {
        if round % 5 == 4 {
            fs::rename(room.path("logs/app.log"), room.path(&format!("logs/app.log.{round}"))).expect("rotates");
        }
        room.log("logs/app.log", 20 + round % 3, 500);
        let (out, err, code) = room.ask(&["verify"]);
        assert!(code == 0 && !out.contains("cannot be checked"), "round {round}\n{out}{err}");
    }
    daemon.wait_for_metric(&source, |lines| lines == 12_000.0);
    assert!(daemon.terminate().0.success());
    let (out, _, code) = room.ask(&["verify", "--format", "csv"]);
    let sums = out.lines().skip(1).map(|line| line.split(',').nth(2).expect("recounted"));
    assert_eq!((sums.map(|sum| sum.parse::<u64>().expect("a count")).sum::<u64>(), code), (12_000, 0), "{out}");
}

//! Quotas on the real binary: each kind of window, costs, budgets, bursts and several quotas at once, counted by hand;
//! and the same answer after a restart, and after the state is lost.

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use common::{Daemon, daycap, run};
use serde_json::{Value, json};

/// A log, a state directory and a configuration.
struct Room {
    _temporary: tempfile::TempDir,
    root: PathBuf,
    lines: u64,
}

/// One request, so long ago.
struct Request {
    ago: TimeDelta,
    service: &'static str,
    operation: &'static str,
    status: u16,
}

fn call(ago: TimeDelta) -> Request {
    Request { ago, service: "sync", operation: "list", status: 200 }
}

impl Room {
    /// `quotas` are the tables of the configuration, and what else belongs to it.
    fn new(quotas: &str) -> Room {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path().to_owned();
        fs::create_dir(root.join("state")).expect("a directory");
        let text = format!(
            "[state]\ndir = {:?}\ncommit_interval = \"20ms\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"sync\"\npath = {:?}\n{quotas}",
            root.join("state"),
            root.join("app.log")
        );
        fs::write(root.join("daycap.toml"), text).expect("writes");
        Room { _temporary: temporary, root, lines: 0 }
    }

    fn config(&self) -> String {
        self.root.join("daycap.toml").to_str().expect("UTF-8").to_owned()
    }

    fn log(&mut self, now: DateTime<Utc>, requests: impl IntoIterator<Item = Request>) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.root.join("app.log")).expect("opens");
        for Request { ago, service, operation, status } in requests {
            let line = json!({
                "timestamp": (now - ago).to_rfc3339(), "service": service, "method": "POST",
                "url": "https://api.example.com/graphql", "operationName": operation, "status": status,
            });
            writeln!(file, "{line}").expect("writes");
            self.lines += 1;
        }
    }

    /// A daemon that has read everything.
    fn start(&self, lines: u64) -> Daemon {
        let mut daemon = Daemon::start(&["--config", &self.config()]);
        assert!(daemon.wait_until_counted(lines));
        daemon
    }

    /// Count what there is and save it; the daemon's own status, and that of a command after it.
    fn counted(&self, lines: u64) -> (Value, Value) {
        let mut daemon = self.start(lines);
        let body = daemon.get("/api/v1/status");
        let live: Value = serde_json::from_str(&body).expect("JSON");
        assert!(daemon.terminate().0.success());
        (live, self.status())
    }

    fn status(&self) -> Value {
        let (out, err, code) = run(daycap().args(["status", "--json", "--config", &self.config()]));
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(&out).expect("JSON")
    }

    fn text(&self) -> String {
        let (out, err, code) = run(daycap().args(["status", "--config", &self.config()]));
        assert_eq!(code, 0, "{err}");
        out
    }
}

/// These fields of each quota.
fn fields(status: &Value, names: &[&str]) -> Vec<Value> {
    let quotas = status["quotas"].as_array().expect("quotas");
    quotas.iter().map(|quota| names.iter().map(|name| quota[name].clone()).collect()).collect()
}

#[expect(clippy::disallowed_methods, reason = "the daemon under test reads the same clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn minutes(ago: i64) -> TimeDelta {
    TimeDelta::minutes(ago)
}

/// A zone in which it is between noon and one, so that no window turns while a test runs: `Etc/GMT+5` is 5 hours
/// behind UTC. Its hour turns with UTC's, which the tests of hours see to themselves.
fn noon_zone(now: DateTime<Utc>) -> String {
    let ahead = 12 - i64::from(now.hour());
    match ahead {
        0 => "Etc/GMT".to_owned(),
        ahead if ahead > 0 => format!("Etc/GMT-{ahead}"),
        behind => format!("Etc/GMT+{}", -behind),
    }
}

fn quota(name: &str, lines: &str) -> String {
    format!("[[quota]]\nname = {name:?}\nlimit = 1000\n{lines}\n")
}

#[test]
fn each_window_holds_its_own_minutes() {
    let now = now();
    let zone = noon_zone(now);
    let tz = format!("tz = {zone:?}");
    // In the zone it is noon and some minutes: the reset of the day is two hours ago, or was yesterday at 18:00.
    let quotas = [
        quota("day", &tz),
        quota("early", &format!("{tz}\nreset = \"10:00\"")),
        quota("late", &format!("{tz}\nreset = \"18:00\"")),
        quota("month", &format!("{tz}\nwindow = \"month\"")),
        quota("rolling", &format!("{tz}\nwindow = \"rolling-24h\"")),
        quota("called", &format!("{tz}\nwindow = \"first-call-24h\"")),
        quota("any", &format!("{tz}\nwindow = \"any-day\"")),
    ];
    let mut room = Room::new(&quotas.concat());
    // Five minutes ago, since 10:00, since midnight, since yesterday's 18:00, within 24 hours, and the day before.
    let ages = [(5, 1), (100, 2), (8 * 60, 4), (16 * 60, 8), (22 * 60, 16), (26 * 60, 32), (3 * 24 * 60, 64)];
    let requests = ages.into_iter().flat_map(|(ago, count)| (0..count).map(move |_| call(minutes(ago))));
    room.log(now, requests);
    let (live, again) = room.counted(room.lines);
    let names = ["name", "window", "used", "begun"];
    let wanted = json!([
        ["day", "day", 1 + 2 + 4, true],
        ["early", "day", 1 + 2, true],
        ["late", "day", 1 + 2 + 4 + 8, true],
        ["rolling", "rolling-24h", 1 + 2 + 4 + 8 + 16, true],
        // The first window began three days ago, the second 26 hours ago, the third with the first call after that.
        ["called", "first-call-24h", 1 + 2, true],
        ["any", "any-day", 1 + 2 + 4 + 8 + 16, true],
    ]);
    for status in [&live, &again] {
        let mut told = fields(status, &names);
        let month = told.remove(3);
        assert_eq!(Value::from(told), wanted);
        // How much of the month is over depends on today.
        assert!(month[2].as_u64() >= Some(7) && month[2].as_u64() <= Some(127), "{month}");
    }
    let stamps = |name: &str, field: &str| -> DateTime<Utc> {
        let quotas = again["quotas"].as_array().expect("quotas");
        let quota = quotas.iter().find(|quota| quota["name"] == name).expect("it is there");
        quota[field].as_str().expect("a text").parse().expect("an instant")
    };
    let minute = |at: DateTime<Utc>| at.with_second(0).and_then(|at| at.with_nanosecond(0)).expect("a minute");
    assert_eq!(stamps("called", "window_start"), minute(now - minutes(100)));
    assert_eq!(stamps("called", "resets_at"), minute(now - minutes(100)) + TimeDelta::days(1));
    assert_eq!(stamps("early", "resets_at") - stamps("early", "window_start"), TimeDelta::days(1));
    assert_eq!(stamps("rolling", "resets_at"), minute(now - minutes(5)) + TimeDelta::days(1));
    let any = &again["quotas"][6];
    assert_eq!((&any["calendar_day"]["used"], &any["worst"]["used"]), (&json!(7), &json!(4 + 8 + 16 + 32)), "{any}");
}

#[test]
fn an_hour_is_the_clocks() {
    let (mut room, mut told);
    loop {
        let begun = now();
        let into = minutes(i64::from(begun.minute()));
        room = Room::new(&quota("hour", "window = \"hour\""));
        room.log(begun, [call(into), call(minutes(0)), call(into + minutes(1)), call(into + minutes(2))]);
        let (live, again) = room.counted(room.lines);
        told = [live, again].map(|status| fields(&status, &["window", "used"]));
        // An hour that ended meanwhile has taken its requests with it.
        if now().hour() == begun.hour() {
            break;
        }
    }
    assert_eq!(told, [json!(["hour", 2]), json!(["hour", 2])].map(|one| vec![one]));
}

#[test]
fn a_window_that_a_call_begins_has_not_begun_before_it() {
    let mut room = Room::new(&quota("called", "window = \"first-call-24h\""));
    room.log(now(), [call(minutes(30 * 60)), call(minutes(29 * 60))]);
    let (live, again) = room.counted(2);
    for status in [&live, &again] {
        assert_eq!(fields(status, &["used", "begun"]), [json!([0, false])]);
    }
    let text = room.text();
    assert!(text.contains("called: 0 of 1,000 used, the window has not begun ["), "{text}");
    assert!(text.contains("resets      24 h after the next call, which begins the window\n"), "{text}");
}

/// Windows follow from calls long ago: neither the state nor the order of lines may matter.
#[test]
fn the_window_of_a_call_survives_lost_state_and_late_lines() {
    let mut room = Room::new(&quota("called", "window = \"first-call-24h\""));
    // Every ten hours a call, for fifty days: windows begin with every third.
    let ages: Vec<i64> = (0..120).map(|nth| 5 + nth * 600).rev().collect();
    let now = now();
    room.log(now, ages.iter().map(|ago| call(minutes(*ago))));
    let (live, again) = room.counted(room.lines);
    let window = ["used", "window_start"];
    assert_eq!(fields(&live, &window), fields(&again, &window));
    let begun = ages.iter().step_by(3).next_back().expect("some");
    let used = ages.iter().filter(|ago| *ago <= begun).count();
    assert_eq!(fields(&live, &["used"]), [json!([used])]);
    for name in ["state.json", "state.previous.json"] {
        let path = room.root.join("state").join(name);
        assert!(!path.exists() || fs::remove_file(path).is_ok());
    }
    assert_eq!(fields(&room.status(), &window), fields(&again, &window));
    // A call before all others shifts every window by one call.
    room.log(now, [call(minutes(5 + 120 * 600))]);
    let mut daemon = room.start(1);
    let live: Value = serde_json::from_str(&daemon.get("/api/v1/status")).expect("JSON");
    assert!(daemon.terminate().0.success());
    assert_eq!(fields(&live, &window), fields(&room.status(), &window));
    assert_ne!(fields(&live, &window), fields(&again, &window));
}

#[test]
fn rules_in_order_say_what_a_request_costs_and_one_may_draw_on_several_quotas() {
    let zone = format!("tz = {:?}", noon_zone(now()));
    let rules =
        "costs = [{ match = { status = \"429\" }, units = 0 }, { match = { operation = \"search*\" }, units = 100 }]";
    let quotas = [
        quota("plain", &zone),
        quota("costly", &format!("{zone}\n{rules}")),
        quota("errors", &format!("{zone}\nmatch = {{ status = [\"4xx\", \"5xx\"] }}")),
        quota("searches", &format!("{zone}\nmatch = {{ operation = \"*Jobs\", service = [\"sync\", \"crm\"] }}")),
    ];
    let mut room = Room::new(&quotas.concat());
    let request = |service, operation, status| Request { ago: minutes(3), service, operation, status };
    let requests = [
        request("sync", "searchJobs", 200),
        request("sync", "searchJobs", 429),
        request("crm", "searchJobs", 503),
        request("crm", "list", 429),
        request("geo", "searchJobs", 200),
        request("geo", "list", 200),
    ];
    room.log(now(), requests);
    let (live, again) = room.counted(6);
    let wanted = json!([["plain", 6], ["costly", 301], ["errors", 3], ["searches", 3]]);
    for status in [&live, &again] {
        assert_eq!(Value::from(fields(status, &["name", "used"])), wanted);
    }
    let top = &again["quotas"][1]["top"];
    assert_eq!(top[0], json!({ "service": "crm", "operation": "searchJobs", "units": 100, "usual": null }));
    assert_eq!(top.as_array().map(Vec::len), Some(4), "what costs nothing is not named: {top}");
    let report = [
        "report",
        "--config",
        &room.config(),
        "--where",
        "status=4xx",
        "--where",
        "operation=search*",
        "--by",
        "service",
        "--format",
        "csv",
    ];
    let (out, err, code) = run(daycap().args(report));
    assert_eq!((code, out.lines().nth(1).map(|line| line.starts_with("sync,1,1,"))), (0, Some(true)), "{out}{err}");
}

#[test]
fn a_budget_is_a_services_part_of_its_quota() {
    let zone = format!("tz = {:?}", noon_zone(now()));
    let mut room = Room::new(&quota("prod", &format!("{zone}\nbudgets = {{ sync = 700, crm = 400 }}")));
    let by = |service, count| (0..count).map(move |_| Request { service, ..call(minutes(2)) });
    room.log(now(), by("sync", 6).chain(by("crm", 3)).chain(by("geo", 1)));
    let (live, again) = room.counted(10);
    let wanted = json!([["prod", null, 1_000, 10], ["prod/crm", "prod", 400, 3], ["prod/sync", "prod", 700, 6]]);
    for status in [&live, &again] {
        assert_eq!(Value::from(fields(status, &["name", "within", "limit", "used"])), wanted);
    }
    let text = room.text();
    assert!(text.contains("\nprod/crm (part of prod): 3 of 400 used ["), "{text}");
}

#[test]
fn a_burst_shows_in_status_and_metrics_within_its_minute() {
    let zone = format!("tz = {:?}", noon_zone(now()));
    let mut room = Room::new(&quota("prod", &format!("{zone}\nburst = \"1/s\"")));
    let many = |ago, count| (0..count).map(move |_| call(minutes(ago)));
    room.log(now(), many(30, 61).chain(many(20, 60)).chain(many(10, 75)).chain(many(1, 40)));
    let mut daemon = room.start(room.lines);
    let metric = |daemon: &mut Daemon, name: &str| daemon.metric(&format!("daycap_quota_{name}{{quota=\"prod\"}}"));
    assert_eq!(metric(&mut daemon, "burst_limit_requests_per_minute"), Some(60.0));
    assert_eq!(metric(&mut daemon, "busiest_minute_requests"), Some(75.0));
    assert_eq!(metric(&mut daemon, "above_burst_seconds"), Some(120.0));
    let live: Value = serde_json::from_str(&daemon.get("/api/v1/status")).expect("JSON");
    assert!(daemon.terminate().0.success());
    let again = room.status();
    assert_eq!(live["quotas"][0]["burst"], again["quotas"][0]["burst"]);
    assert_eq!(again["quotas"][0]["burst"]["limit_per_minute"], 60);
    let text = room.text();
    assert!(
        text.contains("busiest minute 75 requests at") && text.contains("; 2 minutes above 1/s at least\n"),
        "{text}"
    );
}

//! What a server says of its quota in logged responses, on the real binary: shown beside the count, never adopted.

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, Utc};
use common::{Daemon, daycap, run};
use serde_json::Value;

/// A log whose client notes its server's headers, and a quota of a smaller limit than the server's.
struct Room {
    _temporary: tempfile::TempDir,
    root: PathBuf,
}

const QUOTA: &str = r#"
[http]
listen = "127.0.0.1:0"

[[source]]
name = "sync"
path = "LOG"
format = "json"

[source.fields]
quota_used = "/headers/x-api-usage"
quota_reset = "/headers/x-api-reset"

[[quota]]
name = "prod"
limit = 1000
match = { service = "sync" }

[[quota]]
name = "other"
limit = 1000
match = { service = "crm" }
"#;

impl Room {
    fn new() -> Room {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path().to_owned();
        let text = QUOTA.replace("LOG", root.join("a.log").to_str().expect("UTF-8"));
        let state = format!("[state]\ndir = {:?}\ncommit_interval = \"20ms\"\n", root.join("state"));
        fs::write(root.join("daycap.toml"), state + &text).expect("writes");
        Room { _temporary: temporary, root }
    }

    fn config(&self) -> String {
        self.root.join("daycap.toml").to_str().expect("UTF-8").to_owned()
    }

    fn start(&self) -> Daemon {
        Daemon::start(&["--config", &self.config()])
    }

    /// A request of service `sync`, and what its response said.
    fn log(&self, at: DateTime<Utc>, usage: &str) {
        let midnight = at.date_naive().checked_add_days(Days::new(1)).and_then(|day| day.and_hms_opt(0, 0, 0));
        let reset = midnight.expect("a day").and_utc().timestamp();
        let line = format!(
            "{{\"time\":\"{}\",\"service\":\"sync\",\"method\":\"GET\",\"url\":\"https://api.example.com/jobs\",\"status\":200,\"headers\":{{\"x-api-usage\":\"{usage}\",\"x-api-reset\":{reset}}}}}\n",
            at.to_rfc3339()
        );
        let mut file = OpenOptions::new().create(true).append(true).open(self.root.join("a.log")).expect("opens");
        file.write_all(line.as_bytes()).expect("writes");
    }

    fn status(&self, arguments: &[&str]) -> String {
        let (out, said, code) = run(daycap().arg("status").arg("--config").arg(self.config()).args(arguments));
        assert_eq!(code, 0, "{said}");
        out
    }
}

#[expect(clippy::disallowed_methods, reason = "the daemon under test reads the same clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

const DRIFT: &str = "daycap_quota_drift_requests{quota=\"prod\"}";
const SAID: &str = "quota \"prod\": the server says that its limit is 2,000, the configuration says 1,000";

#[test]
fn what_the_server_says_is_shown_beside_the_count_and_survives_a_restart() {
    let room = Room::new();
    let at = now();
    for used in 11..=13 {
        room.log(at, &format!("api-usage={used}/2000"));
    }
    let mut daemon = room.start();
    daemon.wait_for_words(SAID);
    daemon.wait_for_metric(DRIFT, |drift| drift == 10.0);
    for (name, value) in [("server_used", 13.0), ("server_limit", 2_000.0), ("used", 3.0), ("limit", 1_000.0)] {
        assert_eq!(daemon.metric(&format!("daycap_quota_{name}{{quota=\"prod\"}}")), Some(value), "{name}");
    }
    assert!(!daemon.get("/metrics").contains("daycap_quota_drift_requests{quota=\"other\"}"));
    room.log(at, "api-usage=21/2000");
    daemon.wait_for_metric(DRIFT, |drift| drift == 17.0);
    assert!(daemon.terminate().0.success());

    let clock = at.format("%H:%M UTC");
    let told = format!(
        "  server says 21 of 2,000 used at {clock}: 17 more than counted here, give or take 4; the limit here is 1,000\n"
    );
    let text = room.status(&[]);
    assert!(text.contains(&told), "{text}");
    let json: Value = serde_json::from_str(&room.status(&["--json"])).expect("JSON");
    let (prod, other) = (&json["quotas"][0], &json["quotas"][1]);
    assert_eq!(prod["server"]["drift"], 17);
    assert_eq!((&prod["used"], &prod["limit"], &other["server"]), (&Value::from(4), &Value::from(1_000), &Value::Null));

    let mut daemon = room.start();
    daemon.wait_for_metric(DRIFT, |drift| drift == 17.0);
    assert!(!daemon.said.iter().any(|line| line.contains(SAID)), "said again: {:#?}", daemon.said);
}

/// A field that was mapped amiss may hold anything.
#[test]
fn what_is_no_number_counts_its_request_and_is_kept_nowhere() {
    let room = Room::new();
    const SECRET: &str = "Bearer sk_live_51H8xYzAbCdEfGh/1234567";
    let absurd = [SECRET, "-5", "NaN", "1e99", "99999999999999999999", "5/0x10", "me@example.com"];
    for value in absurd {
        room.log(now(), value);
    }
    let mut daemon = room.start();
    daemon.wait_for_metric("daycap_quota_used{quota=\"prod\"}", |used| used == 7.0);
    let shown = daemon.get("/metrics") + &daemon.get("/api/v1/status") + &daemon.get("/");
    let (_, _, said) = daemon.terminate();
    let kept = String::from_utf8_lossy(&fs::read(room.root.join("state/state.json")).expect("reads")).into_owned();
    let status = room.status(&[]) + &room.status(&["--json"]);
    for text in [&shown, &said.join("\n"), &kept, &status] {
        assert!(!text.contains("sk_live") && !text.contains("51H8xYz") && !text.contains("me@example"), "{text}");
    }
    assert!(!shown.contains("daycap_quota_drift_requests{"), "{shown}");
}

#[test]
fn a_field_that_is_misspelt_is_answered_with_the_right_one() {
    let room = Room::new();
    let path = Path::new(&room.config()).to_owned();
    let text = fs::read_to_string(&path).expect("reads").replace("quota_used", "quota_usd");
    fs::write(&path, text).expect("writes");
    let (_, said, code) = run(daycap().args(["check-config", "--config", &room.config()]));
    assert_eq!(code, 2);
    assert!(said.contains("fields: unknown field \"quota_usd\"; did you mean \"quota_used\"?"), "{said}");
}

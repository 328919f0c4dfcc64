//! The daemon's life on the real binary: following, forecasting, alerting, reloading, summarising, ending.

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::{DEADLINE, Daemon, daycap, run};
use notify::{RecursiveMode, Watcher};

/// A directory for logs, one for state, and a configuration.
struct Room {
    _temporary: tempfile::TempDir,
    root: PathBuf,
}

impl Room {
    fn new() -> Room {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path().to_owned();
        fs::create_dir(root.join("logs")).expect("a directory");
        fs::create_dir(root.join("state")).expect("a directory");
        Room { _temporary: temporary, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn configure(&self, rest: &str) {
        let text = format!(
            "[state]\ndir = {:?}\ncommit_interval = \"20ms\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"sync\"\npath = \"{}/**/*.log\"\n{rest}",
            self.path("state"),
            self.path("logs").display()
        );
        fs::write(self.path("daycap.toml"), text).expect("writes");
    }

    fn start(&self) -> Daemon {
        Daemon::start(&["--config", self.path("daycap.toml").to_str().expect("UTF-8")])
    }

    fn log(&self, name: &str, at: DateTime<Utc>, requests: u64) {
        append(&self.path(name), at, requests);
    }

    /// Wait until this file exists and has this in it.
    fn wait_for_text(&self, name: &str, part: &str) -> String {
        let path = self.path(name);
        let folder = path.ancestors().skip(1).find(|folder| folder.is_dir()).expect("a folder").to_owned();
        let (sender, changes) = std::sync::mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |_| sender.send(()).unwrap_or_default()).expect("watches");
        watcher.watch(&folder, RecursiveMode::Recursive).expect("watches");
        loop {
            match fs::read_to_string(&path) {
                Ok(text) if text.contains(part) => return text,
                _ => changes.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{name} never had {part:?}")),
            }
        }
    }
}

fn append(path: &Path, at: DateTime<Utc>, requests: u64) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opens");
    let line = format!(
        "{{\"timestamp\":\"{}\",\"method\":\"GET\",\"url\":\"https://api.example.com/jobs/7\",\"status\":200,\"duration_ms\":12.5}}\n",
        at.to_rfc3339()
    );
    file.write_all(line.repeat(usize::try_from(requests).expect("fits")).as_bytes()).expect("writes");
}

#[expect(clippy::disallowed_methods, reason = "the daemon under test reads the same clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

const QUOTA: &str = "[[quota]]\nname = \"prod\"\nlimit = 1000\n";
const USED: &str = "daycap_quota_used{quota=\"prod\"}";

#[test]
fn new_lines_files_and_directories_are_counted_and_survive_a_restart() {
    let room = Room::new();
    room.configure(QUOTA);
    room.log("logs/a.log", now(), 10);
    let mut daemon = room.start();
    daemon.wait_for_metric(USED, |used| used == 10.0);
    room.log("logs/a.log", now(), 5);
    daemon.wait_for_metric(USED, |used| used == 15.0);
    room.log("logs/b.log", now(), 7);
    daemon.wait_for_metric(USED, |used| used == 22.0);
    fs::create_dir(room.path("logs/later")).expect("a directory");
    room.log("logs/later/c.log", now(), 8);
    daemon.wait_for_metric(USED, |used| used == 30.0);
    let (status, took, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    // A second is the promise (it takes some ten milliseconds); the other is this machine's, busy with other tests.
    assert!(took < Duration::from_secs(2), "took {took:?}");

    let mut daemon = room.start();
    daemon.wait_for_words("prod: 30/1,000");
    assert_eq!(daemon.metric(USED), Some(30.0));
    let status: serde_json::Value = serde_json::from_str(&daemon.get("/api/v1/status")).expect("JSON");
    assert_eq!(status["quotas"][0]["used"], 30);
    assert_eq!(status["sources"][0]["logs"], 3);
    assert_eq!(daemon.get("/healthz").trim(), "ok");
}

#[test]
fn a_path_that_matches_nothing_is_said_and_waited_for() {
    let room = Room::new();
    room.configure(QUOTA);
    let mut daemon = room.start();
    daemon.wait_for_words("nothing matches yet");
    room.log("logs/a.log", now(), 3);
    daemon.wait_for_metric(USED, |used| used == 3.0);
}

#[test]
fn an_exceeded_quota_is_told_once_to_the_journal_and_to_exec_across_restarts() {
    let room = Room::new();
    let told = room.path("told.jsonl");
    let command = format!("command = [\"sh\", \"-c\", \"cat >> {0}\"]\n", told.display());
    room.configure(&format!("{QUOTA}[[notify]]\ntype = \"exec\"\n{command}"));
    room.log("logs/a.log", now(), 1001);
    let mut daemon = room.start();
    daemon.wait_for_words("1,001");
    daemon.wait_for_metric("daycap_notifications_total{notifier=\"exec\",result=\"delivered\"}", |sent| sent == 1.0);
    let text = room.wait_for_text("told.jsonl", "\n");
    let alert: serde_json::Value = serde_json::from_str(text.trim()).expect("JSON");
    assert_eq!((&alert["level"], &alert["used"], &alert["limit"]), (&"exceeded".into(), &1001.into(), &1000.into()));
    assert!(daemon.terminate().0.success());

    let mut daemon = room.start();
    room.log("logs/a.log", now(), 9);
    daemon.wait_for_metric(USED, |used| used == 1010.0);
    assert!(daemon.terminate().0.success());
    assert_eq!(fs::read_to_string(&told).expect("reads").lines().count(), 1, "told again after a restart");

    let config = room.path("daycap.toml");
    let check = |limit: &str| {
        fs::write(&config, fs::read_to_string(&config).expect("reads").replace("limit = 1000\n", limit))
            .expect("writes");
        run(daycap().args(["status", "--check", "--config", config.to_str().expect("UTF-8")]))
    };
    let (out, err, code) = check("limit = 1000\n");
    assert_eq!((out.as_str(), code), ("", 3), "{err}");
    let (_, err, code) = check("limit = 1000000000\n");
    assert_eq!(code, 0, "{err}");
}

/// A file where the day's folder should be stands for every disk that cannot be written.
#[test]
fn counts_that_cannot_be_saved_are_held_and_said_and_end_with_1() {
    let room = Room::new();
    room.configure(QUOTA);
    let at = now();
    room.log("logs/a.log", at - TimeDelta::days(1), 1);
    let mut daemon = room.start();
    daemon.wait_for_metric(USED, |used| used == 0.0);
    room.wait_for_text("state/state.json", "a.log");
    let blocked = room.path(&format!("state/usage/date={}", at.format("%Y-%m-%d")));
    fs::write(&blocked, "in the way").expect("writes");
    room.log("logs/a.log", at, 5);
    daemon.wait_for_metric("daycap_commit_failures_total", |failures| failures >= 1.0);
    room.log("logs/a.log", at, 2);
    daemon.wait_for_metric(USED, |used| used == 7.0);
    assert!(daemon.get("/healthz").contains("counts are not being saved"));
    let (status, _, said) = daemon.terminate();
    assert_eq!(status.code(), Some(1), "{said:#?}");

    fs::remove_file(&blocked).expect("removes");
    let mut daemon = room.start();
    daemon.wait_for_words("prod: 7/1,000");
    assert_eq!(daemon.metric("daycap_day_exact{quota=\"prod\"}"), Some(1.0));
}

#[test]
fn a_source_that_fell_silent_is_told_to_exec() {
    let room = Room::new();
    let told = room.path("told.jsonl");
    let command = format!("command = [\"sh\", \"-c\", \"cat >> {0}\"]\n", told.display());
    room.configure(&format!("stale_after = \"1h\"\n{QUOTA}[[notify]]\ntype = \"exec\"\n{command}"));
    room.log("logs/a.log", now() - TimeDelta::hours(2), 3);
    let mut daemon = room.start();
    let text = room.wait_for_text("told.jsonl", "\n");
    let trouble: serde_json::Value = serde_json::from_str(text.trim()).expect("JSON");
    assert_eq!((&trouble["level"], &trouble["source"]), (&"stale".into(), &"sync".into()));
    daemon.wait_for_metric("daycap_source_stale{source=\"sync\"}", |stale| stale == 1.0);
    room.log("logs/a.log", now(), 1);
    daemon.wait_for_metric("daycap_source_stale{source=\"sync\"}", |stale| stale == 0.0);
}

/// What `daycap alerts` lists as CSV, without its header: status, level and quota or source of each message.
fn alerts_of(room: &Room) -> Vec<String> {
    let config = room.path("daycap.toml");
    let (out, err, code) =
        run(daycap().args(["alerts", "--format", "csv", "--config", config.to_str().expect("UTF-8")]));
    assert_eq!(code, 0, "{err}");
    let short = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        format!("{} {} {}{}", fields[1], fields[2], fields[4], fields[5])
    };
    out.lines().skip(1).map(short).collect()
}

#[test]
fn what_was_said_is_listed_after_the_daemon_has_gone_and_no_restart_says_it_again() {
    let room = Room::new();
    room.configure(&format!("stale_after = \"1h\"\n{QUOTA}alert = {{ used = [50] }}\n"));
    room.log("logs/a.log", now() - TimeDelta::hours(2), 1);
    assert_eq!(alerts_of(&room), [""; 0]);
    let mut daemon = room.start();
    daemon.wait_for_words("has been silent");
    room.log("logs/a.log", now(), 1);
    daemon.wait_for_words("logs again");
    // Half of a thousand in a moment: nobody knows yet whether that is usual.
    room.log("logs/a.log", now(), 500);
    daemon.wait_for_words("is being used up by a burst");
    room.log("logs/a.log", now(), 600);
    daemon.wait_for_words("has exceeded its limit");
    let firing = "daycap_alert_firing{level=\"exceeded\",quota=\"prod\"}";
    daemon.wait_for_metric(firing, |firing| firing == 1.0);
    assert!(daemon.terminate().0.success());
    let said =
        ["firing stale sync", "resolved stale sync", "firing imminent prod", "firing exceeded prod"].map(str::to_owned);
    assert_eq!(alerts_of(&room), said);

    let mut daemon = room.start();
    daemon.wait_for_metric(firing, |firing| firing == 1.0);
    room.log("logs/a.log", now(), 9);
    daemon.wait_for_metric(USED, |used| used >= 1_110.0);
    assert!(daemon.terminate().0.success());
    assert_eq!(alerts_of(&room), said);
}

/// A directory where the history should be stands for every disk that cannot be written.
#[test]
fn a_history_that_cannot_be_written_fails_the_commit_and_nothing_is_lost() {
    let room = Room::new();
    room.configure(QUOTA);
    let history = room.path("state/alerts.jsonl");
    fs::create_dir(&history).expect("a directory");
    room.log("logs/a.log", now(), 1_001);
    let mut daemon = room.start();
    daemon.wait_for_words("cannot write alerts.jsonl");
    daemon.wait_for_metric("daycap_commit_failures_total", |failures| failures >= 1.0);
    assert!(!room.path("state/state.json").exists(), "the state knows of what the history does not");
    fs::remove_dir(&history).expect("removes");
    daemon.wait_for_words("counts are saved again");
    assert!(daemon.terminate().0.success());
    assert_eq!(alerts_of(&room), ["firing exceeded prod"]);
}

#[test]
fn hangup_takes_the_new_configuration_and_a_wrong_one_changes_nothing() {
    let room = Room::new();
    room.configure(QUOTA);
    room.log("logs/a.log", now(), 10);
    let mut daemon = room.start();
    daemon.wait_for_words("prod: 10/1,000");
    fs::write(room.path("daycap.toml"), "[[quta]]\n").expect("writes");
    daemon.signal("HUP");
    daemon.wait_for_words("did you mean \"quota\"?");
    assert_eq!(daemon.metric(USED), Some(10.0));
    room.configure("[[quota]]\nname = \"other\"\nlimit = 500\n");
    daemon.signal("HUP");
    daemon.wait_for_words("other: 10/500");
    daemon.wait_for_metric("daycap_quota_used{quota=\"other\"}", |used| used == 10.0);
    assert_eq!(daemon.metric(USED), None);
}

#[test]
fn a_finished_day_is_summarised_and_again_when_late_lines_change_it() {
    let room = Room::new();
    room.configure(QUOTA);
    let yesterday = now() - TimeDelta::days(1);
    let name = format!("state/summaries/{}.json", yesterday.format("%Y-%m-%d"));
    room.log("logs/a.log", yesterday, 12);
    let mut daemon = room.start();
    daemon.wait_for_words("metrics at");
    room.wait_for_text(&name, "\"requests\": 12");
    room.log("logs/a.log", yesterday, 3);
    let text = room.wait_for_text(&name, "\"requests\": 15");
    let summary: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(summary["quotas"][0]["used"], 15);
    let markdown = fs::read_to_string(room.path(&name.replace(".json", ".md"))).expect("reads");
    assert!(markdown.starts_with(&format!("# API requests on {}\n", yesterday.format("%Y-%m-%d"))), "{markdown}");
    assert!(markdown.contains("- requests: 15\n"), "{markdown}");
}

#[test]
fn a_corrupt_state_is_kept_aside_and_nothing_is_counted_twice() {
    let room = Room::new();
    room.configure(QUOTA);
    room.log("logs/a.log", now(), 10);
    let mut daemon = room.start();
    daemon.wait_for_metric(USED, |used| used == 10.0);
    assert!(daemon.terminate().0.success());
    fs::write(room.path("state/state.json"), "\0\0\0").expect("writes");
    let _ = fs::remove_file(room.path("state/state.previous.json"));
    room.log("logs/a.log", now(), 1);
    let mut daemon = room.start();
    daemon.wait_for_words("the bad state is kept as");
    daemon.wait_for_metric(USED, |used| used == 11.0);
    assert!(daemon.terminate().0.success());
    let mut daemon = room.start();
    daemon.wait_for_words("prod: 11/1,000");
}

/// A real notification socket, as systemd gives one to a service of `Type=notify`.
#[test]
fn systemd_is_told_of_readiness_life_reload_and_end() {
    let room = Room::new();
    room.configure(QUOTA);
    room.log("logs/a.log", now(), 10);
    let path = room.path("notify.socket");
    let socket = UnixDatagram::bind(&path).expect("binds");
    socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let wait_for = |wanted: &str| {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|message: &String| !message.contains(wanted)) {
            let mut message = [0; 4096];
            let length = socket.recv(&mut message).unwrap_or_else(|_| panic!("never heard {wanted:?}: {heard:#?}"));
            heard.push(String::from_utf8_lossy(&message[..length]).into_owned());
        }
        heard.pop().expect("the last one")
    };
    let mut command = daycap();
    command.env("NOTIFY_SOCKET", &path);
    let daemon = Daemon::start_as(command, &["--config", room.path("daycap.toml").to_str().expect("UTF-8")]);
    wait_for("READY=1");
    wait_for("WATCHDOG=1");
    assert!(wait_for("STATUS=10/1,000").contains("reset 00:00 UTC"));
    daemon.signal("HUP");
    assert!(wait_for("RELOADING=1").contains("MONOTONIC_USEC="));
    wait_for("READY=1");
    wait_for("WATCHDOG=1");
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    wait_for("STOPPING=1");
}

/// Without a time stamp, when a line arrived is all there is to know; how it is read again, nobody can tell.
#[test]
fn lines_without_a_stamp_count_when_they_arrive_and_that_is_said() {
    let room = tempfile::tempdir().expect("a directory");
    let (log, state) = (room.path().join("app.log"), room.path().join("state"));
    let state = state.to_str().expect("UTF-8");
    let line = "{\"method\":\"GET\",\"url\":\"/a\",\"status\":200}\n";
    std::fs::write(&log, line.repeat(2)).expect("writes");
    let mut daemon =
        Daemon::start(&[log.to_str().expect("UTF-8"), "--state", state, "--listen", "127.0.0.1:0", "--limit", "9"]);
    daemon.wait_for_words("default: ");
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).expect("opens");
    std::io::Write::write_all(&mut file, line.repeat(3).as_bytes()).expect("writes");
    daemon.wait_for_words("3 lines without a time stamp were counted when they arrived; let the client write one");
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    let (report, _, _) = run(daycap().args(["report", "--by", "operation", "--format", "csv", "--state", state]));
    assert!(report.contains("/a,3,"), "{report}");
    let (verdict, _, code) = run(daycap().args(["verify", "--state", state]).arg(&log));
    assert!(verdict.contains("have no time stamp; they were counted when they arrived"), "{verdict}");
    assert_eq!(code, 0);
}

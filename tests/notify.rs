//! Messages on the real binary: receivers on loopback that fail, hang, ask for a pause, die and come back; processes that
//! end or are killed in between. Each message arrives, and counting goes on.

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::receiver::{Answer, GOOD, Receiver};
use common::{Daemon, daycap, run};
use serde_json::Value;

/// A `[[notify]]` that posts to this receiver.
fn webhook(receiver: &Receiver) -> String {
    format!("[[notify]]\nname = \"ops\"\ntype = \"webhook\"\nurl = {:?}\n", receiver.url("/hook"))
}

/// A log, a state directory and a configuration with a quota of 1,000 requests a day.
struct Room {
    _temporary: tempfile::TempDir,
    root: PathBuf,
}

impl Room {
    fn new(rest: &str) -> Room {
        let temporary = tempfile::tempdir().expect("a directory");
        let room = Room { root: temporary.path().to_owned(), _temporary: temporary };
        room.configure(rest);
        room
    }

    fn configure(&self, rest: &str) {
        let (state, log) = (self.root.join("state"), self.root.join("a.log"));
        let text = format!(
            "[state]\ndir = {state:?}\ncommit_interval = \"20ms\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"sync\"\npath = {log:?}\n[[quota]]\nname = \"prod\"\nlimit = 1000\n{rest}"
        );
        fs::write(self.config(), text).expect("writes");
    }

    fn config(&self) -> String {
        self.root.join("daycap.toml").to_str().expect("UTF-8").to_owned()
    }

    fn start(&self) -> Daemon {
        Daemon::start(&["--config", &self.config()])
    }

    fn log(&self, requests: usize) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.root.join("a.log")).expect("opens");
        let line = format!(
            "{{\"timestamp\":\"{}\",\"method\":\"GET\",\"url\":\"https://api.example.com/jobs\",\"status\":200}}\n",
            now().to_rfc3339()
        );
        file.write_all(line.repeat(requests).as_bytes()).expect("writes");
    }

    /// Wait until the state on disk has this in it.
    fn wait_for_state(&self, daemon: &mut Daemon, part: &str) {
        let path = self.root.join("state/state.json");
        while !fs::read_to_string(&path).is_ok_and(|text| text.contains(part)) {
            daemon.listen(Duration::from_millis(10));
        }
    }

    fn notify_test(&self, arguments: &[&str]) -> (String, String, i32) {
        run(daycap().args(["notify", "test"]).args(arguments).args(["--config", &self.config()]))
    }
}

#[expect(clippy::disallowed_methods, reason = "the daemon under test reads the same clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

const USED: &str = "daycap_quota_used{quota=\"prod\"}";
const DELIVERED: &str = "daycap_notifications_total{notifier=\"ops\",result=\"delivered\"}";
const FAILED: &str = "daycap_notifications_total{notifier=\"ops\",result=\"failed\"}";
const DROPPED: &str = "daycap_notifications_total{notifier=\"ops\",result=\"dropped\"}";
const PENDING: &str = "daycap_notifications_pending{notifier=\"ops\"}";

/// What the alert speaks of.
fn subject(body: &Value) -> (&str, &str, &str) {
    let text = |pointer| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    (text("/alerts/0/labels/quota"), text("/alerts/0/labels/alertname"), text("/status"))
}

/// What time may mend.
const BROKEN: Answer = Answer::Says(503, "", "");

fn is_exceeded(body: &Value, quota: &str) -> bool {
    let (named, alert, _) = subject(body);
    named == quota && alert.contains("xceeded")
}

/// A quota is exceeded while the receiver behaves like this, once. More is counted before it is tried again.
fn arrives_after(answer: Answer, extra: &str) {
    let is_heard = !matches!(answer, Answer::DiesEarly);
    let receiver = Receiver::start(&[answer, GOOD]);
    let room = Room::new(&format!("{}{extra}", webhook(&receiver)));
    room.log(1_001);
    let mut daemon = room.start();
    daemon.wait_for_metric(FAILED, |failed| failed == 1.0);
    room.log(9);
    daemon.wait_for_metric(USED, |used| used == 1_010.0);
    daemon.wait_for_metric(DELIVERED, |delivered| delivered == 1.0);
    let counts = [FAILED, DROPPED, PENDING].map(|name| daemon.metric(name));
    assert_eq!(counts, [Some(1.0), Some(0.0), Some(0.0)]);
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("notify \"ops\" delivers again")), "{said:#?}");
    let arrived = receiver.next();
    if is_heard {
        assert_eq!(receiver.next().body, arrived.body, "the same is said again");
    }
    assert!(is_exceeded(&arrived.json(), "prod") && receiver.is_quiet(), "{}", arrived.body);
}

#[test]
fn a_message_arrives_at_a_receiver_that_fails() {
    arrives_after(BROKEN, "");
}

#[test]
fn a_message_arrives_at_a_receiver_that_hangs_past_its_time() {
    arrives_after(Answer::Hangs, "timeout = \"1s\"\n");
}

#[test]
fn a_message_arrives_at_a_receiver_that_asks_for_a_pause() {
    arrives_after(Answer::Says(429, "Retry-After: 2\r\n", ""), "");
}

#[test]
fn a_message_arrives_at_a_receiver_that_dies_in_the_middle_of_a_request() {
    arrives_after(Answer::DiesEarly, "");
}

/// While it hangs, it holds up nothing but itself: another notifier is told of the next quota meanwhile.
#[test]
fn a_receiver_that_hangs_delays_neither_counting_nor_other_receivers() {
    let (hangs, works) = (Receiver::start(&[Answer::Hangs, GOOD]), Receiver::start(&[GOOD]));
    let other = webhook(&works).replace("\"ops\"", "\"other\"");
    let more = "[[quota]]\nname = \"more\"\nlimit = 2000\n";
    let room = Room::new(&format!("{more}{}timeout = \"1h\"\n{other}", webhook(&hangs)));
    room.log(1_001);
    let mut daemon = room.start();
    let first = hangs.next();
    for round in 1..=20 {
        room.log(50);
        daemon.wait_for_metric(USED, |used| used == f64::from(1_001 + round * 50));
    }
    while !is_exceeded(&works.next().json(), "more") {}
    assert_eq!(daemon.metric(DELIVERED), Some(0.0));
    hangs.let_go();
    assert_eq!(hangs.next().body, first.body, "in order");
    daemon.wait_for_metric(PENDING, |pending| pending == 0.0);
}

#[test]
fn what_a_receiver_refuses_is_said_and_given_up() {
    let receiver = Receiver::start(&[Answer::Says(400, "", "what?")]);
    let room = Room::new(&webhook(&receiver));
    room.log(1_001);
    let mut daemon = room.start();
    daemon.wait_for_words("is given up: the receiver will not take it");
    daemon.wait_for_metric(DROPPED, |dropped| dropped == 1.0);
    let status: Value = serde_json::from_str(&daemon.get("/api/v1/status")).expect("JSON");
    assert_eq!(status["notifiers"][0]["pending"], 0);
    let error = status["notifiers"][0]["failing"]["error"].as_str().unwrap_or_default();
    assert!(error.contains("answered 400") && !error.contains("what?"), "others may read this: {error}");
}

/// The process ends in four ways while the message is on its way or waits; the next one brings it.
#[test]
fn no_end_of_the_process_loses_a_message() {
    for (hangs, is_killed) in [(false, false), (false, true), (true, false), (true, true)] {
        let receiver = Receiver::start(&[if hangs { Answer::Hangs } else { BROKEN }, GOOD]);
        let room = Room::new(&format!("{}timeout = \"1h\"\n", webhook(&receiver)));
        room.log(1_001);
        let mut daemon = room.start();
        receiver.next();
        if !hangs {
            daemon.wait_for_words("the next attempt is in");
        }
        room.wait_for_state(&mut daemon, if hangs { "prod/" } else { "\"failures\":1" });
        if is_killed {
            daemon.kill();
        } else {
            let (status, took, said) = daemon.terminate();
            assert!(status.success() && took < Duration::from_secs(5), "{took:?} {said:#?}");
            let is_cut = said.iter().any(|line| line.contains("deliveries cut off by the end: 1"));
            assert_eq!(is_cut, hangs, "{said:#?}");
        }
        let (text, _, code) = run(daycap().args(["status", "--config", &room.config()]));
        assert_eq!((code, text.contains("notify ops: 1 waiting, failing since")), (0, !hangs), "{text}");
        arrives_once(&room, &receiver);
    }
}

/// The next process brings it, and the one after that does not.
fn arrives_once(room: &Room, receiver: &Receiver) {
    let mut daemon = room.start();
    assert!(is_exceeded(&receiver.next().json(), "prod"));
    daemon.wait_for_metric(PENDING, |pending| pending == 0.0);
    room.wait_for_state(&mut daemon, "\"pending\":[]");
    daemon.kill();
    let mut daemon = room.start();
    daemon.wait_for_words("prod: 1,001/1,000");
    assert!(daemon.terminate().0.success());
    assert!(receiver.is_quiet(), "told again by a later process");
}

#[test]
fn a_reload_keeps_what_waits_for_those_that_stay_and_drops_what_waits_for_others() {
    let receiver = Receiver::start(&[BROKEN, BROKEN, GOOD]);
    let old = webhook(&receiver).replace("\"ops\"", "\"old\"");
    let room = Room::new(&format!("{}{old}", webhook(&receiver)));
    room.log(1_001);
    let mut daemon = room.start();
    daemon.wait_for_metric(FAILED, |failed| failed == 1.0);
    daemon.wait_for_metric(&FAILED.replace("ops", "old"), |failed| failed == 1.0);
    room.configure(&webhook(&receiver));
    daemon.signal("HUP");
    daemon.wait_for_words("notify \"old\" is configured no more; messages that waited for it are dropped: 1");
    daemon.wait_for_metric(DELIVERED, |delivered| delivered == 1.0);
    assert_eq!(daemon.metric(&PENDING.replace("ops", "old")), None);
}

/// For how long prod's alert holds that an Alertmanager was sent.
fn holds(receiver: &Receiver) -> TimeDelta {
    let body = receiver.next().json();
    let alerts = body.as_array().expect("a list");
    let alert = alerts.iter().find(|alert| alert["labels"]["quota"] == "prod").expect("prod's");
    let ends: DateTime<Utc> = alert["endsAt"].as_str().expect("text").parse().expect("an instant");
    ends - now()
}

#[test]
fn what_stands_is_told_again_after_a_restart() {
    let receiver = Receiver::start(&[BROKEN, GOOD]);
    let room =
        Room::new(&format!("[[notify]]\nname = \"ops\"\ntype = \"alertmanager\"\nurl = {:?}\n", receiver.url("")));
    room.log(1_001);
    let mut daemon = room.start();
    receiver.next();
    let about_four_minutes = TimeDelta::seconds(120)..TimeDelta::seconds(241);
    assert!(about_four_minutes.contains(&holds(&receiver)));
    daemon.wait_for_metric(DELIVERED, |delivered| delivered == 1.0);
    room.wait_for_state(&mut daemon, "\"told\":true");
    daemon.kill();
    let mut daemon = room.start();
    assert!(about_four_minutes.contains(&holds(&receiver)));
    daemon.wait_for_words("prod: 1,001/1,000");
    assert_eq!(daemon.metric(DELIVERED), Some(0.0), "saying it again is no delivery");
}

#[test]
fn a_test_message_goes_through_each_notifier_and_says_what_became_of_it() {
    let receiver = Receiver::start(&[GOOD]);
    let told = "[[notify]]\nname = \"file\"\ntype = \"exec\"\ncommand = [\"sh\", \"-c\", \"cat >> told.jsonl\"]\n";
    let broken = "[[notify]]\nname = \"broken\"\ntype = \"exec\"\ncommand = [\"/no/such/program\"]\n";
    let room = Room::new(&format!("{}{told}{broken}", webhook(&receiver)));
    // A daemon may hold the state directory.
    let daemon = room.start();
    let (out, err, code) = run(daycap().args(["notify", "test", "--config", &room.config()]).current_dir(&room.root));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[..2], ["ops: delivered", "file: delivered"]);
    assert!(lines[2].starts_with("broken: not delivered: cannot run \"/no/such/program\""), "{out}");
    assert!(err.contains("1 of 3 notifiers did not deliver") && code == 1, "{err}");
    let statuses = [(); 2].map(|()| receiver.next().json()["status"].clone());
    assert_eq!(statuses, ["firing", "resolved"]);
    let text = fs::read_to_string(room.root.join("told.jsonl")).expect("reads");
    let messages: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((messages.len(), &messages[0]["level"], &messages[0]["id"]), (2, &"test".into(), &messages[1]["id"]));
    assert!(messages[0]["message"].as_str().is_some_and(|text| text.starts_with("TEST: ")), "{text}");
    drop(daemon);

    let (out, err, code) = room.notify_test(&["ops"]);
    assert_eq!((out.as_str(), code), ("ops: delivered\n", 0), "{err}");
    let (_, err, code) = room.notify_test(&["opps"]);
    assert!(err.contains("no notifier is named \"opps\"; did you mean \"ops\"?") && code == 2, "{err}");
    room.configure("");
    let (_, err, code) = room.notify_test(&[]);
    assert!(err.contains("there is no [[notify]]") && code == 2, "{err}");
}

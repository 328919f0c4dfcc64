//! Messages on the real binary: receivers on loopback that fail, hang, ask for a pause, die and come back; processes that
//! end or are killed in between. Each message arrives, and counting goes on.

mod common;

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver as Heard, Sender, channel};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use common::{DEADLINE, Daemon, daycap, run};
use serde_json::Value;

/// What the receiver does with a request; after the last of these it takes every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Answer(u16),
    /// Come again in so many seconds.
    Pause(u16),
    /// Say nothing until the client gives up, or is told to.
    Hang,
    /// Close in the middle of the request.
    Die,
}

/// An HTTP server on loopback. It ends with the test's process.
struct Receiver {
    address: SocketAddr,
    manners: Arc<Mutex<VecDeque<Manner>>>,
    heard: Heard<(Manner, Value)>,
    hanging: Arc<Mutex<Vec<TcpStream>>>,
}

impl Receiver {
    fn start(manners: &[Manner]) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("an address");
        let manners = Arc::new(Mutex::new(manners.iter().copied().collect::<VecDeque<_>>()));
        let hanging = Arc::new(Mutex::new(Vec::new()));
        let (sender, heard) = channel();
        let (next, held) = (manners.clone(), hanging.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let manner = next.lock().expect("whole").pop_front().unwrap_or(Manner::Answer(200));
                let (sender, held) = (sender.clone(), held.clone());
                // Who hangs must not keep the next one from being heard.
                std::thread::spawn(move || serve(stream, manner, &sender, &held));
            }
        });
        Receiver { address, manners, heard, hanging }
    }

    fn hear(&self) -> (Manner, Value) {
        self.heard.recv_timeout(DEADLINE).expect("a request comes")
    }

    /// The next request is to come in this manner; what it says.
    fn hear_in(&self, manner: Manner) -> Value {
        let (heard, body) = self.hear();
        assert_eq!(heard, manner, "{body}");
        body
    }

    fn let_go(&self) {
        for stream in self.hanging.lock().expect("whole").drain(..) {
            // The client may have given up already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// A `[[notify]]` that posts to it.
    fn webhook(&self) -> String {
        format!("[[notify]]\nname = \"ops\"\ntype = \"webhook\"\nurl = \"http://{}/hook\"\n", self.address)
    }
}

fn serve(mut stream: TcpStream, manner: Manner, sender: &Sender<(Manner, Value)>, held: &Mutex<Vec<TcpStream>>) {
    if manner == Manner::Die {
        let mut some = [0; 16];
        stream.read_exact(&mut some).expect("a request");
        drop(stream);
        return sender.send((manner, Value::Null)).unwrap_or_default();
    }
    let body = read_request(&stream);
    if manner == Manner::Hang {
        held.lock().expect("whole").push(stream.try_clone().expect("a second handle"));
    }
    sender.send((manner, body)).unwrap_or_default();
    let head = match manner {
        Manner::Answer(status) => format!("HTTP/1.1 {status} Said"),
        Manner::Pause(seconds) => format!("HTTP/1.1 429 Too Many Requests\r\nRetry-After: {seconds}"),
        // Nothing comes until one of the two lets go.
        Manner::Hang | Manner::Die => return stream.read_to_end(&mut Vec::new()).map(drop).unwrap_or_default(),
    };
    // A client that has been killed reads no answer.
    let _ = write!(stream, "{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// The JSON of a request with a `Content-Length`.
fn read_request(stream: &TcpStream) -> Value {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a head");
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}

/// A log, a state directory and a configuration with two quotas: of 1,000 and of 2,000 requests a day.
struct Room {
    _temporary: tempfile::TempDir,
    root: PathBuf,
}

impl Room {
    fn new(notify: &str) -> Room {
        let temporary = tempfile::tempdir().expect("a directory");
        let room = Room { root: temporary.path().to_owned(), _temporary: temporary };
        room.configure(notify);
        room
    }

    fn configure(&self, notify: &str) {
        let (state, log) = (self.root.join("state"), self.root.join("a.log"));
        let text = format!(
            "[state]\ndir = {state:?}\ncommit_interval = \"20ms\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"sync\"\npath = {log:?}\n[[quota]]\nname = \"prod\"\nlimit = 1000\n[[quota]]\nname = \"more\"\nlimit = 2000\n{notify}"
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
            daemon.listen(std::time::Duration::from_millis(10));
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

/// A quota is exceeded while the receiver behaves like this, once. More is counted before it has been told.
fn arrives_after(manner: Manner, extra: &str) {
    let receiver = Receiver::start(&[manner]);
    let room = Room::new(&format!("{}{extra}", receiver.webhook()));
    room.log(1_001);
    let mut daemon = room.start();
    let first = receiver.hear_in(manner);
    room.log(9);
    daemon.wait_for_metric(USED, |used| used == 1_010.0);
    receiver.let_go();
    let second = receiver.hear_in(Manner::Answer(200));
    assert!(subject(&second).0 == "prod" && subject(&second).2 == "firing", "{second}");
    assert!(manner == Manner::Die || first == second, "{first} and then {second}");
    daemon.wait_for_metric(DELIVERED, |delivered| delivered == 1.0);
    let counts = [FAILED, DROPPED, PENDING].map(|name| daemon.metric(name));
    assert_eq!(counts, [Some(1.0), Some(0.0), Some(0.0)]);
    assert_eq!(daemon.metric(USED), Some(1_010.0));
    let (status, _, said) = daemon.terminate();
    assert!(status.success(), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("notify \"ops\" delivers again")), "{said:#?}");
    assert!(receiver.heard.try_recv().is_err(), "told twice");
}

#[test]
fn a_message_arrives_at_a_receiver_that_fails() {
    arrives_after(Manner::Answer(503), "");
}

#[test]
fn a_message_arrives_at_a_receiver_that_hangs_past_its_time() {
    arrives_after(Manner::Hang, "timeout = \"1s\"\n");
}

/// While it hangs, it holds up nothing but itself: another notifier is told of the next quota meanwhile.
#[test]
fn a_receiver_that_hangs_delays_neither_counting_nor_other_receivers() {
    let (hangs, works) = (Receiver::start(&[Manner::Hang]), Receiver::start(&[]));
    let other = works.webhook().replace("\"ops\"", "\"other\"");
    let room = Room::new(&format!("{}timeout = \"1h\"\n{other}", hangs.webhook()));
    room.log(1_001);
    let mut daemon = room.start();
    hangs.hear_in(Manner::Hang);
    works.hear_in(Manner::Answer(200));
    for round in 1..=20 {
        room.log(50);
        daemon.wait_for_metric(USED, |used| used == f64::from(1_001 + round * 50));
    }
    assert_eq!(daemon.metric(DELIVERED), Some(0.0));
    let (mut subjects, mut is_told) = (Vec::new(), false);
    while !is_told {
        let (_, body) = works.hear();
        is_told = subject(&body).0 == "more" && subject(&body).1.contains("xceeded");
        subjects.push(body);
    }
    hangs.let_go();
    let first = hangs.hear_in(Manner::Answer(200));
    assert_eq!(subject(&first).0, "prod", "in order");
    daemon.wait_for_metric(PENDING, |pending| pending == 0.0);
}

#[test]
fn a_message_arrives_at_a_receiver_that_asks_for_a_pause() {
    arrives_after(Manner::Pause(2), "");
}

#[test]
fn a_message_arrives_at_a_receiver_that_dies_in_the_middle_of_a_request() {
    arrives_after(Manner::Die, "");
}

#[test]
fn what_a_receiver_refuses_is_said_and_given_up() {
    let receiver = Receiver::start(&[Manner::Answer(400)]);
    let room = Room::new(&receiver.webhook());
    room.log(1_001);
    let mut daemon = room.start();
    daemon.wait_for_words("is given up: the receiver will not take it");
    daemon.wait_for_metric(DROPPED, |dropped| dropped == 1.0);
    let status: Value = serde_json::from_str(&daemon.get("/api/v1/status")).expect("JSON");
    assert_eq!(status["notifiers"][0]["pending"], 0);
    assert!(status["notifiers"][0]["failing"]["error"].as_str().is_some_and(|error| error.contains("answered 400")));
}

/// The process ends in four ways while the message is on its way or waits; the next one brings it.
#[test]
fn no_end_of_the_process_loses_a_message() {
    for (manner, kill) in [Manner::Answer(503), Manner::Hang].into_iter().flat_map(|of| [(of, true), (of, false)]) {
        let receiver = Receiver::start(&[manner]);
        let room = Room::new(&format!("{}timeout = \"1h\"\n", receiver.webhook()));
        room.log(1_001);
        let mut daemon = room.start();
        receiver.hear_in(manner);
        if manner == Manner::Answer(503) {
            daemon.wait_for_words("the next attempt is in");
        }
        room.wait_for_state(&mut daemon, "prod/");
        if kill {
            daemon.kill();
        } else {
            let (status, took, said) = daemon.terminate();
            assert!(status.success() && took < std::time::Duration::from_secs(5), "{took:?} {said:#?}");
            let is_cut = said.iter().any(|line| line.contains("deliveries cut off by the end: 1"));
            assert_eq!(is_cut, manner == Manner::Hang, "{said:#?}");
        }
        let (text, _, code) = run(daycap().args(["status", "--config", &room.config()]));
        assert_eq!(
            (code, text.contains("notify ops: 1 waiting, failing since")),
            (0, manner != Manner::Hang && !kill),
            "{text}"
        );
        let mut daemon = room.start();
        assert_eq!(subject(&receiver.hear_in(Manner::Answer(200))).0, "prod");
        daemon.wait_for_metric(PENDING, |pending| pending == 0.0);
        room.wait_for_state(&mut daemon, "\"pending\":[]");
        daemon.kill();
        let mut daemon = room.start();
        daemon.wait_for_words("prod: 1,001/1,000");
        assert!(daemon.terminate().0.success());
        assert!(receiver.heard.try_recv().is_err(), "told again by a later process");
    }
}

#[test]
fn a_reload_keeps_what_waits_for_those_that_stay_and_drops_what_waits_for_others() {
    let receiver = Receiver::start(&[Manner::Answer(503), Manner::Answer(503)]);
    let old = receiver.webhook().replace("\"ops\"", "\"old\"");
    let room = Room::new(&format!("{}{old}", receiver.webhook()));
    room.log(1_001);
    let mut daemon = room.start();
    daemon.wait_for_metric(FAILED, |failed| failed == 1.0);
    daemon.wait_for_metric(&FAILED.replace("ops", "old"), |failed| failed == 1.0);
    room.configure(&receiver.webhook());
    daemon.signal("HUP");
    daemon.wait_for_words("notify \"old\" is configured no more; messages that waited for it are dropped: 1");
    daemon.wait_for_metric(DELIVERED, |delivered| delivered == 1.0);
    assert_eq!(daemon.metric(&PENDING.replace("ops", "old")), None);
}

/// What an Alertmanager is sent: all that stands, again by each process, and until when it holds.
#[test]
fn what_stands_is_told_again_after_a_restart() {
    let receiver = Receiver::start(&[Manner::Answer(503)]);
    let notify =
        format!("[[notify]]\nname = \"ops\"\ntype = \"alertmanager\"\nurl = \"http://{}\"\n", receiver.address);
    let room = Room::new(&notify);
    room.log(1_001);
    let mut daemon = room.start();
    receiver.hear_in(Manner::Answer(503));
    let holds = |body: &Value| {
        let alert = body.as_array().and_then(|alerts| alerts.iter().find(|alert| alert["labels"]["quota"] == "prod"));
        let ends: DateTime<Utc> = alert.expect("prod's")["endsAt"].as_str().expect("text").parse().expect("an instant");
        ends - now()
    };
    let about_four_minutes = TimeDelta::seconds(200)..TimeDelta::seconds(241);
    assert!(about_four_minutes.contains(&holds(&receiver.hear_in(Manner::Answer(200)))));
    daemon.wait_for_metric(DELIVERED, |delivered| delivered >= 1.0);
    room.wait_for_state(&mut daemon, "\"told\":true");
    daemon.kill();
    let mut daemon = room.start();
    assert!(about_four_minutes.contains(&holds(&receiver.hear_in(Manner::Answer(200)))));
    daemon.wait_for_words("prod: 1,001/1,000");
    assert_eq!(daemon.metric(DELIVERED), Some(0.0), "saying it again is no delivery");
}

#[test]
fn a_test_message_goes_through_each_notifier_and_says_what_became_of_it() {
    let receiver = Receiver::start(&[]);
    let told = "[[notify]]\nname = \"file\"\ntype = \"exec\"\ncommand = [\"sh\", \"-c\", \"cat >> told.jsonl\"]\n";
    let broken = "[[notify]]\nname = \"broken\"\ntype = \"exec\"\ncommand = [\"/no/such/program\"]\n";
    let room = Room::new(&format!("{}{told}{broken}", receiver.webhook()));
    // A daemon may hold the state directory.
    let daemon = room.start();
    let (out, err, code) = run(daycap().args(["notify", "test", "--config", &room.config()]).current_dir(&room.root));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[..2], ["ops: delivered", "file: delivered"]);
    assert!(lines[2].starts_with("broken: not delivered: cannot run \"/no/such/program\""), "{out}");
    assert!(err.contains("1 of 3 notifiers did not deliver") && code == 1, "{err}");
    let statuses = [(); 2].map(|()| receiver.hear_in(Manner::Answer(200))["status"].clone());
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

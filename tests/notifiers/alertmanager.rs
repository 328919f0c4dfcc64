//! Two of Debian's Alertmanagers take our alerts, and what they send to webhooks is what our webhook sends.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::common::DEADLINE;
use super::common::receiver::{GOOD, Receiver};
use super::{deliver, news, notifier, over};
use daycap::publish::deliver::{Again, Parcel, Standing};
use daycap::publish::example;
use daycap::publish::message::Message;

/// Debian's, alone and on a port of its own. It is killed when dropped.
struct Alertmanager {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Alertmanager {
    /// It sends every alert to this webhook at once.
    fn start(webhook: &str) -> Alertmanager {
        let folder = TempDir::new().expect("a folder");
        let config = format!(
            "route: {{ receiver: ours, group_by: ['...'], group_wait: 1ms, group_interval: 1s }}\n\
             receivers: [{{ name: ours, webhook_configs: [{{ url: {webhook:?} }}] }}]\n"
        );
        let path = folder.path().join("alertmanager.yml");
        fs::write(&path, config).expect("writes");
        let mut child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus-alertmanager: {error}; `make test` installs Debian's package"));
        let mut words = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let port = words.find_map(|line| line.split_once("address=127.0.0.1:")?.1.split(' ').next()?.parse().ok());
        let port = port.expect("it says where it listens");
        std::thread::spawn(move || words.count());
        Alertmanager { child, port, _folder: folder }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What stands there now.
    fn alerts(&self) -> Vec<Value> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url = format!("{}/api/v2/alerts", self.url());
        let text = runtime.block_on(async { http_get(&url).await });
        serde_json::from_str(&text).expect("a list of alerts")
    }

    fn wait_for(&self, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let alerts = self.alerts();
            if wanted(&alerts) {
                return alerts;
            }
            assert!(Instant::now() < deadline, "{alerts:?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn http_get(url: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("connects");
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("asks");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answers");
    answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
}

/// What Alertmanager's version 4 has, and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Version4 {
    version: String,
    group_key: String,
    truncated_alerts: u64,
    status: String,
    receiver: String,
    group_labels: BTreeMap<String, String>,
    common_labels: BTreeMap<String, String>,
    common_annotations: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: String,
    alerts: Vec<Version4Alert>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Version4Alert {
    status: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

/// A message of now, as Alertmanager reads its own clock.
#[expect(clippy::disallowed_methods, reason = "Alertmanager does not take the time from the test")]
fn recent(message: Message) -> Message {
    let now = DateTime::from_timestamp(Utc::now().timestamp(), 0).expect("an instant");
    Message { at: now, since: now - TimeDelta::minutes(10), ..message }
}

#[test]
fn every_peer_of_an_alertmanager_has_the_alert_until_it_is_over() {
    let webhook = Receiver::start(&[GOOD]);
    let peers = [Alertmanager::start(&webhook.url("/")), Alertmanager::start(&webhook.url("/"))];
    let urls = peers.each_ref().map(Alertmanager::url);
    let notifier = notifier(&format!("type = \"alertmanager\"\nurl = {urls:?}\nlabels = {{ team = \"api\" }}"));
    let message = recent(example::alert());
    let ends_at = message.at + TimeDelta::minutes(4);
    deliver(&notifier, &Parcel::Standing(vec![Standing { message: message.clone(), ends_at }])).expect("delivered");
    for peer in &peers {
        let alerts = peer.wait_for(|alerts| alerts.len() == 1);
        let labels = json!({"alertname": "DaycapQuotaProjected", "host": "app-1", "level": "projected", "quota": "maps",
            "severity": "warning", "team": "api"});
        assert_eq!(alerts[0]["labels"], labels);
        assert_eq!(alerts[0]["annotations"]["description"], message.message.as_str());
        let time = |name: &str| alerts[0][name].as_str().and_then(|time| time.parse::<DateTime<Utc>>().ok());
        assert_eq!((time("startsAt"), time("endsAt")), (Some(message.since), Some(ends_at)));
    }
    // Other numbers are the same alert; the end ends it.
    let worse = Message { message: "9,000 of 10,000 used".to_owned(), ..message.clone() };
    deliver(&notifier, &news(worse)).expect("delivered");
    for peer in &peers {
        peer.wait_for(|alerts| alerts.len() == 1 && alerts[0]["annotations"]["description"] == "9,000 of 10,000 used");
    }
    deliver(&notifier, &Parcel::Standing(vec![Standing { ends_at: message.at, message: over(message) }]))
        .expect("delivered");
    for peer in &peers {
        peer.wait_for(<[Value]>::is_empty);
    }
}

#[test]
fn one_peer_of_two_that_is_not_there_is_told_of() {
    let webhook = Receiver::start(&[GOOD]);
    let notifier =
        notifier(&format!("type = \"alertmanager\"\nurl = [{:?}, \"http://127.0.0.1:1\"]", webhook.url("/am/")));
    let error = deliver(&notifier, &news(example::alert())).expect_err("one is not there");
    assert!(
        error.to_string().starts_with("1 of 2 peers did not take the alerts: cannot reach 127.0.0.1:1: "),
        "{error}"
    );
    assert_eq!((webhook.next().path.as_str(), error.again()), ("/am/api/v2/alerts", Again::Later));
}

/// Each receiver made for Alertmanager's webhooks understands ours: both bodies are the same, but for what is ours to say.
#[test]
fn our_webhook_says_what_a_real_alertmanager_says() {
    let (theirs, ours) = (Receiver::start(&[GOOD]), Receiver::start(&[GOOD]));
    let real = Alertmanager::start(&theirs.url("/"));
    let link = "link = \"https://daycap.example.com/\"";
    let through = notifier(&format!("type = \"alertmanager\"\nurl = {:?}\n{link}", real.url()));
    let direct = notifier(&format!("type = \"webhook\"\nname = \"ours\"\nurl = {:?}\n{link}", ours.url("/")));
    let message = recent(example::alert());
    for message in [message.clone(), over(message)] {
        let mut bodies = Vec::new();
        for (notifier, receiver) in [(&through, &theirs), (&direct, &ours)] {
            deliver(notifier, &news(message.clone())).expect("delivered");
            let body = receiver.next().body;
            bodies.push(serde_json::from_str::<Version4>(&body).unwrap_or_else(|error| panic!("{error}: {body}")));
        }
        let [theirs, ours] = &bodies[..] else { panic!("two bodies") };
        assert_eq!(ours.alerts, theirs.alerts);
        assert_eq!((&ours.version, &ours.status, &ours.receiver), (&theirs.version, &theirs.status, &theirs.receiver));
        assert_eq!((&ours.group_labels, &ours.common_labels), (&theirs.group_labels, &theirs.common_labels));
        assert_eq!((&ours.common_annotations, &ours.group_key), (&theirs.common_annotations, &theirs.group_key));
        assert_eq!(ours.truncated_alerts, theirs.truncated_alerts);
        assert!(!theirs.external_url.is_empty() && !ours.external_url.is_empty());
    }
}

//! Notifiers against real receivers on loopback: Debian's Alertmanager, an SMTP server with TLS and passwords, an HTTPS
//! server, and an HTTP receiver that refuses, hangs and dies.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use common::DEADLINE;
use common::receiver::{Answer, GOOD, Receiver};
use daycap::config::{self, Surroundings};
use daycap::publish::deliver::{self, Again, DeliveryError, Notifier, Parcel, Purpose, Standing};
use daycap::publish::example;
use daycap::publish::message::{Message, Status};

/// The notifier of this configuration.
fn notifier(lines: &str) -> Notifier {
    let surroundings = Surroundings { hostname: "app-1".to_owned(), ..Surroundings::default() };
    let text = format!("[[notify]]\n{lines}\n");
    let config = config::parse(&text, Path::new("daycap.toml"), &surroundings).expect("a good configuration");
    config.notifiers.into_iter().next().expect("one notifier")
}

fn deliver(notifier: &Notifier, parcel: &Parcel) -> Result<(), DeliveryError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let now = match parcel {
        Parcel::News(message) => message.at,
        Parcel::Standing(_) => example::now(),
    };
    runtime.block_on(deliver::deliver(notifier, parcel, now))
}

fn news(message: Message) -> Parcel {
    Parcel::News(message)
}

fn over(message: Message) -> Message {
    Message { status: Status::Resolved, ..message }
}

/// A folder with a file for each secret.
fn secrets(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    files.iter().for_each(|(name, secret)| fs::write(folder.path().join(name), secret).expect("writes"));
    folder
}

fn setting(key: &str, folder: &TempDir, file: &str) -> String {
    format!("{key} = {:?}\n", folder.path().join(file))
}

// ---- an HTTP receiver ----

/// `url_file` of a chat at this receiver.
fn chat(kind: &str, receiver: &Receiver) -> (Notifier, TempDir) {
    let folder = secrets(&[("url", &receiver.url("/services/T0/B0/s3cr3t-p4th?key=s3cr3t-key"))]);
    (notifier(&format!("type = {kind:?}\n{}", setting("url_file", &folder, "url"))), folder)
}

#[test]
fn each_chat_gets_its_own_body_at_its_secret_address() {
    let bodies: [(&str, fn(&Value) -> &Value); 4] = [
        ("slack", |body| &body["attachments"][0]["text"]),
        ("discord", |body| &body["content"]),
        ("teams", |body| &body["attachments"][0]["content"]["body"][1]["text"]),
        ("google-chat", |body| &body["text"]),
    ];
    for (kind, text) in bodies {
        let receiver = Receiver::start(&[GOOD]);
        let (notifier, _folder) = chat(kind, &receiver);
        deliver(&notifier, &news(example::alert())).expect(kind);
        let request = receiver.next();
        assert_eq!(request.path, "/services/T0/B0/s3cr3t-p4th?key=s3cr3t-key", "{kind}");
        assert_eq!(request.headers["content-type"], "application/json", "{kind}");
        let (said, body) = (example::alert().message, request.json());
        assert!(text(&body).as_str().expect("a text").contains(&said), "{kind}: {body}");
    }
}

#[test]
fn push_and_pager_get_their_keys_in_the_body() {
    let receiver = Receiver::start(&[GOOD]);
    let folder = secrets(&[("token", "tk_s3cr3t"), ("topic", "our-topic"), ("key", "r0ut1ng")]);
    let ntfy = format!("type = \"ntfy\"\nurl = {:?}\n", receiver.url("/"))
        + &setting("topic_file", &folder, "topic")
        + &setting("token_file", &folder, "token");
    deliver(&notifier(&ntfy), &news(example::alert())).expect("ntfy");
    let request = receiver.next();
    assert_eq!(request.headers["authorization"], "Bearer tk_s3cr3t");
    assert_eq!((&request.json()["topic"], &request.json()["priority"]), (&json!("our-topic"), &json!(4)));

    let pagerduty = format!("type = \"pagerduty\"\nurl = {:?}\n", receiver.url("/v2/enqueue"))
        + &setting("routing_key_file", &folder, "key");
    for (message, action) in [(example::alert(), "trigger"), (over(example::alert()), "resolve")] {
        deliver(&notifier(&pagerduty), &news(message)).expect("pagerduty");
        let body = receiver.next().json();
        let said =
            ["routing_key", "event_action", "dedup_key"].map(|key| body[key].as_str().expect("a text").to_owned());
        assert_eq!(said, ["r0ut1ng", action, "maps-projected-1"]);
    }
}

#[test]
fn a_webhook_is_signed_with_the_secret_as_it_is_now() {
    let receiver = Receiver::start(&[GOOD]);
    let folder = secrets(&[("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]);
    let webhook =
        format!("type = \"webhook\"\nurl = {:?}\n", receiver.url("/")) + &setting("secret_file", &folder, "secret");
    let webhook = notifier(&webhook);
    for secret in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_czNjcjN0LWFuZC1mcmVzaA=="] {
        fs::write(folder.path().join("secret"), secret).expect("writes");
        deliver(&webhook, &news(example::alert())).expect("delivered");
        let request = receiver.next();
        let [id, at, signature] =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| &request.headers[name]);
        assert_eq!(at, &example::now().timestamp().to_string());
        assert_eq!(signature, &signed_by_openssl(secret, &format!("{id}.{at}.{}", request.body)));
    }
}

fn signed_by_openssl(secret: &str, text: &str) -> String {
    let script = "key=$(printf %s \"${1#whsec_}\" | base64 -d | od -An -v -tx1 | tr -d ' \\n')
        printf v1,; printf %s \"$2\" | openssl dgst -sha256 -mac HMAC -macopt \"hexkey:$key\" -binary | base64 -w0";
    let output = Command::new("sh").args(["-c", script, "sh", secret, text]).output().expect("sh");
    assert!(output.status.success(), "{}; `make test` installs openssl", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("Base64")
}

#[test]
fn a_body_of_ones_own_replaces_the_whole_body() {
    let receiver = Receiver::start(&[GOOD]);
    let body = r#"body = '{"chat": 7, "text": {{ message | tojson }}}'"#;
    let webhook = notifier(&format!("type = \"webhook\"\nurl = {:?}\n{body}", receiver.url("/")));
    deliver(&webhook, &news(example::alert())).expect("delivered");
    assert_eq!(receiver.next().json(), json!({ "chat": 7, "text": example::alert().message }));
}

#[test]
fn who_wants_no_end_and_only_what_is_critical_gets_nothing_else() {
    let receiver = Receiver::start(&[GOOD]);
    let lines = "send_resolved = false\nmin_severity = \"warning\"";
    let webhook = notifier(&format!("type = \"webhook\"\nurl = {:?}\n{lines}", receiver.url("/")));
    deliver(&webhook, &news(over(example::alert()))).expect("nothing to do");
    deliver(&webhook, &news(example::trouble())).expect("delivered");
    assert_eq!(receiver.next().json()["alerts"][0]["labels"]["alertname"], "DaycapStale", "the end was sent");
}

/// What a receiver does, and what is made of it.
#[test]
fn a_failure_says_what_where_and_whether_to_try_again() {
    use Again::{After, Later, Never};
    let seconds = Duration::from_secs;
    let cases = [
        (Answer::Says(500, "", "oops"), Later, "answered 500; it said: oops; it is tried again"),
        (Answer::Says(503, "Retry-After: 7\r\n", ""), After(seconds(7)), "answered 503; it is tried again"),
        (
            Answer::Says(429, "Retry-After: 1.2\r\n", "slow down"),
            After(seconds(2)),
            "answered 429; it said: slow down; it is tried again",
        ),
        (
            Answer::Says(429, "Retry-After: Sun, 22 Nov 2026 14:31:30 GMT\r\n", ""),
            After(seconds(90)),
            "answered 429; it is tried again",
        ),
        (Answer::Says(429, "Retry-After: 99999999\r\n", ""), After(seconds(3600)), "answered 429; it is tried again"),
        (Answer::Says(408, "Retry-After: soon\r\n", ""), Later, "answered 408; it is tried again"),
        (
            Answer::Says(401, "", "bad\ntoken"),
            Never,
            "answered 401; it said: bad token; check the token, the password or the secret",
        ),
        (
            Answer::Says(404, "", "no hook /services/T0/B0/s3cr3t-p4th?key=s3cr3t-key here"),
            Never,
            "answered 404; it said: no hook /(secret)/T0/B0/(secret)?key=(secret) here; check the address: the receiver has nothing there",
        ),
        (
            Answer::Says(302, "Location: http://127.0.0.1:1/\r\n", ""),
            Never,
            "answered 302; redirects are not followed: configure the address that it ends at",
        ),
        (
            Answer::Says(400, "", "no"),
            Never,
            "answered 400; it said: no; it does not understand the message: check the type and the address",
        ),
    ];
    for (answer, again, sentence) in cases {
        let receiver = Receiver::start(std::slice::from_ref(&answer));
        let (notifier, _folder) = chat("slack", &receiver);
        let error = deliver(&notifier, &news(example::alert())).expect_err("it failed");
        assert_eq!(error.to_string(), format!("{} {sentence}", receiver.address), "{answer:?}");
        assert_eq!(error.again(), again, "{answer:?}");
    }
}

#[test]
fn a_receiver_that_hangs_dies_or_is_not_there_is_tried_again() {
    for answer in [Answer::Dies, Answer::DiesEarly] {
        let receiver = Receiver::start(std::slice::from_ref(&answer));
        let (notifier, _folder) = chat("slack", &receiver);
        let error = deliver(&notifier, &news(example::alert())).expect_err("it failed");
        assert!(error.to_string().starts_with(&format!("cannot reach {}: ", receiver.address)), "{answer:?}: {error}");
        assert!(error.again() == Again::Later && !error.to_string().contains("s3cr3t"), "{answer:?}: {error}");
    }
    let receiver = Receiver::start(&[Answer::Hangs]);
    let (notifier, _folder) = chat("slack", &receiver);
    let notifier = Notifier { timeout: Duration::from_millis(300), ..notifier };
    let error = deliver(&notifier, &news(example::alert())).expect_err("it failed");
    let expected = "took longer than 300ms; check the receiver, or give it time with timeout";
    assert_eq!(error.to_string(), format!("{} {expected}", receiver.address));
    assert_eq!(error.again(), Again::Later);

    let folder = secrets(&[("url", "http://127.0.0.1:1/services/s3cr3t-p4th")]);
    let notifier = self::notifier(&format!("type = \"slack\"\n{}", setting("url_file", &folder, "url")));
    let error = deliver(&notifier, &news(example::alert())).expect_err("nobody is there").to_string();
    assert_eq!(
        error,
        "cannot reach 127.0.0.1:1: Connection refused (os error 111); check the address, and that the receiver runs"
    );
}

/// A proxy of the environment would see what is sent, or make it fail; it is not asked.
#[test]
fn no_secret_is_in_the_dump_of_a_configuration() {
    let folder = secrets(&[("s", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]);
    let lines = "type = \"webhook\"\nurl = \"https://example.com/s3cr3t-p4th\"\n".to_owned()
        + &setting("secret_file", &folder, "s");
    let dump = format!("{:?}", notifier(&lines));
    assert!(!dump.contains("s3cr3t") && !dump.contains("MfKQ") && dump.contains("(secret)"), "{dump}");
}

#[test]
fn a_secret_that_is_missing_is_found_before_it_is_needed() {
    let folder = secrets(&[("empty", ""), ("no-url", "hunter2"), ("no-key", "hunter2")]);
    let file = |key, name| setting(key, &folder, name);
    let cases = [
        (format!("type = \"slack\"\n{}", file("url_file", "absent")), "cannot read the secret file"),
        (format!("type = \"slack\"\n{}", file("url_file", "empty")), "is empty; write the secret into it"),
        (format!("type = \"slack\"\n{}", file("url_file", "no-url")), "the url is no address"),
        ("type = \"slack\"\nurl_env = \"DAYCAP_NO_SUCH\"".to_owned(), "has no variable \"DAYCAP_NO_SUCH\""),
        (
            format!("type = \"webhook\"\nurl = \"https://a.example.com\"\n{}", file("secret_file", "no-key")),
            "not as Standard Webhooks writes it",
        ),
        (
            format!("type = \"webhook\"\nurl = \"https://a.example.com\"\n{}", file("ca_file", "no-url")),
            "it has no certificate; ca_file names a file of PEM certificates",
        ),
    ];
    for (lines, part) in cases {
        let checked = deliver::check(&[notifier(&lines)], Purpose::Start);
        assert!(checked.errors.len() == 1 && checked.errors[0].contains(part), "{lines}: {checked:?}");
        assert!(!format!("{checked:?}").contains("hunter2"), "{checked:?}");
    }
    let credential = [notifier("type = \"slack\"\nurl_credential = \"team-chat\"")];
    let lists = |purpose| {
        let checked = deliver::check(&credential, purpose);
        (checked.errors.len(), checked.doubts.len())
    };
    assert_eq!((lists(Purpose::Trial), lists(Purpose::Start)), ((0, 1), (1, 0)));
}

// ---- Alertmanager ----

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

// ---- mail and HTTPS, by tests/notifiers/receivers.py ----

/// A server in Python. It is killed when dropped.
struct Server {
    child: Child,
    /// It also ends with its standard input, should this process be killed.
    _stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
    port: u16,
    /// With `certificate.pem`, which signed itself for localhost.
    folder: TempDir,
}

impl Server {
    fn start(kind: &str) -> Server {
        let folder = TempDir::new().expect("a folder");
        let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
        make_certificate(&certificate, &key);
        fs::write(folder.path().join("password"), "hunter2\n").expect("writes");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/notifiers/receivers.py");
        let python = std::env::var("DAYCAP_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut child = Command::new(python)
            .arg(script)
            .arg(kind)
            .args([certificate, key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python");
        let (stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let mut server = Server { child, _stdin: stdin, lines: BufReader::new(stdout), port: 0, folder };
        server.port = server.line().trim().parse().expect("a port; `make test` installs what Python needs");
        server
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it is read");
        line
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.line()).expect("a line of JSON")
    }

    fn mail(&self, lines: &str) -> String {
        let port = self.port;
        format!("type = \"mail\"\nserver = \"localhost\"\nport = {port}\nfrom = \"daycap@example.com\"\n{lines}\n")
    }

    /// The user and the password that it knows.
    fn login(&self) -> String {
        "username = \"daycap\"\n".to_owned() + &setting("password_file", &self.folder, "password")
    }

    fn trust(&self) -> String {
        setting("ca_file", &self.folder, "certificate.pem")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn make_certificate(certificate: &PathBuf, key: &PathBuf) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .output()
        .unwrap_or_else(|error| panic!("openssl: {error}; `make test` installs Debian's package"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const TO: &str = "to = [\"Operations <ops@example.com>\", \"dev@example.com\"]\n";

#[test]
fn a_mail_goes_over_starttls_or_tls_with_a_password() {
    for (kind, tls) in [("smtp-starttls", "starttls"), ("smtp-tls", "tls")] {
        let mut server = Server::start(kind);
        let lines = format!("{TO}tls = {tls:?}\n{}{}", server.login(), server.trust());
        let notifier = notifier(&server.mail(&lines));
        assert_eq!(deliver::check(std::slice::from_ref(&notifier), Purpose::Start).errors, Vec::<String>::new());
        deliver(&notifier, &news(example::alert())).expect(kind);
        let mail = server.next();
        assert_eq!(mail["from"], "daycap@example.com", "{kind}");
        assert_eq!(mail["to"], json!(["ops@example.com", "dev@example.com"]), "{kind}");
        assert_eq!((&mail["tls"], &mail["authenticated"]), (&json!(true), &json!(true)), "{kind}");
        let letter = mail["letter"].as_str().expect("a text");
        assert!(letter.contains("Subject: ") && letter.contains(&example::alert().message), "{letter}");
    }
}

#[test]
fn a_mail_without_tls_goes_to_this_machine_only() {
    let mut server = Server::start("smtp-plain");
    let mail = server.mail(&format!("{TO}tls = \"none\""));
    deliver(&notifier(&mail), &news(example::trouble())).expect("delivered");
    assert_eq!(server.next()["tls"], json!(false));
    let mail = mail.replace("localhost", "smtp.example.com");
    let error = config::parse(&format!("[[notify]]\n{mail}"), Path::new("daycap.toml"), &Surroundings::default());
    let error = error.expect_err("others could read along");
    assert!(error.contains("tls is \"none\", but \"smtp.example.com\" is another machine"), "{error}");
}

#[test]
fn a_mail_that_is_not_taken_says_why_without_secrets() {
    let server = Server::start("smtp-starttls");
    let (login, trust) = (server.login(), server.trust());
    let refused = |lines: String| {
        let error = deliver(&notifier(&server.mail(&lines)), &news(example::alert())).expect_err("it is not taken");
        assert!(!error.to_string().contains('@') && !error.to_string().contains("hunter2"), "{error}");
        (error.again(), error.to_string())
    };
    let (again, error) = refused(format!("{TO}{login}"));
    assert!(again == Again::Later && error.contains("certificate"), "an unknown certificate: {error}");
    let (again, error) = refused(format!("to = \"nobody@example.com\"\n{login}{trust}"));
    assert!(again == Again::Never && error.contains("nobody is here"), "an unknown address: {error}");
    let (_, error) = refused(format!("{TO}tls = \"tls\"\n{login}{trust}"));
    assert!(error.contains("check server, tls"), "TLS where there is none yet: {error}");
    fs::write(server.folder.path().join("password"), "wrong").expect("writes");
    let (again, error) = refused(format!("{TO}{login}{trust}"));
    assert!(again == Again::Never && error.contains("535"), "a wrong password: {error}");
}

#[test]
fn a_server_with_a_certificate_of_its_own_is_trusted_when_told_so() {
    let mut server = Server::start("https");
    let webhook = format!("type = \"webhook\"\nurl = \"https://localhost:{}/s3cr3t-p4th\"\n", server.port);
    let error = deliver(&notifier(&webhook), &news(example::alert())).expect_err("nobody vouches for it").to_string();
    assert!(error.contains("certificate") && !error.contains("s3cr3t"), "{error}");
    let login = server.login();
    deliver(&notifier(&format!("{webhook}{login}{}", server.trust())), &news(example::alert())).expect("delivered");
    let request = server.next();
    assert_eq!(request["headers"]["authorization"], "Basic ZGF5Y2FwOmh1bnRlcjI=");
    assert_eq!(request["path"], "/s3cr3t-p4th");
}

// ---- the documentation ----

#[test]
fn the_configurations_in_the_documentation_are_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/notifiers.md");
    let text = fs::read_to_string(path).expect("docs/notifiers.md");
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect();
    let kinds =
        ["exec", "webhook", "alertmanager", "slack", "discord", "teams", "google-chat", "ntfy", "pagerduty", "mail"];
    for kind in kinds {
        let line = format!("type = {kind:?}\n");
        assert!(blocks.iter().any(|block| block.contains(&line)), "no example of {kind}");
    }
    for block in blocks {
        let parsed = config::parse(block, Path::new("docs/notifiers.md"), &Surroundings::default());
        parsed.unwrap_or_else(|error| panic!("{error}\n{block}"));
    }
}

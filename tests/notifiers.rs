//! Notifiers against real receivers on loopback: Debian's Alertmanager, an SMTP server with TLS and passwords, an HTTPS
//! server, and an HTTP receiver that refuses, hangs and dies.

#[path = "notifiers/alertmanager.rs"]
mod alertmanager;
mod common;
#[path = "notifiers/tls.rs"]
mod tls;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use common::receiver::{Answer, GOOD, Receiver};
use common::{daycap, run};
use daycap::config::{self, Surroundings};
use daycap::publish::deliver::{self, Again, DeliveryError, Notifier, Parcel, Purpose};
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
    let texts = [
        ("slack", "/attachments/0/text"),
        ("discord", "/content"),
        ("teams", "/attachments/0/content/body/1/text"),
        ("google-chat", "/text"),
    ];
    for (kind, text) in texts {
        let receiver = Receiver::start(&[GOOD]);
        let (notifier, _folder) = chat(kind, &receiver);
        deliver(&notifier, &news(example::alert())).expect(kind);
        let request = receiver.next();
        assert_eq!(request.path, "/services/T0/B0/s3cr3t-p4th?key=s3cr3t-key", "{kind}");
        assert_eq!(request.headers["content-type"], "application/json", "{kind}");
        let (said, body) = (example::alert().message, request.json());
        let text = body.pointer(text).and_then(Value::as_str);
        assert!(text.is_some_and(|text| text.contains(&said)), "{kind}: {body}");
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

#[test]
fn a_secret_that_others_could_read_is_doubted() {
    let folder = secrets(&[("open", "hunter2"), ("closed", "hunter2")]);
    fs::set_permissions(folder.path().join("open"), Permissions::from_mode(0o644)).expect("it is ours");
    fs::set_permissions(folder.path().join("closed"), Permissions::from_mode(0o640)).expect("it is ours");
    let doubts = |url: &str, file| {
        let lines = format!("type = \"webhook\"\nurl = {url:?}\n{}", setting("token_file", &folder, file));
        let checked = deliver::check(&[notifier(&lines)], Purpose::Start);
        assert_eq!(checked.errors, Vec::<String>::new());
        checked.doubts.join("\n").replace(&folder.path().display().to_string(), "FOLDER")
    };
    assert_eq!(doubts("https://a.example.com/s3cr3t", "closed"), "");
    assert_eq!(doubts("http://127.0.0.1:9/s3cr3t", "closed"), "");
    let open = "notify \"webhook\": everybody can read the secret file FOLDER/open; chmod o-r it";
    assert_eq!(doubts("https://a.example.com/s3cr3t", "open"), open);
    let line = "notify \"webhook\": a secret goes to a.example.com without TLS, and everybody between can read it; use https://";
    assert_eq!(doubts("http://a.example.com/s3cr3t", "closed"), line);
}

/// Neither a check nor a start goes well with a pager that nobody could reach.
#[test]
fn a_daemon_without_its_secret_does_not_start() {
    let folder = secrets(&[("log", "")]);
    let config = folder.path().join("daycap.toml");
    let place = |name: &str| folder.path().join(name);
    let text = format!(
        "[state]\ndir = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\npath = {:?}\n[[notify]]\ntype = \"slack\"\nurl_file = {:?}\n",
        place("state"),
        place("log"),
        place("url")
    );
    fs::write(&config, text).expect("writes");
    for command in ["check-config", "run"] {
        let (_, complaint, code) = run(daycap().arg(command).arg("--config").arg(&config));
        let expected =
            format!("daycap: notify \"slack\": cannot read the secret file {}: No such file", place("url").display());
        assert!(code == 2 && complaint.starts_with(&expected), "{command}: {code}: {complaint}");
    }
    fs::write(place("url"), "https://hooks.example.com/s3cr3t").expect("writes");
    let (_, complaint, code) = run(daycap().arg("check-config").arg("--config").arg(&config));
    assert!(code == 0 && !complaint.contains("s3cr3t"), "{complaint}");
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
        let line = format!("type = {kind:?}");
        assert!(blocks.iter().any(|block| block.contains(&line)), "no example of {kind}");
    }
    for block in blocks {
        let parsed = config::parse(block, Path::new("docs/notifiers.md"), &Surroundings::default());
        parsed.unwrap_or_else(|error| panic!("{error}\n{block}"));
    }
}

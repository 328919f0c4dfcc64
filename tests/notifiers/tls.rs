//! Mails and requests go to servers in Python that speak TLS, with a certificate of their own, and ask for passwords.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{deliver, news, notifier, setting};
use daycap::config::{self, Surroundings};
use daycap::publish::deliver::{self as delivery, Again, Purpose};
use daycap::publish::example;

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

fn make_certificate(certificate: &Path, key: &Path) {
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
        assert_eq!(delivery::check(std::slice::from_ref(&notifier), Purpose::Start).errors, Vec::<String>::new());
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

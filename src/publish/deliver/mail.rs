//! A message becomes a mail in plain text, handed to an SMTP server over TLS. The mail that all is well again answers the
//! one that something was the matter. This file never shows an address: not even where the server repeats it.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error, SmtpTransport};
use lettre::{Message as Letter, Transport};
use sha2::{Digest, Sha256};

use super::super::message::{Message, Status};
use super::http::Attempt;
use super::secret::{Origin, Secret};
use super::template::{Escape, Wording};
use super::{Again, DeliveryError};
use crate::publish::text::printable;

/// How much of a server's answer is worth a sentence.
const SAID_CHARACTERS_MAX: usize = 300;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub server: String,
    pub port: u16,
    pub security: Security,
    pub from: Mailbox,
    /// At least one.
    pub to: Vec<Mailbox>,
    pub login: Option<(String, Origin)>,
    /// Certificates, in PEM, that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Plain until both sides agree on TLS; without it, nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// For a server on this machine.
    None,
}

impl Security {
    pub fn default_port(self) -> u16 {
        match self {
            Security::StartTls => 587,
            Security::Tls => 465,
            Security::None => 25,
        }
    }
}

/// Send it, within its time. The server may still take a mail whose time is over: it has the same id when it comes again.
pub async fn deliver(mail: &Mail, message: &Message, wording: &Wording, attempt: Attempt) -> Result<(), DeliveryError> {
    let (mail, letter) = (mail.clone(), letter(mail, message, wording, attempt.now));
    let slow = DeliveryError::Slow { host: mail.server.clone(), after: attempt.time_max };
    let sending = tokio::task::spawn_blocking(move || send(&mail, &letter, attempt.time_max));
    match tokio::time::timeout(attempt.time_max, sending).await {
        Ok(sent) => sent.expect("sending a mail does not panic"),
        Err(_) => Err(slow),
    }
}

/// The mail. Nothing a message can say makes it impossible: what its parts are made of was checked with the configuration.
pub fn letter(mail: &Mail, message: &Message, wording: &Wording, now: DateTime<Utc>) -> Letter {
    let words = wording.words(message, Escape::None);
    let link = wording.link.as_ref().map_or_else(String::new, |link| format!("\n\n{link}"));
    let first = message_id(mail, message, Status::Firing);
    let mut letter = Letter::builder()
        .from(mail.from.clone())
        .subject(words.title)
        .date(now.into())
        .message_id(Some(message_id(mail, message, message.status)))
        .header(ContentType::TEXT_PLAIN)
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    letter = mail.to.iter().fold(letter, |letter, to| letter.to(to.clone()));
    if message.status == Status::Resolved {
        letter = letter.in_reply_to(first.clone()).references(first);
    }
    letter.body(words.text + &link + "\n").expect("it has a sender and somebody to go to")
}

/// The same at each try.
fn message_id(mail: &Mail, message: &Message, status: Status) -> String {
    let hash = Sha256::digest(format!("{}\n{}\n{status:?}", message.id, message.since));
    let hash: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("<{hash}@{}>", mail.from.email.domain())
}

fn send(mail: &Mail, letter: &Letter, time_max: Duration) -> Result<(), DeliveryError> {
    let login = match &mail.login {
        Some((username, origin)) => Some((username.clone(), origin.read()?)),
        None => None,
    };
    let transport = SmtpTransport::builder_dangerous(&mail.server).port(mail.port).tls(tls(mail)?);
    let mut transport = transport.timeout(Some(time_max));
    if let Some((username, password)) = &login {
        transport = transport.credentials(Credentials::new(username.clone(), password.reveal().to_owned()));
    }
    let sent = transport.build().send(letter);
    sent.map(drop).map_err(|error| refusal(&error, mail, login.as_ref().map(|(_, password)| password)))
}

fn tls(mail: &Mail) -> Result<Tls, DeliveryError> {
    if mail.security == Security::None {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(mail.server.clone());
    if let Some(path) = &mail.ca_file {
        let refused = |error: String| DeliveryError::Trust { path: path.clone(), error };
        let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        parameters =
            parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| refused(said(&error)))?);
    }
    let refused =
        |error: Error| DeliveryError::Mail { host: mail.server.clone(), why: said(&error), again: Again::Later };
    let parameters = parameters.build_rustls().map_err(refused)?;
    Ok(match mail.security {
        Security::Tls => Tls::Wrapper(parameters),
        Security::StartTls | Security::None => Tls::Required(parameters),
    })
}

fn refusal(error: &Error, mail: &Mail, password: Option<&Secret>) -> DeliveryError {
    let again = if error.is_permanent() { Again::Never } else { Again::Later };
    let mut why = said(error);
    if let Some(password) = password {
        why = why.replace(password.reveal(), "(secret)");
    }
    DeliveryError::Mail { host: format!("{}:{}", mail.server, mail.port), why, again }
}

/// What happened, to its root, on one line and without anybody's address.
fn said(error: &Error) -> String {
    let words = error.to_string();
    let words = words.split_whitespace().map(|word| if word.contains('@') { "(address)" } else { word });
    let words = words.collect::<Vec<_>>().join(" ");
    printable(&words).chars().take(SAID_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;
    use expect_test::{Expect, expect};

    fn mail() -> Mail {
        Mail {
            server: "smtp.example.com".to_owned(),
            port: 587,
            security: Security::StartTls,
            from: "daycap <daycap@example.com>".parse().expect("an address"),
            to: ["ops@example.com", "dev@example.com"].map(|to| to.parse().expect("an address")).into(),
            login: None,
            ca_file: None,
        }
    }

    fn check(message: &Message, wording: &Wording, expected: Expect) {
        let letter = letter(&mail(), message, wording, example::now()).formatted();
        expected.assert_eq(&String::from_utf8(letter).expect("ASCII").replace("\r\n", "\n"));
    }

    #[test]
    fn a_mail_says_what_is_the_matter() {
        let wording = Wording { link: Some("https://daycap.example.com/".to_owned()), ..Wording::default() };
        check(
            &example::alert(),
            &wording,
            expect![[r#"
            From: daycap <daycap@example.com>
            Subject: maps is forecast to exceed its limit (79% used)
            Date: Sun, 22 Nov 2026 14:30:00 +0000
            Message-ID: <a87e9739684746888a1f164190f0381d@example.com>
            Content-Type: text/plain; charset=utf-8
            Auto-Submitted: auto-generated
            To: ops@example.com, dev@example.com
            Content-Transfer-Encoding: 7bit

            quota "maps" is forecast to exceed its limit: 7,900 of 10,000 used (79%)

            https://daycap.example.com/
        "#]],
        );
    }

    #[test]
    fn the_mail_that_it_is_over_answers_the_first() {
        let over = Message { status: Status::Resolved, ..example::trouble() };
        check(
            &over,
            &Wording::default(),
            expect![[r#"
            From: daycap <daycap@example.com>
            Subject: /srv/crm/api.log is silent
            Date: Sun, 22 Nov 2026 14:30:00 +0000
            Message-ID: <ffab7497105336ed351d6d423b273764@example.com>
            Content-Type: text/plain; charset=utf-8
            Auto-Submitted: auto-generated
            To: ops@example.com, dev@example.com
            In-Reply-To: <edb23738ad666576cf54d0d46a3c2e5c@example.com>
            References: <edb23738ad666576cf54d0d46a3c2e5c@example.com>
            Content-Transfer-Encoding: 7bit

            source "/srv/crm/api.log" has been silent for 9 h 00 min
        "#]],
        );
    }

    /// A line of a header ends at its first line end; what follows would be a header of its own.
    #[test]
    fn a_name_cannot_add_a_header() {
        let message = Message { quota: Some("maps\r\nBcc: all@example.com".to_owned()), ..example::alert() };
        let letter = letter(&mail(), &message, &Wording::default(), example::now()).formatted();
        let letter = String::from_utf8(letter).expect("ASCII");
        assert!(letter.lines().all(|line| !line.starts_with("Bcc:")), "{letter}");
    }
}

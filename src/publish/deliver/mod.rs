//! Messages go out: one file a notifier. The journal is not one of them: the shell logs every message, always.
//! This file never decides what is worth saying.

pub mod alertmanager;
pub mod discord;
pub mod exec;
pub mod google_chat;
pub mod http;
pub mod labels;
pub mod mail;
pub mod ntfy;
pub mod pagerduty;
pub mod secret;
pub mod slack;
pub mod teams;
pub mod template;
pub mod webhook;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::message::{Message, Severity, Status, Topic};
use alertmanager::Alertmanager;
use http::{Attempt, Post, Reach};
use mail::Mail;
use ntfy::Ntfy;
use pagerduty::PagerDuty;
use secret::{Origin, SecretError};
use template::Wording;
use webhook::Webhook;

/// One `[[notify]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifier {
    pub name: String,
    pub kind: Kind,
    pub timeout: Duration,
    /// Whether it is told that something is over.
    pub sends_resolved: bool,
    /// What matters less is not for it.
    pub severity_min: Severity,
    pub wording: Wording,
}

impl Notifier {
    /// Whether the message is for it. A test is for everybody.
    pub fn wants(&self, message: &Message) -> bool {
        let matters = message.severity >= self.severity_min;
        let is_news = self.sends_resolved || message.status == Status::Firing;
        let is_heard = self.kind.keeps() || !message.quiet;
        matches!(message.level, Topic::Drill(_)) || (matters && is_news && is_heard)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Program and arguments; the message as JSON on stdin, no shell.
    Exec(Vec<String>),
    Webhook(Webhook),
    Alertmanager(Alertmanager),
    Slack(Chat),
    Discord(Chat),
    Teams(Chat),
    GoogleChat(Chat),
    Ntfy(Ntfy),
    PagerDuty(PagerDuty),
    Mail(Mail),
}

/// A chat's incoming webhook: who knows its address can write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    pub url: Origin,
    pub reach: Reach,
}

impl Kind {
    /// Whether the receiver forgets what it is not told again, so that all that stands goes to it each minute.
    pub fn stands(&self) -> bool {
        match self {
            Kind::Alertmanager(_) => true,
            Kind::Exec(_)
            | Kind::Webhook(_)
            | Kind::Slack(_)
            | Kind::Discord(_)
            | Kind::Teams(_)
            | Kind::GoogleChat(_)
            | Kind::Ntfy(_)
            | Kind::PagerDuty(_)
            | Kind::Mail(_) => false,
        }
    }

    /// Whether the receiver keeps what fires by its id, and so must hear of each end.
    fn keeps(&self) -> bool {
        match self {
            Kind::Alertmanager(_) | Kind::Webhook(_) | Kind::PagerDuty(_) => true,
            Kind::Exec(_)
            | Kind::Slack(_)
            | Kind::Discord(_)
            | Kind::Teams(_)
            | Kind::GoogleChat(_)
            | Kind::Ntfy(_)
            | Kind::Mail(_) => false,
        }
    }

    fn reach(&self) -> Option<&Reach> {
        match self {
            Kind::Exec(_) | Kind::Mail(_) => None,
            Kind::Webhook(Webhook { reach, .. })
            | Kind::Alertmanager(Alertmanager { reach, .. })
            | Kind::Ntfy(Ntfy { reach, .. })
            | Kind::PagerDuty(PagerDuty { reach, .. })
            | Kind::Slack(Chat { reach, .. })
            | Kind::Discord(Chat { reach, .. })
            | Kind::Teams(Chat { reach, .. })
            | Kind::GoogleChat(Chat { reach, .. }) => Some(reach),
        }
    }

    /// Where it is told its address.
    fn url(&self) -> Option<&Origin> {
        match self {
            Kind::Exec(_) | Kind::Mail(_) | Kind::Alertmanager(_) => None,
            Kind::Webhook(Webhook { url, .. })
            | Kind::Ntfy(Ntfy { url, .. })
            | Kind::PagerDuty(PagerDuty { url, .. })
            | Kind::Slack(Chat { url, .. })
            | Kind::Discord(Chat { url, .. })
            | Kind::Teams(Chat { url, .. })
            | Kind::GoogleChat(Chat { url, .. }) => Some(url),
        }
    }

    /// Everything that it is told elsewhere than in the configuration.
    fn origins(&self) -> Vec<&Origin> {
        let own = match self {
            Kind::Webhook(webhook) => webhook.secret.as_ref(),
            Kind::Ntfy(ntfy) => Some(&ntfy.topic),
            Kind::PagerDuty(pagerduty) => Some(&pagerduty.routing_key),
            Kind::Mail(mail) => mail.login.as_ref().map(|(_, password)| password),
            Kind::Exec(_) | Kind::Alertmanager(_) => None,
            Kind::Slack(_) | Kind::Discord(_) | Kind::Teams(_) | Kind::GoogleChat(_) => None,
        };
        let login = self.reach().and_then(|reach| reach.login.origin());
        self.url().into_iter().chain(own).chain(login).collect()
    }

    fn ca_file(&self) -> Option<&Path> {
        match self {
            Kind::Mail(mail) => mail.ca_file.as_deref(),
            other => other.reach().and_then(|reach| reach.ca_file.as_deref()),
        }
    }
}

/// What one attempt carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Parcel {
    /// One message, to a receiver that remembers.
    News(Message),
    /// All that stands, to one of a kind that [`Kind::stands`].
    Standing(Vec<Standing>),
}

/// What is the matter until somebody says it again, or is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub message: Message,
    /// Of what is firing: when the receiver is to take it for over, should nothing be heard of it any more. Of what is
    /// resolved: when it ended.
    pub ends_at: DateTime<Utc>,
}

/// Why a message did not go out, as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("the command is empty; name the program to run")]
    NoCommand,
    #[error("cannot run {program:?}: {source}; check the path and that it is executable")]
    Start { program: String, source: std::io::Error },
    #[error("{program:?} ended with {status}{}", quoted(.stderr))]
    Failed { program: String, status: std::process::ExitStatus, stderr: String },
    #[error("{program:?} took longer than {after:?} and was killed{}", quoted(.stderr))]
    TimedOut { program: String, after: Duration, stderr: String },
    #[error("lost sight of {program:?}: {source}")]
    Lost { program: String, source: std::io::Error },
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{0}")]
    Address(String),
    #[error(
        "the secret for signatures is not as Standard Webhooks writes it: whsec_ and Base64; make one with: printf \
         'whsec_%s\\n' \"$(head -c 32 /dev/urandom | base64)\""
    )]
    NoKey,
    #[error("cannot take the certificates of {}: {error}; ca_file names a file of PEM certificates", path.display())]
    Trust { path: PathBuf, error: String },
    #[error("cannot reach {host}: {why}; check the address, and that the receiver runs")]
    Unreached { host: String, why: String },
    #[error("{host} took longer than {after:?}; check the receiver, or give it time with timeout")]
    Slow { host: String, after: Duration },
    #[error("{host} answered {status}{}; {}", quoted(.said), remedy(*.status))]
    Answered { host: String, status: u16, said: String, again: Again },
    #[error("{host} did not take the mail: {why}; check server, tls, username and password")]
    Mail { host: String, why: String, again: Again },
    #[error("{failed} of {peers} peers did not take the alerts: {said}")]
    Peers { failed: usize, peers: usize, said: String, again: Again },
}

/// Whether and when a failed delivery is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// As the back-off says.
    Later,
    /// The receiver named this time.
    After(Duration),
    /// It will be refused again.
    Never,
}

impl DeliveryError {
    /// What went wrong without what anybody else said of it, for a status that others may read.
    pub fn brief(&self) -> String {
        match self {
            DeliveryError::Failed { program, status, .. } => format!("{program:?} ended with {status}"),
            DeliveryError::TimedOut { program, after, .. } => format!("{program:?} took longer than {after:?}"),
            DeliveryError::Answered { host, status, .. } => format!("{host} answered {status}; {}", remedy(*status)),
            DeliveryError::Mail { host, .. } => format!("{host} did not take the mail"),
            DeliveryError::Peers { failed, peers, .. } => format!("{failed} of {peers} peers did not take the alerts"),
            DeliveryError::NoCommand
            | DeliveryError::Start { .. }
            | DeliveryError::Lost { .. }
            | DeliveryError::Secret(_)
            | DeliveryError::Address(_)
            | DeliveryError::NoKey
            | DeliveryError::Trust { .. }
            | DeliveryError::Unreached { .. }
            | DeliveryError::Slow { .. } => self.to_string(),
        }
    }

    pub fn again(&self) -> Again {
        match self {
            DeliveryError::NoCommand => Again::Never,
            DeliveryError::Start { .. }
            | DeliveryError::Failed { .. }
            | DeliveryError::TimedOut { .. }
            | DeliveryError::Lost { .. }
            | DeliveryError::Unreached { .. }
            | DeliveryError::Slow { .. } => Again::Later,
            // Whoever is changing a secret or a certificate may be done soon.
            DeliveryError::Secret(_)
            | DeliveryError::Address(_)
            | DeliveryError::NoKey
            | DeliveryError::Trust { .. } => Again::Later,
            DeliveryError::Answered { again, .. }
            | DeliveryError::Mail { again, .. }
            | DeliveryError::Peers { again, .. } => *again,
        }
    }
}

fn quoted(said: &str) -> String {
    match said.trim() {
        "" => String::new(),
        text => format!("; it said: {text}"),
    }
}

fn remedy(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed: configure the address that it ends at",
        401 | 403 => "check the token, the password or the secret",
        404 | 405 | 410 => "check the address: the receiver has nothing there",
        408 | 425 | 429 | 500..=599 => "it is tried again",
        _ => "it does not understand the message: check the type and the address",
    }
}

/// The text, or so many characters of it, the last of which says that it was cut.
fn cut(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    text.chars().take(characters_max.saturating_sub(1)).chain(['…']).collect()
}

/// What is wrong before anything is sent, as sentences.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// It cannot work.
    pub errors: Vec<String>,
    /// It may not work, or not be meant.
    pub doubts: Vec<String>,
}

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody looks at a configuration, outside of systemd: its credentials cannot be had there.
    Trial,
    /// From now on messages are to go out.
    Start,
}

/// Read every secret and certificate once, without telling anybody anything.
pub fn check(notifiers: &[Notifier], purpose: Purpose) -> Checked {
    let mut checked = Checked::default();
    for notifier in notifiers {
        let named = |sentence: String| format!("notify {:?}: {sentence}", notifier.name);
        checked.doubts.extend(notifier.kind.origins().into_iter().filter_map(Origin::doubt).map(named));
        for error in wrong(&notifier.kind) {
            let is_elsewhere = matches!(error, DeliveryError::Secret(SecretError::NoCredentials(_)));
            let is_doubt = purpose == Purpose::Trial && is_elsewhere;
            let list = if is_doubt { &mut checked.doubts } else { &mut checked.errors };
            list.push(named(error.to_string()));
        }
    }
    checked
}

fn wrong(kind: &Kind) -> Vec<DeliveryError> {
    let secrets = kind.origins().into_iter().filter_map(|origin| origin.read().err().map(DeliveryError::from));
    let mut wrong: Vec<DeliveryError> = secrets.collect();
    if wrong.is_empty() {
        let key = match kind {
            Kind::Webhook(Webhook { secret: Some(origin), .. }) => {
                origin.read().map_err(DeliveryError::from).and_then(|secret| webhook::key(&secret)).err()
            }
            _ => None,
        };
        wrong.extend(key);
        wrong.extend(kind.url().and_then(|url| http::address(url).err()));
    }
    wrong.extend(kind.ca_file().and_then(|path| http::certificates(path).err()));
    wrong
}

/// Try once to bring a parcel through a notifier, within its time. `now` is what a signature says of its time.
pub async fn deliver(notifier: &Notifier, parcel: &Parcel, now: DateTime<Utc>) -> Result<(), DeliveryError> {
    let attempt = Attempt { time_max: notifier.timeout, now };
    match (&notifier.kind, parcel) {
        (Kind::Alertmanager(alertmanager), Parcel::Standing(standing)) => {
            let wanted = standing.iter().filter(|standing| notifier.wants(&standing.message)).cloned();
            let body = alertmanager::body(alertmanager, notifier, &wanted.collect::<Vec<_>>());
            alertmanager::deliver(alertmanager, &body, attempt).await
        }
        (_, Parcel::News(message)) => tell(notifier, message, attempt).await,
        // Who is told of each of them has been told.
        (_, Parcel::Standing(standing)) => {
            for Standing { message, .. } in standing {
                tell(notifier, message, attempt).await?;
            }
            Ok(())
        }
    }
}

async fn tell(notifier: &Notifier, message: &Message, attempt: Attempt) -> Result<(), DeliveryError> {
    let wording = &notifier.wording;
    if !notifier.wants(message) {
        return Ok(());
    }
    match &notifier.kind {
        Kind::Exec(command) => exec::deliver(message, command, notifier.timeout).await,
        Kind::Webhook(webhook) => send_webhook(webhook, notifier, message, attempt).await,
        Kind::Alertmanager(alertmanager) => {
            let body = alertmanager::body(alertmanager, notifier, &[alertmanager::alone(message, attempt.now)]);
            alertmanager::deliver(alertmanager, &body, attempt).await
        }
        Kind::Slack(chat) => send(&chat.url, Post::json(&slack::body(message, wording)), &chat.reach, attempt).await,
        Kind::Discord(chat) => {
            send(&chat.url, Post::json(&discord::body(message, wording)), &chat.reach, attempt).await
        }
        Kind::Teams(chat) => send(&chat.url, Post::json(&teams::body(message, wording)), &chat.reach, attempt).await,
        Kind::GoogleChat(chat) => {
            send(&chat.url, Post::json(&google_chat::body(message, wording)), &chat.reach, attempt).await
        }
        Kind::Ntfy(ntfy) => {
            let topic = ntfy.topic.read()?;
            let body = ntfy::body(message, wording, &topic);
            send(&ntfy.url, Post { hidden: vec![topic], ..Post::json(&body) }, &ntfy.reach, attempt).await
        }
        Kind::PagerDuty(pagerduty) => {
            let key = pagerduty.routing_key.read()?;
            let body = pagerduty::body(message, wording, pagerduty, &key);
            send(&pagerduty.url, Post { hidden: vec![key], ..Post::json(&body) }, &pagerduty.reach, attempt).await
        }
        Kind::Mail(mail) => mail::deliver(mail, message, wording, attempt).await,
    }
}

async fn send(url: &Origin, post: Post, reach: &Reach, attempt: Attempt) -> Result<(), DeliveryError> {
    http::post(&http::address(url)?, post, reach, attempt).await
}

async fn send_webhook(
    webhook: &Webhook,
    notifier: &Notifier,
    message: &Message,
    attempt: Attempt,
) -> Result<(), DeliveryError> {
    let mut post = Post::json(&webhook::body(webhook, notifier, message));
    if let Some(origin) = &webhook.secret {
        let secret = origin.read()?;
        post.headers.extend(webhook::signed(message, &post.body, &secret, attempt.now)?);
        post.hidden.push(secret);
    }
    send(&webhook.url, post, &webhook.reach, attempt).await
}

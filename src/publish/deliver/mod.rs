//! Messages go out: one file a notifier. The journal is not one of them: the shell logs every message, always.
//! This file never decides what is worth saying.

pub mod alertmanager;
mod check;
pub mod discord;
mod error;
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

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::message::{Message, Severity, Status, Topic};
use alertmanager::Alertmanager;
pub use check::{Checked, Purpose, check};
pub use error::{Again, DeliveryError};
use http::{Attempt, Post, Reach};
use mail::Mail;
use ntfy::Ntfy;
use pagerduty::PagerDuty;
use secret::Origin;
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
        let is_heard = self.kind.keeps(message) || !message.quiet;
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

    /// Whether the receiver keeps what fires by its id, so that it needs what is no news for people. An incident is
    /// closed without another word, but opening one calls somebody.
    fn keeps(&self, message: &Message) -> bool {
        match self {
            Kind::Alertmanager(_) => true,
            Kind::Webhook(webhook) => webhook.body.is_none(),
            Kind::PagerDuty(_) => message.status == Status::Resolved,
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
#[expect(clippy::large_enum_variant, reason = "there is one for each attempt, and most are news")]
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

/// The text, or so many characters of it, the last of which says that it was cut.
fn cut(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    text.chars().take(characters_max.saturating_sub(1)).chain(['…']).collect()
}

/// Try once to bring a parcel through a notifier, within its time. `now` is what a signature says of its time.
pub async fn deliver(notifier: &Notifier, parcel: &Parcel, now: DateTime<Utc>) -> Result<(), DeliveryError> {
    let attempt = Attempt { time_max: notifier.timeout, now };
    match (&notifier.kind, parcel) {
        (Kind::Alertmanager(alertmanager), Parcel::Standing(standing)) => {
            let wanted = standing.iter().filter(|standing| notifier.wants(&standing.message)).cloned();
            let wanted: Vec<_> = wanted.collect();
            if wanted.is_empty() {
                return Ok(());
            }
            let body = alertmanager::body(alertmanager, notifier, &wanted);
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

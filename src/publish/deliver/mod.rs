//! Messages go out: one file a notifier. The journal is not one of them: the shell logs every message, always.
//! This file never decides what is worth saying.

pub mod exec;

use std::time::Duration;

use serde::Serialize;

use super::alert::Alert;
use super::trouble::Trouble;

/// What goes out. In JSON it is the alert or the trouble; both have `level`, `quota`, `message` and `at`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Message {
    Alert(Alert),
    Trouble(Trouble),
}

impl Message {
    pub fn level(&self) -> &'static str {
        match self {
            Message::Alert(alert) => alert.level.name(),
            Message::Trouble(trouble) => trouble.level.name(),
        }
    }

    /// Empty where it is not about one quota.
    pub fn quota(&self) -> &str {
        match self {
            Message::Alert(alert) => &alert.quota,
            Message::Trouble(trouble) => trouble.quota.as_deref().unwrap_or_default(),
        }
    }

    /// Empty where it is not about one source.
    pub fn source(&self) -> &str {
        match self {
            Message::Alert(_) => "",
            Message::Trouble(trouble) => trouble.source.as_deref().unwrap_or_default(),
        }
    }

    /// The sentence for a person.
    pub fn text(&self) -> &str {
        match self {
            Message::Alert(alert) => &alert.message,
            Message::Trouble(trouble) => &trouble.message,
        }
    }
}

/// One `[[notify]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifier {
    pub name: String,
    pub kind: Kind,
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Program and arguments; the message as JSON on stdin, no shell.
    Exec(Vec<String>),
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
}

fn quoted(stderr: &str) -> String {
    match stderr.trim() {
        "" => String::new(),
        text => format!("; it said: {text}"),
    }
}

/// Send one message through one notifier, within its time.
pub async fn deliver(notifier: &Notifier, message: &Message) -> Result<(), DeliveryError> {
    match &notifier.kind {
        Kind::Exec(command) => exec::deliver(message, command, notifier.timeout).await,
    }
}

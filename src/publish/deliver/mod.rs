//! Messages go out: one file a notifier. The journal is not one of them: the shell logs every message, always.
//! This file never decides what is worth saying.

pub mod exec;

use std::time::Duration;

use super::message::Message;

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
    pub fn again(&self) -> Again {
        match self {
            DeliveryError::NoCommand => Again::Never,
            DeliveryError::Start { .. }
            | DeliveryError::Failed { .. }
            | DeliveryError::TimedOut { .. }
            | DeliveryError::Lost { .. } => Again::Later,
        }
    }
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

//! Messages go out: one file a notifier. The journal is not one of them: the shell logs every message, always.
//! This file never decides what is worth saying.

pub mod exec;

use std::time::Duration;

use chrono::{DateTime, Utc};

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

impl Kind {
    /// Whether the receiver forgets what it is not told again, so that all that stands goes to it each minute.
    pub fn stands(&self) -> bool {
        match self {
            Kind::Exec(_) => false,
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
    /// What went wrong without what a program said of it, for a status that others may read.
    pub fn brief(&self) -> String {
        match self {
            DeliveryError::Failed { program, status, .. } => format!("{program:?} ended with {status}"),
            DeliveryError::TimedOut { program, after, .. } => format!("{program:?} took longer than {after:?}"),
            DeliveryError::NoCommand | DeliveryError::Start { .. } | DeliveryError::Lost { .. } => self.to_string(),
        }
    }

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

/// Try once to bring a parcel through a notifier, within its time. `now` is what a signature says of its time.
pub async fn deliver(notifier: &Notifier, parcel: &Parcel, _now: DateTime<Utc>) -> Result<(), DeliveryError> {
    match (&notifier.kind, parcel) {
        (Kind::Exec(command), Parcel::News(message)) => exec::deliver(message, command, notifier.timeout).await,
        // A program that is told of each of them has been told.
        (Kind::Exec(command), Parcel::Standing(standing)) => {
            for Standing { message, .. } in standing {
                exec::deliver(message, command, notifier.timeout).await?;
            }
            Ok(())
        }
    }
}

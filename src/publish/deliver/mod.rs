//! Alerts go out: one file a notifier. The journal is not one of them: the shell logs every alert, always.
//! This file never decides what is worth saying.

pub mod exec;

use std::time::Duration;

use super::alert::Alert;

/// One `[[notify]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifier {
    pub name: String,
    pub kind: Kind,
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Program and arguments; the alert as JSON on stdin, no shell.
    Exec(Vec<String>),
}

/// Why an alert did not go out, as a sentence.
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

/// Send one alert through one notifier, within its time.
pub async fn deliver(notifier: &Notifier, alert: &Alert) -> Result<(), DeliveryError> {
    match &notifier.kind {
        Kind::Exec(command) => exec::deliver(alert, command, notifier.timeout).await,
    }
}

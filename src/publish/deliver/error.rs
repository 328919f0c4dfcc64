//! Why a message did not go out becomes a sentence, and whether to try again. This file never shows what is secret: who makes
//! an error has taken that out.

use std::path::PathBuf;
use std::time::Duration;

use super::secret::SecretError;

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
    Unusable(String),
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
            | DeliveryError::Unusable(_)
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
            | DeliveryError::Unusable(_)
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

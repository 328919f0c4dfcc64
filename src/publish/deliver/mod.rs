//! Alerts go out: one file a notifier.

pub mod exec;

use std::time::Duration;

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

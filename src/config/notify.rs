//! `[[notify]]` becomes a [`Notifier`]. This file never sends anything.

use std::time::Duration;

use serde::Deserialize;

use super::duration;
use crate::publish::deliver::{Kind, Notifier};

const NOTIFY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNotify {
    name: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    command: Vec<String>,
    timeout: Option<String>,
}

pub(super) fn settle(raw: RawNotify) -> Result<Notifier, String> {
    let name = raw.name.unwrap_or_else(|| raw.kind.clone());
    let within = |error: String| format!("notify {name:?}: {error}");
    if raw.kind != "exec" {
        return Err(within(format!("type is {:?}; the only type so far is \"exec\"", raw.kind)));
    }
    if raw.command.is_empty() {
        return Err(within("command is empty; write it as [\"/path/to/program\", \"argument\"]".to_owned()));
    }
    let timeout = duration("timeout", raw.timeout.as_deref()).map_err(within)?.unwrap_or(NOTIFY_TIMEOUT_DEFAULT);
    Ok(Notifier { name, kind: Kind::Exec(raw.command), timeout })
}

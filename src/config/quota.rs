//! `[[quota]]` becomes a [`Quota`]. This file never knows how a quota is counted.

use std::num::NonZeroU64;

use serde::Deserialize;

use super::zone;
use crate::quota::{Column, Match, Quota, Window};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuota {
    name: String,
    limit: i64,
    window: Option<String>,
    tz: Option<String>,
    #[serde(default, rename = "match")]
    matching: toml::Table,
}

pub(super) fn settle(raw: RawQuota) -> Result<Quota, String> {
    let name = raw.name;
    let within = |error: String| format!("quota {name:?}: {error}");
    let limit = u64::try_from(raw.limit).ok().and_then(NonZeroU64::new);
    let limit = limit.ok_or_else(|| within(format!("limit is {}; it must be at least 1", raw.limit)))?;
    let zone = zone(raw.tz.as_deref()).map_err(within)?;
    let window = match raw.window.as_deref() {
        None | Some("day") => Window::Day(zone),
        Some(other) => return Err(within(format!("window is {other:?}; the only window so far is \"day\""))),
    };
    let matching = settle_match(&raw.matching).map_err(within)?;
    Ok(Quota { name, limit, window, matching })
}

fn settle_match(table: &toml::Table) -> Result<Match, String> {
    let pair = |(key, value): (&String, &toml::Value)| -> Result<(Column, String), String> {
        let column = key.parse().map_err(|error| format!("match: {error}"))?;
        match value {
            toml::Value::String(text) => Ok((column, text.clone())),
            toml::Value::Integer(number) => Ok((column, number.to_string())),
            other => Err(format!("match: {key} is {other}; write a text or a whole number")),
        }
    };
    table.iter().map(pair).collect::<Result<_, _>>().map(Match)
}

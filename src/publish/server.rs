//! What a server said of its quota, beside daycap's own count; and the sentence that tells it.
//! This file never decides which of the two is right.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::snapshot::QuotaStatus;
use super::text::{clock, instant, thousands};
use crate::quota::WindowKind;

/// The last that a response told of the running window. What it did not tell is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerTruth {
    /// The minute of that response.
    pub at: DateTime<Utc>,
    /// Units used, as told, else what is told to be left of the limit.
    pub used: Option<u64>,
    pub remaining: Option<u64>,
    pub limit: Option<u64>,
    pub resets_at: Option<DateTime<Utc>>,
    /// Units counted here in the window, that minute included.
    pub counted: u64,
    /// `used` less `counted`: above zero, the server knows of requests that no log here tells.
    pub drift: Option<i64>,
    /// Units counted here in that minute: by so many, `drift` may be off.
    pub uncertainty: u64,
}

/// `10,018 of 100,000 used at 14:03 UTC: 12 more than counted here, give or take 3`, and what else differs.
pub fn told(truth: &ServerTruth, quota: &QuotaStatus) -> String {
    let at = clock(truth.at, &quota.zone);
    let mut text = match (truth.used, truth.limit) {
        (Some(used), Some(limit)) => format!("{} of {} used at {at}", thousands(used), thousands(limit)),
        (Some(used), None) => format!("{} used at {at}", thousands(used)),
        (None, Some(limit)) => format!("the limit is {} at {at}", thousands(limit)),
        (None, None) => format!("nothing of what is used at {at}"),
    };
    text += &truth.drift.map(|drift| apart(drift, truth.uncertainty)).unwrap_or_default();
    if truth.limit.is_some_and(|limit| limit != quota.limit) {
        text += &format!("; the limit here is {}", thousands(quota.limit));
    }
    if let Some(at) = truth.resets_at.filter(|at| is_another_end(*at, quota)) {
        text += &format!("; its window ends at {}", instant(at, &quota.zone));
    }
    text
}

fn apart(drift: i64, uncertainty: u64) -> String {
    let units = thousands(drift.unsigned_abs());
    let give_or_take =
        if uncertainty > 0 { format!(", give or take {}", thousands(uncertainty)) } else { String::new() };
    match drift {
        0 => ": as counted here".to_owned(),
        1.. => format!(": {units} more than counted here{give_or_take}"),
        ..0 => format!(": {units} fewer than counted here{give_or_take}"),
    }
}

/// More than a minute from the end of the window here; where nobody says when that is, each end is another.
fn is_another_end(at: DateTime<Utc>, quota: &QuotaStatus) -> bool {
    match quota.window {
        WindowKind::Day | WindowKind::Month { .. } | WindowKind::Hour | WindowKind::FirstCall => {
            (at - quota.resets_at).abs() > TimeDelta::minutes(1)
        }
        WindowKind::AnyDay => true,
        WindowKind::Rolling => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;

    #[test]
    fn it_says_what_the_server_said_and_how_far_that_is_from_here() {
        let quota = example::calm_quota();
        let truth = quota.server.clone().expect("an example");
        for (of, expected) in [
            (truth.clone(), "12,340 of 40,000 used at 14:28 UTC: 12 more than counted here, give or take 20"),
            (ServerTruth { drift: Some(0), ..truth.clone() }, "12,340 of 40,000 used at 14:28 UTC: as counted here"),
            (
                ServerTruth { limit: None, drift: Some(-1_200), uncertainty: 0, ..truth.clone() },
                "12,340 used at 14:28 UTC: 1,200 fewer than counted here",
            ),
            (
                ServerTruth {
                    limit: Some(50_000),
                    drift: Some(0),
                    resets_at: Some(quota.resets_at + TimeDelta::hours(8)),
                    ..truth.clone()
                },
                "12,340 of 50,000 used at 14:28 UTC: as counted here; the limit here is 40,000; its window ends at \
                 2026-11-23 08:00 UTC",
            ),
            (ServerTruth { used: None, drift: None, ..truth.clone() }, "the limit is 40,000 at 14:28 UTC"),
        ] {
            assert_eq!(told(&of, &quota), expected);
        }
    }
}

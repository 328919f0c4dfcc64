//! Messages go out, each attempt beside the loop: a slow receiver never delays counting. The journal has every message.
//! This file never decides whether to try again; the outbox does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;

use super::Job;
use crate::outbox::Undelivered;
use crate::publish::deliver::{self, Again, Notifier, Parcel};
use crate::publish::message::{Message, Status};

/// A notifier keeps its own time, perhaps for several receivers. Whatever it forgets, no attempt takes longer than this:
/// the next one waits for it.
const ATTEMPT_MAX: Duration = Duration::from_mins(5);

/// To the journal.
pub(super) fn tell(message: &Message) {
    let quota = message.quota.as_deref().unwrap_or_default();
    match message.status {
        Status::Firing => tracing::warn!(quota, level = %message.level, "{}", message.message),
        Status::Resolved => tracing::info!(quota, level = %message.level, "{}", message.message),
    }
}

/// One attempt.
pub(super) async fn deliver(notifier: Notifier, parcel: Parcel, now: DateTime<Utc>) -> Job {
    let time_max = ATTEMPT_MAX.max(notifier.timeout.saturating_mul(2));
    let error = match timeout(time_max, deliver::deliver(&notifier, &parcel, now)).await {
        Ok(delivered) => delivered.err().map(Undelivered::from),
        Err(_) => Some(overdue(time_max)),
    };
    Job::Delivery { notifier: notifier.name, error }
}

fn overdue(time_max: Duration) -> Undelivered {
    let why = format!("took longer than {} s and was cut off", time_max.as_secs());
    Undelivered { brief: why.clone(), why, again: Again::Later }
}

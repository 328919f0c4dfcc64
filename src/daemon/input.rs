//! What wakes the loop to look: the cadence, hints about files, and what comes on standard input.
//! This file never reads a log.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::cadence::Cadence;
use crate::collect::stream::{STDIN, Stream};
use crate::collect::watch::Hints;

/// What calls for a look, and how the loop is told.
#[derive(Clone, Default)]
pub(super) struct Wakeup {
    pub(super) hints: Arc<Hints>,
    /// Told when there is a hint of a new kind.
    pub(super) hinted: Arc<Notify>,
}

/// Read standard input for as long as the process lives: a read that waits cannot be called back, so that its thread ends
/// with the input, or with the process.
pub(super) fn read_stdin(now: DateTime<Utc>, wakeup: Wakeup) -> Arc<Stream> {
    let stream = Arc::new(Stream::new(now));
    let filled = stream.clone();
    std::thread::spawn(move || {
        filled.fill(&mut std::io::stdin().lock(), || {
            if wakeup.hints.add_path(Path::new(STDIN)) {
                wakeup.hinted.notify_one();
            }
        });
    });
    stream
}

/// When the cadence says so; hints make it sooner.
pub(super) async fn time_to_look(cadence: &Cadence, Wakeup { hints, hinted }: &Wakeup) {
    let Some(rested) = cadence.rested() else { return };
    sleep_until(rested).await;
    loop {
        let (files, anything) = hints.are_there();
        let due = if files { rested } else { cadence.scan_at(anything).unwrap_or(rested) };
        // A hint of another kind may make it sooner.
        if Instant::now() >= due || timeout_at(due, hinted.notified()).await.is_err() {
            return;
        }
    }
}

//! What one notifier has to do: what waits for it, whether an attempt is under way, and when the next may be.
//! This file never reads a clock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Dropped;
use super::board::Board;
use super::queue::{Queue, back_off};
use crate::publish::deliver::{Again, Parcel};
use crate::publish::message::Message;
use crate::publish::snapshot::Failing;

/// A receiver that asks for a longer pause is tried again after this one.
const PAUSE_MAX: Duration = Duration::from_hours(1);
/// However short a pause a receiver asks for, the next attempt is not nearer than this part of the back-off.
const PAUSE_SHARE: u32 = 5;

/// One notifier's messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Desk {
    kind: Kind,
    /// Since the last message that arrived.
    failing: Option<Failing>,
    /// Attempts in a row that failed.
    failures: u32,
    /// What the receiver asked for.
    pause: Duration,
    #[serde(skip)]
    under_way: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// The receiver remembers.
    Queue(Queue),
    /// The receiver forgets what it is not told again.
    Board(Board),
}

impl Desk {
    /// For a receiver that forgets, if it `stands`.
    pub fn new(stands: bool) -> Desk {
        let kind = if stands { Kind::Board(Board::default()) } else { Kind::Queue(Queue::default()) };
        Desk { kind, failing: None, failures: 0, pause: Duration::ZERO, under_way: false }
    }

    /// Take a message in.
    pub fn put(&mut self, message: Message) -> Vec<Dropped> {
        match &mut self.kind {
            Kind::Queue(queue) => queue.put(message),
            Kind::Board(board) => board.put(message),
        }
    }

    /// There is news that is not for this receiver: whether it knows the latest is not known any more.
    pub fn forget(&mut self, id: &str) {
        match &mut self.kind {
            Kind::Queue(queue) => queue.forget(id),
            // What stands is told again anyway.
            Kind::Board(_) => {}
        }
    }

    /// Time has passed.
    pub fn pass(&mut self, time: Duration) -> Vec<Dropped> {
        self.pause = self.pause.saturating_sub(time);
        match &mut self.kind {
            Kind::Queue(queue) => {
                queue.pass(time);
                Vec::new()
            }
            Kind::Board(board) => board.pass(time),
        }
    }

    /// What is to be tried now, and is on its way then.
    pub fn next(&mut self, now: DateTime<Utc>) -> Option<Parcel> {
        if self.under_way || !self.pause.is_zero() {
            return None;
        }
        let parcel = match &mut self.kind {
            Kind::Queue(queue) => queue.next().map(Parcel::News),
            Kind::Board(board) => board.next(now).map(Parcel::Standing),
        };
        self.under_way = parcel.is_some();
        parcel
    }

    /// What was on its way has arrived: how many messages these were that the receiver did not know, and what had been
    /// wrong.
    pub fn delivered(&mut self) -> (u64, Option<Failing>) {
        (self.under_way, self.failures, self.pause) = (false, 0, Duration::ZERO);
        let told = match &mut self.kind {
            Kind::Queue(queue) => queue.delivered(),
            Kind::Board(board) => board.delivered(),
        };
        (told, self.failing.take())
    }

    /// Remember what is wrong; whether it was not known yet.
    pub fn note_failure(&mut self, error: String, at: DateTime<Utc>) -> bool {
        let before = self.failing.take();
        let is_new = before.as_ref().is_none_or(|failing| failing.error != error);
        self.failing = Some(Failing { since: before.map_or(at, |failing| failing.since), error });
        is_new
    }

    /// What was on its way has not arrived.
    pub fn failed(&mut self, notifier: &str, again: Again) -> Option<Dropped> {
        self.under_way = false;
        self.failures = self.failures.saturating_add(1);
        if let Again::After(pause) = again {
            self.pause = pause.max(back_off(notifier, self.failures) / PAUSE_SHARE).min(PAUSE_MAX);
        }
        match &mut self.kind {
            Kind::Queue(queue) => queue.failed(again),
            Kind::Board(board) => {
                board.failed();
                None
            }
        }
    }

    /// How long the next attempt is away.
    pub fn wait(&self) -> Duration {
        let own = match &self.kind {
            Kind::Queue(queue) => queue.wait(),
            Kind::Board(board) => board.wait(),
        };
        own.max(self.pause)
    }

    /// How many messages the receiver does not know.
    pub fn waiting(&self) -> usize {
        match &self.kind {
            Kind::Queue(queue) => queue.waiting(),
            Kind::Board(board) => board.waiting(),
        }
    }

    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    pub fn failing(&self) -> Option<&Failing> {
        self.failing.as_ref()
    }

    /// What concerns something that is configured no more is over.
    pub fn end(&mut self, is_gone: impl Fn(&Message) -> bool, now: DateTime<Utc>) {
        match &mut self.kind {
            // It was news, and stays news.
            Kind::Queue(_) => {}
            Kind::Board(board) => board.end(is_gone, now),
        }
    }

    pub fn stands(&self) -> bool {
        match self.kind {
            Kind::Queue(_) => false,
            Kind::Board(_) => true,
        }
    }

    /// What the receiver does not know.
    pub fn into_messages(self) -> Vec<Message> {
        match self.kind {
            Kind::Queue(queue) => queue.into_messages().collect(),
            Kind::Board(board) => board.into_messages().collect(),
        }
    }
}

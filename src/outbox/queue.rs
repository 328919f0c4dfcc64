//! News for one receiver that remembers what it is told: one message at a time, in order, until it has arrived or is
//! given up. This file never reads a clock: time passes when it is told so.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Dropped, Why, weight};
use crate::publish::deliver::Again;
use crate::publish::message::{Message, Status};

/// Messages that wait for one receiver. A day of every level of some quotas is far less.
pub const PENDING_MAX: usize = 100;
/// A message that could not be brought for this long, while daycap ran, is news no more.
pub const GIVE_UP_AFTER: Duration = Duration::from_hours(24);
/// After so many attempts (some 20 minutes) a message lets others go before it: it may be the one that is refused.
const ATTEMPTS_IN_LINE: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// What is the matter is remembered to have been told for so many, so that the same is not told again.
const TOLD_MAX: usize = 64;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Queue {
    /// In the order in which they were told.
    pending: Vec<Pending>,
    /// What the receiver knows, by id; the latest last.
    told: VecDeque<(String, Status)>,
    /// The id of the message that is on its way: the first of that id.
    #[serde(skip)]
    under_way: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pending {
    message: Message,
    attempts: u32,
    /// Since it was told, while daycap ran.
    age: Duration,
    /// Until the next attempt. After a start it is none: what kept it from arriving may have been put right.
    #[serde(skip)]
    wait: Duration,
}

impl Queue {
    /// Take a message in. Of what is over before it could be told, only the end will be.
    pub fn put(&mut self, message: Message) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        if message.status == Status::Resolved {
            dropped.extend(self.take_back(&message.id));
        }
        let last = self.pending.iter().rposition(|pending| pending.message.id == message.id);
        match last {
            Some(at) if self.pending[at].message.status == message.status => {
                if !self.is_under_way(at) {
                    self.pending[at].message = message;
                }
                return dropped;
            }
            None if dropped.is_empty() && self.knows(&message) => return dropped,
            Some(_) | None => {}
        }
        self.pending.push(Pending { message, attempts: 0, age: Duration::ZERO, wait: Duration::ZERO });
        if self.pending.len() > PENDING_MAX {
            dropped.extend(self.least().map(|at| Dropped::new(self.pending.remove(at).message, Why::Full)));
        }
        dropped
    }

    /// The last message of this id, if it says that it fires and is not on its way.
    fn take_back(&mut self, id: &str) -> Option<Dropped> {
        let at = self.pending.iter().rposition(|pending| pending.message.id == id)?;
        let is_firing = self.pending[at].message.status == Status::Firing;
        (is_firing && !self.is_under_way(at)).then(|| Dropped::new(self.pending.remove(at).message, Why::Superseded))
    }

    fn knows(&self, message: &Message) -> bool {
        self.told.iter().any(|(id, status)| *id == message.id && *status == message.status)
    }

    /// What the receiver knows of this is not known any more.
    pub fn forget(&mut self, id: &str) {
        self.told.retain(|(known, _)| known != id);
    }

    /// What is missed least: an end rather than a beginning, then the mildest, then the oldest.
    fn least(&self) -> Option<usize> {
        let rank = |at: &usize| (weight(&self.pending[*at].message), *at);
        (0..self.pending.len()).filter(|at| !self.is_under_way(*at)).min_by_key(rank)
    }

    fn is_under_way(&self, at: usize) -> bool {
        self.position_under_way() == Some(at)
    }

    fn position_under_way(&self) -> Option<usize> {
        let under_way = self.under_way.as_ref()?;
        self.pending.iter().position(|pending| pending.message.id == *under_way)
    }

    pub fn pass(&mut self, time: Duration) {
        for pending in &mut self.pending {
            pending.age += time;
            pending.wait = pending.wait.saturating_sub(time);
        }
    }

    /// The message to try now, which is then on its way.
    pub fn next(&mut self) -> Option<Message> {
        let head = &self.pending[self.head()?];
        if !head.wait.is_zero() {
            return None;
        }
        self.under_way = Some(head.message.id.clone());
        Some(head.message.clone())
    }

    /// Who is next: of each id the first, the least tried first, in order.
    fn head(&self) -> Option<usize> {
        let is_first = |at: &usize| {
            let id = &self.pending[*at].message.id;
            !self.pending[..*at].iter().any(|earlier| earlier.message.id == *id)
        };
        let rank = |at: &usize| (self.pending[*at].attempts / ATTEMPTS_IN_LINE, *at);
        (0..self.pending.len()).filter(is_first).min_by_key(rank)
    }

    /// What was on its way has arrived; how many messages these were.
    pub fn delivered(&mut self) -> u64 {
        let at = self.position_under_way();
        self.under_way = None;
        let Some(at) = at else { return 0 };
        let Message { id, status, .. } = self.pending.remove(at).message;
        self.forget(&id);
        self.told.push_back((id, status));
        if self.told.len() > TOLD_MAX {
            self.told.pop_front();
        }
        // The receiver is there: the others need not wait.
        self.pending.iter_mut().for_each(|pending| pending.wait = Duration::ZERO);
        1
    }

    /// What was on its way has not arrived.
    pub fn failed(&mut self, again: Again) -> Option<Dropped> {
        let at = self.position_under_way();
        self.under_way = None;
        let at = at?;
        // It may have arrived all the same: what the receiver knows is not known any more.
        self.forget(&self.pending[at].message.id.clone());
        let has_ended = self.pending.iter().filter(|of| of.message.id == self.pending[at].message.id).count() > 1;
        let pending = &mut self.pending[at];
        pending.attempts = pending.attempts.saturating_add(1);
        pending.wait = match again {
            // Then the receiver has said itself how long.
            Again::After(_) => Duration::ZERO,
            Again::Later | Again::Never => back_off(&pending.message.id, pending.attempts),
        };
        let why = match again {
            Again::Never => Why::Refused,
            Again::Later | Again::After(_) if pending.age >= GIVE_UP_AFTER => Why::TooOld,
            Again::Later | Again::After(_) if has_ended && pending.message.status == Status::Firing => Why::Superseded,
            Again::Later | Again::After(_) => return None,
        };
        Some(Dropped::new(self.pending.remove(at).message, why))
    }

    /// How long the next attempt is away, as far as it is for the queue to say.
    pub fn wait(&self) -> Duration {
        self.head().map_or(Duration::ZERO, |at| self.pending[at].wait)
    }

    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    pub fn into_messages(self) -> impl Iterator<Item = Message> {
        self.pending.into_iter().map(|pending| pending.message)
    }
}

/// 5 s, doubling up to 15 min; and up to a tenth more, by the id, so that what failed together is not tried together.
pub(super) fn back_off(id: &str, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(u32::BITS - 1);
    let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    let share = u32::try_from(xxhash_rust::xxh3::xxh3_64(id.as_bytes()) % 100).unwrap_or_default();
    wait + wait * share / 1_000
}

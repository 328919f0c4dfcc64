//! What stands, for one receiver that forgets what it is not told again: all of it goes out each minute. This is how
//! Prometheus itself keeps an Alertmanager informed, down to the numbers. This file never reads a clock.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::queue::back_off;
use super::{Dropped, Why, weight};
use crate::publish::deliver::Standing;
use crate::publish::message::{Message, Status};

/// Things that stand for one receiver.
pub const STANDING_MAX: usize = 200;
const AGAIN_AFTER: Duration = Duration::from_mins(1);
/// Who hears nothing for so long takes it for over: three times in a row may fail.
const HOLDS_FOR: TimeDelta = TimeDelta::minutes(4);
/// What is over is told for so long, so that a receiver that was away learns of it.
const OVER_TOLD_FOR: Duration = Duration::from_mins(15);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Board {
    /// By id.
    standing: BTreeMap<String, Stands>,
    #[serde(skip)]
    attempts: u32,
    /// Until all is sent again; after a start, none.
    #[serde(skip)]
    wait: Duration,
    /// What the parcel says that is on its way.
    #[serde(skip)]
    under_way: Vec<(String, Status)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stands {
    message: Message,
    told: bool,
    /// Since it was over, while daycap ran.
    over_for: Duration,
}

impl Board {
    /// Take a message in: it stands, or is over. What is new goes out at once, if the receiver is there.
    pub fn put(&mut self, message: Message) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        match self.standing.get_mut(&message.id) {
            Some(known) if known.message.status == message.status => {
                known.message = message;
                return dropped;
            }
            Some(known) if !known.told => dropped.push(Dropped::new(known.message.clone(), Why::Superseded)),
            Some(_) | None => {}
        }
        let stands = Stands { told: false, over_for: Duration::ZERO, message };
        self.standing.insert(stands.message.id.clone(), stands);
        if self.attempts == 0 {
            self.wait = Duration::ZERO;
        }
        if self.standing.len() > STANDING_MAX {
            dropped.extend(self.drop_least());
        }
        dropped
    }

    fn drop_least(&mut self) -> Option<Dropped> {
        let rank = |stands: &Stands| (weight(&stands.message), stands.message.at);
        let (id, _) = self.standing.iter().min_by_key(|(_, stands)| rank(stands))?;
        let id = id.clone();
        self.standing.remove(&id).map(|stands| Dropped::new(stands.message, Why::Full))
    }

    /// What was over long enough ago is forgotten.
    pub fn pass(&mut self, time: Duration) -> Vec<Dropped> {
        self.wait = self.wait.saturating_sub(time);
        for stands in self.standing.values_mut().filter(|stands| stands.message.status == Status::Resolved) {
            stands.over_for += time;
        }
        let forgotten = self.standing.extract_if(.., |_, stands| stands.over_for >= OVER_TOLD_FOR);
        let unheard = forgotten.filter(|(_, stands)| !stands.told);
        unheard.map(|(_, stands)| Dropped::new(stands.message, Why::Unheard)).collect()
    }

    /// All that stands, if it is time to say it.
    pub fn next(&mut self, now: DateTime<Utc>) -> Option<Vec<Standing>> {
        if self.standing.is_empty() || !self.wait.is_zero() {
            return None;
        }
        let ends_at = |message: &Message| match message.status {
            Status::Firing => now + HOLDS_FOR,
            Status::Resolved => message.at,
        };
        let messages = || self.standing.values().map(|stands| &stands.message);
        self.under_way = messages().map(|message| (message.id.clone(), message.status)).collect();
        Some(messages().map(|message| Standing { ends_at: ends_at(message), message: message.clone() }).collect())
    }

    /// The parcel has arrived; how many of its messages are told now that were not.
    pub fn delivered(&mut self) -> u64 {
        (self.attempts, self.wait) = (0, AGAIN_AFTER);
        let mut told = 0;
        for (id, status) in std::mem::take(&mut self.under_way) {
            let Some(stands) = self.standing.get_mut(&id).filter(|stands| stands.message.status == status) else {
                continue;
            };
            told += u64::from(!std::mem::replace(&mut stands.told, true));
        }
        // What came while the parcel was under way does not wait for the next minute.
        if self.waiting() > 0 {
            self.wait = Duration::ZERO;
        }
        told
    }

    /// The parcel has not arrived. What stands goes on standing, whatever the receiver says of it.
    pub fn failed(&mut self) {
        self.under_way.clear();
        self.attempts = self.attempts.saturating_add(1);
        self.wait = back_off("", self.attempts).min(AGAIN_AFTER);
    }

    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// How many messages it holds that the receiver does not know.
    pub fn waiting(&self) -> usize {
        self.standing.values().filter(|stands| !stands.told).count()
    }

    /// What concerns something that is configured no more is over: nobody will say so.
    pub fn end(&mut self, is_gone: impl Fn(&Message) -> bool, now: DateTime<Utc>) {
        for stands in self.standing.values_mut() {
            let message = &mut stands.message;
            if message.status == Status::Firing && is_gone(message) {
                (message.status, message.at, stands.told) = (Status::Resolved, now, false);
            }
        }
    }

    /// What the receiver does not know.
    pub fn into_messages(self) -> impl Iterator<Item = Message> {
        self.standing.into_values().filter(|stands| !stands.told).map(|stands| stands.message)
    }
}

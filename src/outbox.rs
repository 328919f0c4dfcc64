//! Messages on their way: told, but not yet known to have arrived. Each notifier has its own, and one attempt at a time;
//! what becomes of attempts decides what is tried next, and when. It lives in `state.json`.
//! This file never sends anything and never reads a clock.

mod board;
mod desk;
mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::config::Config;
use crate::day::Now;
use crate::engine;
use crate::publish::deliver::{Again, DeliveryError, Notifier, Parcel};
use crate::publish::message::{Message, Severity, Status};
use crate::publish::snapshot::{Failing, NotifierStatus};
use desk::Desk;
pub use queue::{GIVE_UP_AFTER, PENDING_MAX};

/// All notifiers' messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    desks: BTreeMap<String, Desk>,
    /// By notifier and result, since daycap started.
    #[serde(skip)]
    counts: BTreeMap<(String, &'static str), u64>,
    /// Up to where time has passed for what waits.
    #[serde(skip)]
    uptime: Duration,
    /// The state on disk says less than this.
    #[serde(skip)]
    changed: bool,
    /// The state said something that this daycap does not understand.
    #[serde(skip)]
    is_lost: bool,
}

/// Read it from a state. What another version of daycap had still to say, and this one does not understand, must not cost
/// the state its marks.
pub fn lenient<'de, D: Deserializer<'de>>(state: D) -> Result<Outbox, D::Error> {
    let text = Box::<RawValue>::deserialize(state)?;
    Ok(serde_json::from_str(text.get()).unwrap_or_else(|_| Outbox { is_lost: true, ..Outbox::default() }))
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// All that is known, for the journal.
    pub why: String,
    /// Without what a program said: for whoever may read the status.
    pub brief: String,
    pub again: Again,
}

impl From<DeliveryError> for Undelivered {
    fn from(error: DeliveryError) -> Undelivered {
        Undelivered { why: error.to_string(), brief: error.brief(), again: error.again() }
    }
}

/// What a person is to know of what became of messages.
pub type Note = (engine::Severity, String);

/// A message that will not be brought, and why.
struct Dropped {
    message: Message,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// It was over before it could be told: the message that it is over goes out alone.
    Superseded,
    /// Too many wait already.
    Full,
    /// The receiver will never take it.
    Refused,
    /// It was tried for too long.
    TooOld,
    /// It was over, and nobody could be told.
    Unheard,
}

impl Dropped {
    fn new(message: Message, why: Why) -> Dropped {
        Dropped { message, why }
    }

    fn note(&self, notifier: &str) -> Note {
        let Message { id, status, .. } = &self.message;
        let what = match status {
            Status::Firing => format!("notify {notifier:?}: {id}"),
            Status::Resolved => format!("notify {notifier:?}: the end of {id}"),
        };
        let lost = |why: &str| (engine::Severity::Error, format!("{what} {why}"));
        match self.why {
            Why::Superseded => {
                let only = "was over before it could be delivered; only the message that it is over goes out";
                (engine::Severity::Info, format!("{what} {only}"))
            }
            Why::Full => lost("is dropped: too many messages wait already"),
            Why::Refused => lost("is given up: the receiver will not take it"),
            Why::TooOld => lost(&format!("is given up after {} hours of trying", GIVE_UP_AFTER.as_secs() / 3_600)),
            Why::Unheard => lost("is given up: the receiver was not there while it was news"),
        }
    }
}

/// Of what must go, the lighter goes first: an end before a beginning, the mild before the grave.
fn weight(message: &Message) -> (bool, Severity) {
    (message.status == Status::Firing, message.severity)
}

impl Outbox {
    /// A message is news for each of these that wants it.
    pub fn put(&mut self, message: &Message, notifiers: &[Notifier]) -> Vec<Note> {
        let mut notes = Vec::new();
        for notifier in notifiers {
            let desk = self.desks.entry(notifier.name.clone()).or_insert_with(|| Desk::new(notifier.kind.stands()));
            if notifier.wants(message) {
                let dropped = desk.put(message.clone());
                self.note(&notifier.name, dropped, &mut notes);
            } else {
                desk.forget(&message.id);
            }
        }
        self.changed = true;
        notes
    }

    fn note(&mut self, notifier: &str, dropped: impl IntoIterator<Item = Dropped>, notes: &mut Vec<Note>) {
        for dropped in dropped {
            notes.push(dropped.note(notifier));
            if dropped.why != Why::Superseded {
                self.count(notifier, "dropped", 1);
            }
            self.changed = true;
        }
    }

    fn count(&mut self, notifier: &str, result: &'static str, more: u64) {
        *self.counts.entry((notifier.to_owned(), result)).or_default() += more;
    }

    /// Take up what waited in the state, for the notifiers that are configured now.
    pub fn open(&mut self, config: &Config, now: DateTime<Utc>) -> Vec<Note> {
        let (notifiers, mut notes) = (&config.notifiers, Vec::new());
        if std::mem::take(&mut self.is_lost) {
            let text = "messages that waited in the state are of another version of daycap, and are dropped".to_owned();
            notes.push((engine::Severity::Error, text));
        }
        let names: BTreeSet<&str> = notifiers.iter().map(|notifier| notifier.name.as_str()).collect();
        for (name, desk) in self.desks.extract_if(.., |name, _| !names.contains(name.as_str())) {
            match desk.waiting() {
                0 => {}
                waiting => notes.push((
                    engine::Severity::Warn,
                    format!(
                        "notify {name:?} is configured no more; messages that waited for it are dropped: {waiting}"
                    ),
                )),
            }
            self.changed = true;
        }
        for notifier in notifiers {
            self.take_up(notifier, &mut notes);
            if let Some(desk) = self.desks.get_mut(&notifier.name) {
                desk.end(|message| is_gone(message, config), now);
            }
        }
        notes
    }

    /// A notifier may have become one of another kind.
    fn take_up(&mut self, notifier: &Notifier, notes: &mut Vec<Note>) {
        let stands = notifier.kind.stands();
        let Some(old) = self.desks.remove(&notifier.name) else { return };
        if old.stands() == stands {
            self.desks.insert(notifier.name.clone(), old);
            return;
        }
        let mut desk = Desk::new(stands);
        let dropped: Vec<_> = old.into_messages().into_iter().flat_map(|message| desk.put(message)).collect();
        self.note(&notifier.name, dropped, notes);
        self.desks.insert(notifier.name.clone(), desk);
        self.changed = true;
    }

    /// Time has passed: what is to be tried now.
    pub fn start(&mut self, now: Now) -> (Vec<(String, Parcel)>, Vec<Note>) {
        let passed = now.uptime.saturating_sub(self.uptime);
        self.uptime = now.uptime;
        let (mut parcels, mut all_dropped, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for (name, desk) in &mut self.desks {
            all_dropped.push((name.clone(), desk.pass(passed)));
            parcels.extend(desk.next(now.wall).map(|parcel| (name.clone(), parcel)));
        }
        for (name, dropped) in all_dropped {
            self.note(&name, dropped, &mut notes);
        }
        (parcels, notes)
    }

    /// An attempt has ended.
    pub fn tried(&mut self, notifier: &str, error: Option<Undelivered>, at: DateTime<Utc>) -> Vec<Note> {
        match error {
            None => self.delivered(notifier),
            Some(error) => self.failed(notifier, error, at),
        }
    }

    fn delivered(&mut self, notifier: &str) -> Vec<Note> {
        let Some(desk) = self.desks.get_mut(notifier) else { return Vec::new() };
        let (told, failed) = desk.delivered();
        self.changed |= told > 0 || failed.is_some();
        self.count(notifier, "delivered", told);
        let well = |failing: Failing| {
            let since = failing.since.format("%Y-%m-%d %H:%M UTC");
            (engine::Severity::Info, format!("notify {notifier:?} delivers again; it had failed since {since}"))
        };
        failed.map(well).into_iter().collect()
    }

    /// The same failure is said once; what it costs is said each time.
    fn failed(&mut self, notifier: &str, error: Undelivered, at: DateTime<Utc>) -> Vec<Note> {
        let Some(desk) = self.desks.get_mut(notifier) else { return Vec::new() };
        let is_new = desk.note_failure(error.brief, at);
        let dropped = desk.failed(notifier, error.again);
        let next = match desk.waiting() {
            0 => String::new(),
            waiting => format!("; waiting: {waiting}, the next attempt is in {} s", desk.wait().as_secs()),
        };
        let mut notes = Vec::new();
        if is_new || dropped.is_some() {
            notes.push((engine::Severity::Warn, format!("notify {notifier:?}: {}{next}", error.why)));
        }
        self.changed = true;
        self.count(notifier, "failed", 1);
        self.note(notifier, dropped, &mut notes);
        notes
    }

    /// Attempts that have not ended.
    pub fn under_way(&self) -> usize {
        self.desks.values().filter(|desk| desk.is_under_way()).count()
    }

    /// Whether there is more to save than when this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// How often what became of messages, from zero on: a counter that Prometheus has seen at zero shows its first step.
    pub fn counts(&self, notifiers: &[Notifier]) -> BTreeMap<(String, &'static str), u64> {
        let results = ["delivered", "failed", "dropped"];
        let zeros = |notifier: &Notifier| results.map(|result| ((notifier.name.clone(), result), 0));
        let counted = self.counts.iter().map(|(key, count)| (key.clone(), *count));
        notifiers.iter().flat_map(zeros).chain(counted).collect()
    }

    pub fn statuses(&self, notifiers: &[Notifier]) -> Vec<NotifierStatus> {
        let status = |notifier: &Notifier| {
            let desk = self.desks.get(&notifier.name);
            NotifierStatus {
                name: notifier.name.clone(),
                pending: desk.map_or(0, |desk| desk.waiting() as u64),
                failing: desk.and_then(|desk| desk.failing().cloned()),
            }
        };
        notifiers.iter().map(status).collect()
    }
}

/// Whether nobody will say that this is over, for what it speaks of is not looked at any more.
fn is_gone(message: &Message, config: &Config) -> bool {
    let has_quota = |name: &String| config.quotas.iter().any(|quota| quota.name == *name);
    let has_source = |name: &String| config.sources.iter().any(|source| source.name == *name);
    !message.quota.as_ref().is_none_or(has_quota) || !message.source.as_ref().is_none_or(has_source)
}

#[cfg(test)]
mod tests;

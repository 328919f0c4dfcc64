//! Pure: rules + memory + status -> what to send. A state machine a quota: each level is raised, said once, held
//! through small changes, and over once, with a message of the same id.
//! This file never reads a clock and never sends anything.

mod level;
mod rules;
mod judge;
mod sentence;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use self::judge::rolls;
use self::judge::{Before, used_up_at_this_pace};
pub use self::level::{Gravity, Level};
pub use self::rules::{Alerting, Rules};
use self::sentence::figures;
use super::message::{Matter, Message, Status, Topic};
use super::snapshot::QuotaStatus;

/// Where no window ends, a level that was cleared speaks again when it was raised a day ago: once a window, too.
const ROLLING_REARM: TimeDelta = TimeDelta::hours(24);

/// What was already said: once a quota, level and window. Kept in `state.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Quota name -> the window it was said in, and the levels said.
    said: BTreeMap<String, Said>,
    /// The same of the window that was shown before: a wrong clock shows another window for a while, and what was
    /// said in this one must not be said again when it comes back.
    #[serde(default)]
    before: BTreeMap<String, Said>,
}

/// What is known of a quota in one window; of one that rolls, since something was the matter first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
struct Said {
    window_start: DateTime<Utc>,
    /// As last looked at, for the message that the window is over.
    used: u64,
    limit: u64,
    /// When it last was used up at a burst's pace.
    burst: Option<DateTime<Utc>>,
    known: BTreeMap<Level, Known>,
}

/// Of a level that holds, or held in this window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    holds: bool,
    /// Since when it holds; of one that does not, since when.
    since: DateTime<Utc>,
    /// It spoke, or a graver one spoke for it.
    said: bool,
    /// When it was raised by what is `said`.
    raised: DateTime<Utc>,
    /// How often it has spoken in this window.
    times: u32,
    /// Its message, while there is none that it is over.
    open: Option<Matter>,
}

/// [`Said`] as any daycap has written it: 0.1.0 kept the levels alone.
#[derive(Deserialize)]
struct Stored {
    window_start: DateTime<Utc>,
    #[serde(default)]
    levels: Vec<Level>,
    #[serde(default)]
    used: u64,
    #[serde(default)]
    limit: u64,
    #[serde(default)]
    burst: Option<DateTime<Utc>>,
    #[serde(default)]
    known: BTreeMap<Level, Known>,
}

impl From<Stored> for Said {
    fn from(stored: Stored) -> Said {
        let Stored { window_start, levels, used, limit, burst, mut known } = stored;
        let old = Known { holds: true, since: window_start, said: true, raised: window_start, times: 1, open: None };
        known.extend(levels.into_iter().map(|level| (level, old.clone())));
        Said { window_start, used, limit, burst, known }
    }
}

impl Memory {
    /// The levels that hold for this quota now, mildest first, as far as what held before matters.
    pub fn levels(&self, quota: &QuotaStatus, rules: &Rules, now: DateTime<Utc>) -> Vec<Level> {
        let known = [&self.said, &self.before].into_iter().filter_map(|all| all.get(&quota.name));
        let said = known.into_iter().find(|said| said.is_of(quota));
        let held = |level| said.is_some_and(|said| said.holds(level, quota));
        judge::levels(quota, &Before { held: &held, burst: said.and_then(|said| said.burst) }, rules, now)
    }

    /// Turn to the quota's window, where it is another than the one last shown; what was left of that one.
    fn enter(&mut self, quota: &QuotaStatus) -> Option<Left> {
        if self.said.get(&quota.name).is_some_and(|said| said.is_of(quota)) {
            return None;
        }
        let left = self.said.remove(&quota.name);
        if self.before.get(&quota.name).is_some_and(|said| said.is_of(quota)) {
            self.said.extend(self.before.remove_entry(&quota.name));
        }
        let mut said = left?;
        let left = Left { fired: said.take_open().collect(), used: said.used, limit: said.limit };
        self.before.insert(quota.name.clone(), said);
        Some(left)
    }

    /// Quotas that are no more; what fires of them is over.
    fn forget_others(&mut self, quotas: &[QuotaStatus], now: DateTime<Utc>) -> Vec<Message> {
        let is_there = |name: &String| quotas.iter().any(|quota| quota.name == *name);
        self.before.retain(|name, _| is_there(name));
        let gone = self.said.extract_if(.., |name, _| !is_there(name));
        let mut messages = Vec::new();
        for (name, mut said) in gone {
            messages.extend(said.take_open().map(|matter| matter.is_over(sentence::is_gone(&name), None, now)));
        }
        messages.iter_mut().for_each(|message| message.quiet = true);
        messages
    }
}

/// What is left of a window when another one is shown.
struct Left {
    fired: Vec<Matter>,
    used: u64,
    limit: u64,
}

impl Left {
    fn end(self, quota: &str, now: DateTime<Utc>) -> Vec<Message> {
        let text = sentence::window_is_over(quota, self.used, self.limit);
        self.fired.into_iter().map(|matter| matter.is_over(text.clone(), None, now)).collect()
    }
}

/// What to say of the quotas now, and remember it as said; of each as [`play`] does. One that is no more is
/// forgotten, so that the memory is never larger than two windows of each of `quotas`.
pub fn due(memory: &mut Memory, quotas: &[QuotaStatus], alerting: &Alerting, now: DateTime<Utc>) -> Vec<Message> {
    let gone = memory.forget_others(quotas, now);
    let due = quotas.iter().flat_map(|quota| play(memory, quota, alerting.of(&quota.name), now));
    gone.into_iter().chain(due).collect()
}

/// What to say of this quota now, and remember it as said: at most one message for people, and one for each level
/// that is over. Only the gravest new level speaks, and none after a graver one; the milder ones that hold with it
/// are remembered with it. A new window begins with nothing said.
pub fn play(memory: &mut Memory, quota: &QuotaStatus, rules: &Rules, now: DateTime<Utc>) -> Vec<Message> {
    let left = memory.enter(quota);
    let mut messages = left.map(|left| left.end(&quota.name, now)).unwrap_or_default();
    let levels = memory.levels(quota, rules, now);
    if levels.is_empty() && !memory.said.contains_key(&quota.name) {
        hush(&mut messages, None);
        return messages;
    }
    let said = memory.said.entry(quota.name.clone()).or_insert_with(|| Said::begin(quota));
    messages.extend(said.turn(quota, &levels, rules, now));
    hush(&mut messages, said.gravest_open());
    if said.known.is_empty() {
        memory.said.remove(&quota.name);
    }
    messages
}

/// People are told one thing at a time: what fires, else the gravest matter that is over, and that only when no
/// graver one goes on.
fn hush(messages: &mut [Message], goes_on: Option<Level>) {
    let level = |message: &Message| match message.level {
        Topic::Quota(level) => Some(level),
        Topic::Counting(_) | Topic::Drill(_) => None,
    };
    let gravest_over = messages.iter().filter_map(level).max().filter(|over| Some(*over) > goes_on);
    let fires = messages.iter().any(|message| message.status == Status::Firing);
    for message in messages.iter_mut().filter(|message| message.status == Status::Resolved) {
        message.quiet = fires || level(message) != gravest_over;
    }
}

impl Said {
    fn begin(quota: &QuotaStatus) -> Said {
        let QuotaStatus { window_start, used, limit, .. } = *quota;
        Said { window_start, used, limit, burst: None, known: BTreeMap::new() }
    }

    fn is_of(&self, quota: &QuotaStatus) -> bool {
        rolls(quota) || self.window_start == quota.window_start
    }

    /// Whether the level held when the quota was last looked at. Of another limit nothing is known.
    fn holds(&self, level: Level, quota: &QuotaStatus) -> bool {
        let is_same_limit = self.limit == quota.limit || self.limit == 0;
        is_same_limit && self.known.get(&level).is_some_and(|known| known.holds)
    }

    fn take_open(&mut self) -> impl Iterator<Item = Matter> {
        self.known.values_mut().filter_map(|known| known.open.take())
    }

    fn gravest_open(&self) -> Option<Level> {
        self.known.iter().rev().find(|(_, known)| known.open.is_some()).map(|(level, _)| *level)
    }

    /// From what held to what holds now; what there is to say of it.
    fn turn(&mut self, quota: &QuotaStatus, levels: &[Level], rules: &Rules, now: DateTime<Utc>) -> Vec<Message> {
        let bursts = used_up_at_this_pace(quota, rules, now).is_some();
        let mut messages = self.clear(quota, levels, now);
        self.rearm(quota, bursts, rules, now);
        messages.extend(self.raise(quota, levels, rules, now));
        self.burst = if bursts { Some(now) } else { self.burst };
        self.used = quota.used;
        self.limit = quota.limit;
        messages
    }

    fn clear(&mut self, quota: &QuotaStatus, levels: &[Level], now: DateTime<Utc>) -> Vec<Message> {
        let mut messages = Vec::new();
        for (level, known) in self.known.iter_mut().filter(|(level, known)| known.holds && !levels.contains(level)) {
            known.holds = false;
            known.since = now;
            let over = |matter: Matter| matter.is_over(sentence::is_over(quota, *level), Some(figures(quota)), now);
            messages.extend(known.open.take().map(over));
        }
        messages
    }

    /// What does not hold may speak again: under another limit; after a day, where there is no window that ends; and
    /// of a new burst, when the one before has been over for as long as is imminent.
    fn rearm(&mut self, quota: &QuotaStatus, bursts: bool, rules: &Rules, now: DateTime<Utc>) {
        let is_other_limit = self.limit != quota.limit && self.limit != 0;
        let is_new_burst = |level: &Level, known: &Known| {
            *level == Level::Imminent && bursts && now - known.since >= judge::imminent_within(quota, rules)
        };
        for (level, known) in self.known.iter_mut().filter(|(_, known)| !known.holds) {
            known.said &= !is_other_limit && !is_new_burst(level, known);
        }
        let is_past = |known: &Known| !known.holds && now - known.raised >= ROLLING_REARM;
        self.known.retain(|_, known| !(rolls(quota) && is_past(known)));
    }

    /// The gravest level that is new speaks for all that hold.
    fn raise(&mut self, quota: &QuotaStatus, levels: &[Level], rules: &Rules, now: DateTime<Utc>) -> Option<Message> {
        let is_said = |level: &Level| self.known.get(level).is_some_and(|known| known.said);
        let new = levels.iter().copied().filter(|level| !is_said(level) && !self.is_outdone(*level)).max();
        for level in levels {
            let known = self.known.entry(*level).or_insert_with(|| Known::new(now));
            if !known.said {
                known.raised = now;
            }
            if !known.holds {
                known.since = now;
            }
            known.said = true;
            known.holds = true;
        }
        let level = new?;
        let known = self.known.get_mut(&level)?;
        known.times += 1;
        let matter = Matter {
            id: id(quota, level, known.times, now),
            level: Topic::Quota(level),
            quota: Some(quota.name.clone()),
            source: None,
            since: known.since,
        };
        known.open = Some(matter.clone());
        Some(matter.fires(sentence::fires(quota, level, rules, now), Some(figures(quota)), now))
    }

    /// A graver level, or a larger share, has spoken. What was only expected outdoes nothing once it is over: 80 % used
    /// is news after a scare that came to nothing.
    fn is_outdone(&self, level: Level) -> bool {
        let outdoes = |other: Level, known: &Known| match (other, level) {
            (Level::Used(more), Level::Used(percent)) => more > percent,
            (Level::Projected | Level::Imminent, _) if !known.holds => false,
            (other, level) => other.gravity() > level.gravity(),
        };
        self.known.iter().any(|(other, known)| known.said && outdoes(*other, known))
    }
}

impl Known {
    fn new(now: DateTime<Utc>) -> Known {
        Known { holds: false, since: now, said: false, raised: now, times: 0, open: None }
    }
}

/// The same after a crash that forgot that it was said: the window and how often it was said in it, not the second.
fn id(quota: &QuotaStatus, level: Level, times: u32, now: DateTime<Utc>) -> String {
    let begin = if rolls(quota) { now.date_naive().and_time(NaiveTime::MIN).and_utc() } else { quota.window_start };
    let name = format!("{}/{level}/{}", quota.name, begin.timestamp());
    if times > 1 { format!("{name}/{times}") } else { name }
}

#[cfg(test)]
mod tests;

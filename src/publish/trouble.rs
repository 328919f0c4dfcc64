//! Pure: what is wrong with counting itself + memory -> what to send: a source that fell silent, a count that
//! became a lower bound, counts that cannot be saved.
//! This file never reads a clock and never sends anything.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::message::{Message, Severity, Status, Topic};
use super::snapshot::{QuotaStatus, Snapshot, SourceStatus};
use super::text::duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// A source that used to log has stopped.
    Stale,
    /// A quota's running window became a lower bound.
    NotExact,
    /// Counts have not been saved for a while.
    CommitFailing,
}

impl Concern {
    /// Its name in JSON and in `DAYCAP_LEVEL`.
    pub fn name(self) -> &'static str {
        match self {
            Concern::Stale => "stale",
            Concern::NotExact => "not_exact",
            Concern::CommitFailing => "commit_failing",
        }
    }
}

/// What was already said. Kept in `state.json`, but for what keeps it from being written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Sources that were said to be stale and have not logged since.
    #[serde(default)]
    stale: BTreeSet<String>,
    /// By quota: the newest windows that were said not to be exact.
    #[serde(default)]
    not_exact: BTreeMap<String, BTreeSet<DateTime<Utc>>>,
    #[serde(skip)]
    commit_failing: bool,
}

impl Memory {
    /// Sources that are silent, and were said to be.
    pub fn stale(&self) -> &BTreeSet<String> {
        &self.stale
    }
}

/// Windows remembered a quota: the present one, and the one that a wrong clock may show for a while.
const WINDOWS_MAX: usize = 2;

/// What to say of sources and quotas now, and remember it as said: each silence once, each window once.
pub fn due(memory: &mut Memory, snapshot: &Snapshot) -> Vec<Message> {
    let is_stale = |name: &String| snapshot.sources.iter().any(|of| of.name == *name && of.stale_since.is_some());
    memory.stale.retain(is_stale);
    memory.not_exact.retain(|name, _| snapshot.quotas.iter().any(|quota| quota.name == *name));
    let stale = snapshot.sources.iter().filter_map(|source| {
        source.stale_since?;
        memory.stale.insert(source.name.clone()).then(|| stale(source, snapshot.at))
    });
    let mut due: Vec<_> = stale.collect();
    for quota in snapshot.quotas.iter().filter(|quota| !quota.completeness.is_exact()) {
        let said = memory.not_exact.entry(quota.name.clone()).or_default();
        if said.insert(quota.window_start) {
            due.push(not_exact(quota, snapshot.at));
        }
        while said.len() > WINDOWS_MAX {
            said.pop_first();
        }
    }
    due
}

/// What to say of commits, which have been failing for long with this error; `None`: they have not.
pub fn commits_due(memory: &mut Memory, failing: Option<&str>, at: DateTime<Utc>) -> Option<Message> {
    let was_said = std::mem::replace(&mut memory.commit_failing, failing.is_some());
    let error = failing.filter(|_| !was_said)?;
    let cost = "counting goes on in memory, and nothing is lost while the logs are kept";
    let message = format!("counts are not being saved: {error}; {cost}");
    Some(trouble(Concern::CommitFailing, None, None, message, at))
}

fn stale(source: &SourceStatus, at: DateTime<Utc>) -> Message {
    let last = source.last_request.map_or_else(String::new, |last| {
        format!(" for {}, since {}", duration(at - last), last.format("%Y-%m-%d %H:%M UTC"))
    });
    let remedy = "if its clients run, their log has moved or cannot be read, and low usage means nothing";
    let message = format!("source {:?} has been silent{last}, longer than expected: {remedy}", source.name);
    trouble(Concern::Stale, None, Some(source.name.clone()), message, at)
}

fn not_exact(quota: &QuotaStatus, at: DateTime<Utc>) -> Message {
    let message = format!("quota {:?}: the count is a lower bound: {}", quota.name, quota.completeness.told());
    trouble(Concern::NotExact, Some(quota.name.clone()), None, message, at)
}

fn trouble(
    concern: Concern,
    quota: Option<String>,
    source: Option<String>,
    message: String,
    at: DateTime<Utc>,
) -> Message {
    let subject = quota.as_deref().or(source.as_deref()).unwrap_or_default();
    Message {
        id: format!("{subject}/{}/{}", concern.name(), at.timestamp()),
        status: Status::Firing,
        level: Topic::Counting(concern),
        severity: Severity::Warning,
        quota,
        source,
        message,
        at,
        since: at,
        figures: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::ledger::{Completeness, Reason};
    use crate::publish::example;
    use chrono::TimeDelta;

    /// Nothing is wrong.
    fn calm() -> Snapshot {
        let mut snapshot = example::snapshot();
        snapshot.sources.iter_mut().for_each(|source| source.stale_since = None);
        snapshot.quotas.iter_mut().for_each(|quota| quota.completeness = Completeness::Exact);
        snapshot
    }

    fn silent() -> Snapshot {
        let mut snapshot = calm();
        snapshot.sources[0].last_request = Some(snapshot.at - TimeDelta::hours(9));
        snapshot.sources[0].stale_since = Some(snapshot.at - TimeDelta::hours(1));
        snapshot
    }

    fn inexact() -> Snapshot {
        let mut snapshot = calm();
        let day = "2026-11-22".parse().expect("a day");
        snapshot.quotas[0].completeness.add([Reason::of_day(day, "a.log was truncated".to_owned())]);
        snapshot
    }

    fn said(memory: &mut Memory, snapshot: &Snapshot) -> Vec<Topic> {
        due(memory, snapshot).into_iter().map(|trouble| trouble.level).collect()
    }

    #[test]
    fn a_silence_is_said_once_and_again_after_the_source_has_logged() {
        let mut memory = Memory::default();
        assert_eq!(said(&mut memory, &silent()), [Topic::Counting(Concern::Stale)]);
        let kept = serde_json::to_string(&memory).expect("serialises");
        let mut memory: Memory = serde_json::from_str(&kept).expect("is read back");
        assert_eq!(said(&mut memory, &silent()), [], "a restart says it again");
        assert_eq!(said(&mut memory, &calm()), []);
        assert_eq!(said(&mut memory, &silent()), [Topic::Counting(Concern::Stale)]);
    }

    #[test]
    fn a_lower_bound_is_said_once_a_window_though_the_clock_jumps() {
        let mut memory = Memory::default();
        let mut tomorrow = inexact();
        tomorrow.quotas[0].window_start += TimeDelta::days(1);
        assert_eq!(said(&mut memory, &inexact()), [Topic::Counting(Concern::NotExact)]);
        assert_eq!(said(&mut memory, &tomorrow), [Topic::Counting(Concern::NotExact)]);
        assert_eq!(said(&mut memory, &inexact()), [], "the clock has gone back");
        for days in 2..10 {
            tomorrow.quotas[0].window_start += TimeDelta::days(days);
            assert_eq!(said(&mut memory, &tomorrow), [Topic::Counting(Concern::NotExact)]);
        }
        assert!(memory.not_exact.values().all(|windows| windows.len() <= WINDOWS_MAX));
        assert_eq!(said(&mut memory, &Snapshot { quotas: Vec::new(), ..calm() }), []);
        assert_eq!(memory, Memory::default(), "a quota that is no more is forgotten");
    }

    #[test]
    fn failing_commits_are_said_once_until_one_has_worked() {
        let mut memory = Memory::default();
        let mut say = |failing| commits_due(&mut memory, failing, example::now()).map(|trouble| trouble.message);
        let expected = "counts are not being saved: disk full; \
                        counting goes on in memory, and nothing is lost while the logs are kept";
        assert_eq!(say(Some("disk full")).as_deref(), Some(expected));
        assert_eq!(say(Some("disk full")), None);
        assert_eq!(say(None), None);
        assert!(say(Some("disk full")).is_some());
    }

    #[test]
    fn a_message_says_what_is_wrong_and_since_when() {
        let messages = |snapshot| due(&mut Memory::default(), &snapshot).into_iter().map(|trouble| trouble.message);
        assert_eq!(
            messages(silent()).collect::<Vec<_>>(),
            [
                "source \"/var/log/app/*.log\" has been silent for 9 h 00 min, since 2026-11-22 05:30 UTC, longer than expected: \
              if its clients run, their log has moved or cannot be read, and low usage means nothing"
            ]
        );
        assert_eq!(
            messages(inexact()).collect::<Vec<_>>(),
            ["quota \"prod\": the count is a lower bound: a.log was truncated (on 2026-11-22)"]
        );
    }

    #[test]
    fn a_concerns_name_is_its_name_in_json() {
        for concern in [Concern::Stale, Concern::NotExact, Concern::CommitFailing] {
            let json = serde_json::to_string(&concern).expect("a concern serialises");
            assert_eq!(json, format!("\"{}\"", concern.name()));
        }
    }
}

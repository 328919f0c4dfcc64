//! Pure: what is wrong with counting itself + memory -> what to send: a source that fell silent, a count that
//! became a lower bound, counts that cannot be saved; and that it is over.
//! This file never reads a clock and never sends anything.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use super::alert::{Alerting, rolls};
use super::message::{Matter, Message, Severity, Text, Topic};
use super::snapshot::{QuotaStatus, Snapshot, SourceStatus};
use super::text::{duration, printable};

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

    pub fn severity(self) -> Severity {
        match self {
            Concern::Stale | Concern::NotExact => Severity::Warning,
            Concern::CommitFailing => Severity::Critical,
        }
    }
}

/// What was already said. Kept in `state.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Sources that were said to be stale and have not logged since.
    #[serde(default)]
    stale: BTreeSet<String>,
    /// By quota: the newest windows that were said not to be exact.
    #[serde(default)]
    not_exact: BTreeMap<String, BTreeSet<DateTime<Utc>>>,
    /// What fires: said, and not yet said to be over.
    #[serde(default)]
    open: Vec<Matter>,
}

/// Windows remembered a quota: the present one, and the one that a wrong clock may show for a while.
const WINDOWS_MAX: usize = 2;

/// Something that is wrong now.
struct Wrong {
    matter: Matter,
    /// Of a window that ends: only in this one.
    window: Option<DateTime<Utc>>,
    text: Text,
}

impl Wrong {
    fn is(&self, open: &Matter) -> bool {
        let is_same =
            |matter: &Matter| (matter.level, &matter.quota, &matter.source) == (open.level, &open.quota, &open.source);
        is_same(&self.matter) && (self.window.is_none() || self.matter.id == open.id)
    }
}

/// What to say of sources and quotas now, and remember it as said: each silence once, each window once, and each
/// time once that it is over.
pub fn due(memory: &mut Memory, snapshot: &Snapshot, alerting: &Alerting) -> Vec<Message> {
    let stale = snapshot.sources.iter().filter(|source| alerting.stale && source.stale_since.is_some());
    let not_exact = snapshot
        .quotas
        .iter()
        .filter(|quota| alerting.of(&quota.name).not_exact && quota.begun && !quota.completeness.is_exact());
    let stale = stale.map(|source| stale_now(source, snapshot.at));
    let wrong: Vec<_> = stale.chain(not_exact.map(|quota| not_exact_now(quota, snapshot.at))).collect();
    let mut messages = memory.over(&wrong, snapshot);
    for wrong in wrong {
        if memory.is_new(&wrong) {
            messages.push(wrong.matter.fires(wrong.text, None, snapshot.at));
            memory.open.push(wrong.matter);
        }
    }
    memory.not_exact.retain(|name, _| snapshot.quotas.iter().any(|quota| quota.name == *name));
    messages
}

/// What to say of commits, which have been failing for long with this error; `None`: they have not.
pub fn commits_due(memory: &mut Memory, failing: Option<&str>, at: DateTime<Utc>) -> Option<Message> {
    let open = memory.open.iter().position(|matter| matter.level == Topic::Counting(Concern::CommitFailing));
    match (failing, open) {
        (Some(error), None) => {
            let matter = matter(Concern::CommitFailing, None, None, at, at);
            let cost = "counting goes on in memory, and nothing is lost while the logs are kept";
            let message = format!("counts are not being saved: {error}; {cost}");
            memory.open.push(matter.clone());
            Some(matter.fires(Text { title: "counts are not being saved".to_owned(), message }, None, at))
        }
        (None, Some(place)) => {
            let title = "counts are saved again".to_owned();
            let message = format!("{title}; they had been failing to be since {}", utc(memory.open[place].since));
            Some(memory.open.remove(place).is_over(Text { title, message }, None, at))
        }
        (Some(_), Some(_)) | (None, None) => None,
    }
}

impl Memory {
    /// Remember it as said; whether it was not.
    fn is_new(&mut self, wrong: &Wrong) -> bool {
        let Matter { quota, source, .. } = &wrong.matter;
        if let Some(source) = source {
            return self.stale.insert(source.clone());
        }
        let (Some(quota), Some(window)) = (quota, wrong.window) else {
            return !self.open.iter().any(|open| wrong.is(open));
        };
        let said = self.not_exact.entry(quota.clone()).or_default();
        let is_new = said.insert(window);
        while said.len() > WINDOWS_MAX {
            said.pop_first();
        }
        is_new
    }

    /// Forget what is not wrong any more, and say so.
    fn over(&mut self, wrong: &[Wrong], snapshot: &Snapshot) -> Vec<Message> {
        let is_stale = |name: &String| wrong.iter().any(|wrong| wrong.matter.source.as_ref() == Some(name));
        self.stale.retain(is_stale);
        let is_over = |open: &mut Matter| {
            open.level != Topic::Counting(Concern::CommitFailing) && !wrong.iter().any(|wrong| wrong.is(open))
        };
        self.open.extract_if(.., is_over).map(|matter| over(&matter, snapshot)).collect()
    }
}

fn over(matter: &Matter, snapshot: &Snapshot) -> Message {
    let source = snapshot.sources.iter().find(|source| matter.source.as_ref() == Some(&source.name));
    let logs_again = source.filter(|source| source.stale_since.is_none());
    let mut message = match (logs_again, &matter.source, &matter.quota) {
        (Some(source), _, _) => matter.is_over(logs_again_text(source), None, snapshot.at),
        (None, subject, quota) => {
            let name = subject.as_ref().or(quota.as_ref()).map_or("", String::as_str);
            matter.is_over(past_text(name, matter.level), None, snapshot.at)
        }
    };
    // That a new window lacks nothing, or that nobody asks any more, is what everybody expects.
    message.quiet = logs_again.is_none();
    message
}

fn logs_again_text(source: &SourceStatus) -> Text {
    let last =
        source.last_request.map_or_else(String::new, |last| format!("; its last request was made {}", utc(last)));
    Text {
        title: format!("{} logs again", printable(&source.name)),
        message: format!("source {:?} logs again{last}", source.name),
    }
}

fn past_text(name: &str, topic: Topic) -> Text {
    let title = format!("{topic} of {} is past", printable(name));
    Text { message: title.clone(), title }
}

fn stale_now(source: &SourceStatus, at: DateTime<Utc>) -> Wrong {
    let last = source
        .last_request
        .map_or_else(String::new, |last| format!(" for {}, since {}", duration(at - last), utc(last)));
    let remedy = "if its clients run, their log has moved or cannot be read, and low usage means nothing";
    let message = format!("source {:?} has been silent{last}, longer than expected: {remedy}", source.name);
    let since = source.stale_since.unwrap_or(at);
    Wrong {
        matter: matter(Concern::Stale, None, Some(&source.name), since, since),
        window: None,
        text: Text { title: format!("{} is silent", printable(&source.name)), message },
    }
}

fn not_exact_now(quota: &QuotaStatus, at: DateTime<Utc>) -> Wrong {
    let message = format!("quota {:?}: the count is a lower bound: {}", quota.name, quota.completeness.told());
    let window = (!rolls(quota)).then_some(quota.window_start);
    let begin = window.unwrap_or_else(|| at.date_naive().and_time(NaiveTime::MIN).and_utc());
    Wrong {
        matter: matter(Concern::NotExact, Some(&quota.name), None, begin, at),
        window,
        text: Text { title: format!("{} has used at least what is counted", printable(&quota.name)), message },
    }
}

/// `begin` tells this time from others, and is the same after a restart that forgot that it was said.
fn matter(
    concern: Concern,
    quota: Option<&String>,
    source: Option<&String>,
    begin: DateTime<Utc>,
    since: DateTime<Utc>,
) -> Matter {
    let subject = quota.or(source).map_or("", String::as_str);
    Matter {
        id: format!("{subject}/{}/{}", concern.name(), begin.timestamp()),
        level: Topic::Counting(concern),
        quota: quota.cloned(),
        source: source.cloned(),
        since,
    }
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::message::Status;
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

    /// What fires, what is over `-`, and that in brackets of which people hear nothing.
    fn said(memory: &mut Memory, snapshot: &Snapshot) -> String {
        let one = |message: Message| {
            let sign = if message.status == Status::Firing { '+' } else { '-' };
            let name = format!("{sign}{}", message.level);
            if message.quiet { format!("({name})") } else { name }
        };
        due(memory, snapshot, &Alerting::default()).into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_silence_is_said_once_and_again_after_the_source_has_logged() {
        let mut memory = Memory::default();
        assert_eq!(said(&mut memory, &silent()), "+stale");
        let kept = serde_json::to_string(&memory).expect("serialises");
        let mut memory: Memory = serde_json::from_str(&kept).expect("is read back");
        assert_eq!(said(&mut memory, &silent()), "", "a restart says it again");
        assert_eq!(said(&mut memory, &calm()), "-stale");
        assert_eq!(said(&mut memory, &calm()), "");
        assert_eq!(said(&mut memory, &silent()), "+stale");
    }

    #[test]
    fn a_lower_bound_is_said_once_a_window_though_the_clock_jumps() {
        let mut memory = Memory::default();
        let mut tomorrow = inexact();
        tomorrow.quotas[0].window_start += TimeDelta::days(1);
        assert_eq!(said(&mut memory, &inexact()), "+not_exact");
        assert_eq!(said(&mut memory, &tomorrow), "(-not_exact) +not_exact");
        assert_eq!(said(&mut memory, &inexact()), "(-not_exact)", "the clock has gone back");
        for days in 2..10 {
            tomorrow.quotas[0].window_start += TimeDelta::days(days);
            assert!(said(&mut memory, &tomorrow).ends_with("+not_exact"));
        }
        assert!(memory.not_exact.values().all(|windows| windows.len() <= WINDOWS_MAX));
        assert_eq!(said(&mut memory, &Snapshot { quotas: Vec::new(), ..calm() }), "(-not_exact)");
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
        assert_eq!(
            say(None).as_deref(),
            Some("counts are saved again; they had been failing to be since 2026-11-22 14:30 UTC")
        );
        assert_eq!(say(None), None);
        assert!(say(Some("disk full")).is_some());
    }

    #[test]
    fn a_message_says_what_is_wrong_and_since_when() {
        let messages = |snapshot| {
            due(&mut Memory::default(), &snapshot, &Alerting::default()).into_iter().map(|trouble| trouble.message)
        };
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

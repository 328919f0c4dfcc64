//! The core: `apply(now, Event) -> Vec<Effect>`. It owns all mutable state of a run; the shell around it
//! waits, reads and writes. This file never touches a file, a socket or a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::collect::log::{LogId, LogMark};
use crate::collect::request::Series;
use crate::collect::tail::Problem;
use crate::commit::{Commit, Committed};
use crate::config::Config;
use crate::count::ledger::Reason;
use crate::count::tally::Tally;
use crate::day::{Calendar, DAY_MINUTES, Day, Minute, Now};
use crate::doubt::Doubts;
use crate::harvest::Harvest;
use crate::keep;
use crate::outbox::{self, Outbox, Undelivered};
use crate::publish::deliver::Parcel;
use crate::publish::message::Message;
use crate::publish::snapshot::{CommitStatus, RequestCounts, RequestLabels, Snapshot};
use crate::publish::{alert, trouble};
use crate::sources::Sources;
use crate::state::{Held, State};
use crate::usage::Usage;

/// What can happen to the engine.
pub enum Event {
    Harvested(Box<Harvest>),
    /// A commit ended after this long.
    Committed(Box<Committed>, Duration),
    /// Some time has passed.
    Tick,
    /// A notifier's attempt has ended.
    Tried {
        notifier: String,
        error: Option<Undelivered>,
    },
    /// A day's summary is written, or could not be.
    Summarised(Day, Option<String>),
    /// End: commit what there is, then say [`Effect::End`].
    Stop,
    /// Do not end after all: what could not be saved is still held.
    GoOn,
}

/// What the shell is to do.
pub enum Effect {
    Commit(Box<Commit>),
    Publish(Arc<Snapshot>),
    /// Log a message: it is news.
    Tell(Box<Message>),
    /// Let a notifier try to bring this; [`Event::Tried`] says what became of it.
    Deliver {
        notifier: String,
        parcel: Box<Parcel>,
    },
    Summarise(Day),
    /// Remove ledger days before this one.
    Forget(Day),
    Say(Severity, String),
    /// Nothing is left to do. `false`: counts could not be saved.
    End {
        saved: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warn,
    Info,
}

/// Committing takes at most this share of the time: after a commit that took 1 s, the next waits 20 s.
const COMMIT_SHARE: u32 = 20;
/// A summary that could not be written is tried again after this long.
const SUMMARY_RETRY: Duration = Duration::from_secs(60);
/// How long the end waits for deliveries under way.
pub const DELIVERY_GRACE: Duration = Duration::from_millis(500);
/// Messages held for the history while it cannot be written: no day has so many.
const SAID_MAX: usize = 1_000;
/// Snapshots of a quiet daemon are made anew this often, for the forecast moves with the clock.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(10);

pub struct Engine {
    config: Arc<Config>,
    version: &'static str,
    tally: Tally,
    marks: BTreeMap<LogId, LogMark>,
    /// Days with lines that are not committed, and the logs that gave them.
    touched: BTreeMap<Day, BTreeSet<LogId>>,
    /// Up to where lines that state no time are counted, by the day of their arrival.
    arrived: BTreeMap<(Day, LogId), u64>,
    usages: Vec<Usage>,
    doubts: Doubts,
    sources: Sources,
    problems: Vec<Problem>,
    alerts: alert::Memory,
    troubles: trouble::Memory,
    /// Not yet in the history.
    said: Vec<Message>,
    /// What was said before this day is not kept.
    said_from: Option<Day>,
    requests: RequestCounts,
    outbox: Outbox,
    /// Only the daemon brings messages out; whoever else has an engine leaves what waits as it is.
    delivers: bool,
    commit: CommitStatus,
    failing_since: Option<Duration>,
    held: Held,
    committing: bool,
    changed: bool,
    commit_after: Duration,
    unsummarised: BTreeSet<Day>,
    summarising: Option<Day>,
    summarise_after: Duration,
    publish_after: Duration,
    /// Days that hold counts, as far as they are kept.
    counted_days: BTreeSet<Day>,
    /// The day on which it was last asked what may be forgotten.
    kept_on: Option<Day>,
    /// Everything there was at start has been read: only now can a low count be taken for low usage.
    caught_up: bool,
    stopping: Option<Stopping>,
    /// The end waits no longer for deliveries.
    stop_by: Duration,
}

/// On the way out: whether the last commit has been tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    LastCommitDue,
    LastCommitTried,
}

impl Engine {
    /// `usages` has one entry a quota, filled from the ledger; `counted_days` are the days that it holds.
    pub fn new(
        config: Arc<Config>,
        version: &'static str,
        state: State,
        mut usages: Vec<Usage>,
        doubts: Doubts,
        counted_days: BTreeSet<Day>,
    ) -> Engine {
        usages.iter_mut().for_each(|usage| usage.resume_witness(&state.observed));
        Engine {
            sources: Sources::new(config.clone(), state.habits, state.last_request),
            version,
            tally: Tally::default(),
            marks: state.marks.into_iter().map(|mark| (mark.id, mark)).collect(),
            touched: BTreeMap::new(),
            arrived: BTreeMap::new(),
            usages,
            changed: doubts.has_unsaved(),
            doubts,
            problems: Vec::new(),
            alerts: state.alerts,
            troubles: state.troubles,
            said: Vec::new(),
            said_from: None,
            requests: RequestCounts::default(),
            outbox: state.outbox,
            delivers: false,
            commit: CommitStatus::default(),
            failing_since: None,
            held: state.held,
            committing: false,
            commit_after: Duration::ZERO,
            unsummarised: state.unsummarised,
            summarising: None,
            summarise_after: Duration::ZERO,
            publish_after: Duration::ZERO,
            counted_days,
            kept_on: None,
            caught_up: false,
            stopping: None,
            stop_by: Duration::ZERO,
            config,
        }
    }

    /// Take one event in, and say what is to be done.
    pub fn apply(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Harvested(harvest) => self.harvested(now, *harvest, &mut effects),
            Event::Committed(committed, took) => self.committed(now, *committed, took, &mut effects),
            Event::Tick => {}
            Event::Tried { notifier, error } => {
                let notes = self.outbox.tried(&notifier, error, now.wall);
                self.note_outbox(notes, &mut effects);
            }
            Event::Summarised(day, error) => self.summarised(now, day, error, &mut effects),
            Event::GoOn => self.stopping = None,
            Event::Stop => {
                self.stopping = Some(Stopping::LastCommitDue);
                self.stop_by = now.uptime + DELIVERY_GRACE;
            }
        }
        if now.uptime >= self.publish_after {
            self.publish(now, &mut effects);
        }
        self.start_what_is_due(now, &mut effects);
        effects
    }

    fn harvested(&mut self, now: Now, harvest: Harvest, effects: &mut Vec<Effect>) {
        let rows = harvest.tally.rows();
        let minute = Minute::at(now.wall);
        for usage in &mut self.usages {
            usage.add(&rows, &self.config.host);
            let odd = usage.hear(&harvest.observed, &self.config.host, minute);
            effects.extend(odd.map(|text| Effect::Say(Severity::Warn, text)));
        }
        self.count_requests(&rows);
        self.unsummarised.extend(days_told(&rows, &self.config));
        let odd = self.sources.note(now, &harvest);
        effects.extend(odd.into_iter().map(|text| Effect::Say(Severity::Warn, text)));
        effects.extend(harvest.notices.into_iter().map(|text| Effect::Say(Severity::Info, text)));
        self.note_problems(harvest.problems, effects);
        let moved = !rows.is_empty() || self.marks != harvest.marks || !harvest.losses.is_empty();
        let caught_up = harvest.caught_up && !self.caught_up;
        drop(rows);
        for loss in harvest.losses {
            let reason = Reason::between(loss.since, loss.until, format!("{}: {}", loss.path, loss.what));
            self.note_loss(&reason, effects);
        }
        self.tally.merge(harvest.tally);
        self.marks = harvest.marks;
        self.counted_days.extend(harvest.touched.keys());
        for (day, logs) in harvest.touched {
            self.touched.entry(day).or_default().extend(logs);
        }
        self.arrived.extend(harvest.arrived);
        self.caught_up |= harvest.caught_up;
        self.changed |= moved;
        if moved || caught_up {
            self.publish_after = now.uptime;
        }
    }

    fn count_requests(&mut self, rows: &[(Minute, &Series, u64, u64)]) {
        for (_, series, count, _) in rows {
            let labels = RequestLabels {
                service: series.service.to_string(),
                key: series.key.to_string(),
                operation: series.operation.to_string(),
                code_class: code_class(series.status),
            };
            self.requests.add(labels, *count);
        }
    }

    /// From now on these days are lower bounds, in the next commit for good; their summaries are due again.
    fn note_loss(&mut self, reason: &Reason, effects: &mut Vec<Effect>) {
        effects.push(Effect::Say(Severity::Error, format!("lines are lost, the count is a lower bound: {reason}")));
        let days = self.doubts.note(reason, self.config.keep_days);
        self.unsummarised.extend(days.iter().flat_map(|day| days_in(&self.config, day.span(Tz::UTC).start, reason)));
        self.usages.iter_mut().for_each(Usage::rethink);
        self.changed = true;
    }

    /// A problem is said once when it comes and once when it goes.
    fn note_problems(&mut self, problems: Vec<Problem>, effects: &mut Vec<Effect>) {
        for problem in problems.iter().filter(|problem| !self.problems.contains(problem)) {
            effects.push(Effect::Say(Severity::Warn, format!("{}: {}", problem.path, problem.what)));
        }
        for problem in self.problems.iter().filter(|problem| !problems.contains(problem)) {
            effects.push(Effect::Say(
                Severity::Info,
                format!("{}: is well again (it was: {})", problem.path, problem.what),
            ));
        }
        self.problems = problems;
    }

    fn committed(&mut self, now: Now, committed: Committed, took: Duration, effects: &mut Vec<Effect>) {
        self.committing = false;
        self.commit_after = now.uptime + self.config.commit_interval.max(took * COMMIT_SHARE);
        self.publish_after = now.uptime;
        for (day, written) in committed.written {
            self.held.note(day, &self.config.host, written.requests);
            if let Some(reason) = written.set_aside {
                effects.push(Effect::Say(Severity::Error, format!("the count is a lower bound: {reason}")));
                self.doubts.note_saved(day, reason);
                self.usages.iter_mut().for_each(Usage::rethink);
            }
        }
        self.doubts.give_back(committed.left.at_least);
        self.said.splice(..0, committed.left.said);
        let Some(error) = committed.error else {
            self.failing_since = None;
            if self.commit.failing.take().is_some() {
                effects.push(Effect::Say(Severity::Info, "counts are saved again".to_owned()));
            }
            self.commit.last = Some(now.wall);
            return;
        };
        if self.commit.failing.as_ref() != Some(&error) {
            let remedy = "counting goes on in memory and is saved as soon as it can be";
            effects.push(Effect::Say(Severity::Error, format!("{error}; {remedy}")));
        }
        self.commit.failures += 1;
        self.failing_since.get_or_insert(now.uptime);
        self.commit.failing = Some(error);
        self.changed = true;
        self.tally.merge(committed.left.tally);
        for (day, marks) in committed.left.marks {
            for mark in marks {
                self.touched.entry(day).or_default().insert(mark.id);
                let counted_to = self.arrived.entry((day, mark.id)).or_default();
                *counted_to = mark.arrived.max(*counted_to);
            }
        }
    }

    /// From now on messages are brought out, first those that waited in the state.
    pub fn open_outbox(&mut self, now: DateTime<Utc>) -> Vec<Effect> {
        self.delivers = true;
        let (notes, mut effects) = (self.outbox.open(&self.config, now), Vec::new());
        self.note_outbox(notes, &mut effects);
        effects
    }

    fn note_outbox(&mut self, notes: Vec<outbox::Note>, effects: &mut Vec<Effect>) {
        effects.extend(notes.into_iter().map(|(severity, text)| Effect::Say(severity, text)));
        self.changed |= self.outbox.take_changed();
    }

    fn start_deliveries(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let (parcels, notes) = self.outbox.start(now);
        let deliver = |(notifier, parcel)| Effect::Deliver { notifier, parcel: Box::new(parcel) };
        effects.extend(parcels.into_iter().map(deliver));
        self.note_outbox(notes, effects);
    }

    fn summarised(&mut self, now: Now, day: Day, error: Option<String>, effects: &mut Vec<Effect>) {
        self.summarising = None;
        if let Some(error) = error {
            self.unsummarised.insert(day);
            self.summarise_after = now.uptime + SUMMARY_RETRY;
            effects.push(Effect::Say(Severity::Error, format!("cannot write the summary of {day}: {error}")));
        }
        self.changed = true;
    }

    fn publish(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.publish_after = now.uptime + PUBLISH_INTERVAL;
        let snapshot = Arc::new(self.snapshot(now));
        let alerting = &self.config.alerting;
        let fails_for_long =
            self.failing_since.is_some_and(|since| now.uptime.saturating_sub(since) >= alerting.commit_failing_after);
        let failing = self.commit.failing.as_deref().filter(|_| fails_for_long && alerting.commit_failing);
        let trouble = trouble::commits_due(&mut self.troubles, failing, now.wall);
        trouble.into_iter().for_each(|message| self.tell(message, effects));
        // Half-read logs look like low usage, or like a pace that is none.
        if self.caught_up {
            self.judge(&snapshot, effects);
        }
        effects.push(Effect::Publish(snapshot));
    }

    /// What the snapshot shows and people must know.
    fn judge(&mut self, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
        let before = (self.alerts.clone(), self.troubles.clone());
        let alerts = alert::due(&mut self.alerts, &snapshot.quotas, &self.config.alerting, snapshot.at);
        let troubles = trouble::due(&mut self.troubles, snapshot, &self.config.alerting);
        self.changed |= (&self.alerts, &self.troubles) != (&before.0, &before.1);
        alerts.into_iter().chain(troubles).for_each(|message| self.tell(message, effects));
    }

    /// News goes to people by this way alone.
    fn tell(&mut self, message: Message, effects: &mut Vec<Effect>) {
        let notes = self.outbox.put(&message, &self.config.notifiers);
        self.note_outbox(notes, effects);
        self.changed = true;
        // A disk that is full for long loses the oldest.
        self.said.drain(..self.said.len().saturating_sub(SAID_MAX - 1));
        self.said.push(message.clone());
        effects.push(Effect::Tell(Box::new(message)));
    }

    /// Everything known at `now`.
    pub fn snapshot(&mut self, now: Now) -> Snapshot {
        let sources = self.sources.statuses(now, self.caught_up, &self.problems);
        let config = &self.config;
        let quota = |usage: &mut Usage| {
            let mut status = usage.status(now.wall, self.doubts.known());
            let both = sources.iter().zip(&config.sources);
            let silent =
                both.filter(|(of, source)| of.stale_since.is_some() && usage.may_be_fed_by(source, &config.host));
            status.stale_sources = silent.map(|(of, _)| of.name.clone()).collect();
            status.alerts = self.alerts.levels(&status, config.alerting.of(&status.name), now.wall);
            status
        };
        Snapshot {
            at: now.wall,
            version: self.version,
            host: config.host.clone(),
            quotas: self.usages.iter_mut().map(quota).collect(),
            sources,
            commit: self.commit.clone(),
            requests: self.requests.share(),
            notifiers: self.outbox.statuses(&config.notifiers),
            notifications: self.outbox.counts(&config.notifiers),
        }
    }

    fn start_what_is_due(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if let Some(stopping) = self.stopping {
            return self.stop(now, stopping, effects);
        }
        if self.delivers {
            self.start_deliveries(now, effects);
        }
        if self.changed && !self.committing && now.uptime >= self.commit_after {
            effects.push(Effect::Commit(Box::new(self.take_commit(now.wall))));
        }
        if self.summarising.is_none() && now.uptime >= self.summarise_after {
            self.start_summary(now, effects);
        }
        self.forget(now.wall, effects);
    }

    /// At the end a failed commit is tried once, not for ever: the failure is the exit code.
    fn stop(&mut self, now: Now, stopping: Stopping, effects: &mut Vec<Effect>) {
        let is_graced = self.outbox.under_way() > 0 && now.uptime < self.stop_by;
        if self.committing || is_graced {
            return;
        }
        if self.changed && stopping == Stopping::LastCommitDue {
            self.stopping = Some(Stopping::LastCommitTried);
            effects.push(Effect::Commit(Box::new(self.take_commit(now.wall))));
        } else {
            let cut = self.outbox.under_way();
            if cut > 0 {
                let text = format!("deliveries cut off by the end: {cut}; they are tried again after the next start");
                effects.push(Effect::Say(Severity::Warn, text));
            }
            // What changed since the last commit was taken is no count: nothing is read any more.
            let last_was_saved = stopping == Stopping::LastCommitTried && self.commit.failing.is_none();
            effects.push(Effect::End { saved: !self.changed || last_was_saved });
        }
    }

    fn take_commit(&mut self, now: DateTime<Utc>) -> Commit {
        self.changed = false;
        self.committing = true;
        let habits = self.sources.habits();
        let arrived = std::mem::take(&mut self.arrived);
        let mark_of = |day, log: &LogId| {
            let arrived = arrived.get(&(day, *log)).copied().unwrap_or(0);
            self.marks.get(log).map(|mark| LogMark { arrived, ..mark.clone() })
        };
        let marks_of = |day, logs: BTreeSet<LogId>| logs.iter().filter_map(|log| mark_of(day, log)).collect();
        let touched = std::mem::take(&mut self.touched);
        let marks = touched.into_iter().map(|(day, logs)| (day, marks_of(day, logs))).collect();
        Commit {
            tally: std::mem::take(&mut self.tally),
            marks,
            at_least: self.doubts.take_unsaved(),
            said: std::mem::take(&mut self.said),
            said_from: self.said_from,
            state: State {
                marks: self.marks.values().cloned().collect(),
                alerts: self.alerts.clone(),
                unsummarised: self.unsummarised.iter().copied().chain(self.summarising).collect(),
                last_request: habits.iter().map(|(name, habit)| (name.clone(), habit.last())).collect(),
                habits: habits.clone(),
                troubles: self.troubles.clone(),
                held: self.held.clone(),
                observed: self.usages.iter().filter_map(Usage::observed).collect(),
                outbox: self.outbox.clone(),
                saved: Some(now),
            },
        }
    }

    /// The oldest finished day that no summary tells, once its counts are in the ledger.
    fn start_summary(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if !self.caught_up || self.committing {
            return;
        }
        let is_over = |day: Day, calendar: Calendar| {
            let span = calendar.span(day);
            let mut utc_days = self.touched.range(span.start.utc_day()..=span.end.utc_day());
            span.end <= Minute::at(now.wall) && utc_days.next().is_none()
        };
        let is_due = |day: &&Day| self.config.told_calendars().all(|calendar| is_over(**day, calendar));
        let Some(day) = self.unsummarised.iter().find(is_due).copied() else { return };
        self.unsummarised.remove(&day);
        self.summarising = Some(day);
        effects.push(Effect::Summarise(day));
    }

    fn forget(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let today = Minute::at(now).utc_day();
        if self.kept_on.replace(today) == Some(today) {
            return;
        }
        if let Some(before) = keep::horizon(&self.counted_days, today, self.config.keep_days) {
            self.counted_days = self.counted_days.split_off(&before);
            self.doubts.forget_before(before);
            self.held.forget_before(before);
            self.said_from = Some(before);
            effects.push(Effect::Forget(before));
        }
    }
}

/// The days that these rows belong to, in each calendar that summaries tell.
fn days_told(rows: &[(Minute, &Series, u64, u64)], config: &Config) -> BTreeSet<Day> {
    // A day is at least some quarters of an hour long: one that holds a minute holds an end of its quarter.
    let quarters: BTreeSet<u32> = rows.iter().map(|(minute, ..)| minute.0 - minute.0 % 15).collect();
    let ends = || quarters.iter().flat_map(|quarter| [Minute(*quarter), Minute(*quarter + 14)]);
    config.told_calendars().flat_map(|calendar| ends().map(move |minute| calendar.day_of(minute))).collect()
}

/// The days that a loss touches, in each calendar that summaries tell; of the minutes from `first` on.
fn days_in(config: &Config, first: Minute, reason: &Reason) -> BTreeSet<Day> {
    let (since, until) = (Minute::at(reason.since).max(first), Minute::at(reason.until));
    let ends = Minute(first.0.saturating_add(DAY_MINUTES - 1)).min(until);
    config.told_calendars().flat_map(|calendar| [since, ends].map(|minute| calendar.day_of(minute))).collect()
}

fn code_class(status: Option<u16>) -> &'static str {
    match status {
        Some(100..200) => "1xx",
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..600) => "5xx",
        Some(_) => "other",
        None => "none",
    }
}

#[cfg(test)]
mod tests;

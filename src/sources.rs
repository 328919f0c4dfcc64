//! What harvests tell of each source becomes its status: how far it is read, how long it is silent, what is odd
//! about its stamps. This file never reads a clock and never counts requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::collect::request::Lines;
use crate::collect::tail::{Problem, SourceProgress};
use crate::config::Config;
use crate::day::{DAY_MINUTES, Minute, Now};
use crate::harvest::Harvest;
use crate::publish::snapshot::SourceStatus;
use crate::silence::{Habit, patience_minutes};

/// All sources of a run.
pub struct Sources {
    config: Arc<Config>,
    /// One a configured source.
    seen: Vec<Seen>,
    /// Of all sources ever known, configured now or not.
    habits: BTreeMap<String, Habit>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// `None` before the first look.
    progress: Option<SourceProgress>,
    lines: Lines,
    /// Uptime at its latest new request: a silence is told by a clock that never jumps, too.
    heard: Duration,
    /// Lines stamped more than a day ahead of the clock, and longer ago than days are kept.
    ahead: u64,
    bygone: u64,
}

impl Sources {
    /// `last_request` is what an older state knew, which had no habits.
    pub fn new(
        config: Arc<Config>,
        mut habits: BTreeMap<String, Habit>,
        last_request: BTreeMap<String, Minute>,
    ) -> Sources {
        for (name, last) in last_request {
            habits.entry(name).or_insert_with(|| Habit::new(last));
        }
        Sources { seen: vec![Seen::default(); config.sources.len()], habits, config }
    }

    pub fn habits(&self) -> &BTreeMap<String, Habit> {
        &self.habits
    }

    /// Take in what a pass tells of its sources; gives what people should know of it, a sentence each.
    pub fn note(&mut self, now: Now, harvest: &Harvest) -> Vec<String> {
        let known: Vec<usize> = self.seen.iter().map(|seen| seen.oddities(&self.config).len()).collect();
        for (source, lines) in &harvest.lines {
            self.seen[*source].lines.add(lines);
        }
        for (seen, progress) in self.seen.iter_mut().zip(&harvest.progress) {
            seen.progress = Some(progress.clone());
        }
        let mut odd = Vec::new();
        for (source, minutes) in &harvest.minutes {
            self.note_minutes(now, *source, minutes);
            let oddities = self.seen[*source].oddities(&self.config);
            if oddities.len() > known[*source] {
                let name = &self.config.sources[*source].name;
                odd.extend(oddities.iter().map(|what| format!("source {name:?}: {what}")));
            }
        }
        odd
    }

    /// A request that was read by now was made by now, whatever its stamp says; one that says another day is counted
    /// there, and tells nothing of when the source last logged.
    fn note_minutes(&mut self, now: Now, source: usize, minutes: &BTreeMap<Minute, u64>) {
        let today = Minute::at(now.wall);
        let tomorrow = Minute(today.0.saturating_add(DAY_MINUTES));
        let oldest = Minute(today.0.saturating_sub(self.config.keep_days.saturating_mul(DAY_MINUTES)));
        let seen = &mut self.seen[source];
        seen.bygone += minutes.range(..oldest).map(|(_, lines)| lines).sum::<u64>();
        for (minute, lines) in minutes.range(oldest..) {
            if *minute > tomorrow {
                seen.ahead += lines;
                continue;
            }
            seen.heard = now.uptime;
            let minute = today.min(*minute);
            let name = &self.config.sources[source].name;
            match self.habits.get_mut(name) {
                Some(habit) => {
                    habit.hold_below(today);
                    habit.learn(minute);
                }
                None => drop(self.habits.insert(name.clone(), Habit::new(minute))),
            }
        }
    }

    /// One a source. `caught_up`: everything there was at the start has been read.
    pub fn statuses(&self, now: Now, caught_up: bool, problems: &[Problem]) -> Vec<SourceStatus> {
        let status = |source| {
            let of_this = problems.iter().filter(|problem| problem.source == source);
            let told = of_this.map(|problem| format!("{}: {}", problem.path, problem.what)).collect();
            self.status(now, caught_up, source, told)
        };
        (0..self.seen.len()).map(status).collect()
    }

    fn status(&self, now: Now, caught_up: bool, source: usize, mut problems: Vec<String>) -> SourceStatus {
        let (seen, today) = (&self.seen[source], Minute::at(now.wall));
        problems.extend(seen.oddities(&self.config));
        let name = &self.config.sources[source].name;
        let habit = self.habits.get(name);
        let stale_after = self.config.stale_after.get(name).copied().unwrap_or_default();
        let stale_after_minutes = habit.and_then(|habit| patience_minutes(stale_after, habit));
        // What is not read yet may hold the requests that seem to be missing.
        let is_read = caught_up || seen.progress.as_ref().is_some_and(|progress| progress.lag_bytes == 0);
        let silent = habit.map_or(0, |habit| seen.silent_minutes(now, habit));
        let too_long = stale_after_minutes.filter(|_| is_read).and_then(|most| silent.checked_sub(most));
        let progress = seen.progress.clone().unwrap_or_default();
        SourceStatus {
            name: name.clone(),
            logs: progress.logs,
            lag_bytes: progress.lag_bytes,
            lines: seen.lines,
            last_request: habit.map(|habit| habit.last().min(today).start()),
            stale_since: too_long.map(|minutes| Minute(today.0.saturating_sub(minutes)).start()),
            stale_after_minutes,
            problems,
        }
    }
}

impl Seen {
    /// Since its last request, by the clock on the wall or by the one that never jumps, whichever says more.
    fn silent_minutes(&self, now: Now, habit: &Habit) -> u32 {
        let by_wall = Minute::at(now.wall).0.saturating_sub(habit.last().0);
        let by_uptime = now.uptime.saturating_sub(self.heard).as_secs() / 60;
        by_wall.max(u32::try_from(by_uptime).unwrap_or(u32::MAX))
    }

    /// What is odd about the stamps of its lines, one sentence each.
    fn oddities(&self, config: &Config) -> Vec<String> {
        let ahead = format!(
            "{} lines are stamped more than a day ahead of the clock, and count in the days they say; \
             look at the clocks and at the source's tz",
            self.ahead
        );
        let bygone = format!(
            "{} lines are older than the {} days of state.keep: their days are forgotten again",
            self.bygone, config.keep_days
        );
        let arrived = format!(
            "{} lines without a time stamp were counted when they arrived; let the client write one",
            self.lines.arrived
        );
        let all = [(self.ahead, ahead), (self.bygone, bygone), (self.lines.arrived, arrived)];
        all.into_iter().filter(|(lines, _)| *lines > 0).map(|(_, what)| what).collect()
    }
}

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
use crate::twins::Recent;

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
    recent: Recent,
    /// What of it was told when it was last asked.
    said: Vec<Oddity>,
}

/// What may be odd about a source; each is told when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oddity {
    Ahead,
    Bygone,
    Arrived,
    NoRequest,
    Tunnels,
    Starts,
    Twin,
}

/// So many lines without any request among them are odd.
const LINES_WITHOUT_REQUESTS_MAX: u64 = 200;

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
        for (source, lines) in &harvest.lines {
            self.seen[*source].lines.add(lines);
        }
        for (seen, progress) in self.seen.iter_mut().zip(&harvest.progress) {
            seen.progress = Some(progress.clone());
        }
        for (source, minutes) in &harvest.minutes {
            self.note_minutes(now, *source, minutes);
            if self.seen[*source].recent.add(minutes) {
                self.look_for_twin(*source);
            }
        }
        self.take_news()
    }

    /// What is odd of a source and was not said before.
    fn take_news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        for source in 0..self.seen.len() {
            let oddities = self.oddities(source);
            let said = &mut self.seen[source].said;
            let fresh = oddities.iter().filter(|(kind, _)| !said.contains(kind));
            let name = &self.config.sources[source].name;
            news.extend(fresh.map(|(_, what)| format!("source {name:?}: {what}")));
            *said = oddities.into_iter().map(|(kind, _)| kind).collect();
        }
        news
    }

    /// Whether this source's requests are those of another.
    fn look_for_twin(&mut self, source: usize) {
        if self.seen[source].recent.twin.is_some() || !self.seen[source].recent.is_telling() {
            return;
        }
        let is_twin = |other: &usize| {
            let recent = &self.seen[*other].recent;
            *other != source && recent.twin != Some(source) && recent.is_twin_of(&self.seen[source].recent)
        };
        self.seen[source].recent.twin = (0..self.seen.len()).find(is_twin);
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

    fn oddities(&self, source: usize) -> Vec<(Oddity, String)> {
        let seen = &self.seen[source];
        let mut odd = seen.odd_stamps(&self.config);
        // One that had requests before is only quiet.
        if !self.habits.contains_key(&self.config.sources[source].name) {
            odd.extend(seen.odd_silence());
        }
        odd.extend(seen.recent.twin.map(|twin| {
            let twin = &self.config.sources[twin].name;
            let what = format!(
                "its requests are those of source {twin:?}, minute by minute: are they the same calls in two logs? If so, \
                 remove one of the two sources"
            );
            (Oddity::Twin, what)
        }));
        odd
    }

    fn status(&self, now: Now, caught_up: bool, source: usize, mut problems: Vec<String>) -> SourceStatus {
        let (seen, today) = (&self.seen[source], Minute::at(now.wall));
        problems.extend(self.oddities(source).into_iter().map(|(_, what)| what));
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
    fn odd_stamps(&self, config: &Config) -> Vec<(Oddity, String)> {
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
        let all = [
            (self.ahead, Oddity::Ahead, ahead),
            (self.bygone, Oddity::Bygone, bygone),
            (self.lines.arrived, Oddity::Arrived, arrived),
        ];
        all.into_iter().filter(|(lines, ..)| *lines > 0).map(|(_, kind, what)| (kind, what)).collect()
    }

    /// Why no line of many was a request.
    fn odd_silence(&self) -> Option<(Oddity, String)> {
        let Lines { tunnels, starts, .. } = self.lines;
        let all = self.lines.counted + self.lines.skipped + self.lines.rejected();
        let (kind, what) = match (tunnels, starts) {
            (0, 0) if all < LINES_WITHOUT_REQUESTS_MAX => return None,
            (0, 0) => (
                Oddity::NoRequest,
                format!(
                    "none of its {all} lines reports a request; look at one of its logs with `daycap explain`, and name \
                     what is where in [source.fields]"
                ),
            ),
            (0, _) => (
                Oddity::Starts,
                format!(
                    "{starts} lines announce requests, which count when they end, and none says that one ended; let the \
                     client log its answers too"
                ),
            ),
            _ => (
                Oddity::Tunnels,
                format!(
                    "{tunnels} lines are CONNECT tunnels, and nobody outside a tunnel can say how many requests went \
                     through it; log where requests are seen: in the client, or in a proxy that ends TLS"
                ),
            ),
        };
        (self.lines.counted == 0).then_some((kind, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const START: u32 = 29_000_000;

    fn sources(names: &[&str]) -> Sources {
        let text: String = names.iter().map(|name| format!("[[source]]\nname = {name:?}\npath = {name:?}\n")).collect();
        let config = crate::config::parse(&text, Path::new("daycap.toml"), &Default::default()).expect("good");
        Sources::new(Arc::new(config), BTreeMap::new(), BTreeMap::new())
    }

    fn now(minute: u32) -> Now {
        Now { wall: Minute(START + minute).start(), uptime: Duration::from_secs(u64::from(minute) * 60) }
    }

    fn of_lines(lines: Lines) -> Harvest {
        Harvest { lines: BTreeMap::from([(0, lines)]), ..Harvest::default() }
    }

    #[test]
    fn many_lines_without_a_request_are_said_once() {
        let mut sources = sources(&["a"]);
        let debug = |skipped| of_lines(Lines { skipped, ..Lines::default() });
        assert!(sources.note(now(0), &debug(199)).is_empty());
        let [said] = sources.note(now(0), &debug(1)).try_into().expect("one sentence");
        assert!(said.starts_with("source \"a\": none of its 200 lines reports a request"), "{said}");
        assert!(sources.note(now(0), &debug(500)).is_empty());
        assert!(sources.statuses(now(0), true, &[])[0].problems[0].starts_with("none of its 700 lines"));
        sources.note(now(1), &of_lines(Lines { counted: 1, ..Lines::default() }));
        assert!(sources.statuses(now(1), true, &[])[0].problems.is_empty());
    }

    #[test]
    fn a_source_of_tunnels_or_starts_alone_is_told_what_to_log() {
        for (lines, told) in [
            (Lines { skipped: 1, tunnels: 1, ..Lines::default() }, "1 lines are CONNECT tunnels"),
            (Lines { skipped: 2, starts: 2, ..Lines::default() }, "2 lines announce requests"),
        ] {
            let said = sources(&["a"]).note(now(0), &of_lines(lines));
            assert!(said.len() == 1 && said[0].contains(told), "{said:?}");
        }
    }

    #[test]
    fn two_sources_of_equal_counts_are_told_of_each_other_once() {
        let mut sources = sources(&["app", "proxy"]);
        let mut said = Vec::new();
        for minute in 0..90 {
            let requests = BTreeMap::from([(Minute(START + minute), u64::from(minute % 5 + 1))]);
            let minutes = BTreeMap::from([(0, requests.clone()), (1, requests)]);
            said.extend(sources.note(now(minute), &Harvest { minutes, ..Harvest::default() }));
        }
        let [said] = said.try_into().expect("one sentence");
        assert!(said.contains("minute by minute: are they the same calls in two logs?"), "{said}");
    }
}

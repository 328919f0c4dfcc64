//! What is on disk becomes a running engine and its harvester: the state's marks say where to read on,
//! the day files' footers say which lines beyond them are counted already. This file never writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};

use crate::collect::log::LogId;
use crate::collect::tail::{Known, Tail};
use crate::config::Config;
use crate::count::ledger::{Completeness, Footer, Ledger};
use crate::count::query;
use crate::day::{Day, Minute};
use crate::engine::Engine;
use crate::harvest::{Counted, Harvester};
use crate::state::{self, Loaded, State};
use crate::usage::{Incomplete, Usage, history_span};

/// Operations that a window's status can tell apart.
const TOP_OPERATIONS: usize = 1000;

/// A run, about to begin.
pub struct Resumed {
    pub engine: Engine,
    pub harvester: Harvester,
    pub ledger: Ledger,
    /// What a person should know about the state found, if anything.
    pub warning: Option<String>,
}

/// Read state and ledger; nothing is changed on disk.
pub fn resume(config: &Arc<Config>, version: &'static str, now: DateTime<Utc>) -> anyhow::Result<Resumed> {
    let ledger = Ledger::new(&config.state_dir, &config.host);
    let (state, warning) = settle(state::load(&config.state_dir)?);
    let footers = ledger.footers().context("cannot read the ledger")?;
    let known = known_logs(&state, &footers);
    let incomplete = incomplete(&footers);
    let usages = usages(config, &ledger, Minute::at(now)).context("cannot read the ledger")?;
    let tail = Tail::new(config.sources.clone(), known).after(state.saved);
    let harvester = Harvester::new(tail, counted(&footers));
    let engine = Engine::new(config.clone(), version, state, usages, incomplete);
    Ok(Resumed { engine, harvester, ledger, warning })
}

fn settle(loaded: Loaded) -> (State, Option<String>) {
    match loaded {
        Loaded::Fresh => (State::default(), None),
        Loaded::Good(state) => (state, None),
        Loaded::Previous(state, why) => (
            state,
            Some(format!("{why}; going on from the state before it: lines are read again, none is counted twice")),
        ),
        Loaded::Lost(why) => {
            let cost = "logs are to be read again from their start; what the ledger holds is not counted twice";
            (State::default(), Some(format!("{why}; {cost}")))
        }
    }
}

/// Every log that state or footers name, the longest unseen first. A log is known again by its furthest mark,
/// wherever that is written; it is read on from the state's mark, or from where it began where the state has
/// none: its first commit was cut short, or the state is lost. What lies between is skipped by the footers.
pub(crate) fn known_logs(state: &State, footers: &[Footer]) -> Vec<Known> {
    let mut known: BTreeMap<LogId, (Option<Day>, Known)> = BTreeMap::new();
    let resumes = state.marks.iter().map(|mark| (None, mark, mark.offset));
    let rereads =
        footers.iter().flat_map(|footer| footer.marks.iter().map(move |mark| (Some(footer.day), mark, mark.begun)));
    for (day, mark, resume) in resumes.chain(rereads) {
        let (last, log) = known.entry(mark.id).or_insert_with(|| (day, Known { mark: mark.clone(), resume }));
        *last = day.max(*last);
        if mark.offset > log.mark.offset {
            log.mark = mark.clone();
        }
    }
    let is_in_state: BTreeSet<LogId> = state.marks.iter().map(|mark| mark.id).collect();
    let mut known: Vec<_> = known.into_values().collect();
    known.sort_by_key(|(last, log)| (is_in_state.contains(&log.mark.id), *last));
    known.into_iter().map(|(_, log)| log).collect()
}

fn counted(footers: &[Footer]) -> Counted {
    let mut counted = Counted::default();
    for footer in footers {
        for mark in &footer.marks {
            let offset = counted.entry(mark.id).or_default().entry(footer.day).or_default();
            *offset = mark.offset.max(*offset);
        }
    }
    counted
}

fn incomplete(footers: &[Footer]) -> Incomplete {
    let mut incomplete = Incomplete::new();
    for footer in footers {
        if let Completeness::AtLeast { reasons } = &footer.completeness {
            incomplete.entry(footer.day).or_default().extend(reasons.iter().cloned());
        }
    }
    incomplete
}

fn usages(config: &Config, ledger: &Ledger, now: Minute) -> anyhow::Result<Vec<Usage>> {
    let usage = |quota: &crate::quota::Quota| {
        let minutes = query::minutes(ledger, history_span(quota, now), &quota.matching)?;
        let window = quota.window.span_at(now);
        let top = query::top_operations(ledger, window, &quota.matching, TOP_OPERATIONS)?;
        let top = top.into_iter().map(|(service, operation, units)| ((service, operation), units)).collect();
        Ok(Usage::new(quota.clone(), minutes, top, now))
    };
    config.quotas.iter().map(usage).collect()
}

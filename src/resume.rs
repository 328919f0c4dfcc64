//! What is on disk becomes a running engine and its harvester: the state's marks say where to read on,
//! the day files' footers say which lines beyond them are counted already. This file never writes.

use std::collections::BTreeMap;
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

/// Read state and ledger; nothing is changed on disk but a corrupt state's name.
pub fn resume(config: &Arc<Config>, version: &'static str, now: DateTime<Utc>) -> anyhow::Result<Resumed> {
    let ledger = Ledger::new(&config.state_dir, &config.host);
    let (state, warning) = settle(state::load(&config.state_dir)?);
    let footers = ledger.footers().context("cannot read the ledger")?;
    let known = known_logs(&state, &footers);
    let incomplete = incomplete(&footers);
    let usages = usages(config, &ledger, Minute::at(now)).context("cannot read the ledger")?;
    let tail = Tail::new(config.sources.clone(), known);
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
            let cost = "every log is read again from its start; what the ledger holds is not counted twice";
            (State::default(), Some(format!("{why}; {cost}")))
        }
    }
}

/// Every log that state or footers name. It is known again by its furthest mark, wherever that is written;
/// it is read on from the state's mark, or from its start where the state has none: its first commit was
/// cut short, or the state is lost. What lies between is skipped by the footers.
fn known_logs(state: &State, footers: &BTreeMap<Day, Footer>) -> Vec<Known> {
    let mut known: BTreeMap<LogId, Known> = BTreeMap::new();
    let resumes = state.marks.iter().map(|mark| (mark, mark.offset));
    let rereads = footers.values().flat_map(|footer| &footer.marks).map(|mark| (mark, 0));
    for (mark, resume) in resumes.chain(rereads) {
        let log = known.entry(mark.id).or_insert_with(|| Known { mark: mark.clone(), resume });
        if mark.offset > log.mark.offset {
            log.mark = mark.clone();
        }
    }
    known.into_values().collect()
}

fn counted(footers: &BTreeMap<Day, Footer>) -> Counted {
    let mut counted = Counted::default();
    for (day, footer) in footers {
        for mark in &footer.marks {
            counted.entry(mark.id).or_default().insert(*day, mark.offset);
        }
    }
    counted
}

fn incomplete(footers: &BTreeMap<Day, Footer>) -> Incomplete {
    let reasons = |footer: &Footer| match &footer.completeness {
        Completeness::Exact => None,
        Completeness::AtLeast { reasons } => Some(reasons.clone()),
    };
    footers.iter().filter_map(|(day, footer)| Some((*day, reasons(footer)?))).collect()
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

//! The ledger's minutes become a series a quota. A minute that the ledger does not hold saw no request, unless the ledger
//! knows that something is missing.
//! This file never writes; a daemon may be running.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::series::{Limit, Series, Unsaid};
use crate::config::Config;
use crate::count::ledger::{Completeness, Ledger};
use crate::count::query::{self, Recent, Spent};
use crate::day::{Calendar, Day, Minute};
use crate::quota::{Costs, Match};
use crate::{resume, state};

/// Whose requests are a series, and what limits them.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: String,
    pub calendar: Calendar,
    pub limit: Limit,
    pub matching: Match,
    pub costs: Costs,
}

/// The days of the ledger that are over at `now`, for each that is wanted.
pub fn series(config: &Config, wanted: &[Wanted], now: DateTime<Utc>) -> anyhow::Result<Vec<Series>> {
    let ledger = Ledger::new(&config.state_dir, &config.host);
    // Before the ledger is read, so that a daemon's commit between the two cannot look like a loss.
    let state = state::load(&config.state_dir)?;
    let mut missing = Completeness::Exact;
    missing.add(resume::missing(&state, &ledger, now, config.keep_days).into_iter().map(|(_, reason)| reason));
    wanted
        .iter()
        .map(|wanted| {
            let all = Minute(0)..Minute::at(now);
            let counted = query::spent(&ledger, all, &wanted.matching, &wanted.costs, Recent::NOBODY)?;
            Ok(one(wanted, counted, &missing, now))
        })
        .collect()
}

fn one(wanted: &Wanted, counted: Spent, missing: &Completeness, now: DateTime<Utc>) -> Series {
    let calendar = wanted.calendar;
    Series {
        name: wanted.name.clone(),
        calendar,
        limit: wanted.limit,
        doubtful: doubtful(&counted, missing, calendar),
        rows: counted.units.into_iter().collect(),
        width: 1,
        unsaid: Unsaid::Nothing,
        end: calendar.day_of(Minute::at(now)),
    }
}

/// The days that a reason touches.
fn doubtful(counted: &Spent, missing: &Completeness, calendar: Calendar) -> BTreeSet<Day> {
    let mut reasons = missing.reasons().to_vec();
    reasons.extend(counted.incomplete.values().flat_map(|of| of.reasons().to_vec()));
    let days = counted.units.keys().next().zip(counted.units.keys().next_back());
    let Some((first, last)) = days.map(|(first, last)| (calendar.day_of(*first), calendar.day_of(*last))) else {
        return BTreeSet::new();
    };
    let all = std::iter::successors(Some(first), |day| (*day < last).then(|| day.next()));
    all.filter(|day| reasons.iter().any(|reason| reason.touches(&calendar.span(*day)))).collect()
}

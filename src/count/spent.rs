//! What the ledger says that a quota's requests used: units and requests a minute, and who spent them lately.
//! This file never writes, and never decides what a request costs: the quota's rules do.

use std::collections::BTreeMap;
use std::ops::Range;

use polars::prelude::{DataFrame, PolarsResult};

use super::batch;
use super::completeness::Completeness;
use super::counting::{each_combination, text_columns};
use super::day_file::DayFile;
use super::ledger::Ledger;
use super::query::{FileOf, files_in, not_counted, read_all};
use super::tally::Minutes;
use crate::day::{Day, Minute};
use crate::quota::{Column, Costs, Match};

/// Minutes of an hour, as which spending is kept where it is not recent.
const HOUR: u32 = 60;

/// UTC days in which lines may be missing, and why.
pub type Incomplete = BTreeMap<Day, Completeness>;

/// Units a minute of the requests that match, from the ledger; minutes without any are left out.
#[derive(Debug, Default)]
pub struct UnitsAMinute {
    pub minutes: Minutes,
    /// UTC days in which lines may be missing, files that could not be read among them.
    pub incomplete: Incomplete,
}

/// What a quota's requests used.
#[derive(Debug, Default)]
pub struct Spent {
    /// Units a minute; minutes without any are left out.
    pub units: Minutes,
    /// Requests a minute, those that cost nothing too.
    pub requests: Minutes,
    /// Units by service and operation, a minute or, where it is not recent, an hour.
    pub by: BTreeMap<(String, String), Minutes>,
    /// UTC days in which lines may be missing, files that could not be read among them.
    pub incomplete: Incomplete,
}

/// From when on it is asked who spent.
#[derive(Clone, Copy, Debug)]
pub struct Recent {
    /// By the hour from here on ...
    pub hours_from: Minute,
    /// ... and by the minute from here on.
    pub minutes_from: Minute,
}

impl Recent {
    /// Nobody is asked for.
    pub const NOBODY: Recent = Recent { hours_from: Minute(u32::MAX), minutes_from: Minute(u32::MAX) };

    fn slot(self, minute: Minute) -> Option<Minute> {
        let floor = Minute(minute.0 - minute.0 % HOUR);
        (floor >= self.hours_from).then_some(if minute >= self.minutes_from { minute } else { floor })
    }
}

/// The units of each minute in a span, as the log tells them. A damaged file is left out, and its day said to be
/// incomplete.
pub fn minutes(ledger: &Ledger, span: Range<Minute>, matching: &Match) -> anyhow::Result<UnitsAMinute> {
    let Spent { units, incomplete, .. } = spent(ledger, span, matching, &Costs::default(), Recent::NOBODY)?;
    Ok(UnitsAMinute { minutes: units, incomplete })
}

/// What the requests of a span used that match, each at its cost. A damaged file is left out, and its day said to be
/// incomplete.
pub fn spent(
    ledger: &Ledger,
    span: Range<Minute>,
    matching: &Match,
    costs: &Costs,
    recent: Recent,
) -> anyhow::Result<Spent> {
    let files = files_in(ledger, &(Some(span.start)..Some(span.end)))?;
    let rules = Rules { span, matching, costs, recent };
    let add = |sum: &mut Spent, file: &FileOf, read: Result<DayFile, String>| {
        let mut reasons = Completeness::Exact;
        let added = read.and_then(|day| {
            reasons.add(day.footer.completeness.reasons().iter().cloned());
            rules.add(&day.rows, &day.footer.host, sum).map_err(|error| error.to_string())
        });
        if let Err(what) = added {
            reasons.add([not_counted(file, &what)]);
        }
        if !reasons.is_exact() {
            sum.incomplete.entry(file.0).or_default().add(reasons.reasons().iter().cloned());
        }
    };
    let parts = read_all(&files, &rules.columns(), &mut |_, _| {}, Spent::default, add)?;
    Ok(parts.into_iter().reduce(Spent::merge).unwrap_or_default())
}

/// Which rows are asked for, and what each of their requests costs.
struct Rules<'a> {
    span: Range<Minute>,
    matching: &'a Match,
    costs: &'a Costs,
    recent: Recent,
}

impl Rules<'_> {
    /// The label columns that an answer depends on.
    fn needed(&self) -> Vec<Column> {
        let mut needed: Vec<Column> = self.matching.columns().chain(self.costs.columns()).collect();
        if self.recent.hours_from < self.span.end {
            needed.extend([Column::Service, Column::Operation]);
        }
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    fn columns(&self) -> Vec<&'static str> {
        let always = [batch::MINUTE, batch::REQUESTS, batch::UNITS, batch::STATUS];
        always.into_iter().chain(text_columns(&self.needed())).collect()
    }

    fn add(&self, rows: &DataFrame, host: &str, sum: &mut Spent) -> PolarsResult<()> {
        let (combinations, of_row) = each_combination(rows, &self.needed(), host, |label| {
            let who = || (label(Column::Service).into_owned(), label(Column::Operation).into_owned());
            self.matching.accepts(label).then(|| (self.costs.cost(label), who()))
        })?;
        let mut by: Vec<Minutes> = vec![Minutes::new(); combinations.len()];
        let requests = rows.column(batch::REQUESTS)?.u64()?.cont_slice()?;
        let logged = rows.column(batch::UNITS)?.u64()?.cont_slice()?;
        for (row, minute) in batch::minutes(rows)?.into_iter().enumerate() {
            let of = of_row[row] as usize;
            let Some((cost, _)) = combinations[of].as_ref().filter(|_| self.span.contains(&minute)) else { continue };
            add(&mut sum.requests, minute, requests[row]);
            let units = cost.units(requests[row], logged[row]);
            if units > 0 {
                add(&mut sum.units, minute, units);
                self.recent.slot(minute).into_iter().for_each(|slot| add(&mut by[of], slot, units));
            }
        }
        for (combination, minutes) in combinations.into_iter().zip(by) {
            if let Some((_, who)) = combination.filter(|_| !minutes.is_empty()) {
                add_all(sum.by.entry(who).or_default(), minutes);
            }
        }
        Ok(())
    }
}

impl Spent {
    fn merge(mut self, other: Spent) -> Spent {
        add_all(&mut self.units, other.units);
        add_all(&mut self.requests, other.requests);
        for (who, minutes) in other.by {
            add_all(self.by.entry(who).or_default(), minutes);
        }
        for (day, completeness) in other.incomplete {
            self.incomplete.entry(day).or_default().add(completeness.reasons().iter().cloned());
        }
        self
    }
}

fn add(minutes: &mut Minutes, minute: Minute, count: u64) {
    let sum = minutes.entry(minute).or_default();
    *sum = sum.saturating_add(count);
}

fn add_all(minutes: &mut Minutes, more: Minutes) {
    if minutes.is_empty() {
        *minutes = more;
        return;
    }
    more.into_iter().for_each(|(minute, count)| add(minutes, minute, count));
}

//! `daycap backtest`: past days replayed, and how forecasts and alerts would have fared.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::{Done, Failure, Terms, bare, configured, print, tell as say, zone};
use crate::backtest::counts::Counts;
use crate::backtest::ledger::{self, Wanted};
use crate::backtest::series::{Limit, Series};
use crate::backtest::{self, tell};
use crate::cli::{Backtest, Listing};
use crate::config::Config;
use crate::publish::alert::Alerting;
use crate::quota::{Costs, Match, Quota, WindowKind};
use crate::raw::STDIN;

/// The percentile of a series' own days that is its limit where nobody says another.
const LIMIT_DEFAULT: Limit = Limit::Percentile(85);

pub fn backtest(asked: &Backtest, terms: &Terms, out: &mut dyn Write) -> Done {
    let limit = asked.limit.as_deref().map(limit).transpose()?;
    let surroundings = (terms.surroundings)();
    let config = configured(&asked.place, &surroundings)?.unwrap_or_else(|| bare(&asked.place, &surroundings));
    let from_ledger = || from_ledger(asked, limit, &config, terms);
    let series = if asked.counts.is_empty() { from_ledger()? } else { from_counts(asked, limit)? };
    let told = if asked.alerts { tell_alerts(&series, asked, &config.alerting) } else { tell_figures(&series, asked) };
    print(out, &told)
}

fn tell_figures(series: &[Series], asked: &Backtest) -> String {
    let told = backtest::backtest(series, asked.history);
    match asked.format {
        Listing::Table => tell::table(&told),
        Listing::Csv => tell::csv(&told),
        Listing::Json => tell::json(&told),
    }
}

fn tell_alerts(series: &[Series], asked: &Backtest, alerting: &Alerting) -> String {
    let fired = backtest::alerts(series, asked.history, alerting);
    match asked.format {
        Listing::Table => tell::fired_table(&fired),
        Listing::Csv => tell::fired_csv(&fired),
        Listing::Json => tell::fired_json(&fired),
    }
}

fn from_counts(asked: &Backtest, limit: Option<Limit>) -> Result<Vec<Series>, Failure> {
    let zone = zone(asked.tz.as_deref().unwrap_or("UTC"))?;
    let mut counts = Counts::new(zone, limit.unwrap_or(LIMIT_DEFAULT));
    for file in &asked.counts {
        read(&mut counts, file).map_err(|what| anyhow::anyhow!(what))?;
    }
    Ok(counts.finish().map_err(|what| anyhow::anyhow!(what))?)
}

fn read(counts: &mut Counts, file: &str) -> Result<(), String> {
    if file == STDIN {
        return counts.read("standard input", std::io::stdin().lock(), "counts");
    }
    let content = File::open(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let name = Path::new(file).file_stem().map_or(file.into(), |stem| stem.to_string_lossy());
    counts.read(file, content, &name)
}

fn from_ledger(asked: &Backtest, limit: Option<Limit>, config: &Config, terms: &Terms) -> Result<Vec<Series>, Failure> {
    let wanted = wanted(asked, limit, config)?;
    let place = config.state_dir.display();
    if !config.state_dir.join("usage").exists() {
        let remedy = "give the daemon's with --state, or counts with --counts";
        return Err(anyhow::anyhow!("there is no ledger in {place}; {remedy}").into());
    }
    Ok(ledger::series(config, &wanted, (terms.wall)())?)
}

/// Each configured quota; without any, all requests.
fn wanted(asked: &Backtest, limit: Option<Limit>, config: &Config) -> Result<Vec<Wanted>, Failure> {
    if config.quotas.is_empty() {
        let calendar = zone(asked.tz.as_deref().unwrap_or("UTC"))?.into();
        let (limit, matching, costs) = (limit.unwrap_or(LIMIT_DEFAULT), Match::default(), Costs::default());
        return Ok(vec![Wanted { name: "all".to_owned(), calendar, limit, matching, costs }]);
    }
    if asked.tz.is_some() {
        let what = "--tz: each configured quota has its own zone; leave --tz out, or give --counts";
        return Err(Failure::Usage(what.to_owned()));
    }
    let of = |quota: &Quota| Wanted {
        name: quota.name.clone(),
        calendar: quota.window.calendar,
        limit: limit.unwrap_or_else(|| limit_of_a_day(quota)),
        matching: quota.matching.clone(),
        costs: quota.costs.clone(),
    };
    Ok(config.quotas.iter().map(of).collect())
}

/// Days are what is replayed. A limit of 24 hours, whenever they begin, is held against each day; one of another time
/// says nothing of a day.
fn limit_of_a_day(quota: &Quota) -> Limit {
    let (name, kind) = (&quota.name, quota.window.kind);
    match kind {
        WindowKind::Day => Limit::Units(quota.limit.get()),
        WindowKind::Rolling | WindowKind::FirstCall | WindowKind::AnyDay => {
            say(&format!("quota {name:?}: its window is {kind}; its limit is held against calendar days"));
            Limit::Units(quota.limit.get())
        }
        WindowKind::Month { .. } | WindowKind::Hour => {
            say(&format!("quota {name:?}: its limit is of a window {kind}; days are held against p85, or --limit"));
            LIMIT_DEFAULT
        }
    }
}

/// `40000`, or `p85`.
fn limit(text: &str) -> Result<Limit, Failure> {
    let wrong = || {
        let remedy = "write units a day, as 40000, or a percentile of the series' own days, as p85";
        Failure::Usage(format!("--limit {text:?}: {remedy}"))
    };
    match text.strip_prefix('p') {
        Some(percent) => {
            percent.parse().ok().filter(|percent| *percent <= 100).map(Limit::Percentile).ok_or_else(wrong)
        }
        None => text.parse().ok().filter(|units| *units > 0).map(Limit::Units).ok_or_else(wrong),
    }
}

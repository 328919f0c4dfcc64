//! `daycap backtest`: past days replayed, and how forecasts and alerts would have fared.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::{Done, Failure, Terms, print, zone};
use crate::backtest::counts::Counts;
use crate::backtest::series::{Limit, Series};
use crate::backtest::{self, tell};
use crate::cli::Backtest;
use crate::raw::STDIN;

/// The percentile of a series' own days that is its limit unless another is given.
const PERCENTILE_DEFAULT: u32 = 85;

pub fn backtest(asked: &Backtest, _terms: &Terms, out: &mut dyn Write) -> Done {
    let series = read_counts(asked)?;
    let told = backtest::backtest(&series, asked.history);
    print(out, &tell::json(&told))
}

fn read_counts(asked: &Backtest) -> Result<Vec<Series>, Failure> {
    let limit = asked.limit.as_deref().map_or(Ok(Limit::Percentile(PERCENTILE_DEFAULT)), limit)?;
    let mut counts = Counts::new(zone(asked.tz.as_deref().unwrap_or("UTC"))?, limit);
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

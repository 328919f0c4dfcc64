//! `daycap verify`: the logs at hand counted once more, and what differs from the ledger.

use std::io::Write;
use std::time::Instant;

use chrono::NaiveDate;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde_json::{Value, json};

use super::{
    CONFIG_DEFAULT, Done, Failure, Outcome, Terms, bare, configured, print, read_only, since_until, tell, zone,
};
use crate::cli::{Listing, Verify};
use crate::config::Config;
use crate::count::ledger::Ledger;
use crate::day::{Day, Now};
use crate::publish::report::csv_line;
use crate::publish::text::{printable, thousands};
use crate::verify::{self, Checked, Verdict, Verified};

pub fn verify(asked: Verify, terms: &Terms, out: &mut dyn Write) -> Done {
    let (since, until) = since_until(asked.since.as_deref(), asked.until.as_deref()).map_err(Failure::Usage)?;
    let days = since.unwrap_or(Day(NaiveDate::MIN))..=until.unwrap_or(Day(NaiveDate::MAX));
    let (are_named, format) = (!asked.logs.is_empty(), asked.format);
    let config = settle(asked, terms)?;
    refuse_a_ledger_of_others(&config)?;
    let started = Instant::now();
    let now = || Now { wall: (terms.wall)(), uptime: started.elapsed() };
    let verified = verify::verify(&config, days, now)?;
    print(out, &render(&verified, format))?;
    tell_the_rest(&verified, are_named)
}

/// Without logs that are named, those of the configuration.
fn settle(asked: Verify, terms: &Terms) -> Result<Config, Failure> {
    let surroundings = (terms.surroundings)();
    let configured = configured(&asked.place, &surroundings)?;
    let is_configured = configured.is_some();
    let mut config = configured.unwrap_or_else(|| bare(&asked.place, &surroundings));
    if !asked.logs.is_empty() {
        read_only(&mut config, asked.logs, zone(&asked.tz)?);
    }
    if config.sources.is_empty() {
        let what = if is_configured {
            "the configuration has no [[source]]".to_owned()
        } else {
            format!("there is no configuration at {CONFIG_DEFAULT}")
        };
        let remedy = "name the logs to recount, as in `daycap verify logs/*.log*`, or give --config FILE";
        return Err(Failure::Usage(format!("{what}; {remedy}")));
    }
    Ok(config)
}

/// A wrong directory or a wrong host must not look like a ledger without a fault.
fn refuse_a_ledger_of_others(config: &Config) -> Result<(), Failure> {
    let ledger = Ledger::new(&config.state_dir, &config.host);
    let files = ledger.files()?;
    if files.iter().any(|(day, _, path)| *path == ledger.file(*day)) {
        return Ok(());
    }
    let place = config.state_dir.display();
    let Some((_, other, _)) = files.last() else {
        return Err(
            anyhow::anyhow!("there is no ledger in {place}; give the daemon's with --state or state.dir").into()
        );
    };
    let host = &config.host;
    Err(anyhow::anyhow!(
        "the ledger in {place} has no day of host {host:?}, but of {other:?}: set state.host, or verify it there"
    )
    .into())
}

fn tell_the_rest(verified: &Verified, are_named: bool) -> Done {
    if verified.not_counted_yet > 0 {
        let count = thousands(verified.not_counted_yet);
        tell(&format!("{count} requests at hand are not in the ledger yet; they are no difference"));
    }
    let is_wrong = |checked: &Checked| matches!(checked.verdict, Verdict::Differs { .. } | Verdict::Damaged(_));
    let what = |problem: &crate::collect::tail::Problem| format!("{}: {}", problem.path, problem.what);
    match verified.problems.split_first() {
        // Who names a log wants it read.
        Some((first, rest)) if are_named => {
            rest.iter().for_each(|problem| tell(&what(problem)));
            return Err(anyhow::anyhow!(what(first)).into());
        }
        _ => verified.problems.iter().for_each(|problem| tell(&what(problem))),
    }
    Ok(if verified.days.iter().any(is_wrong) { Outcome::Differs } else { Outcome::Done })
}

fn render(verified: &Verified, format: Listing) -> String {
    match format {
        Listing::Table => table(&verified.days),
        Listing::Csv => csv(&verified.days),
        Listing::Json => json_text(verified),
    }
}

fn table(days: &[Checked]) -> String {
    if days.is_empty() {
        return "no days\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    table.set_header(["day", "ledger", "recounted", "verdict"]);
    for checked in days {
        let (word, detail) = words(&checked.verdict);
        let verdict = if detail.is_empty() { word.to_owned() } else { format!("{word}: {detail}") };
        let counts = [checked.ledger, checked.recounted].map(thousands);
        table.add_row([checked.day.to_string()].into_iter().chain(counts).chain([printable(&verdict)]));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    for column in table.column_iter_mut().skip(1).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn csv(days: &[Checked]) -> String {
    let header = ["day", "ledger", "recounted", "verdict", "detail"].map(str::to_owned);
    let line = |checked: &Checked| {
        let (word, detail) = words(&checked.verdict);
        let fields = [checked.day.to_string(), checked.ledger.to_string(), checked.recounted.to_string()];
        csv_line(fields.into_iter().chain([word.to_owned(), detail]))
    };
    csv_line(header.into_iter()) + &days.iter().map(line).collect::<String>()
}

fn json_text(verified: &Verified) -> String {
    let day = |checked: &Checked| {
        let (word, detail) = words(&checked.verdict);
        json!({
            "day": checked.day,
            "ledger": checked.ledger,
            "recounted": checked.recounted,
            "verdict": word,
            "detail": detail,
        })
    };
    let days: Vec<Value> = verified.days.iter().map(day).collect();
    format!("{:#}\n", json!({ "days": days, "not_counted_yet": verified.not_counted_yet }))
}

/// A verdict's word, and what there is to say beside it.
fn words(verdict: &Verdict) -> (&'static str, String) {
    match verdict {
        Verdict::Equal => ("equal", String::new()),
        Verdict::Differs { more, less, cells } => ("differs", difference(*more, *less, *cells)),
        Verdict::NotAtHand { missing, of, last_seen } => {
            let are = if *missing == 1 { "is" } else { "are" };
            ("cannot be checked", format!("{missing} of {of} logs {are} not at hand (last seen as {last_seen})"))
        }
        Verdict::Unstamped(log) => {
            ("cannot be checked", format!("lines of {log} have no time stamp; they were counted when they arrived"))
        }
        Verdict::Damaged(what) => ("damaged", what.clone()),
    }
}

fn difference(more: u64, less: u64, cells: u64) -> String {
    let what = match (more, less) {
        (0, 0) => "other units".to_owned(),
        (more, 0) => format!("{} more", thousands(more)),
        (0, less) => format!("{} less", thousands(less)),
        (more, less) => format!("{} more and {} less", thousands(more), thousands(less)),
    };
    format!("ledger has {what} in {} cell{}", thousands(cells), if cells == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_what_the_ledger_has() {
        assert_eq!(difference(3, 0, 1), "ledger has 3 more in 1 cell");
        assert_eq!(difference(0, 1200, 7), "ledger has 1,200 less in 7 cells");
        assert_eq!(difference(3, 2, 5), "ledger has 3 more and 2 less in 5 cells");
        assert_eq!(difference(0, 0, 1), "ledger has other units in 1 cell");
    }
}

//! `daycap report`: from logs as they are, else from the ledger.

use std::io::Write;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Done, Failure, Terms, bare, configured, expand, print, since_until, tell, zone};
use crate::cli::{Format, Report};
use crate::collect::Reading;
use crate::count::ledger::Ledger;
use crate::count::query::{self, By, Query};
use crate::day::{Day, Minute};
use crate::publish::report::{OutputFormat, notes, render};
use crate::quota::{Column, Match, Pattern};
use crate::{raw, resume, state};

/// Shorter input is read before a bar could be looked at.
const PROGRESS_BYTES_MIN: u64 = 64 << 20;

pub fn report(asked: &Report, terms: &Terms, out: &mut dyn Write) -> Done {
    let query = settle(asked, (terms.wall)()).map_err(Failure::Usage)?;
    let report =
        if asked.logs.is_empty() { from_ledger(asked, &query, terms)? } else { from_logs(asked, &query, terms)? };
    if asked.format == Format::Csv {
        // Its columns are fixed and its rows are data.
        notes(&report).lines().for_each(tell);
    }
    print(out, &render(&report, output_format(asked.format)))
}

fn output_format(format: Format) -> OutputFormat {
    match format {
        Format::Table => OutputFormat::Table,
        Format::Csv => OutputFormat::Csv,
        Format::Json => OutputFormat::Json,
        Format::Markdown => OutputFormat::Markdown,
    }
}

fn from_ledger(asked: &Report, query: &Query, terms: &Terms) -> Result<query::Report, Failure> {
    let surroundings = (terms.surroundings)();
    let config = configured(&asked.place, &surroundings)?.unwrap_or_else(|| bare(&asked.place, &surroundings));
    if !config.state_dir.join("usage").exists() {
        tell(&format!("there is no ledger in {} yet; give logs to count, or --state DIR", config.state_dir.display()));
    }
    let ledger = Ledger::new(&config.state_dir, &config.host);
    let bar = bar(terms.draws_progress, 0, "{bar:40} {pos}/{len} days");
    // Before the ledger is read, so that a daemon's commit between the two cannot look like a loss.
    let state = state::load(&config.state_dir)?;
    let missing = resume::missing(&state, &ledger, (terms.wall)(), config.keep_days);
    let told = query::report(&ledger, query, &missing, &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    Ok(told?)
}

fn from_logs(asked: &Report, query: &Query, terms: &Terms) -> Result<query::Report, Failure> {
    let paths = expand(&asked.logs)?;
    let bytes = raw::bytes_of(&paths).unwrap_or(0);
    let bar = bar(
        terms.draws_progress && bytes >= PROGRESS_BYTES_MIN,
        bytes,
        "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    );
    let surroundings = (terms.surroundings)();
    let reading = Reading::unsettled(query.zone);
    let counted = raw::report(&paths, &reading, query, &surroundings.hostname, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let (report, read) = counted?;
    tell_what_was_left(&read);
    Ok(report)
}

fn tell_what_was_left(read: &raw::Read) {
    for path in &read.unterminated {
        tell(&format!("{path}: the last line has no end yet and is not counted"));
    }
    read.notices.iter().for_each(|notice| tell(notice));
    let lines = &read.lines;
    if lines.rejected() > 0 {
        let reasons = [
            (lines.malformed, "malformed"),
            (lines.no_time, "without a time stamp"),
            (lines.bad_time, "with an unreadable time stamp"),
        ];
        let told: Vec<_> =
            reasons.iter().filter(|(count, _)| *count > 0).map(|(count, reason)| format!("{count} {reason}")).collect();
        let all = lines.rejected() + lines.counted + lines.skipped;
        tell(&format!(
            "{} of {all} lines could not be read: {}; `daycap explain FILE` shows them",
            lines.rejected(),
            told.join(", ")
        ));
    }
}

fn bar(draws: bool, length: u64, template: &str) -> ProgressBar {
    let target = if draws { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length), target).with_style(style)
}

fn settle(asked: &Report, now: DateTime<Utc>) -> Result<Query, String> {
    let zone = zone(&asked.tz).map_err(|failure| match failure {
        Failure::Usage(text) | Failure::Busy(text) => text,
        Failure::Failed(error) => error.to_string(),
    })?;
    let by: Vec<By> = asked
        .by
        .iter()
        .map(|name| name.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("--by: {error}"))?;
    let matching = asked.matching.iter().map(|pair| settle_match(pair)).collect::<Result<_, _>>()?;
    Ok(Query { span: span(asked, zone, now)?, by, matching: Match(matching), zone })
}

fn settle_match(pair: &str) -> Result<(Column, Pattern), String> {
    let (column, value) =
        pair.split_once('=').ok_or_else(|| format!("--where {pair:?}: write a column and its value as key=prod"))?;
    let column = column.trim().parse().map_err(|error| format!("--where {pair:?}: {error}"))?;
    Ok((column, value.into()))
}

fn span(asked: &Report, zone: Tz, now: DateTime<Utc>) -> Result<Range<Option<Minute>>, String> {
    if let Some(last) = &asked.last {
        return span_of_last(last, zone, now).map(|span| Some(span.start)..Some(span.end));
    }
    if let Some(month) = &asked.month {
        let first: Day =
            format!("{month}-01").parse().map_err(|_| format!("--month {month:?}: write it as 2026-11"))?;
        return Ok(Some(first.span(zone).start)..Some(first.next_month().span(zone).start));
    }
    let (since, until) = since_until(asked.since.as_deref(), asked.until.as_deref())?;
    Ok(since.map(|day| day.span(zone).start)..until.map(|day| day.span(zone).end))
}

pub(super) fn span_of_last(text: &str, zone: Tz, now: DateTime<Utc>) -> Result<Range<Minute>, String> {
    let wrong = || format!("--last {text:?}: write whole days as 7d, or whole hours as 24h");
    let count = |unit| text.strip_suffix(unit).and_then(|count| count.parse::<u16>().ok()).filter(|count| *count > 0);
    let end = Minute::at(now);
    if let Some(days) = count('d') {
        let today = Day::of(end, zone);
        return Ok(today.plus(1 - i64::from(days)).span(zone).start..today.span(zone).end);
    }
    let hours = count('h').ok_or_else(wrong)?;
    Ok(Minute::at(now - TimeDelta::hours(i64::from(hours)))..Minute(end.0 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    /// The span that these words ask for, as local text.
    fn check(words: &str, expected: &str) {
        let cli =
            Cli::try_parse_from(["daycap", "report"].into_iter().chain(words.split_whitespace())).expect("parses");
        let Command::Report(asked) = cli.command else { panic!("not a report") };
        let now: DateTime<Utc> = "2026-11-22T14:30:20Z".parse().expect("a time");
        let text = match settle(&asked, now) {
            Ok(query) => {
                let tell = |minute: Option<Minute>| {
                    minute.map_or("-".to_owned(), |minute| minute.start().format("%Y-%m-%dT%H:%M").to_string())
                };
                format!("{} {}", tell(query.span.start), tell(query.span.end))
            }
            Err(error) => error,
        };
        assert_eq!(text, expected, "{words}");
    }

    #[test]
    fn a_span_is_told_in_days_months_or_hours() {
        check("", "- -");
        check("--since 2026-11-01", "2026-11-01T00:00 -");
        check("--since 2026-11-01 --until 2026-11-01", "2026-11-01T00:00 2026-11-02T00:00");
        check("--last 1d", "2026-11-22T00:00 2026-11-23T00:00");
        check("--last 7d --tz Asia/Tokyo", "2026-11-15T15:00 2026-11-22T15:00");
        check("--last 24h", "2026-11-21T14:30 2026-11-22T14:31");
        check("--month 2026-12 --tz Europe/Berlin", "2026-11-30T23:00 2026-12-31T23:00");
    }

    #[test]
    fn a_wrong_span_is_answered_with_the_right_form() {
        check(
            "--since 2026-11-02 --until 2026-11-01",
            "--since 2026-11-02 is after --until 2026-11-01; both days are included, the earlier one first",
        );
        check("--since yesterday", "--since: \"yesterday\" is not a day; write it as 2026-11-22");
        check("--last week", "--last \"week\": write whole days as 7d, or whole hours as 24h");
        check("--month 2026", "--month \"2026\": write it as 2026-11");
        check("--where key", "--where \"key\": write a column and its value as key=prod");
    }
}

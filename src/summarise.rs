//! One finished day becomes its summary: the ledger is asked, that day's forecasts are replayed, and
//! `<state>/summaries/2026-11-22.md` and `.json` are written. This file reads no clock and no log.

use crate::config::Config;
use crate::count::ledger::Ledger;
use crate::count::query::{self, By, Query, Recent};
use crate::day::{Day, Minute};
use crate::forecast::{HISTORY_DAYS, bins};
use crate::publish::quota_day::{QuotaDay, quota_day};
use crate::publish::summary::{self, Counted, Summary};
use crate::quota::{Column, Match, Quota};
use crate::usage::history_span;

/// Write the summary of `day`, a day of the configuration's summary zone.
pub fn day(ledger: &Ledger, config: &Config, day: Day) -> anyhow::Result<()> {
    let zone = config.summary_zone();
    let span = day.span(zone);
    let report = |column| {
        let (span, by) = (Some(span.start)..Some(span.end), vec![By::Label(column)]);
        query::report(ledger, &Query { span, by, matching: Match::default(), zone }, &[], &mut |_, _| {})
    };
    let counted = Counted {
        by_service: &report(Column::Service)?,
        by_operation: &report(Column::Operation)?,
        by_status: &report(Column::Status)?,
        minutes: &query::minutes(ledger, span.clone(), &Match::default())?.minutes,
    };
    let quotas = config.quotas.iter().map(|quota| judge(ledger, quota, day)).collect::<Result<_, _>>()?;
    let summary = Summary::of(day, zone, &config.host, quotas, &counted);
    Ok(summary::write(&config.state_dir.join("summaries"), &summary)?)
}

fn judge(ledger: &Ledger, quota: &Quota, day: Day) -> anyhow::Result<QuotaDay> {
    let calendar = quota.window.calendar;
    let end = calendar.span(day).end;
    let span = history_span(quota, Minute(end.0.saturating_sub(1))).start..end;
    let spent = query::spent(ledger, span, &quota.matching, &quota.costs, Recent::NOBODY)?;
    let history = bins::past_days(&spent.units, calendar, day, HISTORY_DAYS, &spent.incomplete);
    Ok(quota_day(quota, day, &spent.units, &spent.incomplete, &history))
}

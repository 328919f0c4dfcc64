//! Questions to the ledger: day totals and group-bys for reports, minutes for quotas and forecasts. Files
//! are read in parallel, each reduced to its groups before the next is opened, so that memory holds a few
//! days' rows however many years are asked for.
//! This file never writes.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::Context;
use chrono_tz::Tz;

pub use super::counting::Counting;
pub use super::group::By;
use super::ledger::{Completeness, DayFile, Ledger, ReadError, read_day};
use super::tally::Minutes;
use crate::day::{Day, Minute};
use crate::quota::{Column, Match};

/// Beyond these, reading is bound by memory and not by cores.
const READERS_MAX: usize = 8;

/// What a report is asked.
#[derive(Clone, Debug)]
pub struct Query {
    /// Half-open, in UTC minutes; `None`: everything.
    pub span: Range<Option<Minute>>,
    pub by: Vec<By>,
    pub matching: Match,
    /// Whose calendar hours, days, weeks and months are.
    pub zone: Tz,
}

/// One group of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// One text a `by` column: `2026-11-22`, `2026-11-22T14:00+01:00` for an hour, `2026-W47`, `2026-11`, else the
    /// label; a status that no response says is empty.
    pub group: Vec<String>,
    pub requests: u64,
    /// Requests with a status of 400 or more.
    pub errors: u64,
    pub units: u64,
    pub bytes: u64,
    /// Interpolated in the duration buckets; `None` where no request says its duration.
    pub duration_ms_p50: Option<f64>,
    pub duration_ms_p95: Option<f64>,
}

/// An answer, rows in order of their groups: calendar columns by time, labels by name.
#[derive(Clone, Debug)]
pub struct Report {
    pub by: Vec<By>,
    pub rows: Vec<Row>,
    /// Over all rows; its group is empty.
    pub total: Row,
    /// `AtLeast` if any day in it is.
    pub completeness: Completeness,
}

/// Answer from the ledger, all hosts together. `progress(done, of)` is told of each file read.
///
/// A damaged file does not keep the rest from answering: the report is then `AtLeast` and says which. The
/// ledger's days are UTC, so a day that is `AtLeast` marks a report whose local day only touches it.
pub fn report(ledger: &Ledger, query: &Query, progress: &mut dyn FnMut(u64, u64)) -> anyhow::Result<Report> {
    Ok(counted(ledger, query, progress)?.finish())
}

fn counted(ledger: &Ledger, query: &Query, progress: &mut dyn FnMut(u64, u64)) -> anyhow::Result<Counting> {
    let files = files_in(ledger, &query.span)?;
    let mut counting = Counting::new(query.clone(), "");
    let columns = counting.columns();
    for part in read_all(&files, &columns, progress, || counting.clone(), add_file)? {
        counting.merge(part);
    }
    Ok(counting)
}

fn add_file(counting: &mut Counting, day: Day, host: &str, read: Result<DayFile, String>) {
    let counted = read.and_then(|file| {
        if let Completeness::AtLeast { reasons } = &file.footer.completeness {
            counting.doubt(reasons.iter().map(|reason| format!("{day} {host}: {reason}")));
        }
        counting.add_ledger_rows(&file.rows, &file.footer.host).map_err(|error| error.to_string())
    });
    if let Err(what) = counted {
        counting.doubt([format!("{day} {host}: the day's file is not counted: {what}")]);
    }
}

/// Units a minute of the requests that match, from the ledger; minutes without any are left out. A damaged
/// file is left out with a warning; [`Ledger::footers`] leaves out the same days.
pub fn minutes(ledger: &Ledger, span: Range<Minute>, matching: &Match) -> anyhow::Result<Minutes> {
    let query =
        Query { span: Some(span.start)..Some(span.end), by: Vec::new(), matching: matching.clone(), zone: Tz::UTC };
    let files = files_in(ledger, &query.span)?;
    let counting = Counting::new(query, "");
    let start = || (counting.clone(), Minutes::new());
    let add = |(counting, minutes): &mut (Counting, Minutes), day: Day, host: &str, read: Result<DayFile, String>| {
        let added = read.and_then(|file| {
            counting.add_units_a_minute(&file.rows, &file.footer.host, minutes).map_err(|error| error.to_string())
        });
        if let Err(what) = added {
            tracing::warn!(%day, host, "the day's file is not counted: {what}");
        }
    };
    let mut all = Minutes::new();
    for (_, part) in read_all(&files, &counting.minute_columns(), &mut |_, _| {}, start, add)? {
        for (minute, units) in part {
            *all.entry(minute).or_default() += units;
        }
    }
    Ok(all)
}

/// The operations that spent most, in descending order: service, operation, units.
pub fn top_operations(
    ledger: &Ledger,
    span: Range<Minute>,
    matching: &Match,
    operations_max: usize,
) -> anyhow::Result<Vec<(String, String, u64)>> {
    let by = [Column::Service, Column::Operation].map(By::Label).to_vec();
    let query = Query { span: Some(span.start)..Some(span.end), by, matching: matching.clone(), zone: Tz::UTC };
    let rows = report(ledger, &query, &mut |_, _| {})?.rows;
    let named =
        |row: Row| <[String; 2]>::try_from(row.group).ok().map(|[service, operation]| (service, operation, row.units));
    let mut operations: Vec<_> = rows.into_iter().filter_map(named).collect();
    operations.sort_by(|a, b| b.2.cmp(&a.2));
    operations.truncate(operations_max);
    Ok(operations)
}

/// The day files that can hold a minute of the span.
fn files_in(ledger: &Ledger, span: &Range<Option<Minute>>) -> anyhow::Result<Vec<(Day, String, PathBuf)>> {
    let mut files = ledger.files()?;
    files.retain(|(day, ..)| {
        let minutes = day.span(Tz::UTC);
        span.start.is_none_or(|start| start < minutes.end) && span.end.is_none_or(|end| minutes.start < end)
    });
    Ok(files)
}

/// Read these columns of all files on a few threads. Each thread adds its files to what `start` gives it; what
/// cannot be understood is added as a sentence. An input or output error ends the whole.
fn read_all<A: Send>(
    files: &[(Day, String, PathBuf)],
    columns: &[&str],
    progress: &mut dyn FnMut(u64, u64),
    start: impl Fn() -> A + Sync,
    add: impl Fn(&mut A, Day, &str, Result<DayFile, String>) + Sync,
) -> anyhow::Result<Vec<A>> {
    let next = AtomicUsize::new(0);
    let (tell, told) = mpsc::channel();
    let read_some = |tell: mpsc::Sender<()>| {
        let mut sum = start();
        while let Some((day, host, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            add(&mut sum, *day, host, read(path, columns)?);
            // Nobody listens any more only when the caller's progress panicked.
            let _ = tell.send(());
        }
        anyhow::Ok(sum)
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..readers(files.len()))
            .map(|_| {
                scope.spawn({
                    let (tell, read_some) = (tell.clone(), &read_some);
                    move || read_some(tell)
                })
            })
            .collect();
        drop(tell);
        for (done, ()) in (1..).zip(told) {
            progress(done, files.len() as u64);
        }
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn readers(files: usize) -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX).min(files)
}

fn read(path: &Path, columns: &[&str]) -> anyhow::Result<Result<DayFile, String>> {
    match read_day(path, Some(columns)) {
        Ok(file) => Ok(Ok(file)),
        Err(ReadError::Io(error)) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        Err(error) => Ok(Err(error.to_string())),
    }
}

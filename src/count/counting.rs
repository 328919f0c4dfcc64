//! Rows, decoded just now or read from the ledger, are counted straight into the groups of a query: each
//! row's key is narrowed to what the query asks, then equal keys are added up.
//! This file never keeps a row it was not asked for.

use std::borrow::Cow;
use std::ops::Range;

use polars::prelude::{DataFrame, IntoColumn, PolarsResult, UInt64Chunked};

use super::batch::{self, BUCKETS, Distinct};
use super::completeness::{Completeness, Doubt, Reason};
use super::group::{Labels, Part, Times};
use super::query::{By, Query, Report, Row};
use super::sums::{self, Sums};
use crate::collect::request::{Columns, Decoded, Series, SeriesTable, TableIdentity, unpack};
use crate::day::Minute;
use crate::quota::Column;

/// A narrowed key, from its highest bits: the time group, the label group, the duration bucket, whether it
/// is an error. Time groups are at most one an hour of all 2^32 minutes: 27 bits.
const TIME_SHIFT: u32 = 37;
const LABEL_SHIFT: u32 = 8;
const LABELS_MAX: u32 = 1 << (TIME_SHIFT - LABEL_SHIFT);
const BUCKET_SHIFT: u32 = 1;

/// The lowest status that is an error.
const ERROR_STATUS_MIN: u16 = 400;

/// Counts rows straight into a report, without a ledger. Keep one a worker: the labels of a worker's table are
/// looked up once.
#[derive(Clone)]
pub struct Counting {
    query: Query,
    host: String,
    times: Times,
    labels: Labels,
    /// By series id of the table that was last added from.
    targets: Vec<Target>,
    targets_of: TableIdentity,
    sums: Sums,
    /// At most [`super::completeness::REASONS_MAX`] of each file.
    doubts: Vec<Doubt>,
}

/// What a series means to a query.
#[derive(Clone, Copy)]
enum Target {
    Unknown,
    Excluded,
    /// The narrowed key without its time.
    Group(u64),
}

impl Counting {
    pub fn new(query: Query, host: &str) -> Counting {
        let times = Times::new(&query.by, query.span.clone(), query.zone);
        let labels = Labels::new(&query.by, &query.matching);
        Counting {
            query,
            host: host.to_owned(),
            times,
            labels,
            targets: Vec::new(),
            targets_of: TableIdentity::default(),
            sums: Sums::default(),
            doubts: Vec::new(),
        }
    }

    /// Take the rows out of `decoded` and count them.
    pub fn add(&mut self, decoded: &mut Decoded) {
        let mut rows = std::mem::take(&mut decoded.rows);
        self.narrow(&mut rows, &decoded.series);
        let values = vec![column(batch::UNITS, rows.units), column(batch::BYTES, rows.bytes)];
        self.sums.push(sums::count_by(rows.key, values));
    }

    /// Keep the rows that the query asks for, moved to the front, their keys narrowed. Starts and durations are
    /// left behind: nothing here reads them.
    fn narrow(&mut self, rows: &mut Columns, series: &SeriesTable) {
        let mut targets = self.known_targets(series);
        let mut kept = 0;
        for row in 0..rows.len() {
            let (minute, id) = unpack(rows.key[row]);
            let target = &mut targets[id as usize];
            if let Target::Unknown = target {
                *target = self.target(&series.list()[id as usize]);
            }
            if let (Target::Group(group), Some(time)) = (*target, self.times.number(minute)) {
                rows.key[kept] = u64::from(time) << TIME_SHIFT | group;
                rows.units[kept] = rows.units[row];
                rows.bytes[kept] = rows.bytes[row];
                kept += 1;
            }
        }
        rows.key.truncate(kept);
        rows.units.truncate(kept);
        rows.bytes.truncate(kept);
        self.targets = targets;
    }

    /// What is known of this table's series: what was found for its earlier chunks, if it is the same table.
    fn known_targets(&mut self, series: &SeriesTable) -> Vec<Target> {
        let mut targets = std::mem::take(&mut self.targets);
        if self.targets_of != *series.identity() {
            self.targets_of = series.identity().clone();
            targets.clear();
        }
        targets.resize(series.list().len(), Target::Unknown);
        targets
    }

    /// Count a day file's rows. They need only the columns of [`Counting::columns`].
    pub(super) fn add_ledger_rows(&mut self, rows: &DataFrame, host: &str) -> PolarsResult<()> {
        let groups = self.groups_of(rows, host)?;
        let status = rows.column(batch::STATUS)?.u16()?;
        let bound = rows.column(batch::DURATION_LE_MS)?.f64()?;
        let minutes = batch::minutes(rows)?;
        let mut key = Vec::with_capacity(rows.height());
        let mut kept = Vec::with_capacity(rows.height());
        for (row, ((status, bound), minute)) in status.iter().zip(bound.iter()).zip(minutes).enumerate() {
            if let (Some(label), Some(time)) = (groups[row], self.times.number(minute)) {
                key.push(u64::from(time) << TIME_SHIFT | narrowed(label, bound, status));
                kept.push(row);
            }
        }
        let mut columns = vec![column(sums::PACKED, key)];
        for name in [batch::REQUESTS, batch::UNITS, batch::BYTES] {
            let values = rows.column(name)?.u64()?.cont_slice()?;
            columns.push(column(name, kept.iter().map(|row| values[*row]).collect()));
        }
        self.sums.push(sums::add_up(&DataFrame::new(kept.len(), columns)?));
        Ok(())
    }

    /// The ledger columns that [`Counting::add_ledger_rows`] reads.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let mut names = vec![batch::MINUTE, batch::STATUS, batch::DURATION_LE_MS];
        names.extend([batch::REQUESTS, batch::UNITS, batch::BYTES]);
        names.extend(self.text_columns());
        names
    }

    /// The label columns to read as text, but for the status, which is always read.
    fn text_columns(&self) -> Vec<&'static str> {
        text_columns(&self.labels.needed())
    }

    /// The label group of each row; `None` where the labels do not match.
    fn groups_of(&mut self, rows: &DataFrame, host: &str) -> PolarsResult<Vec<Option<u32>>> {
        let needed = self.labels.needed();
        let (groups, of_row) = each_combination(rows, &needed, host, |label| self.labels.number(label))?;
        Ok(of_row.into_iter().map(|of| groups[of as usize]).collect())
    }

    fn target(&mut self, series: &Series) -> Target {
        let host = &self.host;
        let label = self.labels.number(|column| label(series, host, column));
        let bound = series.duration.map(|bucket| bucket.upper_ms());
        label.map_or(Target::Excluded, |label| Target::Group(narrowed(label, bound, series.status)))
    }

    /// Lines of this host may be missing, if it is lines of the minutes that are asked for.
    pub(super) fn doubt(&mut self, host: &str, reasons: &[Reason]) {
        let span = self.span();
        let doubts = reasons.iter().filter(|reason| reason.touches(&span));
        self.doubts.extend(doubts.map(|reason| Doubt { reason: reason.clone(), host: host.to_owned() }));
    }

    /// All minutes that are asked for.
    fn span(&self) -> Range<Minute> {
        self.query.span.start.unwrap_or(Minute(0))..self.query.span.end.unwrap_or(Minute(u32::MAX))
    }

    /// Both must have been made for the same query.
    pub fn merge(&mut self, other: Counting) {
        let times = self.times.learn(other.times);
        let labels = self.labels.learn(other.labels);
        let translate = |key: &u64| {
            let (time, label, rest) = split(*key);
            u64::from(times[time as usize]) << TIME_SHIFT | group_bits(labels[label as usize]) | rest
        };
        for frame in other.sums.into_frames() {
            let keys = sums::keys(&frame).iter().map(translate).collect();
            self.sums.push(sums::with_keys(frame, keys));
        }
        self.doubts.extend(other.doubts);
    }

    pub fn finish(mut self) -> Report {
        // Files were read in any order; a reason that ran over midnight stands in two of them.
        self.doubts.sort_unstable();
        self.doubts.dedup();
        let mut total = Group::default();
        let mut rows: Vec<(Vec<Part>, Row)> = Vec::new();
        let compacted = std::mem::take(&mut self.sums).compacted();
        if let Some(sums) = compacted.map(|sums| sums::sorted(&sums)) {
            let [requests, units, bytes] =
                [batch::REQUESTS, batch::UNITS, batch::BYTES].map(|name| sums::integers(&sums, name));
            let mut first = 0;
            for run in sums::keys(&sums).chunk_by(|a, b| a >> LABEL_SHIFT == b >> LABEL_SHIFT) {
                let mut group = Group::default();
                for (row, key) in (first..).zip(run) {
                    group.add(*key, requests[row], units[row], bytes[row]);
                    total.add(*key, requests[row], units[row], bytes[row]);
                }
                let parts = self.parts(run[0]);
                let at_least = self.is_doubtful(&parts);
                let labels = parts.iter().map(Part::to_string).collect();
                rows.push((parts, Row { at_least, ..group.row(labels) }));
                first += run.len();
            }
        }
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        let total = Row { at_least: !self.doubts.is_empty(), ..total.row(Vec::new()) };
        Report { rows, total, completeness: self.completeness(), by: self.query.by }
    }

    fn completeness(&self) -> Completeness {
        let mut completeness = Completeness::Exact;
        completeness.add(self.doubts.iter().map(Doubt::told));
        completeness
    }

    /// Whether lines of this group may be missing. What their labels were nobody knows, but for the host.
    fn is_doubtful(&self, parts: &[Part]) -> bool {
        if self.doubts.is_empty() {
            return false;
        }
        let mut span = self.span();
        let mut of_host = None;
        for (by, part) in self.query.by.iter().zip(parts) {
            match (by, part) {
                (By::Label(Column::Host), Part::Label(host)) => of_host = Some(host),
                (_, part) => {
                    let minutes = part.minutes(self.query.zone).unwrap_or(Minute(0)..Minute(u32::MAX));
                    span = span.start.max(minutes.start)..span.end.min(minutes.end);
                }
            }
        }
        let mut doubts = self.doubts.iter();
        doubts.any(|doubt| doubt.reason.touches(&span) && of_host.is_none_or(|host| **host == *doubt.host))
    }

    /// A key's group, in the order of the query's columns.
    fn parts(&self, key: u64) -> Vec<Part> {
        let (time, label, _) = split(key);
        let mut times = self.times.parts(time).iter();
        let mut labels = self.labels.parts(label).iter();
        let part = |by: &By| match by {
            By::Label(_) => labels.next(),
            _ => times.next(),
        };
        self.query.by.iter().filter_map(part).cloned().collect()
    }
}

/// The ledger's text columns among these. The host is the whole file's, and a status is a number.
pub(super) fn text_columns(needed: &[Column]) -> Vec<&'static str> {
    needed
        .iter()
        .filter(|column| !matches!(column, Column::Host | Column::Status))
        .map(|column| column.name())
        .collect()
}

/// What `of` says of each combination of labels in these columns of a day file's rows, and which combination each
/// row is.
pub(super) fn each_combination<'a, T>(
    rows: &'a DataFrame,
    needed: &[Column],
    host: &'a str,
    mut of: impl FnMut(&dyn Fn(Column) -> Cow<'a, str>) -> T,
) -> PolarsResult<(Vec<T>, Vec<u32>)> {
    let mut names = text_columns(needed);
    if needed.contains(&Column::Status) {
        names.push(batch::STATUS);
    }
    let distinct = Distinct::of(rows, &names)?;
    let status = rows.column(batch::STATUS)?.u16()?;
    let texts = names.iter().filter(|name| **name != batch::STATUS);
    let texts: Vec<_> = texts.map(|name| Ok((*name, rows.column(name)?.str()?))).collect::<PolarsResult<_>>()?;
    let combination = |row: &usize| {
        of(&|column| match column {
            Column::Host => Cow::Borrowed(host),
            Column::Status => status_text(status.get(*row)),
            Column::Service | Column::Key | Column::Api | Column::Method | Column::Operation => {
                let text = texts.iter().find(|(name, _)| *name == column.name()).and_then(|(_, text)| text.get(*row));
                Cow::Borrowed(text.unwrap_or(crate::collect::request::NONE))
            }
        })
    };
    Ok((distinct.first_row.iter().map(combination).collect(), distinct.of_row))
}

fn column(name: &str, values: Vec<u64>) -> polars::prelude::Column {
    UInt64Chunked::from_vec(name.into(), values).into_column()
}

fn group_bits(label: u32) -> u64 {
    assert!(label < LABELS_MAX, "2^29 label groups do not fit in memory");
    u64::from(label) << LABEL_SHIFT
}

/// A key without its time.
fn narrowed(label: u32, bound_ms: Option<f64>, status: Option<u16>) -> u64 {
    let error = status.is_some_and(|status| status >= ERROR_STATUS_MIN);
    group_bits(label) | u64::from(batch::bucket_number(bound_ms)) << BUCKET_SHIFT | u64::from(error)
}

/// A key's time, label and the bits below.
fn split(key: u64) -> (u32, u32, u64) {
    // 27 and 29 bits: both fit.
    let label = (key >> LABEL_SHIFT) as u32 & (LABELS_MAX - 1);
    ((key >> TIME_SHIFT) as u32, label, key & ((1 << LABEL_SHIFT) - 1))
}

fn label<'a>(series: &'a Series, host: &'a str, column: Column) -> Cow<'a, str> {
    match column {
        Column::Host => Cow::Borrowed(host),
        Column::Service => Cow::Borrowed(&series.service),
        Column::Key => Cow::Borrowed(&series.key),
        Column::Api => Cow::Borrowed(&series.api),
        Column::Method => Cow::Borrowed(&series.method),
        Column::Operation => Cow::Borrowed(&series.operation),
        Column::Status => status_text(series.status),
    }
}

fn status_text(status: Option<u16>) -> Cow<'static, str> {
    status.map_or(Cow::Borrowed(""), |status| Cow::Owned(status.to_string()))
}

/// A report row in the making.
struct Group {
    requests: u64,
    errors: u64,
    units: u64,
    bytes: u64,
    /// Requests a duration bucket.
    durations: [u64; BUCKETS],
}

impl Default for Group {
    fn default() -> Group {
        Group { requests: 0, errors: 0, units: 0, bytes: 0, durations: [0; BUCKETS] }
    }
}

impl Group {
    fn add(&mut self, key: u64, requests: u64, units: u64, bytes: u64) {
        self.requests += requests;
        self.errors += requests * (key & 1);
        self.units = self.units.saturating_add(units);
        self.bytes = self.bytes.saturating_add(bytes);
        let bucket = (key >> BUCKET_SHIFT) as usize % BUCKETS;
        self.durations[bucket] += requests;
    }

    fn row(&self, group: Vec<String>) -> Row {
        Row {
            group,
            requests: self.requests,
            errors: self.errors,
            units: self.units,
            bytes: self.bytes,
            duration_ms_p50: quantile_ms(&self.durations, 0.50),
            duration_ms_p95: quantile_ms(&self.durations, 0.95),
            at_least: false,
        }
    }
}

/// The duration that this share of the requests stays under, as if those of a bucket were spread evenly from
/// its lower bound (the upper divided by sqrt 2) to its upper. So it is off by at most the bucket's width,
/// 29 % of its upper bound. Requests that state no duration take no part.
fn quantile_ms(requests_by_bucket: &[u64; BUCKETS], share: f64) -> Option<f64> {
    let stated = &requests_by_bucket[..usize::from(batch::NO_BUCKET)];
    // Counts are far below 2^53, where f64 stops being exact; beyond, a quantile needs no last digit.
    let rank = share * stated.iter().sum::<u64>() as f64;
    let mut below = 0.0;
    for (number, requests) in stated.iter().enumerate().filter(|(_, requests)| **requests > 0) {
        let inside = *requests as f64;
        if below + inside >= rank {
            let upper_ms = batch::bucket_upper_ms(number);
            let lower_ms = upper_ms / std::f64::consts::SQRT_2;
            return Some(lower_ms + (upper_ms - lower_ms) * (rank - below) / inside);
        }
        below += inside;
    }
    None
}

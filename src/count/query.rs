//! Day totals and group-bys, for reports and forecasts.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use chrono_tz::Tz;

use super::ledger::{Completeness, Ledger};
use super::tally::Minutes;
use crate::collect::request::Decoded;
use crate::day::Minute;
use crate::quota::{Column, Match};

/// What a report groups by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    Hour,
    Day,
    Week,
    Month,
    Label(Column),
}

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
    /// One text a `by` column: `2026-11-22`, `2026-11-22T14:00+01:00` for an hour, `2026-W47`, `2026-11`, else the label.
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

/// An answer, rows in order of their groups.
#[derive(Clone, Debug)]
pub struct Report {
    pub by: Vec<By>,
    pub rows: Vec<Row>,
    /// Over all rows; its group is empty.
    pub total: Row,
    /// `AtLeast` if any day in it is.
    pub completeness: Completeness,
}

/// Counts decoded rows straight into a report, without a ledger.
pub struct Counting {}

impl Counting {
    pub fn new(_query: Query, _host: &str) -> Counting {
        todo!()
    }

    /// Take the rows out of `decoded` and count them.
    pub fn add(&mut self, _decoded: &mut Decoded) {
        todo!()
    }

    pub fn merge(&mut self, _other: Counting) {
        todo!()
    }

    pub fn finish(self) -> Report {
        todo!()
    }
}

/// Answer from the ledger, all hosts together. `progress(done, of)` is told of each file read.
pub fn report(_ledger: &Ledger, _query: &Query, _progress: &mut dyn FnMut(u64, u64)) -> anyhow::Result<Report> {
    todo!()
}

/// Units a minute of the requests that match, from the ledger.
pub fn minutes(_ledger: &Ledger, _span: Range<Minute>, _matching: &Match) -> anyhow::Result<Minutes> {
    todo!()
}

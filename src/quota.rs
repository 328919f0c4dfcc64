//! What a provider allows: a limit of units inside a window, for the requests that match. Also the
//! columns that a match, a `--where` and a `--by` may name.
//! This file never counts anything.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Range;
use std::str::FromStr;

use chrono_tz::Tz;

use crate::day::{Day, Minute};

/// The label columns of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    Host,
    Service,
    Key,
    Api,
    Method,
    Operation,
    Status,
}

impl Column {
    pub const ALL: [Column; 7] =
        [Column::Host, Column::Service, Column::Key, Column::Api, Column::Method, Column::Operation, Column::Status];

    /// The column's name in the ledger, in `--by` and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Column::Host => "host",
            Column::Service => "service",
            Column::Key => "key",
            Column::Api => "api",
            Column::Method => "method",
            Column::Operation => "operation",
            Column::Status => "status",
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Column {
    type Err = String;

    fn from_str(text: &str) -> Result<Column, String> {
        Column::ALL.into_iter().find(|column| column.name() == text).ok_or_else(|| {
            let names: Vec<_> = Column::ALL.iter().map(|column| column.name()).collect();
            format!("{text:?} is not a column; the columns are {}", names.join(", "))
        })
    }
}

/// A set of `column = value` that must all hold; the empty one accepts every request. Values are
/// compared as text; a status is its number, and a missing status is "".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match(pub Vec<(Column, String)>);

impl Match {
    /// Whether the request whose labels `label` tells is one of these.
    pub fn accepts<'a>(&self, label: impl Fn(Column) -> std::borrow::Cow<'a, str>) -> bool {
        self.0.iter().all(|(column, value)| label(*column) == value.as_str())
    }
}

/// When used units go back to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Local midnight to local midnight in this zone: 23, 24 or 25 hours.
    Day(Tz),
}

impl Window {
    /// As the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Window::Day(_) => "day",
        }
    }

    pub fn zone(self) -> Tz {
        let Window::Day(zone) = self;
        zone
    }

    /// The window that holds this minute.
    pub fn span_at(self, minute: Minute) -> Range<Minute> {
        let Window::Day(zone) = self;
        Day::of(minute, zone).span(zone)
    }
}

/// One limit to stay under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    pub name: String,
    pub limit: NonZeroU64,
    pub window: Window,
    pub matching: Match,
}

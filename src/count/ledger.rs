//! One Parquet file a day and host; its footer says which bytes are in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::collect::log::LogMark;
use crate::day::Day;

/// What a day file says of itself, under the key `daycap` of its Parquet metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    pub version: u32,
    pub host: String,
    pub day: Day,
    /// Every line of these logs that starts below the mark's offset and belongs to this day is in this file.
    pub marks: Vec<LogMark>,
    pub completeness: Completeness,
}

/// Whether a day's count is all there was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Completeness {
    Exact,
    AtLeast { reasons: Vec<String> },
}

pub struct Ledger {}

/// What a commit did: these days are on disk; the first that failed, and why.
#[derive(Debug)]
pub struct Committed {
    pub written: Vec<Day>,
    pub failed: Option<(Day, anyhow::Error)>,
}

impl Ledger {
    /// The ledger under this state directory; nothing is created before the first commit.
    pub fn new(_state_dir: &Path, _host: &str) -> Ledger {
        todo!()
    }

    /// Add the tally's rows to their days' files, each with these marks (and the older marks that it had
    /// for other logs). `completeness` adds to what the file says: at_least stays at_least.
    pub fn commit(&self, _tally: &Tally, _marks: &BTreeMap<Day, Vec<LogMark>>, _at_least: &BTreeMap<Day, Vec<String>>) -> Committed {
        todo!()
    }

    /// The footers of this host's day files.
    pub fn footers(&self) -> anyhow::Result<BTreeMap<Day, Footer>> {
        todo!()
    }

    /// Every day file of every host, in order of day.
    pub fn files(&self) -> anyhow::Result<Vec<(Day, String, PathBuf)>> {
        todo!()
    }
}

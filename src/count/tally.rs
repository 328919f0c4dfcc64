//! Counts since the last commit.

use std::collections::{BTreeMap, BTreeSet};

use crate::collect::request::{Decoded, Series};
use crate::day::{Day, Minute};

#[derive(Clone, Default)]
pub struct Tally {}

impl Tally {
    /// Take the rows out of `decoded` and add them. `decoded.series` stays, for its owner's next chunk.
    pub fn add(&mut self, _decoded: &mut Decoded) {
        todo!()
    }

    pub fn merge(&mut self, _other: Tally) {
        todo!()
    }

    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// The UTC days that have rows.
    pub fn days(&self) -> BTreeSet<Day> {
        todo!()
    }

    /// Only the rows of these days, taken out of this tally.
    pub fn take_days(&mut self, _days: &BTreeSet<Day>) -> Tally {
        todo!()
    }

    /// The tally's rows: minute, series, requests, units. Order unspecified.
    pub fn rows(&self) -> Vec<(Minute, &Series, u64, u64)> {
        todo!()
    }
}

/// Units a minute.
pub type Minutes = BTreeMap<Minute, u64>;

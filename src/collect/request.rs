//! Decoded requests as columns: a series id and a minute packed into one key, and the sums that a row
//! carries. Labels are interned once, so a line costs no allocation.
//! This file never looks at a log line.

use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::Arrival;
use super::observed::Heard;
use crate::day::Minute;

/// What a request without this label is filed under.
pub const NONE: &str = "(none)";
/// What the labels beyond a bound are filed under; sums stay exact.
pub const OTHER: &str = "(other)";

/// An exponential duration bucket: its upper bound is `2^(i/2)` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(i8);

impl Bucket {
    /// 2^-10 ms (about a microsecond) to 2^25 ms (about nine hours); durations beyond are put in the last.
    const LOWEST: i8 = -20;
    const HIGHEST: i8 = 50;

    /// How many buckets there are.
    pub const COUNT: usize = 71;

    /// The bucket of a duration in milliseconds; `None` where it is negative or not a number.
    ///
    /// Read from the float's own exponent and fraction: a logarithm would cost more than all else that
    /// a line needs, and would round at the bounds.
    pub fn of_ms(duration_ms: f64) -> Option<Bucket> {
        if duration_ms.is_nan() || duration_ms < 0.0 {
            return None;
        }
        let held =
            duration_ms.clamp(2f64.powi(i32::from(Bucket::LOWEST / 2)), 2f64.powi(i32::from(Bucket::HIGHEST / 2)));
        let fraction = f64::from_bits(held.to_bits() & FRACTION_BITS | 1f64.to_bits());
        let above = if fraction > std::f64::consts::SQRT_2 { 2 } else { i64::from(fraction > 1.0) };
        // The clamp above keeps the exponent within -10 and 25, so its double fits an i8.
        Some(Bucket((2 * ((held.to_bits() >> 52) as i64 - 1023) + above) as i8))
    }

    /// The bucket's place from 0 to [`Bucket::COUNT`] - 1, shortest first.
    pub fn index(self) -> usize {
        // Never below LOWEST, so the difference is not negative.
        (self.0 - Bucket::LOWEST) as usize
    }

    /// The bucket's upper bound in milliseconds.
    pub fn upper_ms(self) -> f64 {
        let root = if self.0 % 2 == 0 { 1.0 } else { std::f64::consts::SQRT_2 };
        root * 2f64.powi(i32::from(self.0.div_euclid(2)))
    }
}

/// The bits of an f64 below its exponent.
const FRACTION_BITS: u64 = (1 << 52) - 1;

/// Everything that a ledger row is grouped by, but for the minute and the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    pub service: Box<str>,
    pub key: Box<str>,
    pub api: Box<str>,
    pub method: Box<str>,
    pub operation: Box<str>,
    pub status: Option<u16>,
    pub duration: Option<Bucket>,
}

/// Each series once, by a dense id in order of first sight.
#[derive(Debug, Default)]
pub struct SeriesTable {
    ids: HashMap<Series, u32>,
    list: Vec<Series>,
    identity: TableIdentity,
}

/// Tells tables apart, so that whoever remembers ids knows which table they are of.
#[derive(Clone, Debug, Default)]
pub struct TableIdentity(Arc<()>);

impl PartialEq for TableIdentity {
    fn eq(&self, other: &TableIdentity) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A copy goes its own way, so it has an identity of its own.
impl Clone for SeriesTable {
    fn clone(&self) -> SeriesTable {
        SeriesTable { ids: self.ids.clone(), list: self.list.clone(), identity: TableIdentity::default() }
    }
}

impl SeriesTable {
    /// The id of this series, made on first sight.
    pub fn id(&mut self, series: Series) -> u32 {
        if let Some(id) = self.ids.get(&series) {
            return *id;
        }
        let id = u32::try_from(self.list.len()).expect("fewer than 2^32 series fit in memory");
        self.list.push(series.clone());
        self.ids.insert(series, id);
        id
    }

    /// The same for a borrowed series, copied only on first sight.
    pub fn id_of(&mut self, series: &Series) -> u32 {
        match self.ids.get(series) {
            Some(id) => *id,
            None => self.id(series.clone()),
        }
    }

    pub fn list(&self) -> &[Series] {
        &self.list
    }

    /// Ids hold for as long as this stays equal.
    pub fn identity(&self) -> &TableIdentity {
        &self.identity
    }
}

/// One row a request. All columns have the same length.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// `minute << 32 | series`, see [`pack`]: one u64 is what polars groups fastest.
    pub key: Vec<u64>,
    /// Where the request's line starts in its log.
    pub start: Vec<u64>,
    /// The log's own cost field, at most 2^40, else 1.
    pub units: Vec<u64>,
    /// Response bytes, 0 where the line does not say.
    pub bytes: Vec<u64>,
    /// Milliseconds, 0 where the line does not say.
    pub duration_ms: Vec<f64>,
}

pub fn pack(minute: Minute, series: u32) -> u64 {
    u64::from(minute.0) << 32 | u64::from(series)
}

pub fn unpack(key: u64) -> (Minute, u32) {
    // A shift by 32 and a mask: both halves fit.
    (Minute((key >> 32) as u32), (key & 0xffff_ffff) as u32)
}

impl Columns {
    pub fn len(&self) -> usize {
        self.key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.key.is_empty()
    }

    pub fn clear(&mut self) {
        self.key.clear();
        self.start.clear();
        self.units.clear();
        self.bytes.clear();
        self.duration_ms.clear();
    }

    /// From row `first` on, keep the rows for which `keep(minute, start)` holds.
    pub fn retain_from(&mut self, first: usize, keep: impl Fn(Minute, u64) -> bool) {
        let mut kept = first;
        for row in first..self.len() {
            if keep(unpack(self.key[row]).0, self.start[row]) {
                self.key[kept] = self.key[row];
                self.start[kept] = self.start[row];
                self.units[kept] = self.units[row];
                self.bytes[kept] = self.bytes[row];
                self.duration_ms[kept] = self.duration_ms[row];
                kept += 1;
            }
        }
        self.key.truncate(kept);
        self.start.truncate(kept);
        self.units.truncate(kept);
        self.bytes.truncate(kept);
        self.duration_ms.truncate(kept);
    }
}

/// Why a line is not a request and need not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    Blank,
    /// A valid log line that reports no request.
    NotARequest,
    /// The source's `only_if` leaves it out.
    Excluded,
    /// The source's `pattern` does not match it.
    Unmatched,
    /// A CONNECT: how many requests went through the tunnel, nobody outside it can say.
    Tunnel,
    /// The start of a request whose end has a line of its own.
    Start,
    /// Part of a line that goes on; it is counted with its last part.
    Part,
    /// Reported by the layer that the source does not count from.
    OtherLayer,
}

impl Skip {
    pub const ALL: [Skip; 8] = [
        Skip::Blank,
        Skip::NotARequest,
        Skip::Excluded,
        Skip::Unmatched,
        Skip::Tunnel,
        Skip::Start,
        Skip::Part,
        Skip::OtherLayer,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Skip::Blank => "blank",
            Skip::NotARequest => "reports no request",
            Skip::Excluded => "left out by only_if",
            Skip::Unmatched => "not matched by the source's pattern",
            Skip::Tunnel => "a CONNECT tunnel, whose requests nobody outside it can count",
            Skip::Start => "the start of a request, which counts when it ends",
            Skip::Part => "part of a line that goes on",
            Skip::OtherLayer => "a call that another layer of the same log reports too",
        }
    }
}

/// Why a line that should report a request could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// The line is not of its log's format at all.
    Malformed,
    /// A request without a time stamp.
    NoTime,
    /// A time stamp that cannot be read, or lies before 1970.
    BadTime,
}

impl Reject {
    pub const ALL: [Reject; 3] = [Reject::Malformed, Reject::NoTime, Reject::BadTime];

    pub fn name(self) -> &'static str {
        match self {
            Reject::Malformed => "malformed",
            Reject::NoTime => "no time stamp",
            Reject::BadTime => "unreadable time stamp",
        }
    }
}

/// What became of lines, so that their sum is the number of lines read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    pub counted: u64,
    pub skipped: u64,
    /// Of those skipped: tunnels.
    #[serde(default)]
    pub tunnels: u64,
    /// And starts of requests.
    #[serde(default)]
    pub starts: u64,
    pub malformed: u64,
    pub no_time: u64,
    pub bad_time: u64,
    /// Of those counted: requests that state no time, counted when they arrived.
    #[serde(default)]
    pub arrived: u64,
}

impl Lines {
    pub fn skip(&mut self, reason: Skip) {
        self.skipped += 1;
        match reason {
            Skip::Tunnel => self.tunnels += 1,
            Skip::Start => self.starts += 1,
            Skip::Blank | Skip::NotARequest | Skip::Excluded | Skip::Unmatched | Skip::Part | Skip::OtherLayer => {}
        }
    }

    pub fn reject(&mut self, reason: Reject) {
        match reason {
            Reject::Malformed => self.malformed += 1,
            Reject::NoTime => self.no_time += 1,
            Reject::BadTime => self.bad_time += 1,
        }
    }

    pub fn rejected(&self) -> u64 {
        self.malformed + self.no_time + self.bad_time
    }

    pub fn add(&mut self, other: &Lines) {
        self.counted += other.counted;
        self.skipped += other.skipped;
        self.tunnels += other.tunnels;
        self.starts += other.starts;
        self.malformed += other.malformed;
        self.no_time += other.no_time;
        self.bad_time += other.bad_time;
        self.arrived += other.arrived;
    }
}

/// What a worker has decoded since it was last emptied.
#[derive(Debug, Default)]
pub struct Decoded {
    pub rows: Columns,
    pub series: SeriesTable,
    pub lines: Lines,
    /// Of the lines skipped, how many for each reason; the place of [`Skip`] in its order.
    pub skips: [u64; Skip::ALL.len()],
    /// Of the lines that are decoded now, those that state no time; `None`: they are refused.
    pub arrival: Option<Arrival>,
    /// What servers said of their quotas in these rows.
    pub heard: Heard,
}

impl Decoded {
    /// Account for a skipped line.
    pub fn skip(&mut self, reason: Skip) {
        self.skips[reason as usize] += 1;
        self.lines.skip(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_upper_bound_and_nothing_above() {
        for index in Bucket::LOWEST..=Bucket::HIGHEST {
            let bucket = Bucket(index);
            assert_eq!(Bucket::of_ms(bucket.upper_ms()), Some(bucket));
            if index < Bucket::HIGHEST {
                assert_eq!(Bucket::of_ms(bucket.upper_ms().next_up()), Some(Bucket(index + 1)));
            }
        }
        assert_eq!(Bucket(Bucket::HIGHEST).index(), Bucket::COUNT - 1);
    }

    #[test]
    fn durations_beyond_the_buckets_go_to_the_first_and_the_last() {
        assert_eq!(Bucket::of_ms(0.0), Some(Bucket(Bucket::LOWEST)));
        assert_eq!(Bucket::of_ms(f64::INFINITY), Some(Bucket(Bucket::HIGHEST)));
        assert_eq!(Bucket::of_ms(-1.0), None);
        assert_eq!(Bucket::of_ms(f64::NAN), None);
    }

    #[test]
    fn a_copied_table_has_an_identity_of_its_own() {
        let table = SeriesTable::default();
        assert!(table.identity() == table.identity());
        assert!(table.clone().identity() != table.identity());
    }
}

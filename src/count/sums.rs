//! Sums by one packed key: rows with equal keys become one row. Everything that is counted passes here.
//! This file never looks into a key.

use polars::prelude::*;

use super::batch::{BYTES, DURATION_MS, REQUESTS, UNITS};
use crate::collect::request::Columns;

/// The key of frames inside this folder: one u64, which is what polars groups fastest. Never on disk.
pub(super) const PACKED: &str = "packed";

/// Below this many rows a second thread costs more than it brings.
const PARALLEL_ROWS_MIN: usize = 32 * 1024;
/// Frames are kept apart until they hold this many rows more than twice what was left the last time, so
/// that adding stays linear and memory stays within three times the distinct rows and this.
const LOOSE_ROWS_MAX: usize = 256 * 1024;
/// A frame costs about a kilobyte however few its rows; a daemon that cannot commit adds small ones for hours.
const FRAMES_MAX: usize = 1024;

/// Why polars cannot fail where we `expect` it not to: the frames here are made here.
pub(super) const OWN_FRAME: &str = "the columns of a frame built here have one length and the types it was built with";

/// Sums by packed key. One key may be in several frames until they are added up.
///
/// Integers are u64. Their sums wrap beyond 1.8e19: bytes would have to reach 18 exabytes, and a log's own cost
/// field 4e9 in each of 4e9 lines.
#[derive(Clone, Default)]
pub(super) struct Sums {
    frames: Vec<DataFrame>,
    rows: usize,
    distinct_rows: usize,
}

impl Sums {
    pub fn push(&mut self, frame: DataFrame) {
        if frame.height() == 0 {
            return;
        }
        self.rows += frame.height();
        self.frames.push(frame);
        if self.rows > 2 * self.distinct_rows + LOOSE_ROWS_MAX || self.frames.len() > FRAMES_MAX {
            *self = self.compacted().map(Sums::one).unwrap_or_default();
        }
    }

    fn one(frame: DataFrame) -> Sums {
        Sums { rows: frame.height(), distinct_rows: frame.height(), frames: vec![frame] }
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub fn frames(&self) -> &[DataFrame] {
        &self.frames
    }

    pub fn into_frames(self) -> Vec<DataFrame> {
        self.frames
    }

    /// Each key once; `None` when there is no row.
    pub fn compacted(&self) -> Option<DataFrame> {
        let (first, rest) = self.frames.split_first()?;
        if rest.is_empty() {
            return Some(first.clone());
        }
        let mut all = first.clone();
        for frame in rest {
            all.vstack_mut(frame).expect(OWN_FRAME);
        }
        all.rechunk_mut();
        Some(add_up(&all))
    }
}

/// Requests as they were decoded become sums by key. The columns are handed over whole, not copied.
pub(super) fn count(rows: Columns) -> DataFrame {
    let values = vec![
        UInt64Chunked::from_vec(UNITS.into(), rows.units).into_column(),
        UInt64Chunked::from_vec(BYTES.into(), rows.bytes).into_column(),
        Float64Chunked::from_vec(DURATION_MS.into(), rows.duration_ms).into_column(),
    ];
    count_by(rows.key, values)
}

/// The sums of no request at all.
pub(super) fn no_sums() -> DataFrame {
    count(Columns::default())
}

/// Sum `values` by `key`, and count the rows of each key as its requests.
pub(super) fn count_by(key: Vec<u64>, values: Vec<Column>) -> DataFrame {
    let mut columns = vec![UInt64Chunked::from_vec(PACKED.into(), key).into_column()];
    columns.extend(values);
    let frame = DataFrame::new_infer_height(columns).expect(OWN_FRAME);
    let groups = group(&frame);
    let requests = groups.get_groups().group_count().cast(&DataType::UInt64).expect("u32 fits in u64");
    let mut sums = sum(&groups);
    sums.insert_column(1, requests.with_name(REQUESTS.into()).into_column()).expect(OWN_FRAME);
    sums
}

/// A frame that has a packed key and sums, with each key once.
pub(super) fn add_up(frame: &DataFrame) -> DataFrame {
    sum(&group(frame))
}

fn group(frame: &DataFrame) -> GroupBy<'_> {
    let key = frame.column(PACKED).expect(OWN_FRAME).clone();
    let parallel = frame.height() >= PARALLEL_ROWS_MIN;
    frame.group_by_with_series(vec![key], parallel, false).expect(OWN_FRAME)
}

#[expect(deprecated, reason = "the lazy API costs minutes of build time and a sum over one key needs none of it")]
fn sum(groups: &GroupBy<'_>) -> DataFrame {
    let mut sums = groups.sum().expect(OWN_FRAME);
    sums.set_column_names(&groups.df.get_column_names_owned()).expect(OWN_FRAME);
    sums.rechunk_mut();
    sums
}

pub(super) fn keys(frame: &DataFrame) -> &[u64] {
    integers(frame, PACKED)
}

/// A u64 column of a frame built here.
pub(super) fn integers<'a>(frame: &'a DataFrame, name: &str) -> &'a [u64] {
    frame.column(name).and_then(|column| column.u64()?.cont_slice()).expect(OWN_FRAME)
}

pub(super) fn with_keys(mut frame: DataFrame, keys: Vec<u64>) -> DataFrame {
    frame.replace_column(0, UInt64Chunked::from_vec(PACKED.into(), keys).into_column()).expect(OWN_FRAME);
    frame
}

/// Only the rows for which `keep` holds.
pub(super) fn filter(frame: &DataFrame, keep: impl Fn(u64) -> bool) -> DataFrame {
    let mask = BooleanChunked::from_iter_values("".into(), keys(frame).iter().map(|key| keep(*key)));
    let mut kept = frame.filter(&mask).expect(OWN_FRAME);
    kept.rechunk_mut();
    kept
}

pub(super) fn sorted(frame: &DataFrame) -> DataFrame {
    let mut sorted = frame.sort([PACKED], SortMultipleOptions::default()).expect(OWN_FRAME);
    sorted.rechunk_mut();
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rows_make_an_empty_frame() {
        assert_eq!(count(Columns::default()).height(), 0);
    }
}

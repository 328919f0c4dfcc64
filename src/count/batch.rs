//! The one schema. Decoded columns become sums by packed key, sums become rows of the ledger, and rows
//! of the ledger become sums again.
//! This file never touches the disk, and every frame that leaves it adds up to what came in.

use hashbrown::HashMap;
use polars::prelude::*;

use crate::collect::request::{Bucket, Columns, NONE, Series, SeriesTable, pack, unpack};
use crate::day::Minute;

// The ledger's columns, in the order of a file.

/// Datetime(ms) without zone, in UTC: when the minute begins. Rows are sorted by it, then by the labels.
pub const MINUTE: &str = "minute";
/// String: the host whose daycap counted.
pub const HOST: &str = "host";
/// String: who called.
pub const SERVICE: &str = "service";
/// String: with which API key, by name.
pub const KEY: &str = "key";
/// String: the server called.
pub const API: &str = "api";
/// String: the HTTP method.
pub const METHOD: &str = "method";
/// String: the GraphQL operation, or the path with its ids cut out.
pub const OPERATION: &str = "operation";
/// u16, null where no response says it.
pub const STATUS: &str = "status";
/// f64: the upper bound of an exponential bucket (factor sqrt 2), null where no duration is known.
pub const DURATION_LE_MS: &str = "duration_le_ms";
/// u64: how many requests.
pub const REQUESTS: &str = "requests";
/// u64: what they cost, in the log's own field, else one each.
pub const UNITS: &str = "units";
/// u64: their responses' bytes.
pub const BYTES: &str = "bytes";
/// f64: the sum of their durations.
pub const DURATION_MS: &str = "duration_ms";

/// All that a series is made of.
const SERIES: [&str; 7] = [SERVICE, KEY, API, METHOD, OPERATION, STATUS, DURATION_LE_MS];

/// The key of frames inside this folder: one u64, which is what polars groups fastest. Never on disk.
pub(super) const PACKED: &str = "packed";

/// Below this many rows a second thread costs more than it brings.
const PARALLEL_ROWS_MIN: usize = 32 * 1024;
/// Frames are kept apart until they hold this many rows more than twice what was left the last time, so
/// that adding stays linear and memory stays within three times the distinct rows and this.
const LOOSE_ROWS_MAX: usize = 256 * 1024;

/// A half step down from a bucket's upper bound: inside that bucket, whatever the rounding.
const MID_BUCKET: f64 = 0.85;

/// Why polars cannot fail where we `expect` it not to: the frames here are made here.
const OWN_FRAME: &str = "the columns of a frame built here have one length and the types it was built with";

/// Sums by packed key. One key may be in several frames until they are added up.
///
/// Integers are u64 and wrap only beyond 1.8e19; the largest thing summed is bytes, and that is 18 exabytes.
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
        if self.rows > 2 * self.distinct_rows + LOOSE_ROWS_MAX {
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

/// Sums by (minute, series) become rows of the ledger, sorted by minute, then by labels.
pub(super) fn ledger_rows(sums: &DataFrame, series: &[Series], host: &str) -> DataFrame {
    let used = used_series(keys(sums), series);
    let rank: HashMap<u32, u32> = used.iter().zip(0..).map(|((_, id), rank)| (*id, rank)).collect();
    let by_rank = keys(sums).iter().map(|key| {
        let (minute, id) = unpack(*key);
        pack(minute, rank[&id])
    });
    let sums = sorted(&with_keys(sums.clone(), by_rank.collect()));
    let rows: Vec<(Minute, &Series)> =
        keys(&sums).iter().map(|key| unpack(*key)).map(|(minute, rank)| (minute, used[rank as usize].0)).collect();
    let mut columns = vec![minute_column(&rows)];
    columns.extend(label_columns(&rows, host));
    columns.extend(sums.into_columns().into_iter().skip(1));
    DataFrame::new(rows.len(), columns).expect(OWN_FRAME)
}

/// The series of these keys with their ids, in order of their labels.
fn used_series<'a>(keys: &[u64], series: &'a [Series]) -> Vec<(&'a Series, u32)> {
    let mut ids: Vec<u32> = keys.iter().map(|key| unpack(*key).1).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut used: Vec<_> = ids.into_iter().map(|id| (&series[id as usize], id)).collect();
    used.sort_unstable();
    used
}

fn minute_column(rows: &[(Minute, &Series)]) -> Column {
    let milliseconds: Vec<i64> = rows.iter().map(|(minute, _)| i64::from(minute.0) * 60_000).collect();
    Int64Chunked::from_vec(MINUTE.into(), milliseconds).into_datetime(TimeUnit::Milliseconds, None).into_column()
}

fn label_columns(rows: &[(Minute, &Series)], host: &str) -> Vec<Column> {
    let text = |name: &str, label: fn(&Series) -> &str| {
        StringChunked::from_iter_values(name.into(), rows.iter().map(|(_, series)| label(series))).into_column()
    };
    let status = rows.iter().map(|(_, series)| series.status);
    let bound = rows.iter().map(|(_, series)| series.duration.map(Bucket::upper_ms));
    vec![
        StringChunked::from_iter_values(HOST.into(), rows.iter().map(|_| host)).into_column(),
        text(SERVICE, |series| &series.service),
        text(KEY, |series| &series.key),
        text(API, |series| &series.api),
        text(METHOD, |series| &series.method),
        text(OPERATION, |series| &series.operation),
        UInt16Chunked::from_iter_options(STATUS.into(), status).into_column(),
        Float64Chunked::from_iter_options(DURATION_LE_MS.into(), bound).into_column(),
    ]
}

/// Rows of the ledger become sums by (minute, series) again; `table` learns their series.
pub(super) fn from_ledger_rows(frame: &DataFrame, table: &mut SeriesTable) -> PolarsResult<DataFrame> {
    let distinct = Distinct::of(frame, &SERIES)?;
    let mut ids = Vec::with_capacity(distinct.first_row.len());
    for row in &distinct.first_row {
        ids.push(table.id(series_at(frame, *row)?));
    }
    let packed = minutes(frame)?.into_iter().zip(&distinct.of_row).map(|(minute, of)| pack(minute, ids[*of as usize]));
    let mut columns = vec![UInt64Chunked::from_vec(PACKED.into(), packed.collect()).into_column()];
    for name in [REQUESTS, UNITS, BYTES] {
        columns.push(frame.column(name)?.u64()?.clone().into_column());
    }
    columns.push(frame.column(DURATION_MS)?.f64()?.clone().into_column());
    let mut sums = DataFrame::new(frame.height(), columns)?;
    sums.rechunk_mut();
    Ok(sums)
}

fn series_at(frame: &DataFrame, row: usize) -> PolarsResult<Series> {
    let label = |name| Ok::<Box<str>, PolarsError>(text_at(frame, name, row)?.into());
    Ok(Series {
        service: label(SERVICE)?,
        key: label(KEY)?,
        api: label(API)?,
        method: label(METHOD)?,
        operation: label(OPERATION)?,
        status: frame.column(STATUS)?.u16()?.get(row),
        duration: frame.column(DURATION_LE_MS)?.f64()?.get(row).and_then(|bound| Bucket::of_ms(bound * MID_BUCKET)),
    })
}

/// A label of a ledger row.
pub(super) fn text_at<'a>(frame: &'a DataFrame, name: &str, row: usize) -> PolarsResult<&'a str> {
    Ok(frame.column(name)?.str()?.get(row).unwrap_or(NONE))
}

/// The minute of each ledger row.
pub(super) fn minutes(frame: &DataFrame) -> PolarsResult<Vec<Minute>> {
    let stamps = frame.column(MINUTE)?.datetime()?;
    let minute = |stamp: Option<i64>| {
        let minute = stamp.and_then(|ms| u32::try_from(ms.div_euclid(60_000)).ok());
        minute.map(Minute).ok_or_else(|| polars_err!(ComputeError: "a row without a minute since 1970"))
    };
    stamps.physical().iter().map(minute).collect()
}

/// How many numbers a bucket can have, and that of "no duration known".
pub(super) const BUCKETS: usize = 128;
pub(super) const NO_BUCKET: u8 = 127;
/// The number of the bucket that ends at 1 ms.
const BUCKET_OF_1_MS: f64 = 32.0;

/// A small number for the bucket with this upper bound; [`bucket_upper_ms`] leads back.
pub(super) fn bucket_number(upper_ms: Option<f64>) -> u8 {
    // Rounded and held inside 0 to 126 (NaN becomes 0), so the cast is exact.
    upper_ms.map_or(NO_BUCKET, |upper| (2.0 * upper.log2() + BUCKET_OF_1_MS).round().clamp(0.0, 126.0) as u8)
}

pub(super) fn bucket_upper_ms(number: usize) -> f64 {
    // At most 126.
    ((number as f64 - BUCKET_OF_1_MS) / 2.0).exp2()
}

/// The distinct combinations of some ledger columns, numbered in order of first sight.
pub(super) struct Distinct {
    pub of_row: Vec<u32>,
    pub first_row: Vec<usize>,
}

impl Distinct {
    pub fn of(frame: &DataFrame, names: &[&str]) -> PolarsResult<Distinct> {
        let mut of_row = vec![0; frame.height()];
        for name in names {
            refine(&mut of_row, &numbered(frame.column(name)?)?);
        }
        let mut first_row = Vec::new();
        for (row, of) in of_row.iter().enumerate() {
            // Numbers are given in order, so a new one is the one that is next.
            if *of as usize == first_row.len() {
                first_row.push(row);
            }
        }
        Ok(Distinct { of_row, first_row })
    }
}

/// Each value of a label column as a number, equal exactly where the values are.
fn numbered(column: &Column) -> PolarsResult<Vec<u32>> {
    match column.dtype() {
        DataType::UInt16 => {
            Ok(column.u16()?.iter().map(|status| status.map_or(u32::from(u16::MAX) + 1, u32::from)).collect())
        }
        DataType::Float64 => Ok(column.f64()?.iter().map(|bound| u32::from(bucket_number(bound))).collect()),
        _ => Ok(number(column.str()?.iter())),
    }
}

/// Split the groups of `of_row` by a further column.
fn refine(of_row: &mut [u32], further: &[u32]) {
    let pairs: Vec<u64> = of_row.iter().zip(further).map(|(of, by)| u64::from(*of) << 32 | u64::from(*by)).collect();
    of_row.copy_from_slice(&number(pairs.iter()));
}

/// Number values by first sight; runs of the same value are looked up once.
fn number<T: Copy + Eq + std::hash::Hash>(values: impl Iterator<Item = T>) -> Vec<u32> {
    let mut numbers: HashMap<T, u32> = HashMap::new();
    let mut last: Option<(T, u32)> = None;
    let mut number = |value| match last {
        Some((same, number)) if same == value => number,
        _ => {
            let next = u32::try_from(numbers.len()).expect("a frame has fewer than 2^32 rows");
            let number = *numbers.entry(value).or_insert(next);
            last = Some((value, number));
            number
        }
    };
    values.map(&mut number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_comes_back_from_its_upper_bound() {
        for half_steps in -30..60 {
            let bucket = Bucket::of_ms((f64::from(half_steps) / 2.0 - 0.25).exp2()).unwrap();
            let upper_ms = bucket.upper_ms();
            assert_eq!(Bucket::of_ms(upper_ms * MID_BUCKET), Some(bucket));
            let number = bucket_number(Some(upper_ms));
            assert!((bucket_upper_ms(usize::from(number)) / upper_ms - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn no_rows_make_an_empty_frame() {
        assert_eq!(count(Columns::default()).height(), 0);
    }

    #[test]
    fn ledger_rows_have_the_documented_schema() {
        let series = Series {
            service: "web".into(),
            key: "prod".into(),
            api: "api".into(),
            method: "GET".into(),
            operation: "/a".into(),
            status: None,
            duration: None,
        };
        let rows = Columns {
            key: vec![pack(Minute(1), 0)],
            start: vec![0],
            units: vec![1],
            bytes: vec![2],
            duration_ms: vec![0.0],
        };
        let frame = ledger_rows(&count(rows), &[series], "h");
        let schema: Vec<String> =
            frame.fields().iter().map(|field| format!("{} {:?}", field.name, field.dtype)).collect();
        expect_test::expect![[r#"
            minute Datetime('ms')
            host String
            service String
            key String
            api String
            method String
            operation String
            status UInt16
            duration_le_ms Float64
            requests UInt64
            units UInt64
            bytes UInt64
            duration_ms Float64"#]]
        .assert_eq(&schema.join("\n"));
    }
}

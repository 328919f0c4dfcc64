//! The one schema: sums by minute and series become rows of the ledger, and rows of the ledger sums again.
//! This file never touches the disk, and every frame that leaves it adds up to what came in.

use hashbrown::HashMap;
use polars::prelude::*;

use super::sums::{self, OWN_FRAME, PACKED};
use crate::collect::request::{Bucket, NONE, Series, SeriesTable, pack, unpack};
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

/// A half step down from a bucket's upper bound: inside that bucket, whatever the rounding.
const MID_BUCKET: f64 = 0.85;

/// Sums by (minute, series) become rows of the ledger, sorted by minute, then by labels.
pub(super) fn ledger_rows(sums: &DataFrame, series: &[Series], host: &str) -> DataFrame {
    let (used, ranks) = ranked(sums::keys(sums), series);
    let by_rank = sums::keys(sums).iter().map(|key| {
        let (minute, id) = unpack(*key);
        pack(minute, ranks[id as usize])
    });
    let sums = sums::sorted(&sums::with_keys(sums.clone(), by_rank.collect()));
    let keys = || sums::keys(&sums).iter().map(|key| unpack(*key));
    let rank = IdxCa::from_vec(PACKED.into(), keys().map(|(_, rank)| rank).collect());
    let mut columns = vec![minute_column(keys().map(|(minute, _)| minute))];
    columns.extend(labels(&used, host).take(&rank).expect(OWN_FRAME).into_columns());
    columns.extend(sums.columns().iter().skip(1).cloned());
    DataFrame::new(sums.height(), columns).expect(OWN_FRAME)
}

/// The series of these keys in order of their labels, and for each id its place there.
fn ranked<'a>(keys: &[u64], series: &'a [Series]) -> (Vec<&'a Series>, Vec<u32>) {
    let mut is_used = vec![false; series.len()];
    for key in keys {
        is_used[unpack(*key).1 as usize] = true;
    }
    let mut used: Vec<(&Series, usize)> = series.iter().zip(0..).filter(|(_, id)| is_used[*id]).collect();
    used.sort_unstable();
    let mut ranks = vec![u32::MAX; series.len()];
    for ((_, id), rank) in used.iter().zip(0..) {
        ranks[*id] = rank;
    }
    (used.into_iter().map(|(series, _)| series).collect(), ranks)
}

fn minute_column(minutes: impl Iterator<Item = Minute>) -> Column {
    let milliseconds = minutes.map(|minute| i64::from(minute.0) * 60_000).collect();
    Int64Chunked::from_vec(MINUTE.into(), milliseconds).into_datetime(TimeUnit::Milliseconds, None).into_column()
}

/// The label columns, a row a series.
fn labels(series: &[&Series], host: &str) -> DataFrame {
    let text = |name: &str, label: fn(&Series) -> &str| {
        StringChunked::from_iter_values(name.into(), series.iter().map(|series| label(series))).into_column()
    };
    let status = series.iter().map(|series| series.status);
    let bound = series.iter().map(|series| series.duration.map(Bucket::upper_ms));
    let columns = vec![
        StringChunked::from_iter_values(HOST.into(), series.iter().map(|_| host)).into_column(),
        text(SERVICE, |series| &series.service),
        text(KEY, |series| &series.key),
        text(API, |series| &series.api),
        text(METHOD, |series| &series.method),
        text(OPERATION, |series| &series.operation),
        UInt16Chunked::from_iter_options(STATUS.into(), status).into_column(),
        Float64Chunked::from_iter_options(DURATION_LE_MS.into(), bound).into_column(),
    ];
    DataFrame::new(series.len(), columns).expect(OWN_FRAME)
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
        let values = frame.column(name)?.u64()?.rechunk().into_owned();
        // An error where values are missing, as they may be in a damaged file.
        values.cont_slice()?;
        columns.push(values.into_column());
    }
    let durations = frame.column(DURATION_MS)?.f64()?.rechunk().into_owned();
    durations.cont_slice()?;
    columns.push(durations.into_column());
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
    use crate::collect::request::Columns;

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
        let frame = ledger_rows(&sums::count(rows), &[series], "h");
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

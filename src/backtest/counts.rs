//! CSV with the columns `series` (may be left out), `timestamp` and `count` becomes series. A row's time stamp is the
//! begin of its bin. What is wrong with a file is said with its line; nothing is guessed, sorted or passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use csv::StringRecord;
use hashbrown::HashMap;

use super::series::{Limit, Series, Unsaid};
use crate::day::{Day, Minute, offset_minutes};

/// Forecasts are judged at full hours: a wider bin would tell of minutes that were still to come.
const WIDTH_MAX: u32 = 60;
/// 320 MB of rows.
const ROWS_MAX: usize = 20_000_000;

/// What is read of files, one after another.
pub struct Counts {
    zone: Tz,
    limit: Limit,
    files: Vec<String>,
    series: Vec<Rows>,
    places: HashMap<String, usize>,
    rows: usize,
}

struct Rows {
    name: String,
    rows: Vec<Row>,
    /// From which of its rows on they are of which file.
    files: Vec<(usize, usize)>,
}

#[derive(Clone, Copy)]
struct Row {
    minute: Minute,
    line: u32,
    count: u64,
}

/// Where a file's columns are.
struct Columns {
    series: Option<usize>,
    timestamp: usize,
    count: usize,
}

impl Counts {
    /// Naive time stamps are in `zone`, whose days are judged.
    pub fn new(zone: Tz, limit: Limit) -> Counts {
        Counts { zone, limit, files: Vec::new(), series: Vec::new(), places: HashMap::new(), rows: 0 }
    }

    /// Add a file. Its rows without a series' name are of the one called `unnamed`.
    pub fn read(&mut self, file: &str, content: impl Read, unnamed: &str) -> Result<(), String> {
        self.files.push(file.to_owned());
        let mut lines = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content);
        let mut record = StringRecord::new();
        let mut columns = None;
        while lines.read_record(&mut record).map_err(|error| format!("{file}: {error}"))? {
            let line = record.position().map_or(0, csv::Position::line);
            let added = match &columns {
                None => header(&record).map(|found| columns = Some(found)),
                Some(columns) => self.add(columns, &record, unnamed, line),
            };
            added.map_err(|what| format!("{file} line {line}: {what}"))?;
        }
        if columns.is_none() {
            return Err(format!("{file} is empty; {FORM}"));
        }
        Ok(())
    }

    fn add(&mut self, columns: &Columns, record: &StringRecord, unnamed: &str, line: u64) -> Result<(), String> {
        let field = |place: usize, name: &str| {
            let text = record.get(place).map(str::trim).filter(|text| !text.is_empty());
            text.ok_or_else(|| format!("there is no {name}; {FORM}"))
        };
        let name = columns.series.map_or(Ok(unnamed), |place| field(place, "series"))?;
        let stamp = field(columns.timestamp, "timestamp")?;
        let count = count(field(columns.count, "count")?)?;
        self.rows += 1;
        if self.rows > ROWS_MAX {
            return Err(format!("more than {ROWS_MAX} rows; give fewer files, or wider bins (of at most an hour)"));
        }
        let file = self.files.len() - 1;
        let zone = self.zone;
        let rows = self.rows_of(name);
        let last = rows.rows.last().map(|row| row.minute);
        let minute = minute(stamp, zone, last)?;
        check_order(stamp, minute, last)?;
        if rows.files.last().is_none_or(|(_, of)| *of != file) {
            rows.files.push((rows.rows.len(), file));
        }
        rows.rows.push(Row { minute, line: u32::try_from(line).unwrap_or(u32::MAX), count });
        Ok(())
    }

    fn rows_of(&mut self, name: &str) -> &mut Rows {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.series.push(Rows { name: name.to_owned(), rows: Vec::new(), files: Vec::new() });
                self.places.insert(name.to_owned(), self.series.len() - 1);
                self.series.len() - 1
            }
        };
        &mut self.series[place]
    }

    /// All series, in the order of their first rows.
    pub fn finish(self) -> Result<Vec<Series>, String> {
        let (zone, limit, files) = (self.zone, self.limit, self.files);
        self.series.into_iter().map(|rows| rows.finish(zone, limit, &files)).collect()
    }
}

impl Rows {
    fn finish(self, zone: Tz, limit: Limit, files: &[String]) -> Result<Series, String> {
        let at = |place: usize| {
            let of = self.files.partition_point(|(from, _)| *from <= place).saturating_sub(1);
            format!("{} line {}", files[self.files[of].1], self.rows[place].line)
        };
        let width = width(&self.rows).map_err(|what| format!("{}: series {:?} {what}", at(0), self.name))?;
        for (place, row) in self.rows.iter().enumerate() {
            let before = place.checked_sub(1).map(|before| self.rows[before].minute);
            check_bin(row.minute, before, width, zone).map_err(|what| format!("{}: {what}", at(place)))?;
        }
        Ok(Series {
            name: self.name,
            calendar: zone.into(),
            limit,
            rows: self.rows.iter().map(|row| (row.minute, row.count)).collect(),
            width,
            unsaid: Unsaid::Unknown,
            doubtful: BTreeSet::new(),
            end: Day(NaiveDate::MAX),
        })
    }
}

const FORM: &str = "write a header line `series,timestamp,count` or `timestamp,count`, then a row a bin";

fn header(record: &StringRecord) -> Result<Columns, String> {
    let (mut series, mut timestamp, mut count) = (None, None, None);
    for (place, name) in record.iter().enumerate() {
        let column = match name.trim_start_matches('\u{feff}').trim() {
            "series" => &mut series,
            "timestamp" => &mut timestamp,
            "count" => &mut count,
            other => return Err(format!("{other:?} is not a column; {FORM}")),
        };
        if column.replace(place).is_some() {
            return Err(format!("column {name:?} is there twice; {FORM}"));
        }
    }
    let missing = |name: &str| format!("there is no column {name:?}; {FORM}");
    Ok(Columns {
        series,
        timestamp: timestamp.ok_or_else(|| missing("timestamp"))?,
        count: count.ok_or_else(|| missing("count"))?,
    })
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| match text.strip_prefix('-') {
        Some(rest) if rest.parse::<u64>().is_ok() => {
            format!("count {text} is negative; leave out the row of a bin whose count is not known")
        }
        _ => format!("count {text:?} is not a whole number"),
    })
}

/// The minute that a time stamp names, in its own zone or else in `zone`. In the hour that comes twice, a stamp that
/// would go back is of the second one.
fn minute(text: &str, zone: Tz, last: Option<Minute>) -> Result<Minute, String> {
    let instant = match DateTime::parse_from_rfc3339(text) {
        Ok(instant) => instant.with_timezone(&Utc),
        Err(_) => in_zone(naive(text)?, zone, last).ok_or_else(|| {
            format!("{text:?} does not exist in {zone}, whose clock skips it; give the zone of the stamps with --tz")
        })?,
    };
    if instant.second() != 0 || instant.nanosecond() != 0 {
        return Err(format!("{text:?} is not a full minute; a timestamp is the begin of its bin"));
    }
    Minute::of_unix_seconds(instant.timestamp()).ok_or_else(|| format!("{text:?} is before 1970"))
}

fn naive(text: &str) -> Result<NaiveDateTime, String> {
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let parsed = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    parsed.ok_or_else(|| {
        format!("timestamp {text:?} cannot be read; write it as 2026-11-22 14:00:00 or 2026-11-22T14:00:00Z")
    })
}

fn in_zone(local: NaiveDateTime, zone: Tz, last: Option<Minute>) -> Option<DateTime<Utc>> {
    let local = zone.from_local_datetime(&local);
    let (first, second) = (local.earliest()?.with_timezone(&Utc), local.latest()?.with_timezone(&Utc));
    Some(if last.is_some_and(|last| last >= Minute::at(first)) { second } else { first })
}

fn check_order(stamp: &str, minute: Minute, last: Option<Minute>) -> Result<(), String> {
    match last {
        Some(last) if minute == last => {
            Err(format!("{stamp:?} is there twice; add the counts of one bin up, in one row"))
        }
        Some(last) if minute < last => {
            Err(format!("{stamp:?} comes after a later row of its series; sort the rows by series and timestamp"))
        }
        _ => Ok(()),
    }
}

/// The commonest step from row to row; the shortest of equally common ones.
fn width(rows: &[Row]) -> Result<u32, String> {
    let mut steps = BTreeMap::<u32, usize>::new();
    for pair in rows.windows(2) {
        *steps.entry(pair[1].minute.0 - pair[0].minute.0).or_default() += 1;
    }
    let commonest = steps.into_iter().rev().max_by_key(|(_, times)| *times);
    let (width, _) = commonest.ok_or("has one row; how wide its bins are is told by the next row")?;
    if width > WIDTH_MAX {
        return Err(format!(
            "has bins of {width} minutes; forecasts are judged hourly, so give bins of an hour at most"
        ));
    }
    if !WIDTH_MAX.is_multiple_of(width) {
        return Err(format!("has bins of {width} minutes, which do not fill an hour; give bins of 5, 10, 15 or 60"));
    }
    Ok(width)
}

/// Full hours must lie between bins, not in one.
fn check_bin(minute: Minute, before: Option<Minute>, width: u32, zone: Tz) -> Result<(), String> {
    if before.is_some_and(|before| minute.0 - before.0 < width) {
        return Err(format!("less than {width} minutes after the row before, though the other rows are {width} apart"));
    }
    let local = i64::from(minute.0) + i64::from(offset_minutes(minute, zone));
    if local.rem_euclid(i64::from(width)) != 0 {
        return Err(format!(
            "a bin of {width} minutes that begins here holds a full hour of {zone}; give narrower bins"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(zone: Tz, text: &str) -> Result<Vec<Series>, String> {
        let mut counts = Counts::new(zone, Limit::Percentile(85));
        counts.read("a.csv", text.as_bytes(), "a")?;
        counts.finish()
    }

    #[test]
    fn rows_are_told_apart_by_series_and_the_width_is_the_commonest_step() {
        let text = "count,series,timestamp\n1,x,2026-11-22 00:00:00\n2,y,2026-11-22T00:00:00Z\n3,x,2026-11-22 00:05\n\
                    4,y,2026-11-22T01:00:00+00:00\n5,x,2026-11-22T01:00:00.000\n6,x,2026-11-22 01:05:00\n";
        let series = read(Tz::UTC, text).unwrap();
        let told: Vec<_> = series.iter().map(|one| (one.name.as_str(), one.width, one.rows.len())).collect();
        assert_eq!(told, [("x", 5, 4), ("y", 60, 2)]);
        assert_eq!(series[0].rows.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 3, 5, 6]);
    }

    #[test]
    fn a_series_may_go_on_in_the_next_file_and_without_a_name_has_the_files() {
        let mut counts = Counts::new(Tz::UTC, Limit::Units(1));
        for (file, hour) in [("a.csv", 0), ("b.csv", 2)] {
            let text = format!("series,timestamp,count\nx,2026-11-22 0{hour}:00,1\nx,2026-11-22 0{}:00,1\n", hour + 1);
            counts.read(file, text.as_bytes(), "unused").unwrap();
        }
        counts.read("c.csv", "timestamp,count\n2026-11-22 00:00,1\n2026-11-22 01:00,1\n".as_bytes(), "c").unwrap();
        let series = counts.finish().unwrap();
        assert_eq!(
            series.iter().map(|one| (one.name.as_str(), one.rows.len())).collect::<Vec<_>>(),
            [("x", 4), ("c", 2)]
        );
    }

    #[test]
    fn naive_stamps_of_the_hour_that_comes_twice_are_both_hours() {
        let rows = ["01:00", "02:00", "02:00", "03:00"].map(|time| format!("2026-10-25 {time},1\n"));
        let series = read(Tz::Europe__Berlin, &format!("timestamp,count\n{}", rows.concat())).unwrap();
        let steps: Vec<_> = series[0].rows.windows(2).map(|pair| pair[1].0.0 - pair[0].0.0).collect();
        assert_eq!(steps, [60, 60, 60]);
    }

    /// What is said of these rows below a header.
    fn refused(zone: Tz, rows: &[&str]) -> String {
        read(zone, &format!("timestamp,count\n{}\n", rows.join("\n"))).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_the_remedy() {
        let good = "2026-11-22 01:00,1";
        let check = |rows: &[&str], expected: &str| assert_eq!(refused(Tz::UTC, rows), expected);
        check(
            &[good, "2026-11-22 02:00,-4"],
            "a.csv line 3: count -4 is negative; leave out the row of a bin whose count is not known",
        );
        check(&["2026-11-22 02:00,4.5"], "a.csv line 2: count \"4.5\" is not a whole number");
        check(
            &["yesterday,4"],
            "a.csv line 2: timestamp \"yesterday\" cannot be read; write it as 2026-11-22 14:00:00 or 2026-11-22T14:00:00Z",
        );
        check(
            &["2026-11-22 02:00"],
            "a.csv line 2: there is no count; write a header line `series,timestamp,count` or `timestamp,count`, then a row a bin",
        );
        check(
            &["2026-11-22 02:00:30,1"],
            "a.csv line 2: \"2026-11-22 02:00:30\" is not a full minute; a timestamp is the begin of its bin",
        );
        check(
            &[good, good],
            "a.csv line 3: \"2026-11-22 01:00\" is there twice; add the counts of one bin up, in one row",
        );
        check(
            &[good, "2026-11-22 00:00,1"],
            "a.csv line 3: \"2026-11-22 00:00\" comes after a later row of its series; sort the rows by series and timestamp",
        );
        check(&[good], "a.csv line 2: series \"a\" has one row; how wide its bins are is told by the next row");
        check(
            &[good, "2026-11-23 01:00,1"],
            "a.csv line 2: series \"a\" has bins of 1440 minutes; forecasts are judged hourly, so give bins of an hour at most",
        );
        check(
            &[good, "2026-11-22 01:07,1"],
            "a.csv line 2: series \"a\" has bins of 7 minutes, which do not fill an hour; give bins of 5, 10, 15 or 60",
        );
        check(
            &[good, "2026-11-22 02:00,1", "2026-11-22 03:00,1", "2026-11-22 03:10,1"],
            "a.csv line 5: less than 60 minutes after the row before, though the other rows are 60 apart",
        );
        check(
            &["2026-11-22 01:30,1", "2026-11-22 02:30,1"],
            "a.csv line 2: a bin of 60 minutes that begins here holds a full hour of UTC; give narrower bins",
        );
        assert_eq!(
            refused(Tz::Europe__Berlin, &["2026-03-29 02:00,1"]),
            "a.csv line 2: \"2026-03-29 02:00\" does not exist in Europe/Berlin, whose clock skips it; give the zone of the stamps with --tz"
        );
    }

    #[test]
    fn a_wrong_header_is_told_what_a_right_one_is() {
        let form = "write a header line `series,timestamp,count` or `timestamp,count`, then a row a bin";
        let check = |text: &str, expected: &str| {
            assert_eq!(read(Tz::UTC, text).unwrap_err(), format!("a.csv{expected}; {form}"))
        };
        check("", " is empty");
        check("timestamp,value\n", " line 1: \"value\" is not a column");
        check("timestamp\n", " line 1: there is no column \"count\"");
        check("timestamp,count,count\n", " line 1: column \"count\" is there twice");
        assert!(read(Tz::UTC, "\u{feff}timestamp,count\n").unwrap().is_empty());
    }
}

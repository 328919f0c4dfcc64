//! Questions to the ledger: day totals and group-bys for reports, minutes for quotas and forecasts. Files
//! are read in parallel, each reduced to its groups before the next is opened, so that memory holds a few
//! days' rows however many years are asked for.
//! This file never writes.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::Context;
use chrono_tz::Tz;

use super::completeness::Completeness;
pub use super::counting::Counting;
use super::day_file::{DayFile, Footer, ReadError, read_day, read_tally};
pub use super::group::By;
use super::ledger::{Ledger, Reason, unreadable};
pub use super::spent::{Incomplete, Recent, Spent, UnitsAMinute, minutes, spent};
use super::tally::Tally;
use crate::day::{Day, Minute};
use crate::quota::Match;

/// Beyond these, reading is bound by memory and not by cores.
const READERS_MAX: usize = 8;

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
    /// One text a `by` column: `2026-11-22`, `2026-11-22T14:00+01:00` for an hour, `2026-W47`, `2026-11`, else the
    /// label; a status that no response says is empty.
    pub group: Vec<String>,
    pub requests: u64,
    /// Requests with a status of 400 or more.
    pub errors: u64,
    pub units: u64,
    pub bytes: u64,
    /// Interpolated in the duration buckets; `None` where no request says its duration.
    pub duration_ms_p50: Option<f64>,
    pub duration_ms_p95: Option<f64>,
    /// The group covers minutes of which lines may be missing: its sums are lower bounds.
    pub at_least: bool,
}

/// An answer, rows in order of their groups: calendar columns by time, labels by name.
#[derive(Clone, Debug)]
pub struct Report {
    pub by: Vec<By>,
    pub rows: Vec<Row>,
    /// Over all rows; its group is empty.
    pub total: Row,
    /// `AtLeast` if any row is, or would be if it had not lost all its lines; with the reasons of all.
    pub completeness: Completeness,
}

/// Answer from the ledger, all hosts together. `progress(done, of)` is told of each file read; `missing` tells, by
/// host, of what the ledger does not hold and does not say either.
///
/// A damaged file does not keep the rest from answering: the report is then `AtLeast` and says which. Only the
/// rows that a reason's bounds touch are marked.
pub fn report(
    ledger: &Ledger,
    query: &Query,
    missing: &[(String, Reason)],
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<Report> {
    let mut counting = counted(ledger, query, progress)?;
    missing.iter().for_each(|(host, reason)| counting.doubt(host, std::slice::from_ref(reason)));
    Ok(counting.finish())
}

fn counted(ledger: &Ledger, query: &Query, progress: &mut dyn FnMut(u64, u64)) -> anyhow::Result<Counting> {
    let files = files_in(ledger, &query.span)?;
    let mut counting = Counting::new(query.clone(), "");
    let columns = counting.columns();
    for part in read_all(&files, &columns, progress, || counting.clone(), add_file)? {
        counting.merge(part);
    }
    Ok(counting)
}

fn add_file(counting: &mut Counting, file: &FileOf, read: Result<DayFile, String>) {
    let counted = read.and_then(|day| {
        counting.doubt(&day.footer.host, day.footer.completeness.reasons());
        counting.add_ledger_rows(&day.rows, &day.footer.host).map_err(|error| error.to_string())
    });
    if let Err(what) = counted {
        counting.doubt(&file.1, &[not_counted(file, &what)]);
    }
}

pub(super) fn not_counted((day, _, path): &FileOf, what: &str) -> Reason {
    unreadable(path, *day, what)
}

/// One day file's footer and all its rows, from one read; or why it cannot be understood.
pub fn day_file(path: &Path) -> anyhow::Result<Result<(Footer, Tally), String>> {
    answer(path, read_tally(path))
}

/// A day file: its day, its host as its name tells, its path.
pub(super) type FileOf = (Day, String, PathBuf);

/// The day files that can hold a minute of the span.
pub(super) fn files_in(ledger: &Ledger, span: &Range<Option<Minute>>) -> anyhow::Result<Vec<FileOf>> {
    let mut files = ledger.files()?;
    files.retain(|(day, ..)| {
        let minutes = day.span(Tz::UTC);
        span.start.is_none_or(|start| start < minutes.end) && span.end.is_none_or(|end| minutes.start < end)
    });
    Ok(files)
}

/// Read these columns of all files on a few threads. Each thread adds its files to what `start` gives it; what
/// cannot be understood is added as a sentence. An input or output error ends the whole.
pub(super) fn read_all<A: Send>(
    files: &[FileOf],
    columns: &[&str],
    progress: &mut dyn FnMut(u64, u64),
    start: impl Fn() -> A + Sync,
    add: impl Fn(&mut A, &FileOf, Result<DayFile, String>) + Sync,
) -> anyhow::Result<Vec<A>> {
    let next = AtomicUsize::new(0);
    let (tell, told) = mpsc::channel();
    let read_some = |tell: mpsc::Sender<()>| {
        let mut sum = start();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            add(&mut sum, file, read(&file.2, columns)?);
            // Nobody listens any more only when the caller's progress panicked.
            let _ = tell.send(());
        }
        anyhow::Ok(sum)
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..readers(files.len()))
            .map(|_| {
                scope.spawn({
                    let (tell, read_some) = (tell.clone(), &read_some);
                    move || read_some(tell)
                })
            })
            .collect();
        drop(tell);
        for (done, ()) in (1..).zip(told) {
            progress(done, files.len() as u64);
        }
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn readers(files: usize) -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX).min(files)
}

fn read(path: &Path, columns: &[&str]) -> anyhow::Result<Result<DayFile, String>> {
    answer(path, read_day(path, Some(columns)))
}

/// What cannot be understood is an answer, what cannot be read an error.
fn answer<T>(path: &Path, read: Result<T, ReadError>) -> anyhow::Result<Result<T, String>> {
    match read {
        Ok(content) => Ok(Ok(content)),
        Err(ReadError::Io(error)) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        Err(error) => Ok(Err(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::collect::request::Decoded;
    use crate::count::sample::{Sample, any_samples, decoded, minute, push, sample};
    use crate::quota::Column;
    use proptest::prelude::*;

    struct Fixture {
        dir: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Fixture {
            Fixture { dir: tempfile::tempdir().unwrap() }
        }

        fn ledger(&self, host: &str) -> Ledger {
            Ledger::new(self.dir.path(), host)
        }

        fn commit(&self, host: &str, samples: &[Sample]) {
            self.commit_doubtful(host, samples, &BTreeMap::new());
        }

        fn commit_doubtful(&self, host: &str, samples: &[Sample], at_least: &Incomplete) {
            let mut tally = Tally::default();
            tally.add(&mut decoded(samples));
            assert!(self.ledger(host).commit(&tally, &BTreeMap::new(), at_least).failed.is_none());
        }
    }

    fn query(by: &str) -> Query {
        let by = by.split_terminator(',').map(|name| name.parse().unwrap()).collect();
        Query { span: None..None, by, matching: Match::default(), zone: Tz::UTC }
    }

    fn ask(fixture: &Fixture, query: &Query) -> Report {
        report(&fixture.ledger("any"), query, &[], &mut |_, _| {}).unwrap()
    }

    fn count(samples: &[Sample], query: &Query, host: &str) -> Report {
        let mut counting = Counting::new(query.clone(), host);
        counting.add(&mut decoded(samples));
        counting.finish()
    }

    /// `group: requests errors units`, a line a row.
    fn lines(report: &Report) -> Vec<String> {
        report.rows.iter().map(|r| format!("{}: {} {} {}", r.group.join("|"), r.requests, r.errors, r.units)).collect()
    }

    fn three_days() -> Vec<Sample> {
        vec![
            sample("2026-11-20T10:00:00Z", "/b", 200, 1),
            sample("2026-11-21T10:00:00Z", "/b", 503, 2),
            sample("2026-11-21T23:59:00Z", "/a", 404, 3),
            sample("2026-11-22T00:00:00Z", "/a", 200, 4),
        ]
    }

    #[test]
    fn days_come_in_order_with_a_total() {
        let fixture = Fixture::new();
        fixture.commit("h", &three_days());
        let report = ask(&fixture, &query("day"));
        assert_eq!(lines(&report), ["2026-11-20: 1 0 1", "2026-11-21: 2 2 5", "2026-11-22: 1 0 4"]);
        assert_eq!(
            (report.total.requests, report.total.errors, report.total.units, report.total.bytes),
            (4, 2, 10, 40)
        );
        assert_eq!(report.completeness, Completeness::Exact);
    }

    #[test]
    fn a_local_day_takes_from_two_files_and_a_label_column_may_come_first() {
        let fixture = Fixture::new();
        fixture.commit("h", &three_days());
        let query = Query { zone: Tz::Asia__Tokyo, ..query("operation,day") };
        assert_eq!(
            lines(&ask(&fixture, &query)),
            ["/a|2026-11-22: 2 1 7", "/b|2026-11-20: 1 0 1", "/b|2026-11-21: 1 1 2"]
        );
    }

    #[test]
    fn the_hour_that_comes_twice_is_two_rows_of_a_25_hour_day() {
        let samples: Vec<Sample> = (0..25)
            .map(|hour| Sample {
                minute: Minute(minute("2026-11-01T07:00:00Z").0 + 60 * hour),
                ..three_days()[0].clone()
            })
            .collect();
        let zone = Tz::America__Los_Angeles;
        let hours = count(&samples, &Query { zone, ..query("hour") }, "h");
        assert_eq!(hours.rows.len(), 25);
        assert_eq!(lines(&hours)[1..3], ["2026-11-01T01:00-07:00: 1 0 1", "2026-11-01T01:00-08:00: 1 0 1"]);
        assert_eq!(lines(&count(&samples, &Query { zone, ..query("day") }, "h")), ["2026-11-01: 25 0 25"]);
    }

    #[test]
    fn the_span_is_half_open() {
        let fixture = Fixture::new();
        fixture.commit("h", &three_days());
        let span = Some(minute("2026-11-21T10:00:00Z"))..Some(minute("2026-11-22T00:00:00Z"));
        assert_eq!(lines(&ask(&fixture, &Query { span, ..query("day") })), ["2026-11-21: 2 2 5"]);
    }

    #[test]
    fn a_match_takes_only_its_requests_and_a_status_is_its_number() {
        let fixture = Fixture::new();
        fixture.commit("h", &three_days());
        let matching = |column, value: &str| Match(vec![(column, value.into())]);
        for (column, value, requests) in
            [(Column::Operation, "/a", 2), (Column::Status, "404", 1), (Column::Host, "h", 4), (Column::Key, "test", 0)]
        {
            let query = Query { matching: matching(column, value), ..query("service") };
            assert_eq!(ask(&fixture, &query).total.requests, requests, "{column} = {value}");
        }
    }

    #[test]
    fn hosts_are_added_up_and_told_apart() {
        let fixture = Fixture::new();
        fixture.commit("one", &three_days());
        fixture.commit("two", &three_days()[..2]);
        assert_eq!(lines(&ask(&fixture, &query("host"))), ["one: 4 2 10", "two: 2 1 3"]);
        assert_eq!(ask(&fixture, &query("day")).total.requests, 6);
    }

    #[test]
    fn nothing_counted_is_an_empty_exact_report() {
        let report = ask(&Fixture::new(), &query("day"));
        assert!(report.rows.is_empty() && report.total.requests == 0 && report.total.duration_ms_p50.is_none());
        assert_eq!(report.completeness, Completeness::Exact);
    }

    /// A loss in host h's log from 23:00 on the 21st to 00:30 on the 22nd.
    fn lost_over_midnight(fixture: &Fixture) -> Reason {
        let at = |text: &str| text.parse().unwrap();
        let what = "/var/log/app.log: was truncated".to_owned();
        let reason = Reason::between(at("2026-11-21T23:00:00Z"), at("2026-11-22T00:30:00Z"), what);
        let mut completeness = Completeness::Exact;
        completeness.add([reason.clone()]);
        let days = ["2026-11-21", "2026-11-22"].map(|day| (day.parse().unwrap(), completeness.clone()));
        fixture.commit_doubtful("h", &three_days(), &BTreeMap::from(days));
        reason
    }

    /// The groups of the rows that are marked.
    fn marked(report: &Report) -> Vec<String> {
        report.rows.iter().filter(|row| row.at_least).map(|row| row.group.join("|")).collect()
    }

    #[test]
    fn only_groups_that_cover_a_loss_are_at_least() {
        let fixture = Fixture::new();
        let reason = lost_over_midnight(&fixture);
        let by = |by: &str| ask(&fixture, &query(by));
        let report = by("day");
        assert_eq!(marked(&report), ["2026-11-21", "2026-11-22"]);
        assert!(report.total.at_least);
        let told = Reason { what: "h: /var/log/app.log: was truncated".to_owned(), ..reason };
        assert_eq!(report.completeness.reasons(), [told], "once, though two days say it");
        assert_eq!(marked(&by("hour")), ["2026-11-21T23:00+00:00", "2026-11-22T00:00+00:00"]);
        assert_eq!(marked(&by("operation")), ["/a", "/b"], "nobody knows the labels of what is lost");
        let in_tokyo = ask(&fixture, &Query { zone: Tz::Asia__Tokyo, ..query("day") });
        assert_eq!(marked(&in_tokyo), ["2026-11-22"], "it is 08:00 to 09:30 there");
    }

    #[test]
    fn a_loss_outside_the_span_and_of_another_host_marks_nothing() {
        let fixture = Fixture::new();
        lost_over_midnight(&fixture);
        fixture.commit("other", &three_days());
        let by_host = ask(&fixture, &query("host"));
        assert_eq!((marked(&by_host), by_host.total.at_least), (vec!["h".to_owned()], true));
        let span = Some(minute("2026-11-22T00:31:00Z"))..None;
        let after = ask(&fixture, &Query { span, ..query("day") });
        assert!(after.completeness.is_exact() && !after.total.at_least && marked(&after).is_empty());
    }

    #[test]
    fn what_the_ledger_does_not_know_is_told_to_it() {
        let fixture = Fixture::new();
        fixture.commit("h", &three_days());
        let gone = ("h".to_owned(), Reason::of_day("2026-11-20".parse().unwrap(), "its file is gone".to_owned()));
        let report = report(&fixture.ledger("any"), &query("day"), &[gone], &mut |_, _| {}).unwrap();
        assert_eq!(marked(&report), ["2026-11-20"]);
        assert_eq!(report.completeness.told(), "h: its file is gone (on 2026-11-20)");
    }

    #[test]
    fn a_damaged_file_leaves_the_rest_an_at_least_answer() {
        let fixture = Fixture::new();
        fixture.commit("h", &three_days());
        let (day, _, path) = fixture.ledger("h").files().unwrap().remove(0);
        std::fs::write(path, b"damaged").unwrap();
        let report = ask(&fixture, &query("day"));
        assert_eq!(report.total.requests, 3);
        let told = report.completeness.told();
        assert!(told.contains("is unreadable") && told.contains(&format!("(on {day})")), "{told}");
        let known = minutes(&fixture.ledger("h"), Minute(0)..Minute(u32::MAX), &Match::default()).unwrap();
        assert_eq!((known.minutes.len(), known.incomplete.into_keys().collect()), (3, vec![day]));
    }

    #[test]
    fn progress_is_told_of_each_file() {
        let fixture = Fixture::new();
        fixture.commit("h", &three_days());
        let mut told = Vec::new();
        report(&fixture.ledger("h"), &query("day"), &[], &mut |done, of| told.push((done, of))).unwrap();
        assert_eq!(told, [(1, 3), (2, 3), (3, 3)]);
    }

    #[test]
    fn another_workers_table_is_not_taken_for_the_last_ones() {
        let mut counting = Counting::new(query("operation"), "h");
        for samples in [&three_days()[..1], &three_days()[2..3], &three_days()[..3]] {
            counting.add(&mut decoded(samples));
        }
        assert_eq!(lines(&counting.finish()), ["/a: 2 2 6", "/b: 3 1 4"]);
    }

    #[test]
    fn percentiles_lie_inside_the_bucket_that_holds_them() {
        let with = |duration_ms| Sample { duration_ms, ..three_days()[0].clone() };
        let mut samples = vec![with(Some(100)); 90];
        samples.extend(vec![with(Some(900)); 10]);
        samples.extend(vec![with(None); 500]);
        let total = count(&samples, &query("day"), "h").total;
        let (p50, p95) = (total.duration_ms_p50.unwrap(), total.duration_ms_p95.unwrap());
        // 100 ms lies in (90.5, 128], 50 of 90 through it; 900 ms in (724, 1024], half way.
        assert!((p50 - (90.51 + 37.49 * 50.0 / 90.0)).abs() < 0.01, "{p50}");
        assert!((p95 - (724.08 + 299.92 * 0.5)).abs() < 0.01, "{p95}");
        assert_eq!(count(&[with(None)], &query("day"), "h").total.duration_ms_p50, None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// The ledger, and counting in any shares on workers of their own, give the same report.
        #[test]
        fn counting_and_the_ledger_agree(
            samples in any_samples(),
            chunk in 1_usize..20,
            by in prop::sample::select(vec!["", "day", "hour,service", "status,operation", "host,month,key", "week,method,api"]),
            matching in prop::sample::select(vec![vec![], vec![(Column::Operation, "Größe")], vec![(Column::Status, ""), (Column::Service, "web")]]),
        ) {
            let matching = Match(matching.into_iter().map(|(column, value)| (column, value.into())).collect());
            let span = Some(Minute(29_000_347))..Some(Minute(29_003_000));
            let query = Query { matching, span: span.clone(), ..query(by) };
            let fixture = Fixture::new();
            fixture.commit("h", &samples);
            let from_ledger = ask(&fixture, &query);

            let mut workers = [(Decoded::default(), Counting::new(query.clone(), "h")), (Decoded::default(), Counting::new(query.clone(), "h"))];
            for (at, samples) in samples.chunks(chunk).enumerate() {
                let (worker, counting) = &mut workers[at % 2];
                push(worker, samples);
                counting.add(worker);
            }
            let [(_, mut counted), (_, other)] = workers;
            counted.merge(other);
            let counted = counted.finish();
            prop_assert_eq!(&counted.rows, &from_ledger.rows);
            prop_assert_eq!(&counted.total, &from_ledger.total);

            let accepted = |s: &&Sample| {
                let status = s.status.map_or(String::new(), |status| status.to_string());
                Some(s.minute) >= span.start && Some(s.minute) < span.end && query.matching.accepts(|column| match column {
                    Column::Operation => s.operation.into(),
                    Column::Status => status.clone().into(),
                    _ => s.service.into(),
                })
            };
            let units: u64 = samples.iter().filter(accepted).map(|s| s.units).sum();
            let requests = samples.iter().filter(accepted).count() as u64;
            prop_assert_eq!((counted.total.requests, counted.total.units), (requests, units));
            let minutes = minutes(&fixture.ledger("h"), Minute(29_000_347)..Minute(29_003_000), &query.matching).unwrap();
            prop_assert_eq!(minutes.minutes.values().sum::<u64>(), units);
        }
    }
}

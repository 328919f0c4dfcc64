//! What the ledger costs: committing a busy day, starting up, and answering from a year of it.

use std::collections::BTreeMap;
use std::path::Path;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use daycap::collect::request::{Bucket, Decoded, Series, pack};
use daycap::count::ledger::Ledger;
use daycap::count::query::{By, Query, minutes, report};
use daycap::count::tally::Tally;
use daycap::day::{DAY_MINUTES, Minute};
use daycap::quota::{Column, Match};

const FIRST_DAY: u32 = 20_000;
const DAY_ROWS: u32 = 40_000;
const YEAR_DAY_ROWS: u32 = 20_000;

/// A day whose every row is a minute and series of its own.
fn day(number: u32, rows: u32) -> Tally {
    let mut decoded = Decoded::default();
    let first = (FIRST_DAY + number) * DAY_MINUTES;
    for row in 0..rows {
        let (minute, label) = (row % DAY_MINUTES, row / DAY_MINUTES);
        let id = decoded.series.id(Series {
            service: "web".into(),
            key: "prod".into(),
            api: "api.example".into(),
            method: "POST".into(),
            operation: format!("Operation{}", label % 12).into(),
            status: Some(if label.is_multiple_of(9) { 404 } else { 200 }),
            duration: Bucket::of_ms(f64::from(label) * 40.0),
        });
        decoded.rows.key.push(pack(Minute(first + minute), id));
        decoded.rows.start.push(0);
        decoded.rows.units.push(1);
        decoded.rows.bytes.push(u64::from(row));
        decoded.rows.duration_ms.push(100.0);
    }
    let mut tally = Tally::default();
    tally.add(&mut decoded);
    tally
}

fn commit(ledger: &Ledger, tally: &Tally) {
    let committed = ledger.commit(tally, &BTreeMap::new(), &BTreeMap::new());
    assert!(committed.failed.is_none(), "{:?}", committed.failed);
}

fn committing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    let (busy, few) = (day(0, DAY_ROWS), day(0, 100));
    let fresh = || tempfile::tempdir().expect("a temporary directory");
    group.bench_function("40,000 rows into a new day", |bencher| {
        bencher.iter_batched_ref(fresh, |dir| commit(&Ledger::new(dir.path(), "host"), &busy), BatchSize::PerIteration);
    });
    let dir = fresh();
    let ledger = Ledger::new(dir.path(), "host");
    commit(&ledger, &busy);
    group.bench_function("100 rows into a day of 40,000", |bencher| bencher.iter(|| commit(&ledger, &few)));
}

fn year(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let ledger = Ledger::new(dir.path(), "host");
    for number in 0..365 {
        commit(&ledger, &day(number, YEAR_DAY_ROWS));
    }
    println!("a year is {} KiB", bytes_below(dir.path()) / 1024);
    let mut group = criterion.benchmark_group("a year of 20,000 rows a day");
    group.sample_size(10);
    let by = [vec![By::Day], vec![By::Month, By::Label(Column::Operation), By::Label(Column::Status)]];
    for by in by {
        let name: Vec<String> = by.iter().map(By::to_string).collect();
        let query = Query { span: None..None, by, matching: Match::default(), zone: chrono_tz::America::Los_Angeles };
        let ask = || report(&ledger, &query, &[], &mut |_, _| {}).expect("a report");
        group.bench_function(format!("report by {}", name.join(",")), |bencher| bencher.iter(ask));
    }
    let all = Minute(0)..Minute(u32::MAX);
    let matching = Match(vec![(Column::Key, "prod".into())]);
    group.bench_function("minutes", |bencher| {
        bencher.iter(|| minutes(&ledger, all.clone(), &matching).expect("minutes"))
    });
    group.bench_function("footers", |bencher| bencher.iter(|| ledger.footers().expect("footers")));
}

fn bytes_below(dir: &Path) -> u64 {
    let files = walkdir::WalkDir::new(dir).into_iter().filter_map(Result::ok);
    files.filter_map(|file| file.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

criterion_group!(benches, committing, year);
criterion_main!(benches);

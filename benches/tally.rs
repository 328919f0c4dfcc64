//! What counting costs once lines are decoded: rows a second into a tally, and into a report's groups.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use daycap::collect::request::{Bucket, Decoded, Series, pack};
use daycap::count::query::{By, Counting, Query};
use daycap::count::tally::Tally;
use daycap::day::Minute;
use daycap::quota::{Column, Match};

const TALLY_ROWS: u64 = 100_000;
const REPORT_ROWS: u64 = 1_600_000;
const FIRST_MINUTE: u32 = 29_000_000;

/// Rows in order of time over `minutes`, their labels scattered over `series`.
fn decoded(rows: u64, minutes: u64, series: u64) -> Decoded {
    let mut decoded = Decoded::default();
    let ids: Vec<u32> = (0..series).map(|number| decoded.series.id(numbered_series(number))).collect();
    for row in 0..rows {
        let minute = u32::try_from(row * minutes / rows).expect("few minutes");
        // A multiplicative hash scatters without a random number generator.
        let scattered = (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % series;
        let id = ids[usize::try_from(scattered).expect("few series")];
        decoded.rows.key.push(pack(Minute(FIRST_MINUTE + minute), id));
        decoded.rows.start.push(row * 290);
        decoded.rows.units.push(1);
        decoded.rows.bytes.push(row % 5000);
        decoded.rows.duration_ms.push(100.0);
    }
    decoded
}

fn numbered_series(number: u64) -> Series {
    Series {
        service: "web".into(),
        key: "prod".into(),
        api: "api.example".into(),
        method: "POST".into(),
        operation: format!("/operation/{}", number / 10).into(),
        status: Some(if number.is_multiple_of(9) { 404 } else { 200 }),
        duration: Bucket::of_ms(((number % 10) as f64).exp2()),
    }
}

fn copy(of: &Decoded) -> Decoded {
    Decoded {
        rows: of.rows.clone(),
        series: of.series.clone(),
        lines: of.lines,
        arrival: of.arrival,
        skips: of.skips,
        heard: of.heard.clone(),
    }
}

fn tally(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tally");
    group.throughput(Throughput::Elements(TALLY_ROWS));
    for (name, minutes, series) in [("few groups", 10, 100), ("many groups", 1440, 2000)] {
        let rows = decoded(TALLY_ROWS, minutes, series);
        let add = |mut decoded: Decoded| {
            let mut tally = Tally::default();
            tally.add(&mut decoded);
            tally
        };
        group.bench_function(name, |bencher| bencher.iter_batched(|| copy(&rows), add, BatchSize::LargeInput));
    }
}

fn counting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("counting");
    group.throughput(Throughput::Elements(REPORT_ROWS));
    let rows = decoded(REPORT_ROWS, 7 * 1440, 2000);
    for by in [vec![By::Day], vec![By::Hour, By::Label(Column::Operation)]] {
        let name: Vec<String> = by.iter().map(By::to_string).collect();
        let query = Query { span: None..None, by, matching: Match::default(), zone: chrono_tz::America::Los_Angeles };
        let count = |mut decoded: Decoded| {
            let mut counting = Counting::new(query.clone(), "host");
            counting.add(&mut decoded);
            counting.finish()
        };
        group.bench_function(name.join(","), |bencher| {
            bencher.iter_batched(|| copy(&rows), count, BatchSize::LargeInput)
        });
    }
}

criterion_group!(benches, tally, counting);
criterion_main!(benches);

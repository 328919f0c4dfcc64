//! Bytes and lines a second of one core, from lines to columns, beside serde_json into a struct (which then
//! has neither minutes nor labels) in the same run.

mod lines;

use std::hint::black_box;

use chrono_tz::Tz;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use daycap::collect::{Format, Reading};
use serde::Deserialize;

use lines::{LineOf, chunks, combined, decode, log, nested, pino, rest, structlog};

/// What the rival fills: the wanted fields of all logs above.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "filled to be measured")]
struct Line<'a> {
    time: Option<u64>,
    #[serde(borrow)]
    timestamp: Option<&'a str>,
    method: Option<&'a str>,
    url: Option<&'a str>,
    status: Option<u16>,
    duration_ms: Option<f64>,
    operation: Option<&'a str>,
    service: Option<&'a str>,
    req: Option<Req<'a>>,
    res: Option<Res>,
    response_time: Option<u64>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "filled to be measured")]
struct Req<'a> {
    #[serde(borrow)]
    method: Option<&'a str>,
    url: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "filled to be measured")]
struct Res {
    status_code: Option<u16>,
}

fn parse(chunks: &[&[u8]]) -> usize {
    let lines = chunks.iter().flat_map(|chunk| chunk.split(|byte| *byte == b'\n'));
    lines.filter(|line| black_box(serde_json::from_slice::<Line>(line)).is_ok()).count()
}

fn bench(criterion: &mut Criterion) {
    let logs: [(&str, LineOf, Format); 5] = [
        ("json flat, pino", pino, Format::JSON),
        ("json flat, structlog with RFC 3339", structlog, Format::JSON),
        ("json flat, paths with ids", rest, Format::JSON),
        ("json nested, no two lines of one shape", nested, Format::JSON),
        ("combined", combined, Format::COMBINED),
    ];
    for (name, line, format) in logs {
        let reading = Reading { format: Some(format), ..Reading::unsettled(Tz::UTC) };
        let log = log(line);
        let chunks = chunks(&log);
        let lines = log.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(decode(&chunks, &reading), lines, "every line is a request");
        for (unit, throughput) in
            [("bytes", Throughput::BytesDecimal(log.len() as u64)), ("lines", Throughput::Elements(lines))]
        {
            let mut group = criterion.benchmark_group(name);
            group.sample_size(10).throughput(throughput);
            group
                .bench_function(BenchmarkId::new("daycap", unit), |bencher| bencher.iter(|| decode(&chunks, &reading)));
            if format == Format::JSON {
                group.bench_function(BenchmarkId::new("serde_json", unit), |bencher| bencher.iter(|| parse(&chunks)));
            }
            group.finish();
        }
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);

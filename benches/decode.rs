//! Bytes and lines a second of one core, from lines to columns, beside serde_json into a struct (which then
//! has neither minutes nor labels) in the same run.

use std::fmt::Write;
use std::hint::black_box;

use chrono_tz::Tz;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use daycap::collect::decode::Decoder;
use daycap::collect::request::Decoded;
use daycap::collect::{Chunk, Format, Reading};
use serde::Deserialize;

/// More than the caches hold, and a whole number of read-sized chunks.
const LOG_BYTES: usize = 32 << 20;
const CHUNK_BYTES: usize = 1 << 20;

/// A small xorshift: the same log in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn operation(&mut self) -> &'static str {
        const OPERATIONS: [&str; 8] =
            ["Jobs", "JobSearch", "Contracts", "Messages", "Profile", "Proposals", "MarketplaceSearch", "Rooms"];
        OPERATIONS[self.below(8) as usize]
    }

    fn status(&mut self) -> u16 {
        [200, 200, 200, 200, 429, 500][self.below(6) as usize]
    }
}

/// Writes one line, given the milliseconds since the log's day began.
type LineOf = fn(&mut Dice, u64) -> String;

/// Whole lines of about `LOG_BYTES`.
fn log(line: LineOf) -> Vec<u8> {
    let mut dice = Dice(88_172_645_463_325_252);
    let mut log = String::new();
    let mut time_ms = 0;
    while log.len() < LOG_BYTES {
        time_ms = (time_ms + dice.below(50)) % 86_400_000;
        writeln!(log, "{}", line(&mut dice, time_ms)).expect("a String takes everything");
    }
    log.into_bytes()
}

fn clock(time_ms: u64) -> String {
    let seconds = time_ms / 1000;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn pino(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"level":30,"time":{},"pid":23649,"hostname":"worker-1.prod.example.com","method":"POST","url":"https://api.example.com/graphql","status":{},"durationMs":{},"operation":"{}","service":"sync-{}","requestId":"{:016x}","userAgent":"node-fetch/2.6.7 (linux; x64)","msg":"http_request"}}"#,
        1_795_305_600_000 + time_ms,
        dice.status(),
        dice.below(900),
        dice.operation(),
        dice.below(3),
        dice.below(u64::MAX)
    )
}

fn structlog(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"method": "POST", "url": "https://api.example.com/graphql", "status": {}, "duration_ms": {}.{}, "operation": "{}", "key_name": "prod", "attempt": {}, "request_id": "{:016x}", "event": "http_request", "level": "info", "timestamp": "2026-11-22T{}.{:03}611Z"}}"#,
        dice.status(),
        dice.below(900),
        dice.below(10),
        dice.operation(),
        dice.below(3),
        dice.below(u64::MAX),
        clock(time_ms),
        time_ms % 1000
    )
}

/// Paths with ids: no two labels are the same bytes.
fn rest(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"level":30,"time":{},"pid":23649,"hostname":"worker-1.prod.example.com","method":"GET","url":"https://api.example.com/jobs/{}/proposals?page={}","status":{},"durationMs":{},"requestId":"{:016x}","msg":"http_request"}}"#,
        1_795_305_600_000 + time_ms,
        dice.below(1 << 40),
        dice.below(9),
        dice.status(),
        dice.below(900),
        dice.below(u64::MAX)
    )
}

/// Header names that differ from line to line: no template fits, the parser reads nearly every line.
fn nested(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"level":30,"time":{},"req":{{"id":{},"method":"POST","url":"/graphql","headers":{{"host":"api.example.com","x-trace-{}":"1","accept":"*/*"}}}},"res":{{"statusCode":{},"headers":{{"content-length":{}}}}},"responseTime":{},"msg":"request completed"}}"#,
        1_795_305_600_000 + time_ms,
        dice.below(1_000_000),
        dice.below(1_000_000),
        dice.status(),
        dice.below(9000),
        dice.below(900)
    )
}

fn combined(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"10.0.{}.{} - - [22/Nov/2026:{} +0000] "POST /{} HTTP/1.1" {} {} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36""#,
        dice.below(256),
        dice.below(256),
        clock(time_ms),
        dice.operation(),
        dice.status(),
        dice.below(9000)
    )
}

/// As Docker's json-file driver wraps it.
fn docker(dice: &mut Dice, time_ms: u64) -> String {
    let line = serde_json::to_string(&(pino(dice, time_ms) + "\n")).expect("a String is JSON");
    format!(r#"{{"log":{line},"stream":"stdout","time":"2026-11-22T{}.374616758Z"}}"#, clock(time_ms))
}

/// As Kubernetes wraps it.
fn cri(dice: &mut Dice, time_ms: u64) -> String {
    format!("2026-11-22T{}.374616758Z stdout F {}", clock(time_ms), pino(dice, time_ms))
}

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

/// Whole lines of at most [`CHUNK_BYTES`], as a tail gives them.
fn chunks(log: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    let mut rest = log;
    while !rest.is_empty() {
        let end =
            rest[..CHUNK_BYTES.min(rest.len())].iter().rposition(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (chunk, after) = rest.split_at(end);
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// Decode the whole log; each chunk's rows are dropped, as if they had been counted.
fn decode(chunks: &[&[u8]], format: Format) -> u64 {
    let reading = Reading { format: Some(format), ..Reading::unsettled(chrono_tz::Tz::UTC) };
    let mut decoder = Decoder::new(&reading, "bench".into());
    let mut decoded = Decoded::default();
    let mut start = 0;
    for chunk in chunks {
        let end = start + chunk.len() as u64;
        decoder.decode(chunk, &Chunk { start, end, written: None }, &mut decoded);
        black_box(&decoded.rows);
        decoded.rows.clear();
        start = end;
    }
    decoded.lines.counted
}

fn parse(chunks: &[&[u8]]) -> usize {
    let lines = chunks.iter().flat_map(|chunk| chunk.split(|byte| *byte == b'\n'));
    lines.filter(|line| black_box(serde_json::from_slice::<Line>(line)).is_ok()).count()
}

fn bench(criterion: &mut Criterion) {
    let wrapped = |format: &str| format.parse().expect("a format");
    let logs: [(&str, LineOf, Format); 7] = [
        ("json flat, pino", pino, Format::JSON),
        ("json flat, structlog with RFC 3339", structlog, Format::JSON),
        ("json flat, paths with ids", rest, Format::JSON),
        ("json nested, no two lines of one shape", nested, Format::JSON),
        ("combined", combined, Format::COMBINED),
        ("docker:json", docker, wrapped("docker:json")),
        ("cri:json", cri, wrapped("cri:json")),
    ];
    for (name, line, format) in logs {
        let log = log(line);
        let chunks = chunks(&log);
        let lines = log.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(decode(&chunks, format), lines, "every line is a request");
        for (unit, throughput) in
            [("bytes", Throughput::BytesDecimal(log.len() as u64)), ("lines", Throughput::Elements(lines))]
        {
            let mut group = criterion.benchmark_group(name);
            group.sample_size(10).throughput(throughput);
            group.bench_function(BenchmarkId::new("daycap", unit), |bencher| bencher.iter(|| decode(&chunks, format)));
            if format == Format::JSON {
                group.bench_function(BenchmarkId::new("serde_json", unit), |bencher| bencher.iter(|| parse(&chunks)));
            }
            group.finish();
        }
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);

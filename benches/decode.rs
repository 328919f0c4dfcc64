//! Bytes and lines a second of one core, from lines to columns, beside serde_json into a struct (which then
//! has neither minutes nor labels) in the same run.

use std::fmt::Write;
use std::hint::black_box;

use chrono_tz::Tz;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use daycap::collect::decode::Decoder;
use daycap::collect::request::Decoded;
use daycap::collect::{Chunk, Family, Format, Reading};
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

fn haproxy(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"Nov 22 {0} lb1 haproxy[7]: 10.0.{1}.{2}:{3} [22/Nov/2026:{0}.{4:03}] https-in~ api/web-{5} 0/0/1/{6}/{7} {8} {9} - - ---- 3/2/0/0/0 0/0 {{api.example.com|Mozilla/5.0 (X11; Linux x86_64)}} {{}} "POST /{10} HTTP/1.1""#,
        clock(time_ms),
        dice.below(256),
        dice.below(256),
        1024 + dice.below(60_000),
        time_ms % 1000,
        dice.below(4),
        dice.below(90),
        90 + dice.below(900),
        dice.status(),
        dice.below(9000),
        dice.operation()
    )
}

fn squid(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        "{}.{:03} {:>6} 10.0.{}.{} TCP_MISS/{} {} POST https://api.example.com/{} - HIER_DIRECT/192.0.2.7 application/json",
        1_795_305_600 + time_ms / 1000,
        time_ms % 1000,
        dice.below(900),
        dice.below(256),
        dice.below(256),
        dice.status(),
        dice.below(9000),
        dice.operation()
    )
}

fn alb(dice: &mut Dice, time_ms: u64) -> String {
    let (request, target, fraction) = (dice.below(9), dice.below(900), time_ms % 1000);
    format!(
        r#"https 2026-11-22T{0}.{fraction:03}641Z app/my-loadbalancer/50dc6c495c0c9188 10.0.{1}.{2}:2817 10.0.0.1:80 0.00{request} 0.{target:03} 0.000 {3} {3} 34 {4} "POST https://api.example.com:443/{5} HTTP/1.1" "Mozilla/5.0 (X11; Linux x86_64)" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-{6:08x}-36d228ad5d99923122bbe354" "-" "-" 0 2026-11-22T00:00:00.000000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#,
        clock(time_ms),
        dice.below(256),
        dice.below(256),
        dice.status(),
        dice.below(9000),
        dice.operation(),
        dice.below(1 << 32)
    )
}

fn envoy(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"[2026-11-22T{}.{:03}Z] "POST /{} HTTP/2" {} - via_upstream - "-" 0 {} {} 1 "-" "python-httpx/0.28.1" "{:08x}-6d84-929d-98bd-c5aee93b5c88" "api.example.com" "192.0.2.7:443" outbound|443||api.example.com 10.0.0.1:41854 10.44.1.27:443 10.44.1.23:37652 - default"#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status(),
        dice.below(9000),
        dice.below(900),
        dice.below(1 << 32)
    )
}

fn httpx(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"2026-11-22 {},{:03} INFO httpx: HTTP Request: POST https://api.example.com/{} "HTTP/1.1 {} OK""#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status()
    )
}

fn urllib3(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"2026-11-22 {},{:03} DEBUG urllib3.connectionpool: https://api.example.com:443 "POST /{} HTTP/1.1" {} {}"#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status(),
        dice.below(9000)
    )
}

/// What a console shows of it, colours and all, behind a stamp.
fn morgan(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        "2026-11-22T{}.{:03}Z \x1b[0mPOST /{} \x1b[32m{}\x1b[0m {}.{} ms - {}\x1b[0m",
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status(),
        dice.below(900),
        dice.below(1000),
        dice.below(9000)
    )
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
        decoder.decode(chunk, &Chunk { start, end }, &mut decoded);
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
    let logs: [(&str, LineOf, Format); 12] = [
        ("json flat, pino", pino, Format::JSON),
        ("json flat, structlog with RFC 3339", structlog, Format::JSON),
        ("json flat, paths with ids", rest, Format::JSON),
        ("json nested, no two lines of one shape", nested, Format::JSON),
        ("combined", combined, Format::COMBINED),
        ("haproxy", haproxy, Format::bare(Family::Haproxy)),
        ("squid", squid, Format::bare(Family::Squid)),
        ("alb", alb, Format::bare(Family::Alb)),
        ("envoy", envoy, Format::bare(Family::Envoy)),
        ("text, httpx", httpx, Format::bare(Family::Text)),
        ("text, urllib3", urllib3, Format::bare(Family::Text)),
        ("text, morgan with colours", morgan, Format::bare(Family::Text)),
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

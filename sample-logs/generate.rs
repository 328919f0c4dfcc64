//! Made-up request logs: a seed and the shape of a week become log lines, and the truth about them.
//! This file never reads a clock or any randomness but its own, and computes in integers only, so the
//! same call gives the same bytes on every machine.
//!
//! ```text
//! cargo run --example generate -- samples DIR [--truth FILE]
//! cargo run --example generate -- lines --bytes 460MB --format pino --days 7 [--truth FILE] > big.log
//! ```
//!
//! Nobody's traffic is in here: hosts, names and numbers are invented, addresses are private ones.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, SecondsFormat};

/// The first day of every made-up week: a Monday.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 16).expect("a day of the calendar");
const SAMPLE_DAYS: i64 = 7;
/// The last sample day is still running, so that a forecast has something to say.
const SAMPLES_END_SECONDS: i64 = (SAMPLE_DAYS - 1) * DAY_SECONDS + 18 * HOUR_SECONDS;
/// Where rotation cut the sample logs: everything older is in the `.1.gz`.
const ROTATION_SECONDS: i64 = (SAMPLE_DAYS - 1) * DAY_SECONDS;
const HOUR_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
const SEED: u64 = 40_000;

/// One way in which a service calls its API.
struct Call {
    method: &'static str,
    /// `{id}` becomes a number, `{uuid}` a UUID, `{query}` a query string.
    path: &'static str,
    /// What a report calls it: the GraphQL operation, or the path with its ids cut out.
    operation: &'static str,
    weight: u64,
    typical_ms: u64,
    typical_bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Pino,
    Structlog,
    Combined,
}

struct Service {
    name: &'static str,
    dialect: Dialect,
    calls: &'static [Call],
    /// Requests in each hour of a weekday.
    hourly: [u64; 24],
    weekend_percent: u64,
    /// Requests that the nightly batch adds between 02:30 and 02:45.
    batch: u64,
    rotated: bool,
}

const SYNC: Service = Service {
    name: "sync",
    dialect: Dialect::Pino,
    calls: &[
        graphql("JobSearch", 50, 240, 18_000),
        graphql("JobDetails", 25, 110, 6_000),
        graphql("CompanyProfile", 12, 90, 3_000),
        graphql("MessageThreads", 9, 160, 9_000),
        graphql("RefreshToken", 4, 60, 900),
    ],
    hourly: [8, 6, 5, 5, 6, 10, 18, 36, 62, 76, 80, 74, 60, 70, 80, 76, 66, 52, 36, 24, 18, 14, 12, 10],
    weekend_percent: 30,
    batch: 120,
    rotated: true,
};

const BILLING: Service = Service {
    name: "billing",
    dialect: Dialect::Structlog,
    calls: &[
        rest("GET", "/v1/invoices/{id}", "/v1/invoices/{id}", 40, 45, 2_100),
        rest("GET", "/v1/customers/{uuid}/payments", "/v1/customers/{id}/payments", 25, 80, 5_400),
        rest("POST", "/v1/invoices", "/v1/invoices", 15, 130, 800),
        rest("PATCH", "/v1/subscriptions/{id}", "/v1/subscriptions/{id}", 12, 95, 700),
        rest("POST", "/v1/charges", "/v1/charges", 8, 420, 600),
    ],
    hourly: [2, 1, 1, 1, 1, 2, 6, 12, 22, 28, 30, 26, 20, 24, 28, 26, 20, 14, 9, 6, 4, 3, 2, 2],
    weekend_percent: 25,
    batch: 30,
    rotated: true,
};

/// An nginx egress proxy, which logs the calls of a service that keeps no log of its own.
const GATEWAY: Service = Service {
    name: "gateway",
    dialect: Dialect::Combined,
    calls: &[
        rest("GET", "/v2/rates{query}", "/v2/rates", 60, 35, 1_300),
        rest("GET", "/v2/reports/{id}", "/v2/reports/{id}", 30, 210, 24_000),
        rest("POST", "/v2/reports", "/v2/reports", 10, 330, 500),
    ],
    hourly: [1, 1, 1, 1, 1, 1, 2, 3, 4, 4, 4, 4, 3, 4, 4, 4, 3, 2, 2, 1, 1, 1, 1, 1],
    weekend_percent: 50,
    batch: 0,
    rotated: false,
};

const fn graphql(operation: &'static str, weight: u64, typical_ms: u64, typical_bytes: u64) -> Call {
    Call { method: "POST", path: "/graphql", operation, weight, typical_ms, typical_bytes }
}

const fn rest(
    method: &'static str,
    path: &'static str,
    operation: &'static str,
    weight: u64,
    typical_ms: u64,
    typical_bytes: u64,
) -> Call {
    Call { method, path, operation, weight, typical_ms, typical_bytes }
}

/// What was written, so that counts can be compared with it.
#[derive(Default)]
pub struct Truth(BTreeMap<(i64, &'static str, &'static str, u16), u64>);

impl Truth {
    fn count(&mut self, service: &'static str, request: &Request) {
        let minute = request.at_ms.div_euclid(60_000);
        *self.0.entry((minute, service, request.call.operation, request.status)).or_default() += 1;
    }

    /// `minute,service,operation,status,requests`, a row a group, in that order.
    pub fn csv(&self) -> String {
        let mut csv = String::from("minute,service,operation,status,requests\n");
        for ((minute, service, operation, status), requests) in &self.0 {
            let minute = instant(minute * 60_000).format("%Y-%m-%dT%H:%MZ");
            csv.push_str(&format!("{minute},{service},{operation},{status},{requests}\n"));
        }
        csv
    }

    pub fn requests(&self) -> u64 {
        self.0.values().sum()
    }
}

/// The sample logs by name (`.gz` ones uncompressed), and the truth about all of them.
pub fn samples() -> (BTreeMap<String, Vec<u8>>, Truth) {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut truth = Truth::default();
    let rotated_until_ms = first_ms() + ROTATION_SECONDS * 1_000;
    for (index, service) in (0..).zip([&SYNC, &BILLING, &GATEWAY]) {
        for record in week(service, &mut Random(SEED + index)) {
            let rotated = service.rotated && record.at_ms < rotated_until_ms;
            let suffix = if rotated { ".log.1.gz" } else { ".log" };
            let file = files.entry(format!("{}{suffix}", service.name)).or_default();
            file.extend_from_slice(&record.line);
            if let Some(request) = &record.request {
                truth.count(service.name, request);
            }
        }
    }
    (files, truth)
}

struct Request {
    at_ms: i64,
    call: &'static Call,
    status: u16,
    duration_ms: u64,
    bytes: u64,
}

/// A line, and the request it reports if it reports one.
struct Record {
    at_ms: i64,
    line: Vec<u8>,
    request: Option<Request>,
}

/// A service's sample week, in order of time.
fn week(service: &Service, random: &mut Random) -> Vec<Record> {
    let mut records = Vec::new();
    for second in 0..SAMPLES_END_SECONDS {
        if second % HOUR_SECONDS == 0 {
            records.extend(chatter(service, second, random));
        }
        if random.below(1_000_000) < rate_ppm(service, second) {
            let at_ms = first_ms() + second * 1_000 + random.below_i64(1_000);
            attempt(service, at_ms, is_storm(service, second), random, &mut records);
        }
    }
    // Answers to a 429 come seconds later and may have overtaken the next request. Stable, so that the
    // lines of one millisecond keep their order.
    records.sort_by_key(|record| record.at_ms);
    records
}

/// One request and, when it was turned away with 429, a line that says so and the retry.
fn attempt(service: &Service, at_ms: i64, storm: bool, random: &mut Random, records: &mut Vec<Record>) {
    let request = request(service, at_ms, storm, random);
    let turned_away = request.status == 429;
    let call = request.call;
    records.push(record(service, request, random));
    if turned_away {
        let delay_ms = 800 + random.below_i64(2_000);
        records.extend(retry_notice(service, call, at_ms + 3, delay_ms));
        let again = Request { status: success(call), ..self::request(service, at_ms + delay_ms, false, random) };
        records.push(record(service, Request { call, ..again }, random));
    }
}

fn record(service: &Service, request: Request, random: &mut Random) -> Record {
    let mut line = Vec::with_capacity(320);
    write_line(service.dialect, false, &request, random, &mut line).expect("a Vec takes all bytes");
    Record { at_ms: request.at_ms, line, request: Some(request) }
}

fn request(service: &Service, at_ms: i64, storm: bool, random: &mut Random) -> Request {
    let call = pick(service.calls, random);
    let slow = if random.below(50) == 0 { 8 } else { 1 };
    Request {
        at_ms,
        call,
        status: status(call, storm, random),
        duration_ms: slow * call.typical_ms * (60 + random.below(80)) / 100,
        bytes: call.typical_bytes * (50 + random.below(100)) / 100,
    }
}

fn pick(calls: &'static [Call], random: &mut Random) -> &'static Call {
    let mut left = random.below(calls.iter().map(|call| call.weight).sum());
    for call in calls {
        if left < call.weight {
            return call;
        }
        left -= call.weight;
    }
    unreachable!("the draw is below the sum of the weights")
}

fn status(call: &Call, storm: bool, random: &mut Random) -> u16 {
    let turned_away = if storm { 350 } else { 10 };
    match random.below(1_000) {
        draw if draw < turned_away => 429,
        draw if draw < turned_away + 4 => 503,
        draw if draw < turned_away + 6 => 500,
        draw if draw < turned_away + 14 && call.path.contains("{id}") => 404,
        _ => success(call),
    }
}

fn success(call: &Call) -> u16 {
    if call.method == "POST" && call.path != "/graphql" { 201 } else { 200 }
}

/// Requests a second, in millionths, at this second of the week.
fn rate_ppm(service: &Service, second: i64) -> u64 {
    let hour = usize::try_from(second % DAY_SECONDS / HOUR_SECONDS).expect("seconds of the week are not negative");
    let is_batch = (9_000..9_900).contains(&(second % DAY_SECONDS));
    let weekend = second / DAY_SECONDS % 7 >= 5;
    let percent = if weekend { service.weekend_percent } else { 100 };
    let storm = if is_storm(service, second) { 5 } else { 1 };
    let usual = service.hourly[hour] * percent * storm * 1_000_000 / (100 * 3_600);
    if is_batch { usual + service.batch * 1_000_000 / 900 } else { usual }
}

/// Thursday from 13:00 to 15:00 a loop in `sync` asks again and again: the day that passes its quota.
fn is_storm(service: &Service, second: i64) -> bool {
    let storm_start = 3 * DAY_SECONDS + 13 * HOUR_SECONDS;
    service.name == SYNC.name && (storm_start..storm_start + 2 * HOUR_SECONDS).contains(&second)
}

/// Lines that report no request, as real logs have them.
fn chatter(service: &Service, second: i64, random: &mut Random) -> Option<Record> {
    let at_ms = first_ms() + second * 1_000 + random.below_i64(1_000);
    let line = match (service.dialect, second % DAY_SECONDS / HOUR_SECONDS) {
        (Dialect::Pino, hour) if hour % 3 == 0 => format!(
            "{{\"level\":30,\"time\":{at_ms},\"pid\":23649,\"hostname\":\"app-1\",\"jobs\":{},\"msg\":\"sync finished\"}}\n",
            random.below(400)
        ),
        (Dialect::Structlog, 6) => format!(
            "{{\"due\": {}, \"event\": \"invoices_due\", \"level\": \"info\", \"timestamp\": \"{}\"}}\n",
            random.below(90),
            instant(at_ms).to_rfc3339_opts(SecondsFormat::Micros, true)
        ),
        _ => return None,
    };
    Some(Record { at_ms, line: line.into_bytes(), request: None })
}

/// It names an operation and a reason, and still is no request: the retry has its own line.
fn retry_notice(service: &Service, call: &Call, at_ms: i64, delay_ms: i64) -> Option<Record> {
    let operation = call.operation;
    let line = match service.dialect {
        Dialect::Pino => format!(
            "{{\"level\":40,\"time\":{at_ms},\"pid\":23649,\"hostname\":\"app-1\",\"operation\":\"{operation}\",\
             \"delayMs\":{delay_ms},\"msg\":\"rate limited, will retry\"}}\n"
        ),
        Dialect::Structlog => format!(
            "{{\"delay_ms\": {delay_ms}, \"event\": \"retry\", \"level\": \"warning\", \"timestamp\": \"{}\"}}\n",
            instant(at_ms).to_rfc3339_opts(SecondsFormat::Micros, true)
        ),
        Dialect::Combined => return None,
    };
    Some(Record { at_ms, line: line.into_bytes(), request: None })
}

/// `wide` lines carry the fields of a busier service and come to about 290 bytes.
fn write_line(
    dialect: Dialect,
    wide: bool,
    request: &Request,
    random: &mut Random,
    out: &mut impl Write,
) -> io::Result<()> {
    let Request { at_ms, call, status, duration_ms, bytes } = request;
    let method = call.method;
    let path = FilledPath { template: call.path, id: random.next(), id_low: random.next() };
    match dialect {
        Dialect::Pino => {
            write!(
                out,
                "{{\"level\":30,\"time\":{at_ms},\"pid\":23649,\"hostname\":\"app-1\",\"method\":\"{method}\",\
                 \"url\":\"https://api.example.com{path}\",\"status\":{status},\"durationMs\":{duration_ms},\
                 \"operation\":\"{}\"",
                call.operation
            )?;
            if wide {
                let id = Uuid(random.next(), random.next());
                write!(out, ",\"reqId\":\"{id}\",\"responseBytes\":{bytes},\"attempt\":1,\"tenant\":\"t-0042\"")?;
            }
            out.write_all(b",\"msg\":\"http_request\"}\n")
        }
        Dialect::Structlog => {
            let micros = at_ms * 1_000 + random.below_i64(1_000);
            let at = DateTime::from_timestamp_micros(micros).expect("a time of the made-up week");
            let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
            write!(
                out,
                "{{\"method\": \"{method}\", \"url\": \"https://api.example.com{path}\", \"status\": {status}, \
                 \"duration_ms\": {duration_ms}.{}, ",
                random.below(10)
            )?;
            if wide {
                let id = Uuid(random.next(), random.next());
                write!(out, "\"request_id\": \"{id}\", \"response_bytes\": {bytes}, ")?;
            }
            writeln!(out, "\"event\": \"http_request\", \"level\": \"info\", \"timestamp\": \"{at}\"}}")
        }
        Dialect::Combined => {
            let at = instant(*at_ms).format("%d/%b/%Y:%H:%M:%S +0000");
            let host = 10 + random.below(4);
            writeln!(
                out,
                "10.0.3.{host} - - [{at}] \"{method} {path} HTTP/1.1\" {status} {bytes} \"-\" \"reports/2.4 (httpx)\""
            )
        }
    }
}

/// A call's path with its placeholders filled in.
struct FilledPath {
    template: &'static str,
    id: u64,
    id_low: u64,
}

impl std::fmt::Display for FilledPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((before, rest)) = self.template.split_once('{') else {
            return formatter.write_str(self.template);
        };
        let (placeholder, after) = rest.split_once('}').expect("templates close their braces");
        formatter.write_str(before)?;
        match placeholder {
            "id" => write!(formatter, "{}", 10_000 + self.id % 90_000)?,
            "uuid" => write!(formatter, "{}", Uuid(self.id, self.id_low))?,
            "query" => write!(formatter, "?base={}", ["EUR", "USD", "GBP"][usize::from(self.id as u8) % 3])?,
            other => unreachable!("no such placeholder: {other}"),
        }
        formatter.write_str(after)
    }
}

/// Random, in the form of a version 4 UUID.
struct Uuid(u64, u64);

impl std::fmt::Display for Uuid {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Uuid(high, low) = self;
        let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
        let (d, e) = (low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        write!(formatter, "{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
    }
}

fn first_ms() -> i64 {
    FIRST_DAY.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}

fn instant(at_ms: i64) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp_millis(at_ms).expect("a time of the made-up weeks")
}

/// splitmix64, Steele et al. 2014, <https://doi.org/10.1145/2714064.2660195>: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform below `bound`, but for a bias of less than `bound` in 2^64.
    fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product is below `bound`, so it fits.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn below_i64(&mut self, bound: u32) -> i64 {
        i64::try_from(self.below(u64::from(bound))).expect("below 2^32")
    }
}

// ---- `lines`: one big log for benches ----

struct Big {
    bytes: u64,
    dialect: Dialect,
    days: i64,
}

/// At least `big.bytes` of one service's lines, spread over the days as its week is shaped.
fn write_big(big: &Big, mut truth: Option<&mut Truth>, out: &mut impl Write) -> io::Result<()> {
    let service = [&SYNC, &BILLING, &GATEWAY].into_iter().find(|service| service.dialect == big.dialect);
    let service = service.expect("each dialect has its service");
    let mut random = Random(SEED);
    let minutes = big.days * DAY_SECONDS / 60;
    let weight = |minute: i64| u128::from(rate_ppm(service, minute * 60) + 1);
    let weights: u128 = (0..minutes).map(weight).sum();
    let (mut line, mut written, mut begun) = (Vec::new(), 0, 0u128);
    for minute in 0..minutes {
        let from = u128::from(big.bytes) * begun / weights;
        begun += weight(minute);
        let until = u128::from(big.bytes) * begun / weights;
        while written < until {
            // The share of this minute's bytes that is written is the share of it that is over.
            let into_ms = 60_000 * written.saturating_sub(from) / (until - from);
            let at_ms = first_ms() + minute * 60_000 + i64::try_from(into_ms).expect("below 60,000");
            let request = request(service, at_ms, is_storm(service, minute * 60), &mut random);
            line.clear();
            write_line(big.dialect, true, &request, &mut random, &mut line)?;
            out.write_all(&line)?;
            written += line.len() as u128;
            if let Some(truth) = truth.as_deref_mut() {
                truth.count(service.name, &request);
            }
        }
    }
    out.flush()
}

// ---- the command ----

const USAGE: &str = "usage: generate samples DIR [--truth FILE]
       generate lines --bytes 460MB [--format pino|structlog|combined] [--days 7] [--truth FILE]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["samples", directory, options @ ..] => {
            let options = options_of(options, &["--truth"])?;
            let (files, truth) = samples();
            for (name, content) in &files {
                write_file(&Path::new(directory).join(name), content)?;
            }
            write_truth(&options, &truth)
        }
        ["lines", options @ ..] => {
            let options = options_of(options, &["--bytes", "--format", "--days", "--truth"])?;
            let big = big_of(&options)?;
            let mut truth = Truth::default();
            let counted = options.contains_key("--truth").then_some(&mut truth);
            write_big(&big, counted, &mut BufWriter::with_capacity(1 << 20, io::stdout().lock()))?;
            write_truth(&options, &truth)
        }
        _ => Err(USAGE.into()),
    }
}

type Options<'a> = BTreeMap<&'a str, &'a str>;

fn options_of<'a>(words: &[&'a str], known: &[&str]) -> Result<Options<'a>, String> {
    words
        .chunks(2)
        .map(|pair| match pair {
            [name, value] if known.contains(name) => Ok((*name, *value)),
            _ => Err(format!("cannot use {:?}\n{USAGE}", pair.join(" "))),
        })
        .collect()
}

fn big_of(options: &Options) -> Result<Big, String> {
    let bytes = options.get("--bytes").ok_or(USAGE)?;
    let dialect = match options.get("--format").copied().unwrap_or("pino") {
        "pino" => Dialect::Pino,
        "structlog" => Dialect::Structlog,
        "combined" => Dialect::Combined,
        other => return Err(format!("--format {other}: it must be pino, structlog or combined")),
    };
    let days = options.get("--days").copied().unwrap_or("7");
    let days = days.parse().ok().filter(|days| (1..=3_650).contains(days));
    Ok(Big { bytes: parse_bytes(bytes)?, dialect, days: days.ok_or("--days must be 1 to 3650")? })
}

/// `460MB` is 460,000,000 bytes; `kB`, `MB`, `GB` or nothing.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        other => return Err(format!("--bytes {text}: {other} is not kB, MB or GB")),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or(format!("--bytes {text}: not a size"))
}

fn write_file(path: &PathBuf, content: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut encoder = flate2::GzBuilder::new().write(&mut file, flate2::Compression::best());
        encoder.write_all(content)?;
        encoder.finish()?;
        return Ok(());
    }
    file.write_all(content)
}

fn write_truth(options: &Options, truth: &Truth) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(path) = options.get("--truth") {
        std::fs::write(path, truth.csv())?;
        eprintln!("{} requests", truth.requests());
    }
    Ok(())
}

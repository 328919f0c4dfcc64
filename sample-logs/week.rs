//! The shape of a week becomes the sample logs, and the truth about them.
//! This file never writes a file.

use std::collections::BTreeMap;

use chrono::{NaiveDate, SecondsFormat};

use super::line::{Call, Dialect, Request, instant, write_line};
use super::random::Random;

/// The first day of every made-up week: a Monday.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 16).expect("a day of the calendar");
const SAMPLE_DAYS: i64 = 7;
/// The last sample day is still running, so that a forecast has something to say.
const SAMPLES_END_SECONDS: i64 = (SAMPLE_DAYS - 1) * DAY_SECONDS + 18 * HOUR_SECONDS;
/// Where rotation cut the sample logs: everything older is in the `.1.gz`.
const ROTATION_SECONDS: i64 = (SAMPLE_DAYS - 1) * DAY_SECONDS;
const HOUR_SECONDS: i64 = 3_600;
pub const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
pub const SEED: u64 = 40_000;

pub struct Service {
    pub name: &'static str,
    pub dialect: Dialect,
    calls: &'static [Call],
    /// Requests in each hour of a weekday.
    hourly: [u64; 24],
    weekend_percent: u64,
    /// Requests that the nightly batch adds between 02:30 and 02:45.
    batch: u64,
    rotated: bool,
}

pub const SYNC: Service = Service {
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

pub const BILLING: Service = Service {
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
pub const GATEWAY: Service = Service {
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
    pub fn count(&mut self, service: &'static str, request: &Request) {
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

pub fn request(service: &Service, at_ms: i64, storm: bool, random: &mut Random) -> Request {
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
pub fn rate_ppm(service: &Service, second: i64) -> u64 {
    let hour = usize::try_from(second % DAY_SECONDS / HOUR_SECONDS).expect("seconds of the week are not negative");
    let is_batch = (9_000..9_900).contains(&(second % DAY_SECONDS));
    let weekend = second / DAY_SECONDS % 7 >= 5;
    let percent = if weekend { service.weekend_percent } else { 100 };
    let storm = if is_storm(service, second) { 5 } else { 1 };
    let usual = service.hourly[hour] * percent * storm * 1_000_000 / (100 * 3_600);
    if is_batch { usual + service.batch * 1_000_000 / 900 } else { usual }
}

/// Thursday from 13:00 to 15:00 a loop in `sync` asks again and again: the day that passes its quota.
pub fn is_storm(service: &Service, second: i64) -> bool {
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

pub fn first_ms() -> i64 {
    FIRST_DAY.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}

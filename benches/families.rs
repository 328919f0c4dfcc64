//! What a byte of each format costs, beside a byte of flat JSON in the same run: all in turns, medians, one core.
//! It prints the table of benches/README.md.

mod lines;

use std::sync::Arc;
use std::time::{Duration, Instant};

use daycap::collect::{Mapping, Reading};

use lines::{Dice, LineOf, chunks, clock, combined, decode, log, pino, rest, structlog};

/// In turns, so that a slow moment of the machine meets all alike.
const ROUNDS: usize = 7;
const PATTERN: &str =
    r"^(?P<time>\S+) \[\w+\] (?P<method>[A-Z]+) (?P<url>\S+) -> (?P<status>\d{3}) in (?P<duration>[\d.]+)ms";

const FORMATS: [(&str, &str, LineOf); 26] = [
    ("JSON, flat: pino", "json", pino),
    ("JSON, flat: structlog", "json", structlog),
    ("JSON, flat: paths with ids", "json", rest),
    ("JSON, flat: slog", "json", slog),
    ("JSON, flat: zap", "json", zap),
    ("JSON, flat: Serilog compact", "json", serilog),
    ("JSON, flat: OpenTelemetry names", "json", otel),
    ("JSON, nested: ECS", "json", ecs),
    ("JSON, nested: Caddy", "json", caddy),
    ("JSON, nested: tracing", "json", tracing),
    ("JSON, nested: loguru", "json", loguru),
    ("JSON with an httpx message", "json", json_message),
    ("OTLP log records", "otlp", otlp),
    ("logfmt: slog", "logfmt", slog_text),
    ("logfmt: Heroku router", "logfmt", heroku),
    ("combined", "combined", combined),
    ("HAProxy", "haproxy", haproxy),
    ("Squid", "squid", squid),
    ("AWS load balancer", "alb", alb),
    ("Envoy", "envoy", envoy),
    ("httpx messages", "text", httpx),
    ("urllib3 messages", "text", urllib3),
    ("a pattern of one's own", "regex", own),
    ("Docker around pino", "docker:json", docker),
    ("Kubernetes around pino", "cri:json", cri),
    ("syslog around pino", "syslog:json", syslog),
];

fn slog(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"time":"2026-11-22T{}.{:03}762195Z","level":"INFO","msg":"call","method":"GET","host":"api.example.com","path":"/{}","status":{},"duration":{},"trace":"{:016x}"}}"#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status(),
        dice.below(900_000_000),
        dice.below(u64::MAX)
    )
}

fn zap(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"level":"info","ts":{}.{:03}4807,"caller":"client/client.go:42","msg":"call","method":"POST","url":"https://api.example.com/{}","status":{},"duration":0.{:06}}}"#,
        1_795_305_600 + time_ms / 1000,
        time_ms % 1000,
        dice.operation(),
        dice.status(),
        dice.below(1_000_000)
    )
}

fn serilog(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"@t":"2026-11-22T{}.{:03}3279Z","@mt":"HTTP {{RequestMethod}} {{RequestPath}} responded {{StatusCode}} in {{Elapsed}} ms","RequestMethod":"POST","RequestPath":"/{}","StatusCode":{},"Elapsed":{}.{},"SourceContext":"Client"}}"#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status(),
        dice.below(900),
        dice.below(10)
    )
}

fn otel(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"timestamp":"2026-11-22T{}.{:03}434Z","http.request.method":"POST","url.full":"https://api.example.com/graphql","http.response.status_code":{},"graphql.operation.name":"{}","service.name":"sync","trace_id":"{:016x}"}}"#,
        clock(time_ms),
        time_ms % 1000,
        dice.status(),
        dice.operation(),
        dice.below(u64::MAX)
    )
}

fn ecs(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"@timestamp":"2026-11-22T{}.{:03}Z","log.level":"info","message":"call","http":{{"request":{{"method":"post"}},"response":{{"status_code":{},"body":{{"bytes":{}}}}}}},"url":{{"domain":"api.example.com","path":"/{}"}},"event":{{"duration":{}}},"ecs.version":"1.6.0","process":{{"pid":4711}}}}"#,
        clock(time_ms),
        time_ms % 1000,
        dice.status(),
        dice.below(9000),
        dice.operation(),
        dice.below(900_000_000)
    )
}

fn caddy(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"level":"info","ts":{}.{:03}6014,"logger":"http.log.access.log0","msg":"handled request","request":{{"remote_ip":"10.10.10.117","proto":"HTTP/2.0","method":"GET","host":"api.example.com","uri":"/{}?page={}"}},"duration":0.{:09},"size":{},"status":{}}}"#,
        1_795_305_600 + time_ms / 1000,
        time_ms % 1000,
        dice.operation(),
        dice.below(9),
        dice.below(1_000_000_000),
        dice.below(9000),
        dice.status()
    )
}

fn tracing(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"timestamp":"2026-11-22T{}.{:03}434Z","level":"INFO","fields":{{"message":"http_request","http.request.method":"POST","url.full":"https://api.example.com/{}","http.response.status_code":{}}},"target":"sync"}}"#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status()
    )
}

fn loguru(dice: &mut Dice, time_ms: u64) -> String {
    let seconds = 1_795_305_600 + time_ms / 1000;
    format!(
        r#"{{"text": "http_request\n", "record": {{"elapsed": {{"repr": "0:00:01.0{:05}", "seconds": 1.0}}, "extra": {{"method": "POST", "url": "https://api.example.com/{}", "status": {}}}, "level": {{"icon": "i", "name": "INFO", "no": 20}}, "message": "http_request", "time": {{"repr": "2026-11-22 {}.280844+00:00", "timestamp": {seconds}.280844}}}}}}"#,
        dice.below(100_000),
        dice.operation(),
        dice.status(),
        clock(time_ms)
    )
}

fn json_message(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"asctime": "2026-11-22 {},{:03}", "levelname": "INFO", "name": "httpx", "message": "HTTP Request: POST https://api.example.com/{} \"HTTP/1.1 {} OK\""}}"#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status()
    )
}

fn otlp(dice: &mut Dice, time_ms: u64) -> String {
    let record = |dice: &mut Dice| {
        format!(
            r#"{{"timeUnixNano":"{}000000","severityText":"INFO","body":{{"stringValue":"call"}},"attributes":[{{"key":"http.request.method","value":{{"stringValue":"POST"}}}},{{"key":"url.full","value":{{"stringValue":"https://api.example.com/{}"}}}},{{"key":"http.response.status_code","value":{{"intValue":"{}"}}}}]}}"#,
            1_795_305_600_000 + time_ms,
            dice.operation(),
            dice.status()
        )
    };
    let records: Vec<_> = (0..4).map(|_| record(dice)).collect();
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"sync"}}}}]}},"scopeLogs":[{{"scope":{{"name":"client"}},"logRecords":[{}]}}]}}]}}"#,
        records.join(",")
    )
}

fn slog_text(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"time=2026-11-22T{}.{:03}Z level=INFO msg="http call" method=POST url=https://api.example.com/{} status={} duration={}ms trace={:016x}"#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status(),
        dice.below(900),
        dice.below(u64::MAX)
    )
}

fn heroku(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"2026-11-22T{}.{:03}000+00:00 heroku[router]: at=info method=GET path="/{}" host=api.example.com request_id={:016x} fwd="10.0.0.1" dyno=web.1 connect=0ms service={}ms status={} bytes={} protocol=https"#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.below(u64::MAX),
        dice.below(900),
        dice.status(),
        dice.below(9000)
    )
}

fn haproxy(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"10.0.{}.1:50210 [22/Nov/2026:{}.{:03}] prod_in~ prod_out/web1 0/0/1/48/{} {} {} - - ---- 3/2/0/0/0 0/0 {{api.example.com}} {{}} "POST /{} HTTP/1.1""#,
        dice.below(256),
        clock(time_ms),
        time_ms % 1000,
        dice.below(900),
        dice.status(),
        dice.below(9000),
        dice.operation()
    )
}

fn squid(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        "{}.{:03} {:6} 10.0.0.{} TCP_MISS/{} {} GET http://api.example.com/{} - HIER_DIRECT/10.0.0.1 application/json",
        1_795_305_600 + time_ms / 1000,
        time_ms % 1000,
        dice.below(900),
        dice.below(256),
        dice.status(),
        dice.below(9000),
        dice.operation()
    )
}

fn alb(dice: &mut Dice, time_ms: u64) -> String {
    let status = dice.status();
    format!(
        r#"https 2026-11-22T{}.{:03}641Z app/lb/50dc6c495c0c9188 10.0.0.{}:2817 10.0.0.1:80 0.000 0.{:03} 0.000 {status} {status} 34 {} "POST https://api.example.com:443/{} HTTP/2.0" "client/1" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:targetgroup/t/1 "Root=1-58337262-36d228ad5d99923122bbe354" "api.example.com" "-" 0 2026-11-22T00:00:00.000000Z "forward" "-" "-""#,
        clock(time_ms),
        time_ms % 1000,
        dice.below(256),
        dice.below(1000),
        dice.below(9000),
        dice.operation()
    )
}

fn envoy(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"[2026-11-22T{}.{:03}Z] "POST /{} HTTP/2" {} - 52 {} {} 40 "10.0.0.1" "client/1" "{:016x}" "api.example.com" "10.0.0.2:443""#,
        clock(time_ms),
        time_ms % 1000,
        dice.operation(),
        dice.status(),
        dice.below(9000),
        dice.below(900),
        dice.below(u64::MAX)
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

fn own(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        "2026-11-22T{}Z [client] POST https://api.example.com/{} -> {} in {}.{}ms",
        clock(time_ms),
        dice.operation(),
        dice.status(),
        dice.below(900),
        dice.below(10)
    )
}

fn docker(dice: &mut Dice, time_ms: u64) -> String {
    let line = pino(dice, time_ms).replace('"', "\\\"");
    format!(
        r#"{{"log":"{line}\n","stream":"stdout","time":"2026-11-22T{}.{:03}616758Z"}}"#,
        clock(time_ms),
        time_ms % 1000
    )
}

fn cri(dice: &mut Dice, time_ms: u64) -> String {
    let line = pino(dice, time_ms);
    format!("2026-11-22T{}.{:03}794202Z stdout F {line}", clock(time_ms), time_ms % 1000)
}

fn syslog(dice: &mut Dice, time_ms: u64) -> String {
    let line = pino(dice, time_ms);
    format!("2026-11-22T{}.{:03}794+00:00 worker-1 sync[4711]: {line}", clock(time_ms), time_ms % 1000)
}

struct Subject {
    name: &'static str,
    log: Vec<u8>,
    reading: Reading,
    requests: u64,
    times: Vec<Duration>,
}

impl Subject {
    fn new(name: &'static str, format: &str, line: LineOf) -> Subject {
        let pattern = (format == "regex").then(|| PATTERN.to_owned());
        let mapping = pattern.map(|pattern| Arc::new(Mapping { pattern: Some(pattern), ..Mapping::default() }));
        let format = Some(format.parse().expect("a format"));
        let reading = Reading { format, mapping, ..Reading::unsettled(chrono_tz::Tz::UTC) };
        let log = log(line);
        let lines = log.iter().filter(|byte| **byte == b'\n').count() as u64;
        let requests = decode(&chunks(&log), &reading);
        assert!(requests == lines || requests == 4 * lines, "{name}: {requests} requests in {lines} lines");
        Subject { name, log, reading, requests, times: Vec::new() }
    }

    fn time(&mut self) {
        let chunks = chunks(&self.log);
        let begin = Instant::now();
        assert_eq!(decode(&chunks, &self.reading), self.requests);
        self.times.push(begin.elapsed());
    }

    fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        times[times.len() / 2].as_secs_f64()
    }

    fn nanoseconds_a_byte(&self) -> f64 {
        self.median() * 1e9 / self.log.len() as f64
    }
}

fn main() {
    let mut subjects: Vec<_> =
        FORMATS.into_iter().map(|(name, format, line)| Subject::new(name, format, line)).collect();
    for _ in 0..ROUNDS {
        subjects.iter_mut().for_each(Subject::time);
    }
    let flat = subjects[0].nanoseconds_a_byte();
    println!("| format | GB/s | million requests/s | cost a byte, of flat JSON's |");
    println!("|---|---:|---:|---:|");
    for subject in &subjects {
        let cost = subject.nanoseconds_a_byte();
        let rate = subject.requests as f64 / subject.median() / 1e6;
        println!("| {} | {:.2} | {rate:.1} | {:.1} |", subject.name, 1.0 / cost, cost / flat);
    }
}

//! Whole lines through a Decoder: dialects as they are found in the field, and the properties that hold for
//! any bytes.

mod counts;
mod dialects;
mod otlp;

use std::fmt::Write;

use proptest::prelude::*;

use super::field::Field;
use super::fields::{Fields, Verdict};
use super::*;
use crate::collect::request::{Lines, unpack};
use crate::collect::tail::LINE_BYTES_MAX;

fn reading(format: Format) -> Reading {
    Reading { format: Some(format), ..Reading::unsettled(chrono_tz::Tz::UTC) }
}

fn chunk(bytes: &[u8]) -> Chunk {
    Chunk { start: 1000, end: 1000 + bytes.len() as u64, written: None }
}

pub fn from_zero(bytes: &[u8]) -> Chunk {
    Chunk { start: 0, end: bytes.len() as u64, written: None }
}

pub fn decode(reading: &Reading, text: &str) -> Decoded {
    let mut decoded = Decoded::default();
    Decoder::new(reading, "stem".into()).decode(text.as_bytes(), &chunk(text.as_bytes()), &mut decoded);
    decoded
}

/// One text a row.
fn rows(decoded: &Decoded) -> Vec<String> {
    let rows = &decoded.rows;
    let row = |at: usize| {
        let (minute, series) = unpack(rows.key[at]);
        let series = &decoded.series.list()[series as usize];
        let mut text = minute.start().format("%Y-%m-%dT%H:%M").to_string();
        for label in [&series.service, &series.key, &series.api, &series.method, &series.operation] {
            write!(text, " {label}").expect("text");
        }
        let status = series.status.map_or("-".to_owned(), |status| status.to_string());
        let duration = series.duration.map_or("-".to_owned(), |_| format!("{}ms", rows.duration_ms[at]));
        write!(text, " {status} {duration} {}B {}u", rows.bytes[at], rows.units[at]).expect("text");
        text
    };
    (0..rows.len()).map(row).collect()
}

/// What becomes of one line: its row, or why there is none.
fn json(line: &str) -> String {
    one(&decode(&reading(Format::JSON), &format!("{line}\n")))
}

fn combined(line: &str) -> String {
    one(&decode(&reading(Format::COMBINED), &format!("{line}\n")))
}

/// The same for a line of another format; families' own tests are tables of these.
pub fn row(family: Family, line: &str) -> String {
    one(&decode(&reading(Format::bare(family)), &format!("{line}\n")))
}

/// Whatever is left of a line that was cut, it says what the whole line says, or less.
pub fn beginnings_agree(read: for<'a> fn(&'a [u8], &mut Fields<'a>) -> Verdict, line: &str) {
    let said = |line: &str| -> Vec<(Field, Vec<u8>)> {
        let mut fields = Fields::new();
        match read(line.as_bytes(), &mut fields) {
            Verdict::Read => fields.labels().map(|(rank, value)| (rank.field, value.to_vec())).collect(),
            Verdict::Malformed => Vec::new(),
        }
    };
    let whole = said(line);
    assert!(whole.len() > 1, "{line}");
    for (end, _) in line.char_indices() {
        let part = said(&line[..end]);
        assert!(part.iter().all(|said| said.1.is_empty() || whole.contains(said)), "{part:?} of {:?}", &line[..end]);
    }
}

pub fn one(decoded: &Decoded) -> String {
    match decoded.lines {
        Lines { counted: 1, skipped: 0, malformed: 0, no_time: 0, bad_time: 0, .. } => rows(decoded).remove(0),
        Lines { counted: 0, skipped: 1, malformed: 0, no_time: 0, bad_time: 0, .. } => "skipped".to_owned(),
        Lines { counted: 0, skipped: 0, malformed: 1, no_time: 0, bad_time: 0, .. } => "malformed".to_owned(),
        Lines { counted: 0, skipped: 0, malformed: 0, no_time: 1, bad_time: 0, .. } => "no time".to_owned(),
        Lines { counted: 0, skipped: 0, malformed: 0, no_time: 0, bad_time: 1, .. } => "bad time".to_owned(),
        lines => panic!("one line is accounted for once, not as {lines:?}"),
    }
}

#[test]
fn json_dialects_are_read() {
    for (line, row) in [
        // pino
        (
            r#"{"level":30,"time":1795384444918,"pid":23649,"hostname":"vm","method":"POST","url":"https://api.example.com/graphql","status":200,"durationMs":123,"operation":"Jobs","msg":"http_request"}"#,
            "2026-11-22T21:54 stem (none) api.example.com POST Jobs 200 123ms 0B 1u",
        ),
        // pino-http
        (
            r#"{"level":30,"time":1795384444918,"req":{"id":1,"method":"POST","url":"/graphql","headers":{"host":"localhost:38379"}},"res":{"statusCode":200},"responseTime":1,"msg":"request completed"}"#,
            "2026-11-22T21:54 stem (none) localhost:38379 POST /graphql 200 1ms 0B 1u",
        ),
        // bunyan
        (
            r#"{"name":"svc","hostname":"vm","pid":23649,"level":30,"method":"GET","url":"https://api.example.com/jobs/42","status":404,"msg":"http_request","time":"2026-11-22T21:54:04.928Z","v":0}"#,
            "2026-11-22T21:54 svc (none) api.example.com GET /jobs/{id} 404 - 0B 1u",
        ),
        // structlog
        (
            r#"{"method": "POST", "url": "https://api.example.com/graphql", "status": 200, "duration_ms": 123.4, "operation": "Jobs", "event": "http_request", "level": "info", "timestamp": "2026-11-22T21:53:21.263611Z"}"#,
            "2026-11-22T21:53 stem (none) api.example.com POST Jobs 200 123.4ms 0B 1u",
        ),
        // loguru
        (
            r#"{"text": "x", "record": {"extra": {"method":"POST","url":"https://api.example.com/graphql","status":200}, "level":{"name":"INFO","no":20}, "message":"http_request", "time": {"repr":"2026-11-22 21:53:21.280844+00:00","timestamp":1795384401.280844}}}"#,
            "2026-11-22T21:53 stem (none) api.example.com POST /graphql 200 - 0B 1u",
        ),
        // OTel semantic conventions, flat
        (
            r#"{"timestamp":"2026-11-22T21:54:16.466434Z","http.request.method":"POST","url.full":"https://api.example.com/graphql","http.response.status_code":200,"service.name":"sync","graphql.operation.name":"Jobs"}"#,
            "2026-11-22T21:54 sync (none) api.example.com POST Jobs 200 - 0B 1u",
        ),
        // tracing
        (
            r#"{"timestamp":"2026-11-22T21:54:16.466434Z","level":"INFO","fields":{"message":"http_request","http.request.method":"POST","url.full":"https://api.example.com/graphql","http.response.status_code":200},"target":"rt"}"#,
            "2026-11-22T21:54 stem (none) api.example.com POST /graphql 200 - 0B 1u",
        ),
        // ECS, flat and nested mixed
        (
            r#"{"@timestamp":"2026-11-22T21:53:21.253Z","log.level":"info","http":{"request":{"method":"get"},"response":{"status_code":200,"body":{"bytes":7}}},"url.domain":"api.example.com","url.path":"/jobs","event.duration":12000000,"service":{"name":"sync"}}"#,
            "2026-11-22T21:53 sync (none) api.example.com GET /jobs 200 12ms 7B 1u",
        ),
        // slog
        (
            r#"{"time":"2023-05-06T13:24:00.476762195+02:00","level":"INFO","msg":"call","method":"GET","host":"api.example.com","path":"/a","status":200,"duration":48000000}"#,
            "2023-05-06T11:24 stem (none) api.example.com GET /a 200 48ms 0B 1u",
        ),
        // Caddy
        (
            r#"{"level":"info","ts":1716723772.6014807,"msg":"handled request","request":{"method":"GET","host":"mirrors.example.net:400","uri":"/a?b"},"duration":0.5,"size":3768,"status":200}"#,
            "2024-05-26T11:42 stem (none) mirrors.example.net:400 GET /a 200 500ms 3768B 1u",
        ),
        // python-json-logger with fields of one's own
        (
            r#"{"asctime": "2026-11-22 21:53:21,228", "levelname": "INFO", "name": "httpx", "method": "GET", "url": "https://api.example.com/a", "status_code": 200, "key_name": "prod", "cost": 3}"#,
            "2026-11-22T21:53 stem prod api.example.com GET /a 200 - 0B 3u",
        ),
        // Monolog escapes slashes
        (
            r#"{"message":"call","context":{"method":"GET","url":"https:\/\/api.example.com\/a","status":200},"datetime":"2026-11-22T21:53:21.263611+00:00"}"#,
            "2026-11-22T21:53 stem (none) api.example.com GET /a 200 - 0B 1u",
        ),
    ] {
        assert_eq!(json(line), row, "{line}");
    }
}

#[test]
fn a_line_that_reports_no_request_is_skipped() {
    for line in [
        "",
        " \t\r",
        "{}",
        r#"{"time":1795384444918,"msg":"started"}"#,
        r#"{"time":1795384444918,"method":"GET"}"#,
        r#"{"time":1795384444918,"url":"https://api.example.com"}"#,
        r#"{"time":1795384444918,"status":"ok","path":"/x"}"#,
        r#"{"time":1795384444918,"method":"CONNECT","url":"api.example.com:443","status":200}"#,
        r#"{"status":200}"#,
    ] {
        assert_eq!(json(line), "skipped", "{line}");
    }
}

#[test]
fn two_facts_make_a_request() {
    for facts in [
        r#""method":"GET","url":"/a""#,
        r#""status":200,"path":"/a""#,
        r#""method":"GET","status":200"#,
        r#""operation":"Jobs","status":200"#,
        r#""operation":"Jobs","method":"POST""#,
        r#""query":"query Jobs { jobs }","url":"/graphql""#,
    ] {
        let row = json(&format!(r#"{{"time":1795384444918,{facts}}}"#));
        assert!(row.starts_with("2026-11-22T21:54"), "{facts}: {row}");
    }
}

#[test]
fn what_cannot_be_counted_is_rejected_with_its_reason() {
    for (line, outcome) in [
        ("oops", "malformed"),
        ("[1]", "malformed"),
        ("\"text\"", "malformed"),
        (r#"{"method":"GET","url":"/a""#, "malformed"),
        (r#"{"method":"GET"} {"url":"/a"}"#, "malformed"),
        (r#"{"method":"GET","url":"/a"}"#, "no time"),
        (r#"{"method":"GET","url":"/a","time":null}"#, "no time"),
        (r#"{"method":"GET","url":"/a","time":""}"#, "no time"),
        (r#"{"method":"GET","url":"/a","time":"yesterday"}"#, "bad time"),
        (r#"{"method":"GET","url":"/a","time":"1969-12-31T23:59:59Z"}"#, "bad time"),
        (r#"{"method":"GET","url":"/a","time":-1}"#, "bad time"),
    ] {
        assert_eq!(json(line), outcome, "{line}");
    }
    assert_eq!(combined("oops"), "malformed");
    assert_eq!(combined(r#"::1 - - [-] "GET / HTTP/1.1" 200 2"#), "no time");
    assert_eq!(combined(r#"::1 - - [99/Nov/2024:06:21:42 +0000] "GET / HTTP/1.1" 200 2"#), "bad time");
}

#[test]
fn a_line_behind_nuls_is_read() {
    let line = r#"{"ts":"2026-11-22T10:00:00Z","method":"GET","path":"/a","status":200}"#;
    let read = json(line);
    assert!(read.contains("GET /a"), "{read}");
    let access = r#"10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5"#;
    let nuls = "\0".repeat(5000);
    for before in [nuls.clone(), format!("{{\"ts\":\"2026-{nuls}"), format!("10.0.0.2 - - [22/Nov{nuls}")] {
        assert_eq!(json(&format!("{before}{line}")), read);
        assert_eq!(combined(&format!("{before}{access}")), combined(access));
    }
    assert_eq!(json(&nuls), "skipped");
    assert_eq!(combined(&nuls), "skipped");
    assert_eq!(json(&format!("{line}{nuls}")), read, "only its LF was lost");
}

#[test]
fn the_beginning_of_a_line_too_long_to_hold_is_enough() {
    let said = r#"{"ts":"2026-11-22T10:00:00Z","method":"GET","path":"/a","status":200,"body":""#;
    let body = "x".repeat(LINE_BYTES_MAX - said.len() - 1);
    assert!(json(&format!("{said}{body}")).contains("GET /a"));
    assert_eq!(json(&format!("{said}{}", &body[1..])), "malformed", "it was not cut, but is broken");
}

#[test]
fn a_stamp_that_can_be_read_comes_before_one_that_cannot() {
    let line = r#"{"time":0.023,"method":"GET","url":"/a","timestamp":"2026-11-22T21:53:21Z"}"#;
    assert!(json(line).starts_with("2026-11-22T21:53"));
}

#[test]
fn access_log_lines_are_read() {
    for (line, row) in [
        (
            r#"172.17.0.1 - alice [01/Apr/2021:12:02:31 +0000] "POST /not-found HTTP/1.1" 404 153 "http://localhost/" "Mozilla/5.0" "2.75""#,
            "2021-04-01T12:02 stem (none) (none) POST /not-found 404 2750ms 153B 1u",
        ),
        (
            r#"api.example.com 10.0.0.1 - - [01/Apr/2021:12:02:31 +0200] "GET /jobs/42?token=x HTTP/2.0" 200 5 "-" "a""#,
            "2021-04-01T10:02 stem (none) api.example.com GET /jobs/{id} 200 - 5B 1u",
        ),
        (
            r#"10.0.0.1 - - [01/Apr/2021:12:02:31 +0000] "GET http://api.example.com/jobs HTTP/1.1" 200 - "-" "a""#,
            "2021-04-01T12:02 stem (none) api.example.com GET /jobs 200 - 0B 1u",
        ),
        (r#"10.0.0.1 - - [01/Apr/2021:12:02:31 +0000] "-" 408 0 "-" "-""#, "skipped"),
        (r#"10.0.0.1 - - [01/Apr/2021:12:02:31 +0000] "\x16\x03\x01" 400 157 "-" "-""#, "skipped"),
        (r#"10.0.0.1 - - [01/Apr/2021:12:02:31 +0000] "CONNECT api.example.com:443 HTTP/1.1" 200 0"#, "skipped"),
    ] {
        assert_eq!(combined(line), row, "{line}");
    }
}

#[test]
fn the_configuration_comes_before_the_line() {
    let configured = Reading {
        service: Some("configured".into()),
        key: Some("prod".into()),
        api: Some("upstream".into()),
        ..reading(Format::JSON)
    };
    let line =
        r#"{"time":1795384444918,"method":"GET","url":"https://api.example.com/a","service":"own","key_name":"own"}"#;
    assert_eq!(
        one(&decode(&configured, &format!("{line}\n"))),
        "2026-11-22T21:54 configured prod upstream GET /a - - 0B 1u"
    );
}

#[test]
fn rows_know_where_their_line_starts() {
    let line = r#"{"time":1795384444918,"method":"GET","url":"/a"}"#;
    let decoded = decode(&reading(Format::JSON), &format!("{line}\n\r\n{line}\r\nnoise\n{line}\n"));
    let length = line.len() as u64;
    assert_eq!(decoded.rows.start, [1000, 1000 + length + 3, 1000 + 2 * length + 11]);
    assert_eq!((decoded.lines.counted, decoded.lines.skipped, decoded.lines.malformed), (3, 1, 1));
}

#[test]
fn series_ids_are_of_the_table_at_hand() {
    let mut decoder = Decoder::new(&reading(Format::JSON), "stem".into());
    let lines: Vec<String> = ["/a", "/b"]
        .iter()
        .map(|path| format!("{{\"time\":1795384444918,\"method\":\"GET\",\"url\":\"{path}\"}}\n"))
        .collect();
    for order in [[0, 1], [1, 0], [0, 1]] {
        let mut decoded = Decoded::default();
        for at in order {
            decoder.decode(lines[at].as_bytes(), &chunk(lines[at].as_bytes()), &mut decoded);
        }
        let operations: Vec<_> = decoded.series.list().iter().map(|series| &*series.operation).collect();
        assert_eq!(operations, if order == [0, 1] { ["/a", "/b"] } else { ["/b", "/a"] });
    }
}

/// What never changed is taken into the template; when it changes after all, the line is still read right.
#[test]
fn a_value_that_was_long_the_same_may_change() {
    let line = |at: u64| {
        let method = if at % 17 == 16 { "PUT" } else { "GET" };
        format!(
            r#"{{"time":{},"method":"{method}","url":"https:\/\/h\/a","status":{},"ok":{}}}"#,
            1_795_384_444_918 + at,
            200 + at % 3,
            at % 23 != 22
        )
    };
    let log: String = (0..400).map(|at| line(at) + "\n").collect();
    let one_by_one: Vec<String> = (0..400).map(|at| json(&line(at))).collect();
    assert_eq!(rows(&decode(&reading(Format::JSON), &log)), one_by_one);
}

/// Found by the fuzz target `json`: the decoder looked at the byte behind the last one.
#[test]
fn a_log_may_end_where_a_number_should_begin() {
    let line = r#"{"time":1795384444918,"pid":7,"method":"GET","url":"/a","status":200}"#;
    let log = format!("{line}\n{line}\n{line}\n");
    for end in 0..log.len() {
        let lines = decode(&reading(Format::JSON), &log[..end]).lines;
        assert_eq!(accounted(&lines), line_count(&log.as_bytes()[..end]), "{:?}", &log[..end]);
    }
}

/// A quota that one absurd line overdraws is seen; a sum that wraps is not.
#[test]
fn an_absurd_cost_counts_as_the_largest() {
    for (cost, units) in
        [("7", 7u64), ("1099511627776", 1 << 40), ("1099511627777", 1 << 40), ("18446744073709551615", 1 << 40)]
    {
        let row = json(&format!(r#"{{"time":1795384444918,"method":"GET","url":"/a","cost":{cost}}}"#));
        assert!(row.ends_with(&format!(" {units}u")), "{row}");
    }
}

#[test]
fn operations_beyond_the_bound_are_filed_together_and_still_counted() {
    let mut text = String::new();
    let count = label::OPERATIONS_MAX + 10;
    for at in 0..count {
        let name: String = format!("{at:05}").bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        writeln!(text, "{{\"time\":1795384444918,\"method\":\"POST\",\"url\":\"/graphql\",\"operation\":\"{name}\"}}")
            .unwrap();
    }
    let decoded = decode(&reading(Format::JSON), &text);
    assert_eq!(decoded.rows.len(), count);
    assert_eq!(decoded.series.list().len(), label::OPERATIONS_MAX + 1);
    assert_eq!(rows(&decoded).iter().filter(|row| row.contains("(other)")).count(), 10);
}

/// Text that a log may hold: escapes, quotes, other alphabets, control characters.
fn wild_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9 /:?=&._-]{0,24}",
        1 => "[\\PC\"\\\\/\n\t]{0,12}",
        1 => Just("https://api.example.com/jobs/42?token=x".to_owned()),
        1 => Just("2026-11-22T21:53:21.263Z".to_owned()),
        1 => Just("GET".to_owned()),
        1 => prop::sample::select(vec![
            "HTTP Request: GET https://api.example.com/a/7 \"HTTP/1.1 200 OK\"",
            "request started",
            "GET https://api.example.com/a 200",
            "{\"operationName\":\"Jobs\"}",
            "POST /graphql HTTP/1.1",
        ]).prop_map(str::to_owned),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "time", "timestamp", "ts", "method", "url", "path", "host", "status", "status_code", "duration_ms", "duration",
            "bytes", "operation", "query", "service", "name", "hostname", "key_name", "units", "req", "res", "fields", "msg",
            "level", "event", "message", "error", "span", "time.busy", "body", "request", "route", "documentId", "text", "size",
        ]).prop_map(str::to_owned),
        1 => "[a-z\u{e4}\"]{0,6}",
    ]
}

/// A value as JSON text, written as serde_json or as others would write it.
fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        6 => wild_text().prop_map(|text| serde_json::to_string(&text).expect("text is JSON")),
        1 => wild_text().prop_map(|text| serde_json::to_string(&text).expect("text is JSON").replace('/', "\\/")),
        1 => Just("\"\\u0041\\ud83d\\ude00\"".to_owned()),
        1 => Just("\"\\ud800\"".to_owned()),
        3 => (100u64..600).prop_map(|status| status.to_string()),
        3 => (1_795_000_000_000u64..1_796_000_000_000).prop_map(|time_ms| time_ms.to_string()),
        1 => any::<u64>().prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        2 => (0.0..1e4).prop_map(|number: f64| format!("{number:.3}")),
        1 => any::<f64>().prop_filter("JSON has no such number", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        1 => prop::sample::select(vec!["true", "false", "null", "-0", "0.0", "1e3", "01", "1.", "tru"]).prop_map(str::to_owned),
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            3 => prop::collection::vec((key(), inner), 0..4).prop_map(|pairs| object(&pairs, ",", ":")),
        ]
    })
}

fn object(pairs: &[(String, String)], comma: &str, colon: &str) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!("{}{colon}{value}", serde_json::to_string(key).expect("text is JSON")))
        .collect();
    format!("{{{}}}", pairs.join(comma))
}

/// Lines of a few shapes, each written several times with values of its own, then damaged here and there.
fn log() -> impl Strategy<Value = Vec<u8>> {
    let shape = (prop::collection::vec(key(), 0..8), any::<bool>());
    let shapes = prop::collection::vec(shape, 1..4);
    // Most values are as in the first line, as most are in the field.
    let value = (value(), prop::bool::weighted(0.3));
    let values = prop::collection::vec(prop::collection::vec(value, 8), 1..40);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (shapes, values, any::<bool>(), damage).prop_map(|(shapes, all, crlf, damage)| {
        let mut log = Vec::new();
        for (at, values) in all.iter().enumerate() {
            let (keys, spaced) = &shapes[at % shapes.len()];
            let values =
                values.iter().zip(&all[0]).map(|((own, changes), first)| if *changes { own } else { &first.0 });
            let pairs: Vec<_> = keys.iter().cloned().zip(values.cloned()).collect();
            let line = if *spaced { object(&pairs, ", ", ": ") } else { object(&pairs, ",", ":") };
            log.extend_from_slice(line.as_bytes());
            log.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        }
        for (place, byte) in damage {
            let place = place.index(log.len());
            log[place] = byte;
        }
        log
    })
}

fn accounted(lines: &Lines) -> u64 {
    lines.counted + lines.skipped + lines.rejected()
}

/// Lines by their LFs; a last one without counts too.
fn line_count(bytes: &[u8]) -> u64 {
    bytes.split_inclusive(|byte| *byte == b'\n').count() as u64
}

/// A target with ids of every sort in its path, and what may stand around them.
fn target() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => prop::sample::select(vec!["v1", "jobs", "users", "a.b", "", "-", "%40", "a;b=1", "\u{e4}", "a\\/b"]).prop_map(str::to_owned),
        3 => (0u32..100_000).prop_map(|id| id.to_string()),
        1 => any::<u128>().prop_map(|id| format!("{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}", id as u32, id as u16, id >> 116, id >> 116, id >> 80)),
        1 => "[0-9a-f]{6,24}",
        1 => "[a-zA-Z0-9_.@~;%-]{1,24}",
        1 => (0u32..100).prop_map(|id| format!("{id}.json")),
    ];
    let start = prop::sample::select(vec!["", "", "/", "https://h", "https://g:443", "https://u:p@h", "-", "x:"]);
    let end = prop::sample::select(vec!["", "", "?", "?page=2", "#x/1", "/"]);
    (start, prop::collection::vec(segment, 0..4), end).prop_map(|(start, path, end)| {
        format!("{start}{}{end}", path.iter().map(|s| format!("/{s}")).collect::<String>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// The heart of the fast path: it may only be faster.
    #[test]
    fn templates_read_what_the_parser_reads(log in log()) {
        let (mut by_template, mut by_parser) = (Decoded::default(), Decoded::default());
        Decoder::new(&reading(Format::JSON), "stem".into()).decode(&log, &from_zero(&log), &mut by_template);
        Decoder::without_templates(&reading(Format::JSON), "stem".into()).decode(&log, &from_zero(&log), &mut by_parser);
        prop_assert_eq!(by_template.lines, by_parser.lines);
        prop_assert_eq!(&by_template.rows.start, &by_parser.rows.start);
        prop_assert_eq!(rows(&by_template), rows(&by_parser));
    }

    /// The same where ids make nearly every line's labels new.
    #[test]
    fn ids_are_read_by_template_as_by_the_parser(
        lines in prop::collection::vec((target(), 0usize..3, any::<bool>()), 1..120),
        hosts in any::<bool>(),
    ) {
        let mut log = String::new();
        for (at, (url, status, named)) in lines.iter().enumerate() {
            let method = ["GET", "POST"][at % 7 / 6];
            let status = [200, 404, 999][*status];
            let operation = if *named && hosts { "Jobs" } else { "" };
            writeln!(log, r#"{{"time":1795384444918,"method":"{method}","url":"{url}","path":"{}","status":{status},"operation":"{operation}"}}"#,
                lines[at / 2].0).expect("text");
        }
        let (mut by_template, mut by_parser) = (Decoded::default(), Decoded::default());
        let log = log.as_bytes();
        Decoder::new(&reading(Format::JSON), "stem".into()).decode(log, &from_zero(log), &mut by_template);
        Decoder::without_templates(&reading(Format::JSON), "stem".into()).decode(log, &from_zero(log), &mut by_parser);
        prop_assert_eq!(by_template.lines, by_parser.lines);
        prop_assert_eq!(rows(&by_template), rows(&by_parser));
    }

    #[test]
    fn every_line_is_accounted_for_once(log in log()) {
        for format in [Format::JSON, Format::COMBINED] {
            let mut decoded = Decoded::default();
            Decoder::new(&reading(format), "stem".into()).decode(&log, &chunk(&log), &mut decoded);
            prop_assert_eq!(accounted(&decoded.lines), line_count(&log));
            prop_assert_eq!(decoded.lines.counted, decoded.rows.len() as u64);
        }
    }

    #[test]
    fn any_bytes_are_survived_and_accounted_for(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let texts = [Family::Haproxy, Family::Squid, Family::Alb, Family::Envoy, Family::Text].map(Format::bare);
        for format in [Format::JSON, Format::COMBINED].into_iter().chain(texts) {
            let mut decoded = Decoded::default();
            Decoder::new(&reading(format), "stem".into()).decode(&bytes, &chunk(&bytes), &mut decoded);
            prop_assert_eq!(accounted(&decoded.lines), line_count(&bytes));
        }
        detect(&bytes);
    }

    #[test]
    fn any_chunking_gives_the_same_rows(log in log(), cut in any::<prop::sample::Index>()) {
        let whole = decode(&reading(Format::JSON), &String::from_utf8_lossy(&log));
        let text = String::from_utf8_lossy(&log);
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let cut = if ends.is_empty() { 0 } else { ends[cut.index(ends.len())] };
        let mut decoder = Decoder::new(&reading(Format::JSON), "stem".into());
        let mut parts = Decoded::default();
        let (first, second) = text.split_at(cut);
        decoder.decode(first.as_bytes(), &Chunk { start: 1000, end: 1000 + cut as u64, written: None }, &mut parts);
        decoder.decode(second.as_bytes(), &Chunk { start: 1000 + cut as u64, end: 1000 + text.len() as u64, written: None }, &mut parts);
        prop_assert_eq!(rows(&parts), rows(&whole));
        prop_assert_eq!(parts.rows.start, whole.rows.start);
    }
}

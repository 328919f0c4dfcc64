//! OTLP JSON: many records and spans in a line.

use super::*;

fn otlp(line: &str) -> (Vec<String>, Lines) {
    let decoded = decode(&reading(Format::bare(Family::Otlp)), &format!("{line}\n"));
    (rows(&decoded), decoded.lines)
}

fn text(key: &str, value: &str) -> String {
    format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#)
}

fn whole(key: &str, value: u64) -> String {
    format!(r#"{{"key":"{key}","value":{{"intValue":"{value}"}}}}"#)
}

fn span(kind: &str, attributes: &[String]) -> String {
    format!(
        r#"{{"traceId":"5b8e","spanId":"eee1","name":"GET","kind":{kind},"startTimeUnixNano":"1795384444918000000","endTimeUnixNano":"1795384444930500000","attributes":[{}],"status":{{"code":2}},"events":[],"links":[]}}"#,
        attributes.join(",")
    )
}

fn spans(spans: &[String]) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{},{}]}},"scopeSpans":[{{"scope":{{"name":"http","version":"1"}},"spans":[{}]}}],"schemaUrl":"x"}}]}}"#,
        text("service.name", "sync"),
        text("url.full", "https://not.a.request.example/"),
        spans.join(",")
    )
}

fn logs(records: &[&str]) -> String {
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{}]}},"scopeLogs":[{{"scope":{{}},"logRecords":[{}]}}]}}]}}"#,
        text("service.name", "sync"),
        records.join(",")
    )
}

/// The shape of opentelemetry-proto's examples/trace.json, attributes by its semantic conventions, new and old.
#[test]
fn each_client_span_is_a_request() {
    let new = [
        text("http.request.method", "GET"),
        text("url.full", "https://api.example.com/users/42?token=s3cr3t"),
        text("url.template", "/users/{userId}"),
        whole("http.response.status_code", 429),
        whole("http.request.resend_count", 1),
    ];
    let old = [
        text("http.method", "POST"),
        text("http.url", "https://api.example.com/users/42"),
        whole("http.status_code", 200),
    ];
    let database = [text("db.system", "postgresql"), text("db.statement", "select 1")];
    let line = spans(&[
        span("3", &new),
        span("\"SPAN_KIND_CLIENT\"", &old),
        span("2", &old),
        span("\"SPAN_KIND_SERVER\"", &old),
        span("3", &database),
    ]);
    let (rows, lines) = otlp(&line);
    assert_eq!(
        rows,
        [
            "2026-11-22T21:54 sync (none) api.example.com GET /users/{userId} 429 12.5ms 0B 1u",
            "2026-11-22T21:54 sync (none) api.example.com POST /users/{id} 200 12.5ms 0B 1u",
        ]
    );
    assert_eq!((lines.counted, lines.skipped), (2, 3));
}

/// The shape of opentelemetry-proto's examples/logs.json.
#[test]
fn each_log_record_of_a_request_is_one() {
    let attributes = [
        text("http.request.method", "GET"),
        text("url.full", "https://api.example.com/a"),
        r#"{"key":"http.response.status_code","value":{"intValue":200}}"#.to_owned(),
        r#"{"key":"duration_ms","value":{"doubleValue":7.5}}"#.to_owned(),
        r#"{"key":"cached","value":{"boolValue":true}}"#.to_owned(),
        r#"{"key":"tags","value":{"arrayValue":{"values":[{"stringValue":"GET"}]}}}"#.to_owned(),
    ]
    .join(",");
    let line = logs(&[
        &format!(
            r#"{{"timeUnixNano":"1795384444918000000","severityText":"INFO","body":{{"stringValue":"done"}},"attributes":[{attributes}]}}"#
        ),
        r#"{"timeUnixNano":"0","observedTimeUnixNano":1795384444918000000,"body":{"stringValue":"HTTP Request: POST https://api.example.com/graphql \"HTTP/1.1 200 OK\""}}"#,
        r#"{"timeUnixNano":"1795384444918000000","body":{"kvlistValue":{"values":[{"key":"a","value":{"stringValue":"b"}}]}}}"#,
        r#"{"body":{"stringValue":"GET https://api.example.com/b 200"}}"#,
    ]);
    let (rows, lines) = otlp(&line);
    assert_eq!(
        rows,
        [
            "2026-11-22T21:54 sync (none) api.example.com GET /a 200 7.5ms 0B 1u",
            "2026-11-22T21:54 sync (none) api.example.com POST /graphql 200 - 0B 1u",
        ]
    );
    assert_eq!((lines.counted, lines.skipped, lines.no_time), (2, 1, 1));
}

#[test]
fn a_service_that_nobody_named_is_that_of_the_log() {
    let attributes = [text("http.method", "GET"), text("http.url", "https://api.example.com/a")];
    let line = spans(&[span("3", &attributes)]).replace("\"sync\"", "\"unknown_service:python3\"");
    assert_eq!(otlp(&line).0, ["2026-11-22T21:54 stem (none) api.example.com GET /a - 12.5ms 0B 1u"]);
}

#[test]
fn rows_of_one_line_start_where_it_does() {
    let attributes = [text("http.method", "GET"), text("http.url", "https://api.example.com/a")];
    let line = spans(&[span("3", &attributes), span("3", &attributes)]);
    let log = format!("{line}\n\n{line}\n");
    let decoded = decode(&reading(Format::bare(Family::Otlp)), &log);
    let second = 1000 + line.len() as u64 + 2;
    assert_eq!(decoded.rows.start, [1000, 1000, second, second]);
    assert_eq!((decoded.lines.counted, decoded.lines.skipped), (4, 1));
}

#[test]
fn what_is_no_otlp_is_malformed_and_what_holds_nothing_is_skipped() {
    let fate = |line: &str| {
        let lines = otlp(line).1;
        (lines.counted, lines.skipped, lines.malformed)
    };
    for line in ["{", "[]", "{}", "1", r#"{"method":"GET"}"#, r#"{"resourceLogs":7}"#] {
        assert_eq!(fate(line), (0, 0, 1), "{line}");
    }
    for line in
        ["", r#"{"resourceMetrics":[{"scopeMetrics":[]}]}"#, r#"{"resourceSpans":[]}"#, r#"{"resourceLogs":[{}]}"#]
    {
        assert_eq!(fate(line), (0, 1, 0), "{line}");
    }
}

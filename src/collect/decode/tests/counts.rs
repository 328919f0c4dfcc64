//! One attempt that has ended is one request: what is told twice, begun, tunnelled or retried.

use super::dialects::read;
use super::*;

/// How many requests these lines report, and why the others do not count.
fn counted(lines: &[&str]) -> (u64, u64, u64) {
    let decoded = decode(&reading(Format::JSON), &(lines.join("\n") + "\n"));
    assert_eq!(accounted(&decoded.lines), lines.len() as u64);
    (decoded.lines.counted, decoded.lines.starts, decoded.lines.skipped - decoded.lines.starts)
}

/// tests/formats has these of pino, bunyan, winston, structlog, loguru, python-json-logger, ecs-logging and pino-http.
#[test]
fn of_a_request_that_starts_and_finishes_the_finish_counts() {
    for (start, finish) in [
        (
            r#"{"level":20,"time":1795411017458,"pid":4711,"hostname":"web","method":"POST","url":"https://api.example.com/graphql","operation":"Jobs","msg":"request started"}"#,
            r#"{"level":30,"time":1795411017643,"pid":4711,"hostname":"web","method":"POST","url":"https://api.example.com/graphql","operation":"Jobs","status":429,"durationMs":170,"msg":"request completed"}"#,
        ),
        (
            r#"{"text": "request started\n", "record": {"extra": {"method": "POST", "url": "https://api.example.com/graphql"}, "message": "request started", "time": {"timestamp": 1795411016.222879}}}"#,
            r#"{"text": "request completed\n", "record": {"extra": {"method": "POST", "url": "https://api.example.com/graphql", "status": 200}, "message": "request completed", "time": {"timestamp": 1795411016.222879}}}"#,
        ),
        (
            r#"{"level":30,"time":1795411018530,"pid":4711,"hostname":"web","req":{"id":1,"method":"POST","url":"/graphql","remotePort":36000},"msg":"request received"}"#,
            r#"{"level":30,"time":1795411018563,"pid":4711,"hostname":"web","req":{"id":1,"method":"POST","url":"/graphql","remotePort":36000},"res":{"statusCode":200},"responseTime":33,"msg":"request completed"}"#,
        ),
        // A time-out has no status, but it ended.
        (
            r#"{"timestamp":"2026-11-23T05:16:56Z","event":"http_request_start","method":"GET","url":"/a"}"#,
            r#"{"timestamp":"2026-11-23T05:16:56Z","event":"http_request_start","method":"GET","url":"/a","error":"timed out"}"#,
        ),
        (
            r#"{"timestamp":"2026-11-23T05:16:56Z","event":"sending","method":"GET","url":"/a"}"#,
            r#"{"timestamp":"2026-11-23T05:16:56Z","event":"sending","method":"GET","url":"/a","duration_ms":7}"#,
        ),
    ] {
        assert_eq!(counted(&[start, finish]), (1, 1, 0), "{start}");
        assert_eq!(read(start), "skipped", "{start}");
    }
}

/// Fastify's two lines: only the first says what was asked, so that one counts; the second is no request by itself.
#[test]
fn a_finish_that_does_not_say_what_was_asked_leaves_it_to_the_start() {
    let start = r#"{"level":30,"time":1795411018530,"pid":4711,"hostname":"web","reqId":"req-1","req":{"method":"GET","url":"/a","hostname":"localhost:3000","remoteAddress":"127.0.0.1","remotePort":50000},"msg":"incoming request"}"#;
    let finish = r#"{"level":30,"time":1795411018540,"pid":4711,"hostname":"web","reqId":"req-1","res":{"statusCode":200},"responseTime":4.2,"msg":"request completed"}"#;
    assert_eq!(counted(&[start, finish]), (1, 0, 1));
    assert_eq!(read(start), "2026-11-23T05:16 stem (none) localhost:3000 GET /a - - 0B 1u");
}

/// Four lines a request by .NET's HttpClient (Microsoft.Extensions.Http), in two layers.
#[test]
fn httpclients_four_lines_are_one_request() {
    let serilog = |message: &str, more: &str| format!(r#"{{"@t":"2026-11-23T05:16:56Z","@mt":"{message}"{more}}}"#);
    let scope = r#","HttpMethod":"GET","Uri":"https://api.example.com/jobs/7""#;
    let answer = r#","ElapsedMilliseconds":12.5,"StatusCode":200"#;
    for (scope, expected) in [
        (scope, "2026-11-23T05:16 stem (none) api.example.com GET /jobs/{id} 200 12.5ms 0B 1u"),
        ("", "2026-11-23T05:16 stem (none) (none) (none) (none) 200 12.5ms 0B 1u"),
    ] {
        let started = r#","HttpMethod":"GET","Uri":"https://api.example.com/jobs/7""#;
        let received = serilog(
            "Received HTTP response headers after {ElapsedMilliseconds}ms - {StatusCode}",
            &format!("{scope}{answer}"),
        );
        let lines = [
            serilog("Start processing HTTP request {HttpMethod} {Uri}", started),
            serilog("Sending HTTP request {HttpMethod} {Uri}", started),
            received.clone(),
            serilog(
                "End processing HTTP request after {ElapsedMilliseconds}ms - {StatusCode}",
                &format!("{scope}{answer}"),
            ),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(counted(&lines), (1, 1, 2), "{scope}");
        assert_eq!(read(&received), expected);
    }
    // The console's JSON has the scope in a list, which is not read: here the sending is what names the request.
    let console = |message: &str, state: &str| {
        format!(
            r#"{{"Timestamp":"2026-11-23T05:16:56Z","EventId":100,"LogLevel":"Information","Category":"System.Net.Http.HttpClient.Default.ClientHandler","Message":"{message}","State":{{"Message":"{message}"{state}}}}}"#
        )
    };
    let asked = r#","HttpMethod":"GET","Uri":"https://api.example.com/jobs/7""#;
    let sending = console("Sending HTTP request GET https://api.example.com/jobs/7", asked);
    let lines = [
        console("Start processing HTTP request GET https://api.example.com/jobs/7", asked),
        sending.clone(),
        console("Received HTTP response headers after 12.5ms - 200", answer),
        console("End processing HTTP request after 12.9ms - 200", answer),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(counted(&lines), (1, 0, 3));
    assert_eq!(read(&sending), "2026-11-23T05:16 stem (none) api.example.com GET /jobs/{id} - - 0B 1u");
}

#[test]
fn each_retry_is_a_request_and_a_summary_of_them_is_one() {
    let attempt = |number: u32, status: u32| {
        format!(
            r#"{{"timestamp":"2026-11-23T05:16:56Z","http.request.method":"GET","url.full":"https://api.example.com/a","http.request.resend_count":{number},"http.response.status_code":{status}}}"#
        )
    };
    assert_eq!(counted(&[&attempt(0, 429), &attempt(1, 500), &attempt(2, 200)]), (3, 0, 0));
    let summary =
        r#"{"timestamp":"2026-11-23T05:16:56Z","msg":"done","method":"GET","url":"/a","status":200,"attempts":3}"#;
    assert_eq!(counted(&[summary]), (1, 0, 0));
}

/// An attempt that got no answer was made all the same.
#[test]
fn an_error_without_status_is_an_attempt() {
    for error in [
        r#""error":"connect ETIMEDOUT""#,
        r#""err":{"type":"Error","message":"socket hang up","stack":"Error: socket hang up\n    at x"}"#,
        r#""exception":"Traceback (most recent call last):\n  x""#,
        r#""exc_info":"Traceback\n""#,
        r#""error.type":"timeout""#,
    ] {
        let line = format!(
            r#"{{"timestamp":"2026-11-23T05:16:56Z","msg":"sending request","method":"GET","url":"/a",{error}}}"#
        );
        assert_eq!(read(&line), "2026-11-23T05:16 stem (none) (none) GET /a - - 0B 1u", "{line}");
    }
    for nothing in [r#""error":null"#, r#""error":"""#] {
        let line = format!(
            r#"{{"timestamp":"2026-11-23T05:16:56Z","msg":"sending request","method":"GET","url":"/a",{nothing}}}"#
        );
        assert_eq!(read(&line), "skipped", "{line}");
    }
}

#[test]
fn a_graphql_operation_is_named_as_well_as_can_be() {
    for (body, operation) in [
        (r#""operationName":"Jobs","query":"query Other { jobs }""#, "Jobs"),
        (r#""query":"query Jobs { jobs }""#, "Jobs"),
        (r#""query":"{ jobs { id } }""#, "jobs"),
        (
            r#""extensions":{"persistedQuery":{"version":1,"sha256Hash":"ECF4EDB46db40b5132295c0291d62fb6"}}"#,
            "persisted:ecf4edb4",
        ),
        (r#""body":{"query":"mutation M { m }"}"#, "M"),
        (r#""documentId":"sha256:ecf4edb46db40b51""#, "persisted:ecf4edb4"),
        (r#""documentId":"JobsQuery""#, "JobsQuery"),
        // As text: what axios keeps of a request, and what many middlewares log.
        (r#""body":"{\"operationName\":\"Jobs\",\"variables\":{\"token\":\"s3cr3t\"}}""#, "Jobs"),
        (r#""req":{"body":"{\"query\":\"query Jobs { jobs }\"}"}"#, "Jobs"),
        (r#""config":{"data":"{\"operationName\":null,\"query\":\"{ jobs { id } }\"}"}"#, "jobs"),
        (
            r#""body":"{\"extensions\":{\"persistedQuery\":{\"sha256Hash\":\"ecf4edb46db40b5132\"}}}""#,
            "persisted:ecf4edb4",
        ),
        (r#""body":"{\"password\":\"s3cr3t\"}""#, "/graphql"),
        (r#""body":"user=s3cr3t""#, "/graphql"),
    ] {
        let line = format!(
            r#"{{"timestamp":"2026-11-23T05:16:56Z","method":"POST","url":"https://api.example.com/graphql","status":200,{body}}}"#
        );
        assert_eq!(
            read(&line),
            format!("2026-11-23T05:16 stem (none) api.example.com POST {operation} 200 - 0B 1u"),
            "{line}"
        );
    }
}

/// A sum that wraps is not seen; a line that is nonsense is.
#[test]
fn an_absurd_size_counts_as_the_largest() {
    for (size, bytes) in [("7", 7u64), ("1099511627777", 1 << 40), ("18446744073709551615", 1 << 40)] {
        let row = json(&format!(r#"{{"time":1795384444918,"method":"GET","url":"/a","bytes":{size}}}"#));
        assert!(row.contains(&format!(" {bytes}B ")), "{row}");
    }
}

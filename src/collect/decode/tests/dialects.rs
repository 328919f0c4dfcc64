//! One line of each dialect as its producer writes it, read by template and by parser.

use super::*;

/// What becomes of a line the first time, by the parser, and again, by its template; both alike.
pub fn read(line: &str) -> String {
    let by_parser = json(line);
    let log = format!("{line}\n").repeat(12);
    let decoded = decode(&reading(Format::JSON), &log);
    let again = rows(&decoded);
    match decoded.lines.counted {
        0 => assert!(!by_parser.contains(" stem ") && again.is_empty(), "{line}"),
        12 => assert_eq!(again, vec![by_parser.clone(); 12], "{line}"),
        counted => panic!("{counted} of 12 equal lines count: {line}"),
    }
    by_parser
}

fn check(cases: &[(&str, &str, &str)]) {
    for (dialect, line, expected) in cases {
        assert_eq!(&json::dialect_of(line), dialect, "{line}");
        assert_eq!(&read(line), expected, "{line}");
    }
}

/// Lines of field-notes C where marked [V] or [M], else as the project's documentation has them.
#[test]
fn each_producers_line_is_read_in_its_dialect() {
    check(&[
        // pino 10, pino-http 11: tests/formats.
        (
            "pino",
            r#"{"level":30,"time":1795411017633,"pid":4711,"hostname":"web","name":"sync","method":"POST","url":"https://api.example.com/graphql","operation":"Jobs","status":429,"duration":170.5,"msg":"request completed"}"#,
            "2026-11-23T05:16 sync (none) api.example.com POST Jobs 429 170.5ms 0B 1u",
        ),
        (
            "pino-http",
            r#"{"level":30,"time":1795411018561,"pid":4711,"hostname":"web","req":{"id":1,"method":"POST","url":"/graphql","headers":{"host":"api.example.com","authorization":"Bearer s3cr3t"},"remoteAddress":"192.0.2.7","remotePort":36000},"res":{"statusCode":200,"headers":{"content-length":12}},"responseTime":33,"msg":"request completed"}"#,
            "2026-11-23T05:16 stem (none) api.example.com POST /graphql 200 33ms 12B 1u",
        ),
        (
            "bunyan",
            r#"{"name":"sync","hostname":"web","pid":4711,"level":30,"method":"POST","url":"https://api.example.com/graphql","status":200,"duration":114,"msg":"request completed","time":"2026-11-23T05:16:59.672Z","v":0}"#,
            "2026-11-23T05:16 sync (none) api.example.com POST /graphql 200 114ms 0B 1u",
        ),
        (
            "winston",
            r#"{"durationMs":225,"level":"info","message":"request completed","method":"POST","operation":"Jobs","status":200,"timestamp":"2026-11-23T05:16:59.331Z","url":"https://api.example.com/graphql"}"#,
            "2026-11-23T05:16 stem (none) api.example.com POST Jobs 200 225ms 0B 1u",
        ),
        (
            "structlog",
            r#"{"method": "POST", "url": "https://api.example.com/graphql", "operation": "Jobs", "status": 429, "duration": 0.012, "event": "request completed", "level": "info", "timestamp": "2026-11-23T05:16:56.526821Z"}"#,
            "2026-11-23T05:16 stem (none) api.example.com POST Jobs 429 12ms 0B 1u",
        ),
        (
            "loguru",
            r#"{"text": "2026-11-23 05:16:56.242 | INFO     | __main__:completed:19 - request completed\n", "record": {"elapsed": {"repr": "0:00:00.442452", "seconds": 0.442452}, "exception": null, "extra": {"method": "POST", "url": "https://api.example.com/graphql", "status": 200, "duration_ms": 12.2}, "level": {"name": "INFO", "no": 20}, "message": "request completed", "name": "__main__", "time": {"repr": "2026-11-23 05:16:56.242016+00:00", "timestamp": 1795411016.242016}}}"#,
            "2026-11-23T05:16 stem (none) api.example.com POST /graphql 200 12.2ms 0B 1u",
        ),
        (
            "python-json-logger",
            r#"{"asctime": "2026-11-23 05:16:57,975", "levelname": "INFO", "name": "plain", "hostname": "web", "message": "request completed", "method": "POST", "url": "https://api.example.com/graphql", "status": 500, "duration_ms": 5.0}"#,
            "2026-11-23T05:16 stem (none) api.example.com POST /graphql 500 5ms 0B 1u",
        ),
        // ecs-logging 2.3: dotted and nested keys in one line.
        (
            "ECS",
            r#"{"@timestamp":"2026-11-23T05:16:57.976Z","log.level":"info","message":"request completed","ecs.version":"1.6.0","event":{"duration":5000000},"graphql":{"operation":{"name":"Jobs"}},"http":{"request":{"method":"POST"},"response":{"status_code":500}},"url":{"full":"https://api.example.com/graphql"}}"#,
            "2026-11-23T05:16 stem (none) api.example.com POST Jobs 500 5ms 0B 1u",
        ),
        (
            "OpenTelemetry",
            r#"{"timestamp":"2026-11-22T21:54:16Z","http.request.method":"POST","url.full":"https://api.example.com/v1/jobs/9","url.template":"/v1/jobs/{jobId}","http.response.status_code":200,"http.request.resend_count":1}"#,
            "2026-11-22T21:54 stem (none) api.example.com POST /v1/jobs/{jobId} 200 - 0B 1u",
        ),
        (
            "no known dialect",
            r#"{"timestamp":"2026-11-22T21:54:16Z","http.method":"GET","http.target":"/users/42?x=1","net.peer.name":"api.example.com","http.status_code":404}"#,
            "2026-11-22T21:54 stem (none) api.example.com GET /users/{id} 404 - 0B 1u",
        ),
        // tracing-subscriber 0.3: an event, an event flattened, the end of a span (FmtSpan::CLOSE).
        (
            "tracing",
            r#"{"timestamp":"2026-11-22T21:54:16.466434Z","level":"INFO","fields":{"message":"http_request","http.request.method":"POST","url.full":"https://api.example.com/graphql","http.response.status_code":200},"target":"rt"}"#,
            "2026-11-22T21:54 stem (none) api.example.com POST /graphql 200 - 0B 1u",
        ),
        (
            "tracing",
            r#"{"timestamp":"2026-11-22T21:54:16.466434Z","level":"INFO","message":"http_request","method":"POST","url":"https://api.example.com/graphql","status":200,"target":"rt"}"#,
            "2026-11-22T21:54 stem (none) api.example.com POST /graphql 200 - 0B 1u",
        ),
        (
            "tracing, end of a span",
            r#"{"timestamp":"2026-11-22T21:54:16.466434Z","level":"INFO","fields":{"message":"close","time.busy":"1.2ms","time.idle":"33ms"},"target":"rt","span":{"http.request.method":"GET","http.response.status_code":200,"url.full":"https://api.example.com/a","name":"HTTP request"},"spans":[]}"#,
            "2026-11-22T21:54 stem (none) api.example.com GET /a 200 - 0B 1u",
        ),
        (
            "tracing",
            r#"{"timestamp":"2026-11-22T21:54:16.466434Z","level":"INFO","fields":{"message":"connected"},"target":"rt","span":{"http.request.method":"GET","url.full":"https://api.example.com/a","name":"HTTP request"},"spans":[]}"#,
            "skipped",
        ),
        // slog and logrus write a Go duration as nanoseconds, its Seconds() with a fraction.
        (
            "slog or logrus",
            r#"{"time":"2023-05-06T13:24:00.476762195+02:00","level":"INFO","msg":"call","method":"GET","host":"api.example.com","path":"/a","status":200,"duration":480000}"#,
            "2023-05-06T11:24 stem (none) api.example.com GET /a 200 0.48ms 0B 1u",
        ),
        (
            "slog or logrus",
            r#"{"level":"info","method":"GET","msg":"call","status":200,"time":"2015-03-26T01:27:38-04:00","duration":0.25,"url":"https://api.example.com/a"}"#,
            "2015-03-26T05:27 stem (none) api.example.com GET /a 200 250ms 0B 1u",
        ),
        // zap's production configuration writes seconds, whole ones too.
        (
            "zap",
            r#"{"level":"info","ts":1716723772.6014807,"caller":"api/client.go:42","msg":"call","method":"GET","url":"http://example.com/a","status":200,"duration":2}"#,
            "2024-05-26T11:42 stem (none) example.com GET /a 200 2000ms 0B 1u",
        ),
        // Serilog.AspNetCore's request logging in CompactJsonFormatter and JsonFormatter.
        (
            "Serilog compact",
            r#"{"@t":"2016-06-07T03:44:57.8532799Z","@mt":"HTTP {RequestMethod} {RequestPath} responded {StatusCode} in {Elapsed:0.0000} ms","@r":["34.3461"],"RequestMethod":"GET","RequestPath":"/jobs/42","StatusCode":200,"Elapsed":34.3461,"SourceContext":"Serilog.AspNetCore.RequestLoggingMiddleware"}"#,
            "2016-06-07T03:44 stem (none) (none) GET /jobs/{id} 200 34.3461ms 0B 1u",
        ),
        (
            "Serilog",
            r#"{"Timestamp":"2016-06-07T13:44:57.8532799+10:00","Level":"Information","MessageTemplate":"HTTP {RequestMethod} {RequestPath} responded {StatusCode} in {Elapsed:0.0000} ms","Properties":{"RequestMethod":"GET","RequestPath":"/jobs/42","StatusCode":200,"Elapsed":34.3461,"RequestHost":"api.example.com"}}"#,
            "2016-06-07T03:44 stem (none) api.example.com GET /jobs/{id} 200 34.3461ms 0B 1u",
        ),
        // logstash-logback-encoder's access events.
        (
            "logstash",
            r#"{"@timestamp":"2026-11-22T21:54:16.466Z","@version":"1","message":"192.0.2.7 - GET /jobs/7?q=x HTTP/1.1 200","method":"GET","protocol":"HTTP/1.1","status_code":200,"requested_url":"GET /jobs/7?q=x HTTP/1.1","requested_uri":"/jobs/7","content_length":512,"elapsed_time":15}"#,
            "2026-11-22T21:54 stem (none) (none) GET /jobs/{id} 200 15ms 512B 1u",
        ),
        (
            "Caddy",
            r#"{"level":"info","ts":1716723772.6014807,"logger":"http.log.access.log17","msg":"handled request","request":{"client_ip":"192.0.2.117","method":"GET","host":"mirrors.example.net:400","uri":"/gentoo/a?b"},"duration":1,"size":3768,"status":200}"#,
            "2024-05-26T11:42 stem (none) mirrors.example.net:400 GET /gentoo/a 200 1000ms 3768B 1u",
        ),
        (
            "Traefik",
            r#"{"DownstreamContentSize":17,"DownstreamStatus":401,"Duration":480000,"RequestHost":"api.example.com","RequestMethod":"GET","RequestPath":"/a","StartUTC":"2018-03-09T10:51:32.123Z","level":"info","msg":"","time":"2018-03-09T10:51:32Z"}"#,
            "2018-03-09T10:51 stem (none) api.example.com GET /a 401 0.48ms 17B 1u",
        ),
        (
            "Envoy",
            r#"{"start_time":"2020-11-25T21:26:18.409Z","method":"GET","path":"/a/1?b","authority":"api.example.com","response_code":200,"response_flags":"-","duration":1500000,"bytes_sent":51,"upstream_host":"192.0.2.1:80"}"#,
            "2020-11-25T21:26 stem (none) api.example.com GET /a/{id} 200 1500000ms 51B 1u",
        ),
        (
            "GCP httpRequest",
            r#"{"severity":"INFO","timestamp":"2026-11-22T21:54:16Z","httpRequest":{"requestMethod":"GET","requestUrl":"https://api.example.com/a","status":200,"responseSize":"512","latency":"0.25s"}}"#,
            "2026-11-22T21:54 stem (none) api.example.com GET /a 200 250ms 512B 1u",
        ),
        // Rails with lograge writes milliseconds with a fraction.
        (
            "lograge",
            r#"{"method":"GET","path":"/jobs/7","format":"json","controller":"JobsController","action":"show","status":200,"duration":12.5,"view":3.1,"time":"2026-11-22T21:54:16Z"}"#,
            "2026-11-22T21:54 stem (none) (none) GET /jobs/{id} 200 12.5ms 0B 1u",
        ),
        // nginx with escape=json: tests/formats.
        (
            "no known dialect",
            r#"{"msec":"1795411021.160","request":"POST /graphql?a=b HTTP/1.1","status":"200","body_bytes_sent":"12","request_time":"0.003"}"#,
            "2026-11-23T05:17 stem (none) (none) POST /graphql 200 3ms 12B 1u",
        ),
        // axios behind winston, got and undici behind pino.
        (
            "winston",
            r#"{"config":{"baseURL":"https://api.example.com/v1","method":"get","url":"/jobs/7"},"level":"info","message":"done","response":{"status":200},"timestamp":"2026-11-22T21:54:16Z"}"#,
            "2026-11-22T21:54 stem (none) api.example.com GET /jobs/{id} 200 - 0B 1u",
        ),
        (
            "pino",
            r#"{"level":20,"time":1795411018561,"pid":1,"hostname":"web","request":{"origin":"https://api.example.com","method":"GET","path":"/a"},"response":{"statusCode":200},"msg":"received response"}"#,
            "2026-11-23T05:16 stem (none) api.example.com GET /a 200 - 0B 1u",
        ),
    ]);
}

/// python-json-logger, ecs-logging and loguru with httpx and urllib3: tests/formats.
#[test]
fn a_clients_message_in_json_is_a_request() {
    for (line, expected) in [
        (
            r#"{"asctime": "2026-11-23 05:16:54,940", "levelname": "INFO", "name": "httpx", "message": "HTTP Request: POST https://api.example.com/graphql \"HTTP/1.1 429 Too Many Requests\""}"#,
            "2026-11-23T05:16 stem (none) api.example.com POST /graphql 429 - 0B 1u",
        ),
        (
            r#"{"@timestamp":"2026-11-23T05:16:54.915Z","log.level":"info","message":"HTTP Request: GET https://api.example.com/users/42?token=s3cr3t \"HTTP/1.1 200 OK\"","ecs.version":"1.6.0","log":{"logger":"httpx","original":"HTTP Request: GET https://api.example.com/users/42 \"HTTP/1.1 200 OK\""},"service":{"name":"sync"}}"#,
            "2026-11-23T05:16 sync (none) api.example.com GET /users/{id} 200 - 0B 1u",
        ),
        (
            r#"{"asctime": "2026-11-23 05:16:54,762", "levelname": "DEBUG", "name": "urllib3.connectionpool", "message": "https://api.example.com:443 \"POST /graphql HTTP/1.1\" 200 12"}"#,
            "2026-11-23T05:16 stem (none) api.example.com POST /graphql 200 - 0B 1u",
        ),
        (
            r#"{"level":"info","message":"GET https://api.example.com/a 200","timestamp":"2026-11-23T05:16:59.344Z"}"#,
            "2026-11-23T05:16 stem (none) api.example.com GET /a 200 - 0B 1u",
        ),
        // What stands in fields comes first, and a status there says that they are meant.
        (
            r#"{"timestamp":"2026-11-23T05:16:59.344Z","method":"PUT","url":"/b","msg":"GET https://api.example.com/a 200"}"#,
            "2026-11-23T05:16 stem (none) (none) PUT /b - - 0B 1u",
        ),
        (
            r#"{"timestamp":"2026-11-23T05:16:59.344Z","status":500,"msg":"GET https://api.example.com/a 200"}"#,
            "skipped",
        ),
        // Connections, retries to come, and the inner steps of a request.
        (
            r#"{"asctime": "2026-11-23 05:16:54,750", "message": "Starting new HTTPS connection (1): api.example.com:443"}"#,
            "skipped",
        ),
        (
            r#"{"asctime": "2026-11-23 05:16:54,776", "message": "Incremented Retry for (url='/graphql'): Retry(total=1, connect=None, read=None, redirect=None, status=None)"}"#,
            "skipped",
        ),
        (r#"{"asctime": "2026-11-23 05:16:54,776", "message": "Retry: /graphql"}"#, "skipped"),
        (
            r#"{"asctime": "2026-11-23 05:16:54,776", "message": "send_request_headers.started request=<Request [b'POST']>"}"#,
            "skipped",
        ),
        (
            r#"{"asctime": "2026-11-23 05:16:54,776", "message": "receive_response_headers.complete return_value=(b'HTTP/1.1', 200, b'OK', [(b'content-length', b'12')])"}"#,
            "skipped",
        ),
    ] {
        assert_eq!(read(line), expected, "{line}");
    }
}

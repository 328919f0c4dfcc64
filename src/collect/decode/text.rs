//! Messages of HTTP clients, behind any prefix: one line an attempt that has ended (httpx, urllib3, morgan, .NET and
//! whoever else writes method, url and status beside each other), with the time stamp that stands before it; and what a
//! proxy's access log says there.
//! This file never counts what announces an attempt or tells of connections: such a line says nothing.

mod access;
mod answer;
pub mod stamp;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::field::{Field, Unit};
use super::fields::{Fields, Verdict};
use answer::{Answer, is_status};

/// Read a line. Any line may stand in such a log; most of them report no request.
pub fn read<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
    if let Some(ended) = find(line) {
        if let Some(stamp) = stamp::find(&line[..ended.start()]) {
            fields.push(Field::Time, stamp);
        }
        ended.push(fields);
    } else {
        access::push(line, fields);
    }
    Verdict::Read
}

/// Push what the first message of an HTTP client in `text` says: method, url or server and path, status, and, where
/// they stand there, duration and bytes. Whether there is one. Quotes may have JSON's backslash before them.
pub fn message<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> bool {
    match find(text) {
        Some(ended) => {
            ended.push(fields);
            true
        }
        None => access::push(text, fields),
    }
}

/// An attempt that has ended.
enum Ended<'a> {
    Call(Call<'a>),
    /// .NET's inner handler says how one ended, and nothing of which it was.
    Unnamed {
        start: usize,
        said: &'a [u8],
        duration_ms: &'a [u8],
        status: &'a [u8],
    },
}

/// `METHOD URL STATUS`, with more between and behind; or status and url, without a method.
struct Call<'a> {
    /// Where its method stands.
    start: usize,
    method: &'a [u8],
    url: &'a [u8],
    /// The message is a client library's own, not the application's.
    of_client: bool,
    /// urllib3 writes server and path apart.
    server: Option<&'a [u8]>,
    answer: Answer<'a>,
}

impl<'a> Ended<'a> {
    fn start(&self) -> usize {
        match self {
            Ended::Call(call) => call.start,
            Ended::Unnamed { start, .. } => *start,
        }
    }

    #[inline]
    fn push(&self, fields: &mut Fields<'a>) {
        match self {
            Ended::Call(call) => {
                if call.of_client {
                    fields.push(Field::Client, call.method);
                }
                fields.push(Field::Method, call.method);
                fields.push(Field::Url, call.url);
                fields.push(Field::Status, call.answer.status);
                if let Some(server) = call.server {
                    fields.push(Field::Host, server);
                }
                call.answer.push_measures(fields);
            }
            Ended::Unnamed { said, duration_ms, status, .. } => {
                fields.push(Field::Attempt, said);
                fields.push(Field::Status, status);
                fields.push_duration(Unit::Millis, duration_ms);
            }
        }
    }
}

/// The first in `text`. Nearly every message has a url, and few texts have many slashes, so these are looked at.
#[inline]
fn find(text: &[u8]) -> Option<Ended<'_>> {
    let with_url = memchr::memchr_iter(b'/', text).find_map(|slash| {
        let start = url_start(text, slash);
        match text.get(start.wrapping_sub(1)) {
            // The second may end a colour.
            Some(b' ' | b'm') => call(text, start),
            _ => None,
        }
    });
    with_url.map(Ended::Call).or_else(|| unnamed(text))
}

/// Where the url begins whose first slash may be this one.
#[inline]
fn url_start(text: &[u8], slash: usize) -> usize {
    match &text[..slash] {
        [.., b'h', b't', b't', b'p', b':'] => slash - b"http:".len(),
        [.., b'h', b't', b't', b'p', b's', b':'] => slash - b"https:".len(),
        _ => slash,
    }
}

/// The call whose url stands at `start`.
fn call(text: &[u8], start: usize) -> Option<Call<'_>> {
    let before = without_colour(without_colour(&text[..start]).strip_suffix(b" ")?);
    let end = memchr::memchr3(b' ', b'"', 0x1b, &text[start..]).map_or(text.len(), |end| start + end);
    let (url, rest) = (&text[start..end], &text[end..]);
    let method_start = before.iter().rposition(|byte| !byte.is_ascii_uppercase()).map_or(0, |at| at + 1);
    let (before, method) = before.split_at(method_start);
    if method.len() < 3 || method.len() > 16 {
        return reply(&text[..start], url, rest);
    }
    if !stands_alone(before) {
        return None;
    }
    let answer = Answer::of(rest)?;
    // Without a version only the usual words are methods: capitals before a path may be anything.
    let is_method = answer.versioned || is_usual(method);
    is_method.then(|| {
        let server = server(before);
        let of_client = server.is_some() || before.ends_with(b"HTTP Request: ");
        Call { start: before.len(), method, url: bare(url), of_client, server, answer }
    })
}

/// `<-- 200 OK https://h/p (12ms)`, as OkHttp logs it, and Symfony's `Response: "200 https://h/p"`. The line before it
/// announced the call, with its method and without a status.
fn reply<'a>(before: &'a [u8], url: &'a [u8], rest: &'a [u8]) -> Option<Call<'a>> {
    let words = before.strip_suffix(b" ")?;
    // A status or its reason stands before the url.
    if url.starts_with(b"/") || !words.last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let mut words = words.rsplitn(REPLY_WORDS_MAX, |byte| *byte == b' ');
    let is_quoted = |word: &[u8]| word.first().is_some_and(|byte| matches!(byte, b'"' | b'\\'));
    let status = words.find(|word| is_quoted(word) || is_status(word))?;
    let announced = if is_quoted(status) { &b"Response:"[..] } else { b"<--" };
    let status = &status[status.len().checked_sub(3)?..];
    // The last of these words is all that stands before them.
    let start = words.next().filter(|before| before.ends_with(announced))?;
    let (start, answer) = (before.len().min(start.len()), Answer::plain(status, rest)?);
    Some(Call { start, method: b"", url: bare(url), of_client: false, server: None, answer })
}

/// Status, `Network Authentication Required`, and what stands before them.
const REPLY_WORDS_MAX: usize = 5;

/// A url without what a sentence puts behind it.
fn bare(url: &[u8]) -> &[u8] {
    match url {
        [url @ .., b':' | b',' | b'\\'] => url,
        _ => url,
    }
}

fn is_usual(method: &[u8]) -> bool {
    const USUAL: [&[u8]; 9] = [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"TRACE", b"QUERY"];
    USUAL.contains(&method)
}

/// Whether a method may follow `before`: it is a word of its own, and neither a coming attempt (`Retrying GET …`) nor
/// an SDK's second message of one that httpx reports (`HTTP Response: POST … "200 OK"`).
fn stands_alone(before: &[u8]) -> bool {
    let bare = without_colour(before);
    let parted = match bare.last() {
        None | Some(b' ' | b'\t' | b'"' | b'\'' | b'(' | b'[' | b']' | b':' | b'|' | b'>') => true,
        Some(_) => bare.len() < before.len(),
    };
    let words = bare.trim_ascii_end();
    let word = words.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let retries = word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"retry"));
    parted && !retries && !words.ends_with(b"HTTP Response:")
}

/// The server before the quote of `http://host:port "POST /path HTTP/1.1" 200 11`, as urllib3 writes it.
fn server(before: &[u8]) -> Option<&[u8]> {
    let before = before.strip_suffix(b"\"")?;
    let before = before.strip_suffix(b"\\").unwrap_or(before).strip_suffix(b" ")?;
    let slash = memchr::memrchr(b'/', before)?;
    let (scheme, server) = (before[..slash].strip_suffix(b":/")?, &before[slash + 1..]);
    let is_server = (scheme.ends_with(b"http") || scheme.ends_with(b"https")) && memchr::memchr(b' ', server).is_none();
    is_server.then_some(server)
}

/// `Received HTTP response headers after 123.4567ms - 200`: .NET's inner handler, once an attempt. The outer handler's
/// `End processing HTTP request after …` tells of all attempts together and counts for none.
fn unnamed(text: &[u8]) -> Option<Ended<'_>> {
    static SAID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Received HTTP response headers after "));
    let start = SAID.find(text)?;
    let (said, rest) = text[start..].split_at(SAID.needle().len());
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let (duration_ms, rest) = rest.split_at(digits);
    let status = rest.strip_prefix(b"ms - ")?.get(..3)?;
    Some(Ended::Unnamed { start, said, duration_ms, status })
}

/// Terminals' colours (`ESC [ 32 m`) that end `text`, taken off.
pub fn without_colour(mut text: &[u8]) -> &[u8] {
    while let Some(before) = text.strip_suffix(b"m") {
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        let Some(bare) = before[..before.len() - digits].strip_suffix(b"\x1b[") else { break };
        text = bare;
    }
    text
}

/// The same where they begin it.
#[inline]
pub fn past_colour(mut text: &[u8]) -> &[u8] {
    while let Some(colour) = text.strip_prefix(b"\x1b[") {
        let digits = colour.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        let Some(rest) = colour[digits..].strip_prefix(b"m") else { break };
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::row;
    use super::super::value::{self, Scalar};
    use super::*;
    use crate::collect::Family;

    #[test]
    fn messages_of_clients_are_read() {
        for (line, expected) in [
            // httpx 0.28.1: basicConfig, its documentation's configuration, asctime
            (r#"INFO:httpx:HTTP Request: POST http://127.0.0.1:8099/graphql "HTTP/1.1 200 OK""#, "no time"),
            (
                r#"INFO [2024-09-28 17:27:41] httpx - HTTP Request: GET https://www.example.com "HTTP/1.1 200 OK""#,
                "2024-09-28T17:27 stem (none) www.example.com GET / 200 - 0B 1u",
            ),
            (
                r#"2026-11-22 21:53:21,179 INFO httpx: HTTP Request: POST http://127.0.0.1:8099/graphql "HTTP/1.1 429 Too Many Requests""#,
                "2026-11-22T21:53 stem (none) 127.0.0.1:8099 POST /graphql 429 - 0B 1u",
            ),
            (
                r#"2026-11-22 21:53:21,179 INFO httpx: HTTP Request: GET https://api.example.com/users/43?token=s3cr3t "HTTP/2 404 Not Found""#,
                "2026-11-22T21:53 stem (none) api.example.com GET /users/{id} 404 - 0B 1u",
            ),
            // urllib3 2.8.0
            (
                r#"2026-11-23 05:16:54,762 - urllib3.connectionpool - DEBUG - https://api.example.com:443 "POST /graphql HTTP/1.1" 200 11"#,
                "2026-11-23T05:16 stem (none) api.example.com POST /graphql 200 - 11B 1u",
            ),
            (
                r#"2026-11-23 05:16:54,762 DEBUG:urllib3.connectionpool:http://127.0.0.1:8099 "PROPFIND /graphql HTTP/1.1" 500 None"#,
                "2026-11-23T05:16 stem (none) 127.0.0.1:8099 PROPFIND /graphql 500 - 0B 1u",
            ),
            (
                r#"2026-11-23 05:16:54,762 http://proxy:3128 "GET http://api.example.com/a HTTP/1.1" 200 5"#,
                "2026-11-23T05:16 stem (none) api.example.com GET /a 200 - 5B 1u",
            ),
        ] {
            assert_eq!(row(Family::Text, line), expected, "{line}");
        }
    }

    /// What the first message says, as it is written.
    fn said(text: &str) -> String {
        let mut fields = Fields::new();
        assert_eq!(message(text.as_bytes(), &mut fields), !fields.is_empty());
        written(&fields)
    }

    fn written(fields: &Fields<'_>) -> String {
        // Who says it goes without saying here.
        let said = fields.labels().filter(|(rank, _)| rank.field != Field::Client);
        let labels = said.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let measures = fields.measures().map(|(rank, value)| {
            let Scalar::Text(text) = value else { panic!("written") };
            match rank.field {
                Field::Duration => {
                    format!("{:?}", value::written_duration(std::str::from_utf8(text).unwrap(), rank.unit))
                }
                field => format!("{} {}", String::from_utf8_lossy(text), field.name()),
            }
        });
        labels.chain(measures).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn duration_and_bytes_are_read_where_their_unit_or_place_tells() {
        for (text, expected) in [
            // morgan 1.11.0: dev, short, tiny; a client that left
            (
                "\x1b[0mPOST /graphql \x1b[33m429\x1b[0m 74.155 ms - 12\x1b[0m",
                "POST /graphql 429 Some(74.155) 12 bytes",
            ),
            ("\x1b[0mGET /dev \x1b[36m304\x1b[0m 0.224 ms - -\x1b[0m", "GET /dev 304 Some(0.224)"),
            ("GET /dev 200 0.224 ms - 2", "GET /dev 200 Some(0.224) 2 bytes"),
            ("::1 - GET /short HTTP/1.1 200 2 - 0.283 ms", "GET /short 200 2 bytes Some(0.283)"),
            ("POST /graphql 200 12 - 23.557 ms", "POST /graphql 200 12 bytes Some(23.557)"),
            ("GET /dev - - ms - -", "GET /dev -"),
            ("\x1b[0mGET /dev \x1b[0m-\x1b[0m - ms - -\x1b[0m", "GET /dev -"),
            ("GET /tiny - - - - ms", "GET /tiny -"),
            ("::1 - GET /short HTTP/1.1 - - - - ms", "GET /short -"),
            // loguru 0.7.3, winston 3
            ("__main__:<module>:35 - POST https://h/graphql 200", "POST https://h/graphql 200"),
            ("GET https://h/p 200 OK (123ms)", "GET https://h/p 200 Some(123.0)"),
            ("GET https://h/p 404 Not Found in 1m2.5s", "GET https://h/p 404 Some(62500.0)"),
            ("GET https://h/p 200 in 45ms", "GET https://h/p 200 Some(45.0)"),
            ("GET https://h/p -> 200", "GET https://h/p 200"),
            ("GET https://h/p: 200 OK", "GET https://h/p 200"),
            ("GET https://h/p | 200 | 0.5 s", "GET https://h/p 200 Some(500.0)"),
            ("GET https://h/p => \x1b[32m200\x1b[0m 500µs", "GET https://h/p 200 Some(0.5)"),
            ("GET https://h/p 200 500 µs", "GET https://h/p 200 Some(0.5)"),
            // koa-logger, Serilog's request logging, octokit.js, client-go
            (
                "  \x1b[90m-->\x1b[0m \x1b[1mGET\x1b[0m \x1b[90m/p\x1b[0m \x1b[32m200\x1b[0m \x1b[90m5ms\x1b[0m \x1b[90m2b\x1b[0m",
                "GET /p 200 Some(5.0)",
            ),
            ("HTTP GET /api/x responded 200 in 12.3456 ms", "GET /api/x 200 Some(12.3456)"),
            ("GET /repos/a/b - 200 with id ABCD:12 in 123ms", "GET /repos/a/b 200 Some(123.0)"),
            (
                "round_trippers.go:454] GET https://127.0.0.1:6443/api/v1/nodes 200 OK in 5 milliseconds",
                "GET https://127.0.0.1:6443/api/v1/nodes 200 Some(5.0)",
            ),
            // elastic-transport 8, elasticsearch-py 7
            ("POST https://h:9200/_bulk [status:200 duration:0.012s]", "POST https://h:9200/_bulk 200 Some(12.0)"),
            ("GET http://h:9200/ [status:N/A request:10.010s]", "GET http://h:9200/ N/A Some(10010.0)"),
            // OkHttp's logging interceptor, Symfony's HttpClient
            ("<-- 200 OK https://h/p (22ms, 6-byte body)", " https://h/p 200 Some(22.0)"),
            ("<-- 500 https://h/p (1022ms, unknown-length body)", " https://h/p 500 Some(1022.0)"),
            (r#"http_client.INFO: Response: "200 https://h/p" 0.123 seconds [] []"#, " https://h/p 200 Some(123.0)"),
            (r#"{"message":"Response: \"404 https://h/p\""}"#, " https://h/p 404"),
            // uvicorn, werkzeug
            ("INFO:     127.0.0.1:52344 - \"GET /items HTTP/1.1\" 200 OK", "GET /items 200"),
            ("127.0.0.1 - - \"GET /items HTTP/1.1\" 200 -", "GET /items 200"),
            // How long to wait, not how long it took; a count that may be anything
            ("POST https://h/p 429, retrying in 5s", "POST https://h/p 429"),
            ("POST https://h/p 429 Retrying in 5s", "POST https://h/p 429"),
            ("POST https://h/p 200 123", "POST https://h/p 200"),
            // .NET's HttpClient, inner handler
            (
                "info: Received HTTP response headers after 123.4567ms - 200",
                "Received HTTP response headers after  200 Some(123.4567)",
            ),
            // The first of two
            ("GET /a 200 GET /b 500", "GET /a 200"),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn an_answer_of_dotnet_counts_without_saying_whose_it_is() {
        let line = "2026-11-22 21:53:21 info: System.Net.Http.HttpClient.api.ClientHandler[101] Received HTTP response headers after 123.4567ms - 429";
        assert_eq!(row(Family::Text, line), "2026-11-22T21:53 stem (none) (none) (none) (none) 429 123.4567ms 0B 1u");
    }

    #[test]
    fn what_is_no_ended_attempt_says_nothing() {
        for line in [
            "",
            " ",
            "started",
            // .NET's HttpClient
            "info: System.Net.Http.HttpClient.api.LogicalHandler[100] Start processing HTTP request POST https://h/p",
            "info: System.Net.Http.HttpClient.api.ClientHandler[100] Sending HTTP request POST https://h/p",
            "info: System.Net.Http.HttpClient.api.LogicalHandler[101] End processing HTTP request after 130.1ms - 200",
            // urllib3 2.8.0
            "Starting new HTTPS connection (1): api.example.com:443",
            "Resetting dropped connection: api.example.com",
            "Incremented Retry for (url='/graphql/rl'): Retry(total=0, connect=None, read=None, redirect=None, status=None)",
            "Retry: /graphql/rl",
            "Redirecting https://h/a -> https://h/b",
            "Retrying (Retry(total=1)) after connection broken by 'ReadTimeoutError()': /graphql",
            // httpcore 1.0
            "connect_tcp.started host='api.example.com' port=443 local_address=None timeout=5.0 socket_options=None",
            "send_request_headers.started request=<Request [b'POST']>",
            "send_request_headers.complete",
            "receive_response_headers.complete return_value=(b'HTTP/1.1', 200, b'OK', [(b'content-length', b'11')])",
            // hyper, reqwest
            "DEBUG reqwest::connect: starting new connection: https://api.example.com/",
            "DEBUG hyper_util::client::legacy::pool: reuse idle connection for (\"https\", api.example.com)",
            // OkHttp's logging interceptor, Symfony's HttpClient
            "--> POST https://h/p http/1.1 (3-byte body)",
            "<-- END HTTP (6-byte body)",
            "<-- 200 OK (22ms, 6-byte body)",
            "<-- HTTP FAILED: java.io.IOException: Canceled",
            r#"http_client.INFO: Request: "GET https://h/p""#,
            // koa-logger
            "  <-- GET /p",
            // openai-python, beside httpx's own line
            "HTTP Response: POST https://h/v1/responses \"200 OK\" Headers({'date': 'x'})",
            "Retrying POST https://h/p 429",
            // Announced, or not about an answer
            "POST https://h/p",
            "POST https://h/p HTTP/1.1",
            "GET /items 200 items",
            "GET https://h/p 200ms",
            "GET https://h/p 2000",
            "GET https://h/p 099",
            "WIDGET /a 200",
            "ROAST /a 200",
            "the TARGET /a 200",
            "x=GET /a 200",
            "READ /var/log/app 200",
            "GET users 200",
        ] {
            assert_eq!(said(line), "", "{line}");
            assert_eq!(row(Family::Text, &format!("2026-11-22 21:53:21 {line}")), "skipped", "{line}");
        }
    }

    const LINES: [&str; 4] = [
        r#"2026-11-23 05:16:54,762 - urllib3.connectionpool - DEBUG - https://api.example.com:443 "POST /graphql HTTP/1.1" 200 11"#,
        r#"2026-11-22 21:53:21,179 INFO httpx: HTTP Request: POST http://127.0.0.1:8099/graphql "HTTP/1.1 429 Too Many Requests""#,
        "2026-11-22 21:53:21 \x1b[0mPOST /graphql \x1b[33m429\x1b[0m 74.155 ms - 12\x1b[0m",
        "2026-11-22 21:53:21 Received HTTP response headers after 123.4567ms - 429",
    ];

    #[test]
    fn the_beginning_of_a_line_is_no_other_request() {
        for line in LINES {
            super::super::tests::beginnings_agree(read, line);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), line in 0..LINES.len(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            read(&bytes, &mut Fields::new());
            let mut line = LINES[line].as_bytes().to_vec();
            let at = at.index(line.len());
            line[at] = byte;
            read(&line, &mut Fields::new());
        }

        /// Texts of the pieces that messages are made of.
        #[test]
        fn pieces_in_any_order_are_survived(pieces in prop::collection::vec(prop::sample::select(vec![
            "GET", "POST", " ", " ", "/a", "https://h", "\"", "\\", "HTTP/1.1", "200", "-", " ms", "1.5", ":", "\x1b[32m", "\x1b[", "m", "2026-11-22",
            "T21:53:21", "+01:00", "Nov 22 ", "21:53", "Received HTTP response headers after ", "ms - ", "id", "µ", ",",
        ]), 0..12)) {
            read(pieces.concat().as_bytes(), &mut Fields::new());
        }
    }

    #[test]
    fn a_message_inside_json_may_have_its_quotes_escaped() {
        for text in [
            &br#"https://api.example.com "POST /graphql HTTP/1.1" 200 11"#[..],
            br#"https://api.example.com \"POST /graphql HTTP/1.1\" 200 11"#,
        ] {
            let mut fields = Fields::new();
            assert!(message(text, &mut fields));
            assert_eq!(written(&fields), "POST /graphql 200 api.example.com 11 bytes");
        }
        assert!(!message(b"Retry: /graphql", &mut Fields::new()));
    }
}

//! Messages of HTTP clients, behind any prefix: one line an attempt that has ended (httpx, urllib3, morgan, .NET and
//! whoever else writes method, url and status beside each other), with the time stamp that stands before it.
//! This file never counts what announces an attempt or tells of connections: such a line says nothing.

mod answer;
pub mod stamp;

use super::field::{Field, Unit};
use super::fields::{Fields, Verdict};
use answer::Answer;

/// Read a line. Any line may stand in such a log; most of them report no request.
pub fn read<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
    if let Some(ended) = find(line) {
        if let Some(stamp) = stamp::find(&line[..ended.start()]) {
            fields.push(Field::Time, stamp);
        }
        ended.push(fields);
    }
    Verdict::Read
}

/// Push what the first message of an HTTP client in `text` says: method, url or server and path, status, and, where
/// they stand there, duration and bytes. Whether there is one. Quotes may have JSON's backslash before them.
pub fn message<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> bool {
    let ended = find(text);
    if let Some(ended) = &ended {
        ended.push(fields);
    }
    ended.is_some()
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

/// `METHOD URL STATUS`, with more between and behind.
struct Call<'a> {
    /// Where its method stands.
    start: usize,
    method: &'a [u8],
    url: &'a [u8],
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

/// The first in `text`. A method ends before a space, so only spaces behind a capital are looked at.
#[inline]
fn find(text: &[u8]) -> Option<Ended<'_>> {
    memchr::memchr_iter(b' ', text).find_map(|space| match text.get(space.wrapping_sub(1)) {
        Some(b'A'..=b'Z') => ended(text, space, space),
        // It may end a colour.
        Some(b'm') => ended(text, without_colour(&text[..space]).len(), space),
        _ => None,
    })
}

/// What the word that ends at `end` begins; a space stands at `space`.
fn ended(text: &[u8], end: usize, space: usize) -> Option<Ended<'_>> {
    let start = text[..end].iter().rposition(|byte| !byte.is_ascii_uppercase()).map_or(0, |at| at + 1);
    let word = &text[start..end];
    if word == b"HTTP" {
        return unnamed(text, start);
    }
    let after = past_colour(&text[space + 1..]);
    if !(3..=16).contains(&word.len()) || !begins_url(after) && word != b"CONNECT" {
        return None;
    }
    call(text, start, word, after).map(Ended::Call)
}

fn call<'a>(text: &'a [u8], start: usize, method: &'a [u8], after: &'a [u8]) -> Option<Call<'a>> {
    if !stands_alone(&text[..start]) {
        return None;
    }
    let end = memchr::memchr3(b' ', b'"', 0x1b, after)?;
    let (url, rest) = after.split_at(end);
    let answer = Answer::of(rest)?;
    // Without a version only the usual words are methods: capitals before a path may be anything.
    (answer.versioned || is_usual(method)).then_some(Call {
        start,
        method,
        url: url.strip_suffix(b":").or_else(|| url.strip_suffix(b",")).unwrap_or(url),
        server: server(&text[..start]),
        answer,
    })
}

fn begins_url(text: &[u8]) -> bool {
    text.first() == Some(&b'/') || text.starts_with(b"http://") || text.starts_with(b"https://")
}

fn is_usual(method: &[u8]) -> bool {
    const USUAL: [&[u8]; 10] =
        [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"QUERY"];
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
    let scheme = memchr::memmem::rfind(before, b"://")?;
    let server = &before[scheme + 3..];
    (before[..scheme].ends_with(b"http") || before[..scheme].ends_with(b"https"))
        .then_some(server)
        .filter(|server| !server.contains(&b' '))
}

/// `Received HTTP response headers after 123.4567ms - 200`: .NET's inner handler, once an attempt. The outer handler's
/// `End processing HTTP request after …` tells of all attempts together and counts for none.
fn unnamed(text: &[u8], start: usize) -> Option<Ended<'_>> {
    let said = start.checked_sub(b"Received ".len())?;
    let rest = text[said..].strip_prefix(b"Received HTTP response headers after ")?;
    let (duration_ms, rest) = rest.split_at(memchr::memchr(b'm', rest)?);
    let status = rest.strip_prefix(b"ms - ")?.get(..3)?;
    Some(Ended::Unnamed { start: said, said: &text[said..start + b"HTTP response headers".len()], duration_ms, status })
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
    use super::super::tests::row;
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

    #[test]
    fn a_message_inside_json_may_have_its_quotes_escaped() {
        for text in [
            &br#"https://api.example.com "POST /graphql HTTP/1.1" 200 11"#[..],
            br#"https://api.example.com \"POST /graphql HTTP/1.1\" 200 11"#,
        ] {
            let mut fields = Fields::new();
            assert!(message(text, &mut fields));
            let said: Vec<_> = fields.iter().map(|(rank, value)| (rank.field, value)).collect();
            assert_eq!(
                said,
                [
                    (Field::Method, &b"POST"[..]),
                    (Field::Url, b"/graphql"),
                    (Field::Status, b"200"),
                    (Field::Host, b"api.example.com"),
                    (Field::Bytes, b"11"),
                ]
            );
        }
        assert!(!message(b"Retry: /graphql", &mut Fields::new()));
    }
}

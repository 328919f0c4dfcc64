//! The same calls twice in one log: once in the messages of a client library, once in what the application says of them.
//! This file never decides for a source that has decided itself.

use std::collections::BTreeMap;

use super::Decoder;
use crate::collect::request::{Decoded, NONE, unpack};
use crate::collect::{Chunk, CountFrom, Family, Reading};
use crate::day::Minute;

/// Of the smaller group's calls, at least this share must have a partner in the other.
const PAIRED_PERCENT_MIN: usize = 90;
/// Lines that are compared.
const LINES_MAX: usize = 2_000;

/// Server, method, path, status.
type Call = (Box<str>, Box<str>, Box<str>, Option<u16>);
/// A call, when it was, and in which of the lines.
type Told = (Call, Minute, u64);
type Calls = BTreeMap<Call, Vec<Minute>>;

/// Which layer counts. `reading` has its format settled. Of two that report the same calls, it is the one that reports
/// more, so that none is left out; of two that report as many, the fields, which say more of each.
pub fn settle(lines: &[&[u8]], reading: &Reading) -> CountFrom {
    if !reading.count_from.is_auto() {
        return reading.count_from;
    }
    if !reading.format.is_some_and(|format| has_layers(format.family)) {
        return CountFrom::Both;
    }
    let mut messages = told(lines, reading, CountFrom::Messages);
    if messages.is_empty() {
        return CountFrom::Both;
    }
    let fields = told(lines, reading, CountFrom::Fields);
    // The fields of the last message may be in a line that is yet to come.
    let last = fields.iter().map(|(.., line)| *line).max();
    messages.retain(|(.., line)| Some(*line) <= last);
    let smaller = messages.len().min(fields.len());
    let is_more = messages.len() > fields.len();
    match paired(messages, fields) {
        pairs if smaller == 0 || pairs * 100 < smaller * PAIRED_PERCENT_MIN => CountFrom::Both,
        _ if is_more => CountFrom::Messages,
        _ => CountFrom::Fields,
    }
}

/// Whether lines of this family can report a request in two ways.
pub fn has_layers(family: Family) -> bool {
    match family {
        Family::Json | Family::Logfmt | Family::Text => true,
        Family::Otlp | Family::Combined | Family::Haproxy | Family::Squid => false,
        Family::Alb | Family::Envoy | Family::Regex => false,
    }
}

/// The calls that one layer reports.
fn told(lines: &[&[u8]], reading: &Reading, layer: CountFrom) -> Vec<Told> {
    let reading = Reading { count_from: layer, ..reading.clone() };
    let mut decoder = Decoder::without_templates(&reading, "".into());
    decoder.prefer_urls();
    let mut decoded = Decoded::default();
    for (number, line) in (0..).zip(lines.iter().take(LINES_MAX)) {
        decoder.decode(line, &Chunk { start: number, end: number + 1, written: None }, &mut decoded);
    }
    let call = |(key, line): (&u64, &u64)| {
        let (minute, series) = unpack(*key);
        let series = &decoded.series.list()[series as usize];
        let call = (series.api.clone(), series.method.clone(), series.operation.clone(), series.status);
        (call, minute, *line)
    };
    decoded.rows.key.iter().zip(&decoded.rows.start).map(call).collect()
}

/// How many calls of one layer have a partner in the other, in the same minute or the next to it. Servers are compared
/// where both layers name them.
fn paired(one: Vec<Told>, other: Vec<Told>) -> usize {
    let names_servers = one.iter().chain(&other).all(|((server, ..), ..)| **server != *NONE);
    let (mut one, mut other) = (grouped(one, names_servers), grouped(other, names_servers));
    one.iter_mut().filter_map(|(call, minutes)| Some(pairs(minutes, other.get_mut(call)?))).sum()
}

fn grouped(told: Vec<Told>, names_servers: bool) -> Calls {
    let mut calls = Calls::new();
    for ((server, method, path, status), minute, _) in told {
        let server = if names_servers { server } else { NONE.into() };
        calls.entry((server, method, path, status)).or_default().push(minute);
    }
    calls
}

fn pairs(one: &mut [Minute], other: &mut [Minute]) -> usize {
    one.sort();
    other.sort();
    let (mut at, mut of_other, mut pairs) = (0, 0, 0);
    while let (Some(minute), Some(partner)) = (one.get(at), other.get(of_other)) {
        let is_pair = minute.0.abs_diff(partner.0) <= 1;
        pairs += usize::from(is_pair);
        at += usize::from(is_pair || minute < partner);
        of_other += usize::from(is_pair || partner < minute);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Format;

    fn message(n: usize, url: &str) -> String {
        format!(
            r#"{{"time":"2026-11-22T10:{:02}:00Z","message":"HTTP Request: POST {url} \"HTTP/1.1 200 OK\""}}"#,
            n % 60
        )
    }

    fn fields(n: usize, url: &str) -> String {
        format!(r#"{{"time":"2026-11-22T10:{:02}:01Z","method":"POST","url":"{url}","status":200}}"#, n % 60)
    }

    fn settled(lines: &[String]) -> CountFrom {
        let reading = Reading { format: Some(Format::JSON), ..Reading::unsettled(chrono_tz::Tz::UTC) };
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        settle(&lines, &reading)
    }

    const API: &str = "https://api.example.com/graphql";

    #[test]
    fn calls_that_both_layers_report_count_from_the_fields() {
        let lines: Vec<_> = (0..30).flat_map(|n| [message(n, API), fields(n, API)]).collect();
        assert_eq!(settled(&lines), CountFrom::Fields);
        // Also where the last call's second line is yet to come.
        assert_eq!(settled(&lines[..59]), CountFrom::Fields);
    }

    #[test]
    fn where_the_fields_report_only_some_of_the_calls_messages_count() {
        let lines: Vec<_> = (0..30)
            .flat_map(|n| std::iter::once(message(n, API)).chain((n % 3 == 2).then(|| fields(n, API))))
            .collect();
        assert_eq!(settled(&lines), CountFrom::Messages);
    }

    #[test]
    fn calls_of_different_servers_are_different_calls() {
        let other = "https://other.example.com/graphql";
        let lines: Vec<_> = (0..30).flat_map(|n| [message(n, API), fields(n, other)]).collect();
        assert_eq!(settled(&lines), CountFrom::Both);
        assert_eq!(settled(&(0..30).map(|n| fields(n, API)).collect::<Vec<_>>()), CountFrom::Both);
        assert_eq!(settled(&(0..30).map(|n| message(n, API)).collect::<Vec<_>>()), CountFrom::Both);
    }
}

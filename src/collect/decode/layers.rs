//! The same calls twice in one log: once in the messages of a client library, once in what the application says of them.
//! This file never decides for a source that has decided itself.

use std::collections::BTreeMap;

use super::Decoder;
use crate::collect::request::{Decoded, unpack};
use crate::collect::{Chunk, CountFrom, Family, Reading};
use crate::day::Minute;

/// Of the smaller group's calls, at least this share must have a partner in the other.
const PAIRED_PERCENT_MIN: usize = 90;
/// Lines that are compared.
const LINES_MAX: usize = 2_000;

/// Method, path, status.
type Call = (Box<str>, Box<str>, Option<u16>);

/// Which layer counts. `reading` has its format settled.
pub fn settle(lines: &[&[u8]], reading: &Reading) -> CountFrom {
    if !reading.count_from.is_auto() {
        return reading.count_from;
    }
    if !reading.format.is_some_and(|format| has_layers(format.family)) {
        return CountFrom::Both;
    }
    let messages = calls(lines, reading, CountFrom::Messages);
    if messages.is_empty() {
        return CountFrom::Both;
    }
    match paired(messages, calls(lines, reading, CountFrom::Fields)) {
        (pairs, smaller) if smaller > 0 && pairs * 100 >= smaller * PAIRED_PERCENT_MIN => CountFrom::Fields,
        _ => CountFrom::Both,
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

/// The calls that one layer reports, and when each was.
fn calls(lines: &[&[u8]], reading: &Reading, layer: CountFrom) -> BTreeMap<Call, Vec<Minute>> {
    let reading = Reading { count_from: layer, ..reading.clone() };
    let mut decoder = Decoder::without_templates(&reading, "".into());
    decoder.prefer_urls();
    let mut decoded = Decoded::default();
    for line in lines.iter().take(LINES_MAX) {
        decoder.decode(line, &Chunk { start: 0, end: line.len() as u64, written: None }, &mut decoded);
    }
    let mut calls: BTreeMap<Call, Vec<Minute>> = BTreeMap::new();
    for key in &decoded.rows.key {
        let (minute, series) = unpack(*key);
        let series = &decoded.series.list()[series as usize];
        let call = (series.method.clone(), series.operation.clone(), series.status);
        calls.entry(call).or_default().push(minute);
    }
    calls
}

/// How many calls of the smaller group have a partner in the other, in the same minute or the next to it, and how many
/// it has.
fn paired(mut one: BTreeMap<Call, Vec<Minute>>, mut other: BTreeMap<Call, Vec<Minute>>) -> (usize, usize) {
    let count = |calls: &BTreeMap<Call, Vec<Minute>>| calls.values().map(Vec::len).sum::<usize>();
    let smaller = count(&one).min(count(&other));
    let pairs = one.iter_mut().filter_map(|(call, minutes)| Some(pairs(minutes, other.get_mut(call)?))).sum();
    (pairs, smaller)
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

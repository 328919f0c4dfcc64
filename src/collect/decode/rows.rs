//! Where a line ends, what became of it, and its place in the columns. Shared by the format families.
//! This file never reads a line's fields.

use super::label::{LabelSet, Labels};
use super::value::Measures;
use crate::collect::request::{Bucket, Decoded, Reject, Skip, pack};
use crate::day::Minute;

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Request(LabelSet, Measures),
    Skip(Skip),
    Reject(Reject),
}

/// Account for one line, which begins at byte `start` of its log.
#[inline]
pub fn account(outcome: Outcome, start: u64, labels: &mut Labels, decoded: &mut Decoded) {
    match outcome {
        Outcome::Request(set, measures) => request(set, &measures, start, labels, decoded),
        Outcome::Skip(reason) => decoded.lines.skip(reason),
        Outcome::Reject(reason) => decoded.lines.reject(reason),
    }
}

#[inline]
fn request(set: LabelSet, measures: &Measures, start: u64, labels: &mut Labels, decoded: &mut Decoded) {
    let minute = match measures.minute {
        Ok(minute) => minute,
        Err(reason) => match arrived(reason, start, decoded) {
            Some(minute) => minute,
            None => return,
        },
    };
    let bucket = measures.duration_ms.and_then(Bucket::of_ms);
    let series = labels.series(set, bucket, &mut decoded.series);
    decoded.rows.key.push(pack(minute, series));
    decoded.rows.start.push(start);
    decoded.rows.units.push(measures.units);
    decoded.rows.bytes.push(measures.bytes);
    decoded.rows.duration_ms.push(measures.duration_ms.unwrap_or(0.0));
    decoded.lines.counted += 1;
}

/// The minute of a request that states none: when it arrived, if somebody saw it come. `None`: it is accounted for.
#[cold]
fn arrived(reason: Reject, start: u64, decoded: &mut Decoded) -> Option<Minute> {
    match (reason, decoded.arrival) {
        (Reject::NoTime, Some(arrival)) if start >= arrival.live_from => {
            let is_new = start >= arrival.counted_to;
            decoded.lines.arrived += u64::from(is_new);
            is_new.then_some(arrival.minute)
        }
        (Reject::Malformed | Reject::NoTime | Reject::BadTime, _) => {
            decoded.lines.reject(reason);
            None
        }
    }
}

/// The text of a line with NULs, which no format has: a writer that did not notice that its log was truncated leaves a
/// hole, a power cut leaves half a line and then one, and the line follows behind. `None` without NULs.
pub fn beside_nuls(line: &[u8]) -> Option<&[u8]> {
    let (first, last) = (memchr::memchr(0, line)?, memchr::memrchr(0, line)?);
    let behind = &line[last + 1..];
    Some(if behind.trim_ascii().is_empty() { &line[..first] } else { behind })
}

/// The line at the start of `rest` without its line end, and how many bytes it takes with it.
#[inline]
pub fn first_line(rest: &[u8]) -> (&[u8], usize) {
    let (line, taken) = match memchr::memchr(b'\n', rest) {
        Some(end) => (&rest[..end], end + 1),
        None => (rest, rest.len()),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), taken)
}

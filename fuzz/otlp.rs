//! The target of OTLP, whose lines become many rows each. It never looks at what the rows say.

use daycap::collect::decode::Decoder;
use daycap::collect::request::Decoded;
use daycap::collect::{Chunk, Family, Format};

use super::reading;

/// A line may report many requests, each in a row; chunks read apart give the same rows.
pub fn otlp(data: &[u8]) {
    let reading = reading(Format::bare(Family::Otlp));
    let cut = data[..data.len() / 2].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let [whole, parts] = [&[0..data.len()][..], &[0..cut, cut..data.len()]].map(|parts| {
        let mut decoded = Decoded::default();
        for part in parts {
            let chunk = Chunk { start: part.start as u64, end: part.end as u64, written: None };
            Decoder::new(&reading, "app".into()).decode(&data[part.clone()], &chunk, &mut decoded);
        }
        (decoded.lines, decoded.rows.key, decoded.rows.start)
    });
    assert_eq!(parts, whole, "in two chunks, and in one");
}

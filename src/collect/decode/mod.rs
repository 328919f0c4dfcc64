//! Lines become rows: one file a format family.
//!
//! [`json`] reads a line by a learned [`template`] where one of its [`shape`]s fits, else by parser; [`combined`] by hand. Both hand
//! values to [`label`] (who, where, what) and [`value`] (when, how long, how much), and [`rows`] accounts
//! for each line. Keys are told apart by [`field`]. Nothing here reads a file or a clock.

mod json;
mod shape;
mod template;
mod learn;
mod literal;
mod scan;
mod combined;
mod field;
mod value;
mod time;
mod label;
mod operation;
mod recall;
mod cache;
mod rows;
mod detect;
pub mod explain;

use std::sync::Arc;

use combined::CombinedLines;
use json::JsonLines;

use super::request::Decoded;
use super::{Chunk, Format, Reading};

#[cfg(test)]
mod tests;

pub use detect::{Detection, detect};

/// Reads lines one way. Learned templates and label caches live here, so keep one a worker and reading.
pub struct Decoder {
    family: Family,
}

enum Family {
    Json(Box<JsonLines>),
    Combined(Box<CombinedLines>),
}

impl Decoder {
    /// `reading` has its format settled; without one, lines are read as JSON. A request whose service
    /// neither `reading` nor its line names is filed under `default_service`.
    pub fn new(reading: &Reading, default_service: Arc<str>) -> Decoder {
        let family = match reading.format.unwrap_or(Format::Json) {
            Format::Json => Family::Json(Box::new(JsonLines::new(reading, &default_service))),
            Format::Combined => Family::Combined(Box::new(CombinedLines::new(reading, &default_service))),
        };
        Decoder { family }
    }

    /// Slower and with the same answers, or one of the two is wrong: JSON lines are read by the parser alone. For tests.
    pub fn without_templates(reading: &Reading, default_service: Arc<str>) -> Decoder {
        let family = match reading.format.unwrap_or(Format::Json) {
            Format::Json => Family::Json(Box::new(JsonLines::without_templates(reading, &default_service))),
            Format::Combined => Family::Combined(Box::new(CombinedLines::new(reading, &default_service))),
        };
        Decoder { family }
    }

    /// Add one row a request in `bytes`, which is `chunk`'s content, and account for every line.
    pub fn decode(&mut self, bytes: &[u8], chunk: &Chunk, decoded: &mut Decoded) {
        match &mut self.family {
            Family::Json(lines) => lines.decode(bytes, chunk.start, decoded),
            Family::Combined(lines) => lines.decode(bytes, chunk.start, decoded),
        }
    }
}

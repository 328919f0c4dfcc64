//! Lines become rows: one file a format family.
//!
//! [`envelope`] takes off what collectors put around a line. [`json`] reads a line by a learned [`template`] where one of its
//! [`shape`]s fits, else by parser; [`plain`] reads lines of text by one function a family. All hand
//! values to [`label`] (who, where, what) and [`value`] (when, how long, how much), and [`rows`] accounts
//! for each line. Keys are told apart by [`field`], ahead of it by the source's own [`mapping`]. Nothing here reads a file
//! or a clock.

mod envelope;
mod json;
mod shape;
mod template;
mod learn;
mod literal;
mod scan;
mod otlp;
mod plain;
mod fields;
mod combined;
mod haproxy;
mod squid;
mod alb;
mod envoy;
mod text;
mod logfmt;
mod regex;
mod words;
pub mod mapping;
mod routes;
mod key;
mod field;
mod value;
mod time;
mod label;
mod operation;
mod id;
mod recall;
mod cache;
mod rows;
mod detect;
pub mod explain;

use std::sync::Arc;

use envelope::Envelopes;
use field::Aliases;
use json::JsonLines;
use label::Labels;
use logfmt::Logfmt;
use otlp::OtlpLines;
use plain::{Parser, PlainLines};
use recall::Recall;
use routes::Routes;
use rows::{account, first_line};
use time::Clockwork;

use super::request::Decoded;
use super::{Chunk, Family, Format, Reading};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod safety;

pub use detect::{Detection, detect};

/// Reads lines one way. Learned templates and label caches live here, so keep one a worker and reading.
pub struct Decoder {
    envelopes: Envelopes,
    lines: Lines,
    context: Context,
}

/// What reading a line needs beside the line.
pub struct Context {
    labels: Labels,
    clockwork: Clockwork,
    aliases: Arc<Aliases>,
    /// Of the service that the line's envelope names, a number of its own: the same labels within another envelope mean
    /// something else.
    wrapping: u64,
}

enum Lines {
    Json(Box<JsonLines>),
    Otlp(Box<OtlpLines>),
    Plain(Box<PlainLines>),
}

impl Decoder {
    /// `reading` has its format settled; without one, lines are read as JSON. A request whose service
    /// neither `reading` nor its line names is filed under `default_service`.
    pub fn new(reading: &Reading, default_service: Arc<str>) -> Decoder {
        Decoder::reading(reading, &default_service, true)
    }

    /// Slower and with the same answers, or one of the two is wrong: JSON lines are read by the parser alone. For tests.
    pub fn without_templates(reading: &Reading, default_service: Arc<str>) -> Decoder {
        Decoder::reading(reading, &default_service, false)
    }

    fn reading(reading: &Reading, default_service: &str, learns: bool) -> Decoder {
        let format = reading.format.unwrap_or(Format::JSON);
        let mapping = reading.mapping.as_deref();
        let aliases = mapping.map_or_else(Aliases::standard, Aliases::with);
        let routes = Routes::new(mapping.map_or(&[], |mapping| &mapping.operations));
        let recall = Recall::new(routes.clone());
        let context = Context {
            labels: Labels::new(reading, default_service, routes),
            clockwork: Clockwork::new(reading.zone),
            aliases: aliases.clone(),
            wrapping: 0,
        };
        let lines = match format.family {
            Family::Json => Lines::Json(Box::new(JsonLines::new(learns, recall))),
            Family::Otlp => Lines::Otlp(Box::new(OtlpLines::new())),
            plain => Lines::Plain(Box::new(PlainLines::new(parser(plain, reading, aliases), recall))),
        };
        Decoder { envelopes: Envelopes::of(format), lines, context }
    }

    /// Add one row a request in `bytes`, which is `chunk`'s content, and account for every line.
    pub fn decode(&mut self, bytes: &[u8], chunk: &Chunk, decoded: &mut Decoded) {
        self.context.labels.use_table(&decoded.series);
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += self.line(rest, chunk.start + at as u64, decoded);
        }
    }

    /// The line at the start of `rest`; how many bytes it takes.
    #[inline]
    fn line(&mut self, rest: &[u8], start: u64, decoded: &mut Decoded) -> usize {
        let context = &mut self.context;
        match &mut self.lines {
            Lines::Json(lines) => {
                let (outcome, taken) = lines.line(rest, context);
                account(outcome, start, &mut context.labels, decoded);
                taken
            }
            Lines::Plain(lines) => {
                let (line, taken) = first_line(rest);
                let outcome = lines.line(line, context);
                account(outcome, start, &mut context.labels, decoded);
                taken
            }
            Lines::Otlp(lines) => {
                let (line, taken) = first_line(rest);
                lines
                    .line(line, context, &mut |outcome, context| account(outcome, start, &mut context.labels, decoded));
                taken
            }
        }
    }
}

/// How lines of a family are read that are neither JSON nor OTLP.
fn parser(family: Family, reading: &Reading, aliases: Arc<Aliases>) -> Parser {
    match family {
        Family::Json | Family::Otlp => unreachable!("they are not read as plain text"),
        Family::Logfmt => Parser::Logfmt(Logfmt::new(aliases)),
        Family::Combined => Parser::COMBINED,
        Family::Haproxy => Parser::HAPROXY,
        Family::Squid => Parser::SQUID,
        Family::Alb => Parser::ALB,
        Family::Envoy => Parser::ENVOY,
        Family::Text => Parser::TEXT,
        Family::Regex => Parser::Regex(Box::new(regex::Pattern::new(&reading.mapping.clone().unwrap_or_default()))),
    }
}

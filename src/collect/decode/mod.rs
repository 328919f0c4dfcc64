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
mod alias;
mod routes;
mod key;
mod field;
mod dialect;
mod paths;
mod value;
mod time;
mod said;
mod start;
mod label;
mod operation;
mod id;
mod recall;
mod cache;
mod observed;
mod rows;
mod detect;
mod looks;
mod places;
mod layers;
pub mod explain;

use std::sync::Arc;

use envelope::{Envelopes, Opened, whole_line, without_nuls};
use field::{Aliases, Rank};
use json::JsonLines;
use label::Labels;
use logfmt::Logfmt;
use observed::Observer;
use otlp::OtlpLines;
use plain::{Parser, PlainLines};
use recall::Recall;
use routes::Routes;
use rows::{Outcome, account, first_line};
use time::Clockwork;
use value::Scalar;

use super::request::{Decoded, Skip};
use super::tail::LINE_BYTES_MAX;
use super::{Chunk, Family, Format, Reading};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod safety;

pub use detect::{Detection, Found, detect};
pub use envelope::closed_end;
pub use layers::has_layers;

/// Reads lines one way. Learned templates and label caches live here, so keep one a worker and reading.
pub struct Decoder {
    envelopes: Envelopes,
    /// Of lines whose envelopes name no service. `None` where no envelope can, or what it names does not count.
    default_service: Option<Box<str>>,
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
    /// Where the source maps what servers say of their quotas.
    observer: Option<Observer>,
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
            observer: Observer::of(mapping),
        };
        let lines = match format.family {
            Family::Json => Lines::Json(Box::new(JsonLines::new(learns, recall))),
            Family::Otlp => Lines::Otlp(Box::new(OtlpLines::new())),
            plain => Lines::Plain(Box::new(PlainLines::new(parser(plain, reading, aliases), recall))),
        };
        let envelopes = Envelopes::of(format);
        let is_named = reading.service.is_none() && envelopes.name_services();
        Decoder { envelopes, default_service: is_named.then(|| default_service.into()), lines, context }
    }

    /// Tell operations by their urls, to compare what two formats or layers say of one call.
    fn prefer_urls(&mut self) {
        self.context.labels.prefer_urls();
    }

    /// Add one row a request in `bytes`, which is `chunk`'s content, and account for every line.
    pub fn decode(&mut self, bytes: &[u8], chunk: &Chunk, decoded: &mut Decoded) {
        self.context.labels.use_table(&decoded.series);
        self.context.clockwork.set_reference(chunk.written);
        if !self.envelopes.is_empty() {
            return self.open_all(bytes, chunk, decoded);
        }
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += self.line(rest, chunk.start + at as u64, decoded);
        }
    }

    /// The line at the start of `rest`; how many bytes it takes.
    #[inline]
    fn line(&mut self, rest: &[u8], start: u64, decoded: &mut Decoded) -> usize {
        let each = |outcome, context: &mut Context| context.count(outcome, start, decoded);
        self.lines.line(rest, &mut self.context, each)
    }

    /// The same of lines in envelopes.
    fn open_all(&mut self, bytes: &[u8], chunk: &Chunk, decoded: &mut Decoded) {
        let Decoder { envelopes, default_service, lines, context } = self;
        let mut opened = |opened: Opened<'_>, decoded: &mut Decoded| {
            context.account(opened, lines, default_service.as_deref(), decoded);
        };
        let has_nuls = memchr::memchr(0, bytes).is_some();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let line = whole_line(rest);
            let start = chunk.start + at as u64;
            opened(envelopes.open(without_nuls(line, has_nuls), start), decoded);
            at += line.len();
        }
        // A chunk of a log that goes on ends with a whole line, unless there is none in all of it.
        let is_cut = bytes.len() > LINE_BYTES_MAX / 2;
        while let Some(left) = envelopes.left_open(is_cut) {
            opened(left, decoded);
        }
    }
}

impl Lines {
    /// What becomes of the line at the start of `rest`, and how many bytes it takes.
    #[inline]
    fn line(&mut self, rest: &[u8], context: &mut Context, mut each: impl FnMut(Outcome, &mut Context)) -> usize {
        match self {
            Lines::Json(lines) => {
                let (outcome, taken) = lines.line(rest, context);
                each(outcome, context);
                taken
            }
            Lines::Plain(lines) => {
                let (line, taken) = first_line(rest);
                each(lines.line(line, context), context);
                taken
            }
            Lines::Otlp(lines) => {
                let (line, taken) = first_line(rest);
                lines.line(line, context, &mut each);
                taken
            }
        }
    }
}

impl Context {
    /// A request's measures, where somebody listens to what servers say.
    #[inline]
    fn hear<'a>(&mut self, measures: impl Iterator<Item = (Rank, Scalar<'a>)>) {
        if let Some(observer) = &mut self.observer {
            observer.hear(measures);
        }
    }

    /// Account for one line, which begins at byte `start` of its log.
    #[inline]
    fn count(&mut self, outcome: Outcome, start: u64, decoded: &mut Decoded) {
        let rows = decoded.rows.len();
        account(outcome, start, &mut self.labels, decoded);
        if let Some(observer) = &mut self.observer {
            observer.note(rows, decoded);
        }
    }

    /// Account for a line that had envelopes, and for the piece before it.
    fn account(&mut self, opened: Opened<'_>, lines: &mut Lines, default_service: Option<&str>, decoded: &mut Decoded) {
        let follows = match opened {
            Opened::Part { follows } => follows,
            Opened::Foreign { outcome, follows } => {
                account(outcome, 0, &mut self.labels, decoded);
                follows
            }
            Opened::Whole { around, start, follows } => {
                if let Some(default) = default_service {
                    self.wrapping = self.labels.set_default_service(around.service().unwrap_or(default));
                }
                lines.line(around.line, self, |outcome, context| {
                    let outcome = around.dated(outcome, &mut context.clockwork);
                    context.count(outcome, start, decoded);
                });
                follows
            }
        };
        if follows {
            decoded.skip(Skip::Part);
        }
    }
}

/// How lines of a family are read that are neither JSON nor OTLP.
fn parser(family: Family, reading: &Reading, aliases: Arc<Aliases>) -> Parser {
    match family {
        Family::Json | Family::Otlp => unreachable!("they are not read as plain text"),
        Family::Logfmt => Parser::Logfmt(Logfmt::new(
            aliases,
            reading.mapping.as_ref().is_none_or(|mapping| !mapping.says_requests()),
        )),
        Family::Combined => Parser::COMBINED,
        Family::Haproxy => Parser::HAPROXY,
        Family::Squid => Parser::SQUID,
        Family::Alb => Parser::ALB,
        Family::Envoy => Parser::ENVOY,
        Family::Text => Parser::TEXT,
        Family::Regex => Parser::Regex(Box::new(regex::Pattern::new(&reading.mapping.clone().unwrap_or_default()))),
    }
}

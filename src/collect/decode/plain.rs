//! Lines of plain text, in any family but JSON: a family's function says what is where in a line, and this turns it
//! into an outcome. This file never knows a format.

use super::Context;
use super::dialect::Dialect;
use super::fields::{Fields, Verdict};
use super::recall::Recall;
use super::rows::{Outcome, beside_nuls};
use super::said::Origin;
use super::value::{self, Scalar};
use super::{alb, combined, envoy, haproxy, logfmt, regex, squid, text};
use crate::collect::request::{Reject, Skip};

/// How a line of one family is read.
pub enum Parser {
    /// Knows all it needs to from the line.
    ByHand(for<'a> fn(&'a [u8], &mut Fields<'a>) -> Verdict),
    Logfmt(logfmt::Logfmt),
    Regex(Box<regex::Pattern>),
}

impl Parser {
    pub const COMBINED: Parser = Parser::ByHand(combined::read);
    pub const HAPROXY: Parser = Parser::ByHand(haproxy::read);
    pub const SQUID: Parser = Parser::ByHand(squid::read);
    pub const ALB: Parser = Parser::ByHand(alb::read);
    pub const ENVOY: Parser = Parser::ByHand(envoy::read);
    pub const TEXT: Parser = Parser::ByHand(text::read);

    #[inline]
    pub fn read<'a>(&mut self, line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
        match self {
            Parser::ByHand(read) => read(line, fields),
            Parser::Logfmt(logfmt) => logfmt.read(line, fields),
            Parser::Regex(pattern) => pattern.read(line, fields),
        }
    }
}

impl Parser {
    /// Why a line says nothing.
    fn silence(&self) -> Skip {
        match self {
            Parser::ByHand(_) | Parser::Logfmt(_) => Skip::NotARequest,
            Parser::Regex(_) => Skip::Unmatched,
        }
    }
}

pub struct PlainLines {
    parser: Parser,
    recall: Recall,
}

impl PlainLines {
    pub fn new(parser: Parser, recall: Recall) -> PlainLines {
        PlainLines { parser, recall }
    }

    /// For those who ask where things are.
    pub fn parser(&mut self) -> &mut Parser {
        &mut self.parser
    }

    /// What becomes of one line, given without its line end.
    #[inline]
    pub fn line(&mut self, line: &[u8], context: &mut Context) -> Outcome {
        let mut fields = Fields::new();
        let outcome = match self.parser.read(line, &mut fields) {
            Verdict::Malformed => Outcome::Reject(Reject::Malformed),
            // What says nothing cannot meet a condition, and is no request without one.
            Verdict::Read if fields.is_empty() => Outcome::Skip(self.parser.silence()),
            Verdict::Read => self.outcome(&fields, context),
        };
        match outcome {
            Outcome::Request(_, measures) if measures.minute != Err(Reject::BadTime) => outcome,
            Outcome::Request(..) | Outcome::Skip(_) | Outcome::Reject(_) => self.otherwise(line, outcome, context),
        }
    }

    /// A line that is no good as it stands may be blank, or have NULs beside its text.
    #[cold]
    fn otherwise(&mut self, line: &[u8], outcome: Outcome, context: &mut Context) -> Outcome {
        match beside_nuls(line) {
            Some(text) => self.line(text, context),
            None if line.trim_ascii().is_empty() => Outcome::Skip(Skip::Blank),
            None => outcome,
        }
    }

    #[inline]
    fn outcome(&mut self, fields: &Fields<'_>, context: &mut Context) -> Outcome {
        let labels = &mut context.labels;
        // What has escapes is only ever compared as it is.
        let reducible = fields.has_url() && !fields.escaped;
        let kind = fields.kind() ^ context.wrapping;
        let origin = Origin { dialect: Dialect::none(), timed: fields.is_timed() };
        let bytes = fields.labels().map(|(rank, value)| (rank.field, value));
        let meaning = self.recall.meaning(kind, reducible, bytes, || {
            let is_text = |(_, value): (_, &[u8])| std::str::from_utf8(value).is_ok();
            if !fields.escaped && fields.labels().all(is_text) {
                return Some(labels.resolve(origin, fields.labels().map(|(rank, value)| (rank, Scalar::Text(value)))));
            }
            let text = |(rank, value): (_, &[u8])| (rank, value::unescaped(value, fields.escaped));
            let read: Vec<_> = fields.labels().map(text).collect();
            Some(labels.resolve(origin, read.iter().map(|(rank, text)| (*rank, Scalar::Text(text.as_bytes())))))
        });
        match meaning {
            None => Outcome::Reject(Reject::Malformed),
            Some(Err(skip)) => Outcome::Skip(skip),
            Some(Ok(labels)) => {
                context.hear(fields.measures());
                Outcome::Request(labels, value::measures(fields.measures(), &mut context.clockwork))
            }
        }
    }
}

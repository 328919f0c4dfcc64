//! What a line says, gathered from its values; and whether that is a request.
//! This file never makes a label.

use std::borrow::Cow;

use super::dialect::Dialect;
use super::field::{Field, Rank};
use super::fields::Fields;
use super::value::{self, Scalar};
use super::{operation, start, text};
use crate::collect::request::Skip;

/// What all lines of a shape have in common, beside their keys.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub dialect: &'static Dialect,
    /// A duration is among the measures: something has ended.
    pub timed: bool,
}

/// More messages than these a line does not have.
const MESSAGES_MAX: usize = 3;

/// What a line says, before it is known whether it reports a request.
#[derive(Default)]
pub struct Said<'a> {
    pub method: Option<&'a str>,
    pub url: Option<&'a str>,
    /// A path that needs no ids cut out.
    pub route: Option<&'a str>,
    pub host: Option<&'a str>,
    pub status: Option<u16>,
    pub operation: Option<Cow<'a, str>>,
    /// Of a persisted document.
    pub hash: Option<Cow<'a, str>>,
    pub service: Option<&'a str>,
    pub name: Option<&'a str>,
    pub machine: Option<&'a str>,
    pub key: Option<&'a str>,
    /// One bit for each of the source's conditions that is met.
    pub conditions: u64,
    /// Only an HTTP client's own message makes it a request.
    pub from_message: bool,
    attempt: bool,
    error: bool,
    /// A status that is a number, if not one of HTTP.
    answered: bool,
    messages: [Option<&'a str>; MESSAGES_MAX],
}

impl<'a> Said<'a> {
    /// Of each field, the first usable value counts. A message is believed only where the line's own fields report no
    /// request.
    pub fn of(origin: Origin, values: impl Iterator<Item = (Rank, Scalar<'a>)>, conditions: &[Box<str>]) -> Said<'a> {
        let mut said = Said::default();
        for (rank, value) in values {
            if let Some(condition) = rank.condition
                && conditions.get(usize::from(condition)).is_some_and(|expected| value::is(value, expected))
            {
                said.conditions |= 1 << condition;
            }
            said.take(rank.field, value);
        }
        // One that counts by its start has been told of already.
        said.attempt |= !origin.dialect.starts_count && said.messages().any(start::is_inner_end);
        if !said.is_request() && !said.answered {
            said.read_messages();
        }
        said
    }

    fn take(&mut self, field: Field, value: Scalar<'a>) {
        match field {
            Field::Method => self.method = self.method.or_else(|| value::method(value)),
            Field::Status => {
                self.answered |= !matches!(value, Scalar::Text(_));
                self.status = self.status.or_else(|| value::status(value));
            }
            Field::Url => self.url = self.url.or_else(|| value::text(value)),
            Field::Request => self.take_request(value::text(value).unwrap_or_default()),
            Field::Route => self.route = self.route.or_else(|| value::text(value)),
            Field::Host => self.host = self.host.or_else(|| value::text(value)),
            Field::Operation => set(&mut self.operation, value::text(value)),
            // Ranked behind every operation field.
            Field::Document => self.take_document(value::text(value).unwrap_or_default()),
            Field::DocumentHash => set(&mut self.hash, value::text(value)),
            Field::Service => self.service = self.service.or_else(|| value::text(value).filter(|name| is_named(name))),
            Field::Name => self.name = self.name.or_else(|| value::text(value)),
            Field::Machine => self.machine = self.machine.or_else(|| value::text(value)),
            Field::Key => self.key = self.key.or_else(|| value::text(value)),
            Field::Client => self.from_message |= value::text(value).is_some(),
            Field::Attempt => self.attempt |= value::text(value).is_some(),
            Field::Error => self.error |= !matches!(value, Scalar::Text(b"" | b"-")),
            Field::Message => {
                if let Some(place) = self.messages.iter_mut().find(|message| message.is_none()) {
                    *place = value::text(value);
                }
            }
            Field::Condition | Field::Time | Field::Duration | Field::Bytes | Field::Units => {}
            Field::QuotaUsed | Field::QuotaRemaining | Field::QuotaLimit | Field::QuotaReset => {}
        }
    }

    /// `POST /graphql HTTP/1.1`, or a target alone.
    fn take_request(&mut self, line: &'a str) {
        let (method, rest) = line.split_once(' ').unwrap_or(("", line));
        let url = rest.split(' ').next().unwrap_or_default();
        if !(url.starts_with('/') || url.contains("://")) {
            return;
        }
        self.url = self.url.or(Some(url));
        self.method = self.method.or_else(|| value::method(Scalar::Text(method.as_bytes())));
    }

    /// A GraphQL document, or a body that is JSON with one in it.
    fn take_document(&mut self, text: &'a str) {
        if self.operation.is_some() || text.is_empty() {
            return;
        }
        match operation::Body::of(text) {
            Some(body) => {
                set(&mut self.hash, body.hash().map(ToOwned::to_owned));
                self.operation = body.operation().map(|name| Cow::Owned(name.to_owned()));
            }
            None => set(&mut self.operation, operation::document_name(text)),
        }
    }

    /// What the first message of an HTTP client says, in place of what fields do.
    fn read_messages(&mut self) {
        for message in self.messages.into_iter().flatten() {
            let mut fields = Fields::new();
            if text::message(message.as_bytes(), &mut fields) {
                (self.method, self.url) = (None, None);
                fields.labels().for_each(|(rank, value)| self.take(rank.field, Scalar::Text(value)));
                return;
            }
        }
    }

    /// The rule: a line reports a request if it has two of method, target, status and operation, or one of them and the
    /// word that an attempt ended.
    fn is_request(&self) -> bool {
        let facts = [
            self.method.is_some(),
            self.url.or(self.route).is_some(),
            self.status.is_some(),
            self.operation.is_some() || self.hash.is_some(),
            self.attempt,
        ];
        facts.into_iter().filter(|fact| *fact).count() >= 2
    }

    /// Why this is not a request to count, if it is none. A CONNECT is a tunnel: how many requests went through it, the
    /// line cannot say.
    pub fn skip(&self, origin: Origin) -> Option<Skip> {
        if !self.is_request() {
            return Some(Skip::NotARequest);
        }
        if self.messages().any(start::is_outer) {
            return Some(Skip::OtherLayer);
        }
        if self.method.is_some_and(|method| method.eq_ignore_ascii_case("CONNECT")) {
            return Some(Skip::Tunnel);
        }
        self.is_start(origin).then_some(Skip::Start)
    }

    /// Whether it announces a request and says nothing of its end: a status, a duration or an error ends one.
    fn is_start(&self, origin: Origin) -> bool {
        let ended = self.status.is_some() || self.error || self.attempt || origin.timed;
        let whole = self.method.is_some() && self.url.or(self.route).is_some();
        whole && !ended && !origin.dialect.starts_count && self.messages().any(start::is_start)
    }

    fn messages(&self) -> impl Iterator<Item = &'a str> {
        self.messages.into_iter().flatten()
    }
}

/// OpenTelemetry writes `unknown_service:python3` where nobody named the service.
fn is_named(service: &str) -> bool {
    !service.starts_with("unknown_service")
}

fn set<'a, T: Into<Cow<'a, str>>>(place: &mut Option<Cow<'a, str>>, value: Option<T>) {
    if place.is_none() {
        *place = value.map(Into::into);
    }
}

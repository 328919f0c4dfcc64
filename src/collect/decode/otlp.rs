//! OpenTelemetry's own JSON (OTLP, as its file exporters write it): log records and client spans, many in a line.
//! This file never names an attribute: keys say what they say in any JSON line.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Context;
use super::dialect::Dialect;
use super::field::{Aliases, Field, Meaning, Rank, Unit};
use super::paths::{Node, Paths};
use super::rows::{Outcome, beside_nuls};
use super::said::Origin;
use super::value::{self, Scalar};
use crate::collect::request::{Reject, Skip};

pub struct OtlpLines {
    paths: Paths,
}

impl OtlpLines {
    pub fn new() -> OtlpLines {
        OtlpLines { paths: Paths::new() }
    }

    /// What becomes of each record and span of a line, else of the line.
    pub fn line(&mut self, line: &[u8], context: &mut Context, each: &mut dyn FnMut(Outcome, &mut Context)) {
        // The lossy reading goes byte by byte, and is hardly ever asked for.
        let text = std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed);
        if text.trim_ascii().is_empty() {
            return each(Outcome::Skip(Skip::Blank), context);
        }
        match serde_json::from_str::<Export<'_>>(&text) {
            Ok(export) if export.is_otlp() => self.export(&export, context, each),
            Ok(_) => each(Outcome::Reject(Reject::Malformed), context),
            Err(_) => match beside_nuls(line) {
                Some(text) => self.line(text, context, each),
                None => each(Outcome::Reject(Reject::Malformed), context),
            },
        }
    }

    fn export(&mut self, export: &Export<'_>, context: &mut Context, each: &mut dyn FnMut(Outcome, &mut Context)) {
        let mut items = 0u64;
        let mut tell = |outcome, context: &mut Context| {
            items += 1;
            each(outcome, context);
        };
        for resource in export.resource_logs.iter().flatten() {
            for record in resource.scopes.iter().flat_map(|scope| &scope.records) {
                let outcome = self.record(record, &resource.resource, context);
                tell(outcome, context);
            }
        }
        for resource in export.resource_spans.iter().flatten() {
            for span in resource.scopes.iter().flat_map(|scope| &scope.spans) {
                let outcome = self.span(span, &resource.resource, context);
                tell(outcome, context);
            }
        }
        // Every line is accounted for.
        if items == 0 {
            each(Outcome::Skip(Skip::NotARequest), context);
        }
    }

    fn record(&mut self, record: &Record<'_>, resource: &Resource<'_>, context: &mut Context) -> Outcome {
        let mut said = Vec::with_capacity(16);
        let time = record.time.stated().or(record.observed_time.stated());
        said.extend(time.map(|time| (Rank::of(Field::Time), Scalar::Whole(time))));
        self.attributes(&record.attributes, &context.aliases, &mut said);
        if let Any::Text(body) = &record.body {
            said.push((Rank::of(Field::Message), Scalar::Text(body.as_bytes())));
        }
        self.resource(resource, &context.aliases, &mut said);
        outcome(said, context)
    }

    /// Only a client's span is a request that was made; a server's is one that was answered, and so on.
    fn span(&mut self, span: &Span<'_>, resource: &Resource<'_>, context: &mut Context) -> Outcome {
        if !span.kind.0 {
            return Outcome::Skip(Skip::NotARequest);
        }
        let mut said = Vec::with_capacity(16);
        if let Some(start) = span.start.stated() {
            said.push((Rank::of(Field::Time), Scalar::Whole(start)));
            let duration = span.end.stated().and_then(|end| end.checked_sub(start));
            let rank = Rank::in_unit(Field::Duration, Unit::Nanos);
            said.extend(duration.map(|duration| (rank, Scalar::Whole(duration))));
        }
        self.attributes(&span.attributes, &context.aliases, &mut said);
        self.resource(resource, &context.aliases, &mut said);
        outcome(said, context)
    }

    fn attributes<'a>(
        &mut self,
        attributes: &'a [Attribute<'a>],
        aliases: &Aliases,
        said: &mut Vec<(Rank, Scalar<'a>)>,
    ) {
        for Attribute { key, value } in attributes {
            if let Some(Meaning::Says(rank)) =
                self.paths.below(Node::ROOT, key, aliases).and_then(|known| known.meaning)
            {
                said.extend(value.scalar().map(|scalar| (rank, scalar)));
            }
        }
    }

    /// Of what sent all this, only who it is.
    fn resource<'a>(&mut self, resource: &'a Resource<'a>, aliases: &Aliases, said: &mut Vec<(Rank, Scalar<'a>)>) {
        let first = said.len();
        self.attributes(&resource.attributes, aliases, said);
        let mut place = 0;
        said.retain(|(rank, _)| {
            place += 1;
            place <= first
                || matches!(rank.field, Field::Service | Field::Key | Field::Condition)
                || rank.condition.is_some()
        });
    }
}

/// What is said, in order: of each field what the record says itself comes first.
fn outcome(mut said: Vec<(Rank, Scalar<'_>)>, context: &mut Context) -> Outcome {
    // Stable: what was found first stays first.
    said.sort_by_key(|(rank, _)| *rank);
    let timed = said.iter().any(|(rank, _)| rank.field == Field::Duration);
    let origin = Origin { dialect: Dialect::none(), timed };
    match context.labels.resolve(origin, said.iter().copied()) {
        Err(skip) => Outcome::Skip(skip),
        Ok(labels) => Outcome::Request(labels, value::measures(said.iter().copied(), &mut context.clockwork)),
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"), rename_all = "camelCase")]
struct Export<'a> {
    resource_logs: Option<Vec<Resourced<'a>>>,
    resource_spans: Option<Vec<Resourced<'a>>>,
    /// Metrics report no single request.
    resource_metrics: Option<IgnoredAny>,
}

impl Export<'_> {
    fn is_otlp(&self) -> bool {
        self.resource_logs.is_some() || self.resource_spans.is_some() || self.resource_metrics.is_some()
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Resourced<'a> {
    #[serde(default)]
    resource: Resource<'a>,
    /// Scopes were called libraries once.
    #[serde(
        default,
        alias = "scopeLogs",
        alias = "scopeSpans",
        alias = "instrumentationLibraryLogs",
        alias = "instrumentationLibrarySpans"
    )]
    scopes: Vec<Scope<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Resource<'a> {
    #[serde(default)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Scope<'a> {
    #[serde(default, alias = "logRecords", alias = "logs")]
    records: Vec<Record<'a>>,
    #[serde(default)]
    spans: Vec<Span<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Record<'a> {
    #[serde(default, rename = "timeUnixNano")]
    time: Nanos,
    #[serde(default, rename = "observedTimeUnixNano")]
    observed_time: Nanos,
    #[serde(default)]
    body: Any<'a>,
    #[serde(default)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Span<'a> {
    #[serde(default)]
    kind: Client,
    #[serde(default, rename = "startTimeUnixNano")]
    start: Nanos,
    #[serde(default, rename = "endTimeUnixNano")]
    end: Nanos,
    #[serde(default)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Attribute<'a> {
    #[serde(default, borrow)]
    key: Cow<'a, str>,
    #[serde(default)]
    value: Any<'a>,
}

/// A count of nanoseconds since 1970, as a number or as text; 0 where it is not known.
#[derive(Clone, Copy, Default)]
struct Nanos(u64);

impl Nanos {
    fn stated(self) -> Option<u64> {
        (self.0 > 0).then_some(self.0)
    }
}

/// Whether a span is of the client's kind.
#[derive(Clone, Copy, Default)]
struct Client(bool);

const CLIENT_KIND: u64 = 3;

/// An attribute's or a body's value.
#[derive(Default)]
enum Any<'a> {
    Text(Cow<'a, str>),
    Whole(u64),
    Number(f64),
    /// A list, a map, bytes, a truth.
    #[default]
    Other,
}

impl Any<'_> {
    fn scalar(&self) -> Option<Scalar<'_>> {
        match self {
            Any::Text(text) => Some(Scalar::Text(text.as_bytes())),
            Any::Whole(whole) => Some(Scalar::Whole(*whole)),
            Any::Number(number) => Some(Scalar::Number(*number)),
            Any::Other => None,
        }
    }
}

/// What kind of value stands behind a key.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum ValueKey {
    StringValue,
    DoubleValue,
    IntValue,
    #[serde(other)]
    Other,
}

/// Reads any JSON value: a scalar as it is, of an object what it holds by a key that ends in `Value`.
struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any<'de>, A::Error> {
        let mut found = Any::Other;
        while let Some(key) = map.next_key()? {
            match key {
                ValueKey::StringValue | ValueKey::DoubleValue => found = map.next_value()?,
                ValueKey::IntValue => {
                    let value: Any<'de> = map.next_value()?;
                    found = value.into_whole();
                }
                ValueKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Any<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Any::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Any<'de>, E> {
        Ok(Any::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Any<'de>, E> {
        // Negative, which nothing daycap reads may be.
        Ok(Any::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Any<'de>, E> {
        Ok(Any::Number(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Any<'de>, E> {
        Ok(Any::Other)
    }

    fn visit_unit<E>(self) -> Result<Any<'de>, E> {
        Ok(Any::Other)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Any<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Any<'a>, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

impl<'a> Any<'a> {
    /// JSON has no integers of 64 bits, so they are written as text.
    fn into_whole(self) -> Any<'a> {
        match &self {
            Any::Text(text) => text.parse().map_or(Any::Other, Any::Whole),
            Any::Whole(_) | Any::Number(_) | Any::Other => self,
        }
    }
}

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Nanos, D::Error> {
        match Any::deserialize(deserializer)?.into_whole() {
            Any::Whole(nanos) => Ok(Nanos(nanos)),
            Any::Text(_) | Any::Number(_) | Any::Other => Ok(Nanos(0)),
        }
    }
}

impl<'de> Deserialize<'de> for Client {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Client, D::Error> {
        Ok(Client(match Any::deserialize(deserializer)? {
            Any::Text(name) => name == "SPAN_KIND_CLIENT",
            Any::Whole(kind) => kind == CLIENT_KIND,
            Any::Number(_) | Any::Other => false,
        }))
    }
}

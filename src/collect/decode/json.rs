//! JSON lines: each line one object, flat or nested, in any of the dialects of [`super::dialect`].
//! This file never trusts a learned template with a line that the parser would read otherwise.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Context;
use super::dialect::{self, Dialect, Marking, Marks};
use super::field::{Aliases, Field, Meaning, Rank};
use super::paths::{Known, Node, Paths};
use super::recall::Recall;
use super::rows::{Outcome, beside_nuls, first_line};
use super::said::Origin;
use super::shape::Shapes;
use super::template::Values;
use super::value::{self, Scalar};
use crate::collect::request::{Reject, Skip};
use crate::collect::tail::LINE_BYTES_MAX;

pub struct JsonLines {
    recall: Recall,
    shapes: Shapes,
    values: Values,
    paths: Paths,
    /// Whether lines may be read by templates; tests and fuzzing compare both ways.
    learns: bool,
}

impl JsonLines {
    /// Unless it `learns`, every line is read by the parser.
    pub fn new(learns: bool, recall: Recall) -> JsonLines {
        JsonLines { recall, shapes: Shapes::new(), values: Values::new(), paths: Paths::new(), learns }
    }

    /// The line at the start of `rest`, and how many bytes it takes.
    #[inline]
    pub fn line(&mut self, rest: &[u8], context: &mut Context) -> (Outcome, usize) {
        let Some((serial, template)) = self.shapes.fitting(rest, &mut self.values) else {
            return self.unfitted(rest, context);
        };
        let values = &self.values;
        let labels = &mut context.labels;
        let reducible = template.has_url() && !values.escaped;
        let kind = serial ^ context.wrapping;
        let meaning = self.recall.meaning(kind, reducible, template.label_bytes(rest, values), || {
            if !values.escaped {
                return Some(labels.resolve(template.origin, template.labels(rest, values)));
            }
            let found: Option<Vec<_>> = template.labels(rest, values).map(Found::unescaped).collect();
            found.map(|found| labels.resolve(template.origin, found.iter().map(Found::value)))
        });
        match meaning {
            None => (Outcome::Reject(Reject::Malformed), values.taken),
            Some(Err(skip)) => (Outcome::Skip(skip), values.taken),
            Some(Ok(labels)) => {
                context.hear(template.measures(rest, values));
                let measures = value::measures(template.measures(rest, values), &mut context.clockwork);
                (Outcome::Request(labels, measures), values.taken)
            }
        }
    }

    #[cold]
    fn unfitted(&mut self, rest: &[u8], context: &mut Context) -> (Outcome, usize) {
        let (line, taken) = first_line(rest);
        (self.by_parser(line, Some(&rest[..taken]), context), taken)
    }

    /// `whole` is the line with its line end, where it may be a model for others.
    fn by_parser(&mut self, bytes: &[u8], whole: Option<&[u8]>, context: &mut Context) -> Outcome {
        // The standard check is several times faster than the repair.
        let line = std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        if line.trim_ascii().is_empty() {
            return Outcome::Skip(Skip::Blank);
        }
        let Some(parsed) = parse(&line, &mut self.paths, &context.aliases) else {
            return match beside_nuls(bytes) {
                Some(text) => self.by_parser(text, None, context),
                None => Outcome::Reject(Reject::Malformed),
            };
        };
        // A line that had to be repaired is no model for others, nor is one that was cut.
        if let (true, Cow::Borrowed(line), Some(whole)) = (self.learns, &line, whole)
            && whole.len() < LINE_BYTES_MAX
        {
            self.shapes.consider(whole, line.as_bytes(), &context.aliases);
        }
        match context.labels.resolve(parsed.origin, parsed.values()) {
            Err(skip) => Outcome::Skip(skip),
            Ok(labels) => {
                context.hear(parsed.values());
                Outcome::Request(labels, value::measures(parsed.values(), &mut context.clockwork))
            }
        }
    }
}

/// A value that an alias names.
struct Found<'a> {
    rank: Rank,
    value: FoundValue<'a>,
}

enum FoundValue<'a> {
    Text(Cow<'a, str>),
    Number(Scalar<'static>),
}

impl<'a> Found<'a> {
    /// A label that a template found, which may have escapes.
    fn unescaped((rank, value): (Rank, Scalar<'a>)) -> Option<Found<'a>> {
        let value = match value {
            Scalar::Text(text) if text.contains(&b'\\') => FoundValue::Text(Cow::Owned(without_escapes(text)?)),
            Scalar::Text(text) => FoundValue::Text(Cow::Borrowed(std::str::from_utf8(text).ok()?)),
            Scalar::Whole(whole) => FoundValue::Number(Scalar::Whole(whole)),
            Scalar::Number(number) => FoundValue::Number(Scalar::Number(number)),
        };
        Some(Found { rank, value })
    }

    fn scalar(&self) -> Scalar<'_> {
        match &self.value {
            FoundValue::Text(text) => Scalar::Text(text.as_bytes()),
            FoundValue::Number(number) => *number,
        }
    }

    fn value(&self) -> (Rank, Scalar<'_>) {
        (self.rank, self.scalar())
    }
}

/// What serde_json makes of the inside of a JSON string.
fn without_escapes(text: &[u8]) -> Option<String> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(text);
    quoted.push(b'"');
    serde_json::from_slice(&quoted).ok()
}

/// Everything that aliases name in a line, in order of rank; where a key comes twice the last one first.
struct Parsed<'a> {
    origin: Origin,
    found: Vec<Found<'a>>,
}

impl Parsed<'_> {
    fn values(&self) -> impl Iterator<Item = (Rank, Scalar<'_>)> {
        self.found.iter().map(Found::value)
    }
}

/// `None` where the line is not one JSON object.
fn parse<'a>(line: &'a str, paths: &mut Paths, aliases: &Aliases) -> Option<Parsed<'a>> {
    if !line.trim_ascii_start().starts_with('{') {
        return None;
    }
    let mut walk = Walk { paths, aliases, marks: Marks::default(), found: Vec::with_capacity(16) };
    let mut parser = serde_json::Deserializer::from_str(line);
    let walked = Step { walk: &mut walk, place: Place::LINE }.deserialize(&mut parser);
    // Of a line too long to be held whole, what its beginning says is taken.
    let is_cut = |error: &serde_json::Error| error.is_eof() && line.len() + 1 >= LINE_BYTES_MAX;
    match walked.and_then(|()| parser.end()) {
        Err(error) if !is_cut(&error) => return None,
        Ok(()) | Err(_) => {}
    }
    Some(in_dialect(dialect::of(walk.marks), walk.found))
}

/// What was found, as the line's dialect means it.
fn in_dialect<'a>(dialect: &'static Dialect, mut found: Vec<Found<'a>>) -> Parsed<'a> {
    let is_number = |found: &Found<'_>| matches!(found.value, FoundValue::Number(_));
    let answered = found.iter().any(|found| found.rank.field == Field::Status && is_number(found));
    found.reverse();
    found.retain_mut(|found| {
        let rank = dialect.rank(found.rank, answered);
        rank.inspect(|rank| found.rank = *rank).is_some()
    });
    found.sort_by_key(|found| found.rank);
    let timed = found.iter().any(|found| found.rank.field == Field::Duration);
    Parsed { origin: Origin { dialect, timed }, found }
}

/// The name of the dialect that a line is in.
#[cfg(test)]
pub fn dialect_of(line: &str) -> &'static str {
    let parsed = parse(line, &mut Paths::new(), &Aliases::standard());
    parsed.map_or(Dialect::none(), |parsed| parsed.origin.dialect).name
}

/// Walks over a line and keeps what aliases name.
struct Walk<'w, 'de> {
    paths: &'w mut Paths,
    aliases: &'w Aliases,
    marks: Marks,
    found: Vec<Found<'de>>,
}

/// What is known of the value at hand.
#[derive(Clone, Copy)]
struct Place {
    node: Node,
    /// What it says if it is a scalar.
    rank: Option<Rank>,
    marking: Marking,
}

impl Place {
    const LINE: Place = Place { node: Node::ROOT, rank: None, marking: Marking::NONE };

    fn of(known: Known) -> Place {
        let rank = match known.meaning {
            Some(Meaning::Says(rank)) => Some(rank),
            Some(Meaning::Holds) | None => None,
        };
        Place { node: known.node, rank, marking: known.marking }
    }
}

/// One value of a walk.
struct Step<'s, 'w, 'de> {
    walk: &'s mut Walk<'w, 'de>,
    place: Place,
}

impl<'de> Step<'_, '_, 'de> {
    fn text(self, text: Cow<'de, str>) {
        self.walk.marks.add(self.place.marking.text);
        self.keep(FoundValue::Text(text));
    }

    fn number(self, number: Scalar<'static>) {
        self.walk.marks.add(self.place.marking.number);
        self.keep(FoundValue::Number(number));
    }

    fn keep(self, value: FoundValue<'de>) {
        if let Some(rank) = self.place.rank {
            self.walk.found.push(Found { rank, value });
        }
    }

    /// `true`, `false` and `null` say nothing but that a condition is met.
    fn keep_word(self, word: &'static str) {
        if let Some(rank) = self.place.rank.filter(|rank| rank.condition.is_some()) {
            self.walk.found.push(Found { rank: rank.only_condition(), value: FoundValue::Text(Cow::Borrowed(word)) });
        }
    }
}

impl<'de> DeserializeSeed<'de> for Step<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Step { walk, place } = self;
        while let Some(known) =
            map.next_key_seed(Key { paths: walk.paths, aliases: walk.aliases, parent: place.node })?
        {
            match known {
                Some(known) if known.is_observed() => {
                    let value: &RawValue = map.next_value()?;
                    let step = Step { walk: &mut *walk, place: Place::of(known) };
                    // A number that no float holds says nothing; the request counts without it.
                    drop(step.deserialize(&mut serde_json::Deserializer::from_str(value.get())));
                }
                Some(known) => map.next_value_seed(Step { walk: &mut *walk, place: Place::of(known) })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    /// What is in a list belongs to no key.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.text(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.number(Scalar::Whole(number));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        // Only negative numbers come here, and nothing daycap reads may be negative.
        self.number(Scalar::Number(number as f64));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.number(Scalar::Number(number));
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.keep_word(if truth { "true" } else { "false" });
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.keep_word("null");
        Ok(())
    }
}

/// A key below an object, and what is known of its place.
struct Key<'p> {
    paths: &'p mut Paths,
    aliases: &'p Aliases,
    parent: Node,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<Known>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Known>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<Known>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<Known>, E> {
        Ok(self.paths.below(self.parent, key, self.aliases))
    }
}

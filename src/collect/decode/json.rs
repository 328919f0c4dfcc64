//! JSON lines: each line one object, flat or nested, in any of the dialects of [`field`].
//! This file never trusts a learned template with a line that the parser would read otherwise.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Context;
use super::field::{self, Aliases, Meaning, Rank};
use super::recall::Recall;
use super::rows::{Outcome, beside_nuls, first_line};
use super::shape::Shapes;
use super::template::Values;
use super::value::{self, Scalar};
use crate::collect::request::{Reject, Skip};
use crate::collect::tail::LINE_BYTES_MAX;

pub struct JsonLines {
    recall: Recall,
    shapes: Shapes,
    values: Values,
    path: String,
    /// Whether lines may be read by templates; tests and fuzzing compare both ways.
    learns: bool,
}

impl JsonLines {
    /// Unless it `learns`, every line is read by the parser.
    pub fn new(learns: bool, recall: Recall) -> JsonLines {
        JsonLines { recall, shapes: Shapes::new(), values: Values::new(), path: String::new(), learns }
    }

    /// The line at the start of `rest`, and how many bytes it takes.
    #[inline]
    pub fn line(&mut self, rest: &[u8], context: &mut Context) -> (Outcome, usize) {
        let Some((serial, template)) = self.shapes.fitting(rest, &mut self.values) else {
            return self.unfitted(rest, context);
        };
        let (values, path) = (&self.values, &mut self.path);
        let Context { labels, aliases, .. } = context;
        let reducible = template.has_url() && !values.escaped;
        let kind = serial ^ context.wrapping;
        let meaning = self.recall.meaning(kind, reducible, template.label_bytes(rest, values), || {
            if !values.escaped {
                return Some(labels.resolve(template.labels(rest, values)));
            }
            // Only the parser undoes escapes; only valid UTF-8 fits a template.
            let line = std::str::from_utf8(first_line(rest).0).unwrap_or_default();
            parse(line, path, aliases).map(|found| labels.resolve(found.iter().map(Found::value)))
        });
        match meaning {
            None => (Outcome::Reject(Reject::Malformed), values.taken),
            Some(Err(skip)) => (Outcome::Skip(skip), values.taken),
            Some(Ok(labels)) => {
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
        let Some(found) = parse(&line, &mut self.path, &context.aliases) else {
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
        match context.labels.resolve(found.iter().map(Found::value)) {
            Err(skip) => Outcome::Skip(skip),
            Ok(labels) => {
                let measures = value::measures(found.iter().map(Found::value), &mut context.clockwork);
                Outcome::Request(labels, measures)
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

impl Found<'_> {
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

/// Everything that aliases name in a line, in order of rank; where a key comes twice the last one first.
/// `None` where the line is not one JSON object.
fn parse<'a>(line: &'a str, path: &mut String, aliases: &Aliases) -> Option<Vec<Found<'a>>> {
    path.clear();
    if !line.trim_ascii_start().starts_with('{') {
        return None;
    }
    let mut found = Vec::with_capacity(16);
    let mut parser = serde_json::Deserializer::from_str(line);
    let walked = Walk { path, aliases, rank: None, found: &mut found }.deserialize(&mut parser);
    // Of a line too long to be held whole, what its beginning says is taken.
    let is_cut = |error: &serde_json::Error| error.is_eof() && line.len() + 1 >= LINE_BYTES_MAX;
    match walked.and_then(|()| parser.end()) {
        Err(error) if !is_cut(&error) => return None,
        Ok(()) | Err(_) => {}
    }
    found.reverse();
    found.sort_by_key(|found| found.rank);
    Some(found)
}

/// Walks an object and keeps what aliases name.
struct Walk<'w, 'de> {
    path: &'w mut String,
    aliases: &'w Aliases,
    /// What the value at hand says if it is a scalar.
    rank: Option<Rank>,
    found: &'w mut Vec<Found<'de>>,
}

impl<'de> Walk<'_, 'de> {
    fn keep(self, value: impl FnOnce() -> FoundValue<'de>) {
        if let Some(rank) = self.rank {
            self.found.push(Found { rank, value: value() });
        }
    }

    /// `true`, `false` and `null` say nothing but that a condition is met.
    fn keep_word(self, word: &'static str) {
        if let Some(rank) = self.rank.filter(|rank| rank.condition.is_some()) {
            self.found.push(Found { rank: rank.only_condition(), value: FoundValue::Text(Cow::Borrowed(word)) });
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(outer) = map.next_key_seed(Key(self.path))? {
            let rank = match self.aliases.meaning(self.path) {
                Some(Meaning::Says(rank)) => Some(rank),
                Some(Meaning::Holds) => None,
                None => {
                    map.next_value::<IgnoredAny>()?;
                    self.path.truncate(outer);
                    continue;
                }
            };
            map.next_value_seed(Walk { path: self.path, aliases: self.aliases, rank, found: self.found })?;
            self.path.truncate(outer);
        }
        Ok(())
    }

    /// What is in a list belongs to no key.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.keep(|| FoundValue::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.keep(|| FoundValue::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.keep(|| FoundValue::Number(Scalar::Whole(number)));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        // Only negative numbers come here, and nothing daycap reads may be negative.
        self.keep(|| FoundValue::Number(Scalar::Number(number as f64)));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.keep(|| FoundValue::Number(Scalar::Number(number)));
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

/// A key, put at the end of the path; gives the path's length before.
struct Key<'p>(&'p mut String);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<usize, E> {
        Ok(field::push_key(self.0, key))
    }
}

//! JSON lines: each line one object, flat or nested, in any of the dialects of [`field`].
//! This file never trusts a learned template with a line that the parser would read otherwise.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cache::{Cache, Meaning};
use super::field::{self, Rank};
use super::label::Labels;
use super::rows::{Outcome, account, first_line};
use super::template::{self, Template, Values};
use super::time::Clockwork;
use super::value::{self, Scalar};
use crate::collect::Reading;
use crate::collect::request::{Decoded, Reject};

/// Shapes kept, the last used first. A log has a handful; each costs a look at a line that none fits.
const TEMPLATES_MAX: usize = 16;

/// Learning costs several times a parse. Lines that templates fit pay for it, other lines a little, so a log
/// that never repeats itself is only parsed.
const CREDIT_MAX: u32 = 512;
const CREDIT_A_FIT: u32 = 4;
const CREDIT_A_PARSE: u32 = 1;
const LEARNING_COST: u32 = 32;

pub struct JsonLines {
    labels: Labels,
    clockwork: Clockwork,
    cache: Cache,
    /// Each with the serial number that the cache knows it by.
    templates: Vec<(u64, Template)>,
    values: Values,
    next_serial: u64,
    credit: u32,
    /// Whether lines may be read by templates; tests compare both ways.
    learns: bool,
}

impl JsonLines {
    pub fn new(reading: &Reading, default_service: &str) -> JsonLines {
        JsonLines {
            labels: Labels::new(reading, default_service),
            clockwork: Clockwork::new(reading.zone),
            cache: Cache::new(),
            templates: Vec::new(),
            values: Values::new(),
            next_serial: 0,
            credit: CREDIT_MAX,
            learns: true,
        }
    }

    /// Read every line by the parser.
    #[cfg(test)]
    pub fn without_templates(reading: &Reading, default_service: &str) -> JsonLines {
        JsonLines { learns: false, ..JsonLines::new(reading, default_service) }
    }

    pub fn decode(&mut self, bytes: &[u8], start: u64, decoded: &mut Decoded) {
        self.labels.use_table(&decoded.series);
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (outcome, taken) = self.line(rest);
            account(outcome, start + at as u64, &mut self.labels, decoded);
            at += taken;
        }
    }

    /// The line at the start of `rest`, and how many bytes it takes.
    #[inline]
    fn line(&mut self, rest: &[u8]) -> (Outcome, usize) {
        match self.fitting(rest) {
            Some(serial) => self.fitted(rest, serial),
            None => self.unfitted(rest),
        }
    }

    /// The serial of the template that fits, which is then the first.
    #[inline]
    fn fitting(&mut self, rest: &[u8]) -> Option<u64> {
        let place = self.templates.iter().position(|(_, template)| template.fits(rest, &mut self.values))?;
        if place > 0 {
            self.templates[..=place].rotate_right(1);
        }
        self.credit = (self.credit + CREDIT_A_FIT).min(CREDIT_MAX);
        Some(self.templates[0].0)
    }

    #[inline]
    fn fitted(&mut self, rest: &[u8], serial: u64) -> (Outcome, usize) {
        let (template, values) = (&self.templates[0].1, &self.values);
        let taken = values.taken;
        let hash = Cache::hash(serial, template.label_bytes(rest, values));
        let meaning = match self.cache.get(hash, serial, template.label_bytes(rest, values)) {
            Some(meaning) => meaning,
            None => {
                let meaning = if values.escaped {
                    // Only valid UTF-8 fits a template.
                    let line = std::str::from_utf8(first_line(rest).0).unwrap_or_default();
                    match parse(line) {
                        Some(found) => self.labels.resolve(found.iter().map(Found::label)),
                        None => return (Outcome::Reject(Reject::Malformed), taken),
                    }
                } else {
                    self.labels.resolve(template.labels(rest, values))
                };
                self.cache.insert(hash, serial, template.label_bytes(rest, values), meaning);
                meaning
            }
        };
        let Some(labels) = meaning else { return (Outcome::Skip, taken) };
        (Outcome::Request(labels, value::measures(template.measures(rest, values), &mut self.clockwork)), taken)
    }

    #[cold]
    fn unfitted(&mut self, rest: &[u8]) -> (Outcome, usize) {
        let (line, taken) = first_line(rest);
        let line = String::from_utf8_lossy(line);
        if line.trim_ascii().is_empty() {
            return (Outcome::Skip, taken);
        }
        let Some(found) = parse(&line) else { return (Outcome::Reject(Reject::Malformed), taken) };
        self.consider_learning(&line);
        let meaning: Meaning = self.labels.resolve(found.iter().map(Found::label));
        let outcome = match meaning {
            None => Outcome::Skip,
            Some(labels) => {
                let measures = found.iter().map(|found| (found.rank, found.scalar()));
                Outcome::Request(labels, value::measures(measures, &mut self.clockwork))
            }
        };
        (outcome, taken)
    }

    fn consider_learning(&mut self, line: &Cow<'_, str>) {
        self.credit = (self.credit + CREDIT_A_PARSE).min(CREDIT_MAX);
        // A line that had to be repaired is no model for others.
        if !self.learns || self.credit < LEARNING_COST || matches!(line, Cow::Owned(_)) {
            return;
        }
        self.credit -= LEARNING_COST;
        if let Some(template) = template::learn(line.as_bytes()) {
            self.templates.truncate(TEMPLATES_MAX - 1);
            self.templates.insert(0, (self.next_serial, template));
            self.next_serial += 1;
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

    fn label(&self) -> (field::Field, Scalar<'_>) {
        (self.rank.field(), self.scalar())
    }
}

/// Everything that aliases name in a line, in order of rank; where a key comes twice the last one first.
/// `None` where the line is not one JSON object.
fn parse(line: &str) -> Option<Vec<Found<'_>>> {
    if !line.trim_ascii_start().starts_with('{') {
        return None;
    }
    let mut found = Vec::new();
    let mut parser = serde_json::Deserializer::from_str(line);
    Walk { path: &mut String::new(), found: &mut found }.deserialize(&mut parser).ok()?;
    parser.end().ok()?;
    found.reverse();
    found.sort_by_key(|found| found.rank);
    Some(found)
}

/// Walks an object and keeps what aliases name.
struct Walk<'w, 'de> {
    path: &'w mut String,
    found: &'w mut Vec<Found<'de>>,
}

impl<'de> Walk<'_, 'de> {
    fn keep(self, value: impl FnOnce() -> FoundValue<'de>) {
        if let Some(rank) = field::rank(self.path) {
            self.found.push(Found { rank, value: value() });
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
            if field::is_known(self.path) {
                map.next_value_seed(Walk { path: self.path, found: self.found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
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

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
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

//! What one line of text says: places in the line, each with what it means, in the order of preference.
//! Every text family fills this; nothing here looks into a value.

use super::field::{Field, Rank, Unit};
use super::value::Scalar;

/// No line says more that daycap wants.
const FIELDS_MAX: usize = 16;

/// What a line says. Filled anew for each line, on the stack.
pub struct Fields<'a> {
    list: [(Rank, &'a [u8]); FIELDS_MAX],
    len: usize,
    /// Tells lines apart whose labels are equal and mean different things.
    kind: u64,
    /// A duration that stands in no one place, in milliseconds.
    duration_ms: Option<f64>,
    /// A value has escapes: it can be compared as it is, and is unescaped before it is read.
    pub escaped: bool,
}

/// What became of a line that a family was asked to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is of the family; what it says is in the [`Fields`], if it says anything.
    Read,
    /// It is not of the family.
    Malformed,
}

impl<'a> Fields<'a> {
    pub fn new() -> Fields<'a> {
        Fields {
            list: [(Rank::of(Field::Machine), b""); FIELDS_MAX],
            len: 0,
            kind: 0,
            duration_ms: None,
            escaped: false,
        }
    }

    /// Of a field that is said twice, the first usable value counts. What finds no place is left out.
    #[inline]
    pub fn push(&mut self, field: Field, value: &'a [u8]) {
        self.push_ranked(Rank::of(field), value);
    }

    /// A duration in this unit, unless the value states one.
    #[inline]
    pub fn push_duration(&mut self, unit: Unit, value: &'a [u8]) {
        self.push_ranked(Rank::in_unit(Field::Duration, unit), value);
    }

    /// A duration that a family has reckoned from several.
    pub fn push_duration_ms(&mut self, duration_ms: f64) {
        self.duration_ms = Some(duration_ms);
    }

    #[inline]
    pub fn push_ranked(&mut self, rank: Rank, value: &'a [u8]) {
        let Some(place) = self.list.get_mut(self.len) else { return self.push_condition(rank, value) };
        *place = (rank, value);
        self.len += 1;
        if rank.is_label() {
            self.mark(rank);
        }
    }

    /// What answers a condition finds a place where others do not: without it, the line would not count.
    #[cold]
    fn push_condition(&mut self, rank: Rank, value: &'a [u8]) {
        let replaced = self.list.iter_mut().rev().find(|(other, _)| other.condition.is_none());
        if let (Some(_), Some(place)) = (rank.condition, replaced) {
            *place = (rank, value);
            self.mark(rank);
        }
    }

    /// An odd factor: each code changes all later bits, however many follow.
    #[inline]
    fn mark(&mut self, rank: Rank) {
        self.kind = (self.kind.rotate_left(5) ^ rank.code()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Put what was pushed in order of rank; for families whose lines have no order of their own.
    pub fn sort(&mut self) {
        self.list[..self.len].sort_by_key(|(rank, _)| *rank);
    }

    /// The same, where of what is said twice the last one counts.
    pub fn sort_last_first(&mut self) {
        self.list[..self.len].reverse();
        self.sort();
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = (Rank, &'a [u8])> + Clone {
        self.list[..self.len].iter().copied()
    }

    /// As values, in order of preference.
    pub fn values(&self) -> impl Iterator<Item = (Rank, Scalar<'a>)> + Clone {
        let reckoned = self.duration_ms.map(|ms| (Rank::in_unit(Field::Duration, Unit::Millis), Scalar::Number(ms)));
        self.iter().map(|(rank, value)| (rank, Scalar::Text(value))).chain(reckoned)
    }

    /// The labels alone, in the order in which they were pushed: what a cache knows them by.
    pub fn labels(&self) -> impl Iterator<Item = (Field, &'a [u8])> + Clone {
        self.iter().filter(|(rank, _)| rank.is_label()).map(|(rank, value)| (rank.field, value))
    }

    pub fn kind(&self) -> u64 {
        self.kind
    }
}

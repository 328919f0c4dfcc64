//! What one line of text says: places in the line, each with what it means, in the order of preference.
//! Every text family fills this; nothing here looks into a value.

use super::field::{Field, Rank, Unit};
use super::value::Scalar;

/// No line says more that daycap wants.
const LABELS_MAX: usize = 16;
const MEASURES_MAX: usize = 8;
/// Spreads each label's code over a [`Fields::kind`], so that no two lists of labels have one.
const MIXING: u64 = 0x9e37_79b9_7f4a_7c15;
/// The bit of a kind with a duration.
const TIMED: u64 = 1 << 63;
const NOTHING: (Rank, &[u8]) = (Rank::of(Field::Machine), b"");

/// What a line says. Filled anew for each line, on the stack.
pub struct Fields<'a> {
    labels: [(Rank, &'a [u8]); LABELS_MAX],
    labels_len: usize,
    measures: [(Rank, &'a [u8]); MEASURES_MAX],
    measures_len: usize,
    /// Tells lines apart whose labels are equal and mean different things.
    kind: u64,
    has_url: bool,
    /// A duration that stands in no one place, in milliseconds.
    duration_ms: Option<f64>,
    /// A duration is among the measures.
    timed: bool,
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
    /// A constant, because that is copied at once; the arrays would be filled place by place, and copied then.
    const EMPTY: Fields<'a> = Fields {
        labels: [NOTHING; LABELS_MAX],
        labels_len: 0,
        measures: [NOTHING; MEASURES_MAX],
        measures_len: 0,
        kind: 0,
        has_url: false,
        duration_ms: None,
        timed: false,
        escaped: false,
    };

    #[inline]
    pub fn new() -> Fields<'a> {
        Fields::EMPTY
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
        self.mark_timed();
    }

    #[inline]
    pub fn push_ranked(&mut self, rank: Rank, value: &'a [u8]) {
        if rank.is_label() {
            self.push_label(rank, value);
        }
        if !rank.field.is_label() {
            match self.measures.get_mut(self.measures_len) {
                Some(place) => {
                    *place = (rank, value);
                    self.measures_len += 1;
                }
                None => self.push_measure(rank, value),
            }
            if rank.field == Field::Duration {
                self.mark_timed();
            }
        }
    }

    /// What a request is counted by takes the place of what its server said.
    #[cold]
    fn push_measure(&mut self, rank: Rank, value: &'a [u8]) {
        let mut others = self.measures.iter_mut().filter(|(other, _)| other.field.is_observed());
        if let (false, Some(place)) = (rank.field.is_observed(), others.next_back()) {
            *place = (rank, value);
        }
    }

    #[inline]
    fn push_label(&mut self, rank: Rank, value: &'a [u8]) {
        let Some(place) = self.labels.get_mut(self.labels_len) else { return self.push_condition(rank, value) };
        *place = (rank, value);
        self.labels_len += 1;
        self.mark(rank);
    }

    /// What answers a condition takes the place of what is preferred least: without it, the line would not count.
    #[cold]
    fn push_condition(&mut self, rank: Rank, value: &'a [u8]) {
        let replaceable = self.labels.iter_mut().filter(|(other, _)| other.condition.is_none());
        if let (Some(_), Some(place)) = (rank.condition, replaceable.max_by_key(|(other, _)| *other)) {
            *place = (rank, value);
            self.mark(rank);
        }
    }

    #[inline]
    fn mark_timed(&mut self) {
        if !self.timed {
            self.timed = true;
            self.kind ^= TIMED;
        }
    }

    /// An odd factor: each code changes all later bits, however many follow.
    #[inline]
    fn mark(&mut self, rank: Rank) {
        self.kind = (self.kind ^ rank.code()).wrapping_mul(MIXING).rotate_left(23);
        self.has_url |= rank.field == Field::Url;
    }

    /// Put what was pushed in order of rank, for families whose lines have no order of their own; of what is said twice,
    /// the last one counts.
    #[inline]
    pub fn sort_last_first(&mut self) {
        sort_last_first(&mut self.labels[..self.labels_len]);
        sort_last_first(&mut self.measures[..self.measures_len]);
    }

    /// Nothing was pushed that may make a request.
    pub fn is_empty(&self) -> bool {
        self.labels_len == 0
    }

    /// Whether a url is among the labels.
    #[inline]
    pub fn has_url(&self) -> bool {
        self.has_url
    }

    pub fn is_timed(&self) -> bool {
        self.timed
    }

    /// In order of preference.
    #[inline]
    pub fn labels(&self) -> impl Iterator<Item = (Rank, &'a [u8])> + Clone {
        self.labels[..self.labels_len].iter().copied()
    }

    /// In order of preference.
    #[inline]
    pub fn measures(&self) -> impl Iterator<Item = (Rank, Scalar<'a>)> + Clone {
        let reckoned = self.duration_ms.map(|ms| (Rank::of(Field::Duration), Scalar::Number(ms)));
        self.measures[..self.measures_len].iter().map(|(rank, value)| (*rank, Scalar::Text(value))).chain(reckoned)
    }

    pub fn kind(&self) -> u64 {
        self.kind
    }
}

/// Each goes in front of those that are not preferred to it; there are few, and most lines have them nearly in order.
#[inline]
fn sort_last_first(values: &mut [(Rank, &[u8])]) {
    for sorted in 1..values.len() {
        let value = values[sorted];
        let mut place = sorted;
        while place > 0 && values[place - 1].0 >= value.0 {
            values[place] = values[place - 1];
            place -= 1;
        }
        values[place] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn of_equals_the_last_comes_first(orders in proptest::collection::vec(0u16..4, 0..LABELS_MAX)) {
            let texts: Vec<String> = (0..orders.len()).map(|place| place.to_string()).collect();
            let mut values: Vec<_> = orders
                .iter()
                .zip(&texts)
                .map(|(order, text)| (Rank::mapped(*order, Field::Url, Unit::Millis), text.as_bytes()))
                .collect();
            let mut expected = values.clone();
            expected.reverse();
            expected.sort_by_key(|(rank, _)| *rank);
            sort_last_first(&mut values);
            proptest::prop_assert_eq!(values, expected);
        }
    }
}

//! The literal text between the values of a JSON line, learned from one line and compared whole with
//! the next: most lines of a log differ only in their values.
//! This file never decides what a value means; where a line differs from the template at all, it says so
//! and the parser reads the line.

use super::field::{Field, Rank};
use super::literal::Literal;
use super::said::Origin;
use super::scan::{self, Notes};
use super::value::Scalar;

/// How many values that matter a template can have of each sort.
pub const LABELS_MAX: usize = 16;
pub const MEASURES_MAX: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    /// `true`, `false` or `null`: may meet a condition, and says nothing else.
    Word,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Nowhere,
    Label(usize),
    Measure(usize),
}

/// A literal and the value behind it.
#[derive(Debug)]
pub struct Part {
    pub before: Literal,
    pub kind: Kind,
    pub place: Place,
}

/// Where a label's value is found.
#[derive(Clone, Debug)]
pub enum Source {
    Line(usize),
    /// The same in every line that fits.
    Fixed(Kind, Box<[u8]>),
}

/// One shape of line.
#[derive(Debug)]
pub struct Template {
    pub parts: Vec<Part>,
    pub after: Literal,
    /// In order of rank.
    pub labels: Vec<(Rank, Source)>,
    pub measures: Vec<(Rank, usize)>,
    /// What the labels that are found in the line say, in the order of the line.
    pub line_labels: Vec<Field>,
    pub origin: Origin,
}

/// A value's bytes: their start and end in the line.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Measure {
    Text(Span),
    Number(Scalar<'static>),
}

/// The values of a line that a template fits. Kept and reused: only the first values of each array, as
/// many as the template has, are of this line.
#[derive(Debug)]
pub struct Values {
    labels: [Span; LABELS_MAX],
    measures: [Measure; MEASURES_MAX],
    /// A label has an escape: it can be compared, but not read.
    pub escaped: bool,
    /// The bytes of the line with its line end.
    pub taken: usize,
    /// The narrow template of a shape filled these.
    pub narrow: bool,
}

impl Values {
    pub fn new() -> Values {
        Values {
            labels: [Span::default(); LABELS_MAX],
            measures: [Measure::Text(Span::default()); MEASURES_MAX],
            escaped: false,
            taken: 0,
            narrow: false,
        }
    }
}

impl Template {
    /// Whether the line at the start of `bytes` has this shape, and its values if it has.
    #[inline]
    pub fn fits(&self, bytes: &[u8], values: &mut Values) -> bool {
        self.read(bytes, values).is_some()
    }

    #[inline(always)]
    fn read(&self, bytes: &[u8], values: &mut Values) -> Option<()> {
        let mut escaped = false;
        let Values { labels, measures, .. } = values;
        let taken = self.walk(bytes, |part, span, number, notes| {
            match part.place {
                Place::Nowhere => {}
                Place::Label(place) => {
                    escaped |= notes.escaped;
                    *labels.get_mut(place)? = span;
                }
                Place::Measure(_) if notes.escaped => return None,
                Place::Measure(place) => {
                    *measures.get_mut(place)? = number.map_or(Measure::Text(span), Measure::Number)
                }
            }
            Some(())
        })?;
        values.taken = taken;
        values.escaped = escaped;
        Some(())
    }

    /// Show each value of the line at the start of `bytes`; the line's length if it has this shape.
    #[inline(always)]
    fn walk(
        &self,
        bytes: &[u8],
        mut show: impl FnMut(&Part, Span, Option<Scalar<'static>>, Notes) -> Option<()>,
    ) -> Option<usize> {
        let mut at = 0;
        let mut high = false;
        for part in &self.parts {
            let start = part.before.end(bytes, at)?;
            let mut notes = Notes::default();
            let (number, end) = match part.kind {
                Kind::Text => (None, scan::text_end(bytes, start, &mut notes)?),
                Kind::Number => {
                    let (number, end) = scan::number(bytes, start)?;
                    (Some(number), end)
                }
                Kind::Word => (None, scan::word_end(bytes, start)?),
            };
            high |= notes.high;
            show(part, Span { start, end }, number, notes)?;
            at = end;
        }
        let end = self.after.end(bytes, at)?;
        if high {
            std::str::from_utf8(bytes.get(..end)?).ok()?;
        }
        match bytes.get(end..)? {
            [b'\n', ..] => Some(end + 1),
            [b'\r', b'\n', ..] => Some(end + 2),
            _ => None,
        }
    }

    /// Every value of a line of this shape.
    fn spans(&self, bytes: &[u8]) -> Option<Vec<Span>> {
        let mut spans = Vec::with_capacity(self.parts.len());
        self.walk(bytes, |_, span, _, _| {
            spans.push(span);
            Some(())
        })?;
        Some(spans)
    }

    /// Keep `fixed[n]` only if value `n` is the same in both lines. Measures are never fixed, nor is what
    /// has escapes.
    pub fn compare(&self, one: &[u8], other: &[u8], fixed: &mut Vec<bool>) {
        let (Some(spans), Some(others)) = (self.spans(one), self.spans(other)) else { return };
        fixed.resize(self.parts.len(), true);
        for (at, part) in self.parts.iter().enumerate() {
            let value = &one[spans[at].start..spans[at].end];
            fixed[at] &= value == &other[others[at].start..others[at].end];
            fixed[at] &= !matches!(part.place, Place::Measure(_)) && !value.contains(&b'\\');
        }
    }

    /// The shape of lines that have all `fixed` values in common with `line`.
    pub fn fix(&self, line: &[u8], fixed: &[bool]) -> Option<Template> {
        let spans = self.spans(line)?;
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        // Each label's source by its place here.
        let mut sources = vec![Source::Line(0); self.line_labels.len()];
        let mut line_labels = Vec::new();
        for ((part, span), fixed) in self.parts.iter().zip(spans).zip(fixed) {
            literal.extend_from_slice(&part.before.bytes);
            let value = &line[span.start..span.end];
            let mut place = part.place;
            if let Place::Label(label) = &mut place {
                let general = std::mem::replace(label, line_labels.len());
                if *fixed {
                    sources[general] = Source::Fixed(part.kind, value.into());
                } else {
                    sources[general] = Source::Line(line_labels.len());
                    line_labels.push(self.line_labels[general]);
                }
            }
            if *fixed {
                literal.extend_from_slice(value);
            } else {
                parts.push(Part { before: Literal::new(&literal), kind: part.kind, place });
                literal.clear();
            }
        }
        literal.extend_from_slice(&self.after.bytes);
        let labels = self.labels.iter().map(|(rank, source)| match source {
            Source::Line(place) => (*rank, sources[*place].clone()),
            Source::Fixed(..) => (*rank, source.clone()),
        });
        let after = Literal::new(&literal);
        Some(Template {
            parts,
            after,
            labels: labels.collect(),
            measures: self.measures.clone(),
            line_labels,
            origin: self.origin,
        })
    }

    /// Whether a url is among them.
    #[inline]
    pub fn has_url(&self) -> bool {
        self.line_labels.contains(&Field::Url)
    }

    /// The raw bytes of the labels, in the order of the line, with what each says: what a cache knows them by.
    #[inline]
    pub fn label_bytes<'a>(
        &'a self,
        line: &'a [u8],
        values: &'a Values,
    ) -> impl Iterator<Item = (Field, &'a [u8])> + Clone {
        let spans = values.labels.get(..self.line_labels.len()).unwrap_or_default();
        let bytes = spans.iter().map(|span| line.get(span.start..span.end).unwrap_or_default());
        self.line_labels.iter().copied().zip(bytes)
    }

    /// The labels as values, in order of rank.
    pub fn labels<'a>(&'a self, line: &'a [u8], values: &'a Values) -> impl Iterator<Item = (Rank, Scalar<'a>)> {
        self.labels.iter().map(move |(rank, source)| {
            let value = match source {
                Source::Line(place) => label(line, values.labels[*place]),
                Source::Fixed(Kind::Text | Kind::Word, bytes) => Scalar::Text(bytes),
                Source::Fixed(Kind::Number, bytes) => scan::whole_number(bytes),
            };
            (*rank, value)
        })
    }

    /// The measures, in order of rank.
    #[inline]
    pub fn measures<'a>(&'a self, line: &'a [u8], values: &'a Values) -> impl Iterator<Item = (Rank, Scalar<'a>)> {
        self.measures.iter().map(move |(rank, place)| (*rank, measure(line, values.measures[*place])))
    }
}

/// A label's bytes tell by the quote before them whether they are text; no number begins like a word.
fn label(line: &[u8], span: Span) -> Scalar<'_> {
    let quoted = span.start > 0 && line[span.start - 1] == b'"';
    let bytes = &line[span.start..span.end];
    let word = bytes.first().is_some_and(u8::is_ascii_alphabetic);
    if quoted || word { Scalar::Text(bytes) } else { scan::whole_number(bytes) }
}

#[inline]
fn measure(line: &[u8], measure: Measure) -> Scalar<'_> {
    match measure {
        Measure::Number(number) => number,
        Measure::Text(span) => Scalar::Text(line.get(span.start..span.end).unwrap_or_default()),
    }
}

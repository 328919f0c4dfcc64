//! The literal text between the values of a JSON line, learned from one line and compared whole with
//! the next: most lines of a log differ only in their values.
//! This file never decides what a value means; where a line differs from the template at all, it says so
//! and the parser reads the line.

use super::field::{self, Field, Rank};
use super::scan::{self, Notes};
use super::value::Scalar;

/// Lines with more values or bytes than this are always parsed.
const PARTS_MAX: usize = 96;
const LINE_BYTES_MAX: usize = 16 << 10;
/// And those nested deeper: the learner calls itself once a level.
const DEPTH_MAX: usize = 32;
/// How many values that matter a template can have of each sort.
pub const LABELS_MAX: usize = 16;
pub const MEASURES_MAX: usize = 8;

/// Text that must follow.
#[derive(Debug)]
struct Literal {
    bytes: Box<[u8]>,
    /// The first and the last eight bytes as words: most literals are compared by these alone.
    first: u64,
    last: u64,
    /// Keeps of `first` the bytes there are.
    mask: u64,
}

impl Literal {
    fn new(bytes: &[u8]) -> Literal {
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let short = bytes.len().min(8);
        Literal {
            bytes: bytes.into(),
            first: word(&bytes[..short]),
            last: word(&bytes[bytes.len() - short..]),
            mask: if short == 8 { u64::MAX } else { (1 << (8 * short)) - 1 },
        }
    }

    /// Where it ends, if it stands at `at`.
    #[inline(always)]
    fn end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let end = at + self.bytes.len();
        let same = match bytes.get(at..at + 8) {
            None => bytes.get(at..end)? == &*self.bytes,
            Some(first) if load(first) & self.mask != self.first => false,
            Some(_) if self.bytes.len() <= 8 => true,
            Some(_) if self.bytes.len() <= 16 => load(bytes.get(end - 8..end)?) == self.last,
            Some(_) => bytes.get(at..end)? == &*self.bytes,
        };
        same.then_some(end)
    }
}

#[inline(always)]
fn load(eight: &[u8]) -> u64 {
    eight.try_into().map_or(0, u64::from_le_bytes)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    /// `true`, `false` or `null`: says nothing daycap wants.
    Word,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Label(usize),
    Measure(usize),
}

/// A literal and the value behind it.
#[derive(Debug)]
struct Part {
    before: Literal,
    kind: Kind,
    place: Place,
}

/// Where a label's value is found.
#[derive(Clone, Debug)]
enum Source {
    Line(usize),
    /// The same in every line that fits.
    Fixed(Kind, Box<[u8]>),
}

/// One shape of line.
#[derive(Debug)]
pub struct Template {
    parts: Vec<Part>,
    after: Literal,
    /// In order of rank.
    labels: Vec<(Rank, Source)>,
    measures: Vec<(Rank, usize)>,
    /// How many labels are found in the line.
    label_count: usize,
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
        let mut sources = vec![Source::Line(0); self.label_count];
        let mut label_count = 0;
        for ((part, span), fixed) in self.parts.iter().zip(spans).zip(fixed) {
            literal.extend_from_slice(&part.before.bytes);
            let value = &line[span.start..span.end];
            let mut place = part.place;
            if let Place::Label(label) = &mut place {
                let source = if *fixed { Source::Fixed(part.kind, value.into()) } else { Source::Line(label_count) };
                sources[std::mem::replace(label, label_count)] = source;
                label_count += usize::from(!fixed);
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
        Some(Template { parts, after, labels: labels.collect(), measures: self.measures.clone(), label_count })
    }

    /// The raw bytes of the labels, in the order of the line: what the cache knows them by.
    #[inline]
    pub fn label_bytes<'a>(&self, line: &'a [u8], values: &'a Values) -> impl Iterator<Item = &'a [u8]> + Clone {
        let spans = values.labels.get(..self.label_count).unwrap_or_default();
        spans.iter().map(|span| line.get(span.start..span.end).unwrap_or_default())
    }

    /// The labels as values, in order of rank.
    pub fn labels<'a>(&'a self, line: &'a [u8], values: &'a Values) -> impl Iterator<Item = (Field, Scalar<'a>)> {
        self.labels.iter().map(move |(rank, source)| {
            let value = match source {
                Source::Line(place) => label(line, values.labels[*place]),
                Source::Fixed(Kind::Text, bytes) => Scalar::Text(bytes),
                Source::Fixed(_, bytes) => scan::whole_number(bytes),
            };
            (rank.field, value)
        })
    }

    /// The measures, in order of rank.
    #[inline]
    pub fn measures<'a>(&'a self, line: &'a [u8], values: &'a Values) -> impl Iterator<Item = (Rank, Scalar<'a>)> {
        self.measures.iter().map(move |(rank, place)| (*rank, measure(line, values.measures[*place])))
    }
}

/// A label's bytes tell by the quote before them whether they are text.
fn label(line: &[u8], span: Span) -> Scalar<'_> {
    let quoted = span.start > 0 && line[span.start - 1] == b'"';
    let bytes = &line[span.start..span.end];
    if quoted { Scalar::Text(bytes) } else { scan::whole_number(bytes) }
}

#[inline]
fn measure(line: &[u8], measure: Measure) -> Scalar<'_> {
    match measure {
        Measure::Number(number) => number,
        Measure::Text(span) => Scalar::Text(line.get(span.start..span.end).unwrap_or_default()),
    }
}

/// Learn the shape of a line that is known to be one valid JSON object; `None` where it is too large or odd.
pub fn learn(line: &[u8]) -> Option<Template> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let mut learner = Learner { line, at: 0, literal: 0, depth: 0, path: String::new(), parts: vec![], ranks: vec![] };
    learner.value()?;
    learner.finish()
}

/// Walks over a valid line. Every place it asks about exists; a `?` that fails only means "do not learn".
struct Learner<'a> {
    line: &'a [u8],
    at: usize,
    /// Where the literal in the making starts.
    literal: usize,
    depth: usize,
    path: String,
    parts: Vec<Part>,
    /// Each wanted value's rank, with the part it is in.
    ranks: Vec<(Rank, usize)>,
}

impl Learner<'_> {
    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' | b'[' if self.depth == DEPTH_MAX => None,
            open @ (b'{' | b'[') => {
                self.depth += 1;
                if open == b'{' {
                    self.object()?
                } else {
                    self.array()?
                }
                self.depth -= 1;
                Some(())
            }
            b'"' => {
                self.at += 1;
                let start = self.at;
                let end = scan::text_end(self.line, start, &mut Notes::default())?;
                self.part(Kind::Text, start, end)
            }
            b't' | b'f' | b'n' => self.part(Kind::Word, self.at, scan::word_end(self.line, self.at)?),
            _ => self.part(Kind::Number, self.at, scan::number(self.line, self.at)?.1),
        }
    }

    fn object(&mut self) -> Option<()> {
        self.at += 1;
        while self.peek()? != b'}' {
            self.skip(b',');
            let outer = self.key()?;
            self.value()?;
            self.path.truncate(outer);
        }
        self.at += 1;
        Some(())
    }

    fn array(&mut self) -> Option<()> {
        self.at += 1;
        // What is in a list belongs to no key.
        let outer = field::push_key(&mut self.path, "\0");
        while self.peek()? != b']' {
            self.skip(b',');
            self.value()?;
        }
        self.path.truncate(outer);
        self.at += 1;
        Some(())
    }

    /// Past a key and its colon; the path's length before it.
    fn key(&mut self) -> Option<usize> {
        self.skip(b'"');
        let mut notes = Notes::default();
        let end = scan::text_end(self.line, self.at, &mut notes)?;
        let key = std::str::from_utf8(self.line.get(self.at..end)?).ok().filter(|_| !notes.escaped)?;
        self.at = end + 1;
        self.skip(b':');
        Some(field::push_key(&mut self.path, key))
    }

    fn part(&mut self, kind: Kind, start: usize, end: usize) -> Option<()> {
        if self.parts.len() >= PARTS_MAX {
            return None;
        }
        if let Some(rank) = field::rank(&self.path).filter(|_| kind != Kind::Word) {
            self.ranks.push((rank, self.parts.len()));
        }
        let before = Literal::new(self.line.get(self.literal..start)?);
        self.parts.push(Part { before, kind, place: Place::Nowhere });
        self.literal = end;
        // The closing quote of a text is the first byte of the next literal.
        self.at = end + usize::from(kind == Kind::Text);
        Some(())
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while self.line.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.line.get(self.at).copied()
    }

    fn skip(&mut self, byte: u8) {
        if self.peek() == Some(byte) {
            self.at += 1;
            self.peek();
        }
    }

    /// Give the wanted values their places.
    fn finish(mut self) -> Option<Template> {
        let (mut labels, mut measures) = (Vec::new(), Vec::new());
        for (rank, part) in self.ranks {
            let sort = if rank.field.is_label() { &mut labels } else { &mut measures };
            let place = sort.len();
            sort.push((rank, place));
            self.parts[part].place = if rank.field.is_label() { Place::Label(place) } else { Place::Measure(place) };
        }
        if labels.len() > LABELS_MAX || measures.len() > MEASURES_MAX {
            return None;
        }
        let label_count = labels.len();
        // Where a key comes twice, the last one counts.
        for sort in [&mut labels, &mut measures] {
            sort.sort_by_key(|(rank, place)| (*rank, std::cmp::Reverse(*place)));
        }
        let labels = labels.into_iter().map(|(rank, place)| (rank, Source::Line(place))).collect();
        let after = Literal::new(self.line.get(self.literal..)?);
        Some(Template { parts: self.parts, after, labels, measures, label_count })
    }
}

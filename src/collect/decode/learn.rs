//! Learns the template of a line that the parser has accepted: its keys and punctuation as literals, its
//! scalars as parts.
//! This file never checks that a line is JSON; what it finds odd it does not learn.

use super::dialect::{self, Marks};
use super::field::{self, Aliases, Field, Rank};
use super::literal::Literal;
use super::said::Origin;
use super::scan::{self, Notes};
use super::template::{Kind, LABELS_MAX, MEASURES_MAX, Part, Place, Source, Template};

/// Lines with more values or bytes than this are always parsed.
const PARTS_MAX: usize = 96;
const LINE_BYTES_MAX: usize = 16 << 10;
/// And those nested deeper: the learner calls itself once a level.
const DEPTH_MAX: usize = 32;

/// Learn the shape of a line that is known to be one valid JSON object; `None` where it is too large or odd.
pub fn learn(line: &[u8], aliases: &Aliases) -> Option<Template> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let mut learner = Learner {
        line,
        aliases,
        at: 0,
        literal: 0,
        depth: 0,
        path: String::new(),
        parts: vec![],
        ranks: vec![],
        marks: Marks::default(),
    };
    learner.value()?;
    learner.finish()
}

/// Walks over a valid line. Every place it asks about exists; a `?` that fails only means "do not learn".
struct Learner<'a> {
    line: &'a [u8],
    aliases: &'a Aliases,
    at: usize,
    /// Where the literal in the making starts.
    literal: usize,
    depth: usize,
    path: String,
    parts: Vec<Part>,
    /// Each wanted value's rank, with the part it is in.
    ranks: Vec<(Rank, usize)>,
    marks: Marks,
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
        let rank =
            self.aliases.rank(&self.path).map(|rank| if kind == Kind::Word { rank.only_condition() } else { rank });
        if let Some(rank) = rank.filter(|rank| kind != Kind::Word || rank.condition.is_some()) {
            // A template gives each value to the labels or to the measures, not to both.
            if rank.condition.is_some() && !rank.field.is_label() {
                return None;
            }
            self.ranks.push((rank, self.parts.len()));
        }
        let marking = dialect::marking(&self.path).unwrap_or_default();
        match kind {
            Kind::Text => self.marks.add(marking.text),
            Kind::Number => self.marks.add(marking.number),
            Kind::Word => {}
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
        let dialect = dialect::of(self.marks);
        let is_answer = |(rank, part): &(Rank, usize)| {
            rank.field == Field::Status && self.parts.get(*part).is_some_and(|part| part.kind == Kind::Number)
        };
        let answered = self.ranks.iter().any(is_answer);
        let (mut labels, mut measures) = (Vec::new(), Vec::new());
        for (rank, part) in self.ranks {
            let Some(rank) = dialect.rank(rank, answered) else { continue };
            let sort = if rank.is_label() { &mut labels } else { &mut measures };
            let place = sort.len();
            sort.push((rank, place));
            self.parts[part].place = if rank.is_label() { Place::Label(place) } else { Place::Measure(place) };
        }
        if labels.len() > LABELS_MAX || measures.len() > MEASURES_MAX {
            return None;
        }
        let timed = measures.iter().any(|(rank, _): &(Rank, usize)| rank.field == Field::Duration);
        let line_labels = labels.iter().map(|(rank, _)| rank.field).collect();
        // Where a key comes twice, the last one counts.
        for sort in [&mut labels, &mut measures] {
            sort.sort_by_key(|(rank, place)| (*rank, std::cmp::Reverse(*place)));
        }
        let labels = labels.into_iter().map(|(rank, place)| (rank, Source::Line(place))).collect();
        let after = Literal::new(self.line.get(self.literal..)?);
        let origin = Origin { dialect, timed };
        Some(Template { parts: self.parts, after, labels, measures, line_labels, origin })
    }
}

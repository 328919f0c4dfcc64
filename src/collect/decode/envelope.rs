//! What collectors put around a line is taken off again, from outside to inside, and lines that they cut are joined.
//! This file never looks into a line itself, and remembers nothing from one chunk to the next.

mod compose;
mod cri;
mod docker;
mod journald;
mod joins;
mod pairs;
mod syslog;

use super::rows::{Outcome, beside_nuls, first_line};
use super::time::Clockwork;
use crate::collect::format::ENVELOPES_MAX;
use crate::collect::request::{Reject, Skip};
use crate::collect::tail::LINE_BYTES_MAX;
use crate::collect::{Envelope, Family, Format};
use joins::Joins;

/// A line with one envelope taken off; each part is of the line or of what was unescaped from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Inner<'a> {
    /// Without LFs in it; with one at its end where it was unescaped, or where the line around it has one.
    pub line: &'a [u8],
    /// When the collector saw it, as written; empty where it does not say.
    pub stamp: &'a [u8],
    /// The service that it names; empty where it names none.
    pub service: &'a [u8],
    /// Of collectors that cut long lines into pieces.
    pub piece: Option<Piece>,
}

/// Collectors join nothing, so pieces of the two streams come between each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub stream: Stream,
    /// Its line goes on in the stream's next piece.
    pub goes_on: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

impl Stream {
    fn named(name: &[u8]) -> Option<Stream> {
        match name {
            b"stdout" => Some(Stream::Out),
            b"stderr" => Some(Stream::Err),
            _ => None,
        }
    }
}

impl Envelope {
    /// Take this envelope off; `None` where the line has another or none. What has to be unescaped goes to `scratch`, whose
    /// content means nothing else.
    #[inline]
    fn open<'a>(self, line: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<Inner<'a>> {
        match self {
            Envelope::Docker => docker::open(line, scratch),
            Envelope::Cri => cri::open(line),
            Envelope::Journald => journald::open(line, scratch),
            Envelope::Syslog => syslog::open(line),
            Envelope::Compose => compose::open(line),
        }
    }

    /// Whether it cuts long lines into pieces.
    fn cuts(self) -> bool {
        matches!(self, Envelope::Docker | Envelope::Cri)
    }

    fn names_services(self) -> bool {
        matches!(self, Envelope::Journald | Envelope::Syslog | Envelope::Compose)
    }
}

/// The outermost envelope of a line that looks like one, from the most specific to the least, and what is in it without its
/// line end. For finding out how a log is written: an unlikely envelope is none, though it could be opened.
pub fn peel<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<(Envelope, &'a [u8])> {
    let envelope = Envelope::ALL.into_iter().find(|envelope| match envelope {
        Envelope::Docker => docker::open(line, scratch).is_some(),
        Envelope::Cri => cri::open(line).is_some(),
        Envelope::Journald => journald::is_likely(line, scratch),
        Envelope::Syslog => syslog::is_likely(line),
        Envelope::Compose => compose::is_likely(line),
    })?;
    envelope.open(line, scratch).map(|inner| (envelope, first_line(inner.line).0))
}

/// What all envelopes of a line say, and what is in them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    pub line: &'a [u8],
    /// The innermost first; empty where there is none.
    stamps: [&'a [u8]; ENVELOPES_MAX],
    /// The innermost that is named.
    service: &'a [u8],
    /// Of the outermost envelope that cuts lines.
    piece: Option<Piece>,
}

impl<'a> Around<'a> {
    fn enter(&mut self, inner: Inner<'a>) {
        let [first, second, _] = self.stamps;
        if !inner.stamp.is_empty() {
            self.stamps = [inner.stamp, first, second];
        }
        if !inner.service.is_empty() {
            self.service = inner.service;
        }
        self.piece = self.piece.or(inner.piece);
        self.line = inner.line;
    }

    /// The service that they name.
    #[inline]
    pub fn service(&self) -> Option<&'a str> {
        std::str::from_utf8(self.service).ok().filter(|service| !service.is_empty())
    }

    /// A request that states no time was made when the innermost envelope says that can be read.
    #[inline]
    pub fn dated(&self, outcome: Outcome, clockwork: &mut Clockwork) -> Outcome {
        match outcome {
            Outcome::Request(labels, mut measures) if measures.minute == Err(Reject::NoTime) => {
                let mut stamps = self.stamps.into_iter().filter(|stamp| !stamp.is_empty()).peekable();
                if stamps.peek().is_some() {
                    measures.minute = stamps.find_map(|stamp| clockwork.text(stamp)).ok_or(Reject::BadTime);
                }
                Outcome::Request(labels, measures)
            }
            Outcome::Request(..) | Outcome::Skip(_) | Outcome::Reject(_) => outcome,
        }
    }
}

/// What a line of the log is.
pub enum Opened<'a> {
    /// A whole line, which begins at this byte of the log; `follows` a piece that is not accounted for yet.
    Whole { around: Around<'a>, start: u64, follows: bool },
    /// A piece of a line that goes on. It is accounted for later.
    Part { follows: bool },
    /// It does not have the log's envelopes, and this becomes of it.
    Foreign { outcome: Outcome, follows: bool },
}

/// One envelope, and where it unescapes to.
struct Layer {
    envelope: Envelope,
    scratch: Vec<u8>,
}

/// The layers around a log's lines.
pub struct Envelopes {
    /// Down to the outermost that cuts lines, or all if none does.
    outer: Vec<Layer>,
    /// Those within it: they are opened when a line is whole. Were one of them to cut lines again, each piece is a line.
    inner: Vec<Layer>,
    joins: Joins,
    family: Family,
}

impl Envelopes {
    pub fn of(format: Format) -> Envelopes {
        let envelopes: Vec<Envelope> = format.envelopes().collect();
        let outer = envelopes.iter().position(|envelope| envelope.cuts()).map_or(envelopes.len(), |at| at + 1);
        let layers = |envelopes: &[Envelope]| {
            envelopes.iter().map(|envelope| Layer { envelope: *envelope, scratch: Vec::new() }).collect()
        };
        Envelopes {
            outer: layers(&envelopes[..outer]),
            inner: layers(&envelopes[outer..]),
            joins: Joins::default(),
            family: format.family,
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.outer.is_empty()
    }

    /// Whether lines name their service by an envelope.
    pub fn name_services(&self) -> bool {
        self.outer.iter().chain(&self.inner).any(|layer| layer.envelope.names_services())
    }

    /// Open a line of the log, which starts at byte `start` of it.
    pub fn open<'a>(&'a mut self, line: &'a [u8], start: u64) -> Opened<'a> {
        let Envelopes { outer, inner, joins, .. } = self;
        let around = match opened(outer, Around { line, ..Around::default() }) {
            Ok(around) => around,
            Err(outcome) => return Opened::Foreign { outcome, follows: false },
        };
        let Some(piece) = around.piece else { return whole(inner, around, start, false) };
        let follows = joins.is_open(piece.stream);
        if !piece.goes_on && !follows {
            return whole(inner, around, start, false);
        }
        joins.add(piece.stream, &around, start);
        if piece.goes_on {
            return Opened::Part { follows };
        }
        let (joined, start) = joins.close(piece.stream);
        whole(inner, joined, start, follows)
    }

    /// At the end of a chunk: what is there of a line that still goes on, until there is none. It `is_cut` where more of it
    /// is in the log than a chunk holds.
    pub fn left_open(&mut self, is_cut: bool) -> Option<Opened<'_>> {
        let Envelopes { inner, joins, family, .. } = self;
        let stream = joins.first_open()?;
        if is_cut && *family == Family::Json {
            // By its length a decoder knows that a line was cut, and takes what its beginning says.
            joins.pad(stream, LINE_BYTES_MAX);
        }
        let (joined, start) = joins.close(stream);
        Some(whole(inner, joined, start, false))
    }
}

#[inline]
fn opened<'a>(layers: &'a mut [Layer], mut around: Around<'a>) -> Result<Around<'a>, Outcome> {
    for layer in layers {
        let Some(inner) = layer.envelope.open(around.line, &mut layer.scratch) else {
            let is_blank = around.line.trim_ascii().is_empty();
            return Err(if is_blank { Outcome::Skip(Skip::Blank) } else { Outcome::Reject(Reject::Malformed) });
        };
        around.enter(inner);
    }
    Ok(around)
}

#[inline]
fn whole<'a>(inner: &'a mut [Layer], around: Around<'a>, start: u64, follows: bool) -> Opened<'a> {
    match opened(inner, around) {
        Ok(around) => Opened::Whole { around, start, follows },
        Err(outcome) => Opened::Foreign { outcome, follows },
    }
}

/// A log's line as far as it can be one: see [`beside_nuls`]. Few chunks have NULs at all.
#[inline]
pub fn without_nuls(line: &[u8], has_nuls: bool) -> &[u8] {
    if has_nuls { beside_nuls(line).unwrap_or(line) } else { line }
}

/// How many of these whole lines, from the first on, end where no line is in pieces: there a chunk may end, so that what
/// becomes of a line never depends on how its log was cut into chunks. 0 where there is no such place.
pub fn closed_end(bytes: &[u8], format: Format) -> usize {
    if !format.envelopes().any(Envelope::cuts) {
        return bytes.len();
    }
    let mut envelopes = Envelopes::of(format);
    // Around it, there may be others that end alike.
    let is_docker = envelopes.outer.first().is_some_and(|layer| layer.envelope == Envelope::Docker);
    let has_nuls = memchr::memchr(0, bytes).is_some();
    let (mut open, mut at, mut closed) = ([false; 2], 0, 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let line = whole_line(rest);
        at += line.len();
        let line = without_nuls(line, has_nuls);
        if open != [false; 2] || !is_docker || !docker::is_surely_whole(line) {
            envelopes.note(line, &mut open);
        }
        if open == [false; 2] {
            closed = at;
        }
    }
    closed
}

impl Envelopes {
    /// Note which stream this line leaves open.
    fn note(&mut self, line: &[u8], open: &mut [bool; 2]) {
        let around = opened(&mut self.outer, Around { line, ..Around::default() });
        if let Ok(Around { piece: Some(piece), .. }) = around {
            open[piece.stream as usize] = piece.goes_on;
        }
    }
}

/// The line at the start of `rest` with its line end.
#[inline]
pub fn whole_line(rest: &[u8]) -> &[u8] {
    &rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)]
}

#[cfg(test)]
mod tests;

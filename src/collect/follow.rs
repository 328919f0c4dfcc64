//! One log that is followed: its open file and its mark become the next whole lines. Read is: check, read,
//! check again, so that bytes are only believed if the file is still the one that the mark speaks of.
//! This file never decides which log a file holds.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::archive::{Archive, open_archive};
use super::arrival::Arrivals;
use super::content::{Content, Survey, first_bytes, joined, modified, nuls, window_bytes};
use super::decode::closed_end;
use super::lines::{LineStream, fill, read_file};
use super::log::{ANCHOR_BYTES_MAX, FileKey, Fingerprint, HEAD_BYTES_MAX, LogMark, Stamp};
use super::packed::{Decoder, Packing};
use super::settle::Judgement;
use super::tail::Known;
use super::{Chunk, Format, Reading};

/// How often a read that was overtaken by a truncation is tried again before the next scan.
const TORN_READS_MAX: usize = 3;

pub(super) struct Log {
    /// At the present read position.
    pub(super) mark: LogMark,
    /// The furthest that is known of the content, from an earlier run: while lines before it are read once more,
    /// it is what tells a copy of this log.
    proof: (u64, Fingerprint),
    pub(super) source: usize,
    pub(super) path: PathBuf,
    pub(super) default_service: Arc<str>,
    /// `None` until the format is settled.
    pub(super) reading: Option<Arc<Reading>>,
    pub(super) judgement: Judgement,
    pub(super) file: Option<File>,
    archive: Option<Archive>,
    /// The content's length when last seen.
    pub(super) len: u64,
    /// The file when last looked at; `None` to have it looked at again.
    pub(super) stamp: Option<Stamp>,
    /// See [`read_file`].
    searched: u64,
    /// Found by the present scan under some name.
    pub(super) seen: bool,
    /// How long the process had run when it was first seen unchanged, after it was deleted or renamed out of sight.
    pub(super) quiet_since: Option<Duration>,
    /// Deleted, and nobody has written to it for long: what follows its last LF is its last line.
    pub(super) is_over: bool,
    pub(super) queued: bool,
    pub(super) last_turn: u64,
    /// What keeps it from being read, and the remedy.
    pub(super) trouble: Option<String>,
    /// Of lines that state no time.
    pub(super) arrivals: Arrivals,
}

pub(super) enum Turn {
    Lines(Chunk),
    /// All whole lines are read.
    End,
    /// The content before the mark is no longer what was read: the file was truncated.
    Changed,
}

/// Which part of the disk a log was found at.
pub(super) struct Place {
    pub(super) source: usize,
    pub(super) path: PathBuf,
    pub(super) default_service: Arc<str>,
}

impl Log {
    /// Go on with what is known, in the file that now holds it.
    pub(super) fn new(known: Known, place: Place, content: Content, survey: &Survey, arrivals: Arrivals) -> Log {
        let file = FileKey::of(&content.metadata);
        let proof = (known.mark.offset, known.mark.anchor);
        let mut ladder = known.mark.ladder.clone();
        ladder.cut(known.resume);
        let mark = LogMark {
            ladder,
            path: place.path.to_string_lossy().into_owned(),
            device: file.device,
            inode: file.inode,
            born_ns: file.born_ns,
            offset: known.resume,
            ..known.mark
        };
        let stamp = Some(content.stamp());
        let archive = content.packing.map(|packing| Archive { packing, end: survey.end, stream: None });
        Log {
            mark,
            proof,
            source: place.source,
            path: place.path,
            default_service: place.default_service,
            reading: None,
            judgement: Judgement::default(),
            file: Some(content.file),
            archive,
            len: survey.len,
            stamp,
            searched: 0,
            seen: true,
            quiet_since: None,
            is_over: false,
            queued: false,
            last_turn: 0,
            trouble: None,
            arrivals,
        }
    }

    /// What is worth keeping once no file holds this log any more.
    pub(super) fn known(&self) -> Known {
        let (offset, anchor) = self.proof();
        Known { mark: LogMark { offset, anchor, ..self.saved_mark() }, resume: self.mark.offset }
    }

    fn proof(&self) -> (u64, Fingerprint) {
        if self.mark.offset < self.proof.0 { self.proof } else { (self.mark.offset, self.mark.anchor) }
    }

    pub(super) fn is_archive(&self) -> bool {
        self.archive.is_some()
    }

    /// How its lines are read, as far as that is known.
    fn read_as(&self) -> Format {
        self.judgement.read_as.or(self.mark.format).unwrap_or(Format::JSON)
    }

    pub(super) fn packing(&self) -> Option<Packing> {
        self.archive.as_ref().map(|archive| archive.packing)
    }

    /// Empty so far: which log it is, its first content tells.
    pub(super) fn is_unknown(&self) -> bool {
        self.mark.offset == 0 && self.mark.head.len == 0
    }

    pub(super) fn has_unread(&self) -> bool {
        self.len > self.mark.offset
    }

    /// Open the file by its path unless it is open; `false` when that path is another file now, or none: the next
    /// scan finds out.
    pub(super) fn open(&mut self) -> io::Result<bool> {
        if self.file.is_none() {
            let file = match File::open(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                opened => Some(opened?),
            };
            let is_mine = |file: &File| Ok::<_, io::Error>(FileKey::of(&file.metadata()?) == self.mark.file());
            if !file.as_ref().map_or(Ok(false), is_mine)? {
                self.stamp = None;
                return Ok(false);
            }
            self.file = file;
        }
        Ok(true)
    }

    /// Let go of the file; it is opened again by its path when needed.
    pub(super) fn close(&mut self) {
        self.file = None;
        if let Some(archive) = &mut self.archive {
            archive.stream = None;
        }
    }

    /// Whether the content up to the mark is still what was read. An archive is compared when it is opened to be read.
    pub(super) fn still_holds(&mut self) -> io::Result<bool> {
        if self.is_archive() || !self.open()? {
            return Ok(true);
        }
        let Some(file) = &self.file else { return Ok(true) };
        self.len = file.metadata()?.len();
        let still_holds = self.verified(file)?.is_some();
        if !still_holds {
            self.stamp = None;
        } else if self.mark.offset == 0 {
            // Nothing is read yet, but a copy may already have to be told by the head.
            self.mark.head = Fingerprint::of(&first_bytes(file, None, HEAD_BYTES_MAX)?);
        }
        Ok(still_holds)
    }

    /// Take the bytes before the mark for what was read.
    pub(super) fn take_anchor(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let window = match &self.archive {
            _ if self.mark.offset == 0 => None,
            Some(archive) => archive.packing.survey(file, &[self.mark.offset])?.1[0],
            None => super::content::window(file, self.mark.offset)?,
        };
        self.mark.anchor = window.unwrap_or_default();
        Ok(())
    }

    /// The window that ends at `end`, to compare a copy with; `None` where it cannot be told.
    pub(super) fn window(&self, end: u64) -> io::Result<Option<Fingerprint>> {
        match (&self.archive, &self.file) {
            (Some(archive), _) => Ok((end == self.len).then_some(archive.end)),
            (None, Some(file)) => super::content::window(file, end),
            (None, None) => Ok(None),
        }
    }

    /// The next whole lines. On an error nothing has moved.
    pub(super) fn read(&mut self, limit: usize, buffer: &mut Vec<u8>) -> io::Result<Turn> {
        buffer.clear();
        if !self.open()? {
            return Ok(Turn::End);
        }
        let Some(file) = self.file.take() else { return Ok(Turn::End) };
        let mut turn = if self.is_archive() {
            self.read_archive(&file, limit, buffer)
        } else {
            self.read_plain(&file, limit, buffer)
        };
        if let Ok(Turn::Lines(chunk)) = &mut turn {
            chunk.written = modified(&file);
        }
        self.file = Some(file);
        if !matches!(turn, Ok(Turn::Lines(_))) {
            buffer.clear();
        }
        turn
    }

    fn read_plain(&mut self, file: &File, limit: usize, buffer: &mut Vec<u8>) -> io::Result<Turn> {
        for _ in 0..TORN_READS_MAX {
            self.len = file.metadata()?.len();
            let Some(before) = self.verified(file)? else { return Ok(Turn::Changed) };
            let read = read_file(file, self.mark.offset, limit, &mut self.searched, buffer)?;
            let chunk = match read {
                Some(chunk) => self.closed(chunk, limit, buffer),
                None => self.last_line(limit, buffer),
            };
            let Some(chunk) = chunk else { return Ok(Turn::End) };
            #[cfg(test)]
            super::torn::interrupt();
            let is_plain = chunk.start == self.mark.offset && chunk.end - chunk.start == buffer.len() as u64;
            let after = if is_plain { Some(joined(&before, buffer)) } else { window_bytes(file, chunk.end)? };
            let head = self.head_after(file, &chunk)?;
            if let Some(after) = after
                && self.is_unchanged(file, &before, &chunk, buffer)?
            {
                let near = self.len - chunk.end.min(self.len) < limit as u64;
                self.advance(&chunk, head, &after, is_plain.then_some((&before, &*buffer, near)));
                return Ok(Turn::Lines(chunk));
            }
        }
        self.stamp = None;
        Ok(Turn::End)
    }

    /// A chunk cut back to where no line is in pieces. Without such a place, the rest of its line is waited for; where that is
    /// further away than a chunk reaches, or will not come, it is given as it stands.
    fn closed(&self, chunk: Chunk, limit: usize, lines: &mut Vec<u8>) -> Option<Chunk> {
        match closed_end(lines, self.read_as()) {
            0 => (self.is_over || self.len >= chunk.start + limit as u64).then_some(chunk),
            end => Some(chunk.cut_back(lines, end)),
        }
    }

    /// What follows the last LF of a log that nobody writes to any more, ended by an LF of our own.
    fn last_line(&self, limit: usize, rest: &mut Vec<u8>) -> Option<Chunk> {
        let start = self.mark.offset;
        if !self.is_over || rest.is_empty() || self.len <= start {
            return None;
        }
        rest.truncate(limit - 1);
        rest.push(b'\n');
        Some(Chunk { start, end: self.len, written: None })
    }

    /// The first check: the bytes before the mark, if they are still those that were read.
    fn verified(&self, file: &File) -> io::Result<Option<Vec<u8>>> {
        if self.mark.offset == 0 {
            let head = first_bytes(file, None, HEAD_BYTES_MAX)?;
            return Ok(self.mark.head.begins(&head).then(Vec::new));
        }
        let before = window_bytes(file, self.mark.offset)?;
        Ok(before.filter(|bytes| Fingerprint::of(bytes) == self.mark.anchor))
    }

    /// The second check: the file still reaches to the chunk's end, and holds the same before it; without anything
    /// before it, at its beginning.
    fn is_unchanged(&self, file: &File, before: &[u8], chunk: &Chunk, buffer: &[u8]) -> io::Result<bool> {
        if file.metadata()?.len() < chunk.end {
            return Ok(false);
        }
        if self.mark.offset > 0 {
            return Ok(window_bytes(file, self.mark.offset)?.as_deref() == Some(before));
        }
        // Without the last byte: it may be an LF of our own.
        let len = (buffer.len() - 1).min(ANCHOR_BYTES_MAX);
        let mut again = Vec::new();
        fill(file, chunk.start, len, &mut again)?;
        Ok(again == buffer[..len])
    }

    fn read_archive(&mut self, file: &File, limit: usize, buffer: &mut Vec<u8>) -> io::Result<Turn> {
        if !self.has_unread() {
            return Ok(Turn::End);
        }
        let Some(archive) = &mut self.archive else { return Ok(Turn::End) };
        let (mut stream, before) = match archive.stream.take() {
            Some(open) => open,
            None => open_archive(archive.packing, file, &self.mark, limit)?,
        };
        let Some(chunk) = stream.next_chunk(buffer)? else { return self.end_archive(stream, file, buffer) };
        let chunk = stream.cut_back(chunk, buffer, closed_end(buffer, self.read_as()));
        let is_cut = chunk.end - chunk.start != buffer.len() as u64;
        let is_plain = chunk.start == self.mark.offset && !is_cut;
        let before = joined(&before, &nuls(chunk.start - self.mark.offset));
        let after = joined(&before, if is_cut { stream.cut_off() } else { buffer });
        let head = self.head_after(file, &chunk)?;
        self.advance(&chunk, head, &after, is_plain.then_some((&before, &*buffer, false)));
        if let Some(archive) = &mut self.archive {
            archive.stream = Some((stream, after));
        }
        Ok(Turn::Lines(chunk))
    }

    /// Nobody will complete the last line of an archive: it counts without an LF.
    fn end_archive(&mut self, mut stream: LineStream<Decoder>, file: &File, buffer: &mut Vec<u8>) -> io::Result<Turn> {
        let (Some(chunk), Some(archive)) = (stream.take_unterminated(buffer), &self.archive) else {
            return Ok(Turn::End);
        };
        let end = archive.end;
        self.mark.head = self.head_after(file, &chunk)?;
        self.mark.offset = chunk.end;
        self.mark.anchor = end;
        self.mark.ladder.leap(chunk.end, &end);
        Ok(Turn::Lines(chunk))
    }

    /// The head grows until it is complete, but never past what was read: the rest may yet be taken back.
    fn head_after(&self, file: &File, chunk: &Chunk) -> io::Result<Fingerprint> {
        if self.mark.offset >= HEAD_BYTES_MAX as u64 {
            return Ok(self.mark.head);
        }
        let len = usize::try_from(chunk.end).unwrap_or(HEAD_BYTES_MAX).min(HEAD_BYTES_MAX);
        Ok(Fingerprint::of(&first_bytes(file, self.packing(), len)?))
    }

    /// `lines` are the chunk's, behind what precedes them, and whether they are near the end; where they are not at hand
    /// whole, the ladder knows their end only.
    fn advance(&mut self, chunk: &Chunk, head: Fingerprint, after: &[u8], lines: Option<(&[u8], &[u8], bool)>) {
        self.mark.offset = chunk.end;
        self.mark.head = head;
        self.mark.anchor = Fingerprint::of(after);
        match lines {
            Some((before, lines, near)) => self.mark.ladder.climb(before, lines, chunk.start, near),
            None => self.mark.ladder.leap(chunk.end, &self.mark.anchor),
        }
        self.len = self.len.max(chunk.end);
        self.searched = 0;
    }

    /// What was read last is read again: `before` is the mark from before it.
    pub(super) fn take_back(&mut self, before: LogMark) {
        self.mark = before;
        self.searched = 0;
        if let Some(archive) = &mut self.archive {
            archive.stream = None;
        }
    }
}

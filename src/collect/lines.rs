//! Bytes become whole lines: a file or a stream is cut behind its last LF, so that a chunk never holds part
//! of a line. What follows the last LF waits until its own LF is there.
//! This file never decides which file is read, nor from where.

use std::fs::File;
use std::io::{self, Read};

use memchr::{memchr, memrchr};
use rustix::buffer::spare_capacity;
use rustix::fs::SeekFrom;
use rustix::io::{Errno, pread, retry_on_intr};

use super::Chunk;
use super::log::ANCHOR_BYTES_MAX;

/// How much is searched at once for the end of an over-long line.
const SEARCH_BYTES: usize = 64 << 10;

/// Fill `buffer` from `offset` on, with fewer than `limit` bytes only where the file ends.
pub(super) fn fill(file: &File, offset: u64, limit: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    buffer.reserve(limit);
    while buffer.len() < limit {
        let at = offset + buffer.len() as u64;
        // Spare capacity, so that a chunk is never zeroed before it is read.
        if retry_on_intr(|| pread(file, spare_capacity(buffer), at))? == 0 {
            break;
        }
    }
    buffer.truncate(limit);
    Ok(())
}

/// The whole lines of `file` from `start` on, at most `limit` bytes. `None` when no line is complete there; `buffer` then
/// holds the part that is. A line longer than `limit` is cut to it; NULs that long are passed over once text follows
/// them, and the chunk begins with that text. `searched` is how far an over-long line was already searched for its
/// end, and is kept by the caller from one call to the next.
pub fn read_file(
    file: &File,
    start: u64,
    limit: usize,
    searched: &mut u64,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Chunk>> {
    fill(file, start, limit, buffer)?;
    if let Some(last) = memrchr(b'\n', buffer) {
        buffer.truncate(last + 1);
        return Ok(Some(Chunk { start, end: start + buffer.len() as u64, written: None }));
    }
    if buffer.len() < limit {
        return Ok(None);
    }
    if buffer[0] == 0 {
        // A hole: its writer did not notice that the log was truncated. Or a preallocated end, which is yet to be written.
        return match text_behind(file, start)? {
            Some(text) => read_file(file, text, limit, searched, buffer),
            None => Ok(None),
        };
    }
    let from = (*searched).max(start + limit as u64);
    let end = line_end(file, from, searched)?;
    Ok(end.map(|end| {
        cut(buffer, limit);
        Chunk { start, end, written: None }
    }))
}

/// The offset of the first byte at or after `from` that is not NUL. Holes are not read.
fn text_behind(file: &File, from: u64) -> io::Result<Option<u64>> {
    let mut block = Vec::new();
    let mut offset = from;
    loop {
        // A file system that knows no holes calls all of it data.
        offset = match rustix::fs::seek(file, SeekFrom::Data(offset)) {
            Ok(data) => data.max(offset),
            Err(Errno::NXIO) => return Ok(None),
            Err(_) => offset,
        };
        fill(file, offset, SEARCH_BYTES, &mut block)?;
        if let Some(at) = block.iter().position(|byte| *byte != 0) {
            return Ok(Some(offset + at as u64));
        }
        if block.is_empty() {
            return Ok(None);
        }
        offset += block.len() as u64;
    }
}

/// The offset behind the first LF at or after `from`; `searched` moves along.
fn line_end(file: &File, from: u64, searched: &mut u64) -> io::Result<Option<u64>> {
    let mut block = Vec::new();
    *searched = from;
    loop {
        fill(file, *searched, SEARCH_BYTES, &mut block)?;
        if let Some(at) = memchr(b'\n', &block) {
            return Ok(Some(*searched + at as u64 + 1));
        }
        *searched += block.len() as u64;
        if block.len() < SEARCH_BYTES {
            return Ok(None);
        }
    }
}

/// The first bytes of a line that is too long, ended by an LF of our own.
fn cut(buffer: &mut Vec<u8>, limit: usize) {
    buffer.truncate(limit - 1);
    buffer.push(b'\n');
}

/// Whole lines of what can be read only once and only forwards: a pipe, or what a gz holds.
pub struct LineStream<R> {
    input: R,
    limit: usize,
    /// Content offset of the next chunk's first byte, which is also `carry`'s.
    start: u64,
    /// What followed the last LF: shorter than `limit`.
    carry: Vec<u8>,
    /// Content offset behind all that was read.
    end: u64,
    /// The last bytes of the over-long line that was given last: its chunk does not hold them.
    cut_off: Vec<u8>,
    finished: bool,
    failure: Option<io::Error>,
}

impl<R: Read> LineStream<R> {
    /// `input` stands at content offset `start`.
    pub fn new(input: R, start: u64, limit: usize) -> LineStream<R> {
        LineStream {
            input,
            limit,
            start,
            carry: Vec::new(),
            end: start,
            cut_off: Vec::new(),
            finished: false,
            failure: None,
        }
    }

    /// The next whole lines; `None` at the end. An error comes after all whole lines before it.
    pub fn next_chunk(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Chunk>> {
        buffer.clear();
        buffer.append(&mut self.carry);
        self.fill(buffer);
        let chunk = match memrchr(b'\n', buffer) {
            Some(last) => {
                self.carry.extend_from_slice(&buffer[last + 1..]);
                buffer.truncate(last + 1);
                Some(Chunk { start: self.start, end: self.start + buffer.len() as u64, written: None })
            }
            None if buffer.len() >= self.limit => self.skip_to_line_end(buffer),
            None => {
                self.carry.append(buffer);
                None
            }
        };
        match (&chunk, self.failure.take()) {
            (None, Some(failure)) => return Err(failure),
            (_, failure) => self.failure = failure,
        }
        if let Some(chunk) = &chunk {
            self.start = chunk.end;
        }
        Ok(chunk)
    }

    /// As much as a chunk may hold. NULs that fill one are passed over: what follows them is the line.
    fn fill(&mut self, buffer: &mut Vec<u8>) {
        let mut is_hole = false;
        loop {
            self.read(self.limit.saturating_sub(buffer.len()), buffer);
            is_hole |= buffer.len() >= self.limit && memrchr(b'\n', buffer).is_none();
            let nuls = buffer.iter().take_while(|byte| **byte == 0).count();
            if !is_hole || nuls == 0 {
                return;
            }
            self.start += nuls as u64;
            buffer.drain(..nuls);
        }
    }

    /// The chunk that was just given without its last lines: the next one begins with them. As [`Chunk::cut_back`].
    pub(super) fn cut_back(&mut self, chunk: Chunk, lines: &mut Vec<u8>, end: usize) -> Chunk {
        let rest = lines.get(end..).filter(|_| end > 0).unwrap_or_default();
        self.carry.splice(..0, rest.iter().copied());
        let chunk = chunk.cut_back(lines, end);
        self.start = chunk.end;
        chunk
    }

    /// The last line when it has no LF, with one appended; only once, after the end.
    pub fn take_unterminated(&mut self, buffer: &mut Vec<u8>) -> Option<Chunk> {
        if !self.is_unterminated() {
            return None;
        }
        buffer.clear();
        buffer.append(&mut self.carry);
        buffer.push(b'\n');
        let chunk = Chunk { start: self.start, end: self.end, written: None };
        self.start = self.end;
        Some(chunk)
    }

    /// The bytes, at most 4 KiB, at the end of the over-long line that was given last.
    pub(super) fn cut_off(&self) -> &[u8] {
        &self.cut_off
    }

    pub(super) fn input(&self) -> &R {
        &self.input
    }

    /// Whether all is read and bytes without an LF are left.
    pub(super) fn is_unterminated(&self) -> bool {
        self.finished && !self.carry.is_empty()
    }

    /// An over-long line: its first bytes are in `buffer`, the rest is read and dropped.
    fn skip_to_line_end(&mut self, buffer: &mut Vec<u8>) -> Option<Chunk> {
        let mut block = Vec::new();
        self.cut_off.clear();
        self.keep_cut_off(buffer);
        // No more at once than a chunk, so that `carry` stays shorter than one.
        let at_once = SEARCH_BYTES.min(self.limit);
        while !self.finished {
            block.clear();
            self.read(at_once, &mut block);
            let line_end = memchr(b'\n', &block);
            self.keep_cut_off(&block[..line_end.map_or(block.len(), |at| at + 1)]);
            if let Some(at) = line_end {
                self.carry.extend_from_slice(&block[at + 1..]);
                cut(buffer, self.limit);
                let end = self.end - self.carry.len() as u64;
                return Some(Chunk { start: self.start, end, written: None });
            }
        }
        buffer.truncate(self.limit - 1);
        self.carry.append(buffer);
        None
    }

    fn keep_cut_off(&mut self, bytes: &[u8]) {
        self.cut_off.extend_from_slice(bytes);
        self.cut_off.drain(..self.cut_off.len().saturating_sub(ANCHOR_BYTES_MAX));
    }

    fn read(&mut self, wanted: usize, buffer: &mut Vec<u8>) {
        if self.finished || wanted == 0 {
            return;
        }
        buffer.reserve(wanted);
        let before = buffer.len();
        // On an error, what was read before it is in `buffer`.
        match self.input.by_ref().take(wanted as u64).read_to_end(buffer) {
            Ok(read) => self.finished = read < wanted,
            Err(failure) => {
                self.finished = true;
                self.failure = Some(failure);
            }
        }
        self.end += (buffer.len() - before) as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    /// What any way of cutting must give: every line that ends in LF, cut to `limit`, and where it starts and ends.
    fn expected(content: &[u8], limit: usize) -> Vec<(Vec<u8>, u64)> {
        let mut end = 0;
        let whole = content.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        whole
            .map(|line| {
                end += line.len() as u64;
                let mut line = line.to_vec();
                if line.len() > limit {
                    // NULs before an over-long line's text are a hole.
                    line.drain(..line.iter().take_while(|byte| **byte == 0).count());
                }
                if line.len() > limit {
                    cut(&mut line, limit);
                }
                (line, end)
            })
            .collect()
    }

    /// The lines of a chunk with their ends; an over-long line is alone in its chunk.
    fn lines_of(chunk: &Chunk, bytes: &[u8]) -> Vec<(Vec<u8>, u64)> {
        let mut end = chunk.start;
        let mut lines: Vec<_> = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| {
                end += line.len() as u64;
                (line.to_vec(), end)
            })
            .collect();
        if let [only] = lines.as_mut_slice() {
            only.1 = chunk.end;
        }
        assert_eq!(lines.last().unwrap().1, chunk.end);
        lines
    }

    fn from_file(content: &[u8], limit: usize) -> Vec<(Vec<u8>, u64)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let (mut lines, mut start, mut searched, mut buffer) = (Vec::new(), 0, 0, Vec::new());
        while let Some(chunk) = read_file(&file, start, limit, &mut searched, &mut buffer).unwrap() {
            lines.extend(lines_of(&chunk, &buffer));
            start = chunk.end;
        }
        lines
    }

    fn from_stream(content: &[u8], limit: usize) -> Vec<(Vec<u8>, u64)> {
        let mut stream = LineStream::new(content, 0, limit);
        let (mut lines, mut buffer) = (Vec::new(), Vec::new());
        while let Some(chunk) = stream.next_chunk(&mut buffer).unwrap() {
            lines.extend(lines_of(&chunk, &buffer));
        }
        let rest = content.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        // NULs that fill a chunk are passed over, and nothing is left then.
        if rest.is_empty() || rest.iter().any(|byte| *byte != 0) {
            assert_eq!(stream.is_unterminated(), !rest.is_empty());
        }
        lines
    }

    proptest! {
        #[test]
        fn any_chunk_size_gives_the_same_lines(
            content in proptest::collection::vec(prop_oneof![2 => Just(b'\n'), 4 => Just(0), 12 => any::<u8>()], 0..400),
            limit in 2usize..64,
        ) {
            let expected = expected(&content, limit);
            prop_assert_eq!(from_file(&content, limit), expected.clone());
            prop_assert_eq!(from_stream(&content, limit), expected);
        }
    }

    #[test]
    fn the_unterminated_last_line_is_given_once_with_an_lf() {
        let mut stream = LineStream::new(&b"a\nbc"[..], 0, 16);
        let mut buffer = Vec::new();
        assert_eq!(stream.next_chunk(&mut buffer).unwrap(), Some(Chunk { start: 0, end: 2, written: None }));
        assert_eq!(stream.next_chunk(&mut buffer).unwrap(), None);
        assert_eq!(stream.take_unterminated(&mut buffer), Some(Chunk { start: 2, end: 4, written: None }));
        assert_eq!(buffer, b"bc\n");
        assert_eq!(stream.take_unterminated(&mut buffer), None);
    }

    #[test]
    fn an_error_comes_after_the_lines_before_it() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let mut stream = LineStream::new(b"a\nb".chain(Broken), 0, 1024);
        let mut buffer = Vec::new();
        assert_eq!(stream.next_chunk(&mut buffer).unwrap(), Some(Chunk { start: 0, end: 2, written: None }));
        assert_eq!(stream.next_chunk(&mut buffer).unwrap_err().to_string(), "broken");
    }
}

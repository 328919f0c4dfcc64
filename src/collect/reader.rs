//! Reads one log from beginning to end, once: a plain file, a compressed one, or standard input become chunks of whole lines.
//! This file never follows: what is appended after the end was reached is not looked for.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::Path;

use super::content::modified;
use super::decode::closed_end;
use super::lines::{LineStream, read_file};
use super::packed::{Decoder, Packing};
use super::tail::CHUNK_BYTES;
use super::{Chunk, Format};
use crate::day::Minute;
use anyhow::Context;

/// The path that means standard input.
pub const STANDARD_INPUT: &str = super::stream::STDIN;
/// Standard input is read in pieces of this size.
const INPUT_BYTES: usize = 128 << 10;

pub struct Reader {
    input: Input,
    chunk_bytes: usize,
    is_standard_input: bool,
    unterminated: bool,
    bytes_read: u64,
    /// When the file was last written to. What is written while it is read is not a day later.
    written: Option<Minute>,
}

enum Input {
    Plain {
        file: File,
        offset: u64,
        searched: u64,
        len: u64,
    },
    Packed {
        stream: Box<LineStream<Decoder>>,
        len: u64,
    },
    Pipe(LineStream<Box<dyn Read + Send>>),
    /// The last line without an LF is given.
    Done,
}

impl Reader {
    /// Open a log; [`STANDARD_INPUT`] is standard input. A compressed log is told by its first bytes, whatever its name.
    pub fn open(path: &Path) -> anyhow::Result<Reader> {
        if path == Path::new(STANDARD_INPUT) {
            let input = io::stdin().as_fd().try_clone_to_owned().context("cannot read standard input")?;
            return Reader::of_standard_input(File::from(input)).context("cannot read standard input");
        }
        let open = || {
            let file = File::open(path)?;
            if file.metadata()?.is_dir() {
                return Err(io::Error::other("it is a directory; name the logs in it"));
            }
            if file.metadata()?.is_file() { Reader::of_file(file) } else { Reader::of_pipe(file) }
        };
        open().with_context(|| format!("cannot read {}", path.display()))
    }

    fn of_standard_input(file: File) -> io::Result<Reader> {
        let mut file = file;
        // `daycap report - < log` is a file like any other, if it stands at its beginning.
        let is_file = file.metadata()?.is_file() && io::Seek::stream_position(&mut file)? == 0;
        let reader = if is_file { Reader::of_file(file)? } else { Reader::of_pipe(file)? };
        Ok(Reader { is_standard_input: true, ..reader })
    }

    fn of_file(file: File) -> io::Result<Reader> {
        let (len, written) = (file.metadata()?.len(), modified(&file));
        let input = match Packing::of_file(&file)? {
            Some(packing) => {
                Input::Packed { stream: Box::new(LineStream::new(packing.decoder(&file)?, 0, CHUNK_BYTES)), len }
            }
            None => Input::Plain { file, offset: 0, searched: 0, len },
        };
        Ok(Reader { written, ..Reader::new(input) })
    }

    fn of_pipe(file: File) -> io::Result<Reader> {
        let mut input = BufReader::with_capacity(INPUT_BYTES, file);
        let input: Box<dyn Read + Send> = match Packing::of(input.fill_buf()?) {
            Some(packing) => Box::new(packing.unpack(input)?),
            None => Box::new(input),
        };
        Ok(Reader::new(Input::Pipe(LineStream::new(input, 0, CHUNK_BYTES))))
    }

    fn new(input: Input) -> Reader {
        Reader {
            input,
            chunk_bytes: CHUNK_BYTES,
            is_standard_input: false,
            unterminated: false,
            bytes_read: 0,
            written: None,
        }
    }

    /// The next whole lines, into `buffer` (emptied first); `None` at the end. The last line without an LF is given, with
    /// one appended, where nobody can complete it any more: from standard input and from a compressed log. In a plain file its writer
    /// may be in the middle of it: it is left out, and [`Reader::unterminated`] tells. An error comes after the lines
    /// that could be read before it.
    pub fn next_chunk(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Chunk>> {
        let chunk = match &mut self.input {
            Input::Plain { file, offset, searched, len } => {
                *len = file.metadata()?.len();
                let chunk = read_file(file, *offset, self.chunk_bytes, searched, buffer)?;
                if let Some(chunk) = &chunk {
                    *offset = chunk.end;
                    self.bytes_read = chunk.end;
                }
                chunk
            }
            Input::Packed { stream, .. } => {
                let chunk = stream.next_chunk(buffer).map_err(damaged)?;
                self.bytes_read = stream.input().input().get_ref().offset;
                chunk
            }
            Input::Pipe(stream) => {
                let chunk = stream.next_chunk(buffer).map_err(damaged)?;
                self.bytes_read = chunk.as_ref().map_or(self.bytes_read, |chunk| chunk.end);
                chunk
            }
            Input::Done => None,
        };
        let chunk = match chunk {
            Some(chunk) => Some(chunk),
            None => self.last_line(buffer)?,
        };
        Ok(chunk.map(|chunk| Chunk { written: self.written, ..chunk }))
    }

    /// The chunk that was just given, cut back to where no line is in pieces by this format: the next one begins with the
    /// rest. Without such a place it is given as it stands, unless it is the end of a plain file, whose writer may be about
    /// to write the next piece: that is left out, as an unfinished line is.
    pub fn closed(&mut self, chunk: Chunk, lines: &mut Vec<u8>, format: Format) -> io::Result<Option<Chunk>> {
        let end = closed_end(lines, format);
        let chunk = match &mut self.input {
            Input::Plain { offset, len, .. } => {
                let is_full = *len >= chunk.start + self.chunk_bytes as u64;
                if end == 0 && !is_full && !self.is_standard_input {
                    self.unterminated = true;
                    lines.clear();
                    self.input = Input::Done;
                    return Ok(None);
                }
                let chunk = chunk.cut_back(lines, end);
                (*offset, self.bytes_read) = (chunk.end, chunk.end);
                chunk
            }
            Input::Packed { stream, .. } => stream.cut_back(chunk, lines, end),
            Input::Pipe(stream) => {
                let chunk = stream.cut_back(chunk, lines, end);
                self.bytes_read = chunk.end;
                chunk
            }
            Input::Done => chunk,
        };
        Ok(Some(chunk))
    }

    /// What is left behind the last LF.
    fn last_line(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Chunk>> {
        let chunk = match &mut self.input {
            Input::Plain { file, offset, .. } => {
                if buffer.is_empty() || !self.is_standard_input {
                    self.unterminated = !buffer.is_empty();
                    buffer.clear();
                    return Ok(None);
                }
                buffer.truncate(self.chunk_bytes - 1);
                buffer.push(b'\n');
                Some(Chunk { start: *offset, end: file.metadata()?.len(), written: None })
            }
            Input::Packed { stream, .. } => stream.take_unterminated(buffer),
            Input::Pipe(stream) => stream.take_unterminated(buffer),
            Input::Done => None,
        };
        if chunk.is_some() {
            self.input = Input::Done;
        } else {
            buffer.clear();
        }
        Ok(chunk)
    }

    /// Whether a last line without an LF was left out; true only once the end was reached.
    pub fn unterminated(&self) -> bool {
        self.unterminated
    }

    /// How many bytes there are to read, compressed if they are; `None` for a pipe.
    pub fn size_hint(&self) -> Option<u64> {
        match &self.input {
            Input::Plain { len, .. } | Input::Packed { len, .. } => Some(*len),
            Input::Pipe(_) | Input::Done => None,
        }
    }

    /// How many of those were read.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }
}

/// The words of the decoder say what it stumbled on, not what that means.
fn damaged(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(
            error.kind(),
            "the compressed data ends early: it was cut off or is still being written; the lines up to there were read",
        ),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => io::Error::new(
            error.kind(),
            format!("the compressed data is damaged ({error}); the lines up to there were read"),
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gz(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read(mut reader: Reader) -> (String, io::Result<bool>) {
        let (mut text, mut buffer) = (String::new(), Vec::new());
        loop {
            match reader.next_chunk(&mut buffer) {
                Ok(Some(chunk)) => {
                    assert!(buffer.ends_with(b"\n"));
                    assert!(chunk.end > chunk.start);
                    text.push_str(std::str::from_utf8(&buffer).unwrap());
                }
                Ok(None) => return (text, Ok(reader.unterminated())),
                Err(error) => return (text, Err(error)),
            }
        }
    }

    fn read_bytes(bytes: &[u8]) -> (String, io::Result<bool>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, bytes).unwrap();
        read(Reader::open(&path).unwrap())
    }

    fn numbered(lines: usize) -> String {
        (0..lines).map(|line| format!("line {line}\n")).collect()
    }

    #[test]
    fn a_plain_log_is_read_whole() {
        let content = numbered(300_000);
        let (text, unterminated) = read_bytes(content.as_bytes());
        assert!(text == content && !unterminated.unwrap());
    }

    #[test]
    fn a_plain_logs_unfinished_line_is_told_and_left_out() {
        let (text, unterminated) = read_bytes(b"a\nb");
        assert_eq!(text, "a\n");
        assert!(unterminated.unwrap());
        assert!(!read_bytes(b"").1.unwrap());
    }

    #[test]
    fn all_members_of_a_gz_are_read_and_its_last_line_counts() {
        let content = numbered(300_000);
        let (text, unterminated) = read_bytes(&[gz(content.as_bytes()), gz(b"last")].concat());
        assert!(text == content + "last\n");
        assert!(!unterminated.unwrap());
    }

    #[test]
    fn a_cut_off_gz_gives_its_lines_and_then_an_error() {
        let content = numbered(100_000);
        let packed = gz(content.as_bytes());
        let (text, end) = read_bytes(&packed[..packed.len() / 2]);
        assert!(content.starts_with(&text) && text.len() > content.len() / 4);
        assert!(end.unwrap_err().to_string().starts_with("the compressed data ends early"));
    }

    #[test]
    fn a_flipped_bit_in_a_gz_is_an_error() {
        let mut packed = gz(numbered(10).as_bytes());
        let crc = packed.len() - 8;
        packed[crc] ^= 1;
        let (text, end) = read_bytes(&packed);
        assert_eq!(text, numbered(10));
        assert!(end.unwrap_err().to_string().starts_with("the compressed data is damaged"));
    }

    #[test]
    fn a_pipe_is_read_to_its_end_with_its_last_line() {
        for content in [b"a\nb".to_vec(), gz(b"a\nb")] {
            let (reader, writer) = io::pipe().unwrap();
            let mut writer = File::from(std::os::fd::OwnedFd::from(writer));
            writer.write_all(&content).unwrap();
            drop(writer);
            let input = File::from(std::os::fd::OwnedFd::from(reader));
            let (text, unterminated) = read(Reader::of_standard_input(input).unwrap());
            assert_eq!(text, "a\nb\n");
            assert!(!unterminated.unwrap());
        }
    }

    #[test]
    fn a_file_as_standard_input_counts_its_last_line() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\nb").unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let (text, unterminated) = read(Reader::of_standard_input(file).unwrap());
        assert_eq!(text, "a\nb\n");
        assert!(!unterminated.unwrap());
    }

    /// The lines of each chunk, without what their runtime wrote around them.
    fn closed_chunks(mut reader: Reader) -> (Vec<String>, bool) {
        reader.chunk_bytes = 128;
        let (mut chunks, mut buffer) = (Vec::new(), Vec::new());
        while let Some(chunk) = reader.next_chunk(&mut buffer).unwrap() {
            if let Some(chunk) = reader.closed(chunk, &mut buffer, "cri:json".parse().unwrap()).unwrap() {
                assert_eq!(chunk.end - chunk.start, buffer.len() as u64);
                let tags = std::str::from_utf8(&buffer).unwrap().lines().map(|line| line.split(' ').nth(2).unwrap());
                chunks.push(tags.collect());
            }
        }
        (chunks, reader.unterminated())
    }

    #[test]
    fn a_line_in_pieces_is_in_one_chunk() {
        let log = |tags: &str| -> String {
            tags.chars().map(|tag| format!("2026-11-22T21:53:09Z stdout {tag} text\n")).collect()
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for (tags, chunks, unterminated) in [
            ("FPPFFFPF", vec!["F", "PPF", "FF", "PF"], false),
            ("FPPPPFF", vec!["F", "PPP", "PFF"], false),
            ("FFP", vec!["FF"], true),
        ] {
            fs::write(&path, log(tags)).unwrap();
            let (found, left) = closed_chunks(Reader::open(&path).unwrap());
            assert_eq!((found.join(" "), left), (chunks.join(" "), unterminated), "{tags}");
        }
        // An archive goes on no more; how much of it is read at once is no matter of the reader's.
        fs::write(&path, gz(log("FFP").as_bytes())).unwrap();
        assert_eq!(closed_chunks(Reader::open(&path).unwrap()), (vec!["FF".to_owned(), "P".to_owned()], false));
    }

    #[test]
    fn progress_ends_at_the_size() {
        let directory = tempfile::tempdir().unwrap();
        for content in [numbered(1000).into_bytes(), gz(numbered(1000).as_bytes())] {
            let path = directory.path().join("log");
            fs::write(&path, &content).unwrap();
            let mut reader = Reader::open(&path).unwrap();
            assert_eq!(reader.size_hint(), Some(content.len() as u64));
            let mut buffer = Vec::new();
            while reader.next_chunk(&mut buffer).unwrap().is_some() {}
            assert_eq!(reader.bytes_read(), content.len() as u64);
        }
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let error = format!("{:#}", Reader::open(Path::new("no/such.log")).err().unwrap());
        assert!(error.starts_with("cannot read no/such.log: "), "{error}");
        let error = format!("{:#}", Reader::open(Path::new("/")).err().unwrap());
        assert!(error.contains("it is a directory"), "{error}");
    }
}

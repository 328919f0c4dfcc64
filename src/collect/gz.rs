//! What a gz file holds, as a stream of bytes. Every member's CRC is checked on the way.
//! Whether a file is a gz is told by its first bytes, never by its name.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

use flate2::bufread::MultiGzDecoder;

use super::log::{ANCHOR_BYTES_MAX, Fingerprint};

/// A gz begins with these: its magic number, then "deflate".
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// Compressed bytes read at once.
const INPUT_BYTES: usize = 128 << 10;
/// Decompressed bytes looked at at once.
const BLOCK_BYTES: usize = 64 << 10;

pub(super) type Decoder = MultiGzDecoder<BufReader<FileAt>>;

pub(super) fn is_gz(file: &File) -> io::Result<bool> {
    let mut first = [0; MAGIC.len()];
    Ok(file.read_at(&mut first, 0)? == MAGIC.len() && first == MAGIC)
}

pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// A stream of the gz's content from its start.
pub(super) fn decoder(file: &File) -> io::Result<Decoder> {
    let input = FileAt { file: file.try_clone()?, offset: 0 };
    Ok(MultiGzDecoder::new(BufReader::with_capacity(INPUT_BYTES, input)))
}

/// Whether the trailer says that the content has this length. The trailer only speaks for the last member, and only up
/// to 4 GiB; that is enough to know an archive again whose file and head are known already.
pub(super) fn is_length(file: &File, len: u64) -> io::Result<bool> {
    let mut trailer = [0; 4];
    let start = file.metadata()?.len().saturating_sub(4);
    file.read_exact_at(&mut trailer, start)?;
    Ok(u64::from(u32::from_le_bytes(trailer)) == len)
}

/// Reads a file by its own offset, so that many readers may share one open file.
pub(super) struct FileAt {
    file: File,
    pub(super) offset: u64,
}

impl Read for FileAt {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// The content's length, and the fingerprints of the windows (at most 4 KiB) that end at each of `ends` and at the
/// very end; `None` where the content is shorter. An error when the gz is not complete and intact.
pub(super) fn survey(file: &File, ends: &[u64]) -> io::Result<(u64, Vec<Option<Fingerprint>>, Fingerprint)> {
    let mut decoder = decoder(file)?;
    let mut windows = vec![None; ends.len()];
    // The block at hand, behind the up to 4 KiB before it.
    let (mut recent, mut kept, mut len) = (Vec::with_capacity(ANCHOR_BYTES_MAX + BLOCK_BYTES), 0, 0u64);
    loop {
        let read = decoder.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut recent)?;
        let start = len;
        len += read as u64;
        for (end, window) in ends.iter().zip(&mut windows) {
            if window.is_none() && (start..=len).contains(end) {
                // `end - start` is at most a block.
                let to = kept + (end - start) as usize;
                *window = Some(Fingerprint::of(&recent[to.saturating_sub(ANCHOR_BYTES_MAX)..to]));
            }
        }
        recent.drain(..recent.len().saturating_sub(ANCHOR_BYTES_MAX));
        kept = recent.len();
        if read == 0 {
            return Ok((len, windows, Fingerprint::of(&recent)));
        }
    }
}

//! What a file holds, as far as telling logs apart needs it: the content's length, its head, and the windows
//! before given offsets. A compressed file counts as what it holds.
//! This file never changes what is known of a log.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use memchr::memrchr;

use super::lines::fill;
use super::log::{ANCHOR_BYTES_MAX, Fingerprint, HEAD_BYTES_MAX, Stamp};
use super::packed::Packing;
use crate::day::Minute;

/// How much is searched at once for the last line's end.
const SEARCH_BYTES: u64 = 64 << 10;

/// An open file that may hold a log.
pub(super) struct Content {
    pub(super) file: File,
    pub(super) metadata: Metadata,
    pub(super) packing: Option<Packing>,
}

/// One look at a content.
pub(super) struct Survey {
    pub(super) len: u64,
    /// The at most 4 KiB before each offset asked for; `None` where the content is shorter.
    pub(super) windows: Vec<Option<Fingerprint>>,
    /// The window that ends with the content.
    pub(super) end: Fingerprint,
}

impl Content {
    pub(super) fn open(path: &Path) -> io::Result<Content> {
        Content::of(File::open(path)?)
    }

    pub(super) fn of(file: File) -> io::Result<Content> {
        let (metadata, packing) = (file.metadata()?, Packing::of_file(&file)?);
        Ok(Content { file, metadata, packing })
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp::of(&self.metadata)
    }

    /// The content's first bytes, at most 1 KiB.
    pub(super) fn head(&self) -> io::Result<Vec<u8>> {
        first_bytes(&self.file, self.packing, HEAD_BYTES_MAX)
    }

    /// For a compressed file this reads all of it; an error of kind [`is_unfinished`] where it is not whole.
    pub(super) fn survey(&self, ends: &[u64]) -> io::Result<Survey> {
        if let Some(packing) = self.packing {
            let (len, windows, end) = packing.survey(&self.file, ends)?;
            return Ok(Survey { len, windows, end });
        }
        let len = self.file.metadata()?.len();
        let windows = ends.iter().map(|end| window(&self.file, *end)).collect::<io::Result<_>>()?;
        // None only if the file shrank just now: then it compares equal with nothing.
        let end = window(&self.file, len)?.unwrap_or_default();
        Ok(Survey { len, windows, end })
    }
}

/// Whether the error says that a compressed file is cut short or damaged, rather than that the disk failed.
pub(super) fn is_unfinished(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
}

pub(super) fn first_bytes(file: &File, packing: Option<Packing>, limit: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    match packing {
        Some(packing) => packing.decoder(file)?.take(limit as u64).read_to_end(&mut head).map(drop)?,
        None => fill(file, 0, limit, &mut head)?,
    }
    Ok(head)
}

/// The fingerprint of the bytes before `end`, at most 4 KiB; `None` where the plain file is shorter.
pub(super) fn window(file: &File, end: u64) -> io::Result<Option<Fingerprint>> {
    Ok(window_bytes(file, end)?.map(|bytes| Fingerprint::of(&bytes)))
}

pub(super) fn window_bytes(file: &File, end: u64) -> io::Result<Option<Vec<u8>>> {
    let start = end.saturating_sub(ANCHOR_BYTES_MAX as u64);
    // At most 4 KiB.
    let len = (end - start) as usize;
    let mut bytes = Vec::new();
    if len > 0 {
        fill(file, start, len, &mut bytes)?;
    }
    Ok((bytes.len() == len).then_some(bytes))
}

/// The last 4 KiB of two runs of bytes that follow each other.
pub(super) fn joined(before: &[u8], after: &[u8]) -> Vec<u8> {
    let after = &after[after.len().saturating_sub(ANCHOR_BYTES_MAX)..];
    let wanted = ANCHOR_BYTES_MAX - after.len();
    [&before[before.len().saturating_sub(wanted)..], after].concat()
}

/// What was passed over, as far as a window needs it.
pub(super) fn nuls(count: u64) -> Vec<u8> {
    vec![0; usize::try_from(count).unwrap_or(ANCHOR_BYTES_MAX).min(ANCHOR_BYTES_MAX)]
}

/// The minute at which the file was last written to, as far as its file system knows.
pub(super) fn modified(file: &File) -> Option<Minute> {
    let modified = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
    Some(Minute::at(modified.into()))
}

/// Where the last whole line ends that begins before `limit`, and the head and the anchor of what is before it. The last
/// line of a compressed content is always whole.
pub(super) fn last_line_end(
    content: &Content,
    survey: &Survey,
    limit: u64,
) -> io::Result<(u64, Fingerprint, Fingerprint)> {
    let mut offset = survey.len;
    if content.packing.is_none() {
        offset = offset.min(limit);
        let mut block = Vec::new();
        while offset > 0 {
            let start = offset.saturating_sub(SEARCH_BYTES);
            // At most the search block.
            fill(&content.file, start, (offset - start) as usize, &mut block)?;
            if let Some(last) = memrchr(b'\n', &block) {
                offset = start + last as u64 + 1;
                break;
            }
            offset = start;
        }
    }
    let anchor = match content.packing {
        Some(_) => survey.end,
        None => window(&content.file, offset)?.unwrap_or_default(),
    };
    let mut head = content.head()?;
    head.truncate(usize::try_from(offset).unwrap_or(HEAD_BYTES_MAX));
    Ok((offset, Fingerprint::of(&head), anchor))
}

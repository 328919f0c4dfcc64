//! What a file holds, as far as telling logs apart needs it: the content's length, its head, and the windows
//! before given offsets. A gz counts as what it holds.
//! This file never changes what is known of a log.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use super::gz;
use super::lines::fill;
use super::log::{ANCHOR_BYTES_MAX, Fingerprint, HEAD_BYTES_MAX, Stamp};

/// An open file that may hold a log.
pub(super) struct Content {
    pub(super) file: File,
    pub(super) metadata: Metadata,
    pub(super) is_gz: bool,
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
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let is_gz = gz::is_gz(&file)?;
        Ok(Content { file, metadata, is_gz })
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp::of(&self.metadata)
    }

    /// The content's first bytes, at most 1 KiB.
    pub(super) fn head(&self) -> io::Result<Vec<u8>> {
        first_bytes(&self.file, self.is_gz, HEAD_BYTES_MAX)
    }

    /// For a gz this reads all of it; an error of kind [`is_unfinished`] where it is not whole.
    pub(super) fn survey(&self, ends: &[u64]) -> io::Result<Survey> {
        if self.is_gz {
            let (len, windows, end) = gz::survey(&self.file, ends)?;
            return Ok(Survey { len, windows, end });
        }
        let len = self.file.metadata()?.len();
        let windows = ends.iter().map(|end| window(&self.file, *end)).collect::<io::Result<_>>()?;
        // None only if the file shrank just now: then it compares equal with nothing.
        let end = window(&self.file, len)?.unwrap_or_default();
        Ok(Survey { len, windows, end })
    }
}

/// Whether the error says that a gz is cut short or damaged, rather than that the disk failed.
pub(super) fn is_unfinished(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
}

pub(super) fn first_bytes(file: &File, is_gz: bool, limit: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    if is_gz {
        gz::decoder(file)?.take(limit as u64).read_to_end(&mut head)?;
    } else {
        fill(file, 0, limit, &mut head)?;
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

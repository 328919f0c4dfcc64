//! A log that is read out of a compressed file: unpacked from its start up to the mark, then on.
//! This file never decides which log an archive holds.

use std::fs::File;
use std::io::{self, Read};

use super::lines::LineStream;
use super::log::{Fingerprint, LogMark};
use super::packed::{Decoder, Packing};

/// A log that is read out of a compressed file.
pub(super) struct Archive {
    pub(super) packing: Packing,
    /// The window that ends with the content.
    pub(super) end: Fingerprint,
    /// Open while it is being read, with the at most 4 KiB before its position.
    pub(super) stream: Option<(LineStream<Decoder>, Vec<u8>)>,
}

/// A stream of the archive's lines from the mark on.
pub(super) fn open_archive(
    packing: Packing,
    file: &File,
    mark: &LogMark,
    limit: usize,
) -> io::Result<(LineStream<Decoder>, Vec<u8>)> {
    let mut decoder = packing.decoder(file)?;
    let anchor_len = u64::from(mark.anchor.len);
    io::copy(&mut decoder.by_ref().take(mark.offset - anchor_len), &mut io::sink())?;
    let mut before = Vec::new();
    decoder.by_ref().take(anchor_len).read_to_end(&mut before)?;
    if Fingerprint::of(&before) != mark.anchor && mark.offset > 0 {
        return Err(io::Error::other("the archive no longer holds what was read from it"));
    }
    Ok((LineStream::new(decoder, mark.offset, limit), before))
}

//! What a compressed log holds, as a stream of bytes: gzip of any number of members, zstd of any number of frames. Every
//! checksum is verified on the way. Whether a file is compressed is told by its first bytes, never by its name.
//! This file never writes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstDecoder;
use zstd::zstd_safe::get_frame_content_size;

use super::log::{ANCHOR_BYTES_MAX, Fingerprint};

/// A gz begins with these: its magic number, then "deflate".
const GZ_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const ZST_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A zstd frame's header has at most this many bytes.
const ZST_HEADER_BYTES_MAX: usize = 18;
/// Compressed bytes read at once.
const INPUT_BYTES: usize = 128 << 10;
/// Decompressed bytes looked at at once.
const BLOCK_BYTES: usize = 64 << 10;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gz,
    Zst,
}

impl Packing {
    /// Told by a file's first bytes.
    pub(super) fn of(first: &[u8]) -> Option<Packing> {
        if first.starts_with(&GZ_MAGIC) {
            Some(Packing::Gz)
        } else {
            first.starts_with(&ZST_MAGIC).then_some(Packing::Zst)
        }
    }

    pub(super) fn of_file(file: &File) -> io::Result<Option<Packing>> {
        let mut first = [0; ZST_MAGIC.len()];
        let read = file.read_at(&mut first, 0)?;
        Ok(Packing::of(&first[..read]))
    }

    /// A stream of what `input` holds, from its start.
    pub(super) fn unpack<R: BufRead>(self, input: R) -> io::Result<Unpacked<R>> {
        Ok(match self {
            Packing::Gz => Unpacked::Gz(Box::new(MultiGzDecoder::new(input))),
            Packing::Zst => Unpacked::Zst(ZstDecoder::with_buffer(input)?),
        })
    }

    /// A stream of the file's content from its start.
    pub(super) fn decoder(self, file: &File) -> io::Result<Decoder> {
        let input = FileAt { file: file.try_clone()?, offset: 0 };
        self.unpack(BufReader::with_capacity(INPUT_BYTES, input))
    }

    /// Whether the file itself says that its content has this length. A gz speaks only for its last member, a zst for its
    /// first frame, and only up to 4 GiB; that is enough to know an archive again whose file and head are known already.
    pub(super) fn says_length(self, file: &File, len: u64) -> io::Result<bool> {
        Ok(match self {
            Packing::Gz => {
                let mut trailer = [0; 4];
                let start = file.metadata()?.len().saturating_sub(4);
                file.read_exact_at(&mut trailer, start)?;
                u64::from(u32::from_le_bytes(trailer)) == len
            }
            Packing::Zst => {
                let mut header = [0; ZST_HEADER_BYTES_MAX];
                let read = file.read_at(&mut header, 0)?;
                matches!(get_frame_content_size(&header[..read]), Ok(Some(said)) if said == len)
            }
        })
    }

    /// The content's length, and the fingerprints of the windows (at most 4 KiB) that end at each of `ends` and at the
    /// very end; `None` where the content is shorter. An error when the file is not complete and intact.
    pub(super) fn survey(self, file: &File, ends: &[u64]) -> io::Result<(u64, Vec<Option<Fingerprint>>, Fingerprint)> {
        let mut decoder = self.decoder(file)?;
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
}

pub(super) type Decoder = Unpacked<BufReader<FileAt>>;

/// The decompressed bytes of `R`. A stream that ends early is an `UnexpectedEof`, one that makes no sense `InvalidData` or
/// `InvalidInput`.
pub(super) enum Unpacked<R: BufRead> {
    Gz(Box<MultiGzDecoder<R>>),
    Zst(ZstDecoder<'static, R>),
}

impl<R: BufRead> Unpacked<R> {
    pub(super) fn input(&self) -> &R {
        match self {
            Unpacked::Gz(decoder) => decoder.get_ref(),
            Unpacked::Zst(decoder) => decoder.get_ref(),
        }
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacked::Gz(decoder) => decoder.read(buffer),
            // Its library says "other" of damaged data.
            Unpacked::Zst(decoder) => decoder.read(buffer).map_err(|error| match error.kind() {
                io::ErrorKind::Other => io::Error::new(io::ErrorKind::InvalidData, error),
                _ => error,
            }),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(packing: Packing, content: &[u8]) -> Vec<u8> {
        match packing {
            Packing::Gz => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Zst => {
                let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
                // As the command does.
                encoder.include_checksum(true).unwrap();
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn packings_are_told_by_their_first_bytes() {
        for packing in [Packing::Gz, Packing::Zst] {
            assert_eq!(Packing::of_file(&file(&packed(packing, b"a\n"))).unwrap(), Some(packing));
        }
        for plain in [&b""[..], b"{", b"plain\n", &GZ_MAGIC[..2], &ZST_MAGIC[..3]] {
            assert_eq!(Packing::of_file(&file(plain)).unwrap(), None, "{plain:?}");
        }
    }

    #[test]
    fn members_and_frames_are_one_content() {
        for packing in [Packing::Gz, Packing::Zst] {
            let both = file(&[packed(packing, b"one\n"), packed(packing, b"two\n")].concat());
            let mut content = String::new();
            packing.decoder(&both).unwrap().read_to_string(&mut content).unwrap();
            assert_eq!(content, "one\ntwo\n", "{packing:?}");
            let (len, windows, end) = packing.survey(&both, &[4, 8, 9]).unwrap();
            assert_eq!((len, end), (8, Fingerprint::of(b"one\ntwo\n")));
            assert_eq!(windows, [Some(Fingerprint::of(b"one\n")), Some(end), None]);
        }
    }

    #[test]
    fn what_is_cut_short_or_damaged_is_an_error() {
        let content = b"a line that is long enough to be packed\n".repeat(1000);
        for packing in [Packing::Gz, Packing::Zst] {
            let whole = packed(packing, &content);
            for len in 5..whole.len() {
                let error = packing.survey(&file(&whole[..len]), &[]).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{packing:?} {len}: {error}");
            }
            let mut damaged = whole.clone();
            let middle = whole.len() / 2;
            damaged[middle] ^= 0x55;
            assert!(packing.survey(&file(&damaged), &[]).is_err());
        }
    }

    #[test]
    fn a_file_tells_the_length_of_what_it_holds() {
        for packing in [Packing::Gz, Packing::Zst] {
            let whole = file(&packed(packing, &[b'x'; 5000]));
            // This is a stream, which does not know its length before it ends.
            assert_eq!(packing.says_length(&whole, 5000).unwrap(), packing == Packing::Gz);
            assert!(!packing.says_length(&whole, 4999).unwrap());
        }
        let known = file(&zstd::bulk::compress(&[b'x'; 5000], 1).unwrap());
        assert!(Packing::Zst.says_length(&known, 5000).unwrap());
    }
}

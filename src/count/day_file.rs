//! A day's rows and footer become the bytes of one Parquet file, and back. Two checksums seal it: one over the
//! rows' bytes, one over the metadata, so that a flipped bit is an answer and never other counts.
//! This file never writes to disk.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use polars::io::mmap::MmapBytesReader;
use polars::prelude::{
    DataFrame, KeyValueMetadata, ParallelStrategy, ParquetCompression, ParquetReader, ParquetWriter, SerReader,
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::completeness::{Completeness, Reason};
use super::tally::Tally;
use crate::collect::log::LogMark;
use crate::day::Day;

/// The footer's version that this program writes. It reads version 1 too, which had no checksums and reasons
/// without bounds.
pub(super) const FOOTER_VERSION: u32 = 2;
/// The footer's key in the Parquet metadata.
const FOOTER_KEY: &str = "daycap";

/// What precedes each checksum in the footer's JSON. In any text inside the JSON the quotes would be escaped, and
/// what follows the footer in the file holds none.
const ROWS_SEAL: &str = "\"rows_xxh3\":\"";
const FOOTER_SEAL: &str = "\"footer_xxh3\":\"";
/// A checksum's 16 hex digits before it is known, and while the footer's own is computed.
const UNSEALED: &str = "0000000000000000";
/// Parquet ends in the metadata's length, 4 bytes, and a magic word of 4.
const END_BYTES: usize = 8;

/// What a day file says of itself, under the key `daycap` of its Parquet metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    pub host: String,
    pub day: Day,
    /// How many are in this file; `None` where an older version wrote it.
    pub requests: Option<u64>,
    /// Every line of these logs that starts below the mark's offset and belongs to this day is in this file.
    pub marks: Vec<LogMark>,
    pub completeness: Completeness,
}

/// The footer as it is written. Every later version keeps `version` and `footer_xxh3`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    /// xxh3 of the file's bytes before the metadata.
    rows_xxh3: String,
    /// xxh3 of the file's bytes from the metadata to the end, with zeros in this place.
    footer_xxh3: String,
    host: String,
    day: Day,
    requests: u64,
    marks: Vec<LogMark>,
    completeness: Completeness,
}

/// The footer as version 1 wrote it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenV1 {
    #[serde(rename = "version")]
    _version: u32,
    host: String,
    day: Day,
    marks: Vec<LogMark>,
    completeness: CompletenessV1,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum CompletenessV1 {
    Exact,
    AtLeast { reasons: Vec<String> },
}

impl WrittenV1 {
    /// A reason without bounds speaks of its whole day.
    fn upgraded(self) -> Footer {
        let mut completeness = Completeness::Exact;
        if let CompletenessV1::AtLeast { reasons } = self.completeness {
            completeness.add(reasons.into_iter().map(|what| Reason::of_day(self.day, what)));
        }
        Footer { host: self.host, day: self.day, requests: None, marks: self.marks, completeness }
    }
}

/// Why a day file gives no rows.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is not a day file of daycap, or damaged: {0}")]
    Corrupt(String),
    #[error("it has version {0}, which a newer daycap wrote; this one reads version {FOOTER_VERSION}")]
    Newer(u32),
}

/// A day file's content.
#[derive(Debug)]
pub(super) struct DayFile {
    pub footer: Footer,
    pub rows: DataFrame,
}

/// The footer of a day file; its rows are not looked at.
pub(super) fn read_footer(path: &Path) -> Result<Footer, ReadError> {
    let mut file = File::open(path)?;
    unbroken(&read_metadata(&mut file)?, None)?;
    understood(|| settle(&footer_json(&mut ParquetReader::new(file))?))
}

/// A day file's footer and rows, all columns of them or these.
pub(super) fn read_day(path: &Path, columns: Option<&[&str]>) -> Result<DayFile, ReadError> {
    let bytes = fs::read(path)?;
    let at = metadata_start(&bytes).ok_or_else(|| corrupt("it has no end"))?;
    unbroken(&bytes[at..], Some(&bytes[..at]))?;
    understood(|| {
        let footer = settle(&footer_json(&mut ParquetReader::new(Cursor::new(&bytes[..])))?)?;
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        // Files are read in parallel where many are; threads inside one would only get in their way.
        let reader = ParquetReader::new(Cursor::new(bytes)).with_columns(columns);
        let rows = reader.read_parallel(ParallelStrategy::None).set_rechunk(true).finish().map_err(corrupt)?;
        Ok(DayFile { footer, rows })
    })
}

/// A day file's footer and rows, as a tally to add to.
pub(super) fn read_tally(path: &Path) -> Result<(Footer, Tally), ReadError> {
    let file = read_day(path, None)?;
    let rows = understood(|| Tally::of_ledger_rows(&file.rows).map_err(corrupt))?;
    Ok((file.footer, rows))
}

/// The file's bytes: rows and footer, sealed.
pub(super) fn encode(rows: &mut DataFrame, footer: &Footer) -> anyhow::Result<Vec<u8>> {
    let written = Written {
        version: FOOTER_VERSION,
        rows_xxh3: UNSEALED.to_owned(),
        footer_xxh3: UNSEALED.to_owned(),
        host: footer.host.clone(),
        day: footer.day,
        requests: footer.requests.unwrap_or_default(),
        marks: footer.marks.clone(),
        completeness: footer.completeness.clone(),
    };
    let mut bytes = parquet(rows, serde_json::to_string(&written)?)?;
    let at = metadata_start(&bytes).expect("what was just written has an end");
    let of_rows = xxh3_64(&bytes[..at]);
    seal(&mut bytes[at..], ROWS_SEAL, of_rows);
    let of_footer = footer_checksum(&bytes[at..]).expect("what was just written has a place for it");
    seal(&mut bytes[at..], FOOTER_SEAL, of_footer);
    Ok(bytes)
}

fn parquet(rows: &mut DataFrame, footer: String) -> anyhow::Result<Vec<u8>> {
    let pairs = vec![(FOOTER_KEY.to_owned(), footer)];
    let mut bytes = Vec::new();
    let writer = ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Zstd(None));
    writer.with_key_value_metadata(Some(KeyValueMetadata::from_static(pairs))).finish(rows)?;
    Ok(bytes)
}

/// A decoder may panic on damaged bytes; here that is an answer like any other.
fn understood<T>(read: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(ReadError::Corrupt("its bytes make no sense".into())))
}

fn corrupt(error: impl std::fmt::Display) -> ReadError {
    ReadError::Corrupt(error.to_string())
}

fn footer_json<R: MmapBytesReader>(reader: &mut ParquetReader<R>) -> Result<String, ReadError> {
    let metadata = reader.get_metadata().map_err(corrupt)?;
    let pairs = metadata.key_value_metadata().iter().flatten();
    let json = pairs.filter(|pair| pair.key == FOOTER_KEY).find_map(|pair| pair.value.clone());
    json.ok_or_else(|| corrupt("its metadata has no \"daycap\""))
}

/// Whether the file's bytes are those that were written, where they are sealed. Asked before anything else: what is
/// damaged is not worth decoding, and a damaged version must not look like a newer daycap.
fn unbroken(metadata: &[u8], rows: Option<&[u8]>) -> Result<(), ReadError> {
    let is_whole = |seal, sum: Option<u64>| {
        sealed(metadata, seal).is_none_or(|digits| sum.is_some_and(|sum| hex(sum).as_bytes() == digits))
    };
    if !is_whole(FOOTER_SEAL, footer_checksum(metadata)) {
        return Err(corrupt("its footer's checksum differs"));
    }
    match rows {
        Some(rows) if !is_whole(ROWS_SEAL, Some(xxh3_64(rows))) => Err(corrupt("its rows' checksum differs")),
        _ => Ok(()),
    }
}

/// The footer of its text. One that has lost its seals to damage lacks fields, or has some that no version had.
fn settle(json: &str) -> Result<Footer, ReadError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_str(json).map_err(corrupt)?;
    match version {
        FOOTER_VERSION => {
            let written: Written = serde_json::from_str(json).map_err(corrupt)?;
            let Written { host, day, requests, marks, completeness, .. } = written;
            Ok(Footer { host, day, requests: Some(requests), marks, completeness })
        }
        1 => serde_json::from_str(json).map(WrittenV1::upgraded).map_err(corrupt),
        newer if newer > FOOTER_VERSION => Err(ReadError::Newer(newer)),
        unknown => Err(corrupt(format!("it says version {unknown}, which no daycap wrote"))),
    }
}

/// Where the metadata begins; `None` where the end says nothing that can be.
fn metadata_start(bytes: &[u8]) -> Option<usize> {
    let end = bytes.len().checked_sub(END_BYTES)?;
    let length = u32::from_le_bytes(bytes[end..end + 4].try_into().ok()?);
    end.checked_sub(usize::try_from(length).ok()?)
}

/// The file's bytes from the metadata to the end.
fn read_metadata(file: &mut File) -> Result<Vec<u8>, ReadError> {
    let length = file.metadata()?.len();
    let mut end = [0; END_BYTES];
    let Some(at) = length.checked_sub(END_BYTES as u64) else { return Err(corrupt("it has no end")) };
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut end)?;
    let [a, b, c, d, ..] = end;
    let start = at.checked_sub(u64::from(u32::from_le_bytes([a, b, c, d])));
    file.seek(SeekFrom::Start(start.ok_or_else(|| corrupt("it has no end"))?))?;
    let mut metadata = Vec::new();
    file.read_to_end(&mut metadata)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(metadata)
}

/// Where the digits of the last such seal are.
fn place(bytes: &[u8], seal: &str) -> Option<usize> {
    let at = memchr::memmem::rfind(bytes, seal.as_bytes())? + seal.len();
    (at + UNSEALED.len() <= bytes.len()).then_some(at)
}

fn sealed<'a>(bytes: &'a [u8], seal: &str) -> Option<&'a [u8]> {
    let at = place(bytes, seal)?;
    Some(&bytes[at..at + UNSEALED.len()])
}

fn seal(bytes: &mut [u8], seal: &str, checksum: u64) {
    let at = place(bytes, seal).expect("a footer that is written has both seals");
    bytes[at..at + UNSEALED.len()].copy_from_slice(hex(checksum).as_bytes());
}

/// Of the metadata, with zeros where its own checksum is.
fn footer_checksum(metadata: &[u8]) -> Option<u64> {
    let at = place(metadata, FOOTER_SEAL)?;
    let mut sum = Xxh3::new();
    sum.update(&metadata[..at]);
    sum.update(UNSEALED.as_bytes());
    sum.update(&metadata[at + UNSEALED.len()..]);
    Some(sum.digest())
}

fn hex(checksum: u64) -> String {
    format!("{checksum:016x}")
}

/// A file that a daycap of another day might write.
#[cfg(test)]
pub(super) fn of_a_newer_version(rows: &mut DataFrame) -> Vec<u8> {
    parquet(rows, r#"{"version":3,"more":true}"#.to_owned()).expect("encodes")
}

/// A file of a lower bound, as daycap 0.1.0 wrote it.
#[cfg(test)]
pub(super) fn of_version_1(rows: &mut DataFrame, day: Day) -> Vec<u8> {
    let completeness = r#"{"kind":"at_least","reasons":["cut"]}"#;
    let json = format!(r#"{{"version":1,"host":"web-1","day":"{day}","marks":[],"completeness":{completeness}}}"#);
    parquet(rows, json).expect("encodes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::sample::{decoded, sample};
    use crate::count::tally::Tally;
    use std::path::PathBuf;

    fn day() -> Day {
        "2026-11-22".parse().unwrap()
    }

    fn rows() -> DataFrame {
        let mut tally = Tally::default();
        tally.add(&mut decoded(&[
            sample("2026-11-22T10:00:00Z", "/a", 200, 1),
            sample("2026-11-22T10:01:00Z", "/a", 200, 7),
            sample("2026-11-22T11:00:00Z", "/größe", 404, 2),
        ]));
        tally.ledger_rows("web-1")
    }

    fn footer() -> Footer {
        let mut completeness = Completeness::Exact;
        completeness.add([Reason::of_day(day(), "a \"footer_xxh3\":\"0123\" in a text".to_owned())]);
        Footer { host: "web-1".to_owned(), day: day(), requests: Some(3), marks: Vec::new(), completeness }
    }

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web-1.parquet");
        fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    /// A file whose footer is this text, without seals.
    fn unsealed(json: &str) -> (tempfile::TempDir, PathBuf) {
        file(&parquet(&mut rows(), json.to_owned()).unwrap())
    }

    #[test]
    fn what_is_encoded_is_read() {
        let (_dir, path) = file(&encode(&mut rows(), &footer()).unwrap());
        let read = read_day(&path, None).unwrap();
        assert_eq!(read.footer, footer());
        assert!(read.rows.equals_missing(&rows()));
        assert_eq!(read_footer(&path).unwrap(), footer());
        assert_eq!(read_day(&path, Some(&["units"])).unwrap().rows.width(), 1);
    }

    #[test]
    fn a_day_without_rows_is_a_file_too() {
        let mut none = Tally::default().ledger_rows("web-1");
        let (_dir, path) = file(&encode(&mut none, &footer()).unwrap());
        assert_eq!(read_day(&path, None).unwrap().rows.height(), 0);
    }

    /// The reason for the checksums: a column's bytes that are damaged can still be decoded, to other numbers.
    #[test]
    fn no_flipped_byte_gives_other_rows_or_another_footer() {
        let whole = encode(&mut rows(), &footer()).unwrap();
        let (_dir, path) = file(&whole);
        for at in 0..whole.len() {
            let mask = [0x01, 0x03, 0x80][at % 3];
            let mut bytes = whole.clone();
            bytes[at] ^= mask;
            fs::write(&path, &bytes).unwrap();
            assert!(matches!(read_day(&path, None), Err(ReadError::Corrupt(_))), "byte {at} ^ {mask}");
            if let Ok(read) = read_footer(&path) {
                assert_eq!(read, footer(), "byte {at} ^ {mask}");
            }
        }
    }

    #[test]
    fn no_cut_file_is_read() {
        let whole = encode(&mut rows(), &footer()).unwrap();
        let (_dir, path) = file(&whole);
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(read_day(&path, None), Err(ReadError::Corrupt(_))), "{length} bytes");
            assert!(matches!(read_footer(&path), Err(ReadError::Corrupt(_))), "{length} bytes");
        }
    }

    #[test]
    fn a_reason_of_version_1_speaks_of_its_whole_day() {
        let (_dir, path) = file(&of_version_1(&mut rows(), day()));
        let read = read_day(&path, None).unwrap();
        assert_eq!(read.footer.completeness.reasons(), [Reason::of_day(day(), "cut".to_owned())]);
        assert_eq!((read.footer.requests, read.rows.height()), (None, 3));
        let (_dir, path) =
            unsealed(r#"{"version":1,"host":"web-1","day":"2026-11-22","marks":[],"completeness":{"kind":"exact"}}"#);
        assert!(read_footer(&path).unwrap().completeness.is_exact());
    }

    #[test]
    fn a_version_that_never_was_is_not_understood_and_a_later_one_is_refused() {
        let (_dir, path) = unsealed(r#"{"version":0,"host":"web-1"}"#);
        let error = read_footer(&path).unwrap_err();
        assert!(matches!(&error, ReadError::Corrupt(what) if what.contains("version 0")), "{error}");
        let (_dir, path) = unsealed(r#"{"version":3,"host":"web-1"}"#);
        assert!(matches!(read_footer(&path), Err(ReadError::Newer(3))));
        let (_dir, path) = unsealed(r#"{"version":3,"footer_xxh3":"0123456789abcdef"}"#);
        assert!(matches!(read_footer(&path), Err(ReadError::Corrupt(_))), "a damaged version is not a newer one");
    }
}

//! What must hold for any bytes: one function a target. libFuzzer calls them (`fuzz_targets/`), and so does the stable
//! test `tests/fuzz_corpus.rs`. A function that returns has found nothing; one that panics has.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use daycap::collect::decode::{Decoder, closed_end, detect};
use daycap::collect::lines::{LineStream, read_file};
use daycap::collect::log::{Fingerprint, LogId, LogMark};
use daycap::collect::request::{Decoded, Series, unpack};
use daycap::collect::{Chunk, Format, Reading};
use daycap::count::ledger::{Completeness, Footer, Ledger};
use daycap::count::query;
use daycap::count::tally::Tally;
use daycap::day::{Day, Minute};
use daycap::state::{self, Loaded, State};

#[path = "otlp.rs"]
mod otlp;

pub use otlp::otlp;

pub type Target = fn(&[u8]);

/// Each target by the name of its corpus.
pub const ALL: [(&str, Target); 6] =
    [("lines", lines), ("json", json), ("formats", formats), ("otlp", otlp), ("state", state), ("footer", footer)];

// ---- lines ----

/// However a log is cut into chunks and however little a read gives, its lines are the same, each with its end. The
/// first byte is how long a line may be, the second how much a read gives; the rest is the log.
pub fn lines(data: &[u8]) {
    let [limit, step, content @ ..] = data else { return };
    let (limit, step) = (usize::from(*limit).max(2), usize::from(*step).max(1));
    let expected = expected_lines(content, limit);
    assert_eq!(lines_of_stream(content, limit, step), expected, "a stream, cut at {limit}, read by {step}");
    assert_eq!(lines_of_file(content, limit), expected, "a file, cut at {limit}");
}

/// A line without its LF and the NULs before it, and the offset behind it.
type Line = (Vec<u8>, u64);

fn expected_lines(content: &[u8], limit: usize) -> Vec<Line> {
    let mut end = 0;
    let whole = content.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let line = |line: &[u8]| {
        end += line.len() as u64;
        // NULs before a line that is too long with them are a hole.
        let line = if line.len() > limit { without_nuls(line) } else { line };
        let kept = line.len().min(limit) - 1;
        (without_nuls(&line[..kept]).to_vec(), end)
    };
    whole.map(line).collect()
}

fn without_nuls(line: &[u8]) -> &[u8] {
    &line[line.iter().take_while(|byte| **byte == 0).count()..]
}

fn add_lines(chunk: &Chunk, bytes: &[u8], lines: &mut Vec<Line>) {
    assert_eq!(bytes.last(), Some(&b'\n'), "a chunk ends with a line");
    let mut end = chunk.start;
    let whole: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for line in &whole {
        // A line that was cut short comes alone, and ends where it would.
        end = if whole.len() == 1 { chunk.end } else { end + line.len() as u64 };
        lines.push((without_nuls(&line[..line.len() - 1]).to_vec(), end));
    }
    assert_eq!(end, chunk.end, "a chunk ends where its last line does");
}

/// Gives at most `step` bytes at once.
struct Trickle<'a> {
    rest: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (now, later) = self.rest.split_at(self.step.min(self.rest.len()).min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        self.rest = later;
        Ok(now.len())
    }
}

fn lines_of_stream(content: &[u8], limit: usize, step: usize) -> Vec<Line> {
    let mut stream = LineStream::new(Trickle { rest: content, step }, 0, limit);
    let (mut lines, mut buffer) = (Vec::new(), Vec::new());
    while let Some(chunk) = stream.next_chunk(&mut buffer).expect("memory is readable") {
        add_lines(&chunk, &buffer, &mut lines);
    }
    let whole = lines.last().map_or(0, |(_, end)| *end as usize);
    match stream.take_unterminated(&mut buffer) {
        Some(rest) => {
            assert_eq!(rest.end, content.len() as u64, "what has no LF goes to the end");
            let passed_over = &content[whole..rest.start as usize];
            assert!(without_nuls(passed_over).is_empty(), "only NULs are passed over");
        }
        None => assert!(without_nuls(&content[whole..]).is_empty(), "what has no LF is left"),
    }
    lines
}

fn lines_of_file(content: &[u8], limit: usize) -> Vec<Line> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(content).expect("writes");
    let (mut lines, mut start, mut searched, mut buffer) = (Vec::new(), 0, 0, Vec::new());
    while let Some(chunk) = read_file(&file, start, limit, &mut searched, &mut buffer).expect("reads") {
        let passed_over = &content[start as usize..chunk.start as usize];
        assert!(without_nuls(passed_over).is_empty(), "chunks follow each other, but for NULs");
        add_lines(&chunk, &buffer, &mut lines);
        start = chunk.end;
    }
    lines
}

// ---- decoders ----

/// Templates only save time: the parser reads the same in the same log, and so do they in any two chunks of it.
pub fn json(data: &[u8]) {
    let reading = reading(Format::JSON);
    let whole = decoded(data, &mut [(Decoder::new(&reading, "app".into()), data.len())]);
    let by_parser = decoded(data, &mut [(Decoder::without_templates(&reading, "app".into()), data.len())]);
    assert_eq!(whole, by_parser, "by template, and by parser");
    check_chunks(data, &reading, &whole);
}

/// In any format: what becomes of a line, joined or not, depends on nothing but the log, as long as it is cut where no
/// line is in pieces. The first byte chooses the format; the rest is the log.
pub fn formats(data: &[u8]) {
    let [choice, log @ ..] = data else { return };
    let format: Format = FORMATS[usize::from(choice.wrapping_sub(b'0')) % FORMATS.len()].parse().expect("a format");
    let reading = reading(format);
    // Any bytes may be asked for their format.
    drop(detect(log, &Reading::unsettled(reading.zone)));
    let fresh = || Decoder::new(&reading, "app".into());
    let whole = decoded(log, &mut [(fresh(), log.len())]);
    let lines = log[..log.len() / 2].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let cut = closed_end(&log[..lines], format);
    assert_eq!(closed_end(&log[..cut], format), cut, "where a chunk may end, it ends");
    let parts = decoded(log, &mut [(fresh(), cut), (fresh(), log.len() - cut)]);
    assert_eq!(parts, whole, "in two chunks, and in one, as {format}");
}

/// As `0` and what follows it in ASCII, so that a corpus can be read.
const FORMATS: [&str; 17] = [
    "docker:json",
    "cri:json",
    "journald:json",
    "syslog:json",
    "compose:json",
    "cri:combined",
    "syslog:docker:json",
    "journald:docker:json",
    "docker:cri:json",
    "compose:syslog:cri:combined",
    "combined",
    "haproxy",
    "squid",
    "alb",
    "envoy",
    "logfmt",
    "text",
];

fn reading(format: Format) -> Reading {
    let zone = "Europe/Berlin".parse().expect("a zone");
    Reading { format: Some(format), zone, ..Reading::unsettled(zone) }
}

/// Two chunks with a decoder of their own each are read as one.
fn check_chunks(data: &[u8], reading: &Reading, whole: &(Vec<Row>, [u64; 3])) {
    let middle = data.len() / 2;
    let cut = data[..middle].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let fresh = || Decoder::new(reading, "app".into());
    let parts = decoded(data, &mut [(fresh(), cut), (fresh(), data.len() - cut)]);
    assert_eq!(&parts, whole, "in two chunks, and in one");
}

/// Minute, labels, where the line starts, units, bytes, the duration's bits.
type Row = (Minute, Series, u64, u64, u64, u64);

/// The rows that these decoders make of as many bytes each, and how many lines they counted, skipped and rejected.
fn decoded(data: &[u8], parts: &mut [(Decoder, usize)]) -> (Vec<Row>, [u64; 3]) {
    let (mut decoded, mut start) = (Decoded::default(), 0);
    for (decoder, length) in parts {
        let bytes = &data[start..start + *length];
        // 2026-11-22T22:00Z.
        let chunk = Chunk { start: start as u64, end: (start + *length) as u64, written: Some(Minute(29_923_080)) };
        decoder.decode(bytes, &chunk, &mut decoded);
        start += *length;
    }
    let lines = data.split_inclusive(|byte| *byte == b'\n').count() as u64;
    let what_became = [decoded.lines.counted, decoded.lines.skipped, decoded.lines.rejected()];
    assert_eq!(what_became.iter().sum::<u64>(), lines, "every line is accounted for once: {what_became:?}");
    let rows = &decoded.rows;
    assert_eq!(what_became[0], rows.len() as u64, "a row a request");
    let row = |at: usize| {
        let (minute, id) = unpack(rows.key[at]);
        let series = decoded.series.list()[id as usize].clone();
        (minute, series, rows.start[at], rows.units[at], rows.bytes[at], rows.duration_ms[at].to_bits())
    };
    ((0..rows.len()).map(row).collect(), what_became)
}

// ---- state.json ----

/// Any bytes are a state or are refused; a state that was understood is the same after it was saved. Bytes that begin
/// with `!` are a file as it stands, all others the state inside one whose checksum is right.
pub fn state(data: &[u8]) {
    let file = match data {
        [b'!', file @ ..] => file.to_vec(),
        body => {
            let body = String::from_utf8_lossy(body);
            let body = body.trim_ascii();
            let checksum = xxhash_rust::xxh3::xxh3_64(body.as_bytes());
            format!("{{\"version\":1,\"checksum\":\"{checksum:016x}\",\"state\":{body}}}").into_bytes()
        }
    };
    in_a_folder(|folder| {
        fs::write(folder.join("state.json"), file).expect("writes");
        match state::load(folder).expect("a file that is there can be read") {
            Loaded::Good(found) => check_saved(folder, &found),
            Loaded::Lost(why) => assert!(!why.is_empty(), "it is said why"),
            Loaded::Fresh | Loaded::Previous(..) => panic!("a bad state is neither none nor the one before"),
        }
    });
}

fn check_saved(folder: &Path, found: &State) {
    state::save(folder, found).expect("saves");
    assert_eq!(state::load(folder).expect("reads"), Loaded::Good(found.clone()), "saved, and loaded again");
}

// ---- the day file's footer ----

/// The first bytes of every Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// A day's file of any bytes is understood or refused, and a commit to it never counts backwards: what was there stays,
/// or is kept aside and missed. Bytes that do not begin as Parquet does are the footer in a file that is well otherwise.
pub fn footer(data: &[u8]) {
    let file = if data.starts_with(PARQUET) { data.to_vec() } else { with_footer(data) };
    in_a_folder(|folder| {
        let ledger = Ledger::new(folder, HOST);
        let path = ledger.file(day());
        fs::create_dir_all(path.parent().expect("a day's folder")).expect("a folder");
        fs::write(&path, &file).expect("writes");
        // Only a newer version is an error: its meaning is not to be guessed.
        let footers = ledger.footers();
        let before = query::day_file(&path).expect("a file that is there can be read");
        let Ok(footers) = footers else {
            assert!(before.is_err(), "a file is understood whichever way it is read");
            return;
        };
        assert_eq!(footers.len(), 1);
        let committed = ledger.commit(&one_request(), &marks(), &BTreeMap::new());
        assert!(committed.failed.is_none(), "{:?}", committed.failed);
        match &before {
            Ok((footer, tally)) => check_commit(&ledger, footer, tally),
            Err(_) => check_set_aside(&ledger, &file),
        }
    });
}

fn check_commit(ledger: &Ledger, before: &Footer, tally: &Tally) {
    let (footer, rows) = present(ledger);
    assert_eq!(requests(&rows), requests(tally).wrapping_add(1), "one request more");
    for mark in &before.marks {
        assert!(footer.marks.iter().any(|kept| kept.id == mark.id), "a mark is kept");
    }
    if matches!(before.completeness, Completeness::AtLeast { .. }) {
        assert!(matches!(footer.completeness, Completeness::AtLeast { .. }), "at_least stays");
    }
}

fn check_set_aside(ledger: &Ledger, file: &[u8]) {
    let (footer, rows) = present(ledger);
    assert_eq!(requests(&rows), 1);
    assert!(matches!(footer.completeness, Completeness::AtLeast { .. }), "what was there is missed");
    let mut aside = ledger.file(day()).into_os_string();
    aside.push(".corrupt-1");
    assert_eq!(fs::read(PathBuf::from(aside)).expect("kept aside"), file);
}

fn present(ledger: &Ledger) -> (Footer, Tally) {
    query::day_file(&ledger.file(day())).expect("reads").expect("what was written is understood")
}

fn requests(tally: &Tally) -> u64 {
    tally.rows().iter().fold(0, |sum, (_, _, requests, _)| sum.wrapping_add(*requests))
}

const HOST: &str = "web-1";

fn day() -> Day {
    "2026-11-22".parse().expect("a day")
}

fn one_request() -> Tally {
    let line = "{\"time\":\"2026-11-22T10:00:00Z\",\"method\":\"GET\",\"url\":\"/a\",\"status\":200}\n";
    let (mut decoded, mut tally) = (Decoded::default(), Tally::default());
    let chunk = Chunk { start: 0, end: line.len() as u64, written: None };
    Decoder::new(&reading(Format::JSON), "app".into()).decode(line.as_bytes(), &chunk, &mut decoded);
    tally.add(&mut decoded);
    tally
}

fn marks() -> BTreeMap<Day, Vec<LogMark>> {
    let mark = LogMark {
        id: LogId(7),
        path: "app.log".to_owned(),
        device: 1,
        inode: 2,
        born_ns: None,
        head: Fingerprint::default(),
        begun: 0,
        offset: 90,
        anchor: Fingerprint::default(),
        ladder: Default::default(),
        open: false,
        missing_since: None,
        format: Some(Format::JSON),
        count_from: Default::default(),
        cursor: None,
        backlog: 0,
        arrived: 0,
    };
    BTreeMap::from([(day(), vec![mark])])
}

/// A day file of one request with this footer, valid or not, in place of its own. The footer is a string in the
/// metadata at the file's end: its length as a varint, then its bytes; the metadata's own length comes last.
fn with_footer(json: &[u8]) -> Vec<u8> {
    static TEMPLATE: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let mut template = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    if template.is_empty() {
        *template = in_a_folder(|folder| {
            let ledger = Ledger::new(folder, HOST);
            assert!(ledger.commit(&one_request(), &marks(), &BTreeMap::new()).failed.is_none());
            fs::read(ledger.file(day())).expect("reads")
        });
    }
    let key = b"{\"version\":";
    let start = template.windows(key.len()).position(|window| window == key).expect("a footer");
    let length = own_footer_length(&template[start..]);
    let before = start - varint(length).len();
    assert_eq!(template[before..start], varint(length), "the footer's length precedes it");
    let metadata = template.len() - 8;
    let text = String::from_utf8_lossy(json);
    let file =
        [&template[..before], &varint(text.len()), text.as_bytes(), &template[start + length..metadata]].concat();
    let old = u32::from_le_bytes(template[metadata..metadata + 4].try_into().expect("four bytes"));
    let grown = file.len() as i64 - metadata as i64;
    let new = u32::try_from(i64::from(old) + grown).expect("metadata are short");
    [&file[..], &new.to_le_bytes(), PARQUET].concat()
}

/// How long the JSON object at the start of these bytes is: its strings hold no braces.
fn own_footer_length(bytes: &[u8]) -> usize {
    let mut depth = 0;
    let closes = |byte: &u8| {
        depth += i32::from(*byte == b'{') - i32::from(*byte == b'}');
        depth == 0
    };
    bytes.iter().position(closes).expect("an object ends") + 1
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        // The low seven bits.
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A folder of its own for each call, where it costs least.
fn in_a_folder<T>(work: impl FnOnce(&Path) -> T) -> T {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = made.or_else(|_| tempfile::tempdir()).expect("a folder");
    work(folder.path())
}

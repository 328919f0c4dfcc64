//! The fuzz targets on a stable toolchain: every file of their corpora, and a few thousand mutations of them, the same
//! ones in every run. `make fuzz` goes on from the same corpora for as long as it is let.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use targets::Target;

/// Bytes that parsers stumble over.
const NASTY: [&[u8]; 24] = [
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"[[[[[[[[",
    b",",
    b":",
    b"null",
    b"-0",
    b"1e999",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"2026-02-30T24:60:61Z",
    b"9999-12-31T23:59:59+99:99",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
];
/// An input does not grow beyond: what is wrong shows in short ones.
const BYTES_MAX: usize = 16 << 10;

struct Case {
    path: PathBuf,
    bytes: Vec<u8>,
}

fn corpus(name: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let case = |path: PathBuf| Case { bytes: fs::read(&path).expect("reads"), path };
    paths.into_iter().map(case).collect()
}

/// Run a target; where it panics, say on what.
fn attempt(target: Target, bytes: &[u8], of: &Path, what: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(bytes))) {
        eprintln!("{what} of {}: b\"{}\"", of.display(), bytes.escape_ascii());
        resume_unwind(panic);
    }
}

/// Every file as it is, then this many mutations in all.
fn try_all(name: &str, mutations: u64) {
    let (_, target) = *targets::ALL.iter().find(|(known, _)| *known == name).expect("a target");
    let cases = corpus(name);
    assert!(cases.len() >= 12, "{name} has {} files", cases.len());
    for case in &cases {
        attempt(target, &case.bytes, &case.path, "the content");
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for number in 0..mutations {
        let case = &cases[random.below(cases.len())];
        let bytes = mutated(&case.bytes, &cases[random.below(cases.len())].bytes, &mut random);
        attempt(target, &bytes, &case.path, &format!("mutation {number}"));
    }
}

#[test]
fn lines_are_the_same_however_they_are_cut() {
    try_all("lines", 6_000);
}

#[test]
fn json_lines_are_read_alike_by_template_and_by_parser() {
    try_all("json", 2_000);
}

#[test]
fn lines_of_any_format_are_read_alike_in_any_chunks() {
    try_all("formats", 6_000);
}

#[test]
fn otlp_is_read_alike_in_any_company() {
    try_all("otlp", 2_000);
}

#[test]
fn a_state_is_kept_whole_or_refused() {
    try_all("state", 4_000);
}

#[test]
fn a_days_file_never_counts_backwards() {
    try_all("footer", 800);
}

#[test]
fn every_corpus_has_its_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("corpora")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut known = targets::ALL.map(|(name, _)| name.to_owned());
    known.sort();
    assert_eq!(names, known);
}

// ---- mutations ----

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Less than `bound`, which is at least 1.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        (self.next() & 0xff) as u8
    }
}

/// One to four small changes.
fn mutated(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.below(4) {
        change(&mut bytes, other, random);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = at + random.below(bytes.len() - at + 1).min(32);
    match random.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.byte(),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let copy = bytes[at..end].to_vec();
            let place = random.below(bytes.len() + 1);
            drop(bytes.splice(place..place, copy));
        }
        4 => drop(bytes.splice(at..at, NASTY[random.below(NASTY.len())].iter().copied())),
        5 => drop(bytes.splice(at..end, NASTY[random.below(NASTY.len())].iter().copied())),
        6 => {
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => bytes.truncate(at),
    }
}

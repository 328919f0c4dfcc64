//! Made-up request logs: a seed and the shape of a week become log lines, and the truth about them.
//! This file never reads a clock or any randomness but its own, and computes in integers only, so the
//! same call gives the same bytes on every machine.
//!
//! ```text
//! cargo run --example generate -- samples DIR [--truth FILE]
//! cargo run --example generate -- lines --bytes 460MB --format pino --days 7 [--truth FILE] > big.log
//! ```
//!
//! Nobody's traffic is in here: hosts, names and numbers are invented, addresses are private ones.

pub mod week;
mod line;
mod random;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use line::{Dialect, write_line};
use random::Random;
use week::{BILLING, DAY_SECONDS, GATEWAY, SEED, SYNC, Truth, first_ms, is_storm, rate_ppm, request, samples};

const USAGE: &str = "usage: generate samples DIR [--truth FILE]
       generate lines --bytes 460MB [--format pino|structlog|combined] [--days 7] [--truth FILE]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["samples", directory, options @ ..] => {
            let options = options_of(options, &["--truth"])?;
            let (files, truth) = samples();
            std::fs::create_dir_all(directory)?;
            for (name, content) in &files {
                write_file(&Path::new(directory).join(name), content)?;
            }
            write_truth(&options, &truth)
        }
        ["lines", options @ ..] => {
            let options = options_of(options, &["--bytes", "--format", "--days", "--truth"])?;
            let big = big_of(&options)?;
            let mut truth = Truth::default();
            let counted = options.contains_key("--truth").then_some(&mut truth);
            write_big(&big, counted, &mut BufWriter::with_capacity(1 << 20, io::stdout().lock()))?;
            write_truth(&options, &truth)
        }
        _ => Err(USAGE.into()),
    }
}

type Options<'a> = BTreeMap<&'a str, &'a str>;

fn options_of<'a>(words: &[&'a str], known: &[&str]) -> Result<Options<'a>, String> {
    words
        .chunks(2)
        .map(|pair| match pair {
            [name, value] if known.contains(name) => Ok((*name, *value)),
            _ => Err(format!("cannot use {:?}\n{USAGE}", pair.join(" "))),
        })
        .collect()
}

fn big_of(options: &Options) -> Result<Big, String> {
    let bytes = options.get("--bytes").ok_or(USAGE)?;
    let dialect = match options.get("--format").copied().unwrap_or("pino") {
        "pino" => Dialect::Pino,
        "structlog" => Dialect::Structlog,
        "combined" => Dialect::Combined,
        other => return Err(format!("--format {other}: it must be pino, structlog or combined")),
    };
    let days = options.get("--days").copied().unwrap_or("7");
    let days = days.parse().ok().filter(|days| (1..=3_650).contains(days));
    Ok(Big { bytes: parse_bytes(bytes)?, dialect, days: days.ok_or("--days must be 1 to 3650")? })
}

/// `460MB` is 460,000,000 bytes; `kB`, `MB`, `GB` or nothing.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        other => return Err(format!("--bytes {text}: {other} is not kB, MB or GB")),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or(format!("--bytes {text}: not a size"))
}

fn write_file(path: &PathBuf, content: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut encoder = flate2::GzBuilder::new().write(&mut file, flate2::Compression::best());
        encoder.write_all(content)?;
        encoder.finish()?;
        return Ok(());
    }
    file.write_all(content)
}

fn write_truth(options: &Options, truth: &Truth) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(path) = options.get("--truth") {
        std::fs::write(path, truth.csv())?;
        eprintln!("{} requests", truth.requests());
    }
    Ok(())
}

// ---- `lines`: one big log for benches ----

struct Big {
    bytes: u64,
    dialect: Dialect,
    days: i64,
}

/// At least `big.bytes` of one service's lines, spread over the days as its week is shaped.
fn write_big(big: &Big, mut truth: Option<&mut Truth>, out: &mut impl Write) -> io::Result<()> {
    let service = [&SYNC, &BILLING, &GATEWAY].into_iter().find(|service| service.dialect == big.dialect);
    let service = service.expect("each dialect has its service");
    let mut random = Random(SEED);
    let minutes = big.days * DAY_SECONDS / 60;
    let weight = |minute: i64| u128::from(rate_ppm(service, minute * 60) + 1);
    let weights: u128 = (0..minutes).map(weight).sum();
    let (mut line, mut written, mut begun) = (Vec::new(), 0, 0u128);
    for minute in 0..minutes {
        let from = u128::from(big.bytes) * begun / weights;
        begun += weight(minute);
        let until = u128::from(big.bytes) * begun / weights;
        while written < until {
            // The share of this minute's bytes that is written is the share of it that is over.
            let into_ms = 60_000 * written.saturating_sub(from) / (until - from);
            let at_ms = first_ms() + minute * 60_000 + i64::try_from(into_ms).expect("below 60,000");
            let request = request(service, at_ms, is_storm(service, minute * 60), &mut random);
            line.clear();
            write_line(big.dialect, true, &request, &mut random, &mut line)?;
            out.write_all(&line)?;
            written += line.len() as u128;
            if let Some(truth) = truth.as_deref_mut() {
                truth.count(service.name, &request);
            }
        }
    }
    out.flush()
}

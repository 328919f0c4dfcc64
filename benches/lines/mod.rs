//! Logs as clients write them, made of a seed, and decoded the way a worker decodes them. Shared by the benches.
//! Nothing here is timed.
#![allow(dead_code, reason = "each bench uses some of it")]

use std::fmt::Write;
use std::hint::black_box;

use daycap::collect::decode::Decoder;
use daycap::collect::request::Decoded;
use daycap::collect::{Chunk, Reading};

/// More than the caches hold, and a whole number of read-sized chunks.
pub const LOG_BYTES: usize = 32 << 20;
pub const CHUNK_BYTES: usize = 1 << 20;

/// A small xorshift: the same log in every run.
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub fn operation(&mut self) -> &'static str {
        const OPERATIONS: [&str; 8] =
            ["Jobs", "JobSearch", "Contracts", "Messages", "Profile", "Proposals", "MarketplaceSearch", "Rooms"];
        OPERATIONS[self.below(8) as usize]
    }

    pub fn status(&mut self) -> u16 {
        [200, 200, 200, 200, 429, 500][self.below(6) as usize]
    }
}

/// Writes one line, given the milliseconds since the log's day began.
pub type LineOf = fn(&mut Dice, u64) -> String;

/// Whole lines of about `LOG_BYTES`.
pub fn log(line: LineOf) -> Vec<u8> {
    let mut dice = Dice(88_172_645_463_325_252);
    let mut log = String::new();
    let mut time_ms = 0;
    while log.len() < LOG_BYTES {
        time_ms = (time_ms + dice.below(50)) % 86_400_000;
        writeln!(log, "{}", line(&mut dice, time_ms)).expect("a String takes everything");
    }
    log.into_bytes()
}

pub fn clock(time_ms: u64) -> String {
    let seconds = time_ms / 1000;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

pub fn pino(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"level":30,"time":{},"pid":23649,"hostname":"worker-1.prod.example.com","method":"POST","url":"https://api.example.com/graphql","status":{},"durationMs":{},"operation":"{}","service":"sync-{}","requestId":"{:016x}","userAgent":"node-fetch/2.6.7 (linux; x64)","msg":"http_request"}}"#,
        1_795_305_600_000 + time_ms,
        dice.status(),
        dice.below(900),
        dice.operation(),
        dice.below(3),
        dice.below(u64::MAX)
    )
}

pub fn structlog(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"method": "POST", "url": "https://api.example.com/graphql", "status": {}, "duration_ms": {}.{}, "operation": "{}", "key_name": "prod", "attempt": {}, "request_id": "{:016x}", "event": "http_request", "level": "info", "timestamp": "2026-11-22T{}.{:03}611Z"}}"#,
        dice.status(),
        dice.below(900),
        dice.below(10),
        dice.operation(),
        dice.below(3),
        dice.below(u64::MAX),
        clock(time_ms),
        time_ms % 1000
    )
}

/// Paths with ids: no two labels are the same bytes.
pub fn rest(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"level":30,"time":{},"pid":23649,"hostname":"worker-1.prod.example.com","method":"GET","url":"https://api.example.com/jobs/{}/proposals?page={}","status":{},"durationMs":{},"requestId":"{:016x}","msg":"http_request"}}"#,
        1_795_305_600_000 + time_ms,
        dice.below(1 << 40),
        dice.below(9),
        dice.status(),
        dice.below(900),
        dice.below(u64::MAX)
    )
}

/// Header names that differ from line to line: no template fits, the parser reads nearly every line.
pub fn nested(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"{{"level":30,"time":{},"req":{{"id":{},"method":"POST","url":"/graphql","headers":{{"host":"api.example.com","x-trace-{}":"1","accept":"*/*"}}}},"res":{{"statusCode":{},"headers":{{"content-length":{}}}}},"responseTime":{},"msg":"request completed"}}"#,
        1_795_305_600_000 + time_ms,
        dice.below(1_000_000),
        dice.below(1_000_000),
        dice.status(),
        dice.below(9000),
        dice.below(900)
    )
}

pub fn combined(dice: &mut Dice, time_ms: u64) -> String {
    format!(
        r#"10.0.{}.{} - - [22/Nov/2026:{} +0000] "POST /{} HTTP/1.1" {} {} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36""#,
        dice.below(256),
        dice.below(256),
        clock(time_ms),
        dice.operation(),
        dice.status(),
        dice.below(9000)
    )
}

/// Whole lines of at most [`CHUNK_BYTES`], as a tail gives them.
pub fn chunks(log: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    let mut rest = log;
    while !rest.is_empty() {
        let end =
            rest[..CHUNK_BYTES.min(rest.len())].iter().rposition(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (chunk, after) = rest.split_at(end);
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// Decode the whole log; each chunk's rows are dropped, as if they had been counted.
pub fn decode(chunks: &[&[u8]], reading: &Reading) -> u64 {
    let mut decoder = Decoder::new(reading, "bench".into());
    let mut decoded = Decoded::default();
    let mut start = 0;
    for chunk in chunks {
        let end = start + chunk.len() as u64;
        decoder.decode(chunk, &Chunk { start, end, written: None }, &mut decoded);
        black_box(&decoded.rows);
        decoded.rows.clear();
        start = end;
    }
    decoded.lines.counted
}

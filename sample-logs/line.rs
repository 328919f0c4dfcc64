//! One request becomes one line of a log, in the dialect of its writer.
//! This file never decides what is requested, or when.

use std::fmt;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};

use super::random::Random;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Pino,
    Structlog,
    Combined,
}

/// One way in which a service calls its API.
pub struct Call {
    pub method: &'static str,
    /// `{id}` becomes a number, `{uuid}` a UUID, `{query}` a query string.
    pub path: &'static str,
    /// What a report calls it: the GraphQL operation, or the path with its ids cut out.
    pub operation: &'static str,
    pub weight: u64,
    pub typical_ms: u64,
    pub typical_bytes: u64,
}

pub struct Request {
    pub at_ms: i64,
    pub call: &'static Call,
    pub status: u16,
    pub duration_ms: u64,
    pub bytes: u64,
}

/// `wide` lines carry the fields of a busier service and come to about 290 bytes.
pub fn write_line(
    dialect: Dialect,
    wide: bool,
    request: &Request,
    random: &mut Random,
    out: &mut impl Write,
) -> io::Result<()> {
    let Request { at_ms, call, status, duration_ms, bytes } = request;
    let method = call.method;
    let path = FilledPath { template: call.path, id: random.next(), id_low: random.next() };
    match dialect {
        Dialect::Pino => {
            write!(
                out,
                "{{\"level\":30,\"time\":{at_ms},\"pid\":23649,\"hostname\":\"app-1\",\"method\":\"{method}\",\
                 \"url\":\"https://api.example.com{path}\",\"status\":{status},\"durationMs\":{duration_ms},\
                 \"operation\":\"{}\"",
                call.operation
            )?;
            if wide {
                let id = Uuid(random.next(), random.next());
                write!(out, ",\"reqId\":\"{id}\",\"responseBytes\":{bytes},\"attempt\":1,\"tenant\":\"t-0042\"")?;
            }
            out.write_all(b",\"msg\":\"http_request\"}\n")
        }
        Dialect::Structlog => {
            let micros = at_ms * 1_000 + random.below_i64(1_000);
            let at = DateTime::from_timestamp_micros(micros).expect("a time of the made-up week");
            let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
            write!(
                out,
                "{{\"method\": \"{method}\", \"url\": \"https://api.example.com{path}\", \"status\": {status}, \
                 \"duration_ms\": {duration_ms}.{}, ",
                random.below(10)
            )?;
            if wide {
                let id = Uuid(random.next(), random.next());
                write!(out, "\"request_id\": \"{id}\", \"response_bytes\": {bytes}, ")?;
            }
            writeln!(out, "\"event\": \"http_request\", \"level\": \"info\", \"timestamp\": \"{at}\"}}")
        }
        Dialect::Combined => {
            let at = instant(*at_ms).format("%d/%b/%Y:%H:%M:%S +0000");
            let host = 10 + random.below(4);
            writeln!(
                out,
                "10.0.3.{host} - - [{at}] \"{method} {path} HTTP/1.1\" {status} {bytes} \"-\" \"reports/2.4 (httpx)\""
            )
        }
    }
}

/// A call's path with its placeholders filled in.
struct FilledPath {
    template: &'static str,
    id: u64,
    id_low: u64,
}

impl fmt::Display for FilledPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((before, rest)) = self.template.split_once('{') else {
            return formatter.write_str(self.template);
        };
        let (placeholder, after) = rest.split_once('}').expect("templates close their braces");
        formatter.write_str(before)?;
        match placeholder {
            "id" => write!(formatter, "{}", 10_000 + self.id % 90_000)?,
            "uuid" => write!(formatter, "{}", Uuid(self.id, self.id_low))?,
            "query" => write!(formatter, "?base={}", ["EUR", "USD", "GBP"][usize::from(self.id as u8) % 3])?,
            other => unreachable!("no such placeholder: {other}"),
        }
        formatter.write_str(after)
    }
}

/// Random, in the form of a version 4 UUID.
struct Uuid(u64, u64);

impl fmt::Display for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Uuid(high, low) = self;
        let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
        let (d, e) = (low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        write!(formatter, "{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
    }
}

pub fn instant(at_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at_ms).expect("a time of the made-up weeks")
}

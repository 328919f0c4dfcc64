//! Lines in envelopes through a Decoder, and what must hold however their log is cut into chunks.

use proptest::prelude::*;

use super::*;
use crate::collect::decode::Decoder;
use crate::collect::request::{Decoded, Lines, unpack};
use crate::collect::{Chunk, Reading};
use crate::day::Minute;

fn reading(format: &str) -> Reading {
    Reading { format: Some(format.parse().expect("a format")), ..Reading::unsettled(chrono_tz::Tz::UTC) }
}

/// 2026-11-22T22:00Z.
const WRITTEN: Option<Minute> = Some(Minute(29_923_080));

fn decode(format: &str, text: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    decode_into(&mut Decoder::new(&reading(format), "stem".into()), text, 0, &mut decoded);
    decoded
}

fn decode_into(decoder: &mut Decoder, text: &[u8], start: u64, decoded: &mut Decoded) {
    let chunk = Chunk { start, end: start + text.len() as u64, written: WRITTEN };
    decoder.decode(text, &chunk, decoded);
}

/// One text a row: where its line starts, minute, service, operation, status.
fn rows(decoded: &Decoded) -> Vec<String> {
    let row = |at: usize| {
        let (minute, series) = unpack(decoded.rows.key[at]);
        let series = &decoded.series.list()[series as usize];
        let minute = minute.start().format("%m-%dT%H:%M");
        let status = series.status.map_or("-".to_owned(), |status| status.to_string());
        format!("{} {minute} {} {} {status}", decoded.rows.start[at], series.service, series.operation)
    };
    (0..decoded.rows.len()).map(row).collect()
}

/// Rows, and the lines that gave none: skipped and malformed.
fn read(format: &str, text: &str) -> String {
    let decoded = decode(format, text.as_bytes());
    let lines = decoded.lines;
    assert_eq!(accounted(&lines), text.lines().count() as u64, "{text}");
    let mut text = rows(&decoded);
    let rest = [
        (lines.skipped, "skipped"),
        (lines.malformed, "malformed"),
        (lines.no_time, "no time"),
        (lines.bad_time, "bad time"),
    ];
    text.extend(rest.into_iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")));
    text.join(", ")
}

fn accounted(lines: &Lines) -> u64 {
    lines.counted + lines.skipped + lines.rejected()
}

#[test]
fn each_envelope_is_opened_and_gives_the_time_and_the_service() {
    for (format, line, row) in [
        (
            "docker:json",
            r#"{"log":"{\"method\":\"GET\",\"url\":\"/a\",\"status\":200}\n","stream":"stdout","time":"2026-11-22T21:53:27.374616758Z"}"#,
            "0 11-22T21:53 stem /a 200",
        ),
        (
            "cri:json",
            r#"2026-11-22T21:53:09.669794202Z stdout F {"method":"GET","url":"/a","status":200}"#,
            "0 11-22T21:53 stem /a 200",
        ),
        (
            "journald:json",
            r#"{"__REALTIME_TIMESTAMP":"1795384401263000","_SYSTEMD_UNIT":"sync.service","MESSAGE":"{\"method\":\"GET\",\"url\":\"/a\",\"status\":200}"}"#,
            "0 11-22T21:53 sync /a 200",
        ),
        (
            "syslog:json",
            r#"Nov 22 21:53:21 host node[12]: {"method":"GET","url":"/a","status":200}"#,
            "0 11-22T21:53 node /a 200",
        ),
        (
            "compose:json",
            "\u{1b}[36mweb-1  | \u{1b}[0m2026-11-22T21:53:21.123456789Z {\"method\":\"GET\",\"url\":\"/a\",\"status\":200}",
            "0 11-22T21:53 web-1 /a 200",
        ),
        (
            "compose:combined",
            r#"proxy  | 127.0.0.1 - - [22/Nov/2026:21:53:21 +0000] "GET /a HTTP/1.1" 200 1 "-" "curl/8.7.1""#,
            "0 11-22T21:53 proxy /a 200",
        ),
        // What the line says itself is nearer to what happened.
        (
            "syslog:json",
            r#"Nov 22 21:53:21 host node[12]: {"time":"2026-11-21T10:00:00Z","service":"own","method":"GET","url":"/a","status":200}"#,
            "0 11-21T10:00 own /a 200",
        ),
    ] {
        assert_eq!(read(format, &format!("{line}\n")), row, "{line}");
        assert_eq!(read(format, &format!("{line}\r\n")), row, "{line}");
        assert_eq!(read(format, line), row, "without its line end: {line}");
    }
}

#[test]
fn three_layers_are_opened_and_the_innermost_stamp_counts() {
    let json = r#"{\\\"method\\\":\\\"GET\\\",\\\"url\\\":\\\"/a\\\",\\\"status\\\":200}"#;
    let docker = format!(r#"{{\"log\":\"{json}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T21:53:27Z\"}}"#);
    let line = format!(
        r#"{{"MESSAGE":"<34>Nov 22 20:00:00 host app[1]: {docker}","__REALTIME_TIMESTAMP":"1795384401263000"}}"#
    );
    assert_eq!(read("journald:syslog:docker:json", &line), "0 11-22T21:53 app /a 200");
    let unreadable = line.replace("2026-11-22T21:53:27Z", "soon");
    assert_eq!(read("journald:syslog:docker:json", &unreadable), "0 11-22T20:00 app /a 200");
}

#[test]
fn lines_that_cannot_be_opened_are_malformed_and_blank_ones_skipped() {
    assert_eq!(read("cri:json", "{\"a\":1}\n\n \r\n2026-11-22T21:53:09Z stdout F\n"), "3 skipped, 1 malformed");
    assert_eq!(read("docker:syslog:json", "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"t\"}\n"), "1 malformed");
    assert_eq!(read("docker:syslog:json", "{\"log\":\"\\n\",\"stream\":\"stdout\",\"time\":\"t\"}\n"), "1 skipped");
    assert_eq!(read("compose:json", "a  | {}\nAttaching to a\n"), "1 skipped, 1 malformed");
}

#[test]
fn without_a_readable_stamp_a_request_has_no_minute() {
    let request = r#"{"method":"GET","url":"/a","status":200}"#;
    assert_eq!(read("compose:json", &format!("a  | {request}\n")), "1 no time");
    assert_eq!(read("syslog:json", &format!("<34>1 - host app - - - {request}\n")), "1 no time");
    assert_eq!(read("syslog:json", &format!("<34>1 soon host app - - - {request}\n")), "1 bad time");
    let mut decoded = Decoded::default();
    let line = format!("Nov 22 21:53:21 host app: {request}\n");
    let chunk = Chunk { start: 0, end: line.len() as u64, written: None };
    Decoder::new(&reading("syslog:json"), "stem".into()).decode(line.as_bytes(), &chunk, &mut decoded);
    assert_eq!(decoded.lines.bad_time, 1, "no year is known");
}

#[test]
fn services_of_one_log_are_told_apart() {
    let line =
        |name: &str| format!("{name}  | {{\"time\":1795384401,\"method\":\"GET\",\"url\":\"/a\",\"status\":200}}\n");
    let log: String = ["a", "b", "a", "web-1", "b"].map(line).concat();
    let services: Vec<_> = rows(&decode("compose:json", log.as_bytes()))
        .iter()
        .map(|row| row.split(' ').nth(2).expect("a service").to_owned())
        .collect();
    assert_eq!(services, ["a", "b", "a", "web-1", "b"]);
    let configured = Reading { service: Some("own".into()), ..reading("compose:json") };
    let mut decoded = Decoded::default();
    decode_into(&mut Decoder::new(&configured, "stem".into()), log.as_bytes(), 0, &mut decoded);
    assert!(rows(&decoded).iter().all(|row| row.contains(" own /a ")));
}

#[test]
fn the_same_labels_in_another_shape_are_of_their_own_service() {
    let mut log = String::new();
    let mut expected = Vec::new();
    for round in 0..600 {
        let (name, shape) = (format!("{}-1", ["a", "b", "c", "d", "e", "f"][round % 6]), round / 6 % 5);
        let more: String = (0..shape).map(|key| format!("\"x{key}\":{round},")).collect();
        log += &format!("{name}  | {{{more}\"time\":1795384401,\"method\":\"GET\",\"url\":\"/a\",\"status\":200}}\n");
        expected.push(name);
    }
    let rows = rows(&decode("compose:json", log.as_bytes()));
    let services: Vec<_> = rows.iter().map(|row| row.split(' ').nth(2).expect("a service")).collect();
    assert_eq!(services, expected);
}

#[test]
fn a_line_without_a_service_is_of_its_file_again() {
    let request = r#"{"method":"GET","url":"/a","status":200}"#;
    let log = format!("Nov 22 21:53:21 host app: {request}\nNov 22 21:53:21 host {request}\n");
    assert_eq!(read("syslog:json", &log), "0 11-22T21:53 app /a 200, 67 11-22T21:53 stem /a 200");
}

#[test]
fn pieces_are_joined_a_stream() {
    let cri = |stream: &str, tag: &str, text: &str| format!("2026-11-22T21:53:09Z {stream} {tag} {text}\n");
    let log = [
        cri("stdout", "P", r#"{"method":"GET","#),
        cri("stderr", "P", r#"{"method":"GET","url":"/"#),
        cri("stderr", "F", r#"err","status":500}"#),
        cri("stdout", "P", r#""url":"/out","#),
        cri("stderr", "F", r#"{"method":"GET","url":"/between","status":200}"#),
        cri("stdout", "F", r#""status":200}"#),
    ];
    let second = log[0].len();
    let between: usize = log[..4].iter().map(String::len).sum();
    assert_eq!(
        read("cri:json", &log.concat()),
        format!(
            "{second} 11-22T21:53 stem /err 500, {between} 11-22T21:53 stem /between 200, 0 11-22T21:53 stem /out 200, 3 skipped"
        )
    );
}

#[test]
fn docker_pieces_are_joined_and_dated_by_the_first() {
    let docker = |text: &str, minute: u32| {
        let log = serde_json::to_string(text).expect("text");
        format!("{{\"log\":{log},\"stream\":\"stdout\",\"time\":\"2026-11-22T21:{minute:02}:00Z\"}}\n")
    };
    let log = docker("{\"method\":\"GET\",\"url\":\"/a", 1) + &docker("/b\",\"status", 2) + &docker("\":200}\n", 3);
    assert_eq!(read("docker:json", &log), "0 11-22T21:01 stem /a/b 200, 2 skipped");
    let syslog: String = log.lines().map(|line| format!("Nov 22 21:53:21 host app: {line}\n")).collect();
    assert_eq!(read("syslog:docker:json", &syslog), "0 11-22T21:01 app /a/b 200, 2 skipped");
}

#[test]
fn what_is_left_open_at_the_end_is_read_as_it_stands() {
    let whole = "2026-11-22T21:53:09Z stdout P {\"method\":\"GET\",\"url\":\"/a\",\"status\":200}\n";
    assert_eq!(read("cri:json", whole), "0 11-22T21:53 stem /a 200");
    assert_eq!(read("cri:json", &whole.replace("200}", "")), "1 malformed");
    let both = format!("{}{whole}", whole.replace("stdout", "stderr"));
    assert_eq!(read("cri:json", &both), "0 11-22T21:53 stem /a 200, 71 11-22T21:53 stem /a 200");
}

#[test]
fn a_line_longer_than_a_chunk_counts_by_its_first_pieces() {
    let piece = "x".repeat(16 << 10);
    let mut log =
        "2026-11-22T21:53:09Z stdout P {\"method\":\"GET\",\"url\":\"/a\",\"status\":200,\"body\":\"\n".to_owned();
    while log.len() < LINE_BYTES_MAX - piece.len() - 64 {
        log += &format!("2026-11-22T21:53:09Z stdout P {piece}\n");
    }
    assert_eq!(closed_end(log.as_bytes(), "cri:json".parse().expect("a format")), 0);
    let decoded = decode("cri:json", log.as_bytes());
    assert_eq!((decoded.lines.counted, decoded.lines.rejected()), (1, 0));
}

#[test]
fn text_behind_nuls_is_a_line_of_its_own() {
    let line = "2026-11-22T21:53:09Z stdout F {\"method\":\"GET\",\"url\":\"/a\",\"status\":200}\n";
    let log = format!("{}\0\0\0{line}{line}", &line[..40]);
    assert_eq!(read("cri:json", &log), "0 11-22T21:53 stem /a 200, 114 11-22T21:53 stem /a 200");
}

#[test]
fn a_chunk_ends_where_no_stream_is_open() {
    let format = |text: &str| text.parse::<Format>().expect("a format");
    let (p, f) = ("2026-11-22T21:53:09Z stdout P x\n", "2026-11-22T21:53:09Z stdout F x\n");
    let (perr, ferr) = ("2026-11-22T21:53:09Z stderr P x\n", "2026-11-22T21:53:09Z stderr F x\n");
    for (log, lines) in [
        (vec![], 0),
        (vec![f, f], 2),
        (vec![f, p], 1),
        (vec![p, p], 0),
        (vec![p, f, p], 2),
        (vec![p, ferr, f], 3),
        (vec![p, ferr], 0),
        (vec![f, p, perr, f], 1),
        (vec![f, p, perr, f, ferr], 5),
        (vec![f, "not a line\n"], 2),
        (vec![f, p, "not a line\n"], 1),
    ] {
        let end = closed_end(log.concat().as_bytes(), format("cri:json"));
        assert_eq!(end, log[..lines].concat().len(), "{log:?}");
    }
    assert_eq!(closed_end(p.as_bytes(), format("json")), p.len());
    assert_eq!(closed_end(p.as_bytes(), format("syslog:json")), p.len());
}

#[test]
fn the_outermost_envelope_is_told() {
    let mut scratch = Vec::new();
    for (line, expected) in [
        (r#"{"log":"a\n","stream":"stdout","time":"t"}"#, Some((Envelope::Docker, "a"))),
        ("2026-11-22T21:53:09Z stdout F a", Some((Envelope::Cri, "a"))),
        (r#"{"MESSAGE":"a","__REALTIME_TIMESTAMP":"1"}"#, Some((Envelope::Journald, "a"))),
        ("<34>Oct 11 22:14:15 host su: a", Some((Envelope::Syslog, "a"))),
        ("2026-11-22T21:53:21Z host app[1]: a", Some((Envelope::Syslog, "a"))),
        ("web-1  | a", Some((Envelope::Compose, "a"))),
        (r#"{"log":"a\n","stream":"stdout","time":"t","x":1}"#, None),
        (r#"{"time":1795384444918,"method":"GET"}"#, None),
        ("2026-11-22T21:53:21Z INFO client: GET /a 200", None),
        ("level=info a | b", None),
        ("GET /a 200 12ms", None),
        ("", None),
    ] {
        let found = peel(line.as_bytes(), &mut scratch);
        let found = found.map(|(envelope, inner)| (envelope, std::str::from_utf8(inner).expect("text")));
        assert_eq!(found, expected, "{line}");
    }
}

const FORMATS: [&str; 7] = [
    "docker:json",
    "cri:json",
    "cri:combined",
    "syslog:docker:json",
    "docker:cri:json",
    "journald:docker:json",
    "compose:json",
];

/// A line of pieces, or one that is none; damaged here and there.
fn piece() -> impl Strategy<Value = String> {
    let text = prop::sample::select(vec![
        r#"{"method":"GET","url":"/a","status":200}"#,
        r#"{"method":"GET","#,
        r#""url":"/b","status":500}"#,
        "",
        "\u{0}",
        r#"2026-11-22T21:53:09Z stderr P {"method":"GET","#,
    ]);
    (text, any::<bool>(), any::<bool>(), 0usize..7).prop_map(|(text, out, goes_on, kind)| {
        let (stream, tag) = (if out { "stdout" } else { "stderr" }, if goes_on { "P" } else { "F" });
        let cri = format!("2026-11-22T21:53:09Z {stream} {tag} {text}");
        let log = serde_json::to_string(&format!("{text}{}", if goes_on { "" } else { "\n" })).expect("text");
        let docker = format!("{{\"log\":{log},\"stream\":\"{stream}\",\"time\":\"2026-11-22T21:53:00Z\"}}");
        match kind {
            0 | 1 => cri,
            2 | 3 => docker,
            4 => format!("Nov 22 21:53:21 host app[1]: {docker}"),
            5 => format!(
                "{{\"MESSAGE\":{},\"__REALTIME_TIMESTAMP\":\"1795384401263000\"}}",
                serde_json::Value::from(docker)
            ),
            _ => text.to_owned(),
        }
    })
}

fn log() -> impl Strategy<Value = Vec<u8>> {
    let flips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (prop::collection::vec(piece(), 1..24), flips).prop_map(|(lines, flips)| {
        let mut log = (lines.join("\n") + "\n").into_bytes();
        for (at, byte) in flips {
            let at = at.index(log.len());
            log[at] = byte;
        }
        log
    })
}

proptest! {
    #[test]
    fn every_line_is_accounted_for_once(log in log(), format in prop::sample::select(FORMATS.to_vec())) {
        let lines = log.split_inclusive(|byte| *byte == b'\n').count() as u64;
        let decoded = decode(format, &log);
        prop_assert_eq!(accounted(&decoded.lines), lines);
        prop_assert_eq!(decoded.rows.len() as u64, decoded.lines.counted);
    }

    /// A chunk is what a reader gives: whole lines, cut back to where nothing is open; all of the log is read at last.
    #[test]
    fn however_a_log_is_cut_its_rows_are_the_same(
        log in log(), format in prop::sample::select(FORMATS.to_vec()), chunks in prop::collection::vec(1usize..400, 1..8),
    ) {
        let whole = decode(format, &log);
        let mut parts = Decoded::default();
        let mut decoder = Decoder::new(&reading(format), "stem".into());
        let (mut at, mut wanted) = (0, 0);
        for bytes in chunks.iter().cycle().take(2000) {
            wanted += bytes;
            let rest = &log[at..];
            let end = memchr::memrchr(b'\n', &rest[..wanted.min(rest.len())]).map_or(0, |lf| lf + 1);
            let end = if wanted >= rest.len() { rest.len() } else { closed_end(&rest[..end], format.parse().expect("a format")) };
            if end > 0 {
                decode_into(&mut decoder, &rest[..end], at as u64, &mut parts);
                (at, wanted) = (at + end, 0);
            }
        }
        prop_assert_eq!(at, log.len());
        prop_assert_eq!(parts.lines, whole.lines);
        prop_assert_eq!(rows(&parts), rows(&whole));
    }
}

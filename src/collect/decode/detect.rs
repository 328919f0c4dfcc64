//! Which format a log's lines are of. Envelopes are told by what comes off; then the decoder of each family reads the
//! lines, so that detection cannot disagree with decoding.
//! This file never guesses between two: where they say different things of the same lines, it names both.

use std::collections::BTreeMap;

use super::envelope::peel;
use super::field::Aliases;
use super::fields::{Fields, Verdict};
use super::logfmt::Logfmt;
use super::rows::first_line;
use super::{Decoder, layers, looks};

use crate::collect::request::{Decoded, Lines, NONE, Series, unpack};
use crate::collect::{Chunk, CountFrom, ENVELOPES_MAX, Envelope, Family, Format, Mapping, Reading};
use crate::day::Minute;

/// What a log's lines look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detection {
    /// No line to judge by yet.
    Empty,
    Found(Found),
    /// One sentence that names the two formats it may be, and what to configure.
    Ambiguous(String),
    /// One sentence that says what the lines look like, and what to do.
    Unknown(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub format: Format,
    pub count_from: CountFrom,
    /// The requests it was judged by. Without any, lines are read so that the first request is noticed.
    pub candidates: u64,
}

impl Found {
    /// Whether the format can be kept; until then it is looked at again with each read.
    pub fn is_sure(&self) -> bool {
        self.candidates >= CANDIDATES_MIN
    }
}

impl Detection {
    pub fn found(&self) -> Option<&Found> {
        match self {
            Detection::Found(found) => Some(found),
            Detection::Empty | Detection::Ambiguous(_) | Detection::Unknown(_) => None,
        }
    }
}

/// A format is sure when so many lines report requests in it.
const CANDIDATES_MIN: u64 = 20;
/// Lines that report requests are listened to up to here; more would say the same.
const CANDIDATES_MAX: usize = 200;
/// Of the lines, or of those that report requests, at least this share must fit.
const FITTING_PERCENT_MIN: usize = 90;
/// Lines by which envelopes, and formats of logs without requests, are told.
const SAMPLE_LINES: usize = 400;

/// The most specific first: where two say the same, it is the one.
const OF_OBJECTS: [Family; 2] = [Family::Otlp, Family::Json];
const OF_TEXT: [Family; 7] =
    [Family::Combined, Family::Alb, Family::Haproxy, Family::Squid, Family::Envoy, Family::Logfmt, Family::Text];

/// Judge whole lines from anywhere in a log. Blank lines and a last line without its LF do not count. Where `reading` has
/// a format, only its requests are counted and its layers told.
pub fn detect(head: &[u8], reading: &Reading) -> Detection {
    let lines: Vec<&[u8]> = whole_lines(head).filter(|line| !line.trim_ascii().is_empty()).collect();
    if lines.is_empty() {
        return Detection::Empty;
    }
    let envelopes = match reading.format {
        Some(format) => format.envelopes().collect(),
        None => envelopes(&lines),
    };
    let mut panel = Panel::new(envelopes, reading);
    for line in &lines {
        panel.hear(line);
        if panel.candidates >= CANDIDATES_MAX {
            break;
        }
    }
    match panel.verdict(&lines) {
        Detection::Found(found) if found.candidates > 0 => {
            let count_from = layers::settle(&lines, &Reading { format: Some(found.format), ..reading.clone() });
            Detection::Found(Found { count_from, ..found })
        }
        other => other,
    }
}

/// The lines of `head` that have their LF, without line ends.
pub fn whole_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = &head[..memchr::memrchr(b'\n', head).map_or(0, |end| end + 1)];
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, taken) = first_line(rest);
        rest = &rest[taken..];
        Some(line)
    })
}

/// The layers around nearly all lines, the outermost first.
fn envelopes(lines: &[&[u8]]) -> Vec<Envelope> {
    let (mut found, mut scratch) = (Vec::new(), Vec::new());
    let mut sample: Vec<Vec<u8>> = lines.iter().take(SAMPLE_LINES).map(|line| line.to_vec()).collect();
    while found.len() < ENVELOPES_MAX && !sample.is_empty() {
        let mut peeled: BTreeMap<Envelope, Vec<Vec<u8>>> = BTreeMap::new();
        for line in &sample {
            if let Some((envelope, inner)) = peel(line, &mut scratch) {
                peeled.entry(envelope).or_default().push(inner.to_vec());
            }
        }
        let all = sample.len();
        let Some((envelope, inner)) = peeled.into_iter().find(|(_, inner)| most(inner.len(), all)) else { break };
        found.push(envelope);
        sample = inner;
        sample.retain(|line| !line.trim_ascii().is_empty());
    }
    found
}

/// What is in a line's envelopes.
pub fn inner(envelopes: &[Envelope], line: &[u8]) -> Option<Vec<u8>> {
    let (mut line, mut scratch) = (line.to_vec(), Vec::new());
    for envelope in envelopes {
        line = peel(&line, &mut scratch).filter(|(found, _)| found == envelope)?.1.to_vec();
    }
    Some(line)
}

/// Every family that the lines may be of, with its decoder.
struct Panel {
    envelopes: Vec<Envelope>,
    judges: Vec<Judge>,
    /// Lines that any of them reads as a request.
    candidates: usize,
    /// Those of them that have pairs as logfmt writes them.
    paired: usize,
    pairs: Logfmt,
}

struct Judge {
    format: Format,
    reading: Reading,
    /// Made for the first line that it is asked of.
    decoder: Option<Decoder>,
    decoded: Decoded,
    /// One for each candidate.
    heard: Vec<Heard>,
    /// Candidates that it reads as requests, those of which it knows the time, and the requests in them: some lines have
    /// many.
    read: usize,
    timed: usize,
    requests: u64,
}

/// What one family says of one line.
enum Heard {
    Nothing,
    /// A request, but when or which, it does not say.
    Untold,
    Request(Minute, Box<Series>),
}

impl Panel {
    fn new(envelopes: Vec<Envelope>, reading: &Reading) -> Panel {
        let families = match reading.format {
            Some(format) => vec![format.family],
            None => [&OF_OBJECTS[..], &OF_TEXT].concat(),
        };
        let wrapped = |family| {
            envelopes.iter().rev().try_fold(Format::bare(family), |format: Format, envelope| format.within(*envelope))
        };
        let judges = families.into_iter().filter_map(wrapped).map(|format| Judge::new(format, reading)).collect();
        Panel { envelopes, judges, candidates: 0, paired: 0, pairs: Logfmt::new(Aliases::standard(), false) }
    }

    fn hear(&mut self, line: &[u8]) {
        let bare = if self.judges.len() > 1 { inner(&self.envelopes, line) } else { None };
        let is_object = bare.as_ref().map(|bare| is_object(bare));
        let mut any = false;
        for judge in &mut self.judges {
            any |= judge.hear(line, is_object);
        }
        self.candidates += usize::from(any);
        self.paired += usize::from(any && bare.is_some_and(|bare| has_pairs(&mut self.pairs, &bare)));
        for judge in self.judges.iter_mut().filter(|_| !any) {
            judge.heard.pop();
        }
    }

    fn verdict(&self, lines: &[&[u8]]) -> Detection {
        if let [only] = self.judges.as_slice() {
            return only.found();
        }
        if self.candidates == 0 {
            return self.without_candidates(lines);
        }
        let mut fitting: Vec<&Judge> = self.judges.iter().filter(|judge| most(judge.read, self.candidates)).collect();
        // One that cannot say when is no match for one that can.
        let timed = fitting.iter().map(|judge| judge.timed).max().unwrap_or(0);
        fitting.retain(|judge| most(judge.timed, timed));
        // logfmt's decoder reads messages as well: it is logfmt only if some line has pairs.
        let is_text = self.paired == 0 && fitting.iter().any(|judge| judge.format.family == Family::Text);
        fitting.retain(|judge| !(is_text && judge.format.family == Family::Logfmt));
        let Some((first, others)) = fitting.split_first() else { return self.divided() };
        match others.iter().find(|other| first.contradicts(other)) {
            Some(other) => Detection::Ambiguous(format!(
                "its lines can be read as {} and as {}, which say different things of the same requests; {}",
                first.format,
                other.format,
                choice(first, other)
            )),
            None => first.found(),
        }
    }

    /// No family reads nearly all of the lines that report requests.
    fn divided(&self) -> Detection {
        let mut judges: Vec<&Judge> = self.judges.iter().filter(|judge| judge.read > 0).collect();
        judges.sort_by_key(|judge| std::cmp::Reverse(judge.read));
        let [first, second, ..] = judges.as_slice() else {
            return judges.first().map_or(Detection::Empty, |only| only.found());
        };
        Detection::Ambiguous(format!(
            "of {} lines that report requests, {} are {} and {} are {}, and a log is read in one format; {}",
            self.candidates,
            first.read,
            first.format,
            second.read,
            second.format,
            choice(first, second)
        ))
    }

    /// Read so that nothing is lost until the first request comes; but not where requests may be in a foreign format.
    fn without_candidates(&self, lines: &[&[u8]]) -> Detection {
        let sample: Vec<Vec<u8>> =
            lines.iter().take(SAMPLE_LINES).filter_map(|line| inner(&self.envelopes, line)).collect();
        let sample: Vec<&[u8]> = sample.iter().map(Vec::as_slice).filter(|line| !line.is_empty()).collect();
        let objects = sample.iter().filter(|line| is_object(line)).count();
        let are_objects = most(objects, sample.len()) && objects > 0;
        if let Some(sentence) = looks::foreign(&sample).filter(|_| !are_objects) {
            return Detection::Unknown(sentence);
        }
        let family = if are_objects { Family::Json } else { Family::Text };
        let judge = self.judges.iter().find(|judge| judge.format.family == family);
        judge.map_or(Detection::Empty, Judge::found)
    }
}

fn choice(first: &Judge, second: &Judge) -> String {
    format!("write format = \"{}\" or format = \"{}\" in its [[source]]", first.format, second.format)
}

/// Whether `some` are nearly all.
fn most(some: usize, all: usize) -> bool {
    some * 100 >= all * FITTING_PERCENT_MIN
}

impl Judge {
    fn new(format: Format, reading: &Reading) -> Judge {
        // What a source leaves out is of its format all the same.
        let mapping = reading
            .mapping
            .as_ref()
            .map(|mapping| std::sync::Arc::new(Mapping { only_if: Default::default(), ..(**mapping).clone() }));
        let reading = Reading { format: Some(format), mapping, count_from: CountFrom::Both, ..reading.clone() };
        let decoded = Decoded::default();
        Judge { format, reading, decoder: None, decoded, heard: Vec::new(), read: 0, timed: 0, requests: 0 }
    }

    /// Whether the line is a candidate; a family of objects is not asked of text, nor the other way round.
    fn hear(&mut self, line: &[u8], is_object: Option<bool>) -> bool {
        let is_asked = is_object.is_none_or(|is_object| is_object == OF_OBJECTS.contains(&self.format.family));
        let heard = if is_asked { self.read(line) } else { Heard::Nothing };
        let is_candidate = !matches!(heard, Heard::Nothing);
        self.read += usize::from(is_candidate);
        self.timed += usize::from(matches!(heard, Heard::Request(..)));
        self.heard.push(heard);
        is_candidate
    }

    fn read(&mut self, line: &[u8]) -> Heard {
        self.decoded.lines = Lines::default();
        self.decoded.rows.clear();
        let decoder = self.decoder.get_or_insert_with(|| {
            let mut decoder = Decoder::without_templates(&self.reading, "".into());
            decoder.prefer_urls();
            decoder
        });
        decoder.decode(line, &Chunk { start: 0, end: line.len() as u64, written: None }, &mut self.decoded);
        let lines = &self.decoded.lines;
        let requests = lines.counted + lines.no_time + lines.bad_time + lines.tunnels + lines.starts;
        self.requests += requests;
        match self.decoded.rows.key.first() {
            _ if requests == 0 => Heard::Nothing,
            None => Heard::Untold,
            Some(key) => {
                let (minute, series) = unpack(*key);
                Heard::Request(minute, Box::new(self.decoded.series.list()[series as usize].clone()))
            }
        }
    }

    fn found(&self) -> Detection {
        Detection::Found(Found { format: self.format, count_from: CountFrom::Both, candidates: self.requests })
    }

    /// Whether the two say different things of more than a few lines that both read.
    fn contradicts(&self, other: &Judge) -> bool {
        let (mut alike, mut different) = (0, 0);
        for pair in self.heard.iter().zip(&other.heard) {
            if let (Heard::Request(minute, series), Heard::Request(other_minute, other)) = pair {
                let is_alike = minute == other_minute && is_compatible(series, other);
                *(if is_alike { &mut alike } else { &mut different }) += 1;
            }
        }
        !most(alike, alike + different)
    }
}

/// Whether nothing that both say differs.
fn is_compatible(one: &Series, other: &Series) -> bool {
    let agree = |one: &str, other: &str| one == other || one == NONE || other == NONE;
    let statuses_agree = one.status == other.status || one.status.is_none() || other.status.is_none();
    statuses_agree && agree(&one.method, &other.method) && agree(&one.operation, &other.operation)
}

fn has_pairs(pairs: &mut Logfmt, line: &[u8]) -> bool {
    let mut fields = Fields::new();
    pairs.read(line, &mut fields) == Verdict::Read && !fields.is_empty()
}

fn is_object(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    line.trim_ascii_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(&line).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "{\"time\":\"2026-11-22T10:00:00Z\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200}\n";
    const COMBINED: &str = "::1 - - [27/Nov/2024:06:21:42 +0000] \"GET / HTTP/1.1\" 200 2 \"-\" \"curl/8.7.1\"\n";

    fn auto() -> Reading {
        Reading::unsettled(chrono_tz::Tz::UTC)
    }

    /// The format, how many requests it was judged by, and whether that is sure; or why it cannot be told.
    fn judged(head: &str) -> String {
        match detect(head.as_bytes(), &auto()) {
            Detection::Empty => "empty".to_owned(),
            Detection::Found(found) if found.is_sure() => format!("{} by {}, sure", found.format, found.candidates),
            Detection::Found(found) => format!("{} by {}", found.format, found.candidates),
            Detection::Ambiguous(what) | Detection::Unknown(what) => what,
        }
    }

    #[test]
    fn twenty_requests_of_which_nine_of_ten_agree_are_sure() {
        assert_eq!(judged(&JSON.repeat(20)), "json by 20, sure");
        assert_eq!(judged(&JSON.repeat(19)), "json by 19");
        assert_eq!(judged(&format!("{}{COMBINED}", JSON.repeat(20))), "json by 20, sure");
        assert_eq!(judged(&format!("{}{JSON}", COMBINED.repeat(30))), "combined by 30, sure");
    }

    #[test]
    fn two_formats_that_say_different_things_of_the_same_lines_are_refused_by_name() {
        let line = "::1 - - [27/Nov/2024:06:21:42 +0000] \"GET /a HTTP/1.1\" 200 2 \"-\" \"-\" \
                    time=2024-11-27T06:21:42Z method=POST path=/b status=500\n";
        let what = judged(&line.repeat(20));
        assert!(what.contains("combined") && what.contains("logfmt"), "{what}");
        assert!(what.ends_with("write format = \"combined\" or format = \"logfmt\" in its [[source]]"), "{what}");
    }

    #[test]
    fn lines_that_report_no_request_do_not_matter() {
        let banner = "starting up, see the manual\n".repeat(500);
        assert_eq!(judged(&format!("{banner}{}", COMBINED.repeat(20))), "combined by 20, sure");
        assert_eq!(judged(&format!("{banner}{}", JSON.repeat(2))), "json by 2");
        assert_eq!(judged(&format!("{}{}", "{\"msg\":\"up\"}\n".repeat(300), JSON.repeat(25))), "json by 25, sure");
    }

    #[test]
    fn without_requests_a_log_is_read_until_one_comes() {
        assert_eq!(judged("{\"msg\":\"up\"}\n{\"msg\":\"down\"}\n"), "json by 0");
        assert_eq!(judged("starting\nstarted\n"), "text by 0");
    }

    #[test]
    fn without_a_whole_line_there_is_nothing_to_judge() {
        for head in ["", "\n", " \r\n\n", "{\"time\":1}", "\n{\"half\":"] {
            assert_eq!(detect(head.as_bytes(), &auto()), Detection::Empty, "{head:?}");
        }
    }

    #[test]
    fn requests_in_two_formats_are_refused_with_both_names() {
        assert_eq!(
            judged(&format!("{}{}", JSON.repeat(14), COMBINED.repeat(6))),
            "of 20 lines that report requests, 14 are json and 6 are combined, and a log is read in one format; \
             write format = \"json\" or format = \"combined\" in its [[source]]"
        );
    }

    #[test]
    fn lines_that_may_be_requests_of_no_known_format_are_refused() {
        let told = judged(&"GET|https://api.example.com/a|200\n".repeat(3));
        assert!(told.starts_with("the log looks like requests in a form of their own"), "{told}");
    }

    #[test]
    fn a_configured_format_is_never_doubted() {
        let reading = Reading { format: Some(Format::COMBINED), ..auto() };
        let found = |head: &str| detect(head.as_bytes(), &reading).found().copied().expect("configured");
        assert_eq!((found(JSON).format, found(JSON).candidates), (Format::COMBINED, 0));
        assert_eq!(found(&COMBINED.repeat(3)).candidates, 3);
    }
}

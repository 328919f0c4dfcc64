//! `daycap explain`: how each log's lines are read, from its first lines.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use super::{Done, Failure, Outcome, Terms, expand, print, read_config, zone};
use crate::cli::Explain;
use crate::collect::decode::Detection;
use crate::collect::decode::explain::{Explanation, PATH_TO_NAME, Reason, explain as explain_lines};
use crate::collect::reader::Reader;
use crate::collect::settle::TWO_LAYERS;
use crate::collect::{CountFrom, Family, Format, Reading, Source, find};
use crate::publish::text::thousands;
use crate::raw::default_service;

pub fn explain(asked: &Explain, terms: &Terms, out: &mut dyn Write) -> Done {
    let zone = zone(&asked.tz)?;
    let sources = match &asked.config {
        Some(path) => read_config(path, &(terms.surroundings)()).map_err(Failure::Usage)?.sources,
        None => Vec::new(),
    };
    let mut untold = Vec::new();
    for path in expand(&asked.files)? {
        let source = source_of(&path, &sources);
        if source.is_none() && asked.config.is_some() {
            print(out, &format!("{path}\n  is of no [[source]] in the configuration; read as if it had none\n"))?;
        }
        let reading = source.map_or_else(|| Reading::unsettled(zone), |source| source.reading.clone());
        let mut reader = Reader::open(Path::new(&path))?;
        let mut head = Vec::new();
        let chunk = reader.next_chunk(&mut head).map_err(|error| anyhow::anyhow!("cannot read {path}: {error}"))?;
        let written = chunk.and_then(|chunk| chunk.written);
        let explanation = explain_lines(&head, written, &reading, &default_service(&path));
        print(out, &text(&path, source, &explanation))?;
        if !is_told(&explanation) {
            untold.push(path);
        }
    }
    match untold.as_slice() {
        [] => Ok(Outcome::Done),
        paths => Err(Failure::Failed(anyhow::anyhow!("cannot tell the format of {}", paths.join(", ")))),
    }
}

/// Whether the log is known to be of a format: text without any request is only read as one.
fn is_told(explanation: &Explanation) -> bool {
    let has_requests = explanation.detection.found().is_some_and(|found| found.candidates > 0);
    explanation.format.is_some_and(|format| format.family != Family::Text || has_requests)
}

/// The source that names this log.
fn source_of<'a>(path: &str, sources: &'a [Source]) -> Option<&'a Source> {
    let of = std::fs::canonicalize(path).ok()?;
    let is_it = |found: &Path| std::fs::canonicalize(found).is_ok_and(|found| found == of);
    let names_it = |pattern: &String| find::matching(pattern).iter().any(|found| is_it(found));
    sources.iter().find(|source| source.paths.iter().any(names_it))
}

fn text(path: &str, source: Option<&Source>, explanation: &Explanation) -> String {
    let mut text = format!("{path}\n");
    match &explanation.detection {
        Detection::Found(_) => {}
        Detection::Empty => text.push_str("  holds no whole line yet\n"),
        // Writing to a String cannot fail.
        Detection::Ambiguous(what) | Detection::Unknown(what) => writeln!(text, "  {what}").unwrap_or_default(),
    }
    if let Some(format) = explanation.format {
        describe(&mut text, path, source, format, explanation);
    }
    text
}

fn describe(text: &mut String, path: &str, source: Option<&Source>, format: Format, explanation: &Explanation) {
    let mut line = |line: String| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    if let Some(source) = source {
        line(format!("  as configured in source {:?}", source.name));
    }
    line(format!("  format: {format}{}", judged(source, explanation)));
    let envelopes: Vec<&str> = format.envelopes().map(|envelope| envelope.name()).collect();
    if !envelopes.is_empty() {
        line(format!("  envelopes: {}", envelopes.join(", in it ")));
    }
    if let Some(dialect) = explanation.dialect {
        line(format!("  dialect: {dialect}"));
    }
    layers(explanation).into_iter().for_each(&mut line);
    let lines = &explanation.lines;
    line(format!(
        "  lines looked at: {} counted, {} skipped, {} rejected",
        thousands(lines.counted),
        thousands(lines.skipped),
        thousands(lines.rejected())
    ));
    explanation.reasons.iter().map(reason).for_each(&mut line);
    line("  fields:".to_owned());
    for (field, place) in &explanation.fields {
        line(format!("    {field:<10} {place}"));
    }
    line("  lines as read:".to_owned());
    for example in &explanation.examples {
        line(format!("    {:>4}  {}", example.number, example.excerpt));
        line(format!("          -> {}", example.outcome));
    }
    if source.is_none() {
        line("  to pin this reading:".to_owned());
        let named = toml::Value::String(path.to_owned()).to_string();
        for pinned in explanation.toml.replace(PATH_TO_NAME, &named).lines() {
            line(format!("    {pinned}"));
        }
    }
}

/// How the format is known.
fn judged(source: Option<&Source>, explanation: &Explanation) -> String {
    let found = explanation.detection.found();
    if source.is_some_and(|source| source.reading.format.is_some()) {
        return ", as configured".to_owned();
    }
    match found {
        None => String::new(),
        Some(found) if found.is_sure() => format!(", surely: by {} requests", thousands(found.candidates)),
        Some(found) if found.candidates == 0 => ", until a request tells: no line reports one".to_owned(),
        Some(found) => format!(", by {} so far; 20 requests make it sure", counted(found.candidates)),
    }
}

fn counted(requests: u64) -> String {
    if requests == 1 { "1 request".to_owned() } else { format!("{requests} requests") }
}

fn layers(explanation: &Explanation) -> Option<String> {
    let from = explanation.count_from.filter(CountFrom::is_one)?;
    Some(format!("  count_from: {from}: {TWO_LAYERS}"))
}

fn reason(reason: &Reason) -> String {
    let fate = if reason.is_reject { "rejected" } else { "skipped" };
    format!("    {:>6} {fate}: {}, first in line {}", thousands(reason.lines), reason.what, reason.first)
}

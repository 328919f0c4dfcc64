//! `daycap explain`: how each log's lines are read, from its first lines.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use super::{Done, Failure, Outcome, expand, print, zone};
use crate::cli::Explain;
use crate::collect::Reading;
use crate::collect::decode::Detection;
use crate::collect::decode::explain::{Explanation, PATH_TO_NAME, explain as explain_lines};
use crate::collect::reader::Reader;
use crate::publish::text::thousands;
use crate::raw::default_service;

pub fn explain(asked: &Explain, out: &mut dyn Write) -> Done {
    let reading = Reading::unsettled(zone(&asked.tz)?);
    let mut unreadable = Vec::new();
    for path in expand(&asked.files)? {
        let mut reader = Reader::open(Path::new(&path))?;
        let mut head = Vec::new();
        reader.next_chunk(&mut head).map_err(|error| anyhow::anyhow!("cannot read {path}: {error}"))?;
        let explanation = explain_lines(&head, &reading, &default_service(&path));
        print(out, &text(&path, &explanation))?;
        if explanation.format.is_none() {
            unreadable.push(path);
        }
    }
    match unreadable.as_slice() {
        [] => Ok(Outcome::Done),
        paths => Err(Failure::Failed(anyhow::anyhow!("cannot tell the format of {}", paths.join(", ")))),
    }
}

fn text(path: &str, explanation: &Explanation) -> String {
    let mut text = format!("{path}\n");
    match &explanation.detection {
        Detection::Found(_) => {}
        Detection::Empty => text.push_str("  holds no whole line yet\n"),
        Detection::Ambiguous(what) | Detection::Unknown(what) => writeln!(text, "  {what}").unwrap_or_default(),
    }
    if let Some(format) = explanation.format {
        describe(&mut text, path, &format.to_string(), explanation);
    }
    text
}

fn describe(text: &mut String, path: &str, format: &str, explanation: &Explanation) {
    let mut line = |line: String| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    let lines = &explanation.lines;
    line(format!("  format: {format}"));
    line(format!(
        "  lines looked at: {} counted, {} skipped, {} rejected",
        thousands(lines.counted),
        thousands(lines.skipped),
        thousands(lines.rejected())
    ));
    line("  fields:".to_owned());
    for (field, key) in &explanation.fields {
        line(format!("    {field:<10} {key}"));
    }
    line("  lines as read:".to_owned());
    for example in &explanation.examples {
        line(format!("    {:>4}  {}", example.number, example.excerpt));
        line(format!("          -> {}", example.outcome));
    }
    line("  to pin this reading:".to_owned());
    let named = toml::Value::String(path.to_owned()).to_string();
    for pinned in explanation.toml.replace(PATH_TO_NAME, &named).lines() {
        line(format!("    {pinned}"));
    }
}

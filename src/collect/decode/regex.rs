//! The source's own pattern: named groups say what is where in a line, as the user writes them, anchored only
//! where the pattern says so. It works on bytes, so a line that is no UTF-8 has its place.
//! This file never looks into a value.

use std::collections::BTreeSet;

use ::regex::bytes::{CaptureLocations, Regex, RegexBuilder};

use super::field::{Field, Rank, Unit};
use super::fields::{Fields, Verdict};
use super::mapping::{self, Mapping};

/// A compiled pattern may take this much memory.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// A compiled pattern.
pub struct Pattern {
    /// Without one, a line is never read.
    compiled: Option<Compiled>,
}

struct Compiled {
    regex: Regex,
    /// Each wanted group's number with what it says, in order of preference.
    groups: Vec<(usize, Rank)>,
    /// Where the groups of the line at hand are; kept, so that a line allocates nothing.
    places: CaptureLocations,
}

/// Why this is no pattern to read by.
pub fn check(mapping: &Mapping) -> Result<(), String> {
    let pattern = mapping.pattern.as_deref().unwrap_or_default();
    let within = |why: String| format!("pattern is {pattern:?}; {why}");
    let regex = compile(pattern).map_err(|error| within(explain(&error)))?;
    let names: BTreeSet<&str> = regex.capture_names().flatten().collect();
    for name in &names {
        if mapping::group(name).is_none() && !mapping.only_if.contains_key(*name) {
            let (known, nearest) = (mapping::group_names(), mapping::nearest(name));
            return Err(within(format!("unknown group {name:?}; did you mean {nearest:?}? The groups are {known}")));
        }
    }
    if let Some(missing) = mapping.only_if.keys().find(|place| !names.contains(place.as_str())) {
        return Err(format!("only_if: the pattern has no group {missing:?}; name one (?<{missing}>…)"));
    }
    let says = |field: Field| names.iter().any(|name| mapping::group(name).is_some_and(|(_, said)| said == field));
    let facts = [Field::Method, Field::Url, Field::Status, Field::Operation].into_iter().filter(|field| says(*field));
    if facts.count() < 2 {
        return Err(within(
            "no line it matches could be a request; name two groups of method, url or path, status, operation"
                .to_owned(),
        ));
    }
    Ok(())
}

/// `.` is any byte and `\w` is ASCII, unless the pattern asks for more with `(?u)`.
fn compile(pattern: &str) -> Result<Regex, ::regex::Error> {
    RegexBuilder::new(pattern).unicode(false).size_limit(COMPILED_BYTES_MAX).build()
}

/// Its last line says what; those before point at the place.
fn explain(error: &::regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    let what = last.strip_prefix("error: ").unwrap_or(last);
    format!("{what}; write a regular expression in '…', with groups as (?<method>[A-Z]+)")
}

impl Pattern {
    pub fn new(mapping: &Mapping) -> Pattern {
        let compiled = mapping.pattern.as_deref().and_then(|pattern| compile(pattern).ok());
        Pattern { compiled: compiled.map(|regex| Compiled::new(regex, mapping)) }
    }

    /// Read a line. One that does not match is a line that reports no request, and none that cannot be read: the pattern
    /// says how request lines look, and an application's log has other lines, too, which must not put its days in doubt.
    #[inline]
    pub fn read<'a>(&mut self, line: &'a [u8], fields: &mut Fields<'a>) -> Verdict {
        let Some(Compiled { regex, groups, places }) = &mut self.compiled else { return Verdict::Malformed };
        if regex.captures_read(places, line).is_none() {
            return Verdict::Read;
        }
        for (group, rank) in groups {
            if let Some((start, end)) = places.get(*group) {
                fields.push_ranked(*rank, &line[start..end]);
            }
        }
        Verdict::Read
    }
}

impl Compiled {
    fn new(regex: Regex, mapping: &Mapping) -> Compiled {
        let mut groups: Vec<_> = (0..)
            .zip(regex.capture_names())
            .filter_map(|(number, name)| Some((number, rank(name?, mapping)?)))
            .collect();
        groups.sort_by_key(|(_, rank)| *rank);
        Compiled { groups, places: regex.capture_locations(), regex }
    }
}

/// What a group says.
fn rank(name: &str, mapping: &Mapping) -> Option<Rank> {
    let condition = mapping.only_if.keys().position(|place| place == name).and_then(|place| u8::try_from(place).ok());
    let said = mapping::group(name).map(|(order, field)| {
        let unit = if field == Field::Time { mapping.time_unit() } else { mapping.duration_unit() };
        Rank::mapped(order, field, unit.unwrap_or(Unit::Guess))
    });
    match (said, condition) {
        (said, None) => said,
        (Some(rank), Some(condition)) => Some(rank.asked(condition)),
        (None, Some(condition)) => Some(Rank::condition(condition)),
    }
}

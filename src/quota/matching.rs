//! Which requests are meant: patterns for the ledger's label columns. This file never sees a request, only its labels.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The label columns of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    Host,
    Service,
    Key,
    Api,
    Method,
    Operation,
    Status,
}

impl Column {
    pub const ALL: [Column; 7] =
        [Column::Host, Column::Service, Column::Key, Column::Api, Column::Method, Column::Operation, Column::Status];

    /// The column's name in the ledger, in `--by` and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Column::Host => "host",
            Column::Service => "service",
            Column::Key => "key",
            Column::Api => "api",
            Column::Method => "method",
            Column::Operation => "operation",
            Column::Status => "status",
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Column {
    type Err = String;

    fn from_str(text: &str) -> Result<Column, String> {
        Column::ALL.into_iter().find(|column| column.name() == text).ok_or_else(|| {
            let names: Vec<_> = Column::ALL.iter().map(|column| column.name()).collect();
            format!("{text:?} is not a column; the columns are {}", names.join(", "))
        })
    }
}

/// A set of `column = pattern` that must all hold; the empty one accepts every request. Values are compared as text; a
/// status is its number, and a missing status is "".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match(pub Vec<(Column, Pattern)>);

impl Match {
    /// Whether the request whose labels `label` tells is one of these.
    pub fn accepts<'a>(&self, label: impl Fn(Column) -> Cow<'a, str>) -> bool {
        self.0.iter().all(|(column, pattern)| pattern.accepts(*column, &label(*column)))
    }

    /// The columns that it looks at.
    pub fn columns(&self) -> impl Iterator<Item = Column> {
        self.0.iter().map(|(column, _)| *column)
    }
}

/// What a label may be: one of these texts, in which `*` stands for any characters, also none; of a status, `4xx` is
/// every status from 400 to 499.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub Vec<String>);

impl From<&str> for Pattern {
    fn from(text: &str) -> Pattern {
        Pattern(vec![text.to_owned()])
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Pattern {
        Pattern(vec![text])
    }
}

impl Pattern {
    pub fn accepts(&self, column: Column, label: &str) -> bool {
        self.0.iter().any(|wanted| match column {
            Column::Status => is_class_of(wanted, label) || is_like(wanted, label),
            Column::Host | Column::Service | Column::Key | Column::Api | Column::Method | Column::Operation => {
                is_like(wanted, label)
            }
        })
    }
}

/// `4xx` is the class of every status that has three digits and begins with a 4.
fn is_class_of(wanted: &str, status: &str) -> bool {
    let class = wanted.strip_suffix("xx").filter(|class| class.len() == 1);
    class.is_some_and(|class| status.len() == 3 && status.starts_with(class))
}

/// Whether the text is what the pattern spells out, with anything where it has a `*`.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let like =
            |pattern: &str, texts: [&str; 4]| texts.map(|text| Pattern::from(pattern).accepts(Column::Operation, text));
        assert_eq!(like("/v1/*", ["/v1/", "/v1/a", "/v2/a", "x/v1/a"]), [true, true, false, false]);
        assert_eq!(like("*Search", ["jobSearch", "Search", "Searches", ""]), [true, true, false, false]);
        assert_eq!(like("a*b*c", ["abc", "a1b2c", "abcb", "acb"]), [true, true, false, false]);
        assert_eq!(like("*", ["", "a", "*", "é"]), [true, true, true, true]);
        assert_eq!(like("a*a", ["aa", "a", "aba", "ab"]), [true, false, true, false]);
    }

    #[test]
    fn a_status_may_be_a_class_and_a_label_one_of_several() {
        let status = |pattern: &str, text: &str| Pattern::from(pattern).accepts(Column::Status, text);
        assert!(status("4xx", "429") && status("429", "429") && status("", "") && status("4*", "404"));
        assert!(!status("4xx", "503") && !status("4xx", "") && !status("4xx", "42"));
        assert!(!Pattern::from("4xx").accepts(Column::Operation, "429"), "operations have no classes");
        let either = Pattern(vec!["sync".to_owned(), "crm".to_owned()]);
        assert_eq!(["sync", "crm", "geo"].map(|text| either.accepts(Column::Service, text)), [true, true, false]);
    }
}

//! Which of two layers counts, where a client library's own messages and the application's fields report the same calls.
//! This file never looks at a line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `count_from` of a source, and what was settled for a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CountFrom {
    /// Found from the log's first lines; until then both layers count.
    #[default]
    Auto,
    /// All requests, whichever layer reports them.
    Both,
    /// Those that the lines' own fields report; the client's messages are the same calls again.
    Fields,
    /// Those that messages of HTTP clients report.
    Messages,
}

impl CountFrom {
    pub const ALL: [CountFrom; 4] = [CountFrom::Auto, CountFrom::Both, CountFrom::Fields, CountFrom::Messages];

    pub fn name(self) -> &'static str {
        match self {
            CountFrom::Auto => "auto",
            CountFrom::Both => "both",
            CountFrom::Fields => "fields",
            CountFrom::Messages => "messages",
        }
    }

    /// Nothing is said, or settled.
    pub fn is_auto(&self) -> bool {
        *self == CountFrom::Auto
    }

    /// Whether one layer counts, and the other does not.
    pub fn is_one(&self) -> bool {
        matches!(self, CountFrom::Fields | CountFrom::Messages)
    }

    /// Whether a request counts that only a client's message reports, or only the line's own fields.
    #[inline]
    pub fn takes(self, from_message: bool) -> bool {
        match self {
            CountFrom::Auto | CountFrom::Both => true,
            CountFrom::Fields => !from_message,
            CountFrom::Messages => from_message,
        }
    }
}

impl fmt::Display for CountFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for CountFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<CountFrom, String> {
        CountFrom::ALL
            .into_iter()
            .find(|known| known.name() == text)
            .ok_or_else(|| format!("count_from is {text:?}; it is {}", CountFrom::ALL.map(CountFrom::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_named_as_it_is_written() {
        for from in CountFrom::ALL {
            assert_eq!(from.to_string().parse(), Ok(from));
            assert_eq!(serde_json::to_string(&from).expect("a text"), format!("{:?}", from.name()));
        }
        let error = "app".parse::<CountFrom>().expect_err("unknown");
        assert_eq!(error, "count_from is \"app\"; it is auto, both, fields, messages");
    }
}

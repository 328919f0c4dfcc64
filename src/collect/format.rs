//! What a log's lines are made of, from outside to inside: up to three envelopes that a collector put around each
//! line, and the format family of what is in them. Written `docker:json`, in the configuration and in marks.
//! This file never looks at a line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// More layers than this nobody has met.
pub const ENVELOPES_MAX: usize = 3;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Format {
    /// The outermost first; `None` only behind the last.
    envelopes: [Option<Envelope>; ENVELOPES_MAX],
    pub family: Family,
}

/// What a collector puts around a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Envelope {
    /// Docker's json-file driver: `{"log":"…\n","stream":"stdout","time":"…"}`.
    Docker,
    /// Kubernetes: `2016-10-06T00:17:09.669794202Z stdout F …`.
    Cri,
    /// `journalctl -o json`: the line is in `MESSAGE`.
    Journald,
    /// RFC 3164 or RFC 5424.
    Syslog,
    /// docker compose: `name-1  | …`.
    Compose,
}

/// How the line itself is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    Json,
    /// OpenTelemetry's log records and spans, many in a line.
    Otlp,
    Logfmt,
    /// Access logs of nginx and Apache.
    Combined,
    Haproxy,
    Squid,
    /// AWS application load balancers.
    Alb,
    Envoy,
    /// Messages of HTTP clients, behind any prefix.
    Text,
    /// The source's own pattern.
    Regex,
}

impl Envelope {
    pub const ALL: [Envelope; 5] =
        [Envelope::Docker, Envelope::Cri, Envelope::Journald, Envelope::Syslog, Envelope::Compose];

    pub fn name(self) -> &'static str {
        match self {
            Envelope::Docker => "docker",
            Envelope::Cri => "cri",
            Envelope::Journald => "journald",
            Envelope::Syslog => "syslog",
            Envelope::Compose => "compose",
        }
    }
}

impl Family {
    pub const ALL: [Family; 10] = [
        Family::Json,
        Family::Otlp,
        Family::Logfmt,
        Family::Combined,
        Family::Haproxy,
        Family::Squid,
        Family::Alb,
        Family::Envoy,
        Family::Text,
        Family::Regex,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Family::Json => "json",
            Family::Otlp => "otlp",
            Family::Logfmt => "logfmt",
            Family::Combined => "combined",
            Family::Haproxy => "haproxy",
            Family::Squid => "squid",
            Family::Alb => "alb",
            Family::Envoy => "envoy",
            Family::Text => "text",
            Family::Regex => "regex",
        }
    }
}

impl Format {
    pub const JSON: Format = Format::bare(Family::Json);
    pub const COMBINED: Format = Format::bare(Family::Combined);

    /// Lines as their writer wrote them.
    pub const fn bare(family: Family) -> Format {
        Format { envelopes: [None; ENVELOPES_MAX], family }
    }

    /// The same lines, wrapped once more; `None` where that is one layer too many.
    pub fn within(self, envelope: Envelope) -> Option<Format> {
        let [first, second, None] = self.envelopes else { return None };
        Some(Format { envelopes: [Some(envelope), first, second], ..self })
    }

    /// The outermost first.
    pub fn envelopes(&self) -> impl Iterator<Item = Envelope> {
        self.envelopes.into_iter().flatten()
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for envelope in self.envelopes() {
            write!(formatter, "{}:", envelope.name())?;
        }
        formatter.write_str(self.family.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        let mut layers = text.rsplit(':');
        let family = layers.next().unwrap_or_default();
        let family = Family::ALL.into_iter().find(|known| known.name() == family).ok_or_else(|| unknown(text))?;
        layers.try_fold(Format::bare(family), |format, layer| {
            let envelope =
                Envelope::ALL.into_iter().find(|known| known.name() == layer).ok_or_else(|| unknown(text))?;
            format
                .within(envelope)
                .ok_or_else(|| format!("format is {text:?}; a line is read through at most {ENVELOPES_MAX} envelopes"))
        })
    }
}

fn unknown(text: &str) -> String {
    let families = Family::ALL.map(Family::name).join(", ");
    let envelopes = Envelope::ALL.map(Envelope::name).join(", ");
    format!(
        "format is {text:?}; the formats are auto, {families}, each with envelopes in front if it has any ({envelopes}), \
         as \"docker:json\""
    )
}

impl From<Format> for String {
    fn from(format: Format) -> String {
        format.to_string()
    }
}

impl TryFrom<String> for Format {
    type Error = String;

    fn try_from(text: String) -> Result<Format, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_written_from_outside_to_inside() {
        for text in ["json", "combined", "docker:json", "syslog:docker:logfmt", "journald:syslog:cri:text"] {
            assert_eq!(text.parse::<Format>().expect(text).to_string(), text);
        }
        let format: Format = "cri:json".parse().expect("known");
        assert_eq!(format, Format::JSON.within(Envelope::Cri).expect("fits"));
        assert_eq!(serde_json::to_string(&format).expect("a text"), "\"cri:json\"");
    }

    #[test]
    fn an_unknown_layer_is_answered_with_those_there_are() {
        for text in ["", "jsn", "docker", "docker:", "podman:json", "json:docker"] {
            assert!(text.parse::<Format>().expect_err(text).contains("as \"docker:json\""), "{text}");
        }
        let error = "cri:cri:cri:cri:json".parse::<Format>().expect_err("too many");
        assert!(error.ends_with("at most 3 envelopes"), "{error}");
    }
}

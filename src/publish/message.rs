//! What is said to people and programs, whatever carries it: one piece of news about a quota or about counting itself.
//! This file never decides whether there is news; `alert` and `trouble` do.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::alert::Level;
use super::snapshot::Contributor;
use super::trouble::Concern;
use crate::forecast::Confidence;

/// In JSON it is what exec gets on stdin; the figures stand beside the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What is the matter has one id, from its first message to the one that it is over, after a restart too. Who receives
    /// the same id with the same status again has been told already.
    pub id: String,
    pub status: Status,
    pub level: Topic,
    pub severity: Severity,
    /// What is concerned, where it is one quota.
    pub quota: Option<String>,
    /// What is concerned, where it is one source.
    pub source: Option<String>,
    /// A headline of a few words; subject of a mail, first line of a chat message. Empty in what an older daycap said.
    #[serde(default)]
    pub title: String,
    /// One sentence for a person: used, limit, forecast with band, when it runs out, reset, what may be spent, who spends
    /// it; or what is over, and how it ended.
    pub message: String,
    /// No news for people: a graver matter goes on, or is over with this one and says so. It is for receivers that keep what
    /// fires by its id, and for the history.
    #[serde(default)]
    pub quiet: bool,
    /// When this was said.
    pub at: DateTime<Utc>,
    /// Since when it holds; the same in the message that it is over.
    pub since: DateTime<Utc>,
    /// Of a quota's use; absent where counting itself is concerned.
    #[serde(flatten)]
    pub figures: Option<Figures>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Firing,
    Resolved,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Firing => "firing",
            Status::Resolved => "resolved",
        }
    }
}

/// How soon somebody must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// What is the matter; its name in JSON, in `DAYCAP_LEVEL` and in labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Topic {
    Quota(Level),
    Counting(Concern),
    Drill(Drill),
}

/// Nothing is the matter: somebody tries whether messages arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drill {
    Test,
}

impl Topic {
    pub fn severity(self) -> Severity {
        match self {
            Topic::Quota(level) => level.severity(),
            Topic::Counting(concern) => concern.severity(),
            Topic::Drill(Drill::Test) => Severity::Info,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topic::Quota(level) => level.fmt(formatter),
            Topic::Counting(concern) => formatter.write_str(concern.name()),
            Topic::Drill(Drill::Test) => formatter.write_str("test"),
        }
    }
}

/// A quota's numbers when the message was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub used: u64,
    pub limit: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub exceed_probability: f64,
    pub exhausted_at: Option<DateTime<Utc>>,
    pub resets_at: DateTime<Utc>,
    /// IANA name of the zone in which a person reads these times.
    pub zone: String,
    pub sustainable_per_minute: f64,
    pub confidence: Confidence,
    /// The busiest three.
    #[serde(default)]
    pub top: Vec<Contributor>,
}

/// What fires, from its first message to the one that it is over. Kept in `state.json` for so long, so that the last
/// message names the same matter as the first though daycap was restarted between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    pub id: String,
    pub level: Topic,
    pub quota: Option<String>,
    pub source: Option<String>,
    pub since: DateTime<Utc>,
}

/// What a person reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub title: String,
    pub message: String,
}

impl Matter {
    pub fn fires(&self, text: Text, figures: Option<Figures>, at: DateTime<Utc>) -> Message {
        self.say(Status::Firing, text, figures, at)
    }

    pub fn is_over(&self, text: Text, figures: Option<Figures>, at: DateTime<Utc>) -> Message {
        self.say(Status::Resolved, text, figures, at)
    }

    fn say(&self, status: Status, text: Text, figures: Option<Figures>, at: DateTime<Utc>) -> Message {
        Message {
            id: self.id.clone(),
            status,
            level: self.level,
            severity: self.level.severity(),
            quota: self.quota.clone(),
            source: self.source.clone(),
            title: text.title,
            message: text.message,
            quiet: false,
            at,
            since: self.since,
            figures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;

    #[test]
    fn news_read_back_from_the_state_is_the_same_news() {
        let drill = Message { level: Topic::Drill(Drill::Test), ..example::trouble() };
        for message in [example::alert(), example::trouble(), drill] {
            let json = serde_json::to_string(&message).expect("serialises");
            assert_eq!(serde_json::from_str::<Message>(&json).expect("is read back"), message, "{json}");
        }
    }
}

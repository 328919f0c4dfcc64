//! A message becomes what the world of Alertmanager calls an alert: labels that say which one, and annotations that say
//! the rest. No number is ever a label: a label that changes is another alert.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::super::message::{Message, Topic};
use super::template::Words;

pub type Labels = BTreeMap<String, String>;

/// What the alert is, whichever window it is about; `own` are the configuration's.
pub fn labels(message: &Message, own: &Labels) -> Labels {
    let mut labels = own.clone();
    let mut set = |name: &str, value: &str| labels.insert(name.to_owned(), value.to_owned());
    set("alertname", &alert_name(message.level));
    set("severity", message.severity.name());
    set("level", &message.level.to_string());
    for (name, value) in [("quota", &message.quota), ("source", &message.source)] {
        if let Some(value) = value {
            set(name, value);
        }
    }
    // To Alertmanager an empty label is none.
    labels.retain(|_, value| !value.is_empty());
    labels
}

/// `DaycapQuotaProjected`, `DaycapStale`: as the rules for Prometheus are named.
fn alert_name(topic: Topic) -> String {
    let about = match topic {
        Topic::Quota(_) => "DaycapQuota",
        Topic::Counting(_) | Topic::Drill(_) => "Daycap",
    };
    let name = topic.to_string();
    let words = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
    about.to_owned() + &words.collect::<String>()
}

/// What may change while the alert stands.
pub fn annotations(message: &Message, words: &Words) -> Labels {
    let mut annotations = Labels::from([
        ("summary".to_owned(), words.title.clone()),
        ("description".to_owned(), words.text.clone()),
        ("id".to_owned(), message.id.clone()),
    ]);
    let figures = serde_json::to_value(&message.figures).expect("figures are plain data");
    for (name, value) in figures.as_object().into_iter().flatten() {
        match value {
            Value::String(text) => _ = annotations.insert(name.clone(), text.clone()),
            Value::Number(_) | Value::Bool(_) => _ = annotations.insert(name.clone(), value.to_string()),
            // The busiest three are in the sentence already.
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }
    annotations
}

/// The hash by which Alertmanager knows an alert: FNV-1a, 64 bits, over names and values, each ended by a byte that no
/// text has.
pub fn fingerprint(labels: &Labels) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let texts = labels.iter().flat_map(|(name, value)| [name, value]);
    let bytes = texts.flat_map(|text| text.bytes().chain([0xff]));
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

/// `2026-11-22T14:30:00Z`.
pub fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::alert::Level;
    use crate::publish::example;
    use crate::publish::trouble::Concern;

    #[test]
    fn alerts_are_named_as_the_rules_for_prometheus_are() {
        let names = [
            Topic::Quota(Level::Projected),
            Topic::Quota(Level::Used(95)),
            Topic::Counting(Concern::Stale),
            Topic::Counting(Concern::CommitFailing),
        ];
        let names = names.map(alert_name);
        assert_eq!(names, ["DaycapQuotaProjected", "DaycapQuotaUsed95", "DaycapStale", "DaycapCommitFailing"]);
    }

    #[test]
    fn labels_stay_as_they_are_while_the_numbers_change() {
        let (first, mut later) = (example::alert(), example::alert());
        later.figures.as_mut().expect("figures").used = 9_999;
        later.message = "it is worse".to_owned();
        let own = Labels::from([("team".to_owned(), "api".to_owned())]);
        assert_eq!(labels(&first, &own), labels(&later, &own));
        let said: Vec<_> = labels(&first, &own).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected =
            ["alertname=DaycapQuotaProjected", "level=projected", "quota=maps", "severity=warning", "team=api"];
        assert_eq!(said, expected);
    }
}

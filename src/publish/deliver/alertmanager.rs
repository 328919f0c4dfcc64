//! What stands becomes one post to each peer of an Alertmanager cluster (API v2). It forgets what it is not told again,
//! and takes the same alert any number of times. This file never says when.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde_json::{Value, json};

use super::super::message::{Message, Status};
use super::http::{Attempt, Post, Reach, post};
use super::labels::{Labels, annotations, labels, rfc3339};
use super::template::Escape;
use super::{Again, DeliveryError, Notifier, Standing};

/// How long a message that comes alone stands: as what is sent again each minute, of which two may be lost.
const STANDS: TimeDelta = TimeDelta::minutes(4);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alertmanager {
    /// All of them are told: they share silences, not alerts.
    pub peers: Vec<Url>,
    pub reach: Reach,
    /// Set on every alert.
    pub labels: Labels,
    /// Where alerts say they come from, unless there is a link.
    pub home: String,
}

/// One message, as long as nobody sends it again.
pub fn alone(message: &Message, now: DateTime<Utc>) -> Standing {
    let ends_at = match message.status {
        Status::Firing => now + STANDS,
        Status::Resolved => message.at,
    };
    Standing { message: message.clone(), ends_at }
}

/// The array of `POST /api/v2/alerts`.
pub fn body(alertmanager: &Alertmanager, notifier: &Notifier, standing: &[Standing]) -> Value {
    let home = notifier.wording.link.as_deref().unwrap_or(&alertmanager.home);
    let alert = |Standing { message, ends_at }: &Standing| {
        json!({
            "labels": labels(message, &alertmanager.labels),
            "annotations": annotations(message, &notifier.wording.words(message, Escape::None)),
            "startsAt": rfc3339(message.since),
            // A clock that was set back would make an alert that ends before it starts, which is refused.
            "endsAt": rfc3339(*ends_at.max(&message.since)),
            "generatorURL": home,
        })
    };
    standing.iter().map(alert).collect()
}

/// Tell every peer at the same time. A peer that was not reached is an error, though the others have been told: telling
/// them again does no harm.
pub async fn deliver(alertmanager: &Alertmanager, body: &Value, attempt: Attempt) -> Result<(), DeliveryError> {
    let mut posts = tokio::task::JoinSet::new();
    for peer in &alertmanager.peers {
        let (url, reach, post_of) = (endpoint(peer), alertmanager.reach.clone(), Post::json(body));
        posts.spawn(async move { post(&url, post_of, &reach, attempt).await });
    }
    let results = posts.join_all().await;
    let failed: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    match failed.len() {
        0 => Ok(()),
        _ => Err(together(failed, alertmanager.peers.len())),
    }
}

/// `http://host:9093/prefix` -> `http://host:9093/prefix/api/v2/alerts`.
fn endpoint(peer: &Url) -> Url {
    let mut url = peer.clone();
    url.set_path(&format!("{}/api/v2/alerts", peer.path().trim_end_matches('/')));
    url
}

fn together(mut failed: Vec<DeliveryError>, peers: usize) -> DeliveryError {
    if peers == 1 {
        return failed.remove(0);
    }
    let again = if failed.iter().all(|error| error.again() == Again::Never) { Again::Never } else { Again::Later };
    let said: Vec<_> = failed.iter().map(ToString::to_string).collect();
    DeliveryError::Peers { failed: failed.len(), peers, said: said.join("; "), again }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::deliver::Kind;
    use crate::publish::deliver::template::Wording;
    use crate::publish::example;
    use crate::publish::message::Severity;
    use expect_test::expect;
    use std::time::Duration;

    #[test]
    fn what_stands_is_an_array_of_alerts() {
        let peers = vec!["http://alertmanager.example.com:9093/am/".parse().expect("an address")];
        let home = "http://app-1:9640".to_owned();
        let alertmanager = Alertmanager { peers, reach: Reach::default(), labels: Labels::new(), home };
        let notifier = Notifier {
            name: "alertmanager".to_owned(),
            kind: Kind::Alertmanager(alertmanager.clone()),
            timeout: Duration::from_secs(10),
            sends_resolved: true,
            severity_min: Severity::Info,
            wording: Wording::default(),
        };
        let over = Message { status: Status::Resolved, ..example::trouble() };
        let standing = [alone(&example::alert(), example::now()), alone(&over, example::now())];
        let body = body(&alertmanager, &notifier, &standing);
        expect![[r#"
            [
              {
                "annotations": {
                  "confidence": "low",
                  "description": "quota \"maps\" is forecast to exceed its limit: 7,900 of 10,000 used (79%)",
                  "exceed_probability": "0.97",
                  "exhausted_at": "2026-11-22T16:45:00Z",
                  "id": "maps-projected-1",
                  "limit": "10000",
                  "p10": "10900",
                  "p50": "12400",
                  "p90": "14100",
                  "resets_at": "2026-11-23T08:00:00Z",
                  "summary": "maps is forecast to exceed its limit (79% used)",
                  "sustainable_per_minute": "2.0",
                  "used": "7900",
                  "zone": "America/Los_Angeles"
                },
                "endsAt": "2026-11-22T14:34:00Z",
                "generatorURL": "http://app-1:9640",
                "labels": {
                  "alertname": "DaycapQuotaProjected",
                  "level": "projected",
                  "quota": "maps",
                  "severity": "warning"
                },
                "startsAt": "2026-11-22T14:20:00Z"
              },
              {
                "annotations": {
                  "description": "source \"/srv/crm/api.log\" has been silent for 9 h 00 min",
                  "id": "stale-crm-1",
                  "summary": "/srv/crm/api.log is silent"
                },
                "endsAt": "2026-11-22T14:30:00Z",
                "generatorURL": "http://app-1:9640",
                "labels": {
                  "alertname": "DaycapStale",
                  "level": "stale",
                  "severity": "warning",
                  "source": "/srv/crm/api.log"
                },
                "startsAt": "2026-11-22T07:30:00Z"
              }
            ]"#]]
        .assert_eq(&serde_json::to_string_pretty(&body).expect("JSON"));
        assert_eq!(endpoint(&alertmanager.peers[0]).as_str(), "http://alertmanager.example.com:9093/am/api/v2/alerts");
    }
}

//! A message becomes an event (Events API v2): the first opens an incident, the one that it is over resolves the same.
//! This file never opens two incidents for one id.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::message::{Message, Status};
use super::http::Reach;
use super::labels::rfc3339;
use super::secret::{Origin, Secret};
use super::template::{Escape, Wording};

/// Where events go, unless the account is elsewhere.
pub const ENDPOINT: &str = "https://events.pagerduty.com/v2/enqueue";
const SUMMARY_CHARACTERS_MAX: usize = 1_024;
const KEY_BYTES_MAX: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagerDuty {
    pub url: Origin,
    pub routing_key: Origin,
    pub reach: Reach,
    /// Which machine is concerned.
    pub host: String,
}

pub fn body(message: &Message, wording: &Wording, pagerduty: &PagerDuty, routing_key: &Secret) -> Value {
    let words = wording.words(message, Escape::None);
    let action = match message.status {
        Status::Firing => "trigger",
        Status::Resolved => "resolve",
    };
    let mut body = json!({
        "routing_key": routing_key.reveal(),
        "event_action": action,
        "dedup_key": dedup_key(&message.id),
        "client": "daycap",
        "payload": {
            "summary": super::cut(&words.title, SUMMARY_CHARACTERS_MAX),
            "source": pagerduty.host,
            "severity": message.severity.name(),
            "timestamp": rfc3339(message.at),
            "component": message.quota.as_ref().or(message.source.as_ref()),
            "class": message.level.to_string(),
            "custom_details": { "text": words.text, "figures": message.figures },
        },
    });
    if let Some(link) = &wording.link {
        body["client_url"] = link.as_str().into();
    }
    body
}

/// The id, or what stands for one that is too long.
fn dedup_key(id: &str) -> String {
    if id.len() <= KEY_BYTES_MAX {
        return id.to_owned();
    }
    Sha256::digest(id).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;
    use expect_test::{Expect, expect};

    fn check(message: &Message, wording: &Wording, expected: Expect) {
        let body = body(message, wording, &pagerduty(), &Secret::new("r0ut1ng"));
        expected.assert_eq(&serde_json::to_string_pretty(&body).expect("JSON"));
    }

    #[test]
    fn a_message_opens_an_incident() {
        check(
            &example::alert(),
            &Wording::default(),
            expect![[r#"
            {
              "client": "daycap",
              "dedup_key": "maps-projected-1",
              "event_action": "trigger",
              "payload": {
                "class": "projected",
                "component": "maps",
                "custom_details": {
                  "figures": {
                    "confidence": "low",
                    "exceed_probability": 0.97,
                    "exhausted_at": "2026-11-22T16:45:00Z",
                    "limit": 10000,
                    "p10": 10900,
                    "p50": 12400,
                    "p90": 14100,
                    "resets_at": "2026-11-23T08:00:00Z",
                    "sustainable_per_minute": 2.0,
                    "top": [
                      {
                        "operation": "/v1/geocode",
                        "service": "geo",
                        "units": 7900,
                        "usual": 4100
                      }
                    ],
                    "used": 7900,
                    "zone": "America/Los_Angeles"
                  },
                  "text": "quota \"maps\" is forecast to exceed its limit: 7,900 of 10,000 used (79%)"
                },
                "severity": "warning",
                "source": "app-1",
                "summary": "maps is forecast to exceed its limit (79% used)",
                "timestamp": "2026-11-22T14:30:00Z"
              },
              "routing_key": "r0ut1ng"
            }"#]],
        );
    }

    #[test]
    fn what_is_over_resolves_the_same_incident() {
        let over = Message { status: Status::Resolved, ..example::trouble() };
        let wording = Wording { link: Some("https://daycap.example.com/".to_owned()), ..Wording::default() };
        check(
            &over,
            &wording,
            expect![[r#"
            {
              "client": "daycap",
              "client_url": "https://daycap.example.com/",
              "dedup_key": "stale-crm-1",
              "event_action": "resolve",
              "payload": {
                "class": "stale",
                "component": "/srv/crm/api.log",
                "custom_details": {
                  "figures": null,
                  "text": "source \"/srv/crm/api.log\" has been silent for 9 h 00 min"
                },
                "severity": "warning",
                "source": "app-1",
                "summary": "/srv/crm/api.log is silent",
                "timestamp": "2026-11-22T14:30:00Z"
              },
              "routing_key": "r0ut1ng"
            }"#]],
        );
    }

    fn pagerduty() -> PagerDuty {
        let told = |text: &str| Origin::Told(Secret::new(text));
        PagerDuty {
            url: told(ENDPOINT),
            routing_key: told("r0ut1ng"),
            reach: Reach::default(),
            host: "app-1".to_owned(),
        }
    }

    #[test]
    fn an_id_that_is_too_long_is_still_one_of_a_kind() {
        let (one, other) = ("a".repeat(300), "a".repeat(301));
        assert!(dedup_key(&one).len() <= KEY_BYTES_MAX && dedup_key(&one) != dedup_key(&other));
    }
}

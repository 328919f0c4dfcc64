//! A message becomes what Alertmanager itself would send to a webhook (version 4), so that every receiver made for it
//! understands daycap; signed, where a secret is given, as Standard Webhooks says. This file never sends anything.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderName;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::message::{Message, Status};
use super::http::Reach;
use super::labels::{Labels, annotations, fingerprint, labels, rfc3339};
use super::secret::{Origin, Secret};
use super::template::{self, Escape, Words};
use super::{DeliveryError, Notifier};

/// What Alertmanager says of the end of an alert that stands.
const NO_END: &str = "0001-01-01T00:00:00Z";
/// In front of a secret's Base64.
const SECRET_PREFIX: &str = "whsec_";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub url: Origin,
    pub reach: Reach,
    /// What the body is signed with.
    pub secret: Option<Origin>,
    /// Set on every alert.
    pub labels: Labels,
    /// A template of the whole body, instead of Alertmanager's.
    pub body: Option<String>,
    /// Where alerts say they come from, unless there is a link.
    pub home: String,
}

/// The body to send: the configuration's, where it has one and it is JSON, else Alertmanager's.
pub fn body(webhook: &Webhook, notifier: &Notifier, message: &Message) -> Value {
    let link = notifier.wording.link.as_deref();
    let own = webhook.body.as_ref().and_then(|body| template::render(body, message, link, Escape::None).ok());
    own.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| {
        let words = notifier.wording.words(message, Escape::None);
        version_4(message, &words, &notifier.name, link.unwrap_or(&webhook.home), &webhook.labels)
    })
}

/// The body of version 4, with this one alert in its group.
pub fn version_4(message: &Message, words: &Words, receiver: &str, home: &str, own: &Labels) -> Value {
    let (labels, annotations) = (labels(message, own), annotations(message, words));
    let (status, ends_at) = match message.status {
        Status::Firing => ("firing", NO_END.to_owned()),
        Status::Resolved => ("resolved", rfc3339(message.at)),
    };
    json!({
        "version": "4",
        "groupKey": group_key(&labels),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": home,
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": rfc3339(message.since),
            "endsAt": ends_at,
            "generatorURL": home,
            "fingerprint": fingerprint(&labels),
        }],
    })
}

/// `{}:{alertname="DaycapStale", source="app.log"}`: the same from the first message to the one that it is over.
fn group_key(labels: &Labels) -> String {
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{}}:{{{}}}", labels.join(", "))
}

/// What is wrong with a template of a whole body.
pub fn check_body(template: &str) -> Result<(), String> {
    for rendered in template::check("body", template)? {
        serde_json::from_str::<Value>(&rendered).map_err(|error| {
            format!("body: it does not give JSON ({error}); write values as {{{{ message | tojson }}}}, without quotes")
        })?;
    }
    Ok(())
}

/// The headers of Standard Webhooks. The id is the same at each try, so that a receiver can tell what it has already.
pub fn signed(message: &Message, body: &str, secret: &Secret, now: DateTime<Utc>) -> Result<Headers, DeliveryError> {
    let (id, at) = (message_id(message), now.timestamp().to_string());
    let signature = signature(&key(secret)?, &id, &at, body);
    Ok([("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signature)]
        .map(|(name, value)| (HeaderName::from_static(name), value)))
}

fn signature(key: &[u8], id: &str, at: &str, body: &str) -> String {
    let mut hash = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    hash.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(hash.finalize().into_bytes()))
}

type Headers = [(HeaderName, String); 3];

/// Of characters that a header can have, whatever a quota is called.
fn message_id(message: &Message) -> String {
    let status = match message.status {
        Status::Firing => "firing",
        Status::Resolved => "resolved",
    };
    let hash = Sha256::digest(format!("{}\n{status}", message.id));
    let hash: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{hash}")
}

/// The key in a secret as `whsec_…` writes it.
pub fn key(secret: &Secret) -> Result<Vec<u8>, DeliveryError> {
    let encoded = secret.reveal().strip_prefix(SECRET_PREFIX);
    let key = encoded.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok()).filter(|key| !key.is_empty());
    key.ok_or(DeliveryError::NoKey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::deliver::template::Wording;
    use crate::publish::example;
    use expect_test::{Expect, expect};

    fn check(message: &Message, expected: Expect) {
        let own = Labels::from([("host".to_owned(), "app-1".to_owned())]);
        let words = Wording::default().words(message, Escape::None);
        let body = version_4(message, &words, "ops", "http://app-1:9640", &own);
        expected.assert_eq(&serde_json::to_string_pretty(&body).expect("JSON"));
    }

    #[test]
    fn a_firing_message_is_an_alert_without_an_end() {
        check(
            &example::alert(),
            expect![[r#"
            {
              "alerts": [
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
                  "endsAt": "0001-01-01T00:00:00Z",
                  "fingerprint": "c8a299abd065b5c5",
                  "generatorURL": "http://app-1:9640",
                  "labels": {
                    "alertname": "DaycapQuotaProjected",
                    "host": "app-1",
                    "level": "projected",
                    "quota": "maps",
                    "severity": "warning"
                  },
                  "startsAt": "2026-11-22T14:20:00Z",
                  "status": "firing"
                }
              ],
              "commonAnnotations": {
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
              "commonLabels": {
                "alertname": "DaycapQuotaProjected",
                "host": "app-1",
                "level": "projected",
                "quota": "maps",
                "severity": "warning"
              },
              "externalURL": "http://app-1:9640",
              "groupKey": "{}:{alertname=\"DaycapQuotaProjected\", host=\"app-1\", level=\"projected\", quota=\"maps\", severity=\"warning\"}",
              "groupLabels": {
                "alertname": "DaycapQuotaProjected",
                "host": "app-1",
                "level": "projected",
                "quota": "maps",
                "severity": "warning"
              },
              "receiver": "ops",
              "status": "firing",
              "truncatedAlerts": 0,
              "version": "4"
            }"#]],
        );
    }

    #[test]
    fn a_resolved_message_is_the_same_alert_with_its_end() {
        let resolved = Message { status: Status::Resolved, ..example::trouble() };
        check(
            &resolved,
            expect![[r#"
            {
              "alerts": [
                {
                  "annotations": {
                    "description": "source \"/srv/crm/api.log\" has been silent for 9 h 00 min",
                    "id": "stale-crm-1",
                    "summary": "/srv/crm/api.log is silent"
                  },
                  "endsAt": "2026-11-22T14:30:00Z",
                  "fingerprint": "53390282b65386ef",
                  "generatorURL": "http://app-1:9640",
                  "labels": {
                    "alertname": "DaycapStale",
                    "host": "app-1",
                    "level": "stale",
                    "severity": "warning",
                    "source": "/srv/crm/api.log"
                  },
                  "startsAt": "2026-11-22T07:30:00Z",
                  "status": "resolved"
                }
              ],
              "commonAnnotations": {
                "description": "source \"/srv/crm/api.log\" has been silent for 9 h 00 min",
                "id": "stale-crm-1",
                "summary": "/srv/crm/api.log is silent"
              },
              "commonLabels": {
                "alertname": "DaycapStale",
                "host": "app-1",
                "level": "stale",
                "severity": "warning",
                "source": "/srv/crm/api.log"
              },
              "externalURL": "http://app-1:9640",
              "groupKey": "{}:{alertname=\"DaycapStale\", host=\"app-1\", level=\"stale\", severity=\"warning\", source=\"/srv/crm/api.log\"}",
              "groupLabels": {
                "alertname": "DaycapStale",
                "host": "app-1",
                "level": "stale",
                "severity": "warning",
                "source": "/srv/crm/api.log"
              },
              "receiver": "ops",
              "status": "resolved",
              "truncatedAlerts": 0,
              "version": "4"
            }"#]],
        );
    }

    /// The example that Standard Webhooks' own libraries are tested with; openssl says the same:
    /// `printf %s "$id.$at.$body" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64`.
    #[test]
    fn a_signature_is_made_over_id_time_and_body() {
        let key = key(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).expect("a good secret");
        let signature = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_id_is_the_same_at_each_try_and_another_when_it_is_over() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = |message: &Message, second| {
            let now = DateTime::from_timestamp(second, 0).expect("an instant");
            let [id, at, _] = signed(message, "{}", &secret, now).expect("a good secret");
            assert_eq!((id.0.as_str(), at.1), ("webhook-id", second.to_string()));
            id.1
        };
        let over = Message { status: Status::Resolved, ..example::alert() };
        assert_eq!(id(&example::alert(), 1_000), id(&example::alert(), 2_000));
        assert_ne!(id(&example::alert(), 1_000), id(&over, 1_000));
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_showing_it() {
        for secret in ["hunter2", "whsec_", "whsec_?", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            let error = key(&Secret::new(secret)).expect_err(secret).to_string();
            assert_eq!(
                error,
                "the secret for signatures is not as Standard Webhooks writes it: whsec_ and Base64; make one with: printf 'whsec_%s\\n' \"$(head -c 32 /dev/urandom | base64)\""
            );
        }
    }

    #[test]
    fn a_body_of_ones_own_must_be_json_for_every_message() {
        check_body("{\"say\": {{ message | tojson }}, \"used\": {{ used | tojson }}}").expect("JSON");
        let error = check_body("{\"used\": {{ used }}}").expect_err("nothing is not JSON");
        expect!["body: it does not give JSON (expected value at line 1 column 10); write values as {{ message | tojson }}, without quotes"].assert_eq(&error);
    }
}

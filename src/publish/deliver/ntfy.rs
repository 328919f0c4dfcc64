//! A message becomes a push notification, published as JSON: the topic is in the body and not in the address.
//! This file never asks for a sound when all is well again.

use serde_json::{Value, json};

use super::super::message::{Message, Severity, Status};
use super::http::Reach;
use super::secret::{Origin, Secret};
use super::template::{Escape, Wording};

/// The server's own limit, in bytes; longer ones become attachments.
const MESSAGE_BYTES_MAX: usize = 4_096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ntfy {
    /// The server's, without the topic.
    pub url: Origin,
    /// Who knows it can read along on a public server.
    pub topic: Origin,
    pub reach: Reach,
}

pub fn body(message: &Message, wording: &Wording, topic: &Secret) -> Value {
    let words = wording.words(message, Escape::None);
    let end = words.text.floor_char_boundary(MESSAGE_BYTES_MAX);
    let mut body = json!({
        "topic": topic.reveal(),
        "title": words.title,
        "message": words.text[..end],
        "priority": priority(message),
        "tags": [tag(message)],
    });
    if let Some(link) = &wording.link {
        body["click"] = link.as_str().into();
    }
    body
}

/// 5 rings until it is seen, 3 is usual, 2 is silent.
fn priority(message: &Message) -> u8 {
    match (message.status, message.severity) {
        (Status::Resolved, _) => 2,
        (Status::Firing, Severity::Critical) => 5,
        (Status::Firing, Severity::Warning) => 4,
        (Status::Firing, Severity::Info) => 3,
    }
}

/// Shown as a sign before the title.
fn tag(message: &Message) -> &'static str {
    match (message.status, message.severity) {
        (Status::Resolved, _) => "white_check_mark",
        (Status::Firing, Severity::Critical) => "rotating_light",
        (Status::Firing, Severity::Warning) => "warning",
        (Status::Firing, Severity::Info) => "information_source",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;
    use expect_test::{Expect, expect};

    fn check(message: &Message, wording: &Wording, expected: Expect) {
        let body = body(message, wording, &Secret::new("our-topic"));
        expected.assert_eq(&serde_json::to_string_pretty(&body).expect("JSON"));
    }

    #[test]
    fn a_message_is_published_to_the_topic() {
        check(
            &example::alert(),
            &Wording::default(),
            expect![[r#"
            {
              "message": "quota \"maps\" is forecast to exceed its limit: 7,900 of 10,000 used (79%)",
              "priority": 4,
              "tags": [
                "warning"
              ],
              "title": "maps is forecast to exceed its limit (79% used)",
              "topic": "our-topic"
            }"#]],
        );
    }

    #[test]
    fn what_is_over_makes_no_sound() {
        let over = Message { status: Status::Resolved, ..example::trouble() };
        let wording = Wording { link: Some("https://daycap.example.com/".to_owned()), ..Wording::default() };
        check(
            &over,
            &wording,
            expect![[r#"
            {
              "click": "https://daycap.example.com/",
              "message": "source \"/srv/crm/api.log\" has been silent for 9 h 00 min",
              "priority": 2,
              "tags": [
                "white_check_mark"
              ],
              "title": "/srv/crm/api.log is silent",
              "topic": "our-topic"
            }"#]],
        );
    }

    #[test]
    fn a_long_text_is_cut_before_it_becomes_an_attachment() {
        let message = Message { message: "é".repeat(3_000), ..example::alert() };
        let body = body(&message, &Wording::default(), &Secret::new("our-topic"));
        assert_eq!(body["message"].as_str().expect("a text").len(), MESSAGE_BYTES_MAX);
    }
}

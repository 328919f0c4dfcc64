//! A message becomes an adaptive card, as a Teams workflow that posts "when a webhook request is received" takes it.
//! This file never uses the retired connector cards.

use serde_json::{Value, json};

use super::super::message::{Message, Severity, Status};
use super::template::{Escape, Wording};

/// A message may have 28 KB; with this much text its card has less.
const TEXT_CHARACTERS_MAX: usize = 5_000;

pub fn body(message: &Message, wording: &Wording) -> Value {
    let words = wording.words(message, Escape::Mentions);
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            { "type": "TextBlock", "text": words.title, "weight": "Bolder", "size": "Medium", "wrap": true,
              "color": colour(message) },
            { "type": "TextBlock", "text": super::cut(&words.text, TEXT_CHARACTERS_MAX), "wrap": true },
        ],
    });
    if let Some(link) = &wording.link {
        card["actions"] = json!([{ "type": "Action.OpenUrl", "title": "daycap", "url": link }]);
    }
    let kind = "application/vnd.microsoft.card.adaptive";
    json!({ "type": "message", "attachments": [{ "contentType": kind, "contentUrl": null, "content": card }] })
}

fn colour(message: &Message) -> &'static str {
    match (message.status, message.severity) {
        (Status::Resolved, _) => "Good",
        (Status::Firing, Severity::Critical) => "Attention",
        (Status::Firing, Severity::Warning) => "Warning",
        (Status::Firing, Severity::Info) => "Accent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;
    use expect_test::{Expect, expect};

    fn check(message: &Message, wording: &Wording, expected: Expect) {
        let body = body(message, wording);
        expected.assert_eq(&serde_json::to_string_pretty(&body).expect("JSON"));
    }

    #[test]
    fn a_message_is_an_adaptive_card() {
        check(
            &example::alert(),
            &Wording::default(),
            expect![[r#"
            {
              "attachments": [
                {
                  "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "body": [
                      {
                        "color": "Warning",
                        "size": "Medium",
                        "text": "maps is forecast to exceed its limit (79% used)",
                        "type": "TextBlock",
                        "weight": "Bolder",
                        "wrap": true
                      },
                      {
                        "text": "quota \"maps\" is forecast to exceed its limit: 7,900 of 10,000 used (79%)",
                        "type": "TextBlock",
                        "wrap": true
                      }
                    ],
                    "type": "AdaptiveCard",
                    "version": "1.4"
                  },
                  "contentType": "application/vnd.microsoft.card.adaptive",
                  "contentUrl": null
                }
              ],
              "type": "message"
            }"#]],
        );
    }

    #[test]
    fn what_is_over_is_good_and_leads_to_the_page() {
        let over = Message { status: Status::Resolved, ..example::trouble() };
        let wording = Wording { link: Some("https://daycap.example.com/".to_owned()), ..Wording::default() };
        check(
            &over,
            &wording,
            expect![[r#"
            {
              "attachments": [
                {
                  "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "actions": [
                      {
                        "title": "daycap",
                        "type": "Action.OpenUrl",
                        "url": "https://daycap.example.com/"
                      }
                    ],
                    "body": [
                      {
                        "color": "Good",
                        "size": "Medium",
                        "text": "/srv/crm/api.log is silent",
                        "type": "TextBlock",
                        "weight": "Bolder",
                        "wrap": true
                      },
                      {
                        "text": "source \"/srv/crm/api.log\" has been silent for 9 h 00 min",
                        "type": "TextBlock",
                        "wrap": true
                      }
                    ],
                    "type": "AdaptiveCard",
                    "version": "1.4"
                  },
                  "contentType": "application/vnd.microsoft.card.adaptive",
                  "contentUrl": null
                }
              ],
              "type": "message"
            }"#]],
        );
    }
}

//! A message becomes an attachment with a colour, which every chat that takes Slack's incoming webhooks shows.
//! This file never lets a value of a log be markup.

use serde_json::{Value, json};

use super::super::message::{Message, Severity, Status};
use super::template::{Escape, Wording};

/// Longer texts are folded, then cut, by the receiver.
const TEXT_CHARACTERS_MAX: usize = 8_000;

pub fn body(message: &Message, wording: &Wording) -> Value {
    let words = wording.words(message, Escape::Entities);
    let mut attachment = json!({
        "color": colour(message),
        "fallback": words.title,
        "title": words.title,
        "text": super::cut(&words.text, TEXT_CHARACTERS_MAX),
        "mrkdwn_in": ["text"],
        "ts": message.at.timestamp(),
    });
    if let Some(link) = &wording.link {
        attachment["title_link"] = link.as_str().into();
    }
    json!({ "attachments": [attachment] })
}

fn colour(message: &Message) -> &'static str {
    match (message.status, message.severity) {
        (Status::Resolved, _) => "good",
        (Status::Firing, Severity::Critical) => "danger",
        (Status::Firing, Severity::Warning) => "warning",
        (Status::Firing, Severity::Info) => "#439fe0",
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
    fn a_message_is_an_attachment_of_its_colour() {
        check(
            &example::alert(),
            &Wording::default(),
            expect![[r#"
            {
              "attachments": [
                {
                  "color": "warning",
                  "fallback": "maps is forecast to exceed its limit (79% used)",
                  "mrkdwn_in": [
                    "text"
                  ],
                  "text": "quota \"maps\" is forecast to exceed its limit: 7,900 of 10,000 used (79%)",
                  "title": "maps is forecast to exceed its limit (79% used)",
                  "ts": 1795357800
                }
              ]
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
                  "color": "good",
                  "fallback": "/srv/crm/api.log is silent",
                  "mrkdwn_in": [
                    "text"
                  ],
                  "text": "source \"/srv/crm/api.log\" has been silent for 9 h 00 min",
                  "title": "/srv/crm/api.log is silent",
                  "title_link": "https://daycap.example.com/",
                  "ts": 1795357800
                }
              ]
            }"#]],
        );
    }
}

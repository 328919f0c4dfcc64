//! A message becomes the content of a Discord message, cut to what it may be.
//! This file never lets a value of a log mention anybody.

use serde_json::{Value, json};

use super::super::message::Message;
use super::template::{Escape, Wording};

/// The channel's own limit; longer ones are refused.
const CONTENT_CHARACTERS_MAX: usize = 2_000;

pub fn body(message: &Message, wording: &Wording) -> Value {
    let words = wording.words(message, Escape::Mentions);
    let link = wording.link.as_ref().map_or_else(String::new, |link| format!("\n<{link}>"));
    let room = CONTENT_CHARACTERS_MAX.saturating_sub(link.chars().count());
    let content = super::cut(&format!("**{}**\n{}", words.title, words.text), room) + &link;
    // Who writes a template may call somebody in it.
    let mentions: &[&str] = if wording.is_own() { &["everyone", "roles", "users"] } else { &[] };
    json!({ "content": content, "allowed_mentions": { "parse": mentions } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;
    use crate::publish::message::Status;
    use expect_test::{Expect, expect};

    fn check(message: &Message, wording: &Wording, expected: Expect) {
        let body = body(message, wording);
        expected.assert_eq(&serde_json::to_string_pretty(&body).expect("JSON"));
    }

    #[test]
    fn a_message_is_a_content_that_mentions_nobody() {
        check(
            &example::alert(),
            &Wording::default(),
            expect![[r#"
            {
              "allowed_mentions": {
                "parse": []
              },
              "content": "**maps is forecast to exceed its limit (79% used)**\nquota \"maps\" is forecast to exceed its limit: 7,900 of 10,000 used (79%)"
            }"#]],
        );
    }

    #[test]
    fn what_is_over_leads_to_the_page() {
        let over = Message { status: Status::Resolved, ..example::trouble() };
        let wording = Wording { link: Some("https://daycap.example.com/".to_owned()), ..Wording::default() };
        check(
            &over,
            &wording,
            expect![[r#"
            {
              "allowed_mentions": {
                "parse": []
              },
              "content": "**/srv/crm/api.log is silent**\nsource \"/srv/crm/api.log\" has been silent for 9 h 00 min\n<https://daycap.example.com/>"
            }"#]],
        );
    }

    #[test]
    fn a_content_is_cut_to_what_it_may_be_and_keeps_its_link() {
        let message = Message { message: "é".repeat(3_000), ..example::alert() };
        let wording = Wording { link: Some("https://daycap.example.com/".to_owned()), ..Wording::default() };
        let body = body(&message, &wording);
        let content = body["content"].as_str().expect("a text");
        assert_eq!(content.chars().count(), CONTENT_CHARACTERS_MAX);
        assert!(content.ends_with("é…\n<https://daycap.example.com/>"));
    }

    #[test]
    fn who_writes_a_template_may_call_somebody() {
        let wording = Wording { text: Some("@here {{ message }}".to_owned()), ..Wording::default() };
        let message = Message { message: "@everyone".to_owned(), ..example::alert() };
        let body = body(&message, &wording);
        assert_eq!(body["allowed_mentions"]["parse"], json!(["everyone", "roles", "users"]));
        assert!(body["content"].as_str().is_some_and(|text| text.ends_with("@here @\u{200b}everyone")), "{body}");
    }
}

//! A message becomes the text of a Google Chat message. This file never lets a value of a log mention anybody.

use serde_json::{Value, json};

use super::super::message::Message;
use super::template::{Escape, Wording};

/// The channel's own limit; longer ones are refused.
const TEXT_CHARACTERS_MAX: usize = 4_096;

pub fn body(message: &Message, wording: &Wording) -> Value {
    let words = wording.words(message, Escape::Mentions);
    let link = wording.link.as_ref().map_or_else(String::new, |link| format!("\n{link}"));
    let room = TEXT_CHARACTERS_MAX.saturating_sub(link.chars().count());
    json!({ "text": super::cut(&format!("*{}*\n{}", words.title, words.text), room) + &link })
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
    fn a_message_is_a_text() {
        check(
            &example::alert(),
            &Wording::default(),
            expect![[r#"
            {
              "text": "*maps is forecast to exceed its limit (79% used)*\nquota \"maps\" is forecast to exceed its limit: 7,900 of 10,000 used (79%)"
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
              "text": "*/srv/crm/api.log is silent*\nsource \"/srv/crm/api.log\" has been silent for 9 h 00 min\nhttps://daycap.example.com/"
            }"#]],
        );
    }
}

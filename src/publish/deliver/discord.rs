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

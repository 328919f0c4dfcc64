//! What is wrong with a configuration's text becomes a sentence that says where, and the remedy.
//! This file never knows what a key means.

use std::path::Path;

use super::nearest;

/// toml's own message says where; an unknown key also gets the nearest right one.
pub(super) fn explain_toml(error: &toml::de::Error, text: &str, path: &Path) -> String {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let place = format!("{}:{line}", path.display());
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    match (message.starts_with("unknown field"), quoted.next()) {
        (true, Some(unknown)) => match nearest(unknown, quoted) {
            Some(right) => format!("{place}: unknown key {unknown:?}; did you mean {right:?}?"),
            None => format!("{place}: unknown key {unknown:?}"),
        },
        _ => format!("{place}: {message}"),
    }
}

//! What a line says of its API key becomes a name that may be shown: the source's own, else a plain short one of the
//! log's, else a fingerprint. This file never lets a key through.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use sha2::{Digest, Sha256};

use super::id;
use super::operation::LABEL_BYTES_MAX;

/// How the value of an `Authorization` begins; what follows is a secret, however short.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "apikey", "api-key", "key"];
const FINGERPRINT: &str = "key-";
/// Of SHA-256: with a thousand keys, the chance that two look alike is one in ten thousand, and whoever guesses a
/// random key still has 2^-32 of it only. `printf %s "$KEY" | sha256sum` begins with them.
const FINGERPRINT_DIGITS: usize = 8;
/// Longer ones are not taken for names.
const NAME_BYTES_MAX: usize = 32;
/// Nor are letters and digits in a row, this many.
const RUN_MIN: usize = 12;
/// Nor what has more digits, which is a year.
const NAME_DIGITS_MAX: usize = 4;

/// What a source's `keys` say.
pub struct Keys {
    shown: HashMap<Box<str>, Box<str>>,
}

impl Keys {
    pub fn new(keys: &BTreeMap<String, String>) -> Keys {
        Keys { shown: keys.iter().map(|(key, name)| (key.as_str().into(), name.as_str().into())).collect() }
    }

    /// What to show for a key that a line says.
    pub fn label(&self, said: &str, label: &mut String) {
        label.clear();
        let (key, is_secret) = without_scheme(said);
        if key.is_empty() {
            return;
        }
        let print = fingerprint(key);
        if let Some(shown) = self.shown.get(key).or_else(|| self.shown.get(print.as_str())) {
            label.push_str(shown);
        } else if !is_secret && is_name(key) {
            label.push_str(key);
        } else {
            label.push_str(&print);
        }
    }
}

/// Why these cannot be shown. No message repeats what may be a key.
pub fn check(keys: &BTreeMap<String, String>) -> Result<(), String> {
    for (key, name) in keys {
        if !is_name(key) && !is_fingerprint(key) {
            let print = fingerprint(without_scheme(key).0);
            return Err(format!(
                "keys: what {name:?} stands for looks like a key itself, which does not belong in a configuration; \
                 write its fingerprint, {print:?}"
            ));
        }
        let printable = name.chars().all(id::is_printable);
        if name.trim().is_empty() || name.len() > LABEL_BYTES_MAX || !printable {
            return Err(format!(
                "keys: {key:?} is shown as {name:?}; a name is printable and has 1 to {LABEL_BYTES_MAX} bytes"
            ));
        }
    }
    Ok(())
}

/// The key alone, and whether it came with a scheme, as secrets do.
fn without_scheme(said: &str) -> (&str, bool) {
    let said = said.trim_start();
    match said.split_once(' ') {
        Some((scheme, key)) if SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) => (key.trim(), true),
        _ => (said.trim_end(), false),
    }
}

/// Tells keys apart and does not tell what they are.
fn fingerprint(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    let digits = digest.iter().take(FINGERPRINT_DIGITS / 2).map(|byte| format!("{byte:02x}"));
    std::iter::once(FINGERPRINT.to_owned()).chain(digits).collect()
}

fn is_fingerprint(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(FINGERPRINT)
        .is_some_and(|digits| digits.len() == FINGERPRINT_DIGITS && digits.bytes().all(is_digit))
}

/// A word or two, as people call things: `prod`, `mobile-app`, `batch_2026`.
fn is_name(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_. ".contains(&byte);
    let longest_run = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max().unwrap_or_default();
    // Secret, public and restricted keys often say so first.
    let marked = ["sk", "pk", "rk"].iter().any(|mark| {
        text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(mark))
            && matches!(text.as_bytes().get(2), Some(b'-' | b'_'))
    });
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(plain)
        && digits <= NAME_DIGITS_MAX
        && (digits == 0 || longest_run < RUN_MIN)
        && longest_run < 2 * RUN_MIN
        // Short parts of capitals, small letters and digits together.
        && !id::is_mixed(text)
        && !marked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(said: &str) -> String {
        let keys = [("key-2c26b46b", "mobile"), ("prod", "production")];
        let mut label = String::new();
        let keys = keys.map(|(key, name)| (key.to_owned(), name.to_owned()));
        Keys::new(&keys.into()).label(said, &mut label);
        label
    }

    #[test]
    fn a_key_is_shown_by_its_configured_name_else_its_own_else_its_fingerprint() {
        for (said, label) in [
            // `printf %s foo | sha256sum`: 2c26b46b…
            ("foo", "mobile"),
            ("Bearer foo", "mobile"),
            ("prod", "production"),
            ("staging", "staging"),
            ("batch-2026", "batch-2026"),
            // `printf %s bar | sha256sum`: fcde2b2e…
            ("Bearer bar", "key-fcde2b2e"),
            ("basic bar", "key-fcde2b2e"),
            ("", ""),
            ("Bearer ", ""),
        ] {
            assert_eq!(shown(said), label, "{said}");
        }
        for secret in [
            "sk_live_51H8xYz0123456789abcdef",
            "sk-abc",
            "key-AaA000aaA_AAAAaa_AAaa0A",
            "0123456789abcdef",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
            "someone@example.com",
            "a\u{202e}b",
            "abcdefghijklmnopqrstuvwxyz",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            let label = shown(secret);
            assert!(is_fingerprint(&label), "{secret}: {label}");
        }
    }

    #[test]
    fn a_key_itself_is_refused_without_being_repeated() {
        let keys = |key: &str, name: &str| check(&[(key.to_owned(), name.to_owned())].into());
        assert_eq!(keys("key-2c26b46b", "mobile"), Ok(()));
        assert_eq!(keys("prod", "production"), Ok(()));
        let error = keys("sk_live_51H8xYz", "mobile").expect_err("a secret");
        assert!(!error.contains("51H8") && error.contains("fingerprint, \"key-"), "{error}");
        for name in ["", " ", "a\nb", "a\u{202e}b"] {
            assert!(keys("prod", name).is_err(), "{name:?}");
        }
    }
}

//! Which texts name one thing among many or may be a secret, and which characters people cannot see.
//! This file never decides what stands in their place.

/// Longer words are ids, whatever they look like.
const WORD_BYTES_MAX: usize = 64;
/// From this length on, a run of letters and digits is a hash or a token.
pub const HASH_BYTES_MIN: usize = 16;
/// As long a word with this many digits, capitals and small letters each is a token whatever parts it.
const MIXED_BYTES_MIN: usize = 20;
const MIXED_MIN: usize = 3;

/// Whether this names one thing among many: a number, UUID, hash, token or address.
pub fn is_id(segment: &str) -> bool {
    let counts = Counts::of(segment);
    let id_like = counts.digits > 0 && counts.others == 0;
    counts.may_be_secret(segment)
        || (id_like && counts.lower + counts.upper == 0)
        || (counts.digits >= 5 && counts.digits > counts.lower + counts.upper)
        || (counts.hex_only && counts.digits > 0 && segment.len() >= HASH_BYTES_MIN)
}

/// Whether this may be a token, a key, or the address of a person.
pub fn is_secret(word: &str) -> bool {
    Counts::of(word).may_be_secret(word)
}

/// Whether this may be a token whose parts are too short to tell; names are seldom so mixed, servers' never.
pub fn is_mixed(text: &str) -> bool {
    Counts::of(text).is_mixed(text)
}

/// Whether a secret follows, as in `Bearer …`.
pub fn is_authorization(text: &str) -> bool {
    const SCHEMES: [&str; 4] = ["bearer", "basic", "digest", "token"];
    let mut words = text.split("%20").flat_map(str::split_whitespace);
    let scheme = |word: &str| SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
    let header = |word: &str| word.ends_with(':') && word.to_ascii_lowercase().contains("authorization");
    words.any(|word| scheme(word) || header(word)) && words.next().is_some()
}

/// Whether people see what they get: no control characters, nothing without width, nothing that turns the direction of
/// what follows, nothing of private meaning.
pub fn is_printable(c: char) -> bool {
    !c.is_control() && !UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

const UNSEEN: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{10ffff}'),
];

/// Whether escapes hide what need not be escaped, letters and digits, or an `@` or another `%`.
fn hides(segment: &str) -> bool {
    segment.as_bytes().windows(3).any(|escape| {
        matches!(
            escape,
            [b'%', b'3', b'0'..=b'9']
                | [b'%', b'2', b'5']
                | [b'%', b'4' | b'6', _]
                | [b'%', b'5' | b'7', b'0'..=b'9' | b'a' | b'A']
        )
    })
}

/// What a segment is made of.
#[derive(Default)]
struct Counts {
    digits: usize,
    lower: usize,
    upper: usize,
    /// Bytes that are no letter, digit or separator of numbers.
    others: usize,
    /// The longest run of letters and digits.
    longest_run: usize,
    hex_only: bool,
    /// An address of a person, or something hidden.
    at_signs: bool,
}

impl Counts {
    fn of(segment: &str) -> Counts {
        let mut counts = Counts { hex_only: true, ..Counts::default() };
        let mut run = 0;
        for byte in segment.bytes() {
            run = if byte.is_ascii_alphanumeric() { run + 1 } else { 0 };
            counts.longest_run = counts.longest_run.max(run);
            counts.hex_only &= byte.is_ascii_hexdigit() || byte == b'-';
            match byte {
                b'0'..=b'9' => counts.digits += 1,
                b'a'..=b'z' => counts.lower += 1,
                b'A'..=b'Z' => counts.upper += 1,
                b'-' | b',' | b'_' | b':' | b'~' => {}
                b'@' => counts.at_signs = true,
                _ => counts.others += 1,
            }
        }
        // `%40` is an escaped `@`.
        counts.at_signs |= counts.others > 0 && hides(segment);
        counts
    }

    fn is_mixed(&self, word: &str) -> bool {
        word.len() >= MIXED_BYTES_MIN && [self.digits, self.lower, self.upper].iter().all(|count| *count >= MIXED_MIN)
    }

    fn may_be_secret(&self, word: &str) -> bool {
        self.at_signs
            || word.len() > WORD_BYTES_MAX
            || (self.digits > 0 && self.longest_run >= HASH_BYTES_MIN)
            || (self.digits >= 2 && self.lower > 0 && self.upper > 0 && self.longest_run >= 10)
            || self.is_mixed(word)
            || self.longest_run >= 2 * HASH_BYTES_MIN
    }
}

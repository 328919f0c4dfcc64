//! Targets become labels: a path with its ids cut out, a GraphQL operation's name, a server's name.
//! Nothing here lets a query string, a credential or an id through.

/// Labels are cut to this many bytes.
pub const LABEL_BYTES_MAX: usize = 128;
/// Stands where an id stood.
const ID: &str = "{id}";
/// Longer path segments are ids, whatever they look like.
const SEGMENT_BYTES_MAX: usize = 64;
/// From this length on, a run of letters and digits is a hash or a token.
const HASH_BYTES_MIN: usize = 16;

/// The path of a url or request target with ids cut out: `https://h/jobs/42?q=x` is `/jobs/{id}`.
pub fn path(target: &str, label: &mut String) {
    label.clear();
    let path = path_of(target);
    let mut rest = path.strip_prefix('/').unwrap_or(path);
    loop {
        let (end, seen) = segment_end(rest);
        let segment = &rest[..end];
        label.push('/');
        if seen & ODD != 0 {
            // Matrix parameters carry session ids.
            push_segment(segment.split_once(';').map_or(segment, |(segment, _)| segment), label);
        } else {
            label.push_str(if is_plain_id(segment, seen) { ID } else { segment });
        }
        let Some(after) = rest.get(end + 1..) else { break };
        rest = after;
        if label.len() > LABEL_BYTES_MAX {
            break;
        }
    }
    cut(label);
}

/// A name that the log gives itself. What looks like a path is treated as one, lest ids and queries get in.
pub fn name(name: &str, label: &mut String) {
    label.clear();
    if name.contains(['/', '?', '#']) {
        path(name, label);
    } else {
        push_segment(name.trim(), label);
        cut(label);
    }
}

/// Any other label: control characters dropped, cut to length.
pub fn plain(text: &str, label: &mut String) {
    label.clear();
    push_printable(text.trim(), label);
    cut(label);
}

/// The part of a full url that names its server; `None` where the target is not a full url.
pub fn server(url: &str) -> Option<&str> {
    let rest = &url[after_scheme(url)?..];
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|server| !server.is_empty())
}

/// Past `scheme://`.
fn after_scheme(url: &str) -> Option<usize> {
    let colon = url.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)))?;
    url[colon..].starts_with("://").then_some(colon + 3).filter(|_| colon > 0)
}

/// A server's name as hosts are compared: lower case, without user information, port 80 and port 443.
pub fn host(authority: &str, label: &mut String) {
    label.clear();
    let end = authority.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).unwrap_or(authority.len());
    let authority = &authority[..end];
    let host = authority.rsplit('@').next().unwrap_or(authority).trim();
    let host = host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(host);
    if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]%".contains(&byte)) {
        label.extend(host.chars().map(|c| c.to_ascii_lowercase()));
        cut(label);
    }
}

/// The name of a GraphQL document's operation: the one it states, else its first top-level field.
pub fn document_name(document: &str) -> Option<&str> {
    let mut rest = skip_ignored(document);
    if !document.contains('{') {
        return None;
    }
    if rest.starts_with("fragment") {
        // Fragments may stand first; the operation follows some closing brace.
        rest = rest
            .match_indices('}')
            .map(|(at, _)| skip_ignored(&rest[at + 1..]))
            .find(|rest| keyword(rest).is_some())?;
    }
    if let Some(keyword) = keyword(rest) {
        rest = skip_ignored(&rest[keyword.len()..]);
        let name = identifier(rest);
        if !name.is_empty() {
            return Some(name);
        }
        rest = &rest[rest.find('{')?..];
    }
    first_field(rest.strip_prefix('{')?)
}

fn keyword(rest: &str) -> Option<&'static str> {
    let word = identifier(rest);
    ["query", "mutation", "subscription"].into_iter().find(|keyword| *keyword == word)
}

/// The first field of a selection; of `alias: field` the field.
fn first_field(selection: &str) -> Option<&str> {
    let rest = skip_ignored(selection);
    let first = identifier(rest);
    let after = skip_ignored(&rest[first.len()..]);
    let field = after.strip_prefix(':').map_or(first, |aliased| identifier(skip_ignored(aliased)));
    (!field.is_empty()).then_some(field)
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// GraphQL ignores white space, commas and comments.
fn skip_ignored(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == '\u{feff}');
        let Some(comment) = text.strip_prefix('#') else { return text };
        text = comment.split_once('\n').map_or("", |(_, rest)| rest);
    }
}

/// A target without scheme, server, query and fragment.
pub fn path_of(target: &str) -> &str {
    let start = after_scheme(target).unwrap_or(0);
    let end = memchr::memchr2(b'?', b'#', target.as_bytes()).unwrap_or(target.len()).max(start);
    let rest = &target[start..end];
    if start == 0 { rest } else { rest.bytes().position(|byte| byte == b'/').map_or("/", |at| &rest[at..]) }
}

/// Sorts of bytes, as bits: which of them a segment has decides most segments.
const DIGIT: u8 = 1;
const HEX_LETTER: u8 = 2;
const OTHER_LETTER: u8 = 4;
const DASH: u8 = 8;
const UNDERSCORE: u8 = 16;
const ODD: u8 = 32;

const SORTS: [u8; 256] = {
    let mut sorts = [ODD; 256];
    let mut byte = 0;
    while byte < 128 {
        sorts[byte as usize] = match byte {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX_LETTER,
            b'g'..=b'z' | b'G'..=b'Z' => OTHER_LETTER,
            b'-' => DASH,
            b'_' => UNDERSCORE,
            _ => ODD,
        };
        byte += 1u8;
    }
    sorts
};

/// Where the path's first segment ends, and the sorts of its bytes.
#[inline]
fn segment_end(rest: &str) -> (usize, u8) {
    let mut seen = 0;
    for (at, byte) in rest.bytes().enumerate() {
        if byte == b'/' {
            return (at, seen);
        }
        seen |= SORTS[usize::from(byte)];
    }
    (rest.len(), seen)
}

/// [`is_id`] of a segment with these sorts of bytes, none of them odd: they nearly always tell.
#[inline]
fn is_plain_id(segment: &str, seen: u8) -> bool {
    let digits = seen & DIGIT != 0;
    let letters = seen & (HEX_LETTER | OTHER_LETTER) != 0;
    let hex = seen & (OTHER_LETTER | UNDERSCORE) == 0;
    if digits && (!letters || (hex && segment.len() >= HASH_BYTES_MIN)) {
        return true;
    }
    // `v1`: an id with letters has five digits or is long.
    let short = segment.len() < if digits { 5 } else { HASH_BYTES_MIN };
    !short && is_id(segment)
}

fn push_segment(segment: &str, label: &mut String) {
    let letters = segment.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_');
    if letters && segment.len() < HASH_BYTES_MIN {
        return label.push_str(segment);
    }
    // `42.json` is an id with a format.
    match segment.rsplit_once('.') {
        Some((stem, format)) if is_format(format) && is_id(stem) && !stem.contains(['@', '%']) => {
            label.push_str(ID);
            label.push('.');
            label.push_str(format);
        }
        _ if is_id(segment) => label.push_str(ID),
        _ => push_printable(segment, label),
    }
}

fn is_format(text: &str) -> bool {
    (2..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Whether this names one thing among many: a number, UUID, hash, token or address.
fn is_id(segment: &str) -> bool {
    let counts = Counts::of(segment);
    let id_like = counts.digits > 0 && counts.others == 0;
    counts.at_signs
        || segment.len() > SEGMENT_BYTES_MAX
        || (id_like && counts.lower + counts.upper == 0)
        || (counts.digits >= 5 && counts.digits > counts.lower + counts.upper)
        || (counts.digits > 0 && counts.longest_run >= HASH_BYTES_MIN)
        || (counts.digits >= 2 && counts.lower > 0 && counts.upper > 0 && counts.longest_run >= 10)
        || (counts.hex_only && counts.digits > 0 && segment.len() >= HASH_BYTES_MIN)
        || counts.longest_run >= 2 * HASH_BYTES_MIN
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
        counts.at_signs |= counts.others > 0 && segment.contains("%40");
        counts
    }
}

fn push_printable(text: &str, label: &mut String) {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return label.push_str(text);
    }
    label.extend(text.chars().filter(|c| is_printable(*c)));
}

/// Whether people see what they get: no control characters, nothing of no width, nothing that turns the direction of
/// what follows or is of private meaning.
pub fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

/// Cut a label to its bound, between characters.
fn cut(label: &mut String) {
    label.truncate(label.floor_char_boundary(LABEL_BYTES_MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_label(target: &str) -> String {
        let mut label = String::new();
        path(target, &mut label);
        label
    }

    #[test]
    fn ids_are_cut_out_of_paths() {
        for (target, label) in [
            ("/graphql", "/graphql"),
            ("https://api.example.com/graphql", "/graphql"),
            ("https://api.example.com", "/"),
            ("", "/"),
            ("graphql", "/graphql"),
            ("/users/42", "/users/{id}"),
            ("/users/42/", "/users/{id}/"),
            ("/api/v2/users/42.json", "/api/v2/users/{id}.json"),
            ("/api/jobs.json", "/api/jobs.json"),
            ("/v1.1/3.0/items", "/v1.1/3.0/items"),
            ("/days/2026-11-22", "/days/{id}"),
            ("/f/550e8400-e29b-41d4-a716-446655440000", "/f/{id}"),
            ("/commit/da39a3ee5e6b4b0d", "/commit/{id}"),
            ("/jobs/~01abcdef0123456789", "/jobs/{id}"),
            ("/video/dQw4w9WgXcQ", "/video/{id}"),
            ("/customers/cus_9s6XKzkNRiz8i3", "/customers/{id}"),
            ("/mail/someone@example.com", "/mail/{id}"),
            ("/mail/someone%40example.com", "/mail/{id}"),
            ("/oauth2/token", "/oauth2/token"),
            ("/marketplaceJobPostingsSearch", "/marketplaceJobPostingsSearch"),
            ("/a-long-slug-about-10-things", "/a-long-slug-about-10-things"),
            ("/app;jsessionid=0123/x", "/app/x"),
        ] {
            assert_eq!(path_label(target), label, "{target}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_sorts_of_bytes_tell_is_true(segment in "[0-9a-fA-Fx_-]{0,20}|[0-9a-f-]{14,40}|[a-zA-Z0-9_-]{1,70}") {
            let (end, seen) = segment_end(&segment);
            proptest::prop_assert_eq!(end, segment.len());
            proptest::prop_assert_eq!(is_plain_id(&segment, seen), is_id(&segment));
        }
    }

    #[test]
    fn secrets_never_reach_a_label() {
        for target in [
            "/graphql?access_token=SECRET",
            "/graphql#SECRET",
            "https://user:SECRET@api.example.com/graphql",
            "/callback;token=SECRET",
        ] {
            let mut server = String::new();
            host(super::server(target).unwrap_or_default(), &mut server);
            assert!(!path_label(target).contains("SECRET") && !server.to_uppercase().contains("SECRET"), "{target}");
        }
        let mut label = String::new();
        name("GET /users/42?token=SECRET", &mut label);
        assert!(!label.contains("SECRET"), "{label}");
        name("sk_live_51H8xYz0123456789abcdef", &mut label);
        assert_eq!(label, "{id}");
    }

    #[test]
    fn labels_are_bounded_and_printable() {
        let long = path_label(&format!("/{}", "ä/".repeat(100)));
        assert!(long.len() <= LABEL_BYTES_MAX && long.starts_with("/ä/ä"));
        assert_eq!(path_label("/a\u{1b}[31mb\n"), "/a[31mb");
    }

    #[test]
    fn servers_are_compared_without_case_user_and_usual_ports() {
        for (url, name) in [
            ("https://API.Example.com/graphql", "api.example.com"),
            ("https://api.example.com:443/x", "api.example.com"),
            ("http://127.0.0.1:8099/graphql", "127.0.0.1:8099"),
            ("http://api.example.com:80", "api.example.com"),
            ("https://user:pass@api.example.com?x", "api.example.com"),
            ("https://[::1]:8080/x", "[::1]:8080"),
            ("/graphql", ""),
            ("/redirect?to=https://elsewhere.example", ""),
            ("https://bad host/x", ""),
        ] {
            let mut label = String::new();
            host(server(url).unwrap_or_default(), &mut label);
            assert_eq!(label, name, "{url}");
        }
    }

    #[test]
    fn a_document_is_named_by_its_operation_else_by_its_first_field() {
        for (document, name) in [
            ("query Jobs($n: Int) { jobs(first: $n) { id } }", Some("Jobs")),
            ("mutation{ createJob { id } }", Some("createJob")),
            ("  # comment {\n query { user { id } }", Some("user")),
            ("{ mine: user { id } }", Some("user")),
            ("query ($id: ID!) { job(id: $id) { id } }", Some("job")),
            ("fragment F on User { id { x } } query Whole { user { ...F } }", Some("Whole")),
            ("subscription OnJob { job }", Some("OnJob")),
            ("select * from jobs", None),
            ("q=jobs", None),
            ("query", None),
            ("{", None),
            ("", None),
        ] {
            assert_eq!(document_name(document), name, "{document}");
        }
    }
}

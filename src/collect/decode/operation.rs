//! Targets become labels: a path with its ids cut out, a GraphQL operation's name, a server's name.
//! Nothing here lets a query string, a credential or an id through.

use serde::Deserialize;

use super::id::{self, HASH_BYTES_MIN};

/// Labels are cut to this many bytes.
pub const LABEL_BYTES_MAX: usize = 128;
/// Stands where an id stood.
const ID: &str = "{id}";
/// As many of a document's hash tell a few hundred documents apart.
const HASH_DIGITS: usize = 8;

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
        words(name, push_segment, label);
        cut(label);
    }
}

/// Any other label: what may be a secret is cut out, as is what people cannot see; a number stays.
pub fn plain(text: &str, label: &mut String) {
    label.clear();
    let end = memchr::memchr2(b'?', b'#', text.as_bytes()).unwrap_or(text.len());
    for (at, part) in text[..end].split('/').enumerate() {
        if at > 0 {
            label.push('/');
        }
        words(part, push_word, label);
        if label.len() > LABEL_BYTES_MAX {
            break;
        }
    }
    cut(label);
}

/// Each word by itself, one space between them; what comes with a scheme of authorization is a secret, however it looks.
fn words(text: &str, push: fn(&str, &mut String), label: &mut String) {
    if id::is_authorization(text) {
        return label.push_str(ID);
    }
    // Arguments and selections are no part of a name.
    let text = text.split(['(', '{']).next().unwrap_or_default();
    for (at, word) in text.split_whitespace().enumerate() {
        if at > 0 {
            label.push(' ');
        }
        push(word, label);
        if label.len() > LABEL_BYTES_MAX {
            break;
        }
    }
}

fn push_word(word: &str, label: &mut String) {
    if let Some((name, _)) = word.split_once('=') {
        push_word(name, label);
        label.push('=');
        label.push_str(ID);
    } else if id::is_secret(word) {
        label.push_str(ID);
    } else {
        push_printable(word, label);
    }
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
    if id::is_mixed(host) {
        label.push_str(ID);
    } else if is_host(host) {
        for (at, name) in host.split('.').enumerate() {
            if at > 0 {
                label.push('.');
            }
            label.push_str(if id::is_secret(name) { ID } else { name });
        }
        label.make_ascii_lowercase();
        cut(label);
    }
}

/// A name or an address, with or without a port; what else stands behind a colon may be a password.
fn is_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_address = host.starts_with('[') || host.bytes().filter(|byte| *byte == b':').count() > 1;
    if is_address {
        return host.bytes().all(|byte| byte.is_ascii_hexdigit() || b":[]%.".contains(&byte));
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    name.bytes().all(plain) && port.bytes().all(|byte| byte.is_ascii_digit())
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

/// Stands for a document of which only its hash is known; some call theirs by a name.
pub fn persisted(hash: &str, label: &mut String) {
    let digits = hash.strip_prefix("sha256:").unwrap_or(hash).get(..HASH_DIGITS);
    let Some(digits) = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) else {
        return name(hash, label);
    };
    label.clear();
    label.push_str("persisted:");
    label.push_str(digits);
    label.make_ascii_lowercase();
}

/// The body of a GraphQL request, which a log holds as text.
#[derive(Deserialize)]
pub struct Body {
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    query: Option<String>,
    #[serde(rename = "documentId")]
    document_id: Option<String>,
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
struct Extensions {
    #[serde(rename = "persistedQuery")]
    persisted_query: Option<PersistedQuery>,
}

#[derive(Deserialize)]
struct PersistedQuery {
    #[serde(rename = "sha256Hash")]
    sha256_hash: Option<String>,
}

impl Body {
    /// `None` where the text is no JSON object: a document, which begins with a brace too, has no quote behind it.
    pub fn of(text: &str) -> Option<Body> {
        let inside = text.trim_start().strip_prefix('{')?.trim_start();
        if !inside.starts_with('"') { None } else { serde_json::from_str(text).ok() }
    }

    pub fn operation(&self) -> Option<&str> {
        let named = self.operation_name.as_deref().filter(|name| !name.is_empty());
        named.or_else(|| self.query.as_deref().and_then(document_name))
    }

    pub fn hash(&self) -> Option<&str> {
        let persisted = self.extensions.as_ref().and_then(|extensions| extensions.persisted_query.as_ref());
        persisted.and_then(|persisted| persisted.sha256_hash.as_deref()).or(self.document_id.as_deref())
    }
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

/// [`id::is_id`] of a segment with these sorts of bytes, none of them odd: they nearly always tell.
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
    !short && id::is_id(segment)
}

fn push_segment(segment: &str, label: &mut String) {
    let letters = segment.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_');
    if letters && segment.len() < HASH_BYTES_MIN {
        return label.push_str(segment);
    }
    if id::is_authorization(segment) {
        return label.push_str(ID);
    }
    // `token=…` in a path, as in a query, and `Users('…')`.
    if let Some(at) = segment.find(['=', '(']) {
        push_segment(&segment[..at], label);
        label.push_str(&segment[at..=at]);
        return label.push_str(if segment[at..].starts_with('(') { "{id})" } else { ID });
    }
    // `42.json` is an id with a format.
    match segment.rsplit_once('.') {
        Some((stem, format)) if is_format(format) && id::is_id(stem) && !stem.contains(['@', '%']) => {
            label.push_str(ID);
            label.push('.');
            label.push_str(format);
        }
        _ if id::is_id(segment) => label.push_str(ID),
        _ => push_printable(segment, label),
    }
}

fn is_format(text: &str) -> bool {
    (2..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn push_printable(text: &str, label: &mut String) {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return label.push_str(text);
    }
    label.extend(text.chars().filter(|c| id::is_printable(*c)));
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
            proptest::prop_assert_eq!(is_plain_id(&segment, seen), id::is_id(&segment));
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

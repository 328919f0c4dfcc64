//! Which messages announce a request that has a line of its own when it ends.
//! This file never sees more of a line than its message; whether something ended, its fields say.

/// What stands at the beginning of a message that announces: producers write `request started`, `sending request`,
/// `-> GET /a`, `http.request.begin`. `incoming` and `outgoing` are what servers and clients say of a request that has
/// no answer yet; `retrying` announces the next attempt, whose end is told.
const ANNOUNCING: [&str; 20] = [
    "start",
    "started",
    "starting",
    "starts",
    "begin",
    "begins",
    "began",
    "beginning",
    "send",
    "sending",
    "dispatch",
    "dispatching",
    "dispatched",
    "initiating",
    "initiated",
    "issuing",
    "outgoing",
    "incoming",
    "retrying",
    "queued",
];
/// What tells an end, whatever else is said: `outgoing request completed`, `failed to send request`. `sent` is none of
/// both, since many loggers write one line a request, and call it so.
const ENDING: [&str; 24] = [
    "aborted",
    "answered",
    "cancelled",
    "canceled",
    "complete",
    "completed",
    "done",
    "end",
    "ended",
    "error",
    "fail",
    "failed",
    "failure",
    "finish",
    "finished",
    "reset",
    "responded",
    "response",
    "returned",
    "succeeded",
    "success",
    "timed",
    "timeout",
    "unreachable",
];
/// Only a message's beginning says what happened; what follows may be a path, a body, anything.
const WORDS_MAX: usize = 6;

/// Of .NET's two handlers, the outer one's messages: a request that is tried again passes the inner one each time.
pub fn is_outer(message: &str) -> bool {
    message.starts_with("Start processing HTTP request") || message.starts_with("End processing HTTP request")
}

/// The inner one's, when an attempt has ended: where scopes are not logged, the line does not say of which request.
pub fn is_inner_end(message: &str) -> bool {
    message.starts_with("Received HTTP response headers after")
}

/// Whether a message says that a request begins.
pub fn is_start(message: &str) -> bool {
    let message = message.trim_start();
    if message.starts_with("-->") || message.starts_with('→') {
        return true;
    }
    let mut announces = false;
    let (mut request, mut received) = (false, false);
    for word in words(message) {
        let is = |known: &&str| known.eq_ignore_ascii_case(word);
        if ENDING.iter().any(is) {
            return false;
        }
        announces |= ANNOUNCING.iter().any(is);
        request |= is(&"request");
        received |= is(&"received");
    }
    // A server's word; a client receives responses.
    announces || (request && received)
}

/// The first words, also of `requestStarted` and `request_started`; up to the first path or object.
fn words(message: &str) -> impl Iterator<Item = &str> {
    let end = message.find(['/', '{', '"', '\n']).unwrap_or(message.len());
    message[..end]
        .split(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(humps)
        .filter(|word| !word.is_empty())
        .take(WORDS_MAX)
}

/// `requestStarted` is two words, `HTTP` is one.
fn humps(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let begins = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
        let end = rest.as_bytes().windows(2).position(begins).map_or(rest.len(), |at| at + 1);
        let (first, after) = rest.split_at(end);
        rest = after;
        Some(first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_announces_a_request_is_told_from_what_reports_one() {
        for message in [
            "request started",
            "request_started",
            "http.request.start",
            "requestStarted",
            "Starting HTTP request",
            "Sending HTTP request {HttpMethod} {Uri}",
            "request received",
            "incoming request",
            "Outgoing request",
            "--> GET https://api.example.com/a",
            "Retrying request to /a in 0.5 seconds",
            "beginRequest",
        ] {
            assert!(is_start(message), "{message}");
        }
        for message in [
            "",
            "http_request",
            "request",
            "request sent",
            "request completed",
            "outgoing request completed",
            "failed to send request",
            "sending request timed out",
            "Received HTTP response headers after 12ms - 200",
            "received response",
            "GET /start",
            "call to /send/begin",
            "restart requested",
            "the service is up, and all requests are at last to begin",
        ] {
            assert!(!is_start(message), "{message}");
        }
    }
}

//! Secrets are planted in every position of a line of every family; none may come out again, in a label, in what
//! `explain` says or in an error. Labels are bounded in length and number, and sums stay exact.

use proptest::prelude::*;

use super::explain::explain;
use super::mapping::Mapping;
use super::operation::LABEL_BYTES_MAX;
use super::tests::decode;
use super::*;

/// A value with a secret in it, and the parts that must not be seen. Made up; the token is the example of RFC 7519's kin.
const SECRETS: [(&str, &[&str]); 23] = [
    ("/a?token=HUSH", &["HUSH"]),
    ("/a#HUSH", &["HUSH"]),
    ("/a;token=HUSH/b", &["HUSH"]),
    ("/a/token=HUSH/b", &["HUSH"]),
    ("https://user:HUSH@api.example.com/a", &["HUSH", "user"]),
    ("https://HUSH@api.example.com?token=HUSH", &["HUSH"]),
    ("//user:HUSH@api.example.com/a", &["HUSH"]),
    ("user:HUSH@api.example.com", &["HUSH"]),
    ("Bearer HUSH", &["HUSH"]),
    ("Authorization: Basic HUSH", &["HUSH"]),
    ("/a/Bearer HUSH", &["HUSH"]),
    ("/a/Bearer%20HUSH/b", &["HUSH"]),
    ("/Users('HUSH')", &["HUSH"]),
    ("sk_live_51H8xYz0123456789abcdef", &["51H8", "51h8"]),
    ("/v1/sk_live_51H8xYz0123456789abcdef/x", &["51H8"]),
    ("job sk_live_51H8xYz0123456789abcdef done", &["51H8"]),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0", &["eyJ", "eyj", "doz", "XgL0"]),
    ("/mail/jane.doe@example.org", &["jane"]),
    ("/mail/jane.doe%40example.org", &["jane"]),
    ("/mail/jane.doe%2540example.org", &["jane"]),
    ("/mail/%6aane%2edoe", &["6aane"]),
    ("jane.doe@example.org", &["jane"]),
    ("query { user(token: HUSH) { id } }", &["HUSH"]),
];

/// Lines of a format with a place for a value in each position: `@` is where the secret goes. The last has none.
fn lines() -> Vec<(Reading, Vec<String>)> {
    let of = |format: &str, mapping: Mapping, template: &str, benign: &[&str]| {
        let format: Option<Format> = Some(format.parse().expect("a format"));
        let mapping = mapping.checked(format).expect("a mapping");
        let reading = Reading { format, mapping, ..Reading::unsettled(chrono_tz::Tz::UTC) };
        let places = template.matches('@').count();
        assert_eq!(places, benign.len(), "{template}");
        let line = |secret_at: usize| {
            let parts = template.split('@').enumerate();
            let value = |at: usize| {
                if at == secret_at && at < places { "@" } else { benign.get(at).copied().unwrap_or_default() }
            };
            parts.map(|(at, part)| format!("{part}{}", value(at))).collect::<String>()
        };
        (reading, (0..=places).map(line).collect())
    };
    let plain = Mapping::default;
    let keyed = Mapping {
        fields: [("key".to_owned(), "/headers/authorization".to_owned())].into(),
        operations: vec!["/users/{name}".to_owned()],
        ..plain()
    };
    let pattern = r"^(?<time>\S+) (?<method>\w+) (?<url>.*?) \[(?<operation>.*?)\] \[(?<service>.*?)\] \[(?<key>.*?)\] \[(?<api>.*?)\] (?<status>\d+) ";
    let regex = Mapping { pattern: Some(pattern.to_owned()), ..plain() };
    vec![
        of(
            "json",
            keyed,
            r#"{"@":"@","time":1795384444918,"method":"GET","url":"@","status":200,"service":"@","host":"@","headers":{"authorization":"@","x":"@"},"msg":"@","error":"@"}"#,
            &["a", "b", "/a", "svc", "api.example.com", "prod", "y", "m", "e"],
        ),
        of(
            "json",
            plain(),
            r#"{"time":"@","method":"@","path":"@","operationName":"@","status":"@","duration":"@","bytes":"@","name":"@","hostname":"@","keyname":"@"}"#,
            &["2026-11-22T21:54:04Z", "GET", "/a", "Op", "200", "2ms", "3", "svc", "vm", "prod"],
        ),
        of(
            "json",
            plain(),
            r#"{"time":1795384444918,"url":"/graphql","query":"@","status":200}"#,
            &["{ jobs { id } }"],
        ),
        of(
            "logfmt",
            plain(),
            r#"2026-11-22T21:54:04Z INFO @ a{b="@"}: method="@" url="@" host="@" service="@" key_name="@" operation="@" status=200 note="@" msg="@""#,
            &["text", "b", "GET", "/a", "api.example.com", "svc", "prod", "Op", "n", "m"],
        ),
        of(
            "combined",
            plain(),
            r#"api.example.com:443 ::1 @ @ [22/Nov/2026:21:54:04 +0000] "GET @ HTTP/1.1" 200 5 "@" "@" rt=@"#,
            &["-", "-", "/a", "-", "curl", "0.5"],
        ),
        of(
            "haproxy",
            plain(),
            r#"Feb 26 00:29:44 h haproxy[7]: 10.0.0.1:50210 [26/Feb/2019:00:29:44.326] prod_http_in~ prod_http_out/@ 0/0/1/48/49 200 3313 - - ---- 3/2/0/0/0 0/0 {@} {} "POST @ HTTP/1.1""#,
            &["nginx1", "agent", "/a"],
        ),
        of(
            "squid",
            plain(),
            "979992041.366 502 192.168.1.160 TCP_MISS/200 216 GET @ @ NONE/@ text/html",
            &["http://example.com/a", "-", "-"],
        ),
        of(
            "alb",
            plain(),
            r#"http 2018-07-02T22:23:00.186641Z app/my/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET @ HTTP/1.1" "@" - - arn "Root=@" "@" "@""#,
            &["http://www.example.com:80/", "curl", "1", "-", "-"],
        ),
        of(
            "envoy",
            plain(),
            r#"[2026-11-22T21:54:04.000Z] "POST @ HTTP/1.1" 200 - 154 0 226 100 "@" "@" "id" "@" "@""#,
            &["/a", "10.0.0.1", "agent", "api.example.com", "10.0.0.2:80"],
        ),
        of(
            "text",
            plain(),
            r#"2026-11-22 21:54:04,918 @ httpx: HTTP Request: GET @ "HTTP/1.1 200 @""#,
            &["INFO", "https://api.example.com/a", "OK"],
        ),
        of(
            "docker:text",
            plain(),
            r#"{"log":"@ HTTP Request: GET @ \"HTTP/1.1 200 OK\"\n","stream":"@","attrs":{"tag":"@"},"time":"2026-11-22T21:54:04Z"}"#,
            &["INFO", "https://api.example.com/a", "stdout", "app"],
        ),
        of(
            "journald:text",
            plain(),
            r#"{"__REALTIME_TIMESTAMP":"1795384444918000","_SYSTEMD_UNIT":"@","SYSLOG_IDENTIFIER":"@","CONTAINER_NAME":"@","MESSAGE":"@ HTTP Request: GET @ \"HTTP/1.1 200 OK\""}"#,
            &["app.service", "app", "app", "INFO", "https://api.example.com/a"],
        ),
        of(
            "syslog:logfmt",
            plain(),
            "<158>1 2026-11-22T21:54:04Z @ @ @ - - method=GET path=@ status=200",
            &["host", "app", "7", "/a"],
        ),
        of("compose:logfmt", plain(), "@  | time=2026-11-22T21:54:04Z method=GET path=@ status=200", &["app-1", "/a"]),
        of(
            "regex",
            regex,
            "2026-11-22T21:54:04Z GET @ [@] [@] [@] [@] 200 @",
            &["/a", "Op", "svc", "prod", "api.example.com", "rest"],
        ),
    ]
}

/// Everything that anyone can see of these lines.
fn seen(reading: &Reading, text: &str) -> Vec<String> {
    let decoded = decode(reading, text);
    let mut seen = Vec::new();
    for series in decoded.series.list() {
        seen.extend(
            [&series.service, &series.key, &series.api, &series.method, &series.operation]
                .map(|label| label.to_string()),
        );
    }
    for label in &seen {
        assert!(label.len() <= LABEL_BYTES_MAX, "{label}");
        assert!(label.chars().all(id::is_printable), "{label:?}");
    }
    seen.push(format!("{:?}", explain(text.as_bytes(), reading, "stem")));
    seen.push(format!("{:?}", explain(text.as_bytes(), &Reading { format: None, ..reading.clone() }, "stem")));
    seen
}

fn escaped(reading: &Reading, value: &str) -> String {
    let format = reading.format.map(|format| format.to_string()).unwrap_or_default();
    if ["json", "docker", "journald"].iter().any(|object| format.starts_with(object)) {
        let quoted = serde_json::Value::from(value).to_string();
        return quoted[1..quoted.len() - 1].to_owned();
    }
    // Of a header without quotes, a space would end a field, and what follows were another's plain word.
    let space = if format.starts_with("syslog") { "%20" } else { " " };
    value.replace(['\n', '\r', ' '], space)
}

#[test]
fn no_secret_comes_out_of_any_position_of_any_family() {
    for (reading, lines) in lines() {
        // As many as explain shows.
        for lines in lines.chunks(10) {
            for (value, secrets) in SECRETS {
                let planted = escaped(&reading, value);
                let text: String = lines.iter().map(|line| line.replace('@', &planted) + "\n").collect();
                for seen in seen(&reading, &text) {
                    let leaked = secrets.iter().find(|secret| seen.contains(**secret));
                    assert!(leaked.is_none(), "{leaked:?} of {text} in {seen}");
                }
            }
        }
    }
}

#[test]
fn every_template_is_a_line_of_its_format_while_its_values_are_benign() {
    for (reading, lines) in lines() {
        let line = lines.last().expect("each has one");
        assert_eq!(decode(&reading, &format!("{line}\n")).lines.counted, 1, "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Control characters, text that runs the other way, what has no width, and labels of 10 KB.
    #[test]
    fn labels_are_short_and_printable_whatever_a_line_holds(
        value in prop_oneof![
            "(\\PC|[\u{0}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{2069}\u{feff}]){0,20}",
            "[a-zé/ ]{10000}",
        ],
        place in 0usize..1000,
    ) {
        let lines = lines();
        let all: Vec<_> = lines.iter().flat_map(|(reading, lines)| lines.iter().map(move |line| (reading, line))).collect();
        let (reading, line) = all[place % all.len()];
        seen(reading, &(line.replace('@', &escaped(reading, &value)) + "\n"));
    }

    /// A token of any make: letters of both cases with digits, hexadecimal, in parts.
    #[test]
    fn no_random_token_comes_out(
        token in "[a-f0-9]{7}[0-9][a-f0-9]{16,32}|[a-zA-Z]{4}[0-9]{2}[A-Z]{2}[a-z]{2}[a-zA-Z0-9]{12,30}|[A-Z][a-z][A-Z][0-9]{3}[a-z]{2}[A-Z][-_.][a-zA-Z0-9]{6}[-_.][a-zA-Z0-9]{6}",
        place in 0usize..1000,
        before in prop_oneof![Just(""), Just("/v1/"), Just("key-"), Just("https://api.example.com/x/")],
    ) {
        let lines = lines();
        let all: Vec<_> = lines.iter().flat_map(|(reading, lines)| lines.iter().map(move |line| (reading, line))).collect();
        let (reading, line) = all[place % all.len()];
        for seen in seen(reading, &(line.replace('@', &format!("{before}{token}")) + "\n")) {
            prop_assert!(!seen.contains(&token) && !seen.contains(&token.to_lowercase()), "{} in {}", token, seen);
        }
    }
}

/// Ten thousand operations and a thousand of each other name have labels of their own; of all beyond, the sum is exact.
#[test]
fn names_beyond_the_bounds_are_filed_together_and_still_counted() {
    let word =
        |at: u32| -> String { format!("{at:05}").bytes().map(|digit| char::from(digit - b'0' + b'a')).collect() };
    let lines: String = (0..1_100)
        .map(|at| {
            let name = word(at);
            format!(
                "time=1795384444918 method=GET path=/a host={name}.example.com service={name} key_name={name} units=2\n"
            )
        })
        .collect();
    let reading = Reading { format: Some(Format::bare(Family::Logfmt)), ..Reading::unsettled(chrono_tz::Tz::UTC) };
    let decoded = decode(&reading, &lines);
    assert_eq!(decoded.rows.units.iter().sum::<u64>(), 2_200);
    let others = |label: fn(&crate::collect::request::Series) -> &str| {
        let series = decoded.series.list();
        let ids: Vec<_> = decoded.rows.key.iter().map(|key| crate::collect::request::unpack(*key).1).collect();
        ids.iter().filter(|id| label(&series[**id as usize]) == crate::collect::request::OTHER).count()
    };
    // The log's own name is among the services.
    assert_eq!(
        (others(|series| &series.service), others(|series| &series.key), others(|series| &series.api)),
        (101, 100, 100)
    );
}

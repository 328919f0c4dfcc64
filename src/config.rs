//! The TOML file becomes a [`Config`] that cannot be wrong; every error names the key, the value and
//! the remedy. This file never opens anything and never reads the environment: [`Surroundings`] tells it.

mod alert;
mod journal;
mod keys;
mod notify;
pub mod preset;
mod quota;
mod told;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use serde::Deserialize;

use crate::collect::decode::mapping::Wanted;
use crate::collect::stream::STDIN;
use crate::collect::{CountFrom, Format, Mapping, Reading, Source, Start};
use crate::day::{self, Calendar};
use crate::publish::alert::Alerting;
use crate::publish::deliver::Notifier;
use crate::quota::{Costs, Match, Quota, Window};
use crate::silence::StaleAfter;

/// What `daycap run` needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub state_dir: PathBuf,
    pub host: String,
    pub commit_interval: Duration,
    /// How many days of ledger are kept.
    pub keep_days: u32,
    /// Where `/metrics` and the API are served.
    pub listen: SocketAddr,
    pub sources: Vec<Source>,
    /// By source name, where it is configured: when silence is news.
    pub stale_after: BTreeMap<String, StaleAfter>,
    pub quotas: Vec<Quota>,
    pub alerting: Alerting,
    pub notifiers: Vec<Notifier>,
}

impl Config {
    /// Whose calendar days the daily summaries are: the first quota's.
    pub fn summary_zone(&self) -> Tz {
        self.quotas.first().map_or(Tz::UTC, |quota| quota.window.zone())
    }

    /// Every calendar whose days a summary of that name tells: the summary's own and each quota's.
    pub fn told_calendars(&self) -> impl Iterator<Item = Calendar> {
        std::iter::once(self.summary_zone().into()).chain(self.quotas.iter().map(|quota| quota.window.calendar))
    }
}

/// What the process's environment says where the configuration is silent.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `$STATE_DIRECTORY`, as systemd sets it.
    pub state_directory: Option<PathBuf>,
    /// `$XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    pub home: Option<PathBuf>,
    pub is_root: bool,
    pub hostname: String,
}

impl Surroundings {
    /// The state directory where none is configured.
    pub fn state_dir(&self) -> PathBuf {
        if let Some(directory) = &self.state_directory {
            return directory.clone();
        }
        let xdg = self.xdg_state_home.clone().or_else(|| self.home.as_ref().map(|home| home.join(".local/state")));
        match xdg {
            Some(folder) if !self.is_root => folder.join("daycap"),
            _ => PathBuf::from("/var/lib/daycap"),
        }
    }
}

pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9640);
const COMMIT_INTERVAL_DEFAULT: Duration = Duration::from_secs(10);
/// Two years and two months: a report can compare a month with the same month of two years before.
const KEEP_DAYS_DEFAULT: u32 = 800;
/// A century: further back, calendars end.
const KEEP_DAYS_MAX: u32 = 36_500;

/// The configuration of `daycap run LOG... --limit N`: one source, at most one quota.
pub fn ad_hoc(logs: Vec<String>, limit: Option<NonZeroU64>, zone: Tz, surroundings: &Surroundings) -> Config {
    let quotas = limit.map(|limit| Quota {
        name: "default".to_owned(),
        limit,
        window: Window::day(zone),
        matching: Match::default(),
        costs: Costs::default(),
        burst: None,
        within: None,
    });
    let sources = if logs.is_empty() { Vec::new() } else { vec![source_of(logs, Reading::unsettled(zone))] };
    Config {
        state_dir: surroundings.state_dir(),
        host: surroundings.hostname.clone(),
        commit_interval: COMMIT_INTERVAL_DEFAULT,
        keep_days: KEEP_DAYS_DEFAULT,
        listen: LISTEN_DEFAULT,
        sources,
        stale_after: BTreeMap::new(),
        quotas: quotas.into_iter().collect(),
        alerting: Alerting::default(),
        notifiers: Vec::new(),
    }
}

fn source_of(paths: Vec<String>, reading: Reading) -> Source {
    Source { name: paths[0].clone(), paths, journal: None, reading, start: Start::Beginning }
}

/// Read a configuration's text. `path` is only for messages.
pub fn parse(text: &str, path: &Path, surroundings: &Surroundings) -> Result<Config, String> {
    let raw: Raw = toml::from_str(text).map_err(|error| told::explain_toml(&error, text, path))?;
    settle(raw, surroundings).map_err(|error| format!("{}: {error}", path.display()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    state: RawState,
    #[serde(default)]
    http: RawHttp,
    #[serde(default)]
    source: Vec<RawSource>,
    #[serde(default)]
    quota: Vec<quota::RawQuota>,
    #[serde(default)]
    alert: alert::RawAlert,
    #[serde(default)]
    notify: Vec<notify::RawNotify>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawState {
    dir: Option<PathBuf>,
    host: Option<String>,
    commit_interval: Option<String>,
    keep: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHttp {
    listen: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    name: Option<String>,
    path: Option<journal::OneOrMany>,
    journal: Option<journal::OneOrMany>,
    journal_directory: Option<PathBuf>,
    format: Option<String>,
    service: Option<String>,
    key: Option<String>,
    api: Option<String>,
    tz: Option<String>,
    start: Option<String>,
    count_from: Option<String>,
    stale_after: Option<String>,
    pattern: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    only_if: BTreeMap<String, Wanted>,
    #[serde(default)]
    operations: Vec<String>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
}

/// The candidate most like `word`.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate: &str| strsim::jaro_winkler(word, candidate);
    candidates.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

fn settle(raw: Raw, surroundings: &Surroundings) -> Result<Config, String> {
    let (mut sources, mut stale_after) = (Vec::new(), BTreeMap::new());
    for raw in raw.source {
        let (source, silence) = settle_source(raw)?;
        stale_after.extend(silence.map(|silence| (source.name.clone(), silence)));
        sources.push(source);
    }
    let host = raw.state.host.unwrap_or_else(|| surroundings.hostname.clone());
    let listen = listen(raw.http.listen.as_deref())?;
    let here = notify::Here { host: &host, port: listen.port() };
    let notifiers = raw.notify.into_iter().map(|raw| notify::settle(raw, &here)).collect::<Result<_, _>>()?;
    let alerting = alert::settle(&raw.alert, &raw.quota)?;
    let config = Config {
        state_dir: raw.state.dir.unwrap_or_else(|| surroundings.state_dir()),
        host,
        commit_interval: duration("state.commit_interval", raw.state.commit_interval.as_deref())?
            .unwrap_or(COMMIT_INTERVAL_DEFAULT),
        keep_days: keep_days(raw.state.keep.as_deref())?,
        listen,
        sources,
        stale_after,
        quotas: raw.quota.into_iter().map(quota::settle).collect::<Result<Vec<_>, _>>()?.concat(),
        alerting,
        notifiers,
    };
    refuse_doubles("source", config.sources.iter().map(|source| source.name.as_str()))?;
    journal::refuse_doubles(&config.sources)?;
    refuse_doubles("quota", config.quotas.iter().map(|quota| quota.name.as_str()))?;
    refuse_doubles("notify", config.notifiers.iter().map(|notifier| notifier.name.as_str()))?;
    Ok(config)
}

fn refuse_doubles<'a>(table: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("two [[{table}]] are named {name:?}; give each a name of its own"));
        }
    }
    Ok(())
}

fn duration(key: &str, text: Option<&str>) -> Result<Option<Duration>, String> {
    let Some(text) = text else { return Ok(None) };
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(Some(duration)),
        Ok(_) => Err(format!("{key} is {text:?}; it must be longer than nothing")),
        Err(_) => Err(format!("{key} is {text:?}; write a duration as \"10s\", \"5m\" or \"2h\"")),
    }
}

fn keep_days(text: Option<&str>) -> Result<u32, String> {
    let Some(text) = text else { return Ok(KEEP_DAYS_DEFAULT) };
    let days =
        text.strip_suffix('d').and_then(|days| days.parse().ok()).filter(|days| (1..=KEEP_DAYS_MAX).contains(days));
    days.ok_or_else(|| {
        format!("state.keep is {text:?}; write whole days as \"800d\", from \"1d\" to \"{KEEP_DAYS_MAX}d\"")
    })
}

fn listen(text: Option<&str>) -> Result<SocketAddr, String> {
    let Some(text) = text else { return Ok(LISTEN_DEFAULT) };
    text.parse().map_err(|_| format!("http.listen is {text:?}; write an address and a port, as \"{LISTEN_DEFAULT}\""))
}

/// The source, and what it says of its silences.
fn settle_source(raw: RawSource) -> Result<(Source, Option<StaleAfter>), String> {
    let journal::Named { first, paths, units } = journal::files_or_units(raw.path, raw.journal)?;
    let name = raw.name.unwrap_or(first);
    let within = |error: String| format!("source {name:?}: {error}");
    for path in &paths {
        if path == STDIN {
            return Err(within(
                "path is \"-\"; standard input is followed by `daycap run -`, without a configuration".to_owned(),
            ));
        }
        globset::Glob::new(path)
            .map_err(|error| within(format!("path {path:?} is not a pattern: {}", error.kind())))?;
    }
    let format = format(raw.format.as_deref()).map_err(within)?;
    let mapping = Mapping {
        pattern: raw.pattern,
        fields: raw.fields,
        only_if: raw.only_if.into_iter().map(|(place, wanted)| (place, wanted.into())).collect(),
        operations: raw.operations,
        keys: raw.keys,
    };
    let reading = Reading {
        format,
        service: raw.service.map(Arc::from),
        key: raw.key.map(Arc::from),
        api: raw.api.map(Arc::from),
        zone: zone(raw.tz.as_deref()).map_err(within)?,
        mapping: mapping.checked(format).map_err(within)?,
        count_from: raw.count_from.as_deref().map_or(Ok(CountFrom::Auto), str::parse).map_err(within)?,
    };
    let journal = journal::settle(&units, raw.journal_directory).map_err(within)?;
    let start = start(raw.start.as_deref()).map_err(within)?;
    let stale_after = raw.stale_after.as_deref().map(|text| stale_after(text).map_err(within)).transpose()?;
    Ok((Source { name, paths, journal, reading, start }, stale_after))
}

fn stale_after(text: &str) -> Result<StaleAfter, String> {
    match text {
        "auto" => Ok(StaleAfter::Auto),
        "never" => Ok(StaleAfter::Never),
        text => match humantime::parse_duration(text) {
            Ok(time) if !time.is_zero() => Ok(StaleAfter::After(time)),
            _ => Err(format!("stale_after is {text:?}; write a duration as \"2h\", or \"auto\", or \"never\"")),
        },
    }
}

fn format(text: Option<&str>) -> Result<Option<Format>, String> {
    match text {
        None | Some("auto") => Ok(None),
        Some(text) => text.parse().map(Some),
    }
}

fn start(text: Option<&str>) -> Result<Start, String> {
    match text {
        None | Some("beginning") => Ok(Start::Beginning),
        Some("end") => Ok(Start::End),
        Some(other) => Err(format!("start is {other:?}; it is \"beginning\" or \"end\"")),
    }
}

fn zone(text: Option<&str>) -> Result<Tz, String> {
    text.map_or(Ok(Tz::UTC), |name| day::parse_zone(name).map_err(|error| format!("tz: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let surroundings = Surroundings { hostname: "app-1".to_owned(), ..Surroundings::default() };
        match parse(text, Path::new("daycap.toml"), &surroundings) {
            Ok(config) => expected.assert_debug_eq(&config),
            Err(error) => expected.assert_eq(&error),
        }
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_right_one() {
        check(
            "[state]\ncomit_interval = \"3s\"\n",
            expect![[r#"daycap.toml:2: unknown key "comit_interval"; did you mean "commit_interval"?"#]],
        );
        check("[[sorce]]\npath = \"a\"\n", expect![[r#"daycap.toml:1: unknown key "sorce"; did you mean "source"?"#]]);
        check(
            "[[quota]]\nname = \"prod\"\nlimt = 4\n",
            expect![[r#"daycap.toml:3: unknown key "limt"; did you mean "limit"?"#]],
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_key_and_the_remedy() {
        check(
            "[[quota]]\nname = \"prod\"\nlimit = 0\n",
            expect![[r#"daycap.toml: quota "prod": limit is 0; it must be at least 1"#]],
        );
        check(
            "[[quota]]\nname = \"prod\"\nlimit = 5\ntz = \"Europe/Berln\"\n",
            expect![[
                r#"daycap.toml: quota "prod": tz: "Europe/Berln" is not an IANA time zone; did you mean "Europe/Berlin"?"#
            ]],
        );
        check(
            "[[quota]]\nname = \"prod\"\nlimit = 5\nmatch = { servce = \"a\" }\n",
            expect![[
                r#"daycap.toml: quota "prod": match: "servce" is not a column; the columns are host, service, key, api, method, operation, status"#
            ]],
        );
        check(
            "[state]\ncommit_interval = \"soon\"\n",
            expect![[r#"daycap.toml: state.commit_interval is "soon"; write a duration as "10s", "5m" or "2h""#]],
        );
        check(
            "[http]\nlisten = \"9640\"\n",
            expect![[r#"daycap.toml: http.listen is "9640"; write an address and a port, as "127.0.0.1:9640""#]],
        );
        check(
            "[[source]]\npath = \"a\"\nformat = \"jsn\"\n",
            expect![[
                r#"daycap.toml: source "a": format is "jsn"; the formats are auto, json, otlp, logfmt, combined, haproxy, squid, alb, envoy, text, regex, each with envelopes in front if it has any (docker, cri, journald, syslog, compose), as "docker:json""#
            ]],
        );
        check(
            "[[source]]\npath = \"a\"\nstale_after = \"soon\"\n",
            expect![[
                r#"daycap.toml: source "a": stale_after is "soon"; write a duration as "2h", or "auto", or "never""#
            ]],
        );
        check(
            "[[source]]\npath = \"a[\"\n",
            expect![[r#"daycap.toml: source "a[": path "a[" is not a pattern: unclosed character class; missing ']'"#]],
        );
        check(
            "[[source]]\npath = \"a\"\n[[source]]\npath = \"a\"\n",
            expect![[r#"daycap.toml: two [[source]] are named "a"; give each a name of its own"#]],
        );
    }

    /// The example of the formats' notes, with all else that a source can say.
    #[test]
    fn a_source_says_how_its_own_fields_are_read() {
        let text = r#"
            [[source]]
            path = "/var/log/myapp/*.log"
            format = "json"
            service = "sync"
            operations = ["/users/{name}/posts"]
            [source.fields]
            time = "/time"
            time_unit = "ms"
            method = "/req/method"
            url = "/req/url"
            status = "/res/statusCode"
            duration = "/responseTime"
            duration_unit = "ms"
            operation = "/gql/operationName"
            [source.only_if]
            "/msg" = "http_request"
            "/level" = 30
            "/ok" = true
            [source.keys]
            "key-2c26b46b" = "mobile"
        "#;
        let config = parse(text, Path::new("daycap.toml"), &Surroundings::default()).expect("a good configuration");
        let mapping = config.sources[0].reading.mapping.clone().expect("a mapping");
        let asked: Vec<_> = mapping.only_if.iter().map(|(place, text)| format!("{place}={text}")).collect();
        assert_eq!(asked, ["/level=30", "/msg=http_request", "/ok=true"]);
        assert_eq!((mapping.fields.len(), mapping.operations.len(), mapping.keys.len()), (8, 1, 1));
    }

    #[test]
    fn what_a_source_cannot_mean_is_refused_with_the_remedy() {
        let regex = "format = \"regex\"\npattern = '(?<method>[A-Z]+) (?<url>.*)'";
        let json = "format = \"json\"";
        let errors = [
            "pattern = '(?<url>.*)'".to_owned(),
            "format = \"regex\"".to_owned(),
            "format = \"docker:regex\"\npattern = '(?<url>'".to_owned(),
            "format = \"regex\"\npattern = '(?<methd>[A-Z]+) (?<url>.*)'".to_owned(),
            "format = \"regex\"\npattern = '(?<url>.*)'".to_owned(),
            format!("{regex}\nonly_if = {{ level = \"info\" }}"),
            format!("{regex}\nfields = {{ time = \"/t\" }}"),
            "fields = { time = \"/t\" }".to_owned(),
            "format = \"combined\"\nonly_if = { \"/t\" = 1 }".to_owned(),
            format!("{json}\nfields = {{ statsu = \"/s\" }}"),
            format!("{json}\nfields = {{ host = \"/h\" }}"),
            format!("{json}\nfields = {{ status = \"res.status\" }}"),
            format!("{json}\nfields = {{ status = \"/res/0\" }}"),
            format!("{json}\nfields = {{ status = 5 }}"),
            format!("{json}\nfields = {{ url = \"/a_b\", path = \"/aB\" }}"),
            format!("{json}\nfields = {{ time_unit = \"sec\" }}"),
            format!("{json}\nonly_if = {{ msg = \"x\" }}"),
            format!("{json}\nonly_if = {{ \"/msg\" = 1.5 }}"),
            "operations = [\"/users/{name\"]".to_owned(),
            "keys = { sk_live_51H8xYz = \"mobile\" }".to_owned(),
        ]
        .map(|lines| {
            let text = format!("[[source]]\npath = \"a\"\n{lines}\n");
            parse(&text, Path::new("daycap.toml"), &Surroundings::default()).expect_err(&lines)
        });
        expect![[r#"
            daycap.toml: source "a": pattern is "(?<url>.*)"; it needs format = "regex" beside it
            daycap.toml: source "a": format is "regex"; it needs a pattern = '…' with named groups, as (?<method>[A-Z]+)
            daycap.toml: source "a": pattern is "(?<url>"; unclosed group; write a regular expression in '…', with groups as (?<method>[A-Z]+)
            daycap.toml: source "a": pattern is "(?<methd>[A-Z]+) (?<url>.*)"; unknown group "methd"; did you mean "method"? The groups are time, method, url, path, api, status, duration, bytes, operation, document, service, key, units, quota_used, quota_remaining, quota_limit, quota_reset
            daycap.toml: source "a": pattern is "(?<url>.*)"; no line it matches could be a request; name two groups of method, url or path, status, operation
            daycap.toml: source "a": only_if: the pattern has no group "level"; name one (?<level>…)
            daycap.toml: source "a": fields: "time" has no use with format = "regex": name a group "time"
            daycap.toml: source "a": fields: "time" needs format = "json" or "logfmt", lest it be guessed
            daycap.toml: source "a": only_if: "/t" has no use with format = "combined", it names places in JSON and logfmt; remove it
            daycap.toml: source "a": fields: unknown field "statsu"; did you mean "status"?
            daycap.toml: source "a": fields: "host" is the machine that daycap runs on; the server called is "api"
            daycap.toml: source "a": fields: status is "res.status"; write a JSON pointer, as "/req/method"
            daycap.toml: source "a": fields: status is "/res/0"; entries of a list are not read; name a key of an object
            daycap.toml:4: invalid type: integer `5`, expected a string
            daycap.toml: source "a": fields: path and url are both at "/a_b"; a place says one thing
            daycap.toml: source "a": fields: time_unit is "sec"; the units are "s", "ms", "us" and "ns"
            daycap.toml: source "a": only_if: the place is "msg"; write a JSON pointer, as "/req/method"
            daycap.toml:4: a condition of only_if is a text, a whole number, true or false
            daycap.toml: source "a": operations: "/users/{name" has a gap that is not a whole segment; write it as "/users/{name}/posts"
            daycap.toml: source "a": keys: what "mobile" stands for looks like a key itself, which does not belong in a configuration; write its fingerprint, "key-015c6cb5""#]].assert_eq(&errors.join("\n"));
    }

    /// Nothing may be forgotten because a number was too large for a calendar.
    #[test]
    fn keeping_for_ever_is_refused_in_words() {
        check(
            "[state]\nkeep = \"99999999d\"\n",
            expect![[r#"daycap.toml: state.keep is "99999999d"; write whole days as "800d", from "1d" to "36500d""#]],
        );
    }

    #[test]
    fn an_empty_configuration_is_the_defaults() {
        check(
            "",
            expect![[r#"
                Config {
                    state_dir: "/var/lib/daycap",
                    host: "app-1",
                    commit_interval: 10s,
                    keep_days: 800,
                    listen: 127.0.0.1:9640,
                    sources: [],
                    stale_after: {},
                    quotas: [],
                    alerting: Alerting {
                        usual: Rules {
                            raise: 0.7,
                            clear: 0.4,
                            imminent: 0.9,
                            imminent_within: TimeDelta {
                                secs: 7200,
                                nanos: 0,
                            },
                            quiet_first: TimeDelta {
                                secs: 3600,
                                nanos: 0,
                            },
                            used: [
                                80,
                                95,
                            ],
                            used_margin: 5,
                            burst_least: 30,
                            burst_factor: 1.25,
                            burst_hold: TimeDelta {
                                secs: 900,
                                nanos: 0,
                            },
                            not_exact: true,
                        },
                        by_quota: {},
                        stale: true,
                        commit_failing: true,
                        commit_failing_after: 60s,
                    },
                    notifiers: [],
                }
            "#]],
        );
    }

    #[test]
    fn silences_are_learnt_or_configured() {
        let source = |name: &str, line: &str| format!("[[source]]\npath = {name:?}\n{line}\n");
        let text = source("a", "")
            + &source("b", "stale_after = \"auto\"")
            + &source("c", "stale_after = \"never\"")
            + &source("d", "stale_after = \"2h\"");
        let config = parse(&text, Path::new("daycap.toml"), &Surroundings::default()).expect("a good configuration");
        let of = |name| config.stale_after.get(name).copied().unwrap_or_default();
        let two_hours = StaleAfter::After(Duration::from_secs(7_200));
        assert_eq!(["a", "b", "c", "d"].map(of), [StaleAfter::Auto, StaleAfter::Auto, StaleAfter::Never, two_hours]);
    }

    #[test]
    fn the_state_directory_is_systemds_else_the_users_else_the_systems() {
        let home = Some(PathBuf::from("/h"));
        let user = Surroundings { home: home.clone(), ..Surroundings::default() };
        assert_eq!(user.state_dir(), Path::new("/h/.local/state/daycap"));
        let root = Surroundings { home, is_root: true, ..Surroundings::default() };
        assert_eq!(root.state_dir(), Path::new("/var/lib/daycap"));
        let service = Surroundings { state_directory: Some("/s".into()), ..root };
        assert_eq!(service.state_dir(), Path::new("/s"));
    }
}

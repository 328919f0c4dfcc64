//! Which key of a log line says what: the alias tables of the dialects daycap reads, as data.
//! This file never looks at a value.
//!
//! Keys are compared without case, `_` and `-`, so `statusCode`, `status_code` and `StatusCode` are one
//! alias. Nested objects are dotted: `{"res":{"statusCode":200}}` and `{"res.statusCode":200}` are both
//! `res.statuscode`. To teach daycap a dialect, add rows.

use std::sync::{Arc, LazyLock};

use hashbrown::HashMap;

use super::mapping::Mapping;

/// What daycap wants to know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Time,
    Method,
    /// A full url, a request target or a path.
    Url,
    Host,
    Status,
    Duration,
    Bytes,
    /// A GraphQL operation's name.
    Operation,
    /// A GraphQL document.
    Document,
    /// The hash that stands for a GraphQL document.
    DocumentHash,
    /// What the line says to people; it may be the message of an HTTP client.
    Message,
    /// Why an attempt got no answer.
    Error,
    /// The line itself says that an attempt ended, if not of which request.
    Attempt,
    Service,
    /// A logger's name: the service where [`Field::Machine`] is there too (bunyan, pino), else a module.
    Name,
    /// The machine that wrote the line; its value is not used.
    Machine,
    /// The name of the API key, never the key itself.
    Key,
    Units,
    /// Nothing but what a source's `only_if` asks.
    Condition,
}

impl Field {
    /// Whether it takes part in choosing the series; the others are the minute and the sums.
    pub fn is_label(self) -> bool {
        !matches!(self, Field::Time | Field::Duration | Field::Bytes | Field::Units)
    }

    /// What `daycap explain` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Field::Time => "time",
            Field::Method => "method",
            Field::Url => "url",
            Field::Host => "api",
            Field::Status => "status",
            Field::Duration => "duration",
            Field::Bytes => "bytes",
            Field::Operation | Field::Document | Field::DocumentHash => "operation",
            Field::Message => "message",
            Field::Error => "error",
            Field::Attempt => "attempt",
            Field::Condition => "only_if",
            Field::Service | Field::Name => "service",
            Field::Machine => "host",
            Field::Key => "key",
            Field::Units => "units",
        }
    }
}

/// How a number in a duration or time field is meant. A unit written in the value (`"12.5ms"`) comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
    /// Producers differ. With a fraction: seconds (Caddy, zap). Whole: nanoseconds from a million on
    /// (Traefik, slog), else milliseconds (Istio). A time: by its magnitude.
    Guess,
}

/// One key that says one thing. Among those of a field that a line has, the first one usable counts.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    pub field: Field,
    pub unit: Unit,
    pub key: &'static str,
}

const fn keys<const N: usize>(field: Field, keys: [&'static str; N]) -> [Alias; N] {
    durations(field, Rank::of(field).unit, keys)
}

const fn durations<const N: usize>(field: Field, unit: Unit, keys: [&'static str; N]) -> [Alias; N] {
    let mut aliases = [Alias { field, unit, key: "" }; N];
    let mut at = 0;
    while at < N {
        aliases[at].key = keys[at];
        at += 1;
    }
    aliases
}

/// Every alias, those of a field in order of preference.
static ALIASES: LazyLock<Vec<Alias>> = LazyLock::new(|| {
    [
        &keys(
            Field::Time,
            [
                "time",
                "timestamp",
                "@timestamp",
                "ts",
                "@t",
                "record.time.timestamp",
                "record.time.repr",
                "asctime",
                "datetime",
                "date",
                "timeiso8601",
                "timelocal",
                "msec",
                "starttime",
                "startutc",
                "eventtime",
                "timeunixnano",
                "realtimetimestamp",
            ],
        )[..],
        &keys(
            Field::Method,
            [
                "method",
                "http.request.method",
                "http.method",
                "req.method",
                "request.method",
                "requestmethod",
                "httpmethod",
                "httprequest.requestmethod",
                "verb",
            ],
        ),
        &keys(
            Field::Url,
            [
                "url",
                "url.full",
                "http.url",
                "fullurl",
                "requesturl",
                "requestedurl",
                "request.url",
                "httprequest.requesturl",
                "url.original",
                "originalurl",
                "req.originalurl",
                "req.url",
                "uri",
                "request.uri",
                "req.uri",
                "requesturi",
                "http.target",
                "path",
                "url.path",
                "urlpath",
                "http.path",
                "req.path",
                "request.path",
                "requestpath",
                "http.route",
                "url.template",
                "route",
                "endpoint",
            ],
        ),
        &keys(
            Field::Host,
            [
                "server.address",
                "url.domain",
                "http.host",
                "net.peer.name",
                "requesthost",
                "request.host",
                "req.host",
                "authority",
                "vhost",
                "req.headers.host",
                "request.headers.host",
                "host",
            ],
        ),
        &keys(
            Field::Status,
            [
                "status",
                "statuscode",
                "http.response.statuscode",
                "http.statuscode",
                "httpstatus",
                "httpstatuscode",
                "res.statuscode",
                "res.status",
                "response.status",
                "response.statuscode",
                "responsestatus",
                "responsecode",
                "downstreamstatus",
                "httprequest.status",
                "code",
            ],
        ),
        &durations(
            Field::Duration,
            Unit::Millis,
            [
                "durationms",
                "durationmillis",
                "responsetime",
                "responsetimems",
                "elapsedms",
                "elapsedmilliseconds",
                "elapsed",
                "elapsedtime",
                "latencyms",
                "timems",
                "tookms",
                "timetaken",
            ],
        ),
        &durations(Field::Duration, Unit::Nanos, ["event.duration", "durationns", "elapsedns", "latencyns"]),
        &durations(Field::Duration, Unit::Micros, ["durationus", "elapsedus", "latencyus"]),
        &durations(
            Field::Duration,
            Unit::Seconds,
            [
                "durations",
                "durationsec",
                "durationseconds",
                "elapseds",
                "elapsedseconds",
                "requesttime",
                "latencyseconds",
            ],
        ),
        &durations(Field::Duration, Unit::Guess, ["duration", "latency", "httprequest.latency"]),
        &keys(
            Field::Bytes,
            [
                "bytes",
                "http.response.body.bytes",
                "http.response.body.size",
                "http.responsecontentlength",
                "responsebytes",
                "responsesize",
                "bodybytessent",
                "bytessent",
                "size",
                "contentlength",
                "res.contentlength",
                "res.headers.contentlength",
                "downstreamcontentsize",
                "httprequest.responsesize",
            ],
        ),
        &keys(
            Field::Operation,
            [
                "graphql.operation.name",
                "graphql.operationname",
                "operationname",
                "operation",
                "graphqloperation",
                "graphqloperationname",
                "gql.operationname",
                "body.operationname",
                "req.body.operationname",
                "request.body.operationname",
            ],
        ),
        &keys(Field::Document, ["graphql.document", "graphql.query", "body.query", "req.body.query", "query"]),
        &keys(Field::Service, ["service.name", "service", "servicename", "app", "appname", "application"]),
        &keys(Field::Name, ["name"]),
        &keys(Field::Machine, ["hostname"]),
        &keys(Field::Key, ["keyname", "apikeyname", "key.name", "apikey.name", "credentialname"]),
        &keys(Field::Units, ["units", "cost", "quotaunits", "quotacost"]),
    ]
    .concat()
});

/// Objects that some loggers put a line's own fields in; looked through after the bare keys.
const WRAPPERS: [&str; 8] =
    ["fields.", "record.extra.", "extra.", "attributes.", "context.", "meta.", "metadata.", "jsonpayload."];

/// What a value says, and its place in the order in which a line's values are considered: smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    order: u16,
    pub field: Field,
    pub unit: Unit,
    /// The `only_if` of the source that this value answers, too.
    pub condition: Option<u8>,
}

impl Rank {
    /// For families whose lines say a thing in one place only.
    pub const fn of(field: Field) -> Rank {
        let unit = if matches!(field, Field::Time) { Unit::Guess } else { Unit::Millis };
        Rank::in_unit(field, unit)
    }

    pub const fn in_unit(field: Field, unit: Unit) -> Rank {
        Rank { order: 0, field, unit, condition: None }
    }

    /// Of a source's own places: `order` tells apart those that say the same.
    pub const fn mapped(order: u16, field: Field, unit: Unit) -> Rank {
        Rank { order, field, unit, condition: None }
    }

    /// What answers a condition, and says nothing else.
    pub const fn condition(condition: u8) -> Rank {
        Rank::of(Field::Condition).asked(condition)
    }

    /// The same value, which answers a condition, too.
    pub const fn asked(self, condition: u8) -> Rank {
        Rank { condition: Some(condition), ..self }
    }

    /// The same value where it cannot say its field: `true` is no status, but may be what is asked for.
    pub const fn only_condition(self) -> Rank {
        Rank { field: Field::Condition, ..self }
    }

    /// Whether its value takes part in choosing the series, or in whether there is one.
    pub fn is_label(&self) -> bool {
        self.field.is_label() || self.condition.is_some()
    }

    /// A number of its own for each field and condition.
    pub fn code(&self) -> u64 {
        self.field as u64 | self.condition.map_or(0, |condition| u64::from(condition) + 1) << 8
    }
}

/// What the value at a path may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Says(Rank),
    /// Nothing itself, but keys inside it may.
    Holds,
}

/// What each dotted path says: every alias, bare and wrapped, and every object on the way to one.
pub struct Aliases {
    meanings: HashMap<String, Meaning>,
}

static STANDARD: LazyLock<Arc<Aliases>> = LazyLock::new(|| {
    let wrappers = [""].into_iter().chain(WRAPPERS);
    let all = wrappers.flat_map(|wrapper| ALIASES.iter().map(move |alias| format!("{wrapper}{}", alias.key)));
    // Wrapped keys rank behind all bare ones, and no wrapper before another.
    let ranks = (0..ALIASES.len()).chain((0..WRAPPERS.len()).flat_map(|_| ALIASES.len()..2 * ALIASES.len()));
    let mut aliases = Aliases { meanings: HashMap::new() };
    for (key, order) in all.zip(ranks) {
        let Alias { field, unit, .. } = ALIASES[order % ALIASES.len()];
        let order = u16::try_from(order).expect("the tables have fewer than 2^15 rows");
        aliases.insert(key, Rank { order, field, unit, condition: None });
    }
    Arc::new(aliases)
});

impl Aliases {
    /// Those of the dialects that daycap knows.
    pub fn standard() -> Arc<Aliases> {
        STANDARD.clone()
    }

    /// Those, but for what the source says itself: a mapped place is the only one that says its field.
    pub fn with(mapping: &Mapping) -> Arc<Aliases> {
        let mut aliases = Aliases { meanings: HashMap::new() };
        for (order, (field, path)) in (0..).zip(mapping.places()) {
            let unit = Aliases::standard().rank(&path).filter(|rank| rank.field == field).map(|rank| rank.unit);
            aliases.insert(path, Rank::mapped(order, field, unit.unwrap_or(Unit::Guess)));
        }
        for (path, meaning) in &Aliases::standard().meanings {
            match meaning {
                Meaning::Says(rank) if !is_said(mapping, rank.field) => aliases.insert(path.clone(), *rank),
                Meaning::Says(_) | Meaning::Holds => {}
            }
        }
        for (condition, path) in (0..).zip(mapping.conditions()) {
            path.into_iter().for_each(|path| aliases.ask(path, condition));
        }
        aliases.set_units(mapping);
        Arc::new(aliases)
    }

    /// What a path says answers a condition, too.
    fn ask(&mut self, path: String, condition: u8) {
        let rank = self.rank(&path).unwrap_or(Rank::condition(condition));
        self.meanings.remove(&path);
        self.insert(path, rank.asked(condition));
    }

    fn set_units(&mut self, mapping: &Mapping) {
        for meaning in self.meanings.values_mut() {
            let Meaning::Says(rank) = meaning else { continue };
            if rank.field == Field::Time {
                rank.unit = mapping.time_unit().unwrap_or(rank.unit);
            } else if rank.field == Field::Duration {
                rank.unit = mapping.duration_unit().unwrap_or(rank.unit);
            }
        }
    }

    /// The first that says what a path means is believed.
    fn insert(&mut self, key: String, rank: Rank) {
        for (dot, _) in key.match_indices('.') {
            self.meanings.entry(key[..dot].to_owned()).or_insert(Meaning::Holds);
        }
        match self.meanings.entry(key).or_insert(Meaning::Says(rank)) {
            Meaning::Says(_) => {}
            holds => *holds = Meaning::Says(rank),
        }
    }

    /// What the dotted path of [`push_key`]s may say, if anything.
    pub fn meaning(&self, path: &str) -> Option<Meaning> {
        self.meanings.get(path).copied()
    }

    /// The rank of the value at this path, if it says anything.
    pub fn rank(&self, path: &str) -> Option<Rank> {
        match self.meaning(path)? {
            Meaning::Says(rank) => Some(rank),
            Meaning::Holds => None,
        }
    }
}

/// Whether the mapping says this field, or all that would be asked instead of it.
fn is_said(mapping: &Mapping, field: Field) -> bool {
    let documents = [Field::Document, Field::DocumentHash].contains(&field);
    let names = [Field::Name, Field::Machine].contains(&field);
    mapping.says(field) || (documents && mapping.says(Field::Operation)) || (names && mapping.says(Field::Service))
}

/// Longer paths say nothing daycap knows; bounds what a hostile line costs.
const PATH_BYTES_MAX: usize = 128;

/// Go one key down; give the length back to [`String::truncate`] to come up again.
pub fn push_key(path: &mut String, key: &str) -> usize {
    let length = path.len();
    if length > 0 {
        path.push('.');
    }
    let mut compared = [0; PATH_BYTES_MAX];
    let mut compared_bytes = 0;
    let fits = length + key.len() <= PATH_BYTES_MAX && key.is_ascii();
    for byte in if fits { key.bytes() } else { "".bytes() } {
        // Written anyway and kept if wanted: no branch that depends on the byte.
        compared[compared_bytes] = byte.to_ascii_lowercase();
        compared_bytes += usize::from(!matches!(byte, b'_' | b'-'));
    }
    match std::str::from_utf8(&compared[..compared_bytes]) {
        Ok(compared) if fits => path.push_str(compared),
        // No alias has this in it.
        _ => path.push('\0'),
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_is_written_as_it_is_compared_and_stands_once() {
        for alias in ALIASES.iter() {
            let mut path = String::new();
            push_key(&mut path, alias.key);
            assert_eq!(path, alias.key);
        }
        let keys: std::collections::BTreeSet<_> = ALIASES.iter().map(|alias| alias.key).collect();
        assert_eq!(keys.len(), ALIASES.len());
    }

    #[test]
    fn a_wrapped_key_comes_after_every_bare_one() {
        let aliases = Aliases::standard();
        let bare = aliases.rank("units").expect("known");
        let wrapped = aliases.rank("fields.time").expect("known");
        assert!(bare < wrapped);
        assert_eq!(wrapped.field, Field::Time);
        assert_eq!(aliases.rank("levelname"), None);
        assert_eq!(aliases.meaning("fields.http"), Some(Meaning::Holds));
        // A bunyan line has `req.url` inside `req`; `url` says something and holds `url.full`.
        assert!(matches!(aliases.meaning("url"), Some(Meaning::Says(_))));
    }
}

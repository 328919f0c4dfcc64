//! Which key of a log line says what, by the tables in [`super::alias`].
//! This file never looks at a value.
//!
//! Keys are compared without case, `_` and `-`, so `statusCode`, `status_code` and `StatusCode` are one
//! alias. Nested objects are dotted: `{"res":{"statusCode":200}}` and `{"res.statusCode":200}` are both
//! `res.statuscode`.

use std::sync::{Arc, LazyLock};

use hashbrown::HashMap;

use super::alias::{ALIASES, Alias, SPAN, WRAPPERS};
use super::mapping::Mapping;

/// What daycap wants to know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Time,
    Method,
    /// A full url, a request target or a path.
    Url,
    /// A request line: `POST /graphql HTTP/1.1`.
    Request,
    /// A path with its ids cut out already.
    Route,
    Host,
    Status,
    Duration,
    Bytes,
    /// A GraphQL operation's name.
    Operation,
    /// A GraphQL document, or the body of a request, which may be JSON with one in it.
    Document,
    /// The hash that stands for a GraphQL document.
    DocumentHash,
    /// What the line says to people; it may be the message of an HTTP client.
    Message,
    /// Why an attempt got no answer.
    Error,
    /// The line itself says that an attempt ended, if not of which request.
    Attempt,
    /// It is an HTTP client's own message that reports the call (httpx, urllib3), whatever the application says of it.
    Client,
    Service,
    /// A logger's name: the service where [`Field::Machine`] is there too (bunyan, pino), else a module.
    Name,
    /// The machine that wrote the line; its value is not used.
    Machine,
    /// The name of the API key, never the key itself.
    Key,
    Units,
    /// What the server said of its quota, as the source maps it; daycap knows no names of its own for these.
    QuotaUsed,
    QuotaRemaining,
    QuotaLimit,
    QuotaReset,
    /// Nothing but what a source's `only_if` asks.
    Condition,
}

impl Field {
    /// Whether it takes part in choosing the series; the others are the minute, the sums and what servers say.
    pub fn is_label(self) -> bool {
        !matches!(
            self,
            Field::Time
                | Field::Duration
                | Field::Bytes
                | Field::Units
                | Field::QuotaUsed
                | Field::QuotaRemaining
                | Field::QuotaLimit
                | Field::QuotaReset
        )
    }

    /// Whether it is what a server says of its quota: nothing of the request itself.
    pub fn is_observed(self) -> bool {
        matches!(self, Field::QuotaUsed | Field::QuotaRemaining | Field::QuotaLimit | Field::QuotaReset)
    }

    /// What `daycap explain` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Field::Time => "time",
            Field::Method => "method",
            Field::Url => "url",
            Field::Request => "request",
            Field::Host => "api",
            Field::Status => "status",
            Field::Duration => "duration",
            Field::Bytes => "bytes",
            Field::Operation | Field::Document | Field::DocumentHash | Field::Route => "operation",
            Field::Message => "message",
            Field::Error => "error",
            Field::Attempt => "attempt",
            Field::Client => "client",
            Field::Condition => "only_if",
            Field::Service | Field::Name => "service",
            Field::Machine => "host",
            Field::Key => "key",
            Field::Units => "units",
            Field::QuotaUsed => "quota_used",
            Field::QuotaRemaining => "quota_remaining",
            Field::QuotaLimit => "quota_limit",
            Field::QuotaReset => "quota_reset",
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
    /// As Go writes a duration: whole nanoseconds; with a fraction it is its `Seconds()`.
    Go,
    /// Of no known dialect. With a fraction: seconds. Whole: nanoseconds from a million on, else milliseconds.
    Guess,
}

/// What a value says, and its place in the order in which a line's values are considered: smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    order: u16,
    pub field: Field,
    pub unit: Unit,
    /// The `only_if` of the source that this value answers, too.
    pub condition: Option<u8>,
}

impl Ord for Rank {
    #[inline]
    fn cmp(&self, other: &Rank) -> std::cmp::Ordering {
        self.packed().cmp(&other.packed())
    }
}

impl PartialOrd for Rank {
    #[inline]
    fn partial_cmp(&self, other: &Rank) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Rank {
    /// All of it in one number, which is compared at once: its order comes first.
    fn packed(&self) -> u64 {
        let condition = self.condition.map_or(0, |condition| u64::from(condition) + 1);
        u64::from(self.order) << 32 | (self.field as u64) << 24 | (self.unit as u64) << 16 | condition
    }

    /// For families whose lines say a thing in one place only.
    pub const fn of(field: Field) -> Rank {
        let unit = if matches!(field, Field::Time) { Unit::Guess } else { Unit::Millis };
        Rank::in_unit(field, unit)
    }

    pub const fn in_unit(field: Field, unit: Unit) -> Rank {
        Rank { order: 0, field, unit, condition: None }
    }

    /// The same place in the same order, where it says something else.
    pub const fn saying(self, field: Field, unit: Unit) -> Rank {
        Rank { field, unit, ..self }
    }

    /// Whether it says something of the span that its line was written in, not of the line.
    pub fn is_of_span(&self) -> bool {
        self.order >= WITHIN_SPAN
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
    let mut aliases = Aliases { meanings: HashMap::new() };
    aliases.insert_all("", 0);
    // No wrapper before another.
    WRAPPERS.iter().for_each(|wrapper| aliases.insert_all(wrapper, WRAPPED));
    aliases.insert_all(SPAN, WITHIN_SPAN);
    Arc::new(aliases)
});

/// Where orders begin: of bare keys at 0, then of wrapped ones, then of a span's. Each table has fewer than 2^14 rows.
const WRAPPED: u16 = 1 << 14;
const WITHIN_SPAN: u16 = 2 << 14;

impl Aliases {
    /// Those of the dialects that daycap knows.
    pub fn standard() -> Arc<Aliases> {
        STANDARD.clone()
    }

    /// The whole table behind `wrapper`, in orders from `first` on.
    fn insert_all(&mut self, wrapper: &str, first: u16) {
        for (order, Alias { field, unit, key }) in (first..).zip(ALIASES.iter()) {
            let rank = Rank { order, field: *field, unit: *unit, condition: None };
            self.insert(format!("{wrapper}{key}"), rank);
        }
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
    let instead: &[Field] = match field {
        Field::Document | Field::DocumentHash => &[Field::Operation],
        Field::Route => &[Field::Operation, Field::Url],
        Field::Request => &[Field::Method, Field::Url],
        Field::Name | Field::Machine => &[Field::Service],
        Field::Time | Field::Method | Field::Url | Field::Host | Field::Status | Field::Duration | Field::Bytes => &[],
        Field::Operation | Field::Message | Field::Error | Field::Attempt | Field::Service => &[],
        Field::Key | Field::Units | Field::Condition | Field::Client => &[],
        Field::QuotaUsed | Field::QuotaRemaining | Field::QuotaLimit | Field::QuotaReset => &[],
    };
    mapping.says(field) || instead.iter().any(|field| mapping.says(*field))
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

//! The dialects of JSON lines, as data: by which keys a line shows whose it is, and what its keys alone leave open.
//! This file never looks at a value, but for its being text or a number.
//!
//! A dialect is decided from what all lines of a shape have in common, so a template is learned with it.

use std::sync::LazyLock;

use hashbrown::HashMap;

use super::field::{Field, Rank, Unit};

/// One way of writing lines.
#[derive(Debug)]
pub struct Dialect {
    pub name: &'static str,
    /// What must all be there. The first dialect whose marks are is the line's.
    marks: &'static [Mark],
    /// How `duration` and `latency` are meant, which do not say it.
    duration: Unit,
    /// What `name` names.
    name_field: Named,
    messages: Messages,
    /// The end of a request does not say what was asked, so its start is what counts.
    pub starts_count: bool,
    /// A line tells the end of its span, whose fields are the request's.
    ends_span: bool,
}

#[derive(Debug)]
enum Mark {
    Text(&'static str),
    Number(&'static str),
    Any(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Service,
    Logger,
    /// Unknown: a service where the machine is named, too.
    Either,
}

/// Whether a message is read where a line's own fields report no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Messages {
    /// They say nothing that fields do not.
    Never,
    /// Unless the line has a status of its own as a number: messages make labels unique, and slow.
    Unanswered,
    /// They also tell the layers apart that log a request.
    Always,
}

use Mark::{Any, Number, Text};

const fn dialect(name: &'static str, marks: &'static [Mark], duration: Unit) -> Dialect {
    Dialect {
        name,
        marks,
        duration,
        name_field: Named::Either,
        messages: Messages::Unanswered,
        starts_count: false,
        ends_span: false,
    }
}

const fn logger(dialect: Dialect) -> Dialect {
    Dialect { name_field: Named::Logger, ..dialect }
}

const fn service(dialect: Dialect) -> Dialect {
    Dialect { name_field: Named::Service, ..dialect }
}

/// Its lines are only ever about requests, and say all in fields.
const fn proxy(dialect: Dialect) -> Dialect {
    Dialect { messages: Messages::Never, ..dialect }
}

/// HttpClient logs each request in two layers, which only messages tell apart.
const fn layered(dialect: Dialect) -> Dialect {
    Dialect { messages: Messages::Always, ..dialect }
}

const fn starts_count(dialect: Dialect) -> Dialect {
    Dialect { starts_count: true, ..dialect }
}

/// What no dialect claims.
static UNKNOWN: Dialect = dialect("no known dialect", &[], Unit::Guess);

/// The special before the general. Where a library knows no durations, what an application calls one is guessed.
static DIALECTS: [Dialect; 29] = [
    // Proxies and servers.
    proxy(dialect("Caddy", &[Any("ts"), Text("request.uri"), Any("duration"), Any("size")], Unit::Seconds)),
    proxy(dialect("Traefik", &[Any("downstreamstatus"), Any("requestmethod")], Unit::Go)),
    proxy(dialect("Traefik", &[Any("originstatus"), Any("requestmethod")], Unit::Go)),
    proxy(dialect("Envoy", &[Any("starttime"), Any("responsecode"), Any("responseflags")], Unit::Millis)),
    proxy(dialect("Envoy", &[Any("starttime"), Any("responsecode"), Any("authority")], Unit::Millis)),
    dialect("GCP httpRequest", &[Any("httprequest.requesturl")], Unit::Guess),
    proxy(dialect("lograge", &[Text("controller"), Text("action"), Text("path"), Any("duration")], Unit::Millis)),
    // .NET.
    layered(dialect("Serilog compact", &[Text("@t"), Text("@mt")], Unit::Millis)),
    layered(dialect("Serilog compact", &[Text("@t"), Text("@m")], Unit::Millis)),
    layered(dialect("Serilog", &[Text("timestamp"), Text("messagetemplate")], Unit::Millis)),
    // Its scopes, which say what was asked, are a list that is not read; so requests are counted as they are sent.
    starts_count(dialect("JsonConsole", &[Text("loglevel"), Text("category"), Text("state.message")], Unit::Millis)),
    // Node.
    starts_count(proxy(dialect(
        "Fastify",
        &[Number("level"), Any("reqid"), Text("req.method"), Text("req.url")],
        Unit::Millis,
    ))),
    service(dialect("bunyan", &[Number("level"), Number("v"), Text("name"), Text("hostname")], Unit::Millis)),
    service(dialect("pino-http", &[Number("level"), Any("req.url"), Any("responsetime")], Unit::Millis)),
    service(dialect("pino", &[Number("level"), Any("time")], Unit::Millis)),
    service(dialect("pino", &[Text("level"), Number("time"), Number("pid")], Unit::Millis)),
    // Rust.
    Dialect {
        ends_span: true,
        ..dialect("tracing, end of a span", &[Any("fields.time.busy"), Text("span.name")], Unit::Guess)
    },
    Dialect {
        ends_span: true,
        ..dialect("tracing, end of a span", &[Any("time.busy"), Text("span.name")], Unit::Guess)
    },
    dialect("tracing", &[Text("timestamp"), Text("level"), Text("target")], Unit::Guess),
    // Java.
    logger(dialect("ECS", &[Text("@timestamp"), Any("ecs.version")], Unit::Guess)),
    logger(dialect("logstash", &[Text("@timestamp"), Any("@version")], Unit::Millis)),
    // Python.
    logger(dialect("loguru", &[Text("text"), Any("record.time.timestamp")], Unit::Guess)),
    logger(dialect("python-json-logger", &[Text("asctime")], Unit::Guess)),
    logger(dialect("python-json-logger", &[Text("levelname"), Text("message")], Unit::Guess)),
    dialect("structlog", &[Text("event"), Any("timestamp")], Unit::Guess),
    dialect("winston", &[Text("level"), Text("message"), Any("timestamp")], Unit::Guess),
    // Go.
    logger(dialect("zap", &[Any("ts"), Text("level"), Text("msg")], Unit::Seconds)),
    logger(dialect("slog or logrus", &[Text("time"), Text("level"), Text("msg")], Unit::Go)),
    // By OpenTelemetry's names alone.
    dialect("OpenTelemetry", &[Text("http.request.method")], Unit::Guess),
];

/// The marks that a line has, each one bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u64);

impl Marks {
    pub fn add(&mut self, marks: Marks) {
        self.0 |= marks.0;
    }

    fn has(self, wanted: Marks) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

/// What a value at a path marks if it is text, and if it is a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marking {
    pub text: Marks,
    pub number: Marks,
}

impl Marking {
    pub const NONE: Marking = Marking { text: Marks(0), number: Marks(0) };
}

struct Table {
    paths: HashMap<&'static str, Marking>,
    /// Of each dialect, in their order.
    wanted: Vec<Marks>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { paths: HashMap::new(), wanted: Vec::new() };
    let mut bits = 0;
    for dialect in &DIALECTS {
        let mut wanted = Marks::default();
        dialect.marks.iter().for_each(|mark| wanted.add(table.mark(mark, &mut bits)));
        table.wanted.push(wanted);
    }
    table
});

impl Table {
    /// The bits of a mark; each path has one for text, one for numbers and one for both.
    fn mark(&mut self, mark: &Mark, bits: &mut u32) -> Marks {
        let (path, text, number) = match mark {
            Text(path) => (path, true, false),
            Number(path) => (path, false, true),
            Any(path) => (path, true, true),
        };
        for (dot, _) in path.match_indices('.') {
            self.paths.entry(&path[..dot]).or_default();
        }
        let marking = self.paths.entry(path).or_default();
        let known = match (text, number) {
            (true, true) => marking.text.0 & marking.number.0,
            (true, false) => marking.text.0 & !marking.number.0,
            (false, _) => marking.number.0 & !marking.text.0,
        };
        if known != 0 {
            return Marks(known);
        }
        let new = Marks(1u64.checked_shl(*bits).expect("fewer than 64 marks"));
        *bits += 1;
        if text {
            marking.text.add(new);
        }
        if number {
            marking.number.add(new);
        }
        new
    }
}

/// What a value at this path, as [`super::field::push_key`] compares it, may mark; `None` where neither it nor any
/// below it does.
pub fn marking(path: &str) -> Option<Marking> {
    TABLE.paths.get(path).copied()
}

/// The dialect of a line with these marks.
pub fn of(marks: Marks) -> &'static Dialect {
    let place = TABLE.wanted.iter().position(|wanted| marks.has(*wanted));
    place.map_or(&UNKNOWN, |place| &DIALECTS[place])
}

impl Dialect {
    /// Of lines that are not JSON.
    pub fn none() -> &'static Dialect {
        &UNKNOWN
    }

    /// What a value says in this dialect that an alias gives this rank, if anything. `answered`: the line has a status
    /// that is a number.
    pub fn rank(&self, rank: Rank, answered: bool) -> Option<Rank> {
        let foreign = rank.is_of_span() && !self.ends_span;
        let field = match rank.field {
            _ if foreign => None,
            Field::Name => match self.name_field {
                Named::Service => Some(Field::Service),
                Named::Logger => None,
                Named::Either => Some(Field::Name),
            },
            Field::Message if self.ignores_messages(answered) => None,
            field => Some(field),
        };
        let unit = if rank.field == Field::Duration && rank.unit == Unit::Guess { self.duration } else { rank.unit };
        match (field, rank.condition) {
            (Some(field), _) => Some(rank.saying(field, unit)),
            // It still answers what the source asks.
            (None, Some(_)) => Some(rank.saying(Field::Condition, unit)),
            (None, None) => None,
        }
    }

    fn ignores_messages(&self, answered: bool) -> bool {
        match self.messages {
            Messages::Never => true,
            Messages::Unanswered => answered,
            Messages::Always => false,
        }
    }
}

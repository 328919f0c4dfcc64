//! The table of producers: which script writes which logs, and what their lines can tell. This file never runs any.

/// What runs a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Python,
    Node,
}

/// What a log calls a GraphQL request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// By the path it went to: the lines say no more.
    Path,
    /// By its operation's name.
    Operation,
}

/// When a request was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Each line says it.
    Stamped,
    /// No line says it: it counts when it arrives, so daycap has to run by then.
    Arrival,
}

pub struct Family {
    pub program: Program,
    pub script: &'static str,
    pub rows: &'static [Row],
}

pub struct Row {
    /// The log's name, without `.log`.
    pub log: &'static str,
    pub configuration: &'static str,
    pub names: Names,
    pub time: Time,
}

const fn row(log: &'static str, configuration: &'static str, names: Names, time: Time) -> Row {
    Row { log, configuration, names, time }
}

use Names::{Operation, Path};
use Program::{Node, Python};
use Time::{Arrival, Stamped};

pub const FAMILIES: [Family; 14] = [
    Family {
        program: Python,
        script: "httpx_messages.py",
        rows: &[
            row("httpx-asctime", "`logging` with `%(asctime)s`", Path, Stamped),
            row("httpx-docs", "`logging` as httpx's documentation has it, DEBUG", Path, Stamped),
            row("httpx-rfc3164", "syslog, RFC 3164", Path, Stamped),
            row("httpx-rfc5424", "syslog, RFC 5424", Path, Stamped),
            row("httpx-json", "`JsonFormatter` with `asctime`", Path, Stamped),
            row("httpx-ecs", "`StdlibFormatter`", Path, Stamped),
            row("httpx-basic", "`logging.basicConfig()`, no time stamp", Path, Arrival),
            row("httpx-json-bare", "`JsonFormatter()`, no time stamp", Path, Arrival),
        ],
    },
    Family {
        program: Python,
        script: "urllib3_messages.py",
        rows: &[
            row("urllib3-asctime", "DEBUG with `%(asctime)s`, retried by `Retry`", Path, Stamped),
            row("urllib3-json", "DEBUG by `JsonFormatter` with `asctime`", Path, Stamped),
            row("urllib3-basic", "DEBUG by `logging.basicConfig()`, no time stamp", Path, Arrival),
        ],
    },
    Family {
        program: Python,
        script: "structlog_lines.py",
        rows: &[
            row("structlog-json", "`JSONRenderer`", Operation, Stamped),
            row("structlog-logfmt", "`LogfmtRenderer`", Operation, Stamped),
            row("structlog-console", "`ConsoleRenderer`", Operation, Stamped),
            row("structlog-pairs", "`JSONRenderer`, start and finish", Operation, Stamped),
            row("structlog-json-bare", "`JSONRenderer`, no time stamp", Operation, Arrival),
        ],
    },
    Family {
        program: Python,
        script: "loguru_lines.py",
        rows: &[
            row("loguru-text", "text, method, URL and status in the message", Path, Stamped),
            row("loguru-json", "`serialize=True`", Operation, Stamped),
            row("loguru-pairs", "`serialize=True`, start and finish", Operation, Stamped),
            row("two-layers-text", "own lines and httpx's in one text log", Path, Stamped),
        ],
    },
    Family {
        program: Python,
        script: "json_logging.py",
        rows: &[
            row("json-logger", "`JsonFormatter` with `asctime`", Operation, Stamped),
            row("json-logger-timestamp", "`JsonFormatter(timestamp=True)`", Operation, Stamped),
            row("json-logger-pairs", "start and finish", Operation, Stamped),
            row("json-logger-bare", "`JsonFormatter()`, no time stamp", Operation, Arrival),
            row("ecs", "`StdlibFormatter`", Operation, Stamped),
            row("ecs-pairs", "`StdlibFormatter`, start and finish", Operation, Stamped),
            row("two-layers", "own lines and httpx's in one log", Operation, Stamped),
        ],
    },
    Family {
        program: Python,
        script: "otel_spans.py",
        rows: &[
            row("otel", "OTLP JSON, client spans", Path, Stamped),
            row("otel-batch", "OTLP JSON, client spans, many a line", Path, Stamped),
        ],
    },
    Family {
        program: Python,
        script: "otel_spans_old.py",
        rows: &[
            row("otel-old", "client spans, attributes by their old names", Path, Stamped),
            row("otel-old-batch", "client spans, old names, many a line", Path, Stamped),
        ],
    },
    Family {
        program: Python,
        script: "otel_logs.py",
        rows: &[row("otel-logs", "OTLP JSON, log records", Path, Stamped)],
    },
    Family {
        program: Node,
        script: "pino.js",
        rows: &[
            row("pino", "as it comes", Operation, Stamped),
            row("pino-iso", "`isoTime`", Operation, Stamped),
            row("pino-pairs", "start and finish", Operation, Stamped),
        ],
    },
    Family {
        program: Node,
        script: "pino_http.js",
        rows: &[
            row("pino-http", "in a server", Path, Stamped),
            row("pino-http-pairs", "in a server, received and completed", Path, Stamped),
        ],
    },
    Family {
        program: Node,
        script: "winston.js",
        rows: &[
            row("winston", "`timestamp()` and `json()`", Operation, Stamped),
            row("winston-text", "`printf()`: time, level, method, URL, status", Path, Stamped),
            row("winston-pairs", "`timestamp()` and `json()`, start and finish", Operation, Stamped),
            row("winston-bare", "`json()`, no time stamp", Operation, Arrival),
        ],
    },
    Family {
        program: Node,
        script: "bunyan.js",
        rows: &[
            row("bunyan", "as it comes", Operation, Stamped),
            row("bunyan-pairs", "start and finish", Operation, Stamped),
        ],
    },
    Family {
        program: Node,
        script: "morgan.js",
        rows: &[
            row("morgan-combined", "`combined`", Path, Stamped),
            row("morgan-common", "`common`", Path, Stamped),
            row("morgan-dev", "`dev`, no time stamp", Path, Arrival),
            row("morgan-short", "`short`, no time stamp", Path, Arrival),
            row("morgan-tiny", "`tiny`, no time stamp", Path, Arrival),
        ],
    },
    Family {
        program: Python,
        script: "nginx.py",
        rows: &[
            row("nginx-combined", "`combined`", Path, Stamped),
            row("nginx-main", "`main`, as nginx packages have it", Path, Stamped),
            row("nginx-timed", "`combined` and `$request_time`", Path, Stamped),
            row("nginx-vhost", "`combined` behind host and port", Path, Stamped),
            row("nginx-json", "`escape=json`, a key each", Path, Stamped),
            row("nginx-json-msec", "`escape=json`, `$msec` and `$request`", Path, Stamped),
        ],
    },
];

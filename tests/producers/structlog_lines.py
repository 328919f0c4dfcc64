"""structlog around a client, in its renderers."""

import structlog
from common import OUT, logged, make_all, with_httpx, wrote
from structlog.processors import JSONRenderer, LogfmtRenderer, TimeStamper, add_log_level

STAMP = TimeStamper(fmt="iso", utc=True)
LOGS = {
    "structlog-json": [add_log_level, STAMP, JSONRenderer()],
    "structlog-json-bare": [add_log_level, JSONRenderer()],
    "structlog-pairs": [add_log_level, STAMP, JSONRenderer()],
    "structlog-logfmt": [add_log_level, STAMP, LogfmtRenderer(key_order=["timestamp", "level", "event"])],
    "structlog-console": [add_log_level, STAMP, structlog.dev.ConsoleRenderer(colors=False)],
}


def logger(log, processors):
    wrote(log, "structlog")
    return structlog.wrap_logger(structlog.WriteLogger(open(OUT / f"{log}.log", "w")), processors=processors)


loggers = {log: logger(log, processors) for log, processors in LOGS.items()}


def started(fields):
    loggers["structlog-pairs"].info("request started", **fields)


def completed(fields):
    for each in loggers.values():
        each.info("request completed", **fields)


make_all(logged(with_httpx(), started, completed))

"""The standard library's logging with fields of its own, made JSON by python-json-logger and ecs-logging."""

import logging

import ecs_logging
from common import OUT, logged, make_all, with_httpx, wrote
from pythonjsonlogger.json import JsonFormatter

INFO, DEBUG = logging.INFO, logging.DEBUG
STAMPED = "%(asctime)s %(levelname)s %(name)s %(message)s"
plain, ecs, both = logging.getLogger("plain"), logging.getLogger("ecs"), logging.getLogger()
LOGS = [
    (plain, "json-logger", INFO, JsonFormatter(STAMPED), ["python-json-logger"]),
    (plain, "json-logger-timestamp", INFO, JsonFormatter(timestamp=True), ["python-json-logger"]),
    (plain, "json-logger-bare", INFO, JsonFormatter(), ["python-json-logger"]),
    (plain, "json-logger-pairs", DEBUG, JsonFormatter(STAMPED), ["python-json-logger"]),
    (ecs, "ecs", INFO, ecs_logging.StdlibFormatter(), ["ecs-logging"]),
    (ecs, "ecs-pairs", DEBUG, ecs_logging.StdlibFormatter(), ["ecs-logging"]),
    # The client's own lines and httpx's tell of the same requests, in one log.
    (both, "two-layers", INFO, JsonFormatter(STAMPED), ["httpx", "python-json-logger"]),
]

for logger, log, level, formatter, packages in LOGS:
    handler = logging.FileHandler(OUT / f"{log}.log")
    handler.setLevel(level)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    logger.setLevel(DEBUG)
    wrote(log, *packages)
ecs.propagate = False


def in_ecs(fields):
    names = {"method": "http.request.method", "url": "url.full", "status": "http.response.status_code"}
    renamed = {names[name]: value for name, value in fields.items() if name in names}
    if "operation" in fields:
        renamed["graphql.operation.name"] = fields["operation"]
    if "duration_ms" in fields:
        renamed["event.duration"] = int(fields["duration_ms"] * 1_000_000)
    return renamed


def started(fields):
    plain.debug("request started", extra=fields)
    ecs.debug("request started", extra=in_ecs(fields))


def completed(fields):
    plain.info("request completed", extra=fields)
    ecs.info("request completed", extra=in_ecs(fields))


make_all(logged(with_httpx(), started, completed))

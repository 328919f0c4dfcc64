"""loguru around a client: as text, as JSON, and with httpx's own lines in the same log."""

import logging

from common import OUT, logged, make_all, with_httpx, wrote
from loguru import logger


class Intercept(logging.Handler):
    """What the standard library is told goes to loguru, as many programs have it."""

    def emit(self, record):
        logger.bind(layer="httpx").log(record.levelname, record.getMessage())


logging.getLogger("httpx").addHandler(Intercept())
logging.getLogger("httpx").setLevel(logging.INFO)

LOGS = {
    "loguru-text": dict(level="INFO", filter=lambda record: not record["extra"]),
    "loguru-json": dict(level="INFO", serialize=True, filter=lambda record: "url" in record["extra"]),
    "loguru-pairs": dict(level="DEBUG", serialize=True, filter=lambda record: "url" in record["extra"]),
    "two-layers-text": dict(level="INFO", filter=lambda record: "url" not in record["extra"]),
}
logger.remove()
for log, options in LOGS.items():
    logger.add(OUT / f"{log}.log", **options)
    wrote(log, "loguru", *(["httpx"] if log == "two-layers-text" else []))


def started(fields):
    logger.bind(**fields).debug("request started")


def completed(fields):
    logger.bind(**fields).info("request completed")
    logger.info(f"{fields['method']} {fields['url']} {fields['status']}")


make_all(logged(with_httpx(), started, completed))

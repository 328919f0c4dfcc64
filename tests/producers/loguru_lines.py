"""loguru around a client: as text, and as JSON."""

from common import OUT, logged, make_all, with_httpx, wrote
from loguru import logger

logger.remove()
logger.add(OUT / "loguru-text.log", level="INFO", filter=lambda record: not record["extra"])
logger.add(OUT / "loguru-json.log", level="INFO", serialize=True, filter=lambda record: record["extra"])
logger.add(OUT / "loguru-pairs.log", level="DEBUG", serialize=True, filter=lambda record: record["extra"])
for log in ["loguru-text", "loguru-json", "loguru-pairs"]:
    wrote(log, "loguru")


def started(fields):
    logger.bind(**fields).debug("request started")


def completed(fields):
    logger.bind(**fields).info("request completed")
    logger.info(f"{fields['method']} {fields['url']} {fields['status']}")


make_all(logged(with_httpx(), started, completed))

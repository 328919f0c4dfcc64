"""httpx logs a line a response by itself; here in the formats that its users give `logging`."""

import logging

import ecs_logging
from common import OUT, make_all, with_httpx, wrote
from pythonjsonlogger.json import JsonFormatter

INFO, DEBUG = logging.INFO, logging.DEBUG
DOCUMENTED = "%(levelname)s [%(asctime)s] %(name)s - %(message)s"
RFC_3164 = "%(asctime)s web sync[%(process)d]: %(message)s"
RFC_5424 = "<14>1 %(asctime)s.%(msecs)03dZ web sync %(process)d - - %(message)s"

LOGS = [
    ("httpx-basic", INFO, logging.Formatter(logging.BASIC_FORMAT), ()),
    ("httpx-asctime", INFO, logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"), ()),
    # As httpx's own documentation has it, httpcore's steps and all.
    ("httpx-docs", DEBUG, logging.Formatter(DOCUMENTED, "%Y-%m-%d %H:%M:%S"), ()),
    ("httpx-rfc3164", INFO, logging.Formatter(RFC_3164, "%b %d %H:%M:%S"), ()),
    ("httpx-rfc5424", INFO, logging.Formatter(RFC_5424, "%Y-%m-%dT%H:%M:%S"), ()),
    ("httpx-json-bare", INFO, JsonFormatter(), ["python-json-logger"]),
    ("httpx-json", INFO, JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"), ["python-json-logger"]),
    ("httpx-ecs", INFO, ecs_logging.StdlibFormatter(), ["ecs-logging"]),
]

for log, level, formatter, packages in LOGS:
    handler = logging.FileHandler(OUT / f"{log}.log")
    handler.setLevel(level)
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    wrote(log, "httpx", *packages)
logging.getLogger().setLevel(DEBUG)
make_all(with_httpx())

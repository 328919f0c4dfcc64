"""A client that logs through Python's own rotating handlers: each line of standard input is logged.

Usage: write_log.py size|time LOG. Both keep all archives: `size` turns a chain (LOG.1 becomes LOG.2), `time`
renames LOG to a stamped name.
"""

import logging
import sys
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler

kind, path = sys.argv[1:]
if kind == "size":
    handler = RotatingFileHandler(path, maxBytes=64 * 1024, backupCount=1000)
else:
    handler = TimedRotatingFileHandler(path, when="S", interval=1, backupCount=0, utc=True)

logger = logging.getLogger("client")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(handler)
for line in sys.stdin:
    logger.info("%s", line.rstrip("\n"))

"""requests, retried by urllib3, whose DEBUG lines tell of each attempt, and of much else."""

import logging

import requests
from common import AGAIN, BASE, OUT, TRIES, body, calls, headers, wrote
from pythonjsonlogger.json import JsonFormatter
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

LOGS = [
    ("urllib3-basic", logging.Formatter(logging.BASIC_FORMAT), ()),
    ("urllib3-asctime", logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"), ()),
    ("urllib3-json", JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"), ["python-json-logger"]),
]

for log, formatter, packages in LOGS:
    handler = logging.FileHandler(OUT / f"{log}.log")
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    wrote(log, "requests", "urllib3", *packages)
logging.getLogger().setLevel(logging.DEBUG)

session = requests.Session()
again = Retry(total=TRIES - 1, status_forcelist=AGAIN, allowed_methods=None, backoff_factor=0, raise_on_status=False)
session.mount(BASE, HTTPAdapter(max_retries=again))
for call in calls():
    session.request(call["method"], BASE + call["path"], json=body(call), headers=headers())

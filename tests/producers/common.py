"""What the Python producers share: which calls to make, how often to try, and which log is whose."""

import json
import pathlib
import sys
import time
from importlib.metadata import version

BASE, OUT = sys.argv[1], pathlib.Path(sys.argv[2])
AGAIN = {429, 500}
TRIES = 3


def calls():
    for call in json.loads(pathlib.Path(__file__).with_name("calls.json").read_text()):
        for _ in range(call["times"]):
            yield call


def body(call):
    """What is sent along: a GraphQL request, or nothing."""
    operation = call.get("operation")
    return {"operationName": operation, "query": f"query {operation} {{ all {{ id }} }}"} if operation else None


def headers():
    return {"Authorization": "Bearer s3cr3t"}


def make_all(send):
    """Make each call, and again while the server asks for patience. `send(call)` gives the status."""
    for call in calls():
        for _ in range(TRIES):
            if send(call) not in AGAIN:
                break


def logged(send, started, completed):
    """`send`, with a line before it and one after it: what most in-house clients do."""

    def send_and_log(call):
        fields = {"method": call["method"], "url": BASE + call["path"]}
        if "operation" in call:
            fields["operation"] = call["operation"]
        started(fields)
        begun = time.perf_counter()
        status = send(call)
        completed(fields | {"status": status, "duration_ms": round((time.perf_counter() - begun) * 1000, 1)})
        return status

    return send_and_log


def with_httpx(base=BASE):
    """A sender that uses httpx."""
    import httpx

    client = httpx.Client(base_url=base, headers=headers(), timeout=60)
    return lambda call: client.request(call["method"], call["path"], json=body(call)).status_code


def wrote(log, *packages):
    """Tell the test which packages wrote a log."""
    print(log, ", ".join(f"{package} {version(package)}" for package in packages), sep="\t")

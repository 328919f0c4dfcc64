"""daycap under siege: busy writers, real logrotate, kill -9 at random; then every line is looked for in the ledger.

Usage: soak.py DAYCAP_BINARY [--minutes 10] [--seed N] [--rate 17000] [--writers 2] [--keep]   (see `make soak`)

Each writer appends JSON lines to a log of its own. Its n-th line has a cell of its own in the ledger: n tells
minute, status and operation; the service is the writer's name. So the end is judged line by line: a lost line and a
doubled one cannot cancel. The stamps run ahead of the clock, a minute every 128 lines; a day's file is written
again and again while its lines come, then left alone.

The logs are rotated by logrotate every few seconds, in the modes of MODES. With `create` the writer goes on in the
renamed file for a while, as clients do that are told by a signal. With `copytruncate` logrotate itself destroys what
is written between its copy and its truncation, before anybody could read it; so there the writer holds still while
logrotate runs. Everything else is at full speed, and nobody waits for daycap.

The daemon is killed (SIGKILL, by its process id) every 5 to 30 seconds and started again within 3. Every other time it
is then killed once more in the middle of its first commit. Sometimes it is stopped by SIGTERM instead, and that is
timed.

What happens when is drawn from the seed, but how far the writers are by then is not: a seed gives a similar run,
not the same. Disk use is bounded: logrotate keeps ROTATE archives a log, some four minutes of lines, which is much
longer than daycap is ever down; were it so late that lines are deleted unread, that is a loss and told as one.

Exit code 1 unless no line is lost and none doubled; then the directory is kept, to look at.
"""

import argparse
import datetime
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

try:
    import duckdb
except ModuleNotFoundError:
    sys.exit("the Python package duckdb is missing: run this by `make soak`, which installs it")

MODES = [
    "create\n  compress\n  delaycompress",
    "copytruncate\n  compress",
    "copytruncate\n  compress\n  delaycompress",
    "create",
]
ROTATE = 50
ROTATION_SECONDS = (2, 8)
REOPEN_SECONDS = (0, 1)
KILL_SECONDS = (5, 30)
DOWN_SECONDS = (0, 3)
COMMIT_PATIENCE_SECONDS = 5
# Of all ends but the last, this share is a SIGTERM; of all starts, this share ends in the first commit.
STOP_SHARE = 0.2
FIRST_COMMIT_SHARE = 0.5
READY_SECONDS = 120
STOP_SECONDS = 60

# Letters only: digits in an operation's name could be taken for an id.
OPERATIONS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"]
OPERATIONS += ["india", "juliett", "kilo", "lima", "mike", "november", "oscar", "papa"]
STATUSES = [200, 201, 204, 301, 400, 404, 429, 500]
CELLS = len(OPERATIONS) * len(STATUSES)
BEGIN = datetime.datetime(2026, 1, 1)
LINE = (
    '{"timestamp":"MINUTE:00Z","level":"info","service":"SERVICE","method":"POST","url":"https://api.example.com/graphql",'
    '"status":%d,"duration_ms":87.5,"operation":"%s"}\n'
)
# The lines of one minute; cell = status index * operations + operation index.
MINUTE_OF_LINES = "".join(LINE % (status, operation) for status in STATUSES for operation in OPERATIONS)


# ---- a writer: a process ----


def write(path, service, rate, seed, told):
    """Append minutes of lines at `rate` lines a second; obey what is told; in the end tell how many lines."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chance = random.Random(seed)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    minute_of_lines = MINUTE_OF_LINES.replace("SERVICE", service)
    minute, begun = 0, time.monotonic()
    while True:
        due = begun + minute * CELLS / rate
        while told.poll(max(0, due - time.monotonic())):
            word = told.recv()
            if word == "reopen":
                os.close(log)
                log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            elif word == "pause":
                told.send("paused")
                assert told.recv() == "resume"
            elif word == "end":
                told.send(minute * CELLS)
                return
        stamp = BEGIN + datetime.timedelta(minutes=minute)
        lines = minute_of_lines.replace("MINUTE", stamp.strftime("%Y-%m-%dT%H:%M")).encode()
        # In two pieces, cut anywhere, as buffers cut.
        cut = chance.randrange(len(lines))
        write_all(log, lines[:cut])
        write_all(log, lines[cut:])
        minute += 1


def write_all(file, data):
    while data:
        data = data[os.write(file, data) :]


class Writer:
    def __init__(self, room, name, mode, rate, seed):
        self.name, self.mode, self.rotations = name, mode, 0
        self.log = room / "logs" / f"{name}.log"
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=write, args=(self.log, name, rate, seed, theirs), daemon=True)
        self.config = room / f"{name}.logrotate"
        self.config.write_text(f'"{self.log}" {{\n  rotate {ROTATE}\n  {mode}\n}}\n')
        self.state = room / f"{name}.logrotate.state"
        self.chance = random.Random(seed + 1)
        self.written = None

    def start(self):
        self.process.start()

    def rotate_until(self, over):
        """The rotations of this log, until `over` is set. An error here ends the soak."""
        while not over.wait(self.chance.uniform(*ROTATION_SECONDS)):
            if "copytruncate" in self.mode:
                self.pipe.send("pause")
                assert self.pipe.recv() == "paused"
                self.logrotate()
                self.pipe.send("resume")
            else:
                self.logrotate()
                over.wait(self.chance.uniform(*REOPEN_SECONDS))
                self.pipe.send("reopen")
            self.rotations += 1

    def logrotate(self):
        # Debian keeps it where only root's PATH leads.
        program = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "logrotate is missing: run this by `make soak`, which installs it"
        subprocess.run([program, "-f", "-s", self.state, self.config], check=True)

    def end(self):
        self.pipe.send("end")
        self.written = self.pipe.recv()
        self.process.join()


# ---- the daemon ----


class Daemon:
    def __init__(self, binary, room):
        self.binary, self.room, self.words = binary, room, room / "daemon.log"
        self.process, self.heard, self.started = None, 0, 0.0
        self.kills, self.stops, self.in_commit, self.slowest_stop = 0, 0, 0, 0.0
        room.joinpath("daycap.toml").write_text(
            f'[state]\ndir = "{room}/state"\nhost = "soak"\ncommit_interval = "1s"\nkeep = "36500d"\n'
            f'[http]\nlisten = "127.0.0.1:0"\n'
            f'[[source]]\nname = "logs"\npath = "{room}/logs/*.log"\n'
            f'[[quota]]\nname = "soak"\nlimit = 1000000000\n'
        )

    def start(self):
        with self.words.open("ab") as words:
            self.heard, self.started = words.tell(), time.time()
            arguments = [self.binary, "run", "--config", self.room / "daycap.toml"]
            self.process = subprocess.Popen(arguments, stderr=words, stdin=subprocess.DEVNULL)

    def wait_for(self, pattern):
        """The first match in what it said since its start."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            match = re.search(pattern, self.words.read_bytes()[self.heard :].decode())
            if match:
                return match
            time.sleep(0.05)
        raise RuntimeError(f"daycap never said {pattern!r}; see {self.words}")

    def is_committing(self):
        """Whether a temporary file of this process is there; a killed one leaves its own behind."""
        state = self.room / "state"
        for path in [state / ".state.json.tmp", *state.glob("usage/date=*/.*.tmp")]:
            try:
                if path.stat().st_mtime > self.started:
                    return True
            except FileNotFoundError:
                pass
        return False

    def kill_in_commit(self):
        """Kill it once it commits; whether it did."""
        deadline = time.monotonic() + COMMIT_PATIENCE_SECONDS
        while not self.is_committing():
            if time.monotonic() > deadline:
                return False
        self.in_commit += 1
        self.kill()
        return True

    def kill(self):
        self.check_alive()
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def stop(self):
        self.check_alive()
        begun = time.monotonic()
        self.process.terminate()
        code = self.process.wait(STOP_SECONDS)
        self.slowest_stop = max(self.slowest_stop, time.monotonic() - begun)
        self.stops += 1
        if code != 0:
            raise RuntimeError(f"daycap ended with {code}; see {self.words}")

    def check_alive(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"daycap ended by itself with {self.process.returncode}; see {self.words}")

    def lag(self):
        address = self.wait_for(r"metrics at (http://\S+)").group(1)
        with urllib.request.urlopen(address, timeout=10) as answer:
            found = re.search(r"^daycap_log_lag_bytes\S* (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found.group(1))

    def finish(self):
        """Count everything there is, and end."""
        self.wait_for("soak: ")
        deadline = time.monotonic() + READY_SECONDS
        while self.lag() > 0:
            if time.monotonic() > deadline:
                raise RuntimeError("daycap does not catch up")
            time.sleep(0.1)
        self.stop()


# ---- the siege ----


def besiege(arguments, room, writers, daemon):
    chance = random.Random(arguments.seed)
    end = time.monotonic() + arguments.minutes * 60
    over = threading.Event()
    failures = []
    threads = [threading.Thread(target=guarded, args=(failures, writer.rotate_until, over)) for writer in writers]
    for one in [*writers, *threads, daemon]:
        one.start()
    while time.monotonic() < end and not failures:
        time.sleep(max(0, min(chance.uniform(*KILL_SECONDS), end - time.monotonic())))
        if time.monotonic() >= end:
            break
        if chance.random() < STOP_SHARE:
            daemon.stop()
        else:
            daemon.kill()
        time.sleep(chance.uniform(*DOWN_SECONDS))
        daemon.start()
        if chance.random() < FIRST_COMMIT_SHARE and daemon.kill_in_commit():
            time.sleep(chance.uniform(*DOWN_SECONDS))
            daemon.start()
        tell_progress(end - time.monotonic(), writers, daemon, room)
    over.set()
    for thread in threads:
        thread.join()
    for writer in writers:
        writer.end()
    if failures:
        raise failures[0]


def guarded(failures, work, over):
    try:
        work(over)
    except Exception as failure:
        failures.append(failure)


def tell_progress(left, writers, daemon, room):
    rotations = sum(writer.rotations for writer in writers)
    used = disk_use(room) / 1e6
    text = f"{max(0, left):5.0f} s left, {rotations} rotations, {daemon.kills} kills, {daemon.stops} stops, {used:.0f} MB"
    print(text, file=sys.stderr, flush=True)


def disk_use(room):
    sizes = 0
    for path in room.rglob("*"):
        try:
            sizes += path.stat().st_size
        except FileNotFoundError:
            pass  # rotated just now
    return sizes


# ---- the judgement, line by line ----


def judge(room, writers):
    """For each writer: name, lines written, counted, lost, doubled, and the first gaps and doubles."""
    database = duckdb.connect()
    database.execute(
        f"""
        create table cells as
        select service, requests, (
            date_diff('minute', timestamp '{BEGIN}', minute) * {CELLS}
            + (list_position({STATUSES}, status::integer) - 1) * {len(OPERATIONS)}
            + list_position({OPERATIONS}, operation) - 1
        ) as line
        from (
            select service, minute, operation, status, sum(requests)::bigint as requests
            from read_parquet('{room}/state/usage/date=*/*.parquet')
            group by all
        )
        """
    )
    verdicts = []
    for writer in writers:
        [(there, doubled)] = database.execute(
            "select count(*), coalesce(sum(requests - 1), 0)::bigint from cells where service = ? and line < ?",
            [writer.name, writer.written],
        ).fetchall()
        [(counted,)] = database.execute(
            "select coalesce(sum(requests), 0)::bigint from cells where service = ?", [writer.name]
        ).fetchall()
        gaps = database.execute(
            """
            select line + 1, next - 1 from (
                select line, lead(line, 1, ?) over (order by line) as next from (
                    select line from cells where service = ? and line < ? union all select -1
                )
            ) where next > line + 1 order by line limit 10
            """,
            [writer.written, writer.name, writer.written],
        ).fetchall()
        doubles = database.execute(
            "select min(line), max(line) from cells where service = ? and requests > 1", [writer.name]
        ).fetchall()
        # What was never written but counted is as wrong as a doubled line.
        doubled += counted - there - doubled
        verdicts.append((writer, counted, writer.written - there, doubled, gaps, doubles[0]))
    names = [writer.name for writer in writers]
    [(strange,)] = database.execute(
        "select coalesce(sum(requests), 0)::bigint from cells where line is null or not list_contains(?, service)", [names]
    ).fetchall()
    return verdicts, strange


def tell_judgement(verdicts, strange):
    """Print it; whether every line was counted once."""
    print(f"{'log':6}{'written':>14}{'counted':>14}{'lost':>10}{'doubled':>10}  rotated by")
    sums = [0, 0, 0, 0]
    for writer, counted, lost, doubled, gaps, doubles in verdicts:
        row = [writer.written, counted, lost, doubled]
        sums = [a + b for a, b in zip(sums, row)]
        mode = " ".join(writer.mode.split())
        print(f"{writer.name:6}{row[0]:14,}{row[1]:14,}{row[2]:10,}{row[3]:10,}  {mode}, {writer.rotations} times")
        for first, last in gaps:
            print(f"       lost: lines {first:,} to {last:,}")
        if doubled:
            print(f"       doubled: between lines {doubles[0]:,} and {doubles[1]:,}")
    print(f"{'sum':6}{sums[0]:14,}{sums[1]:14,}{sums[2]:10,}{sums[3]:10,}")
    if strange:
        print(f"{strange:,} requests are of no line that was ever written")
    return sums[0] > 0 and sums[2:] == [0, 0] and strange == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None, help="else a new one, which is printed")
    parser.add_argument("--rate", type=int, default=17_000, help="lines a second, of all writers")
    parser.add_argument("--writers", type=int, default=2, help=f"at most {len(MODES)}: one a mode")
    parser.add_argument("--keep", action="store_true", help="keep the directory")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.randrange(10**6)
    room = Path(tempfile.mkdtemp(prefix="daycap-soak-"))
    (room / "logs").mkdir()
    rate = arguments.rate / arguments.writers
    modes = enumerate(MODES[: arguments.writers])
    writers = [Writer(room, "abcd"[number], mode, rate, arguments.seed + 10 * number) for number, mode in modes]
    daemon = Daemon(arguments.binary.resolve(), room)
    print(f"soak: {arguments.minutes:g} minutes, {arguments.rate:,} lines/s, seed {arguments.seed}, in {room}", flush=True)
    begun = time.monotonic()
    try:
        besiege(arguments, room, writers, daemon)
        took = time.monotonic() - begun
        daemon.finish()
    finally:
        if daemon.process and daemon.process.poll() is None:
            daemon.process.kill()
    # Another start must find nothing new.
    daemon.start()
    daemon.finish()
    verdicts, strange = judge(room, writers)
    rate = sum(writer.written for writer in writers) / took
    print(
        f"{daemon.kills} kills ({daemon.in_commit} of them in the middle of a commit), {daemon.stops} stops (the slowest took"
        f" {daemon.slowest_stop:.2f} s), {rate:,.0f} lines/s, {disk_use(room) / 1e6:.0f} MB"
    )
    is_exact = tell_judgement(verdicts, strange)
    if is_exact and not arguments.keep:
        shutil.rmtree(room)
    else:
        print(f"kept: {room}")
    return 0 if is_exact else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""One job side by side: count a big JSON log by day and operation, with daycap and with DuckDB.

Both read the same file from the page cache, with the same number of threads, one after the other and
again; each prints its median. Both answers are compared with the generator's truth before any time
is believed. Nothing is kept: the log is made in a temporary folder.

usage: versus-duckdb.py --daycap PROGRAM --generate PROGRAM [--bytes 460MB] [--runs 5] [--threads 2]
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time

import duckdb

QUERY = """
    SELECT strftime(make_timestamp("time" * 1000), '%Y-%m-%d') AS day, operation, count(*) AS requests
    FROM read_json('{log}', format = 'newline_delimited', columns = {{"time": 'BIGINT', operation: 'VARCHAR'}})
    GROUP BY ALL ORDER BY ALL
"""


def count_with_daycap(arguments, log):
    """Rows of (day, operation, requests), as daycap's CSV report has them."""
    environment = os.environ | {"RAYON_NUM_THREADS": str(arguments.threads), "POLARS_MAX_THREADS": str(arguments.threads)}
    command = [arguments.daycap, "report", log, "--by", "day,operation", "--format", "csv"]
    cores = sorted(os.sched_getaffinity(0))[: arguments.threads]
    command = ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]
    report = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return sorted((row["day"], row["operation"], int(row["requests"])) for row in csv.DictReader(report.splitlines()))


def count_with_duckdb(arguments, log):
    connection = duckdb.connect(config={"threads": arguments.threads})
    return sorted(connection.execute(QUERY.format(log=log)).fetchall())


def true_counts(path):
    counts = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            key = (row["minute"][:10], row["operation"])
            counts[key] = counts.get(key, 0) + int(row["requests"])
    return sorted((*key, requests) for key, requests in counts.items())


def timed(count, arguments, log):
    begun = time.perf_counter()
    rows = count(arguments, log)
    return time.perf_counter() - begun, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--daycap", required=True)
    parser.add_argument("--generate", required=True)
    parser.add_argument("--bytes", default="460MB")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["daycap", "duckdb"], help="time one of them alone")
    arguments = parser.parse_args()

    contestants = {"daycap": count_with_daycap, "duckdb": count_with_duckdb}
    if arguments.only:
        contestants = {arguments.only: contestants[arguments.only]}
    with tempfile.TemporaryDirectory(prefix="daycap-bench-") as folder:
        log, truth = os.path.join(folder, "sync.log"), os.path.join(folder, "truth.csv")
        with open(log, "wb") as out:
            subprocess.run([arguments.generate, "lines", "--bytes", arguments.bytes, "--truth", truth], stdout=out, check=True)
        expected = true_counts(truth)
        size = os.path.getsize(log)
        requests = sum(row[2] for row in expected)
        print(f"{size / 1e6:.0f} MB of JSON lines, {requests:,} requests, {arguments.threads} threads, {arguments.runs} runs each")

        seconds = {name: [] for name in contestants}
        for run in range(arguments.runs + 1):
            for name, count in contestants.items():
                took, rows = timed(count, arguments, log)
                if rows != expected:
                    sys.exit(f"{name} counted {sum(row[2] for row in rows):,} of {requests:,} requests; its time is worth nothing")
                if run > 0:  # The first run warms the page cache and the processor.
                    seconds[name].append(took)

    medians = {name: statistics.median(took) for name, took in seconds.items()}
    for name, median in medians.items():
        spread = f"{min(seconds[name]):.2f} to {max(seconds[name]):.2f} s"
        print(f"{name:8} median {median:.2f} s ({spread}), {size / median / 1e9:.2f} GB/s")
    if len(medians) == 2:
        print(f"daycap takes {medians['daycap'] / medians['duckdb']:.2f} of DuckDB's time")


if __name__ == "__main__":
    main()

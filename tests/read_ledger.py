"""Prints what DuckDB, a stranger to daycap, finds in a ledger: its columns and its sums.

Usage: read_ledger.py STATE_DIR. One line a column, an empty line, one line a group.
"""

import sys

try:
    import duckdb
except ModuleNotFoundError:
    sys.exit("the Python package duckdb is missing: pip install duckdb")

TABLE = f"read_parquet('{sys.argv[1]}/usage/date=*/*.parquet', hive_partitioning = true)"

for name, kind, *_ in duckdb.sql(f"describe select * from {TABLE}").fetchall():
    print(name, kind)
print()
SUMS = f"""
    select minute, operation, status, sum(requests), sum(units), sum(bytes), sum(duration_ms)::bigint
    from {TABLE}
    where date = minute::date
    group by all order by all
"""
for row in duckdb.sql(SUMS).fetchall():
    print("|".join("" if value is None else str(value) for value in row))

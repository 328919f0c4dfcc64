#!/usr/bin/env bash
# Builds daycap and the log generator as users get them, then times one job against DuckDB.
# Options go to versus-duckdb.py: --bytes 460MB --runs 5 --threads 2.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${CARGO_TARGET_DIR:-target}
python=${DAYCAP_PYTHON:-${DAYCAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/daycap}/venv/bin/python}

cargo build --locked --release --quiet --bin daycap --example generate
exec "$python" benches/versus-duckdb.py \
    --daycap "$target/release/daycap" --generate "$target/release/examples/generate" "$@"

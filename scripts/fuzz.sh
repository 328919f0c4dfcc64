#!/usr/bin/env bash
# Each fuzz target for a while, from its corpus in fuzz/corpus/. What libFuzzer finds worth keeping goes below DIR, not
# into the clone. It ends at the first input that breaks a promise, and says where it is: put that into the corpus.
# usage: fuzz.sh SECONDS_A_TARGET DIR [TARGET...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=$1
room=$(realpath -m "$2")
shift 2
[ $# -gt 0 ] || set -- lines json formats otlp state footer

missing() {
    printf 'fuzz: %s is missing; install it with: %s\n' "$1" "$2" >&2
    exit 1
}

cargo +nightly --version >/dev/null 2>&1 || missing "Rust's nightly toolchain" 'rustup toolchain install nightly'
cargo +nightly fuzz --version >/dev/null 2>&1 || missing cargo-fuzz 'cargo install --locked cargo-fuzz'

# The versions that daycap is built with; cargo adds libFuzzer's.
cp Cargo.lock fuzz/Cargo.lock
for target in "$@"; do
    mkdir -p "$room/corpus/$target" "$room/artifacts/$target"
    cargo +nightly fuzz run --target-dir "$room/target" "$target" "$room/corpus/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=16384 -timeout=30 -artifact_prefix="$room/artifacts/$target/"
done

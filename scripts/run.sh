#!/usr/bin/env bash
# daycap at work: the sample logs reported, then followed by the daemon together with a client that makes
# a few requests a second as you look. Ctrl-C ends both.
# usage: run.sh DAYCAP_BINARY STATE_DIR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

daycap=$1
state=$2
limit=2000
mkdir -p "$state"
live=$state/live.log

# One request a line, stamped now, as a client would log it.
client() {
    local operations=(JobSearch JobDetails MessageThreads)
    while sleep 0.2; do
        printf '{"timestamp":"%s","method":"POST","url":"https://api.example.com/graphql","status":200,"duration_ms":%d,"operation":"%s"}\n' \
            "$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" $((80 + RANDOM % 200)) "${operations[RANDOM % 3]}" >>"$live"
    done
}

printf '\nThe sample logs, as they are (daycap report sample-logs/*.log*):\n\n'
"$daycap" report sample-logs/*.log*

printf '\nThe daemon, on these and a client that is busy just now, with a quota of %s a day:\n\n' "$limit"
client &
client=$!
"$daycap" run 'sample-logs/*.log*' "$live" --limit "$limit" --state "$state" &
daemon=$!
trap 'kill $client $daemon 2>/dev/null || true; wait' EXIT

# The first commits are ten seconds apart; then the ledger knows today's first requests.
sleep 12
printf '\nToday, asked of the ledger (daycap status --limit %s --state %s):\n\n' "$limit" "$state"
"$daycap" status --limit "$limit" --state "$state"
printf '\nMetrics: http://127.0.0.1:9640/metrics   status: http://127.0.0.1:9640/api/v1/status   Ctrl-C ends.\n'
wait "$daemon"

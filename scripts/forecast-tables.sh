#!/usr/bin/env bash
# The tables of docs/forecast.md, as they stand there between "<!-- tables -->" and "<!-- end of tables -->":
# daycap replays the series of a folder. Which series, and where they come from, is said in the document.
# usage: forecast-tables.sh DAYCAP_BINARY DIRECTORY
set -euo pipefail

daycap=$1
directory=$2
clients=$directory/servegen_api_clients.csv

# The counters that follow a calendar: all files but the one of the clients.
counters=()
for file in "$directory"/*.csv; do
    [[ $file == "$clients" ]] || counters+=(--counts "$file")
done

# Heading, what to leave out (a pattern of sed's, or none), then the arguments.
table() {
    local heading=$1 without=$2
    shift 2
    printf '### %s\n\n```text\n' "$heading"
    "$daycap" backtest "$@" | sed "$without" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
    printf '```\n\n'
}

each_series='/^Each series/,$d'

printf '\n'
table 'Counters, 28 days of history' '' "${counters[@]}" --history 28
table 'Counters, 7 days of history' "$each_series" "${counters[@]}" --history 7
table 'Counters, 1 day of history' "$each_series" "${counters[@]}" --history 1
table 'API clients, 7 days of history' "$each_series" --counts "$clients" --history 7
table 'API clients, 1 day of history' "$each_series" --counts "$clients" --history 1

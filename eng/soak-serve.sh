#!/usr/bin/env bash
# soak-serve.sh: two services of one cluster, as on two hosts, with a run every minute. No run may be missed, none doubled, none may fail,
# memory stays flat, and promtool takes what they tell.
#
# Usage:  eng/soak-serve.sh [SECONDS]      (default: an hour; two minutes in CI)
#
# Needs OLYMPUS_PGBACKUP_TEST_IMAGE, the program in OLYMPUS_PGBACKUP_BINARY, and promtool (eng/setup.sh test). Prints a line for each
# check, and exits 1 if one failed. Everything it starts is stopped.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
seconds=${1:-3600}
image=${OLYMPUS_PGBACKUP_TEST_IMAGE:?an image of Postgres}
program=${OLYMPUS_PGBACKUP_BINARY:?the program}
promtool=$(command -v promtool) || promtool=${XDG_CACHE_HOME:-~/.cache}/olympus-pgbackup/promtool
most_growth=$((12 * 1024)) # kB: what a garbage collector needs to breathe
warm=60                    # seconds until the first figure of memory
databases="ciam_kratos ciam_hydra iam_kratos iam_hydra olympus"

work=$(mktemp -d)
server=olympus-pgbackup-soak-$$
services=()
cleanup() {
  for id in "${services[@]}"; do kill "$id" 2>/dev/null || true; done
  for id in "${services[@]}"; do wait "$id" 2>/dev/null || true; done
  podman rm -fv --ignore "$server" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT

podman run -d --name "$server" --network none -e POSTGRES_PASSWORD=soak "$image" -c fsync=off >/dev/null
until podman exec "$server" pg_isready -q -h 127.0.0.1; do sleep 0.2; done
podman exec -i "$server" sh -c 'cat >/tmp/fixture.sh' <"$here/../tests/fixtures/olympus-fixture.sh"
podman exec -e PGUSER=postgres "$server" bash /tmp/fixture.sh --identities 50 >/dev/null

# free_port: one that nobody listens on.
free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'; }
for host in a b; do
  port=$(free_port)
  echo "$port" >"$work/port-$host"
  cat >"$work/$host.yaml" <<END
cluster: soak
source: { podman: { container: $server, user: postgres } }
databases: [${databases// /, }]
encryption: none
stores: [ { name: local, path: $work/store, keep: { all: 1d } } ]
schedule: { run: "* * * * *", time_zone: Europe/Berlin }
serve: { listen: "127.0.0.1:$port" }
END
done

mkdir "$work/store" # a store that is not there yet is waited for
started=$(date +%s)
for host in a b; do
  STATE_DIRECTORY=$work/state-$host "$program" --config "$work/$host.yaml" serve >"$work/log-$host" 2>&1 &
  services+=($!)
done
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
sleep "$warm"
before=("$(rss "${services[0]}")" "$(rss "${services[1]}")")
sleep $((seconds - warm))
after=("$(rss "${services[0]}")" "$(rss "${services[1]}")")
for host in a b; do curl -fsS "http://127.0.0.1:$(cat "$work/port-$host")/metrics" >"$work/metrics-$host"; done
# Not in the middle of a run: one that ends now is neither missed nor done.
while [ $((10#$(date +%S))) -lt 20 ] || [ $((10#$(date +%S))) -gt 50 ]; do sleep 1; done
ended=$(date +%s)
for id in "${services[@]}"; do kill -TERM "$id"; done
ends=()
for id in "${services[@]}"; do status=0; wait "$id" || status=$?; ends+=("$status"); done
services=()

failed=0
# check NAME WHAT COMMAND...: WHAT is printed beside it.
check() {
  local name=$1 what=$2
  shift 2
  if "$@"; then printf 'ok      %-52s %s\n' "$name" "$what"; else printf 'FAILED  %-52s %s\n' "$name" "$what"; failed=1; fi
}
# The minutes in which a snapshot began. The first one may be of the minute before the start, caught up.
ls "$work/store" | grep -E '^[0-9]{8}T[0-9]{6}Z$' >"$work/ids"
cut -c1-13 <"$work/ids" | sort >"$work/minutes"
taken=$(wc -l <"$work/minutes") distinct=$(uniq <"$work/minutes" | wc -l)
for ((t = (started / 60 + 1) * 60; t <= ended; t += 60)); do date -u -d "@$t" +%Y%m%dT%H%M; done >"$work/wanted"
missing=$(comm -23 "$work/wanted" <(uniq <"$work/minutes") | wc -l)
# The catch-up of the minute before the start may begin in the minute of the first time.
doubled=$((taken - distinct)); [ "$doubled" -le 1 ] && [ "$(uniq -d <"$work/minutes" | head -1)" = "$(head -1 "$work/minutes")" ] && doubled=0
records=$(find "$work/store/records" -name '*-run-*.json' | wc -l)
bad=$(grep -lE '"result": "(failed|partial)"' "$work"/store/records/*-run-*.json | wc -l || true)
growth=$(((after[0] - before[0]) > (after[1] - before[1]) ? after[0] - before[0] : after[1] - before[1]))

check "a snapshot in each minute" "$(wc -l <"$work/wanted") minutes, $missing missed" [ "$missing" = 0 ]
check "none doubled, with two services" "$taken snapshots, $doubled doubled" [ "$doubled" = 0 ]
check "a record of each" "$records records" [ "$records" = "$taken" ]
check "none failed" "$bad failed" [ "$bad" = 0 ]
check "memory is flat" "${before[*]} kB after $warm s, ${after[*]} kB after $seconds s" [ "$growth" -le $most_growth ]
check "both end well when told to" "exit codes ${ends[*]}" [ "${ends[*]}" = "0 0" ]
check "promtool takes the metrics" "$(wc -l <"$work/metrics-a") lines" sh -c 'for f in "$@"; do "$0" check metrics <"$f" || exit 1; done' "$promtool" "$work/metrics-a" "$work/metrics-b"
if [ $failed = 1 ]; then tail -n 40 "$work"/log-*; fi
exit $failed

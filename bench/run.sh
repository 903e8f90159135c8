#!/usr/bin/env bash
# run.sh: the nightly job beside the bash loop it replaces, in one run on the same data and the same machine.
#
# Usage:  bench/run.sh [--identities N] [--rounds N] [--quick]
#
#   --identities N   people in the sample data (default 50000)
#   --rounds N       how often each but the loop is measured; the fastest counts (default 3); the loop, which is long, runs once
#   --quick          without the run on ten times the data
#
# Needs OLYMPUS_PGBACKUP_BINARY and OLYMPUS_PGBACKUP_TEST_IMAGE (make bench sets both). Prints a table and writes
# bench/RESULTS.md. Everything it starts is stopped. Compare ratios, not seconds: those are this machine's.
set -euo pipefail
shopt -s inherit_errexit # what fails while it is measured must not count as fast
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
identities=50000 rounds=3 quick=0
while [ $# -gt 0 ]; do
  case $1 in
    --identities) identities=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --quick) quick=1; shift ;;
    *) echo "bench: unknown argument: $1" >&2; exit 2 ;;
  esac
done
binary=${OLYMPUS_PGBACKUP_BINARY:?run it by make bench} image=${OLYMPUS_PGBACKUP_TEST_IMAGE:?run it by make bench}
databases="ciam_kratos ciam_hydra iam_kratos iam_hydra olympus"

work=$(mktemp -d)
server=olympus-pgbackup-bench-$$
cleanup() {
  podman rm -fv "$server" >/dev/null 2>&1 || true
  gpgconf --homedir "$work/gpg" --kill all 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

echo "bench: a Postgres with $identities identities"
podman run -d --rm --name "$server" --network none -e POSTGRES_PASSWORD=bench "$image" -c fsync=off -c max_wal_size=8GB >/dev/null
until podman exec "$server" pg_isready -q -h 127.0.0.1; do sleep 0.2; done
podman exec -i "$server" sh -c 'cat >/tmp/fixture.sh' <"$here/../tests/fixtures/olympus-fixture.sh"
podman exec -e PGUSER=postgres "$server" bash /tmp/fixture.sh --identities "$identities" >/dev/null

mkdir -m 700 "$work/gpg"
export GNUPGHOME=$work/gpg
gpg --batch --quiet --passphrase '' --quick-generate-key 'Bench <bench@example.com>' future-default default 1d 2>/dev/null
config() { # store, databases
  cat >"$work/config.yaml" <<END
cluster: bench
source: { podman: { container: $server, user: postgres } }
databases: [$2]
encryption: { gpg: { recipients: [bench@example.com] } }
stores: [ { name: local, path: $1 } ]
END
}

# the loop as operators run it: one dump after another, gpg by hand, a copy to the folder
loop() {
  rm -rf "$work/loop" "$work/loop-store"; mkdir -p "$work/loop" "$work/loop-store"
  for db in $databases; do podman exec "$server" pg_dump -U postgres --format=custom --compress=9 "$db" >"$work/loop/$db.dump"; done
  podman exec "$server" pg_dumpall -U postgres --globals-only >"$work/loop/globals.sql"
  for file in "$work"/loop/*; do gpg --batch --quiet --trust-model always --encrypt -r bench@example.com "$file"; done
  cp "$work"/loop/*.gpg "$work/loop-store/"
}
night() {
  rm -rf "$work/store"
  "$binary" --config "$work/config.yaml" >"$work/night.log" 2>&1 || { cat "$work/night.log" >&2; exit 1; }
}
# no compression, nothing read, nothing kept: what the server and pg_dump alone need
limit() {
  podman exec "$server" bash -c 'for db in '"$databases"'; do pg_dump -U postgres -Fc --compress=none $db >/dev/null & done; wait'
}
limit_outside() {
  for db in $databases; do podman exec "$server" pg_dump -U postgres -Fc --compress=none "$db" >/dev/null & done; wait
}
# the same with the compression of the night, and read back by pg_restore: what stock tools need without us
stock() {
  podman exec "$server" bash -c 'for db in '"$databases"'; do pg_dump -U postgres -Fc --compress=zstd:1 $db | pg_restore -f - >/dev/null & done; wait'
}
milliseconds() { local start; start=$(date +%s%N); "$@" >/dev/null; echo $((($(date +%s%N) - start) / 1000000)); }
fastest() { local best="" ms; for _ in $(seq "$rounds"); do ms=$(milliseconds "$@"); [ -n "$best" ] && [ "$best" -le "$ms" ] || best=$ms; done; echo "$best"; }
peak() { # the highest resident memory of our own process, in MB
  "$@" >"$work/peak.log" 2>&1 &
  local pid=$! high=0 now
  while now=$(awk '/VmHWM/ { print int($2 / 1024) }' /proc/$pid/status 2>/dev/null) && [ -n "$now" ]; do high=$now; sleep 0.05; done
  wait $pid || { cat "$work/peak.log" >&2; exit 1; }
  echo "$high"
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

list=${databases// /, }
config "$work/store" "$list"
echo "bench: measuring (the loop once; the others $rounds times, the fastest counts)"
loop_ms=$(rounds=1 fastest loop)
limit_ms=$(fastest limit)
outside_ms=$(fastest limit_outside)
stock_ms=$(fastest stock)
night_ms=$(fastest night)
help_ms=$(rounds=5 fastest "$binary" --help)
loop_bytes=$(cat "$work"/loop-store/*.gpg | wc -c)
night_bytes=$(cat "$work"/store/*/*.gpg | wc -c)
memory=$(rm -rf "$work/store"; peak "$binary" --config "$work/config.yaml")
if [ $quick = 0 ]; then
  podman exec "$server" psql -qU postgres -c 'CREATE DATABASE big' -d postgres
  podman exec "$server" psql -qU postgres -d big -c "CREATE UNLOGGED TABLE big AS SELECT g AS id, repeat(md5(g::text), 31) AS text FROM generate_series(1, 5300000) g"
  config "$work/store" big
  rm -rf "$work/store"
  big_memory=$(peak "$binary" --config "$work/config.yaml")
  big_line="| peak memory of our process, one table of 5.3 GB | $big_memory MB | $(ratio "$big_memory" "$memory") of the above |"
else
  big_line="| peak memory of our process, ten times the data | not measured (--quick) | |"
fi

{
  cat <<END
# Benchmark

$(date -u +%Y-%m-%d), $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo), $(podman exec "$server" pg_dump --version), $(gpg --version | head -1), $("$binary" --version).
$identities identities in ciam_kratos; everything runs through podman, the server with fsync off. Made by \`make bench\`.

| | measured | ratio |
|---|---|---|
| the bash loop: pg_dump --compress=9 one by one, gpg, copy (measured once; the others are the fastest of several) | $loop_ms ms | |
| the nightly job: five databases and roles at one moment, proven, gpg, stored | $night_ms ms | $(ratio "$loop_ms" "$night_ms") times as fast as the loop |
| the limit: all five pg_dump --compress=none to /dev/null, inside the container | $limit_ms ms | the job takes $(ratio "$night_ms" "$limit_ms") times as long |
| the same limit, through one podman exec each | $outside_ms ms | the job takes $(ratio "$night_ms" "$outside_ms") times as long |
| all five pg_dump zstd:1 into pg_restore -f - to /dev/null: stock tools, no proof, no gpg, no store | $stock_ms ms | the job takes $(ratio "$night_ms" "$stock_ms") times as long |
| stored by the loop | $loop_bytes bytes | |
| stored by the job | $night_bytes bytes | $(ratio "$night_bytes" "$loop_bytes") of the loop's |
| peak memory of our process | $memory MB | |
$big_line
| start-up (\`--help\`) | $help_ms ms | |
END
} | tee "$here/RESULTS.md"

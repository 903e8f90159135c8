#!/usr/bin/env bash
# versions.sh: two builds of the program side by side, in alternating pairs on the same data: is the new one slower?
#
# Usage:  bench/versions.sh OLD NEW [--identities N] [--pairs N]
#
#   OLD, NEW         the two binaries
#   --identities N   people in the sample data (default 10000)
#   --pairs N        how often each step is measured with each, in turns; the median of the pairs' ratios counts (default 7)
#
# Steps: the night, check --all --read-data with the key, a restore of everything into an empty server, a drill. Each build restores and
# checks what it stored itself. Needs OLYMPUS_PGBACKUP_TEST_IMAGE. Prints a table. Everything it starts is stopped.
set -euo pipefail
shopt -s inherit_errexit # what fails while it is measured must not count as fast
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
old=${1:?the old binary} new=${2:?the new binary}; shift 2
identities=10000 pairs=7
while [ $# -gt 0 ]; do
  case $1 in
    --identities) identities=$2; shift 2 ;;
    --pairs) pairs=$2; shift 2 ;;
    *) echo "bench: unknown argument: $1" >&2; exit 2 ;;
  esac
done
image=${OLYMPUS_PGBACKUP_TEST_IMAGE:?an image of Postgres}
databases="ciam_kratos ciam_hydra iam_kratos iam_hydra olympus"

work=$(mktemp -d)
server=olympus-pgbackup-bench-$$
cleanup() {
  podman rm -fv --ignore "$server" "$server-target" >/dev/null 2>&1 || true
  gpgconf --homedir "$work/gpg" --kill all 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

start() { # name
  podman run -d --name "$1" --network none -e POSTGRES_PASSWORD=bench "$image" -c fsync=off -c max_wal_size=8GB >/dev/null
  until podman exec "$1" pg_isready -q -h 127.0.0.1; do sleep 0.2; done
}
echo "bench: a Postgres with $identities identities"
start "$server"
podman exec -i "$server" sh -c 'cat >/tmp/fixture.sh' <"$here/../tests/fixtures/olympus-fixture.sh"
podman exec -e PGUSER=postgres "$server" bash /tmp/fixture.sh --identities "$identities" >/dev/null
start "$server-target"

mkdir -m 700 "$work/gpg"
export GNUPGHOME=$work/gpg
gpg --batch --quiet --passphrase '' --quick-generate-key 'Bench <bench@example.com>' future-default default 1d 2>/dev/null
for build in old new; do
  cat >"$work/$build.yaml" <<END
cluster: bench
source: { podman: { container: $server, user: postgres } }
databases: [${databases// /, }]
encryption: { gpg: { recipients: [bench@example.com] } }
stores: [ { name: local, path: $work/store-$build } ]
drill: { scratch: podman, image: "$image" }
END
done

program() { local build=$1; shift; "${!build}" --config "$work/$build.yaml" "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }
night() { rm -rf "$work/store-$1"; program "$1"; }
check() { program "$1" check --all --read-data; }
restore() { program "$1" restore latest --target "podman:$server-target" --globals; }
drill() { program "$1" drill; }
empty() { for db in $databases; do podman exec "$server-target" dropdb -U postgres --force --if-exists "$db"; done; }
milliseconds() { local start; start=$(date +%s%N); "$@"; echo $((($(date +%s%N) - start) / 1000000)); }
middle() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

for step in night check restore drill; do
  for build in old new; do "$step" "$build"; [ "$step" != restore ] || empty; done # once for nothing: caches
  for pair in $(seq "$pairs"); do
    if [ $((pair % 2)) = 1 ]; then order="old new"; else order="new old"; fi
    for build in $order; do
      milliseconds "$step" "$build" >>"$work/$step-$build"
      [ "$step" != restore ] || empty
    done
  done
  printf '%-8s old %6.0f ms, new %6.0f ms, ratio %s (median of %d pairs)\n' "$step" "$(middle <"$work/$step-old")" \
    "$(middle <"$work/$step-new")" "$(paste "$work/$step-new" "$work/$step-old" | awk '{ print $1 / $2 }' | middle)" "$pairs"
done

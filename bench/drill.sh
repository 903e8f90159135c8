#!/usr/bin/env bash
# drill.sh: a whole restore drill beside the one by hand, in one run on the same data and the same machine.
#
# Usage:  bench/drill.sh [--identities N] [--rounds N]
#
#   --identities N   people in the sample data (default 50000)
#   --rounds N       how often each is measured; the fastest counts (default 3)
#
# By hand: a server that runs already, decrypted dumps that lie ready in the container, psql for the roles, then pg_restore of one
# database after another; nothing is compared. The drill begins with encrypted objects in a folder, and ends when everything is
# restored, compared with its proof, asked, removed again and reported.
#
# Needs OLYMPUS_PGBACKUP_BINARY and OLYMPUS_PGBACKUP_TEST_IMAGE (make bench sets both), and jq. Prints a table and writes
# bench/RESULTS-drill.md. Everything it starts is stopped. Compare ratios, not seconds: those are this machine's.
set -euo pipefail
shopt -s inherit_errexit # what fails while it is measured must not count as fast
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
identities=50000 rounds=3
while [ $# -gt 0 ]; do
  case $1 in
    --identities) identities=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    *) echo "bench: unknown argument: $1" >&2; exit 2 ;;
  esac
done
binary=${OLYMPUS_PGBACKUP_BINARY:?run it by make bench} image=${OLYMPUS_PGBACKUP_TEST_IMAGE:?run it by make bench}
databases="ciam_kratos ciam_hydra iam_kratos iam_hydra olympus"

work=$(mktemp -d)
source=olympus-pgbackup-bench-$$
target=olympus-pgbackup-bench-$$-target
cleanup() {
  podman rm -fv --ignore "$source" "$target" >/dev/null 2>&1 || true
  gpgconf --homedir "$work/gpg" --kill all 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

start() { # name, options of podman -- options of postgres
  local name=$1 options=(); shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  podman run -d --rm --stop-signal SIGKILL --name "$name" --network none -e POSTGRES_PASSWORD=bench "${options[@]}" "$image" "$@" >/dev/null
  until podman exec "$name" pg_isready -q -h 127.0.0.1; do sleep 0.2; done
}

echo "bench: a Postgres with $identities identities, and a snapshot of it by gpg and by age"
start "$source" -- -c fsync=off -c max_wal_size=8GB
podman exec -i "$source" sh -c 'cat >/tmp/fixture.sh' <"$here/../tests/fixtures/olympus-fixture.sh"
podman exec -e PGUSER=postgres "$source" bash /tmp/fixture.sh --identities "$identities" >/dev/null
mkdir -m 700 "$work/gpg"
export GNUPGHOME=$work/gpg
gpg --batch --quiet --passphrase '' --quick-generate-key 'Bench <bench@example.com>' future-default default 1d 2>/dev/null
gpg --batch --quiet --export-secret-keys bench@example.com >"$work/gpg.key"
age-keygen -o "$work/age.key" 2>/dev/null
for cipher in gpg age; do
  recipient=bench@example.com
  [ $cipher = gpg ] || recipient=$(age-keygen -y "$work/age.key")
  cat >"$work/$cipher.yaml" <<END
cluster: bench
source: { podman: { container: $source, user: postgres } }
databases: [${databases// /, }]
encryption: { $cipher: { recipients: [$recipient] } }
stores: [ { name: local, path: $work/store-$cipher } ]
drill: { image: "$image" }
END
  "$binary" --config "$work/$cipher.yaml" >"$work/night.log" 2>&1 || { cat "$work/night.log" >&2; exit 1; }
done
podman rm -fv "$source" >/dev/null
mkdir "$work/plain"
for part in "$work"/store-gpg/*/*.gpg; do
  name=$(basename "$part" .gpg)
  gpg --batch --quiet --decrypt "$part" >"$work/plain/${name#*Z-}" 2>/dev/null
done
chmod -R a+rX "$work/plain"

milliseconds() { local start; start=$(date +%s%N); "$@" >/dev/null; echo $((($(date +%s%N) - start) / 1000000)); }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

restore_by_hand() {
  podman exec "$target" psql -qU postgres -d postgres -o /dev/null -f /plain/globals.sql 2>/dev/null || true # "postgres" is there already
  for db in $databases; do podman exec "$target" pg_restore -U postgres --create --dbname=postgres "/plain/$db.dump"; done
}
by_hand() { # options of postgres; the server is started and removed outside the measured time
  start "$target" -v "$work/plain:/plain:ro" -- "$@"
  milliseconds restore_by_hand
  podman rm -fv "$target" >/dev/null
}
run_drill() {
  "$binary" --config "$work/$1.yaml" drill --json --identity "$work/$1.key" >"$work/report.json" 2>"$work/drill.log" ||
    { cat "$work/drill.log" "$work/report.json" >&2; exit 1; }
}
phases() { jq -r '[.phases[] | "\(.name) \(.seconds)"] | join(", ")' "$work/$1.json"; }
sum_ms() { jq -r '[.phases[].seconds] | add * 1000 | round' "$work/$1.json"; }
# What is compared with the restore by hand, to which the server is there already: neither the start of its container, nor questions, nor its removal.
named_ms() { jq -r '[.phases[] | select(.name | test("^(fetch|wait|restore)")) | .seconds] | add * 1000 | round' "$work/$1.json"; }
off() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", (b - a) / b * 100 }'; }

echo "bench: measuring ($rounds times each, the fastest counts)"
hand_ms="" hand_off_ms="" gpg_ms="" age_ms=""
least() { if [ -n "$1" ] && [ "$1" -le "$2" ]; then echo "$1"; else echo "$2"; fi; }
for _ in $(seq "$rounds"); do # in turns: the machine may be faster now than in a minute
  ms=$(by_hand)
  hand_ms=$(least "$hand_ms" "$ms")
  ms=$(by_hand -c fsync=off)
  hand_off_ms=$(least "$hand_off_ms" "$ms")
  for cipher in gpg age; do
    best=${cipher}_ms ms=$(milliseconds run_drill $cipher)
    if [ -z "${!best}" ] || [ "$ms" -lt "${!best}" ]; then
      printf -v "$best" %s "$ms"
      mv "$work/report.json" "$work/$cipher.json"
    fi
  done
done

{
  cat <<END
# Benchmark of the drill

$(date -u +%Y-%m-%d), $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo), $(pg=$(jq -r .server_version "$work/gpg.json"); echo "Postgres $pg"), $(gpg --version | head -1), age $(age --version), $("$binary" --version).
$identities identities in ciam_kratos, five databases, $(jq '[.databases[].rows] | add' "$work/gpg.json") rows. Made by \`make bench\`.

| | measured | ratio |
|---|---|---|
| by hand: roles, then pg_restore one database after another, from decrypted files, into a running server of the image as it is; nothing compared | $hand_ms ms | |
| the same into a running server with fsync off | $hand_off_ms ms | |
| the drill, gpg: server started, fetched, decrypted, restored, all of it compared with the proof, asked, removed, reported | $gpg_ms ms | takes $(ratio "$gpg_ms" "$hand_ms") of the time by hand, $(ratio "$gpg_ms" "$hand_off_ms") of that without fsync |
| the drill, age | $age_ms ms | takes $(ratio "$age_ms" "$hand_ms") of the time by hand, $(ratio "$age_ms" "$hand_off_ms") of that without fsync |
| fetched, decrypted, restored, compared (of the same drill by gpg) | $(named_ms gpg) ms | takes $(ratio "$(named_ms gpg)" "$hand_ms") of the time by hand |
| by age | $(named_ms age) ms | takes $(ratio "$(named_ms age)" "$hand_ms") of the time by hand |

| the phases in the report | sum | of the wall time of the process, missing |
|---|---|---|
| gpg: $(phases gpg) | $(sum_ms gpg) ms | $(off "$(sum_ms gpg)" "$gpg_ms") % |
| age: $(phases age) | $(sum_ms age) ms | $(off "$(sum_ms age)" "$age_ms") % |
END
} | tee "$here/RESULTS-drill.md"

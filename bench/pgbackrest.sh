#!/usr/bin/env bash
# pgbackrest.sh: the night beside pgBackRest's full backup, in alternating pairs on the same server; and the fixed costs of a night.
#
# Usage:  bench/pgbackrest.sh [--identities N] [--pairs N]
#
#   --identities N   people in the sample data (default 50000, 600 MB)
#   --pairs N        how often each is measured, in turns; the medians count (default 7)
#
# Both keep what they make encrypted and compressed on the same disk, from the same running server:
#   pgBackRest        pgbackrest --stanza=bench --type=full backup      (zst, aes-256-cbc, 2 processes, fast checkpoint, WAL archived)
#   olympus-pgbackup  olympus-pgbackup                                  (all defaults, gpg to one recipient)
# pgBackRest is that of the distribution of the test image, installed into a copy of the image.
# Needs OLYMPUS_PGBACKUP_BINARY and OLYMPUS_PGBACKUP_TEST_IMAGE (make bench sets both). Prints a table and writes
# bench/RESULTS-pgbackrest.md. Everything it starts is stopped. Compare ratios, not seconds: those are this machine's.
set -euo pipefail
shopt -s inherit_errexit # what fails while it is measured must not count as fast
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
identities=50000 pairs=7
while [ $# -gt 0 ]; do
  case $1 in
    --identities) identities=$2; shift 2 ;;
    --pairs) pairs=$2; shift 2 ;;
    *) echo "bench: unknown argument: $1" >&2; exit 2 ;;
  esac
done
binary=${OLYMPUS_PGBACKUP_BINARY:?run it by make bench} image=${OLYMPUS_PGBACKUP_TEST_IMAGE:?run it by make bench}
databases="ciam_kratos ciam_hydra iam_kratos iam_hydra olympus"
with_pgbackrest=localhost/olympus-pgbackup-bench-pgbackrest:$(podman image inspect --format '{{.Id}}' "$image" | cut -c1-12)

work=$(mktemp -d)
server=olympus-pgbackup-bench-$$
cleanup() {
  podman rm -fv --ignore "$server" "$server-small" "$server-build" >/dev/null 2>&1 || true
  gpgconf --homedir "$work/gpg" --kill all 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

if ! podman image exists "$with_pgbackrest"; then
  echo "bench: installing pgBackRest into a copy of $image"
  podman run -d --name "$server-build" --network host --entrypoint sleep "$image" infinity >/dev/null
  podman exec -u root -e DEBIAN_FRONTEND=noninteractive "$server-build" sh -c \
    'apt-get -q update && apt-get -q install -y --no-install-recommends pgbackrest' >"$work/install.log" 2>&1 || { tail -n 20 "$work/install.log" >&2; exit 1; }
  podman commit -q --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["postgres"]' "$server-build" "$with_pgbackrest" >/dev/null
  podman rm -fv -t 0 "$server-build" >/dev/null
fi

start() { # name, identities, more arguments for postgres
  local name=$1 people=$2; shift 2
  podman run -d --name "$name" --network none -e POSTGRES_PASSWORD=bench "$with_pgbackrest" -c fsync=off -c max_wal_size=8GB "$@" >/dev/null
  until podman exec "$name" pg_isready -q -h 127.0.0.1; do sleep 0.2; done
  podman exec -i "$name" sh -c 'cat >/tmp/fixture.sh' <"$here/../tests/fixtures/olympus-fixture.sh"
  podman exec -e PGUSER=postgres "$name" bash /tmp/fixture.sh --identities "$people" >/dev/null
}
echo "bench: a Postgres with $identities identities, and one with 500"
start "$server" "$identities" -c archive_mode=on -c 'archive_command=pgbackrest --stanza=bench archive-push %p' &
first=$!
start "$server-small" 500
wait $first

podman exec -i -u root "$server" sh -c 'cat >/etc/pgbackrest.conf && mkdir -p /var/lib/pgbackrest /var/log/pgbackrest && chown postgres /var/lib/pgbackrest /var/log/pgbackrest /etc/pgbackrest.conf' <<'END'
[global]
repo1-path=/var/lib/pgbackrest
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=a-passphrase-for-the-bench
repo1-retention-full=1
compress-type=zst
process-max=2
start-fast=y
log-level-console=warn
[bench]
pg1-path=/var/lib/postgresql/data
END
podman exec -u postgres "$server" pgbackrest --stanza=bench stanza-create

mkdir -m 700 "$work/gpg"
export GNUPGHOME=$work/gpg
gpg --batch --quiet --passphrase '' --quick-generate-key 'Bench <bench@example.com>' future-default default 1d 2>/dev/null
config() { # container, store
  cat >"$work/$1.yaml" <<END
cluster: bench
source: { podman: { container: $1, user: postgres } }
databases: [${databases// /, }]
encryption: { gpg: { recipients: [bench@example.com] } }
stores: [ { name: local, path: $2 } ]
END
}
config "$server" "$work/store"
config "$server-small" "$work/small"
ours() { rm -rf "$work/store"; "$binary" --config "$work/$server.yaml" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }
small() { rm -rf "$work/small"; "$binary" --config "$work/$server-small.yaml" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }
theirs() { podman exec -u postgres "$server" pgbackrest --stanza=bench --type=full backup >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }
milliseconds() { local start; start=$(date +%s%N); "$@"; echo $((($(date +%s%N) - start) / 1000000)); }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : int((v[NR / 2] + v[NR / 2 + 1]) / 2) }'; }

echo "bench: $pairs pairs"
ours; theirs; small # once for nothing: caches
for pair in $(seq "$pairs"); do
  if [ $((pair % 2)) = 1 ]; then a=$(milliseconds ours); b=$(milliseconds theirs); else b=$(milliseconds theirs); a=$(milliseconds ours); fi
  c=$(milliseconds small)
  echo "$a" >>"$work/ours"; echo "$b" >>"$work/theirs"; echo "$c" >>"$work/fixed"
  awk -v p="$pair" -v a="$a" -v b="$b" -v c="$c" 'BEGIN { printf "  %d: olympus-pgbackup %d ms, pgBackRest %d ms, ratio %.2f; 500 identities %d ms\n", p, a, b, a / b, c }'
done
ratio=$(paste "$work/ours" "$work/theirs" | awk '{ print $1 / $2 }' | sort -n | awk '{ v[NR] = $1 } END { printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }')
{
  cat <<END
# The night beside pgBackRest

$(date -u +%Y-%m-%d), $(nproc) cores, $(podman exec "$server" pg_dump --version), $(podman exec "$server" pgbackrest version), $("$binary" --version).
$identities identities; $pairs alternating pairs, medians. Made by \`bench/pgbackrest.sh\`, which has both command lines.

| | milliseconds | ratio |
|---|---|---|
| pgBackRest, full backup: zst, aes-256-cbc, 2 processes | $(median <"$work/theirs") | |
| olympus-pgbackup, the night: five databases and roles, proven, gpg | $(median <"$work/ours") | $ratio (median of the pairs' ratios) |
| olympus-pgbackup, the night of 500 identities: the fixed costs | $(median <"$work/fixed") | |
END
} | tee "$here/RESULTS-pgbackrest.md"

#!/usr/bin/env bash
# stores.sh: stores off the host, beside the tools that do the same, in one run on the same data and the same machine.
#
# Usage:  bench/stores.sh [--rounds N]      how often each is measured; the fastest counts (default 3)
#
# Needs OLYMPUS_PGBACKUP_BINARY and OLYMPUS_PGBACKUP_TEST_IMAGE (make bench sets both). A real S3 server (Ceph's radosgw,
# in memory) runs on the same cores as what is measured. Prints a table and writes bench/RESULTS-stores.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
rounds=3
[ "${1:-}" != --rounds ] || rounds=$2
binary=${OLYMPUS_PGBACKUP_BINARY:?run it by make bench} image=${OLYMPUS_PGBACKUP_TEST_IMAGE:?run it by make bench}
unset AWS_CA_BUNDLE

work=$(mktemp -d)
server=olympus-pgbackup-bench-$$
gateway=/tmp/opgb-$$
cleanup() {
  podman rm -fv "$server" >/dev/null 2>&1 || true
  "$root/eng/radosgw.sh" stop "$gateway" 2>/dev/null || true
  gpgconf --homedir "$work/gpg" --kill all 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

echo "bench: building, and starting an S3 server"
dotnet publish "$here/StoreBench" -c Release -v quiet --nologo -o "$work/bench" >/dev/null
bench=$work/bench/StoreBench
while IFS='=' read -r name value; do printf -v "$name" %s "$value"; done < <("$root/eng/radosgw.sh" start "$gateway")
export S3_ENDPOINT=$endpoint S3_ACCESS_KEY=$access_key S3_SECRET_KEY=$secret_key
cat >"$work/rclone.conf" <<END
[s3]
type = s3
provider = Ceph
endpoint = $endpoint
access_key_id = $access_key
secret_access_key = $secret_key
END
rclone() { command rclone --config "$work/rclone.conf" "$@"; }
for bucket in stream night first listing; do rclone mkdir "s3:bench-$bucket"; done

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
milliseconds() { local start; start=$(date +%s%N); "$@" >/dev/null; echo $((($(date +%s%N) - start) / 1000000)); }
fastest() { local best="" ms; for _ in $(seq "$rounds"); do ms=$(milliseconds "$@"); [ -n "$best" ] && [ "$best" -le "$ms" ] || best=$ms; done; echo "$best"; }
# best COMMAND...: of StoreBench's own times, and the memory of the last round
best() { local out ms best=""; for _ in $(seq "$rounds"); do out=$("$@"); ms=${out% *}; [ -n "$best" ] && [ "$best" -le "$ms" ] || best=$ms; done; echo "$best ${out#* }"; }

echo "bench: 1 GiB into a bucket ($rounds times each, the fastest counts)"
head -c 1G /dev/urandom >"$work/file"
rcat() { rclone rcat --s3-no-check-bucket s3:bench-stream/rcat <"$work/file" 2>/dev/null; rclone deletefile s3:bench-stream/rcat; }
gone() { "$@"; rclone delete s3:bench-stream >/dev/null 2>&1 || true; }
read -r local_ms local_mb < <(best "$bench" local "$work/folder" "$work/file"); rm -rf "$work/folder"
rcat_ms=$(fastest rcat)
read -r s3_ms s3_mb < <(best gone "$bench" s3 bench-stream "$work/file")
read -r transfer_ms transfer_mb < <(best gone "$bench" transfer bench-stream "$work/file")
rm "$work/file"

echo "bench: a Postgres with 50000 identities, and its night with and without a replica"
podman run -d --rm --name "$server" --network none -e POSTGRES_PASSWORD=bench "$image" -c fsync=off -c max_wal_size=8GB >/dev/null
until podman exec "$server" pg_isready -q -h 127.0.0.1; do sleep 0.2; done
podman exec -i "$server" sh -c 'cat >/tmp/fixture.sh' <"$root/tests/fixtures/olympus-fixture.sh"
podman exec -e PGUSER=postgres "$server" bash /tmp/fixture.sh --identities 50000 >/dev/null
mkdir -m 700 "$work/gpg"
export GNUPGHOME=$work/gpg
gpg --batch --quiet --passphrase '' --quick-generate-key 'Bench <bench@example.com>' future-default default 1d 2>/dev/null
config() { # file, stores
  cat >"$1" <<END
cluster: bench
source: { podman: { container: $server, user: postgres } }
databases: [ciam_kratos, ciam_hydra, iam_kratos, iam_hydra, olympus]
encryption: { gpg: { recipients: [bench@example.com] } }
stores: [ { name: local, path: $work/store }$2 ]
END
}
bucket() { printf ', { name: s3, s3: { bucket: %s, endpoint: "%s", access_key_id: "%s", secret_access_key: "%s" } }' "$1" "$endpoint" "$access_key" "$secret_key"; }
config "$work/alone.yaml" ""
config "$work/replica.yaml" "$(bucket bench-night)"
night() { rm -rf "$work/store"; rclone delete s3:bench-night >/dev/null 2>&1 || true; "$binary" --config "$1" >"$work/night.log" 2>&1 || { cat "$work/night.log" >&2; exit 1; }; }
# peak CONFIG: the memory of the program itself in such a night, in MB
peak() {
  local pid kb=0 line
  rm -rf "$work/store"; rclone delete s3:bench-first >/dev/null 2>&1 || true
  "$binary" --config "$1" >"$work/night.log" 2>&1 & pid=$!
  while line=$(grep VmHWM "/proc/$pid/status" 2>/dev/null); do [ -z "${line//[!0-9]/}" ] || kb=${line//[!0-9]/}; sleep 0.02; done
  wait "$pid" || { cat "$work/night.log" >&2; exit 1; }
  echo $((kb * 1024 / 1000000))
}
alone_ms=$(fastest night "$work/alone.yaml")
replica_ms=$(fastest night "$work/replica.yaml")
sed "s|name: local, path: $work/store|name: first$(bucket bench-first | sed 's/, { name: s3//; s/ }$//')|" "$work/alone.yaml" >"$work/first.yaml"
first_ms=$(fastest night "$work/first.yaml")
alone_mb=$(peak "$work/alone.yaml") first_mb=$(peak "$work/first.yaml")

echo "bench: a bucket with 1000 snapshots"
"$bench" fill bench-listing 1000 >/dev/null
config "$work/listing.yaml" "$(bucket bench-listing)"
list_ms=$(fastest "$binary" --config "$work/listing.yaml" list --store s3)

{
  cat <<END
# Benchmark of stores

$(date -u +%Y-%m-%d), $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo), $(radosgw --version | cut -d' ' -f1-3), $(command rclone version | head -1), $("$binary" --version).
The S3 server runs on the same machine and keeps everything in memory. Made by \`make bench\`.

| | measured | ratio |
|---|---|---|
| 1 GiB streamed into a bucket | $s3_ms ms, peak $s3_mb MB | |
| the same by \`rclone rcat\` | $rcat_ms ms | we take $(ratio "$s3_ms" "$rcat_ms") of its time |
| the same by the SDK's TransferUtility from a file | $transfer_ms ms, peak $transfer_mb MB | we take $(ratio "$s3_ms" "$transfer_ms") of its time |
| the same into a folder | $local_ms ms, peak $local_mb MB | a bucket needs $((s3_mb - local_mb)) MB more |
| the night into a folder | $alone_ms ms, peak $alone_mb MB | |
| the night straight into a bucket, without a folder | $first_ms ms, peak $first_mb MB | $(ratio "$first_ms" "$alone_ms") times as long, $((first_mb - alone_mb)) MB more |
| the night into a folder and a bucket | $replica_ms ms | $(ratio "$replica_ms" "$alone_ms") times as long |
| \`list\` of a bucket with 1,000 snapshots (9,000 objects) | $list_ms ms | |
END
} | tee "$here/RESULTS-stores.md"

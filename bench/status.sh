#!/usr/bin/env bash
# status.sh: `status` of 1,000 snapshots in three stores, one of them an S3 bucket, beside a listing of their names alone.
#
# Usage:  bench/status.sh [SNAPSHOTS [ROUNDS]]      default 1000 and 5; the median counts
#
# Needs OLYMPUS_PGBACKUP_BINARY (make bench sets it). The snapshots are copies of tests/fixtures/old-store under other ids. A real S3 server
# (Ceph's radosgw, in memory) runs on the same cores as what is measured. Prints a table and writes bench/RESULTS-status.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
count=${1:-1000} rounds=${2:-5}
binary=${OLYMPUS_PGBACKUP_BINARY:?run it by make bench}
unset AWS_CA_BUNDLE

work=$(mktemp -d)
gateway=/tmp/opgb-$$
cleanup() {
  "$root/eng/radosgw.sh" stop "$gateway" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

while IFS='=' read -r name value; do printf -v "$name" %s "$value"; done < <("$root/eng/radosgw.sh" start "$gateway")
cat >"$work/rclone.conf" <<END
[s3]
type = s3
provider = Ceph
endpoint = $endpoint
access_key_id = $access_key
secret_access_key = $secret_key
END
rclone() { command rclone --config "$work/rclone.conf" "$@"; }

echo "bench: $count snapshots in three stores"
sample=$root/tests/fixtures/old-store
id=$(cd "$sample" && ls -d 2*Z)
mkdir "$work/first"
for ((n = 0; n < count; n++)); do
  night=$(date -u -d "3 hours ago -$n days" +%Y%m%dT%H%M%SZ)
  mkdir "$work/first/$night"
  for file in "$sample/$id"/*; do
    name=${file##*/}
    cp "$file" "$work/first/$night/${name//$id/$night}"
  done
  sed -i "s/$id/$night/g" "$work/first/$night/manifest.json"
  (cd "$work/first/$night" && sha256sum manifest.json >manifest.sha256)
done
cp -r "$sample/drills" "$work/first/drills"
cp -r "$work/first" "$work/second"
rclone mkdir s3:bench-status
rclone copy --transfers 32 "$work/first" s3:bench-status
objects=$(find "$work/first" -type f | wc -l)
cat >"$work/config.yaml" <<END
cluster: shop
stores:
  - { name: first, path: $work/first, keep: { all: 9999d } }
  - { name: second, path: $work/second, keep: { all: 9999d } }
  - { name: bucket, keep: { all: 9999d }, s3: { bucket: bench-status, endpoint: "$endpoint", access_key_id: "$access_key", secret_access_key: "$secret_key" } }
END
chmod 600 "$work/config.yaml"

milliseconds() { local start; start=$(date +%s%N); "$@" >/dev/null 2>&1 || true; echo $((($(date +%s%N) - start) / 1000000)); }
median() { for _ in $(seq "$rounds"); do milliseconds "$@"; done | sort -n | sed -n "$(((rounds + 1) / 2))p"; }

"$binary" --config "$work/config.yaml" status >"$work/status.txt" || true
grep -q "Can we recover?.*yes" "$work/status.txt" || { cat "$work/status.txt" >&2; exit 1; }
status=$(median "$binary" --config "$work/config.yaml" status)
names=$(median rclone lsf -R --files-only --fast-list s3:bench-status)
memory=$(/usr/bin/time -f %M "$binary" --config "$work/config.yaml" status 2>&1 >/dev/null | tail -1)
{
  echo "# status of many snapshots"
  echo
  echo "\`bench/status.sh $count $rounds\`, the median of $rounds; $objects objects in each store, two folders and a bucket on the same two cores."
  echo
  echo "| what | time |"
  echo "|---|---|"
  echo "| \`status\` of all three stores | $status ms, $((memory / 1024)) MB |"
  echo "| \`rclone lsf -R --fast-list\` of the bucket alone | $names ms |"
  echo "| ratio | $(awk -v a="$status" -v b="$names" 'BEGIN { printf "%.2f", a / b }') |"
} | tee "$here/RESULTS-status.md"

#!/usr/bin/env bash
# notices.sh: what notices cost a night whose receivers all hang. In alternating pairs: without `notify:`, and with a dead man's switch,
# a webhook, a mail server and a program that never answer. Bar: not one second slower.
#
# Usage:  bench/notices.sh [--identities N] [--pairs N]
#
# Needs OLYMPUS_PGBACKUP_TEST_IMAGE, and the program in OLYMPUS_PGBACKUP_BINARY. Prints a table. Everything it starts is stopped.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
identities=500 pairs=5
while [ $# -gt 0 ]; do
  case $1 in
    --identities) identities=$2; shift 2 ;;
    --pairs) pairs=$2; shift 2 ;;
    *) echo "bench: unknown argument: $1" >&2; exit 2 ;;
  esac
done
image=${OLYMPUS_PGBACKUP_TEST_IMAGE:?an image of Postgres}
program=${OLYMPUS_PGBACKUP_BINARY:?the program}
databases="ciam_kratos ciam_hydra iam_kratos iam_hydra olympus"

work=$(mktemp -d)
server=olympus-pgbackup-bench-$$
listener=
cleanup() {
  podman rm -fv --ignore "$server" >/dev/null 2>&1 || true
  [ -z "$listener" ] || kill "$listener" 2>/dev/null || true
  # What was left behind to deliver notices; it has this config among its arguments.
  pkill -KILL -f "deliver --config $work/" 2>/dev/null || true
  pkill -KILL -f "^sleep 600\.$$" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# A port of which the kernel takes connections, and nobody reads them.
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 128, LocalAddr => "127.0.0.1") or die; print $s->sockport, "\n"; close STDOUT; sleep' \
  >"$work/port" &
listener=$!
until [ -s "$work/port" ]; do sleep 0.05; done
port=$(cat "$work/port")

echo "bench: a Postgres with $identities identities"
podman run -d --name "$server" --network none -e POSTGRES_PASSWORD=bench "$image" -c fsync=off >/dev/null
until podman exec "$server" pg_isready -q -h 127.0.0.1; do sleep 0.2; done
podman exec -i "$server" sh -c 'cat >/tmp/fixture.sh' <"$here/../tests/fixtures/olympus-fixture.sh"
podman exec -e PGUSER=postgres "$server" bash /tmp/fixture.sh --identities "$identities" >/dev/null

echo "http://127.0.0.1:$port/ping" >"$work/ping.url"
echo "http://127.0.0.1:$port/hook" >"$work/hook.url"
printf '#!/bin/sh\nexec sleep 600.%s\n' $$ >"$work/page-me"
chmod 700 "$work/page-me"; chmod 600 "$work"/*.url
for build in quiet hanging; do
  cat >"$work/$build.yaml" <<END
cluster: $build
source: { podman: { container: $server, user: postgres } }
databases: [${databases// /, }]
encryption: none
stores: [ { name: local, path: $work/store-$build } ]
END
done
# Each night is told to each: a warning is new to whoever has no memory.
cat >>"$work/hanging.yaml" <<END
notify:
  - { ping_file: $work/ping.url }
  - { webhook_file: $work/hook.url, on: [red, yellow] }
  - { smtp: { host: 127.0.0.1, port: $port, from: a@example.org, to: [b@example.org] }, on: [red, yellow] }
  - { command: [$work/page-me], on: [red, yellow] }
END

night() { # config
  export XDG_STATE_HOME=$work/state-$RANDOM
  local start=${EPOCHREALTIME/./}
  "$program" --config "$work/$1.yaml" run >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  echo $(((${EPOCHREALTIME/./} - start) / 1000))
}
median() { sort -n | sed -n "$(((pairs + 1) / 2))p"; }

night quiet >/dev/null; night hanging >/dev/null
for ((i = 0; i < pairs; i++)); do
  a=$(night quiet) b=$(night hanging)
  echo "$a" >>"$work/quiet"; echo "$b" >>"$work/hanging"; echo $((b - a)) >>"$work/more"
done
printf '%-44s %8s\n' "the night, median of $pairs" "ms"
printf '%-44s %8s\n' "without notices" "$(median <"$work/quiet")"
printf '%-44s %8s\n' "with four receivers that hang" "$(median <"$work/hanging")"
printf '%-44s %8s\n' "more (bar: less than 1000)" "$(median <"$work/more")"

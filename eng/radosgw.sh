#!/usr/bin/env bash
# radosgw.sh: a real S3 server for tests: Ceph's radosgw with one monitor and one OSD that keeps everything in
# memory, as the user who asks, on free ports of 127.0.0.1. It is there in about two seconds.
#
# Usage:  radosgw.sh start DIR           DIR is new or empty; prints endpoint=URL, and access_key=KEY and
#                                        secret_key=SECRET of the user "lab"
#         radosgw.sh admin DIR ARG...    radosgw-admin on that server: users, keys, quotas
#         radosgw.sh stop DIR            ends it and removes DIR; nothing happens when there is none
#
# A part that is not up within 30 s: its last words on stderr, everything is stopped and removed, exit code 1.
# Two keys can be named in SSE-KMS requests: testkey-1 and testkey-2. Up to 8 GiB can be stored.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

usage() { echo "usage: radosgw.sh start DIR | admin DIR ARG... | stop DIR" >&2; exit 2; }
[ $# -ge 2 ] || usage
verb=$1 dir=$2
shift 2
[[ $dir = /* ]] || dir=$PWD/$dir
unset CEPH_ARGS CEPH_KEYRING
export CEPH_CONF=$dir/ceph.conf

patience=30
fsid=5b8f6d3c-9a53-4f0e-8f3d-6f2a4b7c1e90    # of the cluster, and of its one OSD: nobody else ever sees them
osd=0d7f5b1e-3c52-4c55-9d0c-2f8f5a6c7b11

# stop: radosgw first and by SIGKILL, for it waits long for a cluster that is going away.
stop() {
  local name file pid
  grep -qs "^fsid = $fsid$" "$CEPH_CONF" || return 0    # no server of ours: nothing is touched
  for name in radosgw osd mon; do
    file=$dir/$name.pid
    [ -f "$file" ] || continue
    pid=$(cat "$file")
    # A process id that was given to another program since is not ours.
    if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$CEPH_CONF"; then
      kill -KILL "$pid" 2>/dev/null || true
      for _ in $(seq 100); do [ -d "/proc/$pid" ] || break; sleep 0.05; done
    fi
  done
  rm -rf "$dir"
}

fail() {
  echo "radosgw: $1" >&2
  local log
  for log in "$dir"/steps.log ${2:+"$dir/$2.out"} ${2:+"$dir/$2.log"}; do
    [ ! -s "$log" ] || { echo "--- end of $(basename "$log")"; tail -n 15 "$log"; } >&2
  done
  stop
  exit 1
}

# step COMMAND...: a command that prepares something, with a time limit.
step() { timeout "$patience" "$@" >>"$dir/steps.log" 2>&1 </dev/null || fail "$1 failed (exit code $?)"; }

# daemon NAME COMMAND...: starts it, holding nothing of this shell open.
daemon() {
  local name=$1
  shift
  setsid "$@" --conf "$CEPH_CONF" --foreground --log-file "$dir/$name.log" </dev/null >"$dir/$name.out" 2>&1 &
  echo $! >"$dir/$name.pid"
  disown    # or bash would tell of its end when it is stopped
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# up NAME PORT: waits until it listens.
up() {
  local end=$((SECONDS + patience))
  until answers "$2"; do
    kill -0 "$(cat "$dir/$1.pid")" 2>/dev/null || fail "$1 ended at once" "$1"
    [ $SECONDS -lt $end ] || fail "$1 is not up after $patience s" "$1"
    sleep 0.05
  done
}

# Below the ports that the kernel gives away by itself, so that nobody takes it before it is used.
free_port() {
  local port
  while port=$((RANDOM % 10000 + 20000)); do
    answers "$port" || { echo "$port"; return; }
  done
}

random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

start() {
  [ ! -e "$dir" ] || [ -z "$(ls -A "$dir")" ] || { echo "radosgw: $dir is not empty" >&2; exit 1; }
  mkdir -p -m 0700 "$dir"
  dir=$(cd "$dir" && pwd -P)
  export CEPH_CONF=$dir/ceph.conf
  trap 'fail "interrupted"' INT TERM
  mkdir "$dir/mon" "$dir/osd"
  local mon_port port access secret
  mon_port=$(free_port)
  until port=$(free_port); [ "$port" != "$mon_port" ]; do :; done
  access=LAB$(random 8 | tr a-f A-F)
  secret=$(random 20)

  cat >"$CEPH_CONF" <<END
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$mon_port
public network = 127.0.0.0/8
keyring = $dir/keyring
run dir = $dir
# None: no path is too long for one, and radosgw-admin does not complain that radosgw has it.
admin socket =
crash dir = $dir
# "none" hangs radosgw.
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
# One copy, on one OSD, with as few placement groups as there can be.
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
# The host's disk may be nearly full: nothing is kept there.
mon data avail warn = 1
mon data avail crit = 0
# Every change of the cluster's maps waits a second otherwise, and there are many until the pools are made.
paxos propose interval = 0.02
paxos min wait = 0.01
log to stderr = false
err to stderr = true
log max recent = 100
debug ms = 0

[mon]
mon data = $dir/mon
mon cluster log file = $dir/cluster.log

[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 8589934592

[client]
rgw data = $dir
rgw enable apis = s3, admin
rgw thread pool size = 64
# What was deleted or overwritten leaves the memory soon.
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw gc processor max time = 5
# Quotas hold at once.
rgw bucket quota ttl = 0
rgw user quota bucket sync interval = 1
rgw user quota sync interval = 1
rgw enable usage log = false
rgw enable ops log = false
# SSE-KMS without TLS, by keys that stand here.
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey-1=$(head -c 32 /dev/urandom | base64 -w 0) testkey-2=$(head -c 32 /dev/urandom | base64 -w 0)
END

  step ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *'
  step ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' --cap mds 'allow *'
  step monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap"
  step ceph-mon --mkfs --id a --conf "$CEPH_CONF" --monmap "$dir/monmap" --keyring "$dir/keyring"
  daemon mon ceph-mon --id a
  up mon "$mon_port"

  ceph-authtool --gen-print-key >"$dir/osd.key" 2>>"$dir/steps.log" || fail "ceph-authtool failed"
  echo "{\"cephx_secret\": \"$(cat "$dir/osd.key")\"}" >"$dir/osd.json"
  step ceph osd new "$osd" -i "$dir/osd.json"
  step ceph-authtool --create-keyring "$dir/osd/keyring" -n osd.0 --add-key "$(cat "$dir/osd.key")"
  step ceph-osd --mkfs --id 0 --conf "$CEPH_CONF" --osd-uuid "$osd" --keyring "$dir/osd/keyring"
  daemon osd ceph-osd --id 0 --keyring "$dir/osd/keyring"

  # The first command makes the pools, and waits for the OSD.
  step radosgw-admin user create --uid lab --display-name lab --access-key "$access" --secret-key "$secret"
  # Without tcp_nodelay every answer takes 48 ms.
  daemon radosgw radosgw -n client.admin --rgw-frontends "beast endpoint=127.0.0.1:$port tcp_nodelay=1"
  up radosgw "$port"
  trap - INT TERM
  printf 'endpoint=http://127.0.0.1:%s\naccess_key=%s\nsecret_key=%s\n' "$port" "$access" "$secret"
}

case $verb in
  start) [ $# = 0 ] || usage; start ;;
  admin) [ $# != 0 ] || usage; [ -f "$CEPH_CONF" ] || { echo "radosgw: nothing runs in $dir" >&2; exit 1; }; exec radosgw-admin "$@" ;;
  stop) [ $# = 0 ] || usage; stop ;;
  *) usage ;;
esac

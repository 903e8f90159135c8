#!/usr/bin/env bash
# postgres-image.sh: makes sure that podman has an image of Postgres, and prints its name on stdout.
#
# Usage:  postgres-image.sh [MAJOR]        (default 17)
#
# Taken is, in this order: an image that is already here, the official image if it can be pulled, an image
# made from Debian's own packages, named localhost/postgres:MAJOR. That one behaves like the official image
# (see postgres-entrypoint.sh). It is made once; `podman rmi localhost/postgres:MAJOR` has it made anew.
# Progress goes to stderr.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

major=${1:-17}
official=docker.io/library/postgres:$major
homemade=localhost/postgres:$major

fail() { echo "postgres-image: $*" >&2; exit 1; }
say() { echo "$*" >&2; }
by_hand="get an image by hand: podman pull $official, or podman load on a machine without network"

command -v podman >/dev/null || fail "podman is missing: run eng/setup.sh demo"

# ---------------------------------------------------------------- an image that is here
for image in "$official" "$homemade"; do
  if podman image exists "$image" 2>/dev/null; then echo "$image"; exit 0; fi
done

# ---------------------------------------------------------------- the official image
# Asking for the manifest shows within seconds whether the registry can be reached; the pull may then take its time.
if timeout 20 podman manifest inspect "$official" >/dev/null 2>&1; then
  say "pulling $official"
  if timeout 900 podman pull --quiet "$official" >/dev/null; then echo "$official"; exit 0; fi
fi

# ---------------------------------------------------------------- made from Debian
case $major in
  15) suite=bookworm ;;
  17) suite=trixie ;;
  18) suite=sid ;;
  *) fail "$official cannot be pulled, and no Debian release is known that has Postgres $major; $by_hand" ;;
esac

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n)
"${as_root[@]}" true 2>/dev/null || fail "$official cannot be pulled, and making an image from Debian needs root or sudo without a password; $by_hand"
PATH=$PATH:/usr/sbin:/sbin
command -v debootstrap >/dev/null || fail "$official cannot be pulled, and debootstrap is missing: run eng/setup.sh demo"

temp=${TMPDIR:-/var/tmp}
[ "$(df --output=avail -k "$temp" | tail -n 1)" -gt 1500000 ] || fail "$temp has less than 1.5 GB free: point TMPDIR at a place with more"
work=$(mktemp -d "$temp/postgres-image.XXXXXX")
rootfs=$work/rootfs log=$work/log

cleanup() {
  # debootstrap cut off in the middle leaves /proc and /sys mounted in there: unmount before deleting.
  local mount
  while read -r mount; do "${as_root[@]}" umount "$mount" || true
  done < <(awk -v dir="$work/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r)
  "${as_root[@]}" rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# archive: the first source of apt that is Debian itself and has the suite. apt knows both formats of its lists.
archive() {
  local uri
  # shellcheck disable=SC2016   # $(REPO_URI) is apt's own
  while read -r uri; do
    case $uri in mirror+file:*)   # cloud images name their mirrors in a file
      uri=${uri#mirror+file:}
      uri=$(awk '/^https?:/ { print $1; exit }' "${uri%/}" 2>/dev/null) ;;
    esac
    uri=${uri%/}
    rm -f "$work/InRelease"
    if [ -n "$uri" ] && timeout 60 /usr/lib/apt/apt-helper download-file "$uri/dists/$suite/InRelease" "$work/InRelease" >>"$log" 2>&1 &&
      grep -qx 'Origin: Debian' "$work/InRelease"; then echo "$uri"; return 0; fi
  done < <(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>>"$log" | awk '!seen[$0]++')
  return 1
}

build() {
  local mirror proxy
  mirror=$(archive) || { echo "no source that apt is configured with is a Debian archive with $suite" >>"$log"; return 1; }
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  "${as_root[@]}" env ${proxy:+"http_proxy=$proxy"} \
    debootstrap --variant=minbase --include="postgresql-$major,ca-certificates,locales" "$suite" "$rootfs" "$mirror" >>"$log" 2>&1 || return 1

  "${as_root[@]}" bash -euo pipefail -s "$rootfs" "$here/postgres-entrypoint.sh" >>"$log" 2>&1 <<'ROOT' || return 1
    rootfs=$1 entrypoint=$2
    chroot "$rootfs" localedef -i en_US -f UTF-8 en_US.UTF-8
    install -m 0755 "$entrypoint" "$rootfs/usr/local/bin/docker-entrypoint.sh"
    rm -rf "$rootfs"/var/lib/postgresql/* "$rootfs"/etc/postgresql/*   # the cluster that Debian made on installing
    chroot "$rootfs" install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data
    chroot "$rootfs" install -d -o postgres -g postgres -m 3777 /var/run/postgresql
ROOT

  # Left out: package caches, manuals, translations, and the JIT compiler (a third of the size; Postgres does without).
  local data=/var/lib/postgresql/data volume=/var/lib/postgresql/data
  if [ "$major" -ge 18 ]; then data=/var/lib/postgresql/$major/docker volume=/var/lib/postgresql; fi   # as the official image has it
  "${as_root[@]}" tar -C "$rootfs" --numeric-owner --anchored --wildcards \
    --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --exclude='./tmp/*' \
    --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/i18n/*' \
    --exclude='./usr/lib/*/libLLVM*' --exclude='./usr/lib/*/libz3*' \
    --exclude='./usr/lib/postgresql/*/lib/bitcode' --exclude='./usr/lib/postgresql/*/lib/llvmjit*' \
    -c . |
    podman import --quiet \
      --change "ENV PATH=/usr/lib/postgresql/$major/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
      --change "ENV LANG=en_US.utf8" --change "ENV PG_MAJOR=$major" --change "ENV PGDATA=$data" --change "VOLUME $volume" \
      --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["postgres"]' --change 'EXPOSE 5432' --change 'STOPSIGNAL SIGINT' \
      - "$homemade" >>"$log" 2>&1
}

say "building the Postgres $major image from Debian $suite (about a minute)"
if ! build; then
  tail -n 20 "$log" >&2
  fail "$official cannot be pulled, and no image could be made from Debian (the end of the log is above); $by_hand"
fi
echo "$homemade"

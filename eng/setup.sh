#!/usr/bin/env bash
# setup.sh: puts what the demo and the tests need on this machine, if it is not there yet.
#
# Usage:  setup.sh publish  a C compiler, which links the program
#         setup.sh demo     the same, podman, gpg, age, an image of Postgres
#         setup.sh test     the same, rclone, jq, Ceph's radosgw (see radosgw.sh), of which no service is started, and promtool
#         setup.sh bench    the same without promtool
#
# Says one line for each thing it does, and nothing when there is nothing to do. It installs by apt, as root
# or by sudo without a password; where that is not possible it says what to install by hand and exits 1.
# The .NET SDK it never installs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin

case ${1:-} in
  publish) tools=() ceph=() ;;
  demo) tools=(podman gpg age) ceph=() ;;
  test | bench) tools=(podman gpg age rclone jq) ceph=(radosgw radosgw-admin ceph ceph-mon ceph-osd ceph-authtool monmaptool) ;;
  *) echo "usage: setup.sh publish|demo|test|bench" >&2; exit 2 ;;
esac
command -v clang >/dev/null || tools+=(gcc)

log=$(mktemp)
no_services=
trap 'rm -f "$log"; [ -z "$no_services" ] || "${as_root[@]}" rm -f "$no_services"' EXIT

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n)
can_install() { command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; }

has() {
  case $1 in
    netavark|aardvark-dns) command -v "$1" >/dev/null || [ -x "/usr/lib/podman/$1" ] || [ -x "/usr/libexec/podman/$1" ] ;;
    gcc) command -v gcc >/dev/null && [ "$(gcc -print-file-name=crt1.o)" != crt1.o ] ;;   # it links only with libc6-dev
    *) command -v "$1" >/dev/null ;;
  esac
}

# missing TOOL...: the packages of those that are not here.
missing() {
  local tool
  for tool; do
    has "$tool" || case $tool in
      gpg) echo gnupg ;;
      gcc) printf '%s\n' gcc libc6-dev ;;
      ceph | ceph-authtool | radosgw-admin) echo ceph-common ;;
      monmaptool) echo ceph-base ;;
      *) echo "$tool" ;;
    esac
  done | sort -u
}

# install_packages [--no-install-recommends] PACKAGE...
install_packages() {
  local flags=(-y -q -o DPkg::Lock::Timeout=120)
  # Root's podman needs none of its recommendations; a rootless one does (uidmap, slirp4netns).
  [ ${#as_root[@]} -gt 0 ] || flags+=(--no-install-recommends)
  if [ "$1" = --no-install-recommends ]; then flags+=("$1"); shift; fi
  echo "installing $* (apt)"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get)
  # The lists are fetched only when apt cannot do with those it has; one dead source must not stop us.
  "${apt[@]}" install "${flags[@]}" "$@" >"$log" 2>&1 ||
    { "${apt[@]}" update -q >"$log" 2>&1 || true; "${apt[@]}" install "${flags[@]}" "$@" >>"$log" 2>&1; } ||
    { tail -n 20 "$log" >&2; echo "setup: apt could not install $* (the end of its output is above): install by hand" >&2; exit 1; }
}

# Of Debian's package prometheus only promtool is wanted: one file, which needs nothing but libc. The whole package would bring a dozen
# others, and enable a service that starts with the next boot: policy-rc.d keeps a service from being started, not from being enabled. So the
# file is taken out of the package, and nothing is installed. That needs no root.
promtool=${XDG_CACHE_HOME:-~/.cache}/olympus-pgbackup/promtool
needs_promtool() { [ "$1" = test ] && ! command -v promtool >/dev/null && ! [ -x "$promtool" ]; }

# fetch_promtool: into the cache, whole or not at all.
fetch_promtool() {
  local dir
  echo "fetching promtool from Debian's package prometheus (apt), into $promtool"
  dir=$(mktemp -d)
  # As root, apt downloads as a user of its own, who may not write there.
  download() { (cd "$dir" && apt-get download -q -o APT::Sandbox::User=root prometheus); }
  if { download || { "${as_root[@]}" apt-get update -q || true; download; }; } >"$log" 2>&1 &&
    dpkg-deb --fsys-tarfile "$dir"/prometheus_*.deb 2>>"$log" | tar -x -C "$dir" ./usr/bin/promtool 2>>"$log" &&
    mkdir -p "${promtool%/*}" && mv "$dir/usr/bin/promtool" "$promtool.$$" && mv "$promtool.$$" "$promtool"; then
    rm -rf "$dir"
  else
    rm -rf "$dir"
    tail -n 20 "$log" >&2
    echo "setup: promtool could not be fetched (the end of apt's output is above): install it by hand" >&2
    exit 1
  fi
}

# ---------------------------------------------------------------- tools
ok=1
if ! dotnet --list-sdks 2>/dev/null | grep -q '^10\.'; then
  echo "setup: no .NET 10 SDK found (dotnet --list-sdks): install it by hand, as Microsoft's page \"Install .NET on Linux\" says" >&2
  ok=0
fi

helpers=(runc netavark aardvark-dns iptables)
[ "$1" = publish ] || has podman || tools+=("${helpers[@]}")
has_image() {
  has podman && { podman image exists docker.io/library/postgres:17 || podman image exists localhost/postgres:17; } 2>/dev/null
}
image_is_here=1
has_image || image_is_here=0
if [ "$1" != publish ] && [ $image_is_here = 0 ] && can_install; then tools+=(debootstrap); fi   # in case no image can be pulled

mapfile -t packages < <(missing "${tools[@]}")
mapfile -t ceph_packages < <(missing "${ceph[@]}")
if [ $((${#packages[@]} + ${#ceph_packages[@]})) -gt 0 ] && ! can_install; then
  echo "setup: missing: ${packages[*]} ${ceph_packages[*]}. Install by hand (this needs apt, and root or sudo without a password, to do it for you)" >&2
  ok=0
fi
if needs_promtool "$1" && ! command -v apt-get >/dev/null; then
  echo "setup: missing: promtool. Install Prometheus' tools by hand" >&2
  ok=0
fi
[ $ok = 1 ] || exit 1
[ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
[ "$1" != publish ] || exit 0
if [ ${#ceph_packages[@]} -gt 0 ]; then
  # Debian's way to say that a package must not start its services. Where it stands already it is somebody else's.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    no_services=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$no_services" >/dev/null
    "${as_root[@]}" chmod 0755 "$no_services"
  fi
  install_packages --no-install-recommends "${ceph_packages[@]}"
fi
if needs_promtool "$1"; then fetch_promtool; fi

# ---------------------------------------------------------------- image of Postgres
if [ $image_is_here = 0 ]; then
  image=$("$here/postgres-image.sh" 17)
else
  image=
fi

# ---------------------------------------------------------------- podman's own parts
# A podman that was here before may lack some of them and work all the same: then they are not missed.
mapfile -t packages < <(missing "${helpers[@]}")
if [ ${#packages[@]} -gt 0 ] && can_install && ! "$here/podman-env.sh" ${image:+"$image"} >/dev/null 2>&1; then
  install_packages "${packages[@]}"
fi

#!/usr/bin/env bash
# podman-env.sh: prints what the environment needs so that podman can run containers here. On nearly every
# machine that is nothing; on some build machines (see containers-fallback.conf) it is one export.
#
# Usage:  eval "$(eng/podman-env.sh [IMAGE])"        (default IMAGE: what postgres-image.sh prints)
#
# Exits 1, and prints nothing on stdout, when podman runs no container either way. eval hides that exit
# status; scripts write   env=$(eng/podman-env.sh) && eval "$env"
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
image=${1:-$("$here/postgres-image.sh")}
fallback=$here/containers-fallback.conf

try() { { podman run --rm --pull=never --entrypoint=true "$image" >/dev/null; } 2>&1; }

if error=$(try); then exit 0; fi
if CONTAINERS_CONF=$fallback try >/dev/null; then
  printf 'export CONTAINERS_CONF=%q\n' "$fallback"
  exit 0
fi
printf '%s\n' "$error" >&2
echo "podman-env: podman cannot run $image (its words are above). On Debian its parts are: apt-get install podman runc netavark aardvark-dns iptables" >&2
exit 1

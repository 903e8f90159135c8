#!/usr/bin/env bash
# postgres-entrypoint.sh: the entrypoint of the images that eng/postgres-image.sh builds from Debian.
#
# It keeps the promises of the official postgres image that people build on:
#   POSTGRES_PASSWORD          the superuser's password (required, unless every host is trusted)
#   POSTGRES_USER              the superuser's name (default: postgres)
#   POSTGRES_DB                a database to make (default: the superuser's name)
#   POSTGRES_INITDB_ARGS       more arguments for initdb
#   POSTGRES_HOST_AUTH_METHOD  how clients over TCP authenticate (default: scram-sha-256)
#   PGDATA                     where the data lives; what is there already is used as it is
# The first three and POSTGRES_INITDB_ARGS can also come from a file: POSTGRES_PASSWORD_FILE=/run/secrets/pw.
# Arguments that start with "-" go to postgres; a command other than postgres is run as it stands.
# Not kept: the scripts of /docker-entrypoint-initdb.d, POSTGRES_INITDB_WALDIR, unknown user ids.
set -euo pipefail

fail() { echo "postgres-entrypoint: $*" >&2; exit 1; }

# from_file NAME: the value of NAME_FILE's file becomes NAME's, and NAME_FILE is forgotten.
from_file() {
  local name=$1 file=${1}_FILE
  [ -n "${!file:-}" ] || return 0
  [ -z "${!name:-}" ] || fail "$name and $file are both set: set one of them"
  export "$name=$(<"${!file}")"
  unset "$file"
}

# asks_only ARGS...: true when postgres is asked for a fact (--version), not to serve.
asks_only() {
  local arg
  for arg; do
    case $arg in -\?|--help|--describe-config|-V|--version) return 0 ;; esac
  done
  return 1
}

create_cluster() {
  local name
  for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do from_file "$name"; done
  local user=${POSTGRES_USER:-postgres} method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  local database=${POSTGRES_DB:-$user}
  [ -n "${POSTGRES_PASSWORD:-}" ] || [ "$method" = trust ] ||
    fail "POSTGRES_PASSWORD is not set: give the superuser a password (-e POSTGRES_PASSWORD=...), or set POSTGRES_HOST_AUTH_METHOD=trust for a server that nobody else can reach"

  # initdb's own pg_hba.conf trusts the socket and the loopback, as in the official image. POSTGRES_INITDB_ARGS
  # is a command line: splitting it is the point.
  # shellcheck disable=SC2086
  if [ -n "${POSTGRES_PASSWORD:-}" ]; then
    initdb -D "$PGDATA" --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") ${POSTGRES_INITDB_ARGS:-}
  else
    initdb -D "$PGDATA" --username="$user" ${POSTGRES_INITDB_ARGS:-}
  fi
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
  printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
  [ "$database" != postgres ] || return 0

  # A server for the socket only: over TCP, "ready" must mean that all of this is done.
  pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql -p ${PGPORT:-5432}" -w -s start
  PGPASSWORD=${POSTGRES_PASSWORD:-} psql -X -q -v ON_ERROR_STOP=1 -h /var/run/postgresql -U "$user" -d postgres -v database="$database" <<'SQL'
SELECT format('CREATE DATABASE %I', :'database') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SQL
  pg_ctl -D "$PGDATA" -m fast -w -s stop
}

case ${1:-} in ''|-*) set -- postgres "$@" ;; esac
[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  chmod 3777 /var/run/postgresql
  find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres:postgres {} +
  export HOME=/var/lib/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
fi

if ! asks_only "$@" && [ ! -s "$PGDATA/PG_VERSION" ]; then
  create_cluster
fi
exec "$@"

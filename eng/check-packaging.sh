#!/usr/bin/env bash
# check-packaging.sh: tests the alert rules and the dashboard in packaging/, and compares docs/status.md with the metrics that are written.
#
# Usage:  check-packaging.sh
#
# Prints a line "ok NAME" or "FAILED NAME" for each check, with what is wrong above it, and exits 1 if one failed. It needs promtool and jq:
# `setup.sh test` puts them on this machine.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rules=packaging/prometheus/olympus-pgbackup.rules.yml
tests=packaging/prometheus/olympus-pgbackup.rules.test.yml
dashboard=packaging/grafana/olympus-pgbackup.json

promtool=$(command -v promtool) || promtool=${XDG_CACHE_HOME:-~/.cache}/olympus-pgbackup/promtool    # where setup.sh puts it
[ -x "$promtool" ] || { echo "check-packaging: promtool is missing: run eng/setup.sh test" >&2; exit 1; }
command -v jq >/dev/null || { echo "check-packaging: jq is missing: run eng/setup.sh test" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failed=0
# check NAME COMMAND...: a check is good if its command is; what it printed is shown if not. In there, `set -e` does not hold: a function
# joins its steps by &&.
check() {
  local name=$1
  shift
  if "$@" >"$work/out" 2>&1; then echo "ok $name"; else sed 's/^/  /' "$work/out"; echo "FAILED $name"; failed=1; fi
}

# empty COMMAND...: the command succeeds, and has nothing to say.
empty() { "$@" >"$work/said" 2>&1 && ! [ -s "$work/said" ] || { cat "$work/said"; return 1; }; }

# ---------------------------------------------------------------- the rules
every_alert_is_tested() {
  # A test expects an alert to fire if exp_alerts is in the line below its alertname.
  sed -n 's/^ *- alert: //p' "$rules" | sort >"$work/alerts" &&
    grep -A1 'alertname: ' "$tests" | grep -B1 'exp_alerts:$' | sed -n 's/^ *alertname: //p' | sort -u >"$work/fired" &&
    [ -s "$work/alerts" ] &&
    empty comm -23 "$work/alerts" "$work/fired"
}

check "the rules are right" "$promtool" check rules "$rules"
check "each alert fires when it should, and only then" "$promtool" test rules "$tests"
check "each alert has a test in which it fires" every_alert_is_tested

# ---------------------------------------------------------------- the dashboard
# Of rows that are folded, the panels are inside.
all='[.panels[] | ., (.panels // [])[]]'

right_expressions() {
  jq '{groups: [{name: "dashboard", rules: [.. | .expr? // empty | gsub("\\$cluster"; "x") | {expr: .}] | to_entries
    | map({record: "r\(.key)", expr: .value.expr})}]}' "$dashboard" >"$work/dashboard.rules.yml" &&
    "$promtool" check rules "$work/dashboard.rules.yml"
}

check "the dashboard is JSON" jq -e '.panels | length > 0' "$dashboard"
check "each panel has an id of its own" \
  empty jq -r "$all"' | group_by(.id)[] | select(length > 1 or .[0].id == null) | "\(.[0].id): \(map(.title))"' "$dashboard"
check "no panel lies on another, or beside the grid" empty jq -r "$all"' | map(.gridPos + {title})
  | (.[] | select(.x < 0 or .w < 1 or .h < 1 or .x + .w > 24) | "\(.title) is beside the grid"),
    (to_entries | .[] as $a | .[] as $b | select($a.key < $b.key) | [$a.value, $b.value]
      | select(.[0].x < .[1].x + .[1].w and .[1].x < .[0].x + .[0].w and .[0].y < .[1].y + .[1].h and .[1].y < .[0].y + .[0].h)
      | "\(.[0].title) lies on \(.[1].title)")' "$dashboard"
check "each panel asks the data source that was chosen" \
  empty jq -r '.. | .datasource? | objects | select(.uid != "${datasource}") | tostring' "$dashboard"
check "each expression of the dashboard is right" right_expressions

# ---------------------------------------------------------------- the metrics
# known HEADING: the metrics that the table under it in docs/status.md lists: what is in backquotes in its first column.
known() {
  sed -n "/^## $1\$/,/^## /p" docs/status.md | sed -n 's/^| \(`[^|]*\)|.*/\1/p' |
    grep -o '`[a-z_]*`' | tr -d '`' | sed 's/^/pgbackup_/' | sort
}

# names FUNCTION: the names in quotes with which its calls begin, in the text on stdin.
names() { grep -oE "\b($1)\( *\"[a-z_]+\"" | sed 's/.*"\(.*\)"/\1/'; }

# written: the metrics that the program writes. In StatusMetrics.Service, Of and Count build the name.
written() {
  local source part
  source=$(sed 's|^ *//.*||' src/PgBackup.Serve/Http/StatusMetrics.cs | tr '\n' ' ')
  for part in 'Prefix = "pgbackup_"' 'void Service(' '$"serve_job_{name}"' '$"{Prefix}serve_jobs_{name}_total"'; do
    [[ $source == *"$part"* ]] || { echo "StatusMetrics.cs no longer has: $part"; return 1; }
  done
  {
    names 'One|Each' <<<"$source" &&
      names Of <<<"${source%%void Service(*}" &&
      names Of <<<"${source#*void Service(}" | sed 's/^/serve_job_/' &&
      names Count <<<"$source" | sed 's/.*/serve_jobs_&_total/'
  } | sed 's/^/pgbackup_/'
}

used() {
  jq -r '.. | (.expr?, .query?, .definition?) | strings' "$dashboard" | cat - "$rules" | grep -oE '\bpgbackup_[a-z0-9_]+' | sort -u
}

known_all() { { known Metrics && known "Metrics of serve"; } | sort; }

documented() {
  written >"$work/written" || { cat "$work/written"; return 1; }
  sort -u -o "$work/written" "$work/written" && known_all >"$work/known" && diff "$work/written" "$work/known"
}

only_known() { known_all >"$work/known" && used >"$work/used" && empty comm -23 "$work/used" "$work/known"; }

check "docs/status.md lists the metrics that the program writes" documented
check "rules and dashboard use only metrics that docs/status.md lists" only_known

exit $failed

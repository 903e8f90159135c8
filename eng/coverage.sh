#!/usr/bin/env bash
# eng/coverage.sh FOLDER: prints how many lines of each room ran, from the Cobertura report in FOLDER.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t reports < <(find "$1" -name '*.cobertura.xml')
[ ${#reports[@]} = 1 ] || { echo "coverage: ${#reports[@]} reports in $1, and not one" >&2; exit 1; }

# The report has an element a line. A line of the source is in it for each type that it belongs to (a lambda has its own); it ran if any of
# them says so. What generators wrote lies in obj/ and is left out.
row='%-40s %7s %9s %8s\n'
# shellcheck disable=SC2059
printf "$row" ROOM LINES COVERED PERCENT
awk -v src="$PWD/src/" -v row="$row" '
  /<class / {
    match($0, /filename="[^"]*"/)
    file = substr($0, RSTART + 10, RLENGTH - 11)
    ours = index(file, src) == 1 && file !~ /\/obj\//
    file = substr(file, length(src) + 1)
  }
  ours && /<line / {
    match($0, / number="[0-9]+"/); number = substr($0, RSTART + 9, RLENGTH - 10)
    match($0, / hits="[0-9]+"/); ran = substr($0, RSTART + 7, RLENGTH - 8) > 0
    room = file
    sub(/\/[^\/]*$/, "", room)
    gsub(/\//, ".", room)
    line = file ":" number
    if (!(line in seen)) { lines[room]++; lines["all"]++ }
    if (ran && seen[line] != 1) { covered[room]++; covered["all"]++; seen[line] = 1 } else seen[line] += 0
  }
  function percent(room) { return sprintf("%.1f", 100 * covered[room] / lines[room]) }
  END {
    for (room in lines) if (room != "all") printf row, room, lines[room], covered[room] + 0, percent(room) | "sort"
    close("sort")
    if (lines["all"]) printf row, "all", lines["all"], covered["all"] + 0, percent("all")
  }
' "${reports[0]}"

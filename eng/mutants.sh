#!/usr/bin/env bash
# eng/mutants.sh [ROOM]: changes the pure rooms (eng/mutants says which) in one place after another, or only one of them, and prints the
# changes that no test notices.
set -euo pipefail
command -v jq >/dev/null || { echo "mutants: install jq, which reads Stryker's report" >&2; exit 1; }
cd "$(dirname "${BASH_SOURCE[0]}")/mutants/tests"
out=$(realpath -m ../../../artifacts/mutants)

rm -rf "$out"
mkdir -p "$out"
dotnet tool restore >/dev/null
echo "mutants: this takes some minutes; the log is $out/log"
nice -n 15 dotnet stryker --skip-version-check --test-runner mtp --output "$out" ${1:+--mutate "**/$1/*.cs"} >"$out/log" 2>&1 \
  || { tail -n 20 "$out/log" >&2; exit 1; }

# A mutant that never ends was noticed too.
jq -r '
  [.files | to_entries[] | (.key | sub(".*/src/PgBackup/"; "")) as $file | .value.mutants[] | . + {$file}] as $all
  | ($all[] | select(.status == "Survived" or .status == "NoCoverage")
     | "\(.file):\(.location.start.line): \(.mutatorName): \(.replacement | gsub("\\s+"; " "))"),
    "\([$all[] | select(.status == "Killed" or .status == "Timeout")] | length) mutants noticed, "
    + "\([$all[] | select(.status == "Survived" or .status == "NoCoverage")] | length) not"
' "$out/reports/mutation-report.json"

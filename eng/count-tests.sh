#!/usr/bin/env bash
# count-tests.sh: adds up the results of test runs, from their TRX files.
#
# Usage:  count-tests.sh FILE.trx...
#
# Prints "N passed, N failed", with ", N skipped" behind it if tests were skipped. Exits 0 only if tests
# passed, none failed and none was skipped. Whatever is neither passed nor skipped counts as failed (errors,
# timeouts, aborted tests); so does a file that is missing, shows no test, or tells of a run that broke off.
set -euo pipefail
export LC_ALL=C

passed=0 failed=0 skipped=0
problem() { echo "count-tests: $*" >&2; failed=$((failed + 1)); }

# attribute NAME TEXT: the number that the attribute holds in the element, 0 without one.
attribute() {
  if [[ $2 =~ [[:space:]]$1=\"([0-9]+)\" ]]; then echo "${BASH_REMATCH[1]}"; else echo 0; fi
}

[ $# -gt 0 ] || problem "no TRX file"
for file; do
  [ -s "$file" ] || { problem "$file is missing: its tests did not run"; continue; }
  flat=$(tr '\r\n' '  ' <"$file")
  counters=$(grep -o '<Counters [^>]*>' <<<"$flat" | tail -n 1) || { problem "$file has no counters"; continue; }
  total=$(attribute total "$counters")
  [ "$total" -gt 0 ] || { problem "$file shows no test"; continue; }

  good=$(attribute passed "$counters") bad=0
  for name in failed error timeout aborted inconclusive passedButRunAborted notRunnable disconnected; do
    bad=$((bad + $(attribute "$name" "$counters")))
  done
  # The TRX logger leaves notExecuted at 0: skipped are those that are in the total and nowhere else.
  rest=$((total - good - bad))
  passed=$((passed + good)) failed=$((failed + bad))
  [ $rest -le 0 ] || skipped=$((skipped + rest))

  # A test host that crashed leaves counters without a failure; only the summary's outcome tells.
  if [ $bad = 0 ] && ! grep -qE '<ResultSummary[^>]* outcome="(Completed|Passed)"' <<<"$flat"; then
    problem "$file: the run broke off"
  fi
done

line="$passed passed, $failed failed"
[ $skipped = 0 ] || line+=", $skipped skipped"
echo "$line"
[ $passed -gt 0 ] && [ $failed = 0 ] && [ $skipped = 0 ]

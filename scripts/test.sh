#!/usr/bin/env bash
# Everything that must hold before a change lands, stage by stage; a failure ends it.
set -euo pipefail
cd "$(dirname "$0")/.."

kept=${2:-}
if [ -z "$kept" ]; then
  kept=$(mktemp -d)
  : >"$kept/seconds"
  trap 'end; rm -rf "$kept"' EXIT
fi

# Runs one stage: its name, then the command.
stage() {
  local name=$1 started
  started=$(now)
  shift
  echo
  echo "── $name: $*"
  if ! "$@"; then
    summary
    echo "FAILED at $name, after $(elapsed "$started") s: $*" >&2
    exit 1
  fi
  printf '  %-12s %8s s\n' "$name" "$(elapsed "$started")" >>"$kept/seconds"
  echo "── $name: $(elapsed "$started") s"
}

# A decimal point is a comma in some locales, so time is counted in whole microseconds.
now() {
  echo "${EPOCHREALTIME//[!0-9]/}"
}

elapsed() {
  local tenths=$((($(now) - $1) / 100000))
  echo "$((tenths / 10)).$((tenths % 10))"
}

summary() {
  echo
  cat "$kept/seconds"
}

docs() {
  RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps
}

tests() {
  target/debug/store-testing cargo test --workspace
}

# What the chart is looked at with is built once, where Go is; what cannot be had is skipped, and said.
chart() {
  if command -v go >/dev/null; then
    scripts/chart/tools.sh || echo "tradewind: not all of the chart's tools could be built." >&2
  fi
  scripts/chart.sh
}

# All but the tests of Rust. Cargo lets one build at a time; what takes longest on a new machine comes last.
others() {
  stage links node scripts/links.js
  stage observing scripts/observability.sh
  stage supply scripts/supply.sh
  stage clippy cargo clippy --quiet --workspace --all-targets -- -D warnings
  stage docs docs
  stage sdk scripts/sdk.sh
  stage chart chart
}

# Runs those beside the tests, on what these leave of the processors, since they wait much of their time. What they say is shown
# when they have ended, or something is found.
beside() {
  nice -n 10 scripts/test.sh others "$kept" >"$kept/beside" 2>&1 && return
  cat "$kept/beside" >&2
  return 1
}

# What still runs beside is not waited for once something was found.
end() {
  [ -z "${beside:-}" ] || { pkill --parent "$beside" || true; wait "$beside" || true; }
}

if [ "${1:-}" = others ]; then
  others
  exit
fi

# What fails soonest comes first.
begun=$(now)
stage install scripts/install.sh test
stage format cargo fmt --all --check
# Everything is built at once: for another choice of packages cargo gives dependencies other features,
# and would compile them again.
stage build cargo test --quiet --workspace --no-run
stage tidy cargo test --quiet --workspace --test tidy
stage contracts scripts/contracts.sh
stage migrations scripts/previous-schema.sh landed
beside &
beside=$!
stage tests tests
# What was found has long gone by.
wait "$beside" || { tail -1 "$kept/beside" >&2; exit 1; }
beside=
cat "$kept/beside"
summary
echo
echo "All of it holds, in $(elapsed "$begun") s."

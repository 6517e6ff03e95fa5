#!/usr/bin/env bash
# Everything that must hold before a change lands, stage by stage; a failure ends it.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = others ]; then
  data=$2
else
  . scripts/beside.sh
  : >"$data/seconds"
  # Where what fails is said at once, also by the others.
  exec 3>&2
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
    echo "FAILED at $name, after $(elapsed "$started") s: $*" >&3
    exit 1
  fi
  printf '  %-12s %8s s\n' "$name" "$(elapsed "$started")" >>"$data/seconds"
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
  cat "$data/seconds"
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
# On what the tests leave of the processors, since they wait much of their time; what is said is shown when all has ended.
nice -n 10 scripts/test.sh others "$data" >"$data/others" 2>&1 &
running+=($!)
stage tests tests
wait "${running[0]}" || { cat "$data/others" >&2; exit 1; }
cat "$data/others"
summary
echo
echo "All of it holds, in $(elapsed "$begun") s."

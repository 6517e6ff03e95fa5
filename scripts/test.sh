#!/usr/bin/env bash
# Everything that must hold before a change lands, stage by stage; the first failure ends it.
set -euo pipefail
cd "$(dirname "$0")/.."

names=()
seconds=()

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
  names+=("$name")
  seconds+=("$(elapsed "$started")")
  echo "── $name: ${seconds[-1]} s"
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
  local at
  echo
  for at in "${!names[@]}"; do
    printf '  %-12s %8s s\n' "${names[at]}" "${seconds[at]}"
  done
}

docs() {
  RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps
}

tests() {
  target/debug/store-testing cargo test --workspace
}

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
stage chart scripts/chart.sh
stage clippy cargo clippy --quiet --workspace --all-targets -- -D warnings
stage docs docs
stage links node scripts/links.js
stage supply scripts/supply.sh
stage observing scripts/observability.sh
stage tests tests
stage sdk scripts/sdk.sh
summary
echo
echo "All of it holds, in $(elapsed "$begun") s."

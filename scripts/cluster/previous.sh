#!/usr/bin/env bash
# Builds the program of the release before, the commit that CHANGELOG.md names first, and prints where it is. It is built
# once, in a tree of its own: as long as any release build.
# Usage: scripts/cluster/previous.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

commit=$(grep --only-matching --extended-regexp --max-count 1 '\b[0-9a-f]{7,40}\b' CHANGELOG.md || true)
if [ -z "$commit" ]; then
  echo "tradewind: CHANGELOG.md names no commit of a release; give its program as PREVIOUS." >&2
  exit 1
fi
program=$PWD/target/previous/tradewind-$commit
if [ ! -x "$program" ]; then
  mkdir -p target/previous
  [ -d "target/previous/source-$commit" ] || git worktree add --detach "target/previous/source-$commit" "$commit" >&2
  (cd "target/previous/source-$commit" && cargo build --release --bin tradewind --target-dir ../target >&2)
  cp target/previous/target/release/tradewind "$program"
  git worktree remove --force "target/previous/source-$commit"
fi
echo "$program"

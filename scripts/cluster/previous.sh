#!/usr/bin/env bash
# Builds the program of the release before, the commit that CHANGELOG.md names first, and prints where it is. It is built
# once, in a tree of its own: as long as any release build.
# Usage: scripts/cluster/previous.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

commit=$(scripts/released.sh)
program=$PWD/target/previous/tradewind-$commit
if [ ! -x "$program" ]; then
  mkdir -p target/previous
  [ -d "target/previous/source-$commit" ] || git worktree add --detach "target/previous/source-$commit" "$commit" >&2
  (cd "target/previous/source-$commit" && cargo build --release --bin tradewind --target-dir ../target >&2)
  cp target/previous/target/release/tradewind "$program"
  git worktree remove --force "target/previous/source-$commit"
fi
echo "$program"

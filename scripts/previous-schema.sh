#!/usr/bin/env bash
# Runs the tests of the release before, the commit that CHANGELOG.md names first, on the tables of today: its own code, with
# the migrations of this tree laid over its own, on SQLite and PostgreSQL. What a migration takes away that the release
# works with fails there. Building it takes as long as any first build. `landed` looks in a second whether
# what has landed is as it was; PLANTED=1 takes something away from each service, and shows that its tests notice.
# Usage: [PLANTED=1] scripts/previous-schema.sh [landed]
set -euo pipefail
cd "$(dirname "$0")/.."

commit=$(scripts/released.sh)
if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
  echo "tradewind: the release before, $commit, is not in this clone: git fetch --unshallow, then try again." >&2
  # A check of all that can be checked goes on without it.
  [ "${1:-}" != landed ] || echo "SKIPPED: whether migrations that landed are as they were"
  [ "${1:-}" = landed ]
  exit
fi
older=$PWD/target/previous/schema-$commit
# What was built of the same commit is not built again.
export CARGO_TARGET_DIR=$PWD/target/previous/target CARGO_INCREMENTAL=0

# Its tree as it was, with the migrations of this one laid over its own.
lay() {
  if [ ! -d "$older" ]; then
    mkdir -p "$older.new"
    git archive "$commit" | tar -x -C "$older.new"
    mv "$older.new" "$older"
  fi
  node scripts/schema/lay.js "$commit" "$older" "$@"
}

# Tests that are not about tables.
skipped() {
  sed -n 's/^\([^# ][^ ]*\) .*/--skip \1/p' scripts/schema/skipped.txt
}

# Those of its tidy crate read its tree as git has it.
tests() {
  local skipped
  mapfile -t skipped < <(skipped)
  cd "$older"
  cargo test --quiet --workspace --no-run
  # shellcheck disable=SC2068 # two words for each
  "$CARGO_TARGET_DIR/debug/store-testing" cargo test --workspace --exclude tidy --tests --no-fail-fast -- ${skipped[@]}
}

# The tests of each service from which something was taken: its folder, its program of tests.
programs() {
  (cd "$older" && cargo test --quiet --workspace --test it --no-run --message-format json) | node -e '
    const planted = Object.keys(require("./scripts/schema/planted.json"));
    const lines = require("node:fs").readFileSync(0, "utf8").split("\n").filter((it) => it.startsWith("{"));
    for (const { executable, target, manifest_path: from } of lines.map(JSON.parse)) {
      const folder = executable && target.name === "it" && from.replace(/Cargo.toml$/, "");
      if (folder && planted.some((it) => `${folder}migrations`.endsWith(`/${it}`))) console.log(folder, executable);
    }'
}

planted() {
  local folder program failed=0 said
  said=$(mktemp)
  while read -r folder program; do
    # Some wait without end for what cannot come any more.
    if (cd "$folder" && "$CARGO_TARGET_DIR/debug/store-testing" timeout 120 "$program") >"$said" 2>&1; then
      echo "$folder: its tests have not noticed" >&2
      failed=1
    else
      echo "$(basename "$folder"): $(grep '^test result' "$said" || tail -1 "$said")"
    fi
  done < <(programs)
  rm -f "$said"
  return "$failed"
}

case "${PLANTED:+planted}${1:-}" in
  planted)
    lay scripts/schema/planted.json
    planted
    ;;
  landed)
    node scripts/schema/lay.js "$commit"
    ;;
  "")
    lay
    tests
    ;;
  *)
    echo "usage: [PLANTED=1] $0 [landed]" >&2
    exit 2
    ;;
esac

#!/usr/bin/env bash
# Runs all tests with code that counts what runs, and says by crate which share of its lines that was. Fails under MINIMUM
# percent. Built apart, in target/coverage, as long as any first build. `tools` only says whether the compiler's tools for it are here.
# Usage: [MINIMUM=75] scripts/coverage.sh [tools]
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(rustc --print sysroot)/lib/rustlib/$(rustc --version --verbose | sed -n 's/^host: //p')/bin
if [ ! -x "$tools/llvm-cov" ] || [ ! -x "$tools/llvm-profdata" ]; then
  [ "${1:-}" = tools ] || echo "tradewind: the compiler's llvm-tools are missing: rustup component add llvm-tools" >&2
  exit 1
fi
[ "${1:-}" != tools ] || exit 0

counts=$PWD/target/coverage/counts
rm -rf "$counts"
mkdir -p "$counts"
# Programs add up in the same few files, however many end.
export LLVM_PROFILE_FILE=$counts/%4m.profraw RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/coverage/rustc.sh
export CARGO_TARGET_DIR=$PWD/target/coverage CARGO_INCREMENTAL=0

cargo test --quiet --workspace --no-run
"$CARGO_TARGET_DIR/debug/store-testing" cargo test --workspace
# Programs of build scripts count too, and are no tests.
programs=()
while read -r program; do programs+=(--object "$program"); done < <(
  cargo test --quiet --workspace --no-run --message-format json |
    node -e 'for (const line of require("node:fs").readFileSync(0, "utf8").split("\n")) { const it = line.startsWith("{") ? JSON.parse(line) : {}; if (it.executable) console.log(it.executable); }'
)
"$tools/llvm-profdata" merge --sparse --output "$counts/all" "$counts"/*.profraw
"$tools/llvm-cov" export --summary-only --instr-profile "$counts/all" "${programs[@]}" >"$counts/export.json"
node scripts/coverage/crates.js "$counts/export.json" "${MINIMUM:-75}"

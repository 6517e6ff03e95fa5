#!/usr/bin/env bash
# Builds the binary of a release so that the same commit gives the same bytes wherever it is built: the toolchain is pinned, so are all
# crates, and no path or time of this machine gets in. Prints its SHA-256. TWICE=1 builds it again elsewhere and compares.
# Usage: [TWICE=1] scripts/release.sh
set -euo pipefail
cd "$(dirname "$0")/.."

binary=target/repeatable/release/tradewind

# Builds in a directory; what it is called must not matter.
build() {
  local from=$1 into=$2 cargo=${CARGO_HOME:-$HOME/.cargo} sysroot
  sysroot=$(rustc --print sysroot)
  # Of C sources (SQLite, aws-lc, jemalloc) as of those in Rust.
  local maps="-ffile-prefix-map=$from=/tradewind -ffile-prefix-map=$into=/target -ffile-prefix-map=$cargo=/cargo"
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) CFLAGS="$maps" CXXFLAGS="$maps" CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=$from=/tradewind --remap-path-prefix=$into=/target --remap-path-prefix=$cargo=/cargo --remap-path-prefix=$sysroot=/rust" \
    cargo build --release --locked --manifest-path "$from/Cargo.toml" --bin tradewind --target-dir "$into"
}

[ -z "$(git status --porcelain)" ] || echo "tradewind: there are changes that no commit has; only a commit can be repeated" >&2
build "$PWD" "$PWD/target/repeatable"
sha256sum "$binary"
if [ -n "${TWICE:-}" ]; then
  elsewhere=$(mktemp -d)
  trap 'rm -rf "$elsewhere"' EXIT
  git archive HEAD | tar -x -C "$elsewhere"
  build "$elsewhere" "$elsewhere/target"
  cmp "$binary" "$elsewhere/target/release/tradewind"
  echo "both builds are the same"
fi

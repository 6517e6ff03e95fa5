#!/usr/bin/env bash
# Leaves of a source tree what its dependencies are built from: manifests, the lock file, and empty sources in the place
# of real ones. It stays the same while only code changes, and so does what is built from it.
# Usage: scripts/image/skeleton.sh TREE
set -euo pipefail
cd "$1"

# Every target of every package, before the sources go.
targets=$(cargo metadata --no-deps --format-version 1 --locked |
  grep --only-matching '"src_path":"[^"]*"' | cut -d '"' -f 4 | sort --unique)

find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -name rust-toolchain.toml -delete
for target in $targets; do
  mkdir -p "$(dirname "$target")"
  case $target in
    */lib.rs) : >"$target" ;;
    *) echo 'fn main() {}' >"$target" ;;
  esac
done
find . -type d -empty -delete

#!/usr/bin/env bash
# The TypeScript SDK: generated from the contracts, type-checked, and used on a real mesh in Node and in Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."

# For the whole workspace, as its tests are built: by themselves these two would have other features.
cargo build --quiet --workspace --example descriptors
target/debug/examples/descriptors >target/contracts.binpb
cargo test --quiet --workspace --test mesh --no-run
CHROMIUM=$(command -v chromium) npm --prefix clients/typescript --silent test

#!/usr/bin/env bash
# The TypeScript SDK: generated from the contracts, type-checked, and used on a real mesh in Node and in Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo run --quiet --example descriptors >target/contracts.binpb
# The tests of the workspace leave it there. Built by itself it has other features, and all of it is compiled again.
[ -x target/debug/tradewind ] || cargo build --quiet -p node
CHROMIUM=$(command -v chromium) npm --prefix clients/typescript --silent test

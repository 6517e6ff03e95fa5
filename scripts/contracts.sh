#!/usr/bin/env bash
# Lints the contracts as they are compiled in: buf reads the embedded descriptors as an image. Then checks
# the OpenAPI document that is made of them.
set -euo pipefail
cd "$(dirname "$0")/.."

buf=scripts/buf/node_modules/.bin/buf
image=target/contracts.binpb

"$buf" format proto --path proto/tradewind --diff --exit-code

cargo build --quiet --workspace --example descriptors --example openapi
target/debug/examples/descriptors >"$image"

# A contract that no crate compiles would be neither linted nor served.
own() { grep '^tradewind/' | sort; }
if ! diff <(cd proto && find . -name '*.proto' -printf '%P\n' | own) <("$buf" ls-files "$image" --include-imports | own); then
  echo "contracts: the files marked < are compiled into nothing: name their package in build.rs" >&2
  exit 1
fi

"$buf" lint "$image" --config proto/buf.yaml

# What the gateway tells of them to the tools of others.
target/debug/examples/openapi >target/openapi.json
node scripts/openapi/check.js target/openapi.json

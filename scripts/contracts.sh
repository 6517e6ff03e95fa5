#!/usr/bin/env bash
# Lints the contracts as they are compiled in: buf reads the embedded descriptors as an image. Then checks that
# they break nothing of what main has, and the OpenAPI document that is made of them.
set -euo pipefail
cd "$(dirname "$0")/.."

buf=scripts/buf/node_modules/.bin/buf
image=target/contracts.binpb

"$buf" format proto --path proto/tradewind --diff --exit-code

cargo build --quiet --workspace --example descriptors --example image --example openapi
target/debug/examples/descriptors >"$image"

# A contract that no crate compiles would be neither linted nor served.
own() { grep '^tradewind/' | sort; }
if ! diff <(cd proto && find . -name '*.proto' -printf '%P\n' | own) <("$buf" ls-files "$image" --include-imports | own); then
  echo "contracts: the files marked < are compiled into nothing: name their package in build.rs" >&2
  exit 1
fi

"$buf" lint "$image" --config proto/buf.yaml

# What others have compiled in, or have kept as an event, must be understood by what is new: the contracts of the main
# branch, or of the last commit where no such branch is known.
compiled() { target/debug/examples/image "$1" >"$2"; }
breaks_nothing() { "$buf" breaking "$1" --against "$2" --config proto/buf.yaml; }
previous=target/contracts-previous
rm -rf "$previous"
mkdir -p "$previous"
base=$(git rev-parse --verify --quiet "${CONTRACTS_BASE:-main}" || git rev-parse HEAD)
git archive "$base" proto | tar -x -C "$previous"
compiled "$previous/proto" "$previous.binpb"
compiled proto target/contracts-now.binpb
if ! breaks_nothing target/contracts-now.binpb "$previous.binpb"; then
  echo "contracts: what is above was there in ${base:0:12}: keep names and numbers, add fields, and reserve what is removed" >&2
  exit 1
fi

# The check is checked: an event that loses a field is refused.
broken=target/contracts-broken
rm -rf "$broken"
mkdir -p "$broken"
cp -r proto "$broken"
sed -i '/^message OrderRefunded/,/^}/ s/.* amount = 2;//' "$broken/proto/tradewind/orders/v1/events.proto"
compiled "$broken/proto" "$broken.binpb"
if told=$(breaks_nothing "$broken.binpb" target/contracts-now.binpb) || ! grep -q '"amount" on message "OrderRefunded"' <<<"$told"; then
  echo "contracts: an event has lost a field, and nothing was said of it but: $told" >&2
  exit 1
fi

# What the gateway tells of them to the tools of others.
target/debug/examples/openapi >target/openapi.json
node scripts/openapi/check.js target/openapi.json

#!/usr/bin/env bash
# Holds what a release is made of and how it gets out: licences, sources and bans of every crate (deny.toml), a bill of materials, the
# workflows and compose.yaml. Needs cargo-deny, actionlint and docker compose or its reader, and says what it skips without; known weaknesses
# (advisories) need a database from the network, and are looked at with ADVISORIES=1.
# Usage: [ADVISORIES=1] scripts/supply.sh
set -euo pipefail
cd "$(dirname "$0")/.."

PATH=$PATH:$PWD/target/tools
target=x86_64-unknown-linux-gnu
bom=target/tradewind.cdx.json

# Without --workspace only the crate at the root is looked at.
if command -v cargo-deny >/dev/null; then
  cargo deny --workspace --locked --log-level error check --hide-inclusion-graph licenses bans sources
  if [ -n "${ADVISORIES:-}" ]; then
    cargo deny --workspace --locked --log-level error check advisories
  else
    echo "SKIPPED: known weaknesses of crates; ADVISORIES=1 asks the network for them"
  fi
else
  echo "SKIPPED: licences, sources and bans, since cargo-deny is not here: make supply-tools builds it"
fi

mkdir -p target
cargo metadata --format-version 1 --locked --filter-platform "$target" | node scripts/sbom.js >"$bom"
cargo metadata --format-version 1 --locked --filter-platform "$target" | node scripts/sbom.js | cmp - "$bom"
echo "$bom: $(grep -c '"purl"' "$bom") crates"

if command -v actionlint >/dev/null; then
  # Shell in workflows is short; what shellcheck would say of it depends on whether it is here.
  actionlint -shellcheck= -pyflakes= .github/workflows/*
else
  echo "SKIPPED: the workflows, since actionlint is not here: scripts/install.sh test builds it where Go is"
fi
if docker compose version >/dev/null 2>&1; then
  docker compose config --quiet
  docker compose --file compose.yaml --file compose.production.yaml config --quiet --no-interpolate
elif [ -x target/tools/compose/cmd ]; then
  target/tools/compose/cmd compose.yaml >/dev/null
  # It asks for what only production knows.
  target/tools/compose/cmd -no-interpolation compose.yaml compose.production.yaml >/dev/null
else
  echo "SKIPPED: compose.yaml, since docker compose is not here: scripts/install.sh test builds what reads it where Go is"
fi

#!/usr/bin/env bash
# Holds what a release is made of: licences, sources and bans of every crate (deny.toml), and a bill of materials. Needs
# cargo-deny for the first; known weaknesses (advisories) need its database from the network and are looked at with ADVISORIES=1.
# Usage: [ADVISORIES=1] scripts/supply.sh
set -euo pipefail
cd "$(dirname "$0")/.."

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
  echo "SKIPPED: licences, sources and bans, since cargo-deny is not here: cargo install --locked cargo-deny"
fi

mkdir -p target
cargo metadata --format-version 1 --locked --filter-platform "$target" | node scripts/sbom.js >"$bom"
cargo metadata --format-version 1 --locked --filter-platform "$target" | node scripts/sbom.js | cmp - "$bom"
echo "$bom: $(grep -c '"purl"' "$bom") crates"

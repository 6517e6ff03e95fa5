#!/usr/bin/env bash
# Prints the commit of the release before: the first that CHANGELOG.md names.
# Usage: scripts/released.sh
set -euo pipefail
cd "$(dirname "$0")/.."
if ! grep --only-matching --extended-regexp --max-count 1 '\b[0-9a-f]{7,40}\b' CHANGELOG.md; then
  echo "tradewind: CHANGELOG.md names no commit of a release." >&2
  exit 1
fi

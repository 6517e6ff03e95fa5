#!/usr/bin/env bash
# Builds Jaeger into target/tools, from its public Go module and those that this names: about eleven minutes of
# one core. Its web pages are not in the module; its API is whole.
# Usage: scripts/jaeger.sh
set -euo pipefail
cd "$(dirname "$0")/.."

# Jaeger 2 is numbered apart from the module that holds it.
module=github.com/jaegertracing/jaeger@v1.76.0
version=v2.13.0
tools=$PWD/target/tools

if [ -x "$tools/jaeger" ] && [ "$(cat "$tools/jaeger.version" 2>/dev/null)" = "$module" ]; then
  exit
fi
if ! command -v go >/dev/null; then
  echo "tradewind: Go is missing, with which Jaeger is built: install golang, then try again." >&2
  exit 1
fi

# In a copy of the module, so that its own replacements and sums hold; `go install` refuses those.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
source=$(cd "$copy" && go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
cp -r "$source/." "$copy"
chmod -R u+w "$copy"
rm -f "$copy/go.work" "$copy/go.work.sum"

echo "building jaeger $version"
mkdir -p "$tools"
# One package at a time leaves room for whatever else this machine does.
(cd "$copy" && GOFLAGS=${GOFLAGS:--p=1} CGO_ENABLED=0 go build -buildvcs=false -trimpath \
  -ldflags "-s -w -X github.com/jaegertracing/jaeger/internal/version.latestVersion=$version" \
  -o "$tools/jaeger" ./cmd/jaeger)
echo "$module" >"$tools/jaeger.version"

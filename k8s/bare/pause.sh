#!/usr/bin/env bash
# Packs the image that every pod begins with.
# Usage: k8s/bare/pause.sh
set -euo pipefail
cd "$(dirname "$0")"
. ./cluster.sh
. ../../scripts/image/pack.sh

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
install -D --mode 755 "$BIN/pause" "$root/pause"
pack "$root" "$CLUSTER_HOME/images/pause.tar" localhost/pause:3.10 '{"Entrypoint": ["/pause"]}'

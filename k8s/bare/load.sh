#!/usr/bin/env bash
# Gives archives of images to the node; those of peers.sh it takes at each start.
# Usage: k8s/bare/load.sh ARCHIVE…
set -euo pipefail
. "$(dirname "$0")/cluster.sh"
for archive in "$@"; do
  ctr --address "$RUN/containerd.sock" --namespace k8s.io images import "$archive"
done

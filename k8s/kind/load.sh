#!/usr/bin/env bash
# Gives archives of images to the cluster's nodes.
# Usage: k8s/kind/load.sh ARCHIVE…
set -euo pipefail
for archive in "$@"; do
  kind load image-archive --name tradewind "$archive"
done

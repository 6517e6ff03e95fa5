#!/usr/bin/env bash
# Starts a cluster in Docker, and points kubectl at it. `kind delete cluster --name tradewind` ends it.
# Usage: k8s/kind/up.sh
set -euo pipefail
cd "$(dirname "$0")"
kind create cluster --config cluster.yaml --wait 120s

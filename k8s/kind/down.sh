#!/usr/bin/env bash
# Ends the cluster that up.sh has started.
# Usage: k8s/kind/down.sh
set -euo pipefail
kind delete cluster --name tradewind

#!/usr/bin/env bash
# Starts a cluster in Docker with metrics-server, and points kubectl at it. down.sh ends it.
# Usage: k8s/kind/up.sh
set -euo pipefail
cd "$(dirname "$0")"
kind create cluster --config cluster.yaml --wait 120s
kubectl apply --filename https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.8.1/components.yaml
# The kubelet's certificate here is of no authority that pods know.
kubectl --namespace kube-system patch deployment metrics-server --type json \
  --patch '[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--kubelet-insecure-tls"}]'

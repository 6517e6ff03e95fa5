#!/usr/bin/env bash
# Adds metrics-server to the cluster, for `kubectl top` and autoscalers.
# Usage: k8s/bare/metrics.sh
set -euo pipefail
cd "$(dirname "$0")"
. ./cluster.sh
. ../../scripts/image/pack.sh

version=v0.9.0
./tools.sh metrics-server
if [ ! -e "$CLUSTER_HOME/images/metrics-server.tar" ]; then
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  take_user "$root" metrics 1000
  install -D --mode 755 "$BIN/metrics-server" "$root/metrics-server"
  pack "$root" "$CLUSTER_HOME/images/metrics-server.tar" localhost/metrics-server:$version \
    '{"User": "1000:1000", "Entrypoint": ["/metrics-server"], "WorkingDir": "/tmp"}'
fi
./load.sh "$CLUSTER_HOME/images/metrics-server.tar"
module=$(cd "$CLUSTER_HOME" && go mod download -json sigs.k8s.io/metrics-server@$version | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
# The kubelet's certificate here is of no authority that pods know.
kubectl kustomize "$module/manifests/base" |
  sed -E "s#image: .*metrics-server.*#image: localhost/metrics-server:$version#; s#--metric-resolution=15s#--metric-resolution=12s\n        - --kubelet-insecure-tls#" |
  kubectl apply --filename - >/dev/null
kubectl --namespace kube-system rollout status deployment/metrics-server --timeout 120s

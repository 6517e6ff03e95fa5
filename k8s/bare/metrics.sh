#!/usr/bin/env bash
# Adds metrics-server to the cluster, for `kubectl top` and autoscalers; up.sh does so once tools.sh has built it. What it
# needs of Go's modules it keeps, so that later it needs none.
# Usage: k8s/bare/metrics.sh
set -euo pipefail
cd "$(dirname "$0")"
. ./cluster.sh
. ../../scripts/image/pack.sh

version=v0.9.0
image=$CLUSTER_HOME/images/metrics-server.tar
manifest=$CLUSTER_HOME/metrics-server.yaml

pack_image() {
  local root
  root=$(mktemp -d)
  take_user "$root" metrics 1000
  install -D --mode 755 "$BIN/metrics-server" "$root/metrics-server"
  pack "$root" "$image" localhost/metrics-server:$version \
    '{"User": "1000:1000", "Entrypoint": ["/metrics-server"], "WorkingDir": "/tmp"}'
  rm -rf "$root"
}

# The module's own manifests. The kubelet's certificate here is of no authority that pods know.
make_manifest() {
  local module
  module=$(cd "$CLUSTER_HOME" && go mod download -json sigs.k8s.io/metrics-server@$version | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  kubectl kustomize "$module/manifests/base" |
    sed -E "s#image: .*metrics-server.*#image: localhost/metrics-server:$version#; s#--metric-resolution=15s#--metric-resolution=12s\n        - --kubelet-insecure-tls#" \
      >"$manifest.new"
  mv "$manifest.new" "$manifest"
}

./tools.sh metrics-server
if [ ! -e "$image" ]; then
  pack_image
  ./load.sh "$image"
fi
[ -e "$manifest" ] || make_manifest
kubectl apply --filename "$manifest" >/dev/null

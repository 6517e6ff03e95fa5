#!/usr/bin/env bash
# Follows the guides in a cluster: each block ```sh needs=cluster of a page is typed, in its order, in one shell and in a
# namespace of its own, which holds the peers of the kind of cluster and nothing else. It ends at the first line that fails.
# Environment: ON, BINARY and KUBECONFIG as cluster-test.sh has them; VERSION and NEXT, two tags that the cluster has.
# Usage: scripts/cluster/guides.sh NAMESPACE PAGE…
set -euo pipefail
cd "$(dirname "$0")/../.."

namespace=$1
shift
desk=$(mktemp -d)

end() {
  local code=$?
  trap - EXIT
  if [ $code -ne 0 ]; then
    kubectl get pods,jobs >&2 || true
    kubectl get events --sort-by .lastTimestamp | tail -n 12 >&2 || true
    kubectl logs --selector app.kubernetes.io/name=tradewind-test --tail 20 --prefix >&2 || true
  fi
  [ -n "${KEEP:-}" ] || kubectl delete namespace "$namespace" --wait=false --ignore-not-found >/dev/null || true
  rm -rf "$desk"
  exit $code
}

# What the pages take for granted: the repository, the program, the cluster's own values, and a context of this namespace.
lay_out() {
  local folder
  for folder in helm k8s node scripts; do
    ln -s "$PWD/$folder" "$desk/$folder"
  done
  cp "$ON/values.yaml" "$desk/cluster.yaml"
  mkdir "$desk/bin"
  ln -s "$(realpath "$BINARY")" "$desk/bin/tradewind"
  kubectl config view --minify --flatten --raw >"$desk/kubeconfig"
  export KUBECONFIG=$desk/kubeconfig PATH=$desk/bin:$PATH HOME=$desk
  unset XDG_CONFIG_HOME TRADEWIND_URL TRADEWIND_EMAIL TRADEWIND_PASSWORD
  kubectl config set-context --current --namespace "$namespace" >/dev/null
}

prepare() {
  kubectl create namespace "$namespace" >/dev/null
  kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted >/dev/null
  kubectl apply --kustomize "$ON" >/dev/null
  kubectl rollout status statefulset/postgres --timeout 300s >/dev/null
  kubectl rollout status deployment/redis deployment/jaeger --timeout 300s >/dev/null
}

# The blocks of a page, each behind a line that says where it stands.
blocks() {
  awk -v page="$1" '
    /^```sh needs=cluster$/ { inside = 1; printf "echo \"── %s, line %d\" >&2\n", page, NR; next }
    /^```/ { inside = 0 }
    inside' "$1"
}

lay_out
trap end EXIT
prepare
for page in "$@"; do
  blocks "$page" >"$desk/script"
  count=$(grep --count '^echo "── ' "$desk/script" || true)
  [ "$count" -gt 0 ] || continue
  begun=$SECONDS
  if ! (cd "$desk" && timeout 1200 bash -euo pipefail script >said 2>&1 </dev/null); then
    cat "$desk/said" >&2
    echo "tradewind: $page cannot be followed: the last line that begins with ── says which block." >&2
    exit 1
  fi
  echo "$page: $count blocks, $((SECONDS - begun)) s"
done

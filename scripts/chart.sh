#!/usr/bin/env bash
# Checks the chart and the manifests, with no cluster: what helm makes of every file of values must be what Kubernetes
# takes. Tools come from target/tools (`make chart-tools`) or PATH; what lacks one is skipped, and said.
# Usage: scripts/chart.sh
set -euo pipefail
cd "$(dirname "$0")/.."

chart=helm/tradewind
schemas=$PWD/target/tools/schemas
kubernetes=v1.34.0
PATH=$PWD/target/tools:$PATH

has() {
  command -v "$1" >/dev/null && return
  echo "SKIPPED, without $1: $2"
  return 1
}

# A YAML stream: what it is called, then the command that prints it.
conform() {
  local name=$1 found
  shift
  if ! found=$("$@" | kubeconform -strict -summary -kubernetes-version "${kubernetes#v}" \
    -schema-location "$schemas/$kubernetes/{{.ResourceKind}}{{.KindSuffix}}.json" \
    -schema-location "$schemas/custom/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"); then
    printf '%s\n' "$found" >&2
    echo "tradewind: $name is not what Kubernetes takes; the lines above say which field of what." >&2
    return 1
  fi
  echo "$name: $(tail -1 <<<"$found" | sed 's/ *Summary: //')"
}

each_values_file() {
  local values
  for values in k8s/values/*.yaml; do
    helm lint --quiet --strict --kube-version "$kubernetes" "$chart" --values "$values"
    if [ -n "${conforms:-}" ]; then
      conform "$values" helm template tradewind "$chart" --kube-version "$kubernetes" --namespace shop --values "$values"
    fi
  done
}

if has kubeconform "whether Kubernetes takes what the chart makes"; then
  if [ -d "$schemas/$kubernetes" ] && [ -d "$schemas/custom" ]; then
    conforms=yes
  else
    echo "SKIPPED, without $schemas: whether Kubernetes takes what the chart makes"
  fi
fi
if has helm "the chart is not looked at"; then
  each_values_file
  if has helm-unittest "the chart's own tests"; then
    helm-unittest "$chart"
  fi
fi
if [ -n "${conforms:-}" ]; then
  if has kubectl "the manifests of k8s/"; then
    for folder in k8s/development k8s/kind k8s/bare; do
      conform "$folder" kubectl kustomize "$folder"
    done
  fi
fi

#!/usr/bin/env bash
# Builds what scripts/chart.sh checks the chart with into target/tools, where Go is: helm, helm-unittest, kubeconform, and
# the schemas of Kubernetes and of the custom resources that the chart makes. About four minutes of two cores, once.
# Usage: scripts/chart/tools.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=$PWD/target/tools
helm=v3.22.0
kubeconform=v0.8.0
unittest=v1.1.2
# The wheel holds the schemas of many versions of Kubernetes; the chart is checked against this one.
wheel=kubernetes-validate==1.37.0
kubernetes=v1.34.0
# Modules with the definitions of custom resources, and where those lie in them.
custom=(
  "github.com/cert-manager/cert-manager@v1.19.1 deploy/crds"
  "github.com/prometheus-operator/prometheus-operator@v0.85.0 example/prometheus-operator-crd"
  "sigs.k8s.io/gateway-api@v1.4.0 config/crd/standard"
)

export CGO_ENABLED=0 GOBIN=$tools GOFLAGS="${GOFLAGS:--p=2} -buildvcs=false"

# Whether a tool of this version was built; notes it otherwise, once the command that follows has built it.
build() {
  local name=$1 version=$2
  shift 2
  [ -x "$tools/$name" ] && [ "$(cat "$tools/$name.version" 2>/dev/null)" = "$version" ] && return
  echo "building $name $version"
  "$@"
  echo "$version" >"$tools/$name.version"
}

folder_of() {
  (cd "$made" && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
}

build_helm() {
  go install -trimpath -ldflags "-s -w -X helm.sh/helm/v3/internal/version.version=$helm" "helm.sh/helm/v3/cmd/helm@$helm"
}

build_kubeconform() {
  go install -trimpath -ldflags '-s -w' "github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform"
}

# In a copy of the module, so that its own replacements and sums hold; `go install` refuses those.
build_unittest() {
  cp -r "$(folder_of "github.com/helm-unittest/helm-unittest@$unittest")" "$made/unittest"
  chmod -R u+w "$made/unittest"
  go build -C "$made/unittest" -trimpath -ldflags '-s -w' -o "$tools/helm-unittest" ./cmd/helm-unittest
}

kubernetes_schemas() {
  [ -d "$tools/schemas/$kubernetes" ] && return
  echo "taking the schemas of Kubernetes $kubernetes"
  python3 -m pip download --quiet --no-deps --dest "$made" "$wheel"
  python3 -m zipfile -e "$made"/kubernetes_validate-*.whl "$made/wheel"
  node scripts/chart/schemas.js kubernetes \
    "$made/wheel/kubernetes_validate/kubernetes-json-schema/$kubernetes-local-strict" "$tools/schemas/$kubernetes"
}

# A chart of definitions prints them as JSON: helm reads YAML, and so nothing else has to.
custom_schemas() {
  [ "$(cat "$tools/schemas/custom.version" 2>/dev/null)" = "${custom[*]}" ] && return
  local line module place
  mkdir -p "$made/custom/templates" "$made/custom/definitions"
  printf 'apiVersion: v2\nname: custom\nversion: 0.0.0\n' >"$made/custom/Chart.yaml"
  # shellcheck disable=SC2016
  echo '{{ range $path, $_ := .Files.Glob "definitions/*.yaml" }}{{ $.Files.Get $path | fromYaml | toJson }}
{{ end }}' >"$made/custom/templates/definitions.json"
  for line in "${custom[@]}"; do
    read -r module place <<<"$line"
    echo "taking the custom resources of $module"
    cp "$(folder_of "$module")/$place"/*.yaml "$made/custom/definitions/"
  done
  chmod -R u+w "$made/custom"
  "$tools/helm" template custom "$made/custom" >"$made/definitions"
  node scripts/chart/schemas.js custom "$made/definitions" "$tools/schemas/custom"
  echo "${custom[*]}" >"$tools/schemas/custom.version"
}

if ! command -v go >/dev/null; then
  echo "tradewind: Go is missing, with which the chart's tools are built: install golang, then try again." >&2
  exit 1
fi
made=$(mktemp -d)
trap 'chmod -R u+w "$made"; rm -rf "$made"' EXIT
mkdir -p "$tools/schemas"
build helm "$helm" build_helm
build kubeconform "$kubeconform" build_kubeconform
build helm-unittest "$unittest" build_unittest
kubernetes_schemas
custom_schemas

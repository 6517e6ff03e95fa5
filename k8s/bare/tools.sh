#!/usr/bin/env bash
# Builds a Kubernetes from its public Go modules, at fixed versions that Go's checksum database holds, and installs what
# it needs from Debian. About ten minutes of two cores, once; what is there is kept.
# Usage: k8s/bare/tools.sh [TOOL…]    all when none is named
set -euo pipefail
cd "$(dirname "$0")"
. ./cluster.sh

kubernetes=v1.34.4
etcd=v3.6.8
coredns=v1.15.0
metrics_server=v0.9.0
packages=(containerd runc containernetworking-plugins iptables conntrack ethtool socat openssl gcc libc6-dev)

export GOBIN=$BIN CGO_ENABLED=0 GOFLAGS="-p=${JOBS:-2} -buildvcs=false"
source=$CLUSTER_HOME/source
mkdir -p "$BIN" "$source"

# The go.mod of Kubernetes, with published versions in the place of the folders of its repository.
kubernetes_module() {
  local module=$source/kubernetes found
  [ -e "$module/go.sum" ] && return
  mkdir -p "$module"
  found=$(cd "$source" && go mod download -json "k8s.io/kubernetes@$kubernetes" | sed -n 's/^\t"GoMod": "\(.*\)",\{0,1\}$/\1/p')
  sed -e 's#^module k8s.io/kubernetes#module kubernetes#' \
    -e "s#=> ./staging/src/\(.*\)#=> \1 v0.${kubernetes#v1.}#" "$found" >"$module/go.mod"
  echo "require k8s.io/kubernetes $kubernetes" >>"$module/go.mod"
}

build_kubernetes() {
  local about=k8s.io/component-base/version
  kubernetes_module
  (cd "$source/kubernetes" && GOFLAGS="$GOFLAGS -mod=mod" go build -trimpath -o "$BIN/$1" -ldflags \
    "-s -w -X $about.gitVersion=$kubernetes -X $about.gitMajor=1 -X $about.gitMinor=34 -X $about.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitVersion=$kubernetes" \
    "k8s.io/kubernetes/cmd/$1")
}

build_etcd() {
  mkdir -p "$source/etcd"
  cd "$source/etcd"
  [ -e go.sum ] || printf 'module etcd\ngo 1.24\n' >go.mod
  go get "go.etcd.io/etcd/server/v3@$etcd"
  GOFLAGS="$GOFLAGS -mod=mod" go build -trimpath -ldflags '-s -w' -o "$BIN/etcd" go.etcd.io/etcd/server/v3
}

# The process that holds a pod's namespaces: Kubernetes' own, and it is one file of C.
build_pause() {
  kubernetes_module
  local module
  module=$(cd "$source/kubernetes" && go mod download -json "k8s.io/kubernetes@$kubernetes" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  gcc -Os -static -s -DVERSION=3.10 -o "$BIN/pause" "$module/build/pause/linux/pause.c"
}

build() {
  local tool=$1 begun=$SECONDS
  [ -x "$BIN/$tool" ] && return
  echo "building $tool"
  case $tool in
    etcd) (build_etcd) ;;
    coredns) go install -trimpath -ldflags '-s -w' "github.com/coredns/coredns@$coredns" ;;
    metrics-server) go install -trimpath -ldflags '-s -w' "sigs.k8s.io/metrics-server/cmd/metrics-server@$metrics_server" ;;
    pause) build_pause ;;
    *) build_kubernetes "$tool" ;;
  esac
  echo "  $tool: $((SECONDS - begun)) s"
}

command -v go >/dev/null || stop "Go is missing, with which Kubernetes is built: install golang, then try again."
if ! dpkg --status "${packages[@]}" >/dev/null 2>&1; then
  [ "$(id -u)" -eq 0 ] || stop "run this as root: apt-get install --yes --no-install-recommends ${packages[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends "${packages[@]}"
fi
tools=("$@")
[ $# -gt 0 ] || tools=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl etcd coredns pause metrics-server)
for tool in "${tools[@]}"; do
  build "$tool"
done

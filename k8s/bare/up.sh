#!/usr/bin/env bash
# Starts a Kubernetes of one node in network, mount and process namespaces of its own, which have no way out of the
# machine. Ten seconds; as root. down.sh ends it and leaves nothing.
# Usage: k8s/bare/up.sh
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
. ./cluster.sh

begun=${EPOCHREALTIME//[!0-9]/}
say() {
  local tenths=$(((${EPOCHREALTIME//[!0-9]/} - begun) / 100000))
  echo "[$((tenths / 10)).$((tenths % 10)) s] $1"
}

# One pair of plugs joins the namespace to the machine; Services and pods are reached through the node.
make_network() {
  local inside=(nsenter "--net=/run/netns/$NETWORK")
  ip netns add "$NETWORK"
  ip link add tradewind0 type veth peer name eth0 netns "$NETWORK"
  ip addr add "$HOST_IP/30" dev tradewind0
  ip link set tradewind0 up
  "${inside[@]}" ip link set lo up
  "${inside[@]}" ip addr add "$NODE_IP/30" dev eth0
  "${inside[@]}" ip link set eth0 up
  # So that connecting finds a way; kube-proxy rewrites the address.
  "${inside[@]}" ip route add "$SERVICES" via "$HOST_IP"
  "${inside[@]}" sysctl -qw net.ipv4.ip_forward=1
  ip route add "$SERVICES" via "$NODE_IP"
  ip route add "$PODS" via "$NODE_IP"
}

# A certificate: its file, its subject, its names when it is a server's.
certify() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  printf 'extendedKeyUsage=clientAuth,serverAuth\n%s\n' "${3:+subjectAltName=$3}" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}

kubeconfig() {
  cat <<EOT
apiVersion: v1
kind: Config
clusters: [{name: bare, cluster: {server: "https://$NODE_IP:6443", certificate-authority-data: $(base64 -w0 <ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 <"$1.crt"), client-key-data: $(base64 -w0 <"$1.key")}}]
contexts: [{name: bare, context: {cluster: bare, user: $1}}]
current-context: bare
EOT
}

make_certificates() {
  cd "$RUN/pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=bare -keyout ca.key -out ca.crt 2>/dev/null
  openssl genrsa -out sa.key 2048 2>/dev/null
  openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
  certify apiserver /CN=kube-apiserver "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$NODE_IP,IP:${SERVICES%.*}.1"
  certify admin /O=system:masters/CN=admin
  certify controller /CN=system:kube-controller-manager
  certify scheduler /CN=system:kube-scheduler
  certify proxy /CN=system:kube-proxy
  certify kubelet "/O=system:nodes/CN=system:node:$NODE" "DNS:$NODE,IP:$NODE_IP"
  certify kubelet-client /O=system:masters/CN=apiserver-kubelet-client
  certify front /CN=front-proxy
  local user
  for user in admin controller scheduler proxy kubelet; do
    kubeconfig "$user" >"$RUN/$user.kubeconfig"
  done
  install --mode 600 "$RUN/admin.kubeconfig" "$KUBECONFIG"
  cd "$here"
}

# The templates of settings/, with our variables put in.
make_settings() {
  local file variables
  variables=$(printf '$%s ' RUN NODE_IP NODE PODS RUNC CNI)
  for file in settings/*; do
    envsubst "$variables" <"$file" >"$RUN/$(basename "$file")"
  done
  mkdir -p "$RUN/cni.d"
  mv "$RUN/pods.conflist" "$RUN/cni.d/10-pods.conflist"
  echo "# There is nobody to ask." >"$RUN/resolv.conf"
  # The kubelet sets these for the whole machine; down.sh puts them back.
  sysctl vm.overcommit_memory kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes \
    >"$RUN/sysctl.saved" 2>/dev/null || true
}

start_node() {
  setsid nsenter "--net=/run/netns/$NETWORK" unshare --mount --pid --fork --kill-child --mount-proc \
    bash "$here/node.sh" >"$RUN/log/node.log" 2>&1 </dev/null &
  local unshared=$! init tries
  for tries in $(seq 100); do
    init=$(pgrep -P "$unshared" -x bash || true)
    [ -n "$init" ] && break
    sleep 0.1
  done
  [ -n "$init" ] || stop "the node did not start: $RUN/log/node.log"
  echo "$init" >"$RUN/init.pid"
}

# Asks until a command succeeds: what for, then the command.
await() {
  local what=$1 tries
  shift
  for tries in $(seq 400); do
    "$@" >/dev/null 2>&1 && say "$what" && return
    sleep 0.3
  done
  stop "no $what; look into $RUN/log"
}

# There is nothing that makes volumes: some are there, as folders that whoever claims them may write.
make_volumes() {
  local number
  for number in $(seq 24); do
    mkdir -p "$RUN/volumes/$number"
    chmod 1777 "$RUN/volumes/$number"
    kubectl apply --filename - >/dev/null <<EOT
{apiVersion: v1, kind: PersistentVolume, metadata: {name: volume-$number}, spec: {capacity: {storage: 10Gi},
 accessModes: [ReadWriteOnce], persistentVolumeReclaimPolicy: Retain, hostPath: {path: $RUN/volumes/$number}}}
EOT
  done
}

[ "$(id -u)" -eq 0 ] || stop "namespaces and routes are root's to make: run this as root."
if [ -e "$RUN/init.pid" ] && kill -0 "$(cat "$RUN/init.pid")" 2>/dev/null; then
  echo "it is up: export KUBECONFIG=$KUBECONFIG"
  exit
fi
for tool in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl coredns pause; do
  [ -x "$BIN/$tool" ] || stop "$BIN/$tool is missing: run k8s/bare/tools.sh."
done
rm -rf "$RUN"
mkdir -p "$RUN"/{log,pki,etcd,kubelet,containerd,manifests,varlog,cni-state,images}
RUNC=$(command -v runc)
CNI=${CNI:-/usr/lib/cni}
export RUNC CNI
make_network
make_certificates
make_settings
[ -e "$CLUSTER_HOME/images/pause.tar" ] || ./pause.sh
start_node
say "namespaces"
await "API server" kubectl get --raw /readyz
await "node" kubectl get node "$NODE"
kubectl wait --for condition=Ready "node/$NODE" --timeout 120s >/dev/null
await "service accounts" kubectl get serviceaccount default
make_volumes
if [ -x "$BIN/metrics-server" ]; then
  ./metrics.sh
else
  echo "without metrics-server, and so without autoscalers: k8s/bare/metrics.sh builds and adds it"
fi
say "up: export KUBECONFIG=$KUBECONFIG"

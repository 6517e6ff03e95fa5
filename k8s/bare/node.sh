# The first process of the node's namespaces, which up.sh starts: everything of the node is below it, and ends with it.
set -u
mount --make-rshared /
mount --bind "$RUN/varlog" /var/log
# Seen in these namespaces only.
for folder in /var/lib/cni /var/lib/kubelet; do
  mkdir -p "$folder"
  mount -t tmpfs tmpfs "$folder"
done
cd "$RUN"

begin() {
  local name=$1
  shift
  "$@" >>"$RUN/log/$name.log" 2>&1 &
}

begin etcd etcd --data-dir "$RUN/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 \
  --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --log-level warn
begin containerd containerd -c "$RUN/containerd.toml"
begin apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address="$NODE_IP" --bind-address=0.0.0.0 \
  --secure-port=6443 --service-cluster-ip-range="$SERVICES" --authorization-mode=Node,RBAC \
  --enable-admission-plugins=NodeRestriction --allow-privileged=true --client-ca-file=pki/ca.crt \
  --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key \
  --kubelet-client-certificate=pki/kubelet-client.crt --kubelet-client-key=pki/kubelet-client.key \
  --kubelet-preferred-address-types=InternalIP --service-account-issuer=https://kubernetes.default.svc.cluster.local \
  --service-account-key-file=pki/sa.pub --service-account-signing-key-file=pki/sa.key \
  --requestheader-client-ca-file=pki/ca.crt --requestheader-allowed-names=front-proxy \
  --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
  --requestheader-extra-headers-prefix=X-Remote-Extra- --proxy-client-cert-file=pki/front.crt \
  --proxy-client-key-file=pki/front.key --enable-aggregator-routing=true
until [ "$(kubectl --kubeconfig admin.kubeconfig get --raw /readyz 2>/dev/null)" = ok ]; do sleep 0.3; done
begin controller kube-controller-manager --kubeconfig=controller.kubeconfig \
  --authentication-kubeconfig=controller.kubeconfig --authorization-kubeconfig=controller.kubeconfig \
  --bind-address=127.0.0.1 --cluster-cidr="$PODS" --allocate-node-cidrs=true --service-cluster-ip-range="$SERVICES" \
  --leader-elect=false --root-ca-file=pki/ca.crt --service-account-private-key-file=pki/sa.key \
  --cluster-signing-cert-file=pki/ca.crt --cluster-signing-key-file=pki/ca.key --use-service-account-credentials=true \
  --flex-volume-plugin-dir="$RUN/plugins" --horizontal-pod-autoscaler-sync-period=10s
begin scheduler kube-scheduler --kubeconfig=scheduler.kubeconfig --authentication-kubeconfig=scheduler.kubeconfig \
  --authorization-kubeconfig=scheduler.kubeconfig --bind-address=127.0.0.1 --leader-elect=false
until [ -S containerd.sock ] && ctr -a containerd.sock version >/dev/null 2>&1; do sleep 0.2; done
for image in "$CLUSTER_HOME"/images/*.tar; do
  [ -e "$image" ] && ctr -a containerd.sock -n k8s.io images import "$image" >>log/images.log 2>&1
done
begin kubelet kubelet --config=kubelet.yaml --kubeconfig=kubelet.kubeconfig --root-dir="$RUN/kubelet" \
  --hostname-override="$NODE" --node-ip="$NODE_IP" --cert-dir="$RUN/pki" --v=1
begin proxy kube-proxy --kubeconfig=proxy.kubeconfig --proxy-mode=iptables --cluster-cidr="$PODS" \
  --hostname-override="$NODE" --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
  --conntrack-tcp-timeout-close-wait=0 --nodeport-addresses="$NODE_IP/32"
begin coredns coredns -conf Corefile
wait

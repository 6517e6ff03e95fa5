# What the scripts of this cluster agree on, for them to source. CLUSTER_HOME is the one thing to choose.
export CLUSTER_HOME=${CLUSTER_HOME:-$HOME/.cache/tradewind-k8s}
export BIN=$CLUSTER_HOME/bin RUN=$CLUSTER_HOME/run KUBECONFIG=$CLUSTER_HOME/kubeconfig
export PATH=$BIN:$PATH
# The machine as pods see it, the node, its network namespace, and what pods and Services get.
export HOST_IP=10.200.0.1 NODE_IP=10.200.0.2 NETWORK=tradewind PODS=10.244.0.0/16 SERVICES=10.96.0.0/16 NODE=node1

stop() {
  echo "tradewind: $1" >&2
  exit 1
}

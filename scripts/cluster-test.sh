#!/usr/bin/env bash
# Installs the chart in the cluster that KUBECONFIG names, buys in it while everything that can restart does, and says
# what customers saw. It uses the namespace NAMESPACE alone, and removes it at the end.
#
# ON is the kind of cluster, a folder with `values.yaml`, `kustomization.yaml` and `load.sh`: k8s/kind, or k8s/bare.
# BINARY is the program that the image is made of and that drives the test; a release is built when it is not given.
# PREVIOUS is the program of the release before, or `build` to have scripts/cluster/previous.sh build it; without it the
# first installation is of the same program under another tag.
# STEPS chooses some of: demo roll kill postgres scale upgrade autoscale trace guides small. autoscale is left out, and that
# is said, where no metrics-server answers. KEEP=1 leaves all as it is at the end.
# Usage: [ON=…] [BINARY=…] [PREVIOUS=…] [STEPS=…] [RATE=…] [RUSH=…] scripts/cluster-test.sh
set -euo pipefail
cd "$(dirname "$0")/.."

ON=${ON:-k8s/kind}
NAMESPACE=${NAMESPACE:-tradewind-test}
RATE=${RATE:-4}
RUSH=${RUSH:-$((RATE * 5))}
STEPS=${STEPS:-demo roll kill postgres scale upgrade autoscale trace guides small}
PATH=$PWD/target/tools:$PATH
chart=helm/tradewind
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
notes=$(mktemp -d)
customers=

kube() { kubectl --namespace "$NAMESPACE" "$@"; }
now() { echo $((${EPOCHREALTIME//[!0-9]/} / 1000)); }
chosen() { [[ " $STEPS " == *" $1 "* ]]; }
say() { echo "── $(date +%T) $*"; }

stop() {
  echo "tradewind: $1" >&2
  exit 1
}

# Every Deployment of the release.
deployments() {
  kube get deployments --selector app.kubernetes.io/instance=tradewind --output name
}

# Waits until every Deployment has the pods that it wants, and no others.
settled() {
  local deployment
  for deployment in $(deployments); do
    kube rollout status "$deployment" --timeout "${1:-300s}" >/dev/null
  done
}

# Does something, and notes from when to when: a name, a word about it, the command.
step() {
  local name=$1 what=$2 from
  shift 2
  say "$name${what:+: $what}"
  from=$(now)
  "$@"
  # Calls that begin right after are part of it.
  sleep 2
  printf '%s\t%s\t%s\t%s\n' "$from" "$(now)" "$name" "$what" >>"$notes/steps"
}

show_why() {
  kube get pods --output wide || true
  kube get events --sort-by .lastTimestamp | tail -n 15 || true
  for pod in $(kube get pods --output name); do
    echo "-- $pod"
    kube logs "$pod" --all-containers --tail 8 || true
  done
}

end() {
  local code=$?
  trap - EXIT
  [ -z "$customers" ] || kill "$customers" 2>/dev/null || true
  if [ $code -ne 0 ]; then
    show_why >"$notes/why" 2>&1
    tail -n 60 "$notes/why" >&2
    echo "tradewind: the cluster test failed; what it noted is in $notes" >&2
  fi
  if [ -z "${KEEP:-}" ]; then
    helm uninstall tradewind --namespace "$NAMESPACE" >/dev/null 2>&1 || true
    kubectl delete namespace "$NAMESPACE" --wait=false --ignore-not-found >/dev/null || true
  fi
  exit $code
}

# An image of a program: the program, the tag. One that was made of the same program before is taken again.
image() {
  local archive=target/images/tradewind-$2.tar made_of
  made_of=$(sha256sum "$1" scripts/image.sh scripts/image/pack.sh | cut -d ' ' -f 1)
  if [ ! -e "$archive" ] || [ "$(cat "$archive.of" 2>/dev/null)" != "$made_of" ]; then
    BINARY=$1 TAG=$2 ARCHIVE=$archive scripts/image.sh
    echo "$made_of" >"$archive.of"
  fi
  "$ON/load.sh" "$archive" >/dev/null
}

# What the release is told, by its tag.
values() {
  local program=$BINARY
  [ "$1" = "$version" ] || program=${PREVIOUS:-$BINARY}
  # Releases without these commands do as much when they start.
  "$program" migrate --help >/dev/null 2>&1 || printf -- '--set\nmigrations.enabled=false\n'
  "$program" doctor --help >/dev/null 2>&1 || printf -- '--set\ntests.doctor=false\n'
  printf -- '--namespace\n%s\n--values\n%s\n--values\n%s\n--set\nimage.tag=%s\n' \
    "$NAMESPACE" k8s/values/cluster-test.yaml "$ON/values.yaml" "$1"
}

upgrade() {
  local told
  mapfile -t told < <(values "$1")
  shift
  helm upgrade --install tradewind "$chart" "${told[@]}" "$@" --wait --timeout 10m >"$notes/helm" || {
    cat "$notes/helm" >&2
    return 1
  }
}

prepare() {
  image "$BINARY" "$version"
  image "${PREVIOUS:-$BINARY}" "$previous"
  kubectl create namespace "$NAMESPACE"
  # Whatever asks for more than `restricted` allows is refused here.
  kubectl label namespace "$NAMESPACE" pod-security.kubernetes.io/enforce=restricted >/dev/null
  kube apply --kustomize "$ON" >/dev/null
  kube rollout status statefulset/postgres --timeout 300s >/dev/null
  kube rollout status deployment/redis deployment/jaeger --timeout 300s >/dev/null
}

reach() {
  local node tries
  node=$(kubectl get nodes --output jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}')
  export TRADEWIND_URL=http://$node:30080
  for tries in $(seq 100); do
    curl --silent --fail --output /dev/null --max-time 2 "$TRADEWIND_URL/openapi.json" && return
    sleep 0.2
  done
  stop "the gateway does not answer at $TRADEWIND_URL"
}

fill() {
  # Enough of everything for as many orders as are placed.
  awk -F, -v OFS=, 'NR > 1 && $0 ~ /,shopify,[0-9]+,/ { sub(/,shopify,[0-9]+,/, ",shopify,1000000,") } { print }' \
    node/sample/shop.csv >"$notes/shop.csv"
  # Who signs in is told for some seconds that users cannot be reached: where its pods are comes by DNS.
  local tries
  for tries in $(seq 30); do
    "$BINARY" import "$notes/shop.csv" && return
    sleep 1
  done
  stop "nothing can be imported; see above"
}

begin_customers() {
  : >"$notes/rush"
  node scripts/cluster/load.js "$TRADEWIND_URL" "$RATE" "$notes/orders" &
  customers=$!
}

# They look up once more what they have bought.
end_customers() {
  kill "$customers"
  wait "$customers"
  customers=
}

roll() {
  local deployment
  for deployment in $(deployments); do
    kube rollout restart "$deployment" >/dev/null
    kube rollout status "$deployment" --timeout 300s >/dev/null
  done
}

# One pod of each Deployment after the other, as when its machine is lost: nobody is asked to end.
kill_pods() {
  local deployment pod
  for deployment in $(deployments); do
    pod=$(kube get pods --selector "app.kubernetes.io/component=${deployment##*tradewind-}" \
      --field-selector status.phase=Running --output jsonpath='{.items[0].metadata.name}')
    kube delete pod "$pod" --grace-period 0 --force >/dev/null 2>&1
    settled
  done
}

restart_postgres() {
  kube delete pod postgres-0 >/dev/null
  kube rollout status statefulset/postgres --timeout 300s >/dev/null
  settled
}

scale() {
  kube scale $(deployments) --replicas "$1" >/dev/null
  settled
}

pods_of_all() {
  kube get deployments --selector app.kubernetes.io/instance=tradewind --output jsonpath='{range .items[*]}{.status.readyReplicas}{"\n"}{end}' |
    awk '{ pods += $1 } END { print pods + 0 }'
}

# Waits until there are as many pods as a comparison says: what for, an operator of test, a number.
await_pods() {
  local tries
  for tries in $(seq 150); do
    [ "$(pods_of_all)" "$2" "$3" ] && echo "  $1: $(pods_of_all) pods after $((tries * 2 - 2)) s" && return
    sleep 2
  done
  kube get horizontalpodautoscalers >&2
  stop "$1: there are $(pods_of_all) pods, and not $2 $3"
}

# Waits until every autoscaler has weighed its pods, and wants the fewest.
await_calm() {
  local tries
  for tries in $(seq 150); do
    kube get horizontalpodautoscalers --output jsonpath='{range .items[*]}{.spec.minReplicas} {.status.desiredReplicas} {.status.currentReplicas} {.status.currentMetrics[0].resource.current.averageUtilization}{"\n"}{end}' |
      awk '$1 != $2 || $1 != $3 || $4 == "" { late = 1 } END { exit late || NR == 0 }' && return
    sleep 2
  done
  kube get horizontalpodautoscalers >&2
  stop "the autoscalers do not come to rest"
}

# A rush of customers, and its end.
autoscale() {
  local rush pods peak=0 _
  upgrade "$version" --set each.autoscaling.enabled=true --set each.autoscaling.max=4 \
    --set each.autoscaling.scaleDownSeconds=15 --set each.resources.requests.cpu=50m
  await_calm
  pods=$((2 * $(deployments | wc -l)))
  await_pods "before the rush" -eq "$pods"
  node scripts/cluster/load.js "$TRADEWIND_URL" "$RUSH" "$notes/rush" &
  rush=$!
  await_pods "in the rush, the first that came" -gt "$pods"
  for _ in $(seq 15); do
    [ "$(pods_of_all)" -le "$peak" ] || peak=$(pods_of_all)
    sleep 2
  done
  echo "  in the rush, at most: $peak pods"
  kube get horizontalpodautoscalers
  kill "$rush"
  wait "$rush"
  await_pods "after the rush" -eq "$pods"
  upgrade "$version"
}

# Whether anybody says how busy pods are, without which no autoscaler does anything.
has_metrics() {
  kubectl get apiservice v1beta1.metrics.k8s.io >/dev/null 2>&1 &&
    kubectl wait --for condition=Available apiservice/v1beta1.metrics.k8s.io --timeout 120s >/dev/null
}

roll_back() {
  helm rollback tradewind --namespace "$NAMESPACE" --wait --timeout 10m >/dev/null
}

# An order in a trace of its own, and that trace as Jaeger knows it.
trace() {
  local id order tries missing
  id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  order=$(node scripts/cluster/order.js "$TRADEWIND_URL" "$id")
  for tries in $(seq 60); do
    kubectl get --raw "/api/v1/namespaces/$NAMESPACE/services/jaeger:query/proxy/api/traces/$id" >"$notes/trace" 2>/dev/null || true
    missing=$(node scripts/cluster/spans.js "$notes/trace") && break
    sleep 1
  done
  [ -z "$missing" ] || stop "the trace $id of $order lacks $missing"
  node scripts/trace/tree.js <"$notes/trace" >"$notes/tree"
  echo "$order is one trace, $(($(wc -l <"$notes/tree") - 1)) spans in every service:"
  head -n 12 "$notes/tree"
}

# How long pods took to be ready, and what memory they hold.
figures() {
  local node tries
  node=$(kubectl get nodes --output jsonpath='{.items[0].metadata.name}')
  kube get pods --selector app.kubernetes.io/part-of=tradewind --output json >"$notes/pods"
  echo "$1:"
  # The node weighs each pod every ten to fifteen seconds.
  for tries in $(seq 20); do
    kubectl get --raw "/api/v1/nodes/$node/proxy/stats/summary" >"$notes/stats"
    node scripts/cluster/pods.js "$notes/pods" "$notes/stats" >"$notes/figures" && break
    sleep 2
  done
  cat "$notes/figures"
}

uninstall() {
  local left
  helm uninstall tradewind --namespace "$NAMESPACE" --wait --timeout 5m >/dev/null 2>&1
  # Pods end in their own time: calls that run are finished.
  kube wait --for delete pod --selector app.kubernetes.io/part-of=tradewind --timeout 120s >/dev/null
  left=$(kube get all,secrets,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets,persistentvolumeclaims \
    --output name | grep tradewind | grep --invert-match --extended-regexp 'secret/tradewind-(database|redis|mail|administrator)$' || true)
  [ "$left" = "${1:-}" ] || stop "after helm uninstall there is still: $left"
}

# The smallest mesh: one pod, SQLite.
small() {
  local begun
  begun=$(now)
  helm upgrade --install tradewind "$chart" --namespace "$NAMESPACE" --values k8s/values/small.yaml --values "$ON/values.yaml" \
    --set image.tag="$version" --set administrator.secret.name=tradewind-administrator \
    --set gateway.service.type=NodePort --set gateway.service.nodePort=30080 --wait --timeout 5m >/dev/null
  say "one pod for all: installed in $(($(now) - begun)) ms"
  reach
  "$BINARY" import node/sample/shop.csv
  "$BINARY" demo
  figures "One pod for all"
  kube create job tradewind-backup-now --from cronjob/tradewind-backup >/dev/null
  kube wait --for condition=complete job/tradewind-backup-now --timeout 300s >/dev/null
  kube logs job/tradewind-backup-now
  uninstall "persistentvolumeclaim/tradewind-backups
persistentvolumeclaim/tradewind-data"
}

# What operators are told to type, typed.
guides() {
  image "$BINARY" "$version-next"
  ON=$ON BINARY=$BINARY VERSION=$version NEXT=$version-next \
    scripts/cluster/guides.sh "$NAMESPACE-guides" docs/guides/*.md helm/tradewind/README.md k8s/README.md README.md
}

if [ -z "${BINARY:-}" ]; then
  cargo build --release --bin tradewind
  BINARY=target/release/tradewind
fi
[ "${PREVIOUS:-}" != build ] || PREVIOUS=$(scripts/cluster/previous.sh)
for tool in kubectl helm node curl; do
  command -v "$tool" >/dev/null || stop "$tool is missing; make chart-tools builds helm, $ON/README.md says where a cluster comes from."
done
kubectl version >/dev/null || stop "no cluster answers; KUBECONFIG is ${KUBECONFIG:-not set}. $ON/README.md says how to start one."
previous=$version-previous
export TRADEWIND_EMAIL=admin@example.com TRADEWIND_PASSWORD=a-password-for-development
trap end EXIT

say "images, namespace, PostgreSQL, Redis, Jaeger"
prepare
say "install"
begun=$(now)
upgrade "$previous"
echo "installed and ready in $(($(now) - begun)) ms"
reach
fill
figures "One pod kind a service, two pods each"
if chosen demo; then
  "$BINARY" demo
fi

begin_customers
step undisturbed "" sleep 10
if chosen roll; then step "every Deployment rolls" "" roll; fi
if chosen kill; then step "a pod of each Deployment is killed" "" kill_pods; fi
if chosen postgres; then step "PostgreSQL restarts" "" restart_postgres; fi
if chosen scale; then
  step "to three pods each" "" scale 3
  step "and back to two" "" scale 2
fi
if chosen upgrade; then
  step "upgrade" "$previous to $version" upgrade "$version"
  step "roll back" "" roll_back
  step "upgrade again" "" upgrade "$version"
fi
if chosen autoscale; then
  if has_metrics; then
    step "a rush, and its end" "autoscalers" autoscale
  else
    echo "SKIPPED: whether pods come and go by load, since no metrics-server answers in this cluster; $ON/README.md says how to add it"
  fi
fi
step undisturbed "" sleep 10
say "every order is looked up"
end_customers
held=yes
node scripts/cluster/table.js "$notes/steps" "$notes/orders" "$notes/rush" || held=
say "the services and the ledger agree"
"$BINARY" audit --wait 60 || held=
if ! helm test tradewind --namespace "$NAMESPACE" --timeout 3m >"$notes/tests"; then
  # What failed is kept, and what passed is gone.
  kube logs --selector app.kubernetes.io/name=tradewind-test --tail=-1 --prefix >&2
  held=
fi
if chosen trace; then trace; fi
figures "After all of it"
say "uninstall"
uninstall
if chosen guides; then
  say "the guides are followed"
  guides
fi
if chosen small; then small; fi
[ -n "$held" ] || stop "an order failed or was lost, or the audit found a difference; see above"
echo
echo "It held."

#!/usr/bin/env bash
# Shows one order as one trace: starts a Jaeger, a mesh that sends it what it does, and places an order.
# Usage: scripts/trace.sh
set -euo pipefail
cd "$(dirname "$0")/.."

PATH=$PWD/target/tools:$PATH
if ! command -v jaeger >/dev/null; then
  echo "tradewind: there is no Jaeger here. scripts/jaeger.sh builds one, in about eleven minutes." >&2
  exit 1
fi
cargo build --quiet --workspace --bins

data=$(mktemp -d)
running=()
end() {
  for process in "${running[@]}"; do
    kill "$process" 2>/dev/null && wait "$process" 2>/dev/null || true
  done
  rm -rf "$data"
}
trap end EXIT

# Asks until something answers as it should: the address, then a word of the answer.
await() {
  local tries
  for tries in $(seq 300); do
    curl --silent --fail "$1" | grep --quiet -- "$2" && return
    sleep 0.1
  done
  echo "tradewind: $1 did not answer in time" >&2
  return 1
}

otlp=127.0.0.1:${OTLP_PORT:-4317}
query=127.0.0.1:${QUERY_PORT:-16686}
gateway=127.0.0.1:${GATEWAY_PORT:-8080}
admin=127.0.0.1:${ADMIN_PORT:-9464}

JAEGER_OTLP=$otlp JAEGER_QUERY=$query JAEGER_HEALTH=127.0.0.1:${HEALTH_PORT:-13133} \
  jaeger --config scripts/trace/jaeger.yaml >"$data/jaeger.log" 2>&1 &
running+=($!)
await "http://$query/api/services" data

target/debug/tradewind serve --data "$data" --demo-shop --listen "$gateway" --admin-listen "$admin" \
  --otlp "http://$otlp" --otlp-signals traces --sample 0 >"$data/tradewind.log" 2>&1 &
running+=($!)
await "http://$admin/readyz" ready

# A trace of its own, which the order is placed in: a random id, kept.
trace=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
token=$(curl --silent --fail --request POST "http://$gateway/v1/sessions:guest" --data '{}' |
  node --print 'JSON.parse(require("fs").readFileSync(0)).accessToken')
variant=$(curl --silent --fail "http://$gateway/v1/products:search?query=shirt" |
  node --print 'JSON.parse(require("fs").readFileSync(0)).products[0].variants[0].id')
curl --silent --fail-with-body --output "$data/order.json" --request POST "http://$gateway/v1/orders" \
  --header "authorization: Bearer $token" --header 'idempotency-key: traced' \
  --header "traceparent: 00-$trace-00f067aa0ba902b7-01" --header 'content-type: application/json' \
  --data '{"lines": [{"variantId": "'"$variant"'", "quantity": 1}], "email": "ada@example.com",
    "shippingAddress": {"recipient": "Ada", "lines": ["Quay 7"], "city": "Hamburg", "countryCode": "DE"},
    "paymentMethod": "sim_ok"}' || { cat "$data/order.json" >&2; exit 1; }

# What follows an order by itself is told last.
await "http://$query/api/traces/$trace" 'consume tradewind.orders.v1.OrderConfirmed'
await "http://$query/api/traces/$trace" 'Recv.tradewind.orders.v1.OrdersService.PlaceOrder'
await "http://$query/api/traces/$trace" 'task commit_stock'

echo "http://$query/trace/$trace"
curl --silent --fail "http://$query/api/traces/$trace" | node scripts/trace/tree.js
if [ -t 0 ]; then
  read -r -p "Jaeger and the mesh run until you press return. "
fi

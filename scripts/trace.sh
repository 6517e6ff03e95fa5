#!/usr/bin/env bash
# Shows one order as one trace: starts a Jaeger, a mesh of eight processes that send it their spans, and places an
# order. PORT is the first of the twenty that it listens on.
# Usage: [PORT=…] scripts/trace.sh
set -euo pipefail
cd "$(dirname "$0")/.."

PATH=$PWD/target/tools:$PATH
if ! command -v jaeger >/dev/null; then
  echo "tradewind: there is no Jaeger here. scripts/jaeger.sh builds one, in about eleven minutes." >&2
  exit 1
fi
cargo build --quiet

port=${PORT:-7300}
services=(users catalog cart orders payments ledger notifications)

. scripts/beside.sh

# The address that is so many from the first.
at() {
  echo "127.0.0.1:$((port + $1))"
}

# Asks until something answers as it should: the address, then a word of the answer.
await() {
  local tries
  for tries in $(seq 600); do
    curl --silent --fail "$1" | grep --quiet -- "$2" && return
    sleep 0.1
  done
  echo "tradewind: $1 does not answer with $2" >&2
  tail -n 3 "$data"/*.log >&2
  exit 1
}

# Starts one process of the mesh: its service, its number among them, what else it is told.
serve() {
  local service=$1 number=$2 places=() other
  shift 2
  for other in "${!services[@]}"; do
    [ "${services[other]}" = "$service" ] || places+=(--at "${services[other]}=http://$(at $((other * 2)))")
  done
  target/debug/tradewind serve "$service" --data "$data" --mesh-key "$data/mesh.pem" "${places[@]}" \
    --mesh-listen "$(at $((number * 2)))" --admin-listen "$(at $((number * 2 + 1)))" \
    --otlp "http://$otlp" --otlp-signals traces --sample 0 "$@" >"$data/$service.log" 2>&1 &
  running+=($!)
}

otlp=$(at 16)
query=$(at 17)
gateway=$(at 18)
JAEGER_OTLP=$otlp JAEGER_QUERY=$query JAEGER_HEALTH=$(at 19) \
  jaeger --config scripts/trace/jaeger.yaml >"$data/jaeger.log" 2>&1 &
running+=($!)
await "http://$query/api/services" data

password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
target/debug/tradewind mesh-key "$data/mesh.pem" >"$data/mesh-key.log"
for number in "${!services[@]}"; do
  serve "${services[number]}" "$number" --admin-email trace@example.com --admin-password "$password"
done
for number in "${!services[@]}"; do
  await "http://$(at $((number * 2 + 1)))/readyz" ready
done
serve gateway 7 --listen "$gateway"
await "http://$(at 15)/readyz" ready
TRADEWIND_EMAIL=trace@example.com TRADEWIND_PASSWORD=$password target/debug/tradewind \
  import node/sample/shop.csv --url "http://$gateway" >"$data/import.log" 2>&1
await "http://$gateway/v1/products:search?query=shirt" var_

# The order is placed in a trace that nobody else is in, and that is kept.
trace=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
json='content-type: application/json'
variant=$(curl --silent "http://$gateway/v1/products:search?query=shirt" | grep -o 'var_[0-9a-z]*' | head -1)
token=$(curl --silent "http://$gateway/v1/sessions:guest" --header "$json" --data '{}' |
  sed 's/.*"accessToken":"\([^"]*\)".*/\1/')
curl --silent --fail-with-body --output "$data/order.json" "http://$gateway/v1/orders" --header "$json" \
  --header "authorization: Bearer $token" --header 'idempotency-key: traced' \
  --header "traceparent: 00-$trace-00f067aa0ba902b7-01" \
  --data '{"lines": [{"variantId": "'"$variant"'", "quantity": 1}], "email": "ada@example.com",
    "shippingAddress": {"recipient": "Ada", "lines": ["Quay 7"], "city": "Hamburg", "countryCode": "DE"},
    "paymentMethod": "sim_ok"}' || { cat "$data/order.json" >&2; exit 1; }

# The last to be told is what follows an order by itself, and then whatever waited for that.
for span in Recv.tradewind.orders.v1.OrdersService.PlaceOrder 'task commit_stock' 'task settle_attempt' \
  'consume tradewind.orders.v1.OrderConfirmed' 'publish notifications' 'publish cart'; do
  await "http://$query/api/traces/$trace" "$span"
done

echo "http://$query/api/traces/$trace"
curl --silent --fail "http://$query/api/traces/$trace" | node scripts/trace/tree.js
if [ -t 0 ]; then
  read -r -p "Jaeger and the mesh run until you press return. "
fi

#!/usr/bin/env bash
# Holds alert rules, dashboards and runbooks: that they are well formed, that every metric that they name is one which a
# running mesh exposes or its source registers, and that the rules fire when they should and only then.
# Usage: scripts/observability.sh
set -euo pipefail
cd "$(dirname "$0")/.."

rules=helm/tradewind/files/alerts.yaml

. scripts/beside.sh

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# Two processes of one mesh, so that calls between them are counted too; the sample shop, one purchase, one backup.
pages() {
  local near="users catalog cart" far="orders payments ledger notifications" to_far=() to_near=() name
  local near_port far_port gateway first second
  near_port=$(free_port) far_port=$(free_port) gateway=$(free_port) first=$(free_port) second=$(free_port)
  for name in $far; do to_far+=(--at "$name=http://127.0.0.1:$far_port"); done
  for name in $near; do to_near+=(--at "$name=http://127.0.0.1:$near_port"); done
  TRADEWIND_PASSWORD=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
  export TRADEWIND_PASSWORD TRADEWIND_EMAIL=admin@example.com XDG_CONFIG_HOME=$data
  "$binary" mesh-key "$data/mesh.pem" >"$data/log"
  # shellcheck disable=SC2086 # a word for each service
  "$binary" serve gateway $near "${to_far[@]}" --demo-shop --admin-password "$TRADEWIND_PASSWORD" \
    --data "$data" --mesh-key "$data/mesh.pem" --backup-to "$data/backups" --listen "127.0.0.1:$gateway" \
    --mesh-listen "127.0.0.1:$near_port" --admin-listen "127.0.0.1:$first" >>"$data/log" 2>&1 &
  running+=($!)
  # shellcheck disable=SC2086
  "$binary" serve $far "${to_near[@]}" --data "$data" --mesh-key "$data/mesh.pem" \
    --mesh-listen "127.0.0.1:$far_port" --admin-listen "127.0.0.1:$second" >>"$data/log" 2>&1 &
  running+=($!)
  await "http://127.0.0.1:$second/readyz"
  await "http://127.0.0.1:$gateway/v1/products:search?query=shirt"
  "$binary" demo --url "http://127.0.0.1:$gateway" >>"$data/log" 2>&1 || { cat "$data/log" >&2; return 1; }
  curl --silent --fail "http://127.0.0.1:$first/metrics" >"$data/first"
  curl --silent --fail "http://127.0.0.1:$second/metrics" >"$data/second"
}

await() {
  local _
  for _ in $(seq 300); do
    curl --silent --fail --output /dev/null "$1" && return
    sleep 0.1
  done
  echo "tradewind: $1 does not answer:" >&2
  cat "$data/log" >&2
  return 1
}

binary=${TRADEWIND:-target/debug/tradewind}
node scripts/observability/dashboards.js check
if [ -x "$binary" ]; then
  pages
  node scripts/observability/check.js "$data/first" "$data/second"
else
  echo "SKIPPED: what a running mesh exposes, since $binary is not built"
  node scripts/observability/check.js
fi
promtool check rules --lint=all "$rules"
node scripts/observability/queries.js >"$data/queries.yaml"
promtool check rules --lint=none "$data/queries.yaml" >"$data/log" || { cat "$data/log" >&2; exit 1; }
promtool test rules scripts/observability/alerts_test.yaml

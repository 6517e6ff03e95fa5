#!/usr/bin/env bash
# Runs the published suites of gRPC and of Connect, and tools that speak both, and counts what holds.
# docs/conformance.md says what they are. Usage: scripts/conformance.sh [interop|connect|tools ..]
set -euo pipefail
cd "$(dirname "$0")/.."

known=tests/conformance/known-failing.txt
conformance=target/debug/conformance
logs=target/conformance
rows=()
wrong=0
. scripts/beside.sh

# Waits until a file has what a pattern finds, and prints that.
await() {
  local file=$1 pattern=$2 found tries
  for ((tries = 0; tries < 300; tries++)); do
    found=$(sed -n "$pattern" "$file" 2>/dev/null | head -n 1)
    [ -n "$found" ] && echo "$found" && return
    sleep 0.1
  done
  echo "conformance: $file never had $pattern" >&2
  return 1
}

# The cases of a suite that are known to fail.
known_to_fail() {
  sed -n "s/^$1 \+\([^#]*[^# ]\) *#.*/\1/p" "$known"
}

row() {
  rows+=("$(printf '%-44s %6s %6s %6s' "$1" "$2" "$3" "$4")")
}

skip() {
  rows+=("$(printf '%-44s skipped: %s is not here' "$1" "$2")")
  wrong=1
}

# Judges the lines `ok CASE` and `FAILED CASE ..` of a suite by what is known.
judge() {
  local name=$1 suite=$2 file=$3 held=0 expected=0 outcome case
  while read -r outcome case; do
    case=${case%%:*}
    if known_to_fail "$suite" | grep -qxF -- "$case"; then
      if [ "$outcome" = ok ]; then
        echo "$name: $case holds now: take it out of $known" && wrong=1
      else
        expected=$((expected + 1))
      fi
    elif [ "$outcome" = ok ]; then
      held=$((held + 1))
    else
      echo "$name: $case fails" && wrong=1
    fi
  done < <(grep -E '^(ok|FAILED) ' "$file")
  row "$name" "$(grep -cE '^(ok|FAILED) ' "$file" || true)" "$held" "$expected"
}

# grpc-go's cases that need no credentials of a cloud.
cases="empty_unary large_unary client_streaming server_streaming ping_pong empty_stream
  timeout_on_sleeping_server cancel_after_begin cancel_after_first_response status_code_and_message
  special_status_message custom_metadata unimplemented_method unimplemented_service pick_first_unary
  orca_per_rpc orca_oob rpc_soak channel_soak"

# The client of grpc-go against the mesh.
interop_server() {
  local name="gRPC interop: grpc-go's client, our server" client=target/tools/interop/client port case
  [ -x $client ] || { skip "$name" grpc-go && return; }
  # It serves until its input ends, which the sleep keeps open.
  sleep 3600 | $conformance interop-server >$logs/server.port &
  running+=($! "$(jobs -p | tail -n 1)")
  port=$(await $logs/server.port p)
  : >$logs/interop-server.txt
  for case in $cases; do
    local balancer=()
    [[ $case == orca_* ]] &&
      balancer=(--service_config_json '{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}')
    if timeout 45 $client --server_host 127.0.0.1 --server_port "$port" --test_case "$case" \
      "${balancer[@]}" >$logs/"$case".log 2>&1; then
      echo "ok $case"
    else
      echo "FAILED $case"
    fi >>$logs/interop-server.txt
  done
  judge "$name" interop-server $logs/interop-server.txt
}

# The mesh's channel against the server of grpc-go.
interop_client() {
  local name="gRPC interop: our client, grpc-go's server" server=target/tools/interop/server port
  [ -x $server ] || { skip "$name" grpc-go && return; }
  GRPC_GO_LOG_SEVERITY_LEVEL=info $server --port 0 >$logs/go-server.log 2>&1 &
  running+=($!)
  port=$(await $logs/go-server.log 's/.*listening on .*:\([0-9]*\)$/\1/p')
  $conformance interop-client --address "http://127.0.0.1:$port" >$logs/interop-client.txt || true
  judge "$name" interop-client $logs/interop-client.txt
}

# The Connect suite against the gateway. What a clock may end on either side is run by itself, so that the
# rest has the same counts each time.
connect() {
  known_to_fail connect >$logs/known-failing.txt
  known_to_fail connect-flaky >$logs/known-flaky.txt
  suite "Connect suite: its client, our gateway" --skip @$logs/known-flaky.txt
  suite "Connect suite: its cases of timeouts" --run @$logs/known-flaky.txt
}

# Its runner judges; besides, what is known to fail by its details must not differ in anything else.
suite() {
  local name=$1 runner=target/tools/connectconformance said=$logs/connect.txt total held expected others
  shift
  [ -x $runner ] || { skip "$name" connectconformance && return; }
  timeout 300 $runner --mode server --conf tests/conformance/connect.yaml --verbose "$@" \
    --known-failing @$logs/known-failing.txt --known-flaky @$logs/known-flaky.txt \
    -- $conformance connect-server >$said 2>&1 || wrong=1
  grep -A 6 '^FAILED: ' $said || true
  others=$(awk '/failed \(as expected\):$/ { known = $0; next }
    !/^\t/ { known = ""; next }
    known && /[^\t ]/ && !/details; expecting|could not check debug data/ { print known; print }' $said)
  [ -z "$others" ] || { echo "$others" && wrong=1; }
  total=$(sed -n 's/^Total cases: //p' $said)
  held=$(sed -n 's/^\([0-9]*\) passed,.*/\1/p' $said)
  expected=$(sed -n 's/.*Another \([0-9]*\) failed as expected.*/\1/p' $said)
  row "$name" "${total:-0}" "${held:-0}" "${expected:-0}"
}

# Lines of docs/conformance.md against a running mesh: gateway and mesh port.
tools() {
  local quiet=(--data "$data" --admin-listen 127.0.0.1:0) port=$((20000 + RANDOM % 10000)) node address
  target/debug/tradewind serve --demo-shop --listen 127.0.0.1:0 "${quiet[@]}" >$logs/gateway.log 2>&1 &
  node=$!
  running+=($node)
  address=$(await $logs/gateway.log 's|^  gateway    http://\(.*\)/$|\1|p')
  lines "the gateway, over h2c" "$address"
  kill $node && wait $node || true
  target/debug/tradewind serve users catalog cart orders payments ledger notifications \
    --mesh-listen "127.0.0.1:$port" "${quiet[@]}" >$logs/mesh.log 2>&1 &
  running+=($!)
  await $logs/mesh.log '/^tradewind serves/p' >/dev/null
  lines "the mesh port" "127.0.0.1:$port"
}

# Each line of the page, with the address of what runs here in the place of the usual one.
lines() {
  local name="ghz and grpcurl: $1" address=$2 line file=$logs/tools.txt
  local path=$PWD/target/tools:$PATH
  for line in ghz grpcurl; do
    PATH=$path command -v $line >/dev/null || { skip "$name" $line && return; }
  done
  : >$file
  while read -r line; do
    if PATH=$path bash -euo pipefail -c "${line/localhost:8080/$address}" >$logs/line.log 2>&1; then
      echo "ok $line"
    else
      echo "FAILED $line" && cat $logs/line.log >&2
    fi >>$file
  done < <(sed -n '/^```sh$/,/^```$/p' docs/conformance.md | grep -E '^(ghz|grpcurl) ')
  judge "$name" tools $file
}

mkdir -p $logs
scripts/install.sh conformance
# For the whole workspace, as its tests are built: by themselves these two would have other features.
cargo build --quiet --workspace --bin conformance --bin tradewind
for part in "${@:-all}"; do
  case $part in
    all) interop_server && interop_client && connect && tools ;;
    interop) interop_server && interop_client ;;
    connect | tools) "$part" ;;
    *) echo "usage: $0 [interop|connect|tools ..]" >&2 && exit 2 ;;
  esac
done

printf '\n%-44s %6s %6s %6s\n' suite cases hold known
printf '%s\n' "${rows[@]}"
[ $wrong -eq 0 ] || { echo "conformance: not all is as docs/conformance.md has it; see $logs" >&2 && exit 1; }

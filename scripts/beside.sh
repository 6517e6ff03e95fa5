# To be sourced: processes that run beside a script, and a directory of theirs, both gone when it ends, whatever ends it.
# shellcheck shell=bash

data=$(mktemp -d)
running=()

end() {
  local process
  for process in "${running[@]}"; do
    kill "$process" 2>/dev/null || true
  done
  wait
  rm -rf "$data"
}
trap end EXIT

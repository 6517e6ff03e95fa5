#!/usr/bin/env bash
# Installs by name what is missing to run, or to test, and says what it cannot install.
# Usage: scripts/install.sh run|trace|test|coverage|bench|conformance|supply
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()

# Asks for Debian packages unless a command is there.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null || missing+=("$@")
}

# The same for what is no command: the first argument is a pattern of files.
need_file() {
  local pattern=$1
  shift
  compgen -G "$pattern" >/dev/null || missing+=("$@")
}

# Runs a command as root, or prints it and stops.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif sudo -n true 2>/dev/null; then
    sudo DEBIAN_FRONTEND=noninteractive "$@"
  else
    stop "apt-get update && apt-get install --yes --no-install-recommends ${missing[*]}"
  fi
}

stop() {
  echo "tradewind: something is missing that only root can install. Run this as root, then try again:" >&2
  echo "  $1" >&2
  exit 1
}

install_packages() {
  [ ${#missing[@]} -eq 0 ] && return
  if ! command -v apt-get >/dev/null; then
    echo "tradewind: install what these Debian packages hold, then try again: ${missing[*]}" >&2
    exit 1
  fi
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -qq
  as_root apt-get install --yes -qq --no-install-recommends "${missing[@]}"
}

# The toolchain of rust-toolchain.toml comes by itself where rustup is; its first use is here, so
# that a download is not mistaken for a build.
check_rust() {
  if ! command -v cargo >/dev/null; then
    echo "tradewind: Rust is missing: get it from https://rustup.rs, then try again." >&2
    exit 1
  fi
  if ! command -v rustup >/dev/null; then
    local wanted
    wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    case "$(cargo --version)" in
      "cargo $wanted "*) ;;
      *) echo "tradewind: this builds with Rust $wanted; here is $(cargo --version)." >&2 ;;
    esac
  fi
}

# What a lock file pins; npm is asked only when the lock file is newer.
install_locked() {
  local folder=$1
  local lock=$folder/package-lock.json installed=$folder/node_modules/.package-lock.json
  [ -f "$installed" ] && [ ! "$lock" -nt "$installed" ] && return
  echo "installing what $lock names"
  npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error
  touch "$installed"
}

check_node() {
  local major
  major=$(node --print 'process.versions.node.split(".")[0]')
  if [ "$major" -lt 20 ]; then
    echo "tradewind: the SDK needs Node 20 or newer; here is $(node --version)." >&2
    exit 1
  fi
}

# A tool that is built where Go is, and done without elsewhere: what lacks it, the folder, the package.
install_go_tool() {
  local lacking=$1 folder=target/tools/$2 package=$3
  local name=${package%@*}
  name=${name##*/}
  # What was built before versions were noted is what is named here.
  [ -x "$folder/$name" ] && [ "$(cat "$folder/$name.version" 2>/dev/null || echo "$package")" = "$package" ] && return
  command -v go >/dev/null || return 0
  echo "building $name"
  if GOBIN=$PWD/$folder GOFLAGS=${GOFLAGS:--p=2} go install "$package"; then
    echo "$package" >"$folder/$name.version"
  else
    echo "tradewind: $name could not be built; $lacking will be skipped." >&2
  fi
}

# A test runs the README's lines of grpcurl where it is.
install_grpcurl() {
  command -v grpcurl >/dev/null ||
    install_go_tool "its test" . github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
}

# A tool that is built from its crate, minutes long: its name, its version.
install_cargo_tool() {
  local name=$1 version=$2
  [ -x "target/tools/$name" ] && [ "$(cat "target/tools/$name.version" 2>/dev/null)" = "$version" ] && return
  echo "building $name $version"
  cargo install --locked --root target/tools/cargo --target-dir target/tools/cargo/target "$name@$version"
  cp "target/tools/cargo/bin/$name" "target/tools/$name"
  rm -rf target/tools/cargo
  echo "$version" >"target/tools/$name.version"
}

case "${1:-}" in
  run | trace | test | coverage | bench | conformance | supply) ;;
  *)
    echo "usage: $0 run|trace|test|coverage|bench|conformance|supply" >&2
    exit 2
    ;;
esac

need cc gcc libc6-dev
need cmake cmake
need make make
need protoc protobuf-compiler
# What protoc imports stands beside it; its package only recommends the one that brings it.
protoc=$(command -v protoc || echo /usr/bin/protoc)
need_file "${protoc%/bin/protoc}/include/google/protobuf/descriptor.proto" libprotobuf-dev
if [ "$1" = test ] || [ "$1" = coverage ] || [ "$1" = bench ]; then
  # Debian's package of the server brings pgbench with it.
  need_file '/usr/lib/postgresql/*/bin/initdb' postgresql
  need git git
  need curl curl
  need strace strace
  need redis-server redis-server
fi
if [ "$1" = trace ]; then
  need curl curl
  need node nodejs
fi
if [ "$1" = test ] || [ "$1" = coverage ]; then
  # Faults are put into networks and file systems of their own, and into clocks.
  need ip iproute2
  need mount mount
  need faketime faketime
  # A guide encrypts a backup with it.
  need age age
  # Alert rules are tried by promtool, and a doctor asks a Prometheus.
  need promtool prometheus
  need node nodejs
  need npm npm
  need chromium chromium
fi

install_packages
check_rust
if [ "$1" = supply ]; then
  install_cargo_tool cargo-deny 0.20.2
fi
# What reads counts of the very compiler that made them.
if [ "$1" = coverage ] && ! scripts/coverage.sh tools; then
  rustup component add llvm-tools
fi
if [ "$1" = test ] || [ "$1" = coverage ]; then
  check_node
  install_locked scripts/buf
  install_locked scripts/openapi
  install_locked clients/typescript
  install_grpcurl
  # What Compose itself reads its files with.
  install_go_tool "the check of compose.yaml" compose github.com/compose-spec/compose-go/v2/cmd@v2.16.2
  install_go_tool "the lint of workflows" . github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
fi
if [ "$1" = bench ] && command -v go >/dev/null; then
  # At the versions of its go.sum.
  GOFLAGS=${GOFLAGS:--p=2} go build -C bench/go -mod=readonly -o "$PWD/target/tools/grpc-go-echo" . ||
    echo "tradewind: grpc-go's echo could not be built; its row will be skipped." >&2
fi
if [ "$1" = conformance ]; then
  install_go_tool "the client of the gRPC tests" interop google.golang.org/grpc/interop/client@v1.85.0
  install_go_tool "the server of the gRPC tests" interop google.golang.org/grpc/interop/server@v1.85.0
  install_go_tool "the Connect suite" . connectrpc.com/conformance/cmd/connectconformance@v1.0.7
  install_go_tool "its lines" . github.com/bojand/ghz/cmd/ghz@v0.93.0
  install_grpcurl
fi

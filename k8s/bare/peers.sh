#!/usr/bin/env bash
# Packs what a mesh leans on as images, of programs that are on this machine: PostgreSQL and Redis from Debian, kubectl of
# tools.sh, Jaeger of scripts/jaeger.sh. kustomization.yaml names them in the place of those from registries.
# Usage: k8s/bare/peers.sh
set -euo pipefail
cd "$(dirname "$0")"
. ./cluster.sh
. ../../scripts/image/pack.sh

images=$CLUSTER_HOME/images
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

# The first of some programs that is here.
find_program() {
  local program
  for program in "$@"; do
    program=$(command -v "$program") && echo "$program" && return
  done
  stop "none of $* is here; scripts/install.sh test installs them, scripts/jaeger.sh and k8s/bare/tools.sh build them"
}

# Puts a program into an image: its folder, its place there, what it may be called here.
put() {
  local root=$1 place=$2 program
  shift 2
  program=$(find_program "$@")
  take_program "$root" "$program" "$place"
}

pack_postgres() {
  local root=$made/postgres server programs version program module libraries
  server=$(find_program /usr/lib/postgresql/*/bin/postgres)
  programs=$(dirname "$server")
  version=$(basename "$(dirname "$programs")")
  take_user "$root" postgres 999
  put "$root" /bin/sh dash
  for program in postgres initdb pg_ctl pg_isready psql; do
    take_program "$root" "$programs/$program"
  done
  put "$root" /bin/rm rm
  take "$root" "/usr/lib/postgresql/$version/lib" "/usr/share/postgresql/$version" /usr/share/zoneinfo /usr/lib/locale/C.utf8
  for module in "$root/usr/lib/postgresql/$version/lib"/{plpgsql,dict_snowball,libpqwalreceiver}.so; do
    mapfile -t libraries < <(libraries_of "$module")
    take "$root" "${libraries[@]}"
  done
  rm -rf "$root/usr/lib/postgresql/$version/lib/bitcode"
  pack "$root" "$images/postgres.tar" localhost/postgres:debian \
    '{"User": "999:999", "Env": ["PATH='"$programs"':/bin", "LANG=C.UTF-8"], "WorkingDir": "/tmp"}'
}

pack_redis() {
  local root=$made/redis
  take_user "$root" redis 999
  put "$root" /bin/redis-server redis-server
  pack "$root" "$images/redis.tar" localhost/redis:debian '{"User": "999:999", "Env": ["PATH=/bin"], "WorkingDir": "/tmp"}'
}

pack_jaeger() {
  local root=$made/jaeger
  take_user "$root" jaeger 10001
  put "$root" /bin/jaeger "$PWD/../../target/tools/jaeger" jaeger
  pack "$root" "$images/jaeger.tar" localhost/jaeger:2.13.0 '{"User": "10001:10001", "Entrypoint": ["/bin/jaeger"], "WorkingDir": "/tmp"}'
}

pack_kubectl() {
  local root=$made/kubectl
  take_user "$root" kubectl 65532
  put "$root" /bin/sh dash
  take_program "$root" "$BIN/kubectl" /bin/kubectl
  pack "$root" "$images/kubectl.tar" localhost/kubectl:1.34.4 '{"User": "65532:65532", "Env": ["PATH=/bin"], "WorkingDir": "/tmp"}'
}

mkdir -p "$images"
[ -e "$images/postgres.tar" ] || pack_postgres
[ -e "$images/redis.tar" ] || pack_redis
[ -e "$images/jaeger.tar" ] || pack_jaeger
[ -e "$images/kubectl.tar" ] || pack_kubectl

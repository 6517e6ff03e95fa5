#!/usr/bin/env bash
# Makes an image of Tradewind without Docker: the binary, what of PostgreSQL backups are made with, the libraries that
# these are linked with, authorities, a user who is not root. BINARY is packed when it is given; else a release is built.
# Usage: [BINARY=…] [IMAGE=…] [TAG=…] [ARCHIVE=…] scripts/image.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/image/pack.sh

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
name=${IMAGE:-localhost/tradewind}:${TAG:-$version}
archive=${ARCHIVE:-target/images/tradewind-${TAG:-$version}.tar}

if [ -z "${BINARY:-}" ]; then
  cargo build --release --bin tradewind
  BINARY=target/release/tradewind
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
take_user "$root" tradewind 65532
take_program "$root" "$BINARY" /usr/bin/tradewind
# Names of functions stay, for the profiles that the operators' port takes.
strip --strip-debug "$root/usr/bin/tradewind"
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
  take "$root" /etc/ssl/certs/ca-certificates.crt
else
  echo "tradewind: there are no authorities here (Debian: ca-certificates); the image has none: TLS to others fails." >&2
fi
# The newest that is here: it reads servers of its own version and older ones.
programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort | tail -1)
if [ -x "$programs/pg_dump" ] && [ -x "$programs/pg_restore" ]; then
  take_program "$root" "$programs/pg_dump"
  take_program "$root" "$programs/pg_restore"
else
  echo "tradewind: there is no pg_dump here (Debian: postgresql-client); the image has none: it makes no backups of PostgreSQL." >&2
fi
# A volume that is mounted here is the user's.
mkdir -p "$root/var/lib/tradewind"
pack "$root" "$archive" "$name" '{"User": "65532:65532", "Entrypoint": ["/usr/bin/tradewind"], "Cmd": ["serve"], "WorkingDir": "/var/lib/tradewind", "Env": ["PATH=/usr/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"], "ExposedPorts": {"8080/tcp": {}, "7000/tcp": {}, "9464/tcp": {}}, "Labels": {"org.opencontainers.image.title": "Tradewind", "org.opencontainers.image.version": "'"$version"'", "org.opencontainers.image.licenses": "Apache-2.0"}}'

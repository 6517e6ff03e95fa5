# syntax=docker/dockerfile:1.7
# One image for every role: `tradewind serve`, or `serve orders payments`, or any other command.
#
#   docker build --tag localhost/tradewind:0.1.0 .
#
# Without Docker, scripts/image.sh makes the same of a binary that is there.

FROM rust:1.95-bookworm AS toolchain
RUN apt-get update \
 && apt-get install --yes --no-install-recommends cmake protobuf-compiler libprotobuf-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY rust-toolchain.toml .
RUN cargo --version

# Of the sources, what dependencies are built from. This stage runs at each change, and mostly ends with the same files.
FROM toolchain AS skeleton
COPY . .
RUN scripts/image/skeleton.sh .

# So this layer is kept until a manifest or the lock file changes: it is compared by what is copied.
FROM toolchain AS dependencies
COPY --from=skeleton /src .
RUN cargo build --release --locked --bin tradewind

FROM dependencies AS build
COPY . .
# The skeleton's sources may be newer than those that take their place.
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
 && cargo build --release --locked --bin tradewind \
 # Names of functions stay, for the profiles that the operators' port takes.
 && strip --strip-debug --output /tradewind target/release/tradewind \
 && mkdir /data

# What backups of PostgreSQL are made with: it reads servers of its own version and older ones. The C library is that of
# the image below.
FROM postgres:17-bookworm AS postgres
COPY scripts/image/pack.sh /
RUN bash -euc '. /pack.sh; for program in pg_dump pg_restore; do take_program /made "/usr/lib/postgresql/17/bin/$program"; done' \
 && dpkg --listfiles libc6 | sed 's|^|/made|' | xargs -I {} sh -c 'test -d "{}" || rm -f "{}"' \
 && cp -r /made/lib/. /made/usr/lib/

# glibc, libgcc, authorities and a user who is not root (65532); no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /tradewind /usr/bin/tradewind
COPY --from=postgres /made/usr/lib /usr/lib
COPY --from=build --chown=65532:65532 /data /var/lib/tradewind
WORKDIR /var/lib/tradewind
EXPOSE 8080 7000 9464
ENTRYPOINT ["/usr/bin/tradewind"]
CMD ["serve"]

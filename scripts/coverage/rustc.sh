#!/usr/bin/env bash
# Compiles our own crates so that they count what runs; those of others are compiled as ever. Cargo calls it with the compiler.
exec "$@" -C instrument-coverage

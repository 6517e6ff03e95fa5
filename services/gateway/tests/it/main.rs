//! The edge as its callers see it.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod catalog;
mod coding;
mod connect;
mod contracts;
mod cors;
mod echo;
mod failures;
mod grammar;
mod grpc;
mod grpc_web;
mod headers;
mod hostile;
mod json;
mod pages;
mod properties;
mod query;
mod streams;
mod support;
mod wellknown;
mod wire;

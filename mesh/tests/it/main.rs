//! The mesh as its services and its callers see it, near and far.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod access;
mod admin;
mod admission;
mod asking;
mod balancing;
mod cache;
mod cancellation;
mod certificates;
mod connections;
mod deadline;
mod drain;
mod errors;
mod fleet;
mod frames;
mod health;
mod identity;
mod limits;
mod metrics;
mod parrot;
mod reach;
mod receiver;
mod retries;
mod service_tokens;
mod shape;
mod signer;
mod sizes;
mod trace;
mod validation;

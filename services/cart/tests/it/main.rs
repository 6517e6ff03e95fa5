//! The cart as its callers meet it, on both databases.

#![expect(clippy::unwrap_used, reason = "what a test does not expect fails it")]

mod expiry;
mod limits;
mod lines;
mod merge;
mod orders;
mod repeats;
mod shop;

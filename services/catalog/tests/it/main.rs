//! The catalog as its callers see it, on both databases.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod categories;
mod import;
mod ledger;
mod offers;
mod products;
mod search;
mod shop;
mod stock;

//! Orders as their callers meet them, on both databases, beside small servers of the other contracts.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod breaks;
mod cancel;
mod crash;
mod customers;
mod expiry;
mod listener;
mod lost;
mod outcomes;
mod pay;
mod place;
mod read;
mod refund;
mod repeats;
mod sagas;
mod ship;
mod stock;
mod till;
mod undecided;
mod world;

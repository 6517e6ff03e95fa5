//! Payments, through every layer of the mesh, on both databases.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without has failed it")]

mod bank;
mod book;
mod cancel;
mod crash;
mod pay;
mod refund;
mod shop;
mod unknown;

//! Payments, through every layer of the mesh, on both databases.

mod bank;
mod book;
mod cancel;
mod crash;
mod pay;
mod refund;
mod shop;
mod unknown;

//! The mesh as its users see it: real processes, real databases, real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod buyers;
mod commands;
mod commits;
mod crashes;
mod customer;
mod hostile;
mod http;
mod imports;
mod journeys;
mod parts;
mod sample;
mod world;

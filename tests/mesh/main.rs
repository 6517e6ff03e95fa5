//! The mesh as its users see it: real processes, real databases, real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod buyers;
mod client;
mod commands;
mod configuration;
mod crashes;
mod customer;
mod hostile;
mod http;
mod journeys;
mod operator;
mod readme;
mod sample;
mod world;

//! The mesh as its users see it: real processes, real databases, real sockets.

mod buyers;
mod commands;
mod crashes;
mod customer;
mod hostile;
mod http;
mod journeys;
mod sample;
mod world;

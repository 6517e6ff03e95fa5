//! The mesh as its users see it: real processes, real databases, real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod audit;
mod auditing;
mod backups;
mod buyers;
mod client;
mod commands;
mod commits;
mod configuration;
mod crashes;
mod customer;
mod doctor;
mod errors;
mod events;
mod guides;
mod hostile;
mod http;
mod imports;
mod journeys;
mod migrating;
mod operator;
mod outbox;
mod pages;
mod parts;
mod prometheus;
mod readme;
mod redis;
mod sample;
mod shell;
mod tasks;
mod tools;
mod traces;
mod world;

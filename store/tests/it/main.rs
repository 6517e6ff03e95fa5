//! The store on both databases.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod ahead;
mod backlog;
mod backups;
mod connections;
mod events;
mod groups;
mod keys;
mod leases;
mod lists;
mod migrations;
mod notes;
mod operators;
mod outbox;
mod priorities;
mod replicas;
mod resources;
mod schedules;
mod schemas;
mod tasks;
mod world;

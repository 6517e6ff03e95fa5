//! Users as their callers meet them, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod desk;
mod first_passwords;
mod journey;
mod keys;
mod mesh_projects;
mod passwords;
mod projects;
mod races;
mod replicas;
mod roles;
mod sweeps;
mod tables;
mod throttling;
mod tokens;

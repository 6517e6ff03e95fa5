//! Users as their callers meet them, on both databases.

mod desk;
mod journey;
mod keys;
mod passwords;
mod projects;
mod races;
mod replicas;
mod roles;
mod sweeps;
mod tables;
mod throttling;
mod tokens;

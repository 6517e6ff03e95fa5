//! The store on both databases.

mod connections;
mod events;
mod keys;
mod lists;
mod migrations;
mod notes;
mod resources;
mod tasks;
mod world;

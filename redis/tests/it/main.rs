//! What goes through Redis, on a real server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod events;
mod locks;
mod replicas;
mod world;

//! The Connect conformance suite: its service on the mesh, behind the gateway.

mod definition;
pub(crate) mod server;
mod service;
mod streams;

//! What there is in a process, for who looks at it while it runs (gRFC A14): channels with their
//! subchannels, servers, and the sockets of both.
//!
//! Whoever makes one of them registers it and keeps the handle; it is listed until the handle is dropped.

mod registry;
mod service;
mod tally;
mod trace;

pub use registry::{Channel, Registry, Server, Socket, State};
pub(crate) use service::Channelz;
pub use tally::{Calls, Traffic};
pub use trace::Severity;

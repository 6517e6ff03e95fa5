//! gRPC's interoperability tests, from both sides.

mod cases;
pub(crate) mod client;
mod load;
pub(crate) mod server;
mod test_service;

/// Metadata that the server is to send back before its messages.
const INITIAL: &str = "x-grpc-test-echo-initial";
/// Metadata that the server is to send back after its messages.
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

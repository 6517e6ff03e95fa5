//! The contracts of the suites, compiled as every other contract is.
//!
//! Invariant: names and numbers are as published; only the policy that the mesh asks of an RPC is ours.

#[expect(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
    include!(concat!(env!("OUT_DIR"), "/checks.rs"));
    include!(concat!(env!("OUT_DIR"), "/resources.rs"));
}

pub use generated::connectrpc::conformance::v1 as conformance;
pub use generated::grpc::testing;

/// The contracts as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

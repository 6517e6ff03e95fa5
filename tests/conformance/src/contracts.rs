//! The contracts of the suites, compiled as every other contract is.

#[expect(
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

pub(crate) use generated::connectrpc::conformance::v1 as conformance;
pub(crate) use generated::grpc::testing;

/// The contracts as an encoded `google.protobuf.FileDescriptorSet`.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

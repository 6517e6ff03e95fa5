//! The contract of the replicas, compiled as every other contract is.

use std::sync::Arc;

use anyhow::Result;
use mesh::policy::Policies;

#[expect(
    unreachable_pub,
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

pub(crate) use generated::faults::v1::{EchoRequest, EchoResponse};
pub(crate) use generated::faults::v1::{echo_service_client, echo_service_server};

/// The contract as an encoded `google.protobuf.FileDescriptorSet`.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// What the contract says of deadlines and of trying again.
pub(crate) fn policies() -> Result<Arc<Policies>> {
    Ok(Arc::new(Policies::read(&[contract::DESCRIPTORS, DESCRIPTORS])?))
}

//! What every contract is made of: the mesh's options, resources as rows, money, the codec.
//!
//! Invariant: no I/O and no async; nothing here knows a domain, a database or a network.

pub mod codec;
mod money_math;
mod resource;

pub use money_math::{MoneyError, decimals};
pub use prost_protovalidate::{ValidationError as Violations, Violation};
pub use resource::{Column, Kind, Malformed, ReadRow, Resource, Stamp, Value, WriteRow};

#[expect(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::expect_used,
    reason = "generated"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
    include!(concat!(env!("OUT_DIR"), "/checks.rs"));
    include!(concat!(env!("OUT_DIR"), "/resources.rs"));
}

pub use generated::tradewind::{mesh, money};
pub use generated::{google, grpc};

/// A message that can say what is wrong with it, by the rules of its contract.
///
/// `contract-build` implements it for every message; only a server's decoder asks, since a client
/// that refused a newer server's answer could not be older than its server.
pub trait Check {
    /// Every rule that the message breaks, with the field's path.
    fn check(&self) -> Result<(), Violations>;
}

impl Check for () {
    fn check(&self) -> Result<(), Violations> {
        Ok(())
    }
}

/// These contracts as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

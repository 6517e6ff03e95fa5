//! The contracts of every Tradewind service, compiled from `proto/`.
//!
//! A package is a module: `tradewind::catalog::v1::Product`.
//!
//! Invariant: no I/O and no async.

#[expect(
    missing_docs,
    unreachable_pub,
    unused_mut,
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

pub mod roles;

pub use contract::{MoneyError, money};
pub use generated::tradewind::*;

/// Every contract as an encoded `google.protobuf.FileDescriptorSet`, with options, imports and comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

//! The contracts answered, a file for each gRPC service.

pub(crate) mod catalog;
pub(crate) mod stock;

pub(crate) use catalog::Catalog;
pub(crate) use stock::Stock;

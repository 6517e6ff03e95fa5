//! The SQL of the ledger.

pub(crate) mod accounts;
pub(crate) mod book;
pub(crate) mod references;
pub(crate) mod rows;
pub(crate) mod transfers;
pub(crate) mod verify;

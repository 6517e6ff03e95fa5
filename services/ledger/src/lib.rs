//! The double-entry book: accounts, transfers, what is held, and whether it adds up.
//!
//! Invariant: a transfer debits one account and credits another with the same amount, once; the
//! balances of an account are the sums of its transfers, in the same transaction.

mod account;
mod book;
mod bulk;
mod error;
mod rpc;
mod store;
mod sweep;
mod transfer;
mod verify;
mod writer;

use ::store::{Migration, Store};
use mesh::Mesh;
use tradewind::ledger::v1::ledger_service_server::LedgerServiceServer;

/// The noun that this service is called by, everywhere.
pub const NAME: &str = "ledger";

/// The tables, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration::new("0001_ledger", include_str!("../migrations/0001_ledger.sql")),
    Migration::new("0002_holds", include_str!("../migrations/0002_holds.sql")),
];

/// The services that it calls.
pub const CALLS: &[&str] = &[];

/// The events that it consumes.
pub const CONSUMES: &[&str] = &[];

/// The service, over its store.
#[must_use]
pub fn service(store: Store, _mesh: &Mesh) -> mesh::Service {
    let writer = writer::Writer::new(store.clone());
    let runner = sweep::sweeping(store.runner(), store.clone(), writer.clone());
    mesh::Service::new(NAME)
        .answer(LedgerServiceServer::new(rpc::Ledger { store, writer }))
        .work(|stop| runner.run(stop))
}

//! What customers mean to buy: one cart a customer or guest.
//!
//! Invariant: a cart has one line a variant, at most 500 lines and at most 999 of each; what it
//! costs is always asked of the catalog.

mod cart;
mod error;
mod events;
mod expiry;
mod rpc;
mod store;

use std::time::Duration;

use ::store::{Migration, Schedule, Store};
use mesh::Mesh;
use tradewind::cart::v1::cart_service_server::CartServiceServer;

/// The noun that this service is called by, everywhere.
pub const NAME: &str = "cart";

/// The tables, oldest first.
pub const MIGRATIONS: &[Migration] =
    &[Migration::new("0001_carts", include_str!("../migrations/0001_carts.sql"))];

/// The services that it calls.
pub const CALLS: &[&str] = &["catalog"];

/// The events that it consumes.
pub const CONSUMES: &[&str] = &[events::ORDER_CONFIRMED];

/// How long carts are kept.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// How long a guest's cart is kept after it was last touched.
    pub guest_idle: Duration,
    /// How often carts that were kept long enough are looked for.
    pub sweep_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            guest_idle: Duration::from_secs(30 * 24 * 60 * 60),
            sweep_every: Duration::from_secs(60 * 60),
        }
    }
}

/// The service, over its store.
#[must_use]
pub fn service(config: Config, store: Store, mesh: &Mesh) -> mesh::Service {
    let consumer = events::consumer(&store);
    let swept = store.clone();
    let schedule = Schedule::every(config.sweep_every);
    let runner = store.runner().schedule(schedule, "cart.expire", move |context, _| {
        expiry::sweep(swept.clone(), config.guest_idle, context)
    });
    let carts = rpc::Carts { store, tokens: mesh.tokens(), catalog: mesh.peer(NAME, "catalog") };
    mesh::Service::new(NAME)
        .answer(CartServiceServer::new(carts))
        .consume(consumer)
        .work(|stop| runner.run(stop))
}

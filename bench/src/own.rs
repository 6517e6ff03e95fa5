//! Services of the bench's own, which remember and tell as those of the shop do.

use std::sync::Arc;

use anyhow::Result;
use mesh::caller::DEFAULT_PROJECT;
use mesh::{Bus, Caller, Context, Mesh, Subscriptions, Trace};
use store::{Config, Database, Migration, Store};

/// What such a service is called.
pub(crate) const NAME: &str = "bench";

/// A mesh of this process, in which these events are consumed.
pub(crate) fn mesh(subscriptions: Subscriptions) -> Result<Mesh> {
    Ok(Mesh::new(mesh::Config {
        subscriptions,
        ..mesh::Config::new(NAME, vec![contract::DESCRIPTORS])
    })?)
}

/// The store of a service in it, whose events go to a bus.
pub(crate) async fn store(
    service: &'static str,
    database: Database,
    migrations: &'static [Migration],
    mesh: &Mesh,
    bus: Arc<dyn Bus>,
) -> Result<Store> {
    let config = Config::new(service, database, migrations, bus, mesh.changes().clone());
    Ok(Store::open(config).await?)
}

/// A service that acts for itself.
pub(crate) fn context(service: &'static str) -> Context {
    Context::new(Caller::service(service, DEFAULT_PROJECT, None), "bench", Trace::NONE)
}

//! Products, prices, categories, search and stock.
//!
//! Invariant: a variant belongs to one product of one project, and keeps its id while it is sold.
//! The movements of a variant's stock always add up to its level, and no level is below 0.

mod category;
mod error;
mod expire;
mod import;
mod product;
mod rpc;
mod search;
mod stock;
mod store;

use std::path::PathBuf;

use ::store::{Migration, Store};
use mesh::Mesh;
use tradewind::catalog::v1::catalog_service_server::CatalogServiceServer;
use tradewind::catalog::v1::stock_service_server::StockServiceServer;

/// The noun that this service is called by, everywhere.
pub const NAME: &str = "catalog";

/// The tables, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration::new("0001_products", include_str!("../migrations/0001_products.sql")),
    Migration::new("0002_categories", include_str!("../migrations/0002_categories.sql")),
    Migration::new("0003_stock", include_str!("../migrations/0003_stock.sql")),
];

/// What its database is told once it was brought back from a copy: it is another than a search index has followed.
pub const RESTORED: &str = "UPDATE product_revision SET epoch = ''";

/// The services that it calls.
pub const CALLS: &[&str] = &[];

/// The events that it consumes.
pub const CONSUMES: &[&str] = &[];

/// What the service is told.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The directory of the search index, one for each process; in memory when there is none.
    pub index: Option<PathBuf>,
}

/// The service, over its store.
#[must_use]
pub fn service(config: Config, store: Store, _mesh: &Mesh) -> mesh::Service {
    let Config { index } = config;
    let search = search::open(index.as_deref());
    let runner = {
        let store = store.clone();
        store
            .clone()
            .runner()
            .on(move |context, task, claim| expire::expire(store.clone(), context, task, claim))
    };
    let feed = search.clone().map(|search| search::Feed::new(search, &store));
    mesh::Service::new(NAME)
        .answer(CatalogServiceServer::new(rpc::Catalog { store: store.clone(), search }))
        .answer(StockServiceServer::new(rpc::Stock { store }))
        .work(|stop| runner.run(stop))
        .work(|stop| async move {
            if let Some(feed) = feed {
                feed.run(stop).await;
            }
        })
}

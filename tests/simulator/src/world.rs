//! The mesh that is simulated: every service in this process, on files that outlive it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::{BEGINNING, Harness, Part, Place, part};
use mesh::limits::Limits;
use mesh::{Clock, Faults, Ids};
use payments::simulator::Simulator;
use store::Database;
use tempfile::TempDir;
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::product::Status;
use tradewind::catalog::v1::stock_service_client::StockServiceClient;
use tradewind::catalog::v1::{CreateProductRequest, Product, SetStockRequest, Variant};
use tradewind::money::v1::Money;

use crate::acquirer::Acquirer;
use crate::agent::Agent;

/// Every service that remembers.
pub(crate) const SERVICES: [&str; 7] =
    ["users", "catalog", "cart", "orders", "payments", "ledger", "notifications"];
/// What every customer can buy: how many there are of each, and what one costs.
pub(crate) const SHELF: [(i64, i64); 6] =
    [(1, 1999), (2, 500), (3, 2500), (5, 1250), (8, 999), (40, 100)];
/// Memory, where there is some to keep files in: what dies here is the mesh, and not the machine.
const MEMORY: &str = "/dev/shm";

/// How long databases may take to close, in milliseconds.
const CLOSED_WITHIN: u32 = 10_000;

/// A directory for databases, gone when it is dropped.
pub(crate) fn directory() -> Result<TempDir> {
    let memory = Path::new(MEMORY);
    let builder = &mut tempfile::Builder::new();
    let builder = builder.prefix("tradewind-simulator-");
    let made = if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() };
    made.context("no directory can be made for the databases of a simulation")
}

/// Starts the mesh on the files of a directory.
pub(crate) async fn start(
    directory: &Path,
    clock: &Clock,
    seed: u64,
    agent: &Agent,
) -> Result<Harness> {
    let place = Place {
        database: Database::sqlite(directory),
        clock: clock.clone(),
        ids: Ids::seeded(clock.clone(), seed),
        limits: Limits::unlimited(),
        chaos: Some(Arc::new(agent.clone())),
    };
    Ok(Harness::start_at(place, parts(agent)?).await)
}

fn parts(agent: &Agent) -> Result<Vec<Part>> {
    let agent = agent.clone();
    let letters = notifications::Config::new(None, "shop@example.com")?;
    Ok(vec![
        part(users::NAME, users::MIGRATIONS, users::CONSUMES, |store, mesh| {
            users::service(users::Config::default(), store, mesh)
        }),
        part(catalog::NAME, catalog::MIGRATIONS, catalog::CONSUMES, |store, mesh| {
            catalog::service(catalog::Config { index: None }, store, mesh)
        }),
        part(cart::NAME, cart::MIGRATIONS, cart::CONSUMES, |store, mesh| {
            cart::service(cart::Config::default(), store, mesh)
        }),
        part(orders::NAME, orders::MIGRATIONS, orders::CONSUMES, |store, mesh| {
            orders::service(store, mesh, Faults::none())
        }),
        part(payments::NAME, payments::MIGRATIONS, payments::CONSUMES, move |store, mesh| {
            let acquirer = Acquirer::new(Simulator::new(store.clone()), agent);
            let config = payments::Config {
                providers: vec![Arc::new(acquirer)],
                simulator: false,
                faults: Faults::none(),
            };
            payments::service(config, store, mesh)
        }),
        part(ledger::NAME, ledger::MIGRATIONS, ledger::CONSUMES, ledger::service),
        part(
            notifications::NAME,
            notifications::MIGRATIONS,
            notifications::CONSUMES,
            move |store, mesh| notifications::service(letters, store, mesh),
        ),
    ])
}

/// The files that every history begins with, and what can be bought in them.
pub(crate) struct Template {
    directory: TempDir,
    /// The ids of what is on the shelf.
    pub(crate) variants: Vec<String>,
}

impl Template {
    /// Makes the files once: a shop with a full shelf.
    pub(crate) fn make() -> Result<Self> {
        let directory = directory()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (variants, metrics) = runtime.block_on(async {
            let agent = Agent::new(0, None);
            let harness = start(directory.path(), &Clock::at(BEGINNING), 0, &agent).await?;
            let variants = fill(&harness).await?;
            harness.settle().await;
            harness.end().await;
            harness.close();
            anyhow::Ok((variants, Arc::downgrade(harness.mesh.metrics())))
        })?;
        drop(runtime);
        wait_until_closed(directory.path())?;
        // Thousands of lives follow: a service that keeps its mesh, which owns it, would fill the memory.
        ensure!(metrics.strong_count() == 0, "a mesh that has ended is still in memory");
        Ok(Self { directory, variants })
    }

    /// A copy of the files for one history.
    pub(crate) fn copy(&self) -> Result<TempDir> {
        let copy = directory()?;
        for entry in std::fs::read_dir(self.directory.path())? {
            let entry = entry?;
            std::fs::copy(entry.path(), copy.path().join(entry.file_name()))?;
        }
        Ok(copy)
    }
}

/// Waits until this process has closed the files of a directory: the threads of SQLite end by themselves.
fn wait_until_closed(directory: &Path) -> Result<()> {
    let is_open = |entry: std::io::Result<std::fs::DirEntry>| {
        let file = entry.and_then(|entry| std::fs::read_link(entry.path()));
        file.is_ok_and(|file| file.starts_with(directory))
    };
    for _ in 0..CLOSED_WITHIN {
        if !std::fs::read_dir("/proc/self/fd")?.any(is_open) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    anyhow::bail!("the databases in {} are not closed", directory.display())
}

/// Puts products on the shelf; answers their variants.
async fn fill(harness: &Harness) -> Result<Vec<String>> {
    let peer = || harness.peer("catalog").of(&harness.as_merchant());
    let (mut catalog, mut stock) =
        (CatalogServiceClient::new(peer()), StockServiceClient::new(peer()));
    let mut variants = Vec::new();
    for (at, (on_hand, price)) in SHELF.into_iter().enumerate() {
        let price = Some(Money::new(price, "EUR"));
        let mut product = Product {
            handle: format!("product-{at}"),
            title: format!("Product {at}"),
            variants: vec![Variant { price, taxable: true, ..Variant::default() }],
            ..Product::default()
        };
        product.set_status(Status::Active);
        let request = CreateProductRequest { product: Some(product) };
        let made = catalog.create_product(request).await?.into_inner();
        let variant = made.variants.first().context("a product has a variant")?;
        let variant_id = variant.id.clone();
        stock.set_stock(SetStockRequest { variant_id: variant_id.clone(), on_hand }).await?;
        variants.push(variant_id);
    }
    Ok(variants)
}

/// When a history begins: after what the template was made of.
pub(crate) fn beginning() -> Clock {
    let clock = Clock::at(BEGINNING);
    clock.advance(Duration::from_secs(3600));
    clock
}

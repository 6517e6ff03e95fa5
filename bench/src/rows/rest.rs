//! A product over REST, at the gateway of one process.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use futures_util::FutureExt;
use http::HeaderMap;
use mesh::Channel;
use serde_json::Value;
use store_testing::Engine;
use tokio::sync::Mutex;
use tradewind::catalog::v1::Product;
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;

use crate::load::Caller;
use crate::process;
use crate::rest::{Connection, Line, signed_in};
use crate::run::Bench;
use crate::shop::{Shop, first, touch};
use crate::table::Row;

const IN_FLIGHT: usize = 64;
const METHOD: &str = "tradewind.catalog.v1.CatalogService/GetProduct";

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let shop = Shop::near(&bench.start, Engine::Postgres).await?;
    let products: Arc<[Product]> = shop.fill(bench.products).await?.into();
    let headers = signed_in(&shop.customer("reader").await?)?;
    let file = shop.directory.path().join("products.json");
    std::fs::write(&file, as_json(shop.gateway, &products, &headers).await?)?;
    let (_peer, shelf) = process::peer(&["shelf", &file.display().to_string()]).await?;
    the_same(shop.gateway, shelf, first(&products)?, &headers).await?;

    let side = Side { headers, products };
    let beside = async || {
        let load = bench.load(IN_FLIGHT, |caller| side.reading(shelf, caller));
        Ok(load.await?.rate)
    };
    let cached = bench
        .in_turns(
            async || {
                let load = bench.load(IN_FLIGHT, |caller| side.reading(shop.gateway, caller));
                Ok(load.await?.rate)
            },
            &beside,
        )
        .await?;
    let stale = Arc::new(Stale::new(shop.desk().await?, &side.products));
    let stored = bench
        .in_turns(
            async || {
                let before = shop.process.kept_answers(METHOD).await?;
                let load = bench.load(IN_FLIGHT, |_| stale.reading(shop.gateway, &side.headers));
                let measured = load.await?;
                let kept = shop.process.kept_answers(METHOD).await? - before;
                #[expect(clippy::cast_precision_loss, reason = "calls are far below 2^52")]
                let (all, late) = (measured.all as f64, IN_FLIGHT as f64);
                // A call may be so late that the next pass has read the same product before it.
                ensure!(kept < all / 100.0 + late, "{kept} of {all} answers were kept ones");
                Ok(measured.rate)
            },
            &beside,
        )
        .await?;
    let peer = "axum with serde, the same JSON from memory";
    let what = format!("product over REST, {IN_FLIGHT} in flight");
    Ok(vec![
        Row::ratio("rest-cached", &format!("{what}, cached"), peer, &cached).with_bar("0.5"),
        Row::ratio("rest-store", &format!("{what}, read from PostgreSQL"), peer, &stored),
    ])
}

/// Every product as the gateway writes it.
async fn as_json(gateway: SocketAddr, products: &[Product], headers: &HeaderMap) -> Result<String> {
    let mut connection = Connection::open(gateway).await?;
    let mut all = Vec::new();
    for product in products {
        let body = connection.fetch(&path(&product.id), headers).await?;
        all.push(serde_json::from_slice::<Value>(&body)?);
    }
    Ok(serde_json::to_string(&all)?)
}

/// Makes sure that both sides say the same.
async fn the_same(
    gateway: SocketAddr,
    shelf: SocketAddr,
    product: &Product,
    headers: &HeaderMap,
) -> Result<()> {
    let mut said = Vec::new();
    for address in [gateway, shelf] {
        let body = Connection::open(address).await?.fetch(&path(&product.id), headers).await?;
        said.push(serde_json::from_slice::<Value>(&body)?);
    }
    ensure!(said[0] == said[1], "the peer says {}, and the gateway {}", said[1], said[0]);
    Ok(())
}

fn path(id: &str) -> String {
    format!("/v1/products/{id}")
}

/// What both sides are asked.
struct Side {
    headers: HeaderMap,
    products: Arc<[Product]>,
}

impl Side {
    /// Reads one product after the other on a connection of its own.
    fn reading(&self, address: SocketAddr, caller: usize) -> Caller {
        let (headers, products) = (self.headers.clone(), Arc::clone(&self.products));
        let (line, mut at) = (Line::to(address), caller);
        Box::new(move || {
            at = (at + IN_FLIGHT) % products.len().max(1);
            let (path, headers) = (path(&products[at].id), headers.clone());
            let line = line.clone();
            async move { line.fetch(&path, &headers).await.map(drop) }.boxed()
        })
    }
}

/// Products of which no kept answer is ever good: each is read once, then one is changed, which ends
/// all that was kept, and the next pass begins.
struct Stale {
    desk: CatalogServiceClient<Channel>,
    products: Arc<[Product]>,
    next: Mutex<usize>,
}

impl Stale {
    fn new(desk: CatalogServiceClient<Channel>, products: &Arc<[Product]>) -> Self {
        Self { desk, products: Arc::clone(products), next: Mutex::default() }
    }

    fn reading(self: &Arc<Self>, address: SocketAddr, headers: &HeaderMap) -> Caller {
        let (stale, headers) = (Arc::clone(self), headers.clone());
        let line = Line::to(address);
        Box::new(move || {
            let (stale, headers, line) = (Arc::clone(&stale), headers.clone(), line.clone());
            async move {
                let path = path(&stale.take().await?);
                line.fetch(&path, &headers).await.map(drop)
            }
            .boxed()
        })
    }

    /// The next product to read; whoever asks meanwhile waits until the change is made.
    async fn take(&self) -> Result<String> {
        let mut next = self.next.lock().await;
        let at = *next % self.products.len().max(1);
        if at == 0 {
            touch(&mut self.desk.clone(), first(&self.products)?, *next).await?;
        }
        *next += 1;
        Ok(self.products[at].id.clone())
    }
}

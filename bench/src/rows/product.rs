//! A product over gRPC from another process, through the mesh's own channel.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use futures_util::FutureExt;
use mesh::Channel;
use prost::Message;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tradewind::catalog::v1::Product;

use crate::load::{Caller, Measured};

use crate::peer::{ECHO, Payload};
use crate::process::{self, Process, free_address};
use crate::rpc;
use crate::run::Bench;
use crate::shop::{Shop, Start, first};
use crate::table::Row;

const IN_FLIGHT: usize = 64;
const PATH: &str = "/tradewind.catalog.v1.CatalogService/GetProduct";
const METHOD: &str = "tradewind.catalog.v1.CatalogService/GetProduct";
/// As many as a process of the mesh has.
const CONNECTIONS: u32 = 24;

/// `GetProductRequest` with a field that no contract has: a number that makes each request another to
/// the response cache, and that the service does not read.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Get {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(fixed64, optional, tag = "15000")]
    unlike_any_other: Option<u64>,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let at = free_address().await?;
    let shop = Shop::without(&bench.start, "catalog", at).await?;
    let catalog = shop.apart(&bench.start, "catalog", at).await?;
    let products: Arc<[Product]> = shop.fill(bench.products).await?.into();
    let token = shop.customer("reader").await?;
    let reader = Reader { channel: rpc::with_token(far(&shop, at)?, &token)?, products };

    let mut rows = vec![cached(bench, &reader, &catalog).await?];
    rows.push(from_store(bench, &reader, &catalog, &shop).await?);
    rows.push(traced(bench, &reader, &shop, &token).await?);
    Ok(rows)
}

async fn cached(bench: &Bench, reader: &Reader, catalog: &Process) -> Result<Row> {
    let size = first(&reader.products)?.encoded_len();
    let (_peer, address) = process::peer(&["echo"]).await?;
    let echo = rpc::bare(address).await?;
    // A message of that size, with the tag and the length of its field.
    let payload = Payload { bytes: vec![b'x'; size - 3] };
    let pairs = bench
        .in_turns(
            async || Ok(reader.kept(bench, catalog).await?.rate),
            async || {
                let echoing = bench.load(IN_FLIGHT, |_| echoing(echo.clone(), payload.clone()));
                Ok(echoing.await?.rate)
            },
        )
        .await?;
    let peer = format!("bare tonic echo of {} bytes", payload.encoded_len());
    let what = format!("`GetProduct` far, {IN_FLIGHT} in flight, cached");
    Ok(Row::ratio("product-cached", &what, &peer, &pairs).with_bar("0.7"))
}

async fn from_store(bench: &Bench, reader: &Reader, catalog: &Process, shop: &Shop) -> Result<Row> {
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS);
    let pool = pool.connect(&shop.database.location()).await?;
    let pairs = bench
        .in_turns(
            async || {
                let before = catalog.kept_answers(METHOD).await?;
                let measured = bench.load(IN_FLIGHT, |caller| reader.getting(caller, true)).await?;
                let kept = catalog.kept_answers(METHOD).await? - before;
                ensure!(kept == 0.0, "{kept} of {} answers were kept ones", measured.all);
                Ok(measured.rate)
            },
            async || {
                let selecting = bench.load(IN_FLIGHT, |it| selecting(&pool, &reader.products, it));
                Ok(selecting.await?.rate)
            },
        )
        .await?;
    let what = format!("`GetProduct` far, {IN_FLIGHT} in flight, read from PostgreSQL");
    let peer = format!("one indexed `SELECT` through sqlx, {CONNECTIONS} connections");
    Ok(Row::ratio("product-store", &what, &peer, &pairs))
}

/// The same cached read from a replica that keeps no trace.
async fn traced(bench: &Bench, reader: &Reader, shop: &Shop, token: &str) -> Result<Row> {
    let quiet = Start { sink: None, ..bench.start.clone() };
    let at = free_address().await?;
    let replica = shop.apart(&quiet, "catalog", at).await?;
    let channel = rpc::with_token(far(shop, at)?, token)?;
    let untraced = Reader { channel, products: Arc::clone(&reader.products) };
    let pairs = bench
        .in_turns(
            async || Ok(bench.load(IN_FLIGHT, |it| reader.getting(it, false)).await?.rate),
            async || Ok(untraced.kept(bench, &replica).await?.rate),
        )
        .await?;
    let what = "`GetProduct` far, cached, one trace in ten sent";
    Ok(Row::ratio("product-tracing", what, "the same, no tracing", &pairs))
}

/// Reads products from another process.
struct Reader {
    channel: Channel,
    products: Arc<[Product]>,
}

impl Reader {
    /// Measures answers that are kept, and makes sure that they are.
    async fn kept(&self, bench: &Bench, catalog: &Process) -> Result<Measured> {
        let before = catalog.kept_answers(METHOD).await?;
        let measured = bench.load(IN_FLIGHT, |caller| self.getting(caller, false)).await?;
        let kept = catalog.kept_answers(METHOD).await? - before;
        #[expect(clippy::cast_precision_loss, reason = "calls of one window are far below 2^52")]
        let (made, distinct) = (measured.all as f64, self.products.len() as f64);
        // Each product is read from the store once in a while, by at most all callers at once.
        ensure!(kept >= made - distinct * 4.0, "only {kept} of {made} answers were kept ones");
        Ok(measured)
    }

    fn getting(&self, caller: usize, from_store: bool) -> Caller {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let (channel, products) = (self.channel.clone(), Arc::clone(&self.products));
        let mut at = caller;
        Box::new(move || {
            at = (at + IN_FLIGHT) % products.len().max(1);
            let id = products[at].id.clone();
            let number = from_store.then(|| NUMBER.fetch_add(1, Ordering::Relaxed));
            let channel = channel.clone();
            async move {
                let request = Get { id: id.clone(), unlike_any_other: number };
                let product: Product = rpc::call(channel, PATH, request).await?;
                ensure!(product.id == id, "another product was answered");
                Ok(())
            }
            .boxed()
        })
    }
}

fn echoing(channel: tonic::transport::Channel, payload: Payload) -> Caller {
    Box::new(move || {
        let (channel, payload) = (channel.clone(), payload.clone());
        async move {
            let sent = payload.bytes.len();
            let answer: Payload = rpc::call(channel, ECHO, payload).await?;
            ensure!(answer.bytes.len() == sent, "another size came back");
            Ok(())
        }
        .boxed()
    })
}

fn selecting(pool: &PgPool, products: &Arc<[Product]>, caller: usize) -> Caller {
    let (pool, products) = (pool.clone(), Arc::clone(products));
    let mut at = caller;
    Box::new(move || {
        at = (at + IN_FLIGHT) % products.len().max(1);
        let (id, pool) = (products[at].id.clone(), pool.clone());
        async move {
            let select = "SELECT * FROM catalog.products WHERE project = $1 AND id = $2";
            let row = sqlx::query(select).bind("default").bind(id);
            row.fetch_one(&pool).await?;
            Ok(())
        }
        .boxed()
    })
}

/// The channel that processes of the mesh have to each other.
fn far(shop: &Shop, catalog: SocketAddr) -> Result<Channel> {
    Ok(shop.mesh("gateway", "catalog", catalog)?.channel("catalog"))
}

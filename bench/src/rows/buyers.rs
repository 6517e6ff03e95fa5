//! Buyers, each with one order after another: one line, paid at once, by gRPC at the gateway of one process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use futures_util::FutureExt;
use mesh::{Channel, Clock, IDEMPOTENCY_KEY, Ids, Request};
use sqlx::{Connection, PgConnection, Row as _};
use store_testing::Engine;
use tokio::process::Command;
use tradewind::catalog::v1::Product;
use tradewind::orders::v1::orders_service_client::OrdersServiceClient;
use tradewind::orders::v1::{Address, LineRequest, PlaceOrderRequest, payment};

use crate::load::{Caller, Measured};
use crate::rpc::{self, said};
use crate::run::Bench;
use crate::shop::{Shop, Start};

/// How long what follows the answers may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Nothing was written for so long: what followed the answers is done.
const QUIET: Duration = Duration::from_millis(1500);

/// A shop and who buys in it, each over a connection of its own.
pub(crate) struct Buyers {
    pub(crate) shop: Shop,
    channels: Vec<Channel>,
    products: Arc<[Product]>,
    ids: Ids,
    engine: Engine,
}

impl Buyers {
    /// A new shop with so many of them.
    pub(crate) async fn open(
        bench: &Bench,
        start: &Start,
        engine: Engine,
        count: usize,
    ) -> Result<Self> {
        let shop = Shop::near(start, engine).await?;
        let products = shop.fill(bench.products).await?.into();
        let mut channels = Vec::new();
        for number in 0..count {
            let token = shop.customer(&format!("buyer-{number}")).await?;
            channels.push(rpc::with_token(rpc::open(shop.gateway).await?, &token)?);
        }
        Ok(Self { shop, channels, products, ids: Ids::new(Clock::system()), engine })
    }

    /// Has all of them buy for a window.
    pub(crate) async fn load(&self, bench: &Bench) -> Result<Measured> {
        bench.load(self.channels.len(), |number| self.buying(number)).await
    }

    /// The fsyncs of the process an order, by a tracer that makes it slower: so not within a pair. None where
    /// there is no tracer.
    pub(crate) async fn fsyncs(&self, bench: &Bench) -> Result<Option<f64>> {
        let counted = self.shop.directory.path().join("fsyncs");
        let id = self.shop.process.id()?.to_string();
        let tracer = Command::new("strace")
            .args(["-f", "-qq", "-c", "-e", "trace=fsync,fdatasync", "-p", &id, "-o"])
            .arg(&counted)
            .kill_on_drop(true)
            .spawn();
        let Ok(mut tracer) = tracer else { return Ok(None) };
        let orders = self.load(bench).await?;
        self.settled().await?;
        let Some(id) = tracer.id() else { bail!("strace may not look at the process") };
        Command::new("kill").args(["-INT", &id.to_string()]).status().await?;
        tracer.wait().await?;
        let table = std::fs::read_to_string(&counted)?;
        let mut calls = 0.0;
        for line in
            table.lines().filter(|line| line.ends_with("fsync") || line.ends_with("fdatasync"))
        {
            // Its columns: % time, seconds, usecs/call, calls, errors, syscall.
            calls += line.split_whitespace().nth(3).unwrap_or_default().parse::<f64>()?;
        }
        #[expect(clippy::cast_precision_loss, reason = "orders of one window are far below 2^52")]
        let each = calls / orders.all as f64;
        Ok(Some(each))
    }

    fn buying(&self, number: usize) -> Caller {
        let orders = OrdersServiceClient::new(self.channels[number].clone());
        let (ids, products) = (self.ids.clone(), Arc::clone(&self.products));
        let (mut at, step) = (number, self.channels.len() + 1);
        Box::new(move || {
            at = (at + step) % products.len().max(1);
            let variant = products[at].variants.first().map(|variant| variant.id.clone());
            let request = order(variant.unwrap_or_default(), &ids);
            let mut orders = orders.clone();
            async move {
                let placed = orders.place_order(request?).await.map_err(said)?.into_inner();
                let paid = placed.order.and_then(|order| order.payment).map(|it| it.state());
                ensure!(paid == Some(payment::State::Paid), "the payment is {paid:?}");
                Ok(())
            }
            .boxed()
        })
    }

    /// Waits until what follows the answers is done; how long that took.
    pub(crate) async fn settled(&self) -> Result<Duration> {
        let began = Instant::now();
        let (mut last, mut since) = (self.written().await?, Instant::now());
        while since.elapsed() < QUIET {
            ensure!(began.elapsed() < PATIENCE, "orders do not settle in {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.written().await?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(began.elapsed().saturating_sub(QUIET))
    }

    /// What tells that something was written.
    async fn written(&self) -> Result<String> {
        match self.engine {
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&self.shop.database.location()).await?;
                let row = sqlx::query("SELECT CAST(pg_current_wal_insert_lsn() AS TEXT)");
                Ok(row.fetch_one(&mut connection).await?.try_get(0)?)
            }
            Engine::Sqlite => {
                let data = self.shop.directory.path().join("data");
                let files = std::fs::read_dir(data)?.flatten();
                let mut changed = Vec::new();
                for file in files.filter(|file| file.path().is_file()) {
                    changed.push(format!("{:?}", file.metadata()?.modified()?));
                }
                Ok(changed.join(" "))
            }
        }
    }
}

fn order(variant_id: String, ids: &Ids) -> Result<Request<PlaceOrderRequest>> {
    let mut request = Request::new(PlaceOrderRequest {
        lines: vec![LineRequest { variant_id, quantity: 1 }],
        shipping_address: Some(Address {
            recipient: "Ada".into(),
            lines: vec!["Quay 7".into()],
            city: "Hamburg".into(),
            postal_code: "20457".into(),
            country_code: "DE".into(),
            ..Address::default()
        }),
        payment_method: "sim_ok".into(),
        ..PlaceOrderRequest::default()
    });
    request.metadata_mut().insert(IDEMPOTENCY_KEY, ids.next("key").parse()?);
    Ok(request)
}

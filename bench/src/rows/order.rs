//! Placing an order: by gRPC at the gateway of one process, 16 buyers, one line, paid at once.

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
use crate::pairs::{Pairs, Spread, figure};
use crate::rows::pgbench::Pgbench;
use crate::rpc::{self, said};
use crate::run::Bench;
use crate::shop::Shop;
use crate::table::Row;
use crate::tell;

const BUYERS: usize = 16;
/// How long what follows the answers may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Nothing was written for so long: what followed the answers is done.
const QUIET: Duration = Duration::from_millis(1500);

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let pgbench = Pgbench::start(bench.scale, BUYERS, bench.seconds).await?;
    let mut rows = postgres(bench, &pgbench).await?;
    rows.extend(sqlite(bench, &pgbench).await?);
    Ok(rows)
}

async fn postgres(bench: &Bench, pgbench: &Pgbench) -> Result<Vec<Row>> {
    let store = Store::open(bench, Engine::Postgres).await?;
    let url = store.shop.database.location();
    let (pairs, after) = beside(bench, pgbench, &store).await?;
    let what = format!("`PlaceOrder`, {BUYERS} buyers, PostgreSQL");
    let before = Written::of(&url).await?;
    let orders = store.load(bench).await?;
    let settled = store.settled().await?;
    let per_order = Written::of(&url).await?.since(&before, orders.all);
    tell(&format!("settled {settled:?} after the last answer"));
    Ok(vec![
        ratio("order-postgres", &what, &pairs).with_bar("0.2"),
        latency("order-latency", "the same: how long an order takes", &orders),
        Row::alone("order-commits", "the same: commits and WAL flushes an order", per_order),
        Row::alone("order-settled", "the same: until all that follows is done", after),
    ])
}

async fn sqlite(bench: &Bench, pgbench: &Pgbench) -> Result<Vec<Row>> {
    let store = Store::open(bench, Engine::Sqlite).await?;
    let (pairs, after) = beside(bench, pgbench, &store).await?;
    let what = format!("`PlaceOrder`, {BUYERS} buyers, SQLite");
    let fsyncs = fsyncs(bench, &store).await?;
    Ok(vec![
        ratio("order-sqlite", &what, &pairs),
        Row::alone("order-fsyncs", "the same: fsyncs an order", fsyncs),
        Row::alone("order-settled-sqlite", "the same: until all that follows is done", after),
    ])
}

fn ratio(name: &'static str, what: &str, pairs: &Pairs) -> Row {
    let peer = format!("pgbench TPC-B-like, prepared, {BUYERS} clients, before and after");
    Row::ratio(name, what, &peer, pairs)
}

fn latency(name: &'static str, what: &str, measured: &Measured) -> Row {
    let millis = |time: Duration| figure(time.as_secs_f64() * 1e3);
    let told = format!("p50 {} ms, p99 {} ms", millis(measured.median), millis(measured.p99));
    Row::alone(name, what, told)
}

/// Orders between two runs of pgbench, again and again; and how long they took to settle each time.
async fn beside(bench: &Bench, pgbench: &Pgbench, store: &Store) -> Result<(Pairs, String)> {
    let (mut pairs, mut settled) = (Pairs::default(), Vec::new());
    let mut before = pgbench.rate().await?;
    for _ in 0..bench.rounds {
        let orders = store.load(bench).await?.rate;
        settled.push(store.settled().await?.as_secs_f64());
        let after = pgbench.rate().await?;
        pairs.push(orders, f64::midpoint(before, after));
        before = after;
    }
    Ok((pairs, Spread::of(&settled).told(" s")))
}

/// A shop with buyers.
struct Store {
    shop: Shop,
    buyers: Vec<Channel>,
    products: Arc<[Product]>,
    ids: Ids,
    engine: Engine,
}

impl Store {
    async fn open(bench: &Bench, engine: Engine) -> Result<Self> {
        let shop = Shop::near(&bench.start, engine).await?;
        let products = shop.fill(bench.products).await?.into();
        let mut buyers = Vec::new();
        for number in 0..BUYERS {
            let token = shop.customer(&format!("buyer-{number}")).await?;
            buyers.push(rpc::with_token(rpc::open(shop.gateway).await?, &token)?);
        }
        Ok(Self { shop, buyers, products, ids: Ids::new(Clock::system()), engine })
    }

    async fn load(&self, bench: &Bench) -> Result<Measured> {
        bench.load(BUYERS, |number| self.buying(number)).await
    }

    fn buying(&self, number: usize) -> Caller {
        let orders = OrdersServiceClient::new(self.buyers[number].clone());
        let (ids, products) = (self.ids.clone(), Arc::clone(&self.products));
        let mut at = number;
        Box::new(move || {
            at = (at + BUYERS + 1) % products.len().max(1);
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
    async fn settled(&self) -> Result<Duration> {
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

/// What a PostgreSQL server has written.
struct Written {
    commits: i64,
    syncs: i64,
    bytes: i64,
}

impl Written {
    async fn of(url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        let row = sqlx::query(
            "SELECT xact_commit, wal_sync, CAST(wal_bytes AS BIGINT) FROM pg_stat_wal, pg_stat_database \
             WHERE datname = current_database()",
        );
        let row = row.fetch_one(&mut connection).await?;
        Ok(Self { commits: row.try_get(0)?, syncs: row.try_get(1)?, bytes: row.try_get(2)? })
    }

    fn since(&self, before: &Self, orders: usize) -> String {
        #[expect(clippy::cast_precision_loss, reason = "counts of one window are far below 2^52")]
        let each = |now: i64, before: i64| figure((now - before) as f64 / orders as f64);
        format!(
            "{} commits (reads included), {} flushes, {} bytes",
            each(self.commits, before.commits),
            each(self.syncs, before.syncs),
            each(self.bytes, before.bytes)
        )
    }
}

/// The fsyncs of a process a order, by a tracer that makes it slower: so not within a pair.
async fn fsyncs(bench: &Bench, store: &Store) -> Result<String> {
    let counted = store.shop.directory.path().join("fsyncs");
    let id = store.shop.process.id()?.to_string();
    let tracer = Command::new("strace")
        .args(["-f", "-qq", "-c", "-e", "trace=fsync,fdatasync", "-p", &id, "-o"])
        .arg(&counted)
        .kill_on_drop(true)
        .spawn();
    let Ok(mut tracer) = tracer else { return Ok("not counted: strace is not installed".into()) };
    let orders = store.load(bench).await?;
    store.settled().await?;
    let Some(id) = tracer.id() else { bail!("strace may not look at the process") };
    Command::new("kill").args(["-INT", &id.to_string()]).status().await?;
    tracer.wait().await?;
    let table = std::fs::read_to_string(&counted)?;
    let mut calls = 0.0;
    for line in table.lines().filter(|line| line.ends_with("fsync") || line.ends_with("fdatasync"))
    {
        // Its columns: % time, seconds, usecs/call, calls, errors, syscall.
        calls += line.split_whitespace().nth(3).unwrap_or_default().parse::<f64>()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "orders of one window are far below 2^52")]
    let each = calls / orders.all as f64;
    Ok(format!("{} (WAL, `synchronous=FULL`; checkpoints included)", figure(each)))
}

//! Placing an order: by gRPC at the gateway of one process, 16 buyers, one line, paid at once.

use std::time::Duration;

use anyhow::Result;
use sqlx::{Connection, PgConnection, Row as _};
use store_testing::Engine;

use crate::load::Measured;
use crate::pairs::{Pairs, Spread, figure};
use crate::rows::buyers::Buyers;
use crate::rows::pgbench::Pgbench;
use crate::run::Bench;
use crate::table::Row;
use crate::tell;

const BUYERS: usize = 16;

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let pgbench = Pgbench::start(bench.scale, BUYERS, bench.seconds).await?;
    let mut rows = postgres(bench, &pgbench).await?;
    rows.extend(sqlite(bench, &pgbench).await?);
    Ok(rows)
}

async fn postgres(bench: &Bench, pgbench: &Pgbench) -> Result<Vec<Row>> {
    let buyers = Buyers::open(bench, &bench.start, Engine::Postgres, BUYERS).await?;
    let url = buyers.shop.database.location();
    let (pairs, after) = beside(bench, pgbench, &buyers).await?;
    let what = format!("`PlaceOrder`, {BUYERS} buyers, PostgreSQL");
    let before = Written::of(&url).await?;
    let orders = buyers.load(bench).await?;
    let settled = buyers.settled().await?;
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
    let buyers = Buyers::open(bench, &bench.start, Engine::Sqlite, BUYERS).await?;
    let (pairs, after) = beside(bench, pgbench, &buyers).await?;
    let what = format!("`PlaceOrder`, {BUYERS} buyers, SQLite");
    let fsyncs = counted(buyers.fsyncs(bench).await?);
    Ok(vec![
        ratio("order-sqlite", &what, &pairs),
        Row::alone("order-fsyncs", "the same: fsyncs an order", fsyncs),
        Row::alone("order-settled-sqlite", "the same: until all that follows is done", after),
    ])
}

fn counted(fsyncs: Option<f64>) -> String {
    match fsyncs {
        Some(each) => format!("{} (WAL, `synchronous=FULL`; checkpoints included)", figure(each)),
        None => "skipped: strace is not installed".into(),
    }
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
async fn beside(bench: &Bench, pgbench: &Pgbench, buyers: &Buyers) -> Result<(Pairs, String)> {
    let (mut pairs, mut settled) = (Pairs::default(), Vec::new());
    let mut before = pgbench.rate().await?;
    for _ in 0..bench.rounds {
        let orders = buyers.load(bench).await?.rate;
        settled.push(buyers.settled().await?.as_secs_f64());
        let after = pgbench.rate().await?;
        pairs.push(orders, f64::midpoint(before, after));
        before = after;
    }
    Ok((pairs, Spread::of(&settled).told(" s")))
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

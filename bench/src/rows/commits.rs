//! Commits that writers share on SQLite, beside the same writes with a commit each.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::FutureExt;
use mesh::{Context, Subscriptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use store::{Migration, Store};
use store_testing::Engine;
use tempfile::TempDir;

use crate::load::Caller;
use crate::own;
use crate::pairs::figure;
use crate::rows::buyers::Buyers;
use crate::run::Bench;
use crate::shop::Start;
use crate::table::Row;

/// How many write, and how many buy, at once.
const AT_ONCE: usize = 64;
/// How long a writer may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// A row of it is what each transaction writes.
const TABLE: &str = "CREATE TABLE notes (project TEXT NOT NULL, id BIGINT NOT NULL, text TEXT NOT NULL, \
     PRIMARY KEY (project, id))";
const MIGRATIONS: &[Migration] = &[Migration::new("0001_notes", TABLE)];
const WRITE: &str = "INSERT INTO notes (project, id, text) VALUES ($1, $2, $3)";
const TEXT: &str = "about as much as a task, a step of a process or an event writes: some hundred bytes, \
     with an index by its key, and nothing that anybody has to wait for but the disk";

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = vec![writes(bench).await?];
    rows.extend(orders(bench).await?);
    Ok(rows)
}

/// Small transactions through a store, beside the same statements through sqlx.
async fn writes(bench: &Bench) -> Result<Row> {
    let (shared, alone) = (Shared::open().await?, Alone::open().await?);
    let pairs = bench
        .in_turns(
            async || Ok(bench.load(AT_ONCE, |_| shared.writing()).await?.rate),
            async || Ok(bench.load(AT_ONCE, |_| alone.writing()).await?.rate),
        )
        .await?;
    shared.check().await?;
    alone.check().await?;
    let what = format!("transactions of one `INSERT`, {AT_ONCE} writers, a SQLite file");
    Ok(Row::ratio("group-commit", &what, "the same through sqlx, a commit each", &pairs))
}

/// Checkouts, beside those of the same binary where each write commits alone.
async fn orders(bench: &Bench) -> Result<Vec<Row>> {
    let by_itself = Start { commits_alone: true, ..bench.start.clone() };
    let shared = Buyers::open(bench, &bench.start, Engine::Sqlite, AT_ONCE).await?;
    let alone = Buyers::open(bench, &by_itself, Engine::Sqlite, AT_ONCE).await?;
    let rate = async |buyers: &Buyers| {
        let rate = buyers.load(bench).await?.rate;
        // What follows is not to be done while the other side is measured.
        buyers.settled().await?;
        anyhow::Ok(rate)
    };
    let pairs = bench.in_turns(async || rate(&shared).await, async || rate(&alone).await).await?;
    let peer = "the same, each write with a commit of its own";
    let what = format!("`PlaceOrder`, {AT_ONCE} buyers, SQLite");
    let orders = Row::ratio("order-sqlite-64", &what, peer, &pairs).with_bar("4");
    let (shared, alone) = (shared.fsyncs(bench).await?, alone.fsyncs(bench).await?);
    let told = |each: Option<f64>| each.map_or("skipped: strace is not installed".into(), figure);
    let ratio = shared.zip(alone).map(|(shared, alone)| figure(shared / alone));
    let fsyncs = Row {
        beside: format!("{peer}: {}", told(alone)),
        result: ratio.unwrap_or_else(|| "–".into()),
        ..Row::alone("order-fsyncs-64", "the same: fsyncs an order", told(shared))
    };
    Ok(vec![orders, fsyncs])
}

/// Writes through a store, whose writers share commits where they meet.
struct Shared {
    store: Store,
    context: Context,
    written: Arc<AtomicI64>,
    _database: store_testing::TestDatabase,
}

impl Shared {
    async fn open() -> Result<Self> {
        let database = store_testing::database(Engine::Sqlite).await;
        let mesh = own::mesh(Subscriptions::new())?;
        let store = own::store("notes", database.open(), MIGRATIONS, &mesh, mesh.bus()).await?;
        let context = own::context("notes");
        Ok(Self { store, context, written: Arc::default(), _database: database })
    }

    fn writing(&self) -> Caller {
        let (store, context) = (self.store.clone(), self.context.clone());
        let written = Arc::clone(&self.written);
        Box::new(move || {
            let (store, context) = (store.clone(), context.clone());
            let id = written.fetch_add(1, Ordering::Relaxed);
            async move {
                let mut tx = store.begin_for(&context).await?;
                tx.query(WRITE).bind(id).bind(TEXT).execute().await?;
                Ok(tx.commit().await?)
            }
            .boxed()
        })
    }

    /// Everybody was told of what is there.
    async fn check(&self) -> Result<()> {
        let rows = self.store.read(&self.context);
        let rows = rows.query("SELECT COUNT(*) AS count FROM notes WHERE project = $1");
        let there: i64 = rows.fetch_one().await?.get("count")?;
        let written = self.written.load(Ordering::Relaxed);
        ensure!(there == written, "{there} of {written} rows are there");
        Ok(())
    }
}

/// Writes with a commit each, by turns on one connection: in SQLite's own queue of several, writers that
/// meet wait for moments that double, and fail at last.
struct Alone {
    pool: SqlitePool,
    written: Arc<AtomicI64>,
    _directory: TempDir,
}

impl Alone {
    /// A file with the same settings as a store's.
    async fn open() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("notes.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF");
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        let pool = pool.connect_with(options).await?;
        sqlx::raw_sql(TABLE).execute(&pool).await?;
        Ok(Self { pool, written: Arc::default(), _directory: directory })
    }

    fn writing(&self) -> Caller {
        let (pool, written) = (self.pool.clone(), Arc::clone(&self.written));
        Box::new(move || {
            let (pool, id) = (pool.clone(), written.fetch_add(1, Ordering::Relaxed));
            async move {
                let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                let write = sqlx::query(WRITE).bind(own::NAME).bind(id).bind(TEXT);
                write.execute(&mut *tx).await?;
                Ok(tx.commit().await?)
            }
            .boxed()
        })
    }

    async fn check(&self) -> Result<()> {
        let there: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM notes").fetch_one(&self.pool).await?;
        let written = self.written.load(Ordering::Relaxed);
        ensure!(there == written, "{there} of {written} rows are there");
        Ok(())
    }
}

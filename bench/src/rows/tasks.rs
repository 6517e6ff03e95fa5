//! Tasks done while very many others wait, beside the same with none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mesh::{CancellationToken, Context, Subscriptions};
use serde::{Deserialize, Serialize};
use store::{Claim, Runner, Store, Task};
use store_testing::{Engine, TestDatabase};

use crate::own;
use crate::pairs::Pairs;
use crate::run::Bench;
use crate::table::Row;

/// How many tasks a figure is made of.
const TASKS: usize = 2_000;
/// How many are started with one commit.
const BATCH: usize = 500;
/// How many rows are filled in with one statement, which a server gives up on after some time.
const FILLED: usize = 50_000;
const PATIENCE: Duration = Duration::from_secs(300);

/// A task that is nothing but taken and ended.
#[derive(Serialize, Deserialize)]
struct Nothing {}

impl Task for Nothing {
    const KIND: &'static str = "nothing";
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, engine) in
        [("tasks-pending", Engine::Postgres), ("tasks-pending-sqlite", Engine::Sqlite)]
    {
        let (full, empty) = (Queue::open(engine).await?, Queue::open(engine).await?);
        full.fill(bench.pending).await?;
        let pairs: Pairs =
            bench.in_turns(async || full.rate().await, async || empty.rate().await).await?;
        let what = format!(
            "tasks done, {} others pending (half due, of a kind that nobody does; half for later), {engine:?}",
            bench.pending
        );
        let row = Row::ratio(name, &what, "none pending", &pairs);
        rows.push(row.with_bar("0.5"));
    }
    Ok(rows)
}

/// The tasks of a service, in a database of its own.
struct Queue {
    store: Store,
    context: Context,
    _database: TestDatabase,
}

impl Queue {
    async fn open(engine: Engine) -> Result<Self> {
        let database = store_testing::database(engine).await;
        let mesh = own::mesh(Subscriptions::new())?;
        let store = own::store("queue", database.open(), &[], &mesh, mesh.bus()).await?;
        Ok(Self { store, context: own::context("queue"), _database: database })
    }

    /// Lets so many tasks wait that nobody does now.
    async fn fill(&self, pending: usize) -> Result<()> {
        let now = self.store.clock().now_micros();
        let day = 24 * 3_600 * 1_000_000;
        for (kind, due) in [("of-nobody", now - day), (Nothing::KIND, now + day)] {
            let mut filled = 0;
            while filled < pending / 2 {
                let next = (pending / 2).min(filled + FILLED);
                self.fill_in(kind, due, filled, next).await?;
                filled = next;
            }
        }
        Ok(())
    }

    async fn fill_in(&self, kind: &str, due: i64, from: usize, to: usize) -> Result<()> {
        let mut tx = self.store.begin_for(&self.context).await?;
        tx.query(
            "WITH RECURSIVE number (n) AS (SELECT CAST($2 AS BIGINT) UNION ALL \
             SELECT n + 1 FROM number WHERE n + 1 < $3) \
             INSERT INTO store_tasks (project, id, kind, payload, due_time, token, subject, attempts, \
             dead, error, traceparent, create_time) \
             SELECT $1, $4 || '-' || CAST(n AS TEXT), $4, '{}', $5 + n, 0, '', 0, 0, '', '', $5 \
             FROM number",
        )
        .bind(i64::try_from(from)?)
        .bind(i64::try_from(to)?)
        .bind(kind)
        .bind(due)
        .execute()
        .await?;
        Ok(tx.commit().await?)
    }

    /// Starts tasks, and has a runner do them; how many a second.
    async fn rate(&self) -> Result<f64> {
        for _ in 0..TASKS / BATCH {
            let mut tx = self.store.begin_for(&self.context).await?;
            for _ in 0..BATCH {
                tx.start(Nothing {})?;
            }
            tx.commit().await?;
        }
        let done = Arc::new(AtomicUsize::new(0));
        let stop = CancellationToken::new();
        let began = Instant::now();
        let running = tokio::spawn(self.runner(&done, &stop).run(stop.clone()));
        let in_time = tokio::time::timeout(PATIENCE, stop.cancelled()).await;
        let took = began.elapsed();
        stop.cancel();
        running.await?;
        ensure!(in_time.is_ok(), "{} of {TASKS} tasks were done", done.load(Ordering::SeqCst));
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        Ok(TASKS as f64 / took.as_secs_f64())
    }

    /// A runner that stops when it has done all.
    fn runner(&self, done: &Arc<AtomicUsize>, stop: &CancellationToken) -> Runner {
        let (done, stop) = (Arc::clone(done), stop.clone());
        self.store.runner().on(move |_: Context, _: Nothing, _: Claim| {
            if done.fetch_add(1, Ordering::SeqCst) + 1 == TASKS {
                stop.cancel();
            }
            async { Ok::<_, mesh::Status>(()) }
        })
    }
}

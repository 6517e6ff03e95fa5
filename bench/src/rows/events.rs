//! Events, one at a time: from the commit that tells of one to the commit of its effect.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use mesh::{Bus, CancellationToken, Context, Mesh};
use mesh_redis::Redis;
use store::Store;
use store_testing::{Engine, TestDatabase};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::own;
use crate::pairs::figure;
use crate::peer::listener::{self, Happened};
use crate::process;
use crate::run::Bench;
use crate::table::Row;

/// How long nothing happens after an effect: what follows it is over by then, and the next event finds all idle.
const GAP: Duration = Duration::from_millis(10);
/// How many events are told before any counts: statements are prepared by then, and who reads has begun to.
const WARM_UP: usize = 20;
/// How many count at least.
const LEAST: usize = 100;
/// How long one event may take, and a consumer that starts.
const PATIENCE: Duration = Duration::from_secs(60);
/// As many things as orders are under way: each is in order for itself.
const KEYS: i64 = 64;

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let (near, sqlite) = (near(bench, Engine::Postgres).await?, near(bench, Engine::Sqlite).await?);
    let redis = through_redis(bench).await?;
    let row = |name, what: &str, took: &[Duration]| {
        Row::alone(name, &format!("commit of an event to its effect, {what}"), told(took))
    };
    Ok(vec![
        row("event-near", "in one process, PostgreSQL", &near).with_bar("p99 under 10 ms"),
        row("event-near-sqlite", "in one process, SQLite", &sqlite).with_bar("p99 under 10 ms"),
        row("event-redis", "through Redis to another process, PostgreSQL", &redis)
            .with_bar("p99 under 50 ms"),
    ])
}

/// Both services in this process; events are calls of the mesh.
async fn near(bench: &Bench, engine: Engine) -> Result<Vec<Duration>> {
    let database = store_testing::database(engine).await;
    let (mesh, stop) = (own::mesh(listener::subscriptions())?, CancellationToken::new());
    let (told, heard) = unbounded_channel();
    let service = listener::service(database.open(), &mesh, told).await?;
    mesh.run(vec![service], &stop, &TaskTracker::new())?;
    let mut teller = Teller::start(&database, &mesh, mesh.bus(), heard).await?;
    let took = teller.tell_all(bench).await;
    stop.cancel();
    teller.end().await?;
    took
}

/// The consumer in a process of its own, which can be reached by Redis and in no other way.
async fn through_redis(bench: &Bench) -> Result<Vec<Duration>> {
    let server = tokio::task::spawn_blocking(store_testing::Redis::start).await?;
    let database = store_testing::database(Engine::Postgres).await;
    let (_peer, address) =
        process::peer(&["listener", &database.location(), &server.url()]).await?;
    let (told, heard) = unbounded_channel();
    let mut effects = TcpStream::connect(address).await?;
    let reading = tokio::spawn(async move {
        while let Ok(number) = effects.read_i64().await {
            if told.send(number).is_err() {
                break;
            }
        }
    });
    let (mesh, stop) = (own::mesh(listener::subscriptions())?, CancellationToken::new());
    let bus = mesh_redis::Bus::new(Redis::open(&server.url())?, mesh.bus());
    let listening = tokio::spawn(bus.clone().listen(stop.clone()));
    let mut teller = Teller::start(&database, &mesh, Arc::new(bus), heard).await?;
    let took = teller.tell_all(bench).await;
    stop.cancel();
    reading.abort();
    teller.end().await?;
    listening.await?;
    took
}

/// A service that tells, and hears what came of it.
struct Teller {
    store: Store,
    context: Context,
    number: i64,
    effects: UnboundedReceiver<i64>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Teller {
    async fn start(
        database: &TestDatabase,
        mesh: &Mesh,
        bus: Arc<dyn Bus>,
        effects: UnboundedReceiver<i64>,
    ) -> Result<Self> {
        let store = own::store("teller", database.open(), &[], mesh, bus).await?;
        let stop = CancellationToken::new();
        let running = tokio::spawn(store.runner().run(stop.clone()));
        let context = own::context("teller");
        Ok(Self { store, context, number: 0, effects, stop, running })
    }

    /// Tells one event after the other, and how long each took.
    async fn tell_all(&mut self, bench: &Bench) -> Result<Vec<Duration>> {
        for _ in 0..WARM_UP {
            self.tell().await?;
        }
        let seconds = Duration::from_secs_f64(bench.seconds) * u32::try_from(bench.rounds)?;
        let (began, mut took) = (Instant::now(), Vec::new());
        while began.elapsed() < seconds || took.len() < LEAST {
            tokio::time::sleep(GAP).await;
            took.push(self.tell().await?);
        }
        took.sort_unstable();
        Ok(took)
    }

    /// Tells one event; how long after its commit it was heard that its effect is committed too.
    async fn tell(&mut self) -> Result<Duration> {
        self.number += 1;
        let number = self.number;
        let mut tx = self.store.begin_for(&self.context).await?;
        tx.emit(&format!("key-{}", number % KEYS), Happened { number });
        tx.commit().await?;
        let committed = Instant::now();
        let heard = tokio::time::timeout(PATIENCE, async {
            while self.effects.recv().await.context("the consumer has ended")? != number {}
            anyhow::Ok(())
        });
        heard.await.with_context(|| format!("event {number} has no effect"))??;
        Ok(committed.elapsed())
    }

    async fn end(self) -> Result<()> {
        self.stop.cancel();
        Ok(self.running.await?)
    }
}

fn told(sorted: &[Duration]) -> String {
    let at =
        |share: usize| sorted.get((sorted.len() * share / 100).min(sorted.len().saturating_sub(1)));
    let millis = |share| at(share).map_or(0.0, |took| took.as_secs_f64() * 1e3);
    format!(
        "p50 {} ms, p99 {} ms, most {} ms, of {} events",
        figure(millis(50)),
        figure(millis(99)),
        figure(millis(100)),
        sorted.len()
    )
}

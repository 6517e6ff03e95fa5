//! A shop that tells, replicas that listen, and Redis between them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::mesh::v1::Event;
use mesh::metrics::Metrics;
use mesh::{
    Bus, Caller, CancellationToken, Changes, Clock, Context, Ids, Intake, Status, Trace,
    async_trait,
};
use store::{Config, Migration, Store, Tx};
use store_testing::{Engine, TestDatabase};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const MIGRATIONS: &[Migration] =
    &[Migration::new("0001_effects", include_str!("migrations/0001_effects.sql"))];
/// The service that consumes.
pub(crate) const LISTENER: &str = "listener";
/// How long something may take that goes wrong on the way.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens: the number-th thing to something.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Happened {
    #[prost(string, tag = "1")]
    pub(crate) to: String,
    #[prost(int64, tag = "2")]
    pub(crate) number: i64,
}

impl prost::Name for Happened {
    const NAME: &'static str = "Happened";
    const PACKAGE: &'static str = "shop.v1";
}

/// Where events go that do not go through Redis: nowhere, or to a replica.
#[derive(Clone, Default)]
pub(crate) struct Direct {
    pub(crate) to: Option<Intake>,
    pub(crate) count: Arc<AtomicUsize>,
}

#[async_trait]
impl Bus for Direct {
    fn consumers(&self, _: &str) -> Vec<&'static str> {
        vec![LISTENER]
    }

    async fn deliver(
        &self,
        context: &Context,
        consumer: &'static str,
        events: Vec<Event>,
    ) -> Result<(), Status> {
        let Some(intake) = &self.to else {
            return Err(Status::unavailable("there is no other way"));
        };
        self.count.fetch_add(events.len(), Ordering::SeqCst);
        intake.take(consumer, &events, context.deadline, Trace::NONE).await
    }
}

/// The databases of both sides.
pub(crate) struct World {
    shop: TestDatabase,
    listener: TestDatabase,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self {
            shop: store_testing::database(Engine::Postgres).await,
            listener: store_testing::database(Engine::Postgres).await,
        }
    }

    /// The service that tells, over a bus.
    pub(crate) async fn shop(&self, bus: impl Bus) -> Store {
        open("shop", &self.shop, &[], Arc::new(bus)).await
    }

    /// The consuming service.
    pub(crate) async fn listener(&self) -> Store {
        open(LISTENER, &self.listener, MIGRATIONS, Arc::new(Direct::default())).await
    }

    /// What the consumer did, in its order: to what, and the number.
    pub(crate) async fn effects(&self, listener: &Store) -> Vec<(String, i64)> {
        let context = context();
        let reader = listener.read(&context);
        let sql = "SELECT key, number FROM effects WHERE project = $1 ORDER BY position";
        let rows = reader.query(sql).fetch_all().await.unwrap();
        rows.iter().map(|row| (row.get("key").unwrap(), row.get("number").unwrap())).collect()
    }
}

async fn open(
    service: &'static str,
    database: &TestDatabase,
    migrations: &'static [Migration],
    bus: Arc<dyn Bus>,
) -> Store {
    let clock = Clock::system();
    let config = Config {
        service,
        database: database.open_with(8),
        migrations,
        bus,
        changes: Changes::default(),
        clock: clock.clone(),
        ids: Ids::new(clock),
        pace: store::Pace::default(),
        keep: store::Keep::default(),
        metrics: store::Metrics::default(),
        chaos: None,
    };
    Store::open(config).await.unwrap()
}

/// The shop itself.
pub(crate) fn context() -> Context {
    Context::new(Caller::service("shop", "project", None), "test", Trace::NONE)
}

/// Emits so many things that happen to each of these, in turns, some in each transaction.
pub(crate) async fn tell(shop: &Store, keys: &[String], numbers: std::ops::Range<i64>) {
    for number in numbers {
        let mut tx = shop.begin_for(&context()).await.unwrap();
        for key in keys {
            tx.emit(key, Happened { to: key.clone(), number });
        }
        tx.commit().await.unwrap();
    }
}

/// Which events are refused: those of a key, while there is one.
pub(crate) type Refused = Arc<std::sync::Mutex<Option<String>>>;

/// The intake of a replica of the consumer; counts what it acts on.
pub(crate) fn intake(listener: &Store, refused: &Refused, acted: &Arc<AtomicUsize>) -> Intake {
    let (refused, acted) = (Arc::clone(refused), Arc::clone(acted));
    let consumer = listener.consumer().on(move |tx, _, event: Happened| {
        let refuses = refused.lock().unwrap().as_ref() == Some(&event.to);
        acted.fetch_add(1, Ordering::SeqCst);
        note(tx, event, refuses)
    });
    Intake::of(HashMap::from([(LISTENER, Arc::new(consumer) as _)]))
}

async fn note(mut tx: Tx, event: Happened, refuses: bool) -> Result<Tx, Status> {
    if refuses {
        return Err(Status::failed_precondition("not yet"));
    }
    let sql = "INSERT INTO effects (project, key, number) VALUES ($1, $2, $3)";
    tx.query(sql).bind(event.to).bind(event.number).execute().await?;
    Ok(tx)
}

/// A replica of the consumer in threads of its own, as a process has them.
pub(crate) struct Replica {
    runtime: Option<Runtime>,
    stop: CancellationToken,
    consuming: Option<JoinHandle<()>>,
    pub(crate) acted: Arc<AtomicUsize>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) intake: Intake,
}

impl Replica {
    pub(crate) async fn start(world: &World, url: &str, refused: &Refused) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let (stop, metrics) = (CancellationToken::new(), Arc::<Metrics>::default());
        let acted = Arc::<AtomicUsize>::default();
        let listener = world.listener().await;
        let intake = intake(&listener, refused, &acted);
        let (url, counted) = (url.to_owned(), Arc::clone(&metrics));
        let (taken, stopped) = (intake.clone(), stop.clone());
        let consuming = runtime.spawn(async move {
            let redis = mesh_redis::Redis::open(&url).unwrap();
            redis.register(&counted);
            mesh_redis::consume(redis, taken, stopped).await;
        });
        let consuming = Some(consuming);
        Self { runtime: Some(runtime), stop, consuming, acted, metrics, intake }
    }

    /// Ends in the middle of everything.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Ends as it should.
    pub(crate) async fn drain(&mut self) {
        self.stop.cancel();
        self.consuming.take().unwrap().await.unwrap();
    }

    pub(crate) fn acted(&self) -> usize {
        self.acted.load(Ordering::SeqCst)
    }

    pub(crate) fn partitions(&self) -> String {
        line(&self.metrics, "redis_partitions_held ")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The value of a line of a page of metrics.
pub(crate) fn line(metrics: &Metrics, name: &str) -> String {
    let page = metrics.page();
    let found = page.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_default().to_owned()
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is: impl FnMut() -> F) {
    let waiting = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never: {what}");
}

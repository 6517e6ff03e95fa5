//! A service's store in a test, and what it meets.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::mesh::v1::Event;
use mesh::{
    Bus, Caller, CancellationToken, Changes, Clock, Consumer, Context, Ids, Principal, Request,
    Status, async_trait,
};
use store::{Config, Database, Migration, Pace, Runner, Store};
use store_testing::{Engine, TestDatabase};
use tokio::task::JoinHandle;
use tracing::Span;

pub(crate) const MIGRATIONS: &[Migration] =
    &[Migration::new("0001_notes", include_str!("migrations/0001_notes.sql"))];

/// One database, one bus, one clock.
pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) clock: Clock,
    pub(crate) changes: Changes,
    pub(crate) bus: TestBus,
}

impl World {
    pub(crate) async fn new(engine: Engine) -> Self {
        let database = store_testing::database(engine).await;
        // A time that microseconds hold, and seconds do not.
        let clock = Clock::at(1_800_000_000_123_456);
        Self { database, clock, changes: Changes::default(), bus: TestBus::default() }
    }

    pub(crate) fn config(&self, service: &'static str, database: Database) -> Config {
        let (bus, changes) = (Arc::new(self.bus.clone()), self.changes.clone());
        Config {
            clock: self.clock.clone(),
            ids: Ids::new(self.clock.clone()),
            ..Config::new(service, database, MIGRATIONS, bus, changes)
        }
    }

    /// A store whose leases are so long.
    pub(crate) async fn open_with_leases(&self, lease: Duration) -> Store {
        self.open_at(Pace { lease, ..Pace::default() }).await
    }

    /// A store with a pace of its own.
    pub(crate) async fn open_at(&self, pace: Pace) -> Store {
        let config = self.config("notes", self.database.open());
        Store::open(Config { pace, ..config }).await.unwrap()
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(self.config("notes", self.database.open())).await.unwrap()
    }
}

/// A user without permissions, in the project `shop`.
pub(crate) fn user(id: &str) -> Context {
    context(Principal::User { id: id.into(), session: "ses".into() }, "shop", &[])
}

/// A user who may read the notes of all.
pub(crate) fn editor() -> Context {
    let principal = Principal::User { id: "editor".into(), session: "ses".into() };
    context(principal, "shop", &["notes.read_any"])
}

/// The service itself, in a project.
pub(crate) fn service(project: &str) -> Context {
    context(Principal::Service { name: "notes".into(), on_behalf: None }, project, &[])
}

pub(crate) fn context(
    principal: Principal,
    project: &str,
    permissions: &[&'static str],
) -> Context {
    let permissions: BTreeSet<_> = permissions.iter().copied().collect();
    let caller = Caller::new(principal, project, Arc::new(permissions));
    Context::new(caller, "/notes.v1.Notes/Do", Span::none())
}

/// A call with a message, and perhaps an idempotency key.
pub(crate) fn request<M>(context: &Context, key: Option<&str>, message: M) -> Request<M> {
    let mut context = context.clone();
    context.idempotency_key = key.map(Arc::from);
    let mut request = Request::new(message);
    request.extensions_mut().insert(context);
    request
}

/// A runner in the background, stopped when it is told to.
pub(crate) struct Running {
    stop: CancellationToken,
    runner: JoinHandle<()>,
}

pub(crate) fn start(runner: Runner) -> Running {
    let stop = CancellationToken::new();
    Running { runner: tokio::spawn(runner.run(stop.clone())), stop }
}

impl Running {
    /// Takes no more tasks; what has begun goes on.
    pub(crate) fn drain(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.runner.await.unwrap();
    }
}

/// Waits until something is so, for ten seconds at most.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is: impl FnMut() -> F) {
    let waiting = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect(what);
}

/// Hands events to the consumers that are registered, and fails when it is told to.
#[derive(Clone, Default)]
pub(crate) struct TestBus {
    consumers: Arc<Mutex<HashMap<&'static str, Arc<dyn Consumer>>>>,
    /// What happens to the next deliveries, first to last.
    pub(crate) failures: Arc<Mutex<Vec<Failure>>>,
}

/// What goes wrong at a delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failure {
    /// The consumer is not reached.
    Unreachable,
    /// The consumer has acted, but its answer is lost.
    AnswerLost,
}

impl TestBus {
    pub(crate) fn register(&self, service: &'static str, consumer: impl Consumer) {
        self.consumers.lock().unwrap().insert(service, Arc::new(consumer));
    }

    fn consumer(&self, name: &str) -> Option<Arc<dyn Consumer>> {
        self.consumers.lock().unwrap().get(name).cloned()
    }
}

#[async_trait]
impl Bus for TestBus {
    fn consumers(&self, event_type: &str) -> Vec<&'static str> {
        let consumers = self.consumers.lock().unwrap();
        let of = consumers.iter().filter(|(_, consumer)| consumer.types().contains(&event_type));
        of.map(|(name, _)| *name).collect()
    }

    async fn deliver(
        &self,
        _: &Context,
        consumer: &'static str,
        events: Vec<Event>,
    ) -> Result<(), Status> {
        let failure = self.failures.lock().unwrap().pop();
        if let Some(Failure::Unreachable) = failure {
            return Err(Status::unavailable("not now"));
        }
        let consumer = self.consumer(consumer).expect("a registered consumer");
        for event in &events {
            let subject = (!event.subject.is_empty()).then(|| event.subject.as_str().into());
            let caller = Caller::service("labels", event.project.as_str(), subject);
            let context = Context::new(caller, event.r#type.as_str(), Span::none());
            consumer.consume(&context, event).await?;
        }
        match failure {
            Some(Failure::AnswerLost) => Err(Status::unavailable("the answer was lost")),
            _ => Ok(()),
        }
    }
}

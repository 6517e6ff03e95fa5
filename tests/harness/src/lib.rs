//! A mesh in a test: real layers, real stores, callers of every kind.
//!
//! A test names the services it needs as [`Part`]s; a dependency that it does not want in full is a
//! small server of the same contract, written in the test.

use std::collections::HashMap;
use std::sync::Arc;

use mesh::identity::Roles;
use mesh::limits::Limits;
use mesh::{Caller, Chaos, Clock, Context, Ids, Mesh, Peer, Principal, Service};
use store::{Config, Database, Migration, Store};
use store_testing::TestDatabase;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;

pub use store_testing::Engine;

/// The time at which every test begins: 2026-01-01T00:00:00Z.
pub const BEGINNING: i64 = 1_767_225_600_000_000;

type Build = Box<dyn FnOnce(Store, &Mesh) -> Service + Send>;

/// A service to run in a test.
pub struct Part {
    name: &'static str,
    migrations: &'static [Migration],
    consumes: &'static [&'static str],
    build: Build,
}

/// A service to run, from what its crate says of itself.
pub fn part(
    name: &'static str,
    migrations: &'static [Migration],
    consumes: &'static [&'static str],
    build: impl FnOnce(Store, &Mesh) -> Service + Send + 'static,
) -> Part {
    Part { name, migrations, consumes, build: Box::new(build) }
}

impl Part {
    /// The same service without its work, for tests that count what a call does itself.
    #[must_use]
    pub fn at_rest(self) -> Self {
        let Self { build, .. } = self;
        let build = |store: Store, mesh: &Mesh| build(store, mesh).at_rest();
        Self { build: Box::new(build), ..self }
    }
}

/// A running mesh of one process; it ends with its databases when it is dropped.
pub struct Harness {
    /// The mesh, with every layer.
    pub mesh: Mesh,
    /// The time; it stands until it is advanced.
    pub clock: Clock,
    stores: HashMap<&'static str, Store>,
    stop: CancellationToken,
    tracker: TaskTracker,
    /// Kept while the stores are used; somebody else's where there is none.
    database: Option<TestDatabase>,
}

/// What a mesh is started with.
pub struct Place {
    /// Where its services remember.
    pub database: Database,
    /// Its time.
    pub clock: Clock,
    /// Where its ids come from.
    pub ids: Ids,
    /// The budgets of its callers.
    pub limits: Limits,
    /// What befalls it.
    pub chaos: Option<Arc<dyn Chaos>>,
}

impl Harness {
    /// Starts services near each other, on a new database.
    pub async fn start(engine: Engine, parts: Vec<Part>) -> Self {
        let database = store_testing::database(engine).await;
        Self::start_on(database, parts, Clock::at(BEGINNING)).await
    }

    /// The same over a database that may hold something already, at a time.
    pub async fn start_on(database: TestDatabase, parts: Vec<Part>, clock: Clock) -> Self {
        let place = Place {
            // One budget of connections for all services, as in a process.
            database: database.open(),
            ids: Ids::new(clock.clone()),
            clock,
            limits: Limits::default(),
            chaos: None,
        };
        Self { database: Some(database), ..Self::start_at(place, parts).await }
    }

    /// The same over a database that somebody else keeps.
    ///
    /// # Panics
    ///
    /// When the contracts make no mesh, or a store does not open.
    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    pub async fn start_at(place: Place, parts: Vec<Part>) -> Self {
        let Place { database, clock, ids, limits, chaos } = place;
        let mut subscriptions: HashMap<String, Vec<&'static str>> = HashMap::new();
        for part in &parts {
            for event in part.consumes {
                subscriptions.entry((*event).to_owned()).or_default().push(part.name);
            }
        }
        let mesh = Mesh::new(mesh::Config {
            roles: tradewind::roles::roles(),
            subscriptions,
            limits,
            clock: clock.clone(),
            chaos: chaos.clone(),
            ..mesh::Config::new("test", vec![contract::DESCRIPTORS, tradewind::DESCRIPTORS])
        })
        .expect("the contracts make a mesh");
        let metrics = store::Metrics::default();
        metrics.register(mesh.metrics());
        let mut stores = HashMap::new();
        let mut services = Vec::new();
        for part in parts {
            let (bus, changes) = (mesh.bus(), mesh.changes().clone());
            let store = Store::open(Config {
                clock: clock.clone(),
                ids: ids.clone(),
                metrics: metrics.clone(),
                chaos: chaos.clone(),
                ..Config::new(part.name, database.clone(), part.migrations, bus, changes)
            })
            .await
            .expect("the store opens");
            stores.insert(part.name, store.clone());
            services.push((part.build)(store.clone(), &mesh).audited_by(store));
        }
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        mesh.run(services, &stop, &tracker).expect("the services run");
        Self { mesh, clock, stores, stop, tracker, database: None }
    }

    /// The store of a service that runs here.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that names another service is wrong")]
    pub fn store(&self, service: &str) -> &Store {
        self.stores.get(service).expect("the service runs here")
    }

    /// A service to call.
    #[must_use]
    pub fn peer(&self, service: &'static str) -> Peer {
        self.mesh.peer("test", service)
    }

    /// Waits until nothing is left to do at once, in any service: no due task, no event.
    ///
    /// # Panics
    ///
    /// When a store cannot be read.
    #[expect(clippy::expect_used, reason = "a store that cannot be read fails the test")]
    pub async fn settle(&self) {
        // A task of one service may give another one work, so each is asked until all are idle in a row.
        for _ in 0..3 {
            for store in self.stores.values() {
                store.idle().await.expect("the store says whether it is idle");
            }
        }
    }

    /// Nobody.
    #[must_use]
    pub fn nobody(&self) -> Context {
        context(Caller::nobody(mesh::caller::DEFAULT_PROJECT))
    }

    /// A customer with an account.
    #[must_use]
    pub fn as_customer(&self, id: &str) -> Context {
        self.as_user(id, &["customer"], mesh::caller::DEFAULT_PROJECT)
    }

    /// A customer without one.
    #[must_use]
    pub fn as_guest(&self, id: &str) -> Context {
        let principal = Principal::Guest { id: id.into() };
        context(Caller::new(principal, mesh::caller::DEFAULT_PROJECT, Arc::default()))
    }

    /// The merchant.
    #[must_use]
    pub fn as_merchant(&self) -> Context {
        self.as_user("usr_merchant", &["merchant"], mesh::caller::DEFAULT_PROJECT)
    }

    /// A user with roles in a project.
    #[must_use]
    pub fn as_user(&self, id: &str, roles: &[&str], project: &str) -> Context {
        let known: Roles = tradewind::roles::roles();
        let permissions =
            roles.iter().filter_map(|role| known.get(role)).flatten().copied().collect();
        let principal = Principal::User { id: id.into(), session: "ses_test".into() };
        context(Caller::new(principal, project, Arc::new(permissions)))
    }

    /// A service, on behalf of a customer or of nobody.
    #[must_use]
    pub fn as_service(&self, name: &str, on_behalf: Option<&str>) -> Context {
        context(Caller::service(name, mesh::caller::DEFAULT_PROJECT, on_behalf.map(Into::into)))
    }

    /// Closes all databases. Nothing is waited for: a mesh that was killed has nobody left who could.
    pub fn close(&self) {
        self.stores.values().for_each(Store::close);
    }

    /// Ends the services and waits for their work.
    pub async fn end(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Ends the services, and gives the database back for another start.
    ///
    /// # Panics
    ///
    /// When the database is somebody else's.
    #[expect(clippy::expect_used, reason = "a test that keeps its database itself has it already")]
    pub async fn stop(self) -> TestDatabase {
        self.end().await;
        self.database.expect("the database is this mesh's own")
    }
}

fn context(caller: Caller) -> Context {
    Context::new(caller, "test", Span::none())
}

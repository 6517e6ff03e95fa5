//! A service's store: opened once, cloned freely.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use contract::{Kind, Resource};
use mesh::{Bus, Changes, Chaos, Clock, Context, HasContext, Ids};
use sqlx::any::AnyRow;
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::Request;

use crate::agenda::Agenda;
use crate::connection::{Connection, Counts};
use crate::database::{Database, PATIENCE, Pools};
use crate::error::Error;
use crate::keys::Queue;
use crate::lease::Leases;
use crate::metrics::Metrics;
use crate::migrate::Migration;
use crate::pace::{Keep, Pace};
use crate::pool::Engine;
use crate::reader::Reader;
use crate::runner::Runner;
use crate::statement::{Row, Statement};
use crate::tasks;
use crate::tx::Tx;

/// What a store is made of.
#[derive(Clone)]
pub struct Config {
    /// The service, whose name its file or schema has: lower-case letters, digits and underscores.
    pub service: &'static str,
    /// Where it remembers.
    pub database: Database,
    /// The service's own tables.
    pub migrations: &'static [Migration],
    /// Where its events go.
    pub bus: Arc<dyn Bus>,
    /// Who is told of its changes.
    pub changes: Changes,
    /// Its time.
    pub clock: Clock,
    /// Its ids.
    pub ids: Ids,
    /// How its tasks are looked for, held and let go.
    pub pace: Pace,
    /// How long what was done is remembered.
    pub keep: Keep,
    /// What it counts, together with the other stores of the process.
    pub metrics: Metrics,
    /// What befalls its commits, in simulations.
    pub chaos: Option<Arc<dyn Chaos>>,
}

impl Config {
    /// A store of a service as most are: by the machine's clock, with counts of its own, and nothing befalls it.
    #[must_use]
    pub fn new(
        service: &'static str,
        database: Database,
        migrations: &'static [Migration],
        bus: Arc<dyn Bus>,
        changes: Changes,
    ) -> Self {
        let clock = Clock::system();
        Self {
            service,
            database,
            migrations,
            bus,
            changes,
            clock: clock.clone(),
            ids: Ids::new(clock),
            pace: Pace::default(),
            keep: Keep::default(),
            metrics: Metrics::default(),
            chaos: None,
        }
    }
}

/// How a service remembers. Clones share everything.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) service: &'static str,
    pub(crate) pools: Pools,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) changes: Changes,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) counts: Arc<Counts>,
    pub(crate) pace: Pace,
    pub(crate) keep: Keep,
    pub(crate) leases: Leases,
    /// Calls with equal idempotency keys, one after another.
    pub(crate) queue: Arc<Queue>,
    /// A process has given the answer of its call.
    pub(crate) answered: Notify,
    /// Tasks may be due.
    pub(crate) tasks: Arc<Agenda>,
    /// Whether a runner of this process has room for more of them.
    pub(crate) has_room: AtomicBool,
    pub(crate) schedules: Schedules,
    /// Events may be waiting.
    pub(crate) events: Notify,
    /// Tasks and deliveries that run now.
    pub(crate) running: AtomicUsize,
    /// How many have ever begun.
    pub(crate) begun: AtomicUsize,
    /// One of them has ended.
    pub(crate) settled: Notify,
}

/// What the store knows of the schedules that its runner has.
pub(crate) struct Schedules {
    /// When the next firing is, in microseconds since 1970.
    pub(crate) next: AtomicI64,
    /// They are to be looked at now.
    pub(crate) changed: Notify,
}

impl Default for Schedules {
    fn default() -> Self {
        Self { next: AtomicI64::new(i64::MAX), changed: Notify::new() }
    }
}

impl Inner {
    /// Wakes the runners of other processes.
    pub(crate) fn ring(&self) {
        if let Some(bells) = &self.pools.bells {
            bells.ring(self.service);
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("service", &self.inner.service).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a service's database and brings its tables up to date, unless that is somebody else's to do.
    pub async fn open(config: Config) -> Result<Self, Error> {
        let Config { service, database, migrations, bus, changes, clock, ids, .. } = config;
        let Config { pace, keep, metrics, chaos, .. } = config;
        let pools = database.open(service, migrations, &clock).await?;
        tasks::take_back(&pools.write, service, &clock).await?;
        let inner = Inner {
            service,
            pools,
            bus,
            changes,
            clock,
            ids,
            counts: Arc::new(Counts { metrics, chaos, ..Counts::default() }),
            pace,
            keep,
            leases: Leases::new(pace.lease),
            queue: Arc::default(),
            answered: Notify::new(),
            tasks: Arc::default(),
            has_room: AtomicBool::new(false),
            schedules: Schedules::default(),
            events: Notify::new(),
            running: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            settled: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Reads for a call or a task, each statement on its own.
    #[must_use]
    pub fn read(&self, of: &impl HasContext) -> Reader {
        Reader::new(self.clone(), of.context().clone())
    }

    /// Opens a transaction for a call, once for each idempotency key.
    ///
    /// A call that has ended before leaves through [`Error::Replay`]; when this one is refused, that is kept too.
    pub async fn begin<M: prost::Message>(&self, request: &Request<M>) -> Result<Tx, Error> {
        let context = request.context();
        match &context.idempotency_key {
            Some(key) => Box::pin(self.claim_key(context, key, request.get_ref())).await,
            None => self.begin_for(context).await,
        }
    }

    /// Opens a transaction for work that is not a call of its own: a task, an event, a step of a process.
    pub async fn begin_for(&self, context: &Context) -> Result<Tx, Error> {
        let connection = self.begin_within(deadline(context)).await?;
        Ok(Tx::new(self.clone(), context.clone(), connection))
    }

    /// The runner of this store's tasks and the publisher of its events.
    #[must_use]
    pub fn runner(&self) -> Runner {
        Runner::new(self.clone())
    }

    /// Where events that this service consumes have their effect.
    #[must_use]
    pub fn consumer(&self) -> crate::consumer::Consumer {
        crate::consumer::Consumer::new(self.clone())
    }

    /// Refuses a table that lacks a column of its resource, or the project.
    pub async fn check<R: Resource + 'static>(&self) -> Result<(), Error> {
        let engine = self.inner.pools.read.engine();
        let (columns, scope) = match engine {
            Engine::Sqlite => (
                "SELECT name, type AS kind, 1 - \"notnull\" AS nullable FROM pragma_table_info($1)",
                None,
            ),
            Engine::Postgres => (
                "SELECT CAST(column_name AS TEXT) AS name, CAST(data_type AS TEXT) AS kind, \
                 CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END AS nullable \
                 FROM information_schema.columns WHERE table_name = $1 AND table_schema = $2",
                Some(self.inner.service),
            ),
        };
        let mut statement = Statement::new(columns).bind(R::TABLE);
        statement = statement.binds(scope.map(crate::Bind::value));
        let rows = self.fetch(statement, Instant::now() + PATIENCE).await?;
        let mut there = Vec::new();
        for row in rows {
            let kind = row.get::<String>("kind")?.to_lowercase();
            there.push((row.get::<String>("name")?, kind, row.get::<bool>("nullable")?));
        }
        let problems = problems::<R>(&there);
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::Table { table: R::TABLE, resource: R::NAME, problems })
    }

    /// Closes its connections, for who opens the same database once more in this process: whoever still asks
    /// for one is refused. On PostgreSQL the stores of a process share them.
    pub fn close(&self) {
        self.inner.pools.write.close();
        self.inner.pools.read.close();
    }

    /// How many of its connections are in use: while there are none, nothing is asked of the database.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.inner.pools.write.in_use() + self.inner.pools.read.in_use()
    }

    /// How many transactions this store has committed.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.inner.counts.commits.load(Ordering::Relaxed)
    }

    /// How often commits of this store have waited for the disk, on SQLite, where those that meet share it.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.inner.counts.syncs.load(Ordering::Relaxed)
    }

    /// How many statements this store has run, besides those by which its runner looks for work.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.inner.counts.statements.load(Ordering::Relaxed)
    }

    /// The clock that rows are stamped by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Where the ids of rows come from.
    #[must_use]
    pub fn ids(&self) -> &Ids {
        &self.inner.ids
    }

    /// The service whose store this is.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.inner.service
    }

    pub(crate) async fn connect(
        &self,
        pool: &crate::pool::Pool,
        deadline: Instant,
    ) -> Result<Connection, Error> {
        Connection::take(pool, self.inner.service, &self.inner.counts, deadline).await
    }

    /// A connection with an open transaction.
    pub(crate) async fn begin_within(&self, deadline: Instant) -> Result<Connection, Error> {
        let pool = &self.inner.pools.write;
        let mut connection = self.connect(pool, deadline).await?;
        match connection.begin().await {
            // It was idle while the server went away; nothing has been lost with it.
            Err(Error::Unavailable(_)) => connection = self.connect(pool, deadline).await?,
            begun => return begun.map(|()| connection),
        }
        connection.begin().await.map(|()| connection)
    }

    /// Runs what stands alone, most often a read, on a connection of its own.
    pub(crate) async fn fetch_raw(
        &self,
        statement: Statement,
        deadline: Instant,
    ) -> Result<Vec<AnyRow>, Error> {
        self.fetch_counted(statement, &self.inner.counts, deadline).await
    }

    async fn fetch_counted(
        &self,
        statement: Statement,
        counts: &Arc<Counts>,
        deadline: Instant,
    ) -> Result<Vec<AnyRow>, Error> {
        let (pool, service) = (&self.inner.pools.read, self.inner.service);
        let mut connection = Connection::take(pool, service, counts, deadline).await?;
        match connection.fetch(statement.clone()).await {
            // As at the beginning of a transaction; what stands alone can be done twice.
            Err(Error::Unavailable(_)) => {
                connection = Connection::take(pool, service, counts, deadline).await?;
            }
            read => return read,
        }
        connection.fetch(statement).await
    }

    /// Looks for work: what nobody has asked for, and what is no cost of a call, is not counted.
    pub(crate) async fn look(&self, statement: Statement) -> Result<Vec<Row>, Error> {
        let deadline = Instant::now() + PATIENCE;
        let rows = self.fetch_counted(statement, &Arc::default(), deadline).await?;
        Ok(rows.into_iter().map(Row::new).collect())
    }

    /// Reads outside of any project: the store's own rows.
    pub(crate) async fn fetch(
        &self,
        statement: Statement,
        deadline: Instant,
    ) -> Result<Vec<Row>, Error> {
        Ok(self.fetch_raw(statement, deadline).await?.into_iter().map(Row::new).collect())
    }

    /// Writes the store's own rows in a transaction of one statement, which is as good when it is done twice; the
    /// method is what it is counted under.
    pub(crate) async fn write(
        &self,
        statement: Statement,
        method: &str,
    ) -> Result<Vec<Row>, Error> {
        let (counts, deadline) = (&self.inner.counts, Instant::now() + PATIENCE);
        let engine = self.inner.pools.write.engine();
        let rows = if engine == Engine::Postgres && counts.chaos.is_none() {
            // There a statement outside of transactions is one itself: one way to the server in the place of three.
            let rows = self.fetch_raw(statement, deadline).await?;
            counts.committed(self.inner.service, method);
            rows
        } else {
            let mut connection = self.begin_within(deadline).await?;
            let rows = connection.fetch(statement).await?;
            connection.commit(method).await?;
            rows
        };
        Ok(rows.into_iter().map(Row::new).collect())
    }
}

/// Until when work may wait.
pub(crate) fn deadline(context: &Context) -> Instant {
    context.deadline.unwrap_or_else(|| Instant::now() + PATIENCE)
}

/// What a table with these columns (name, type, nullable) lacks.
fn problems<R: Resource>(there: &[(String, String, bool)]) -> Vec<String> {
    if there.is_empty() {
        return vec!["there is no such table".into()];
    }
    let project =
        contract::Column { name: "project", path: "project", kind: Kind::Text, nullable: false };
    let needed = std::iter::once(&project).chain(R::COLUMNS);
    let problem = |column: &contract::Column| {
        let name = column.name;
        let wanted = sql_type(column.kind);
        match there.iter().find(|(there, ..)| there == name) {
            None => Some(format!("column {name} {wanted} is missing")),
            Some((_, kind, _)) if kind != wanted => {
                Some(format!("column {name} is {kind}, not {wanted}"))
            }
            Some((.., nullable)) if *nullable != column.nullable => {
                let not = if column.nullable { "nullable" } else { "NOT NULL" };
                Some(format!("column {name} is not {not}"))
            }
            Some(_) => None,
        }
    };
    needed.filter_map(problem).collect()
}

fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer | Kind::Timestamp => "bigint",
        Kind::Double => "double precision",
        Kind::Bytes => "bytea",
    }
}

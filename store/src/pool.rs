//! Connections within a budget.
//!
//! A connection that is given back while a statement or a transaction may still be open is first
//! settled in a task of its own, so that a future that is dropped at any point leaks nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection, Executor};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::error::Error;
use crate::group::Group;
use crate::metrics::Metrics;

/// How long a rollback may take before its connection is closed instead.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection waits before it asks again for a file that another has for itself.
const LOCKED_PAUSE: Duration = Duration::from_millis(5);
/// A connection that has been idle for longer is asked whether it still lives.
const PING_AFTER: Duration = Duration::from_secs(30);
/// How long a new connection keeps the plans of its statements, and how long an old one does.
const PLANS_KEPT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// The two databases that one SQL text serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// How connections are made.
#[derive(Debug, Clone)]
pub(crate) struct Dial {
    pub(crate) engine: Engine,
    pub(crate) url: String,
    /// What every connection is told first.
    pub(crate) setup: &'static str,
    /// Whether writers that meet share a commit.
    pub(crate) shares_commits: bool,
}

/// A budget of connections; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    dial: Arc<Dial>,
    size: usize,
    budget: Arc<Semaphore>,
    /// How many wait for a connection.
    waiting: Arc<AtomicUsize>,
    idle: Arc<Mutex<Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    connection: AnyConnection,
    schema: &'static str,
    plans: Plans,
    group: Group,
    since: Instant,
}

/// A connection with its part of the budget.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) connection: AnyConnection,
    /// Where it finds tables; empty when that is not known.
    pub(crate) schema: &'static str,
    plans: Plans,
    /// Whose changes are in its open transaction besides.
    pub(crate) group: Group,
    // Dropped last: the budget counts a connection until it is idle or closed.
    _permit: OwnedSemaphorePermit,
}

impl Held {
    /// Runs what ends a transaction.
    pub(crate) async fn end(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.connection.execute(sqlx::raw_sql(sql)).await.map(|_| ())
    }
}

/// Somebody waits for a connection, until this is dropped.
struct Waiting<'p> {
    count: &'p AtomicUsize,
    schema: &'static str,
    since: Instant,
    metrics: &'p Metrics,
}

impl<'p> Waiting<'p> {
    fn new(count: &'p AtomicUsize, schema: &'static str, metrics: &'p Metrics) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self { count, schema, since: Instant::now(), metrics }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        // Whoever went away meanwhile has waited too.
        self.metrics.waited(self.schema, self.since.elapsed());
    }
}

/// Since when and for how long a connection keeps the plans of its prepared statements.
#[derive(Debug, Clone, Copy)]
struct Plans {
    since: Instant,
    kept: Duration,
}

impl Plans {
    fn new() -> Self {
        Self { since: Instant::now(), kept: PLANS_KEPT.0 }
    }
}

/// What has to happen before a connection can serve another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsettled {
    /// A statement outside of a transaction was cut off.
    Statement,
    /// A transaction is open.
    Transaction,
}

impl Pool {
    pub(crate) fn new(dial: Dial, size: usize) -> Self {
        let size = size.max(1);
        Self {
            dial: Arc::new(dial),
            size,
            budget: Arc::new(Semaphore::new(size)),
            waiting: Arc::default(),
            idle: Arc::default(),
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        self.dial.engine
    }

    /// Whether writers that meet share a commit.
    pub(crate) fn shares_commits(&self) -> bool {
        self.dial.shares_commits
    }

    /// Whether somebody waits for a connection.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// A connection, of the same schema if there is one, when the budget has room before the deadline.
    pub(crate) async fn take(
        &self,
        schema: &'static str,
        deadline: Instant,
        metrics: &Metrics,
    ) -> Result<Held, Error> {
        let permit = match Arc::clone(&self.budget).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.permit(schema, deadline, metrics).await?,
        };
        let idle = match self.pick(schema) {
            Some(idle) => self.revive(idle).await,
            None => None,
        };
        let mut held = if let Some(Idle { connection, schema, plans, group, .. }) = idle {
            Held { connection, schema, plans, group, _permit: permit }
        } else {
            let connection =
                timeout_at(deadline, self.connect()).await.map_err(|_| Error::Busy)??;
            let (plans, group) = (Plans::new(), Group::default());
            Held { connection, schema: "", plans, group, _permit: permit }
        };
        self.plan_anew(&mut held).await?;
        Ok(held)
    }

    /// Waits for room in the budget; whoever came before is served before.
    async fn permit(
        &self,
        schema: &'static str,
        deadline: Instant,
        metrics: &Metrics,
    ) -> Result<OwnedSemaphorePermit, Error> {
        let _waiting = Waiting::new(&self.waiting, schema, metrics);
        let permit = timeout_at(deadline, Arc::clone(&self.budget).acquire_owned()).await;
        let permit = permit.map_err(|_| {
            metrics.waited_in_vain(schema);
            Error::Busy
        })?;
        permit.map_err(|_| Error::Busy)
    }

    /// An idle connection, of the same schema if there is one; none while the budget allows a new one.
    fn pick(&self, schema: &'static str) -> Option<Idle> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = idle.iter().rposition(|idle| idle.schema == schema) {
            return Some(idle.swap_remove(at));
        }
        if idle.len() + self.in_use() <= self.size {
            return None;
        }
        let oldest = idle.iter().enumerate().min_by_key(|(_, idle)| idle.since)?.0;
        Some(idle.swap_remove(oldest))
    }

    async fn revive(&self, mut idle: Idle) -> Option<Idle> {
        if idle.since.elapsed() < PING_AFTER {
            return Some(idle);
        }
        let alive = timeout(SETTLE_WITHIN, idle.connection.ping()).await;
        matches!(alive, Ok(Ok(()))).then_some(idle)
    }

    async fn connect(&self) -> Result<AnyConnection, Error> {
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = self.dial.url.parse().map_err(|_| Error::DatabaseUrl)?;
        let mut connection =
            options.disable_statement_logging().connect().await.map_err(Error::Unavailable)?;
        // Who first turns a new file to WAL wants it alone, and SQLite does not wait for that.
        while let Err(error) = connection.execute(sqlx::raw_sql(self.dial.setup)).await {
            if !is_locked(&error) {
                return Err(Error::Unavailable(error));
            }
            sleep(LOCKED_PAUSE).await;
        }
        Ok(connection)
    }

    /// Has prepared statements planned anew from time to time. PostgreSQL would keep a plan from when a
    /// table was empty until somebody analyzes it, and read a whole project for a list of keys. To plan
    /// every execution anew would take longer than most statements do.
    async fn plan_anew(&self, held: &mut Held) -> Result<(), Error> {
        if self.dial.engine == Engine::Sqlite || held.plans.since.elapsed() < held.plans.kept {
            return Ok(());
        }
        let discarded = held.connection.execute(sqlx::raw_sql("DISCARD PLANS")).await;
        discarded.map_err(Error::Unavailable)?;
        let kept = (held.plans.kept * 2).min(PLANS_KEPT.1);
        held.plans = Plans { since: Instant::now(), kept };
        Ok(())
    }

    /// Takes back a connection that nothing is open on, but a transaction that others go on with.
    pub(crate) fn give_back(&self, held: Held) {
        if self.budget.is_closed() {
            return;
        }
        let Held { connection, schema, plans, group, _permit } = held;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Idle { connection, schema, plans, group, since: Instant::now() });
    }

    /// Takes back a connection after what is open on it has been ended.
    pub(crate) fn settle(&self, held: Held, unsettled: Unsettled) {
        // Without a runtime nothing can be asked; the connection closes, and the server rolls back.
        let Ok(runtime) = Handle::try_current() else { return };
        let pool = self.clone();
        runtime.spawn(async move {
            let mut held = held;
            let settled = timeout(SETTLE_WITHIN, end(&mut held, unsettled)).await;
            if matches!(settled, Ok(Ok(()))) {
                pool.give_back(held);
            }
        });
    }

    /// How many connections are on loan.
    pub(crate) fn in_use(&self) -> usize {
        self.size - self.budget.available_permits()
    }

    /// Closes the connections that are idle, and each of the others once it is given back.
    pub(crate) fn close(&self) {
        self.budget.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Closes a connection that failed, and the idle ones, which have likely failed with it.
    pub(crate) fn discard(&self, held: Held) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        drop(held);
    }
}

/// Whether another has a SQLite file for itself (`SQLITE_BUSY`).
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("5")
}

async fn end(held: &mut Held, unsettled: Unsettled) -> Result<(), sqlx::Error> {
    match unsettled {
        Unsettled::Statement => held.connection.ping().await,
        Unsettled::Transaction if held.group.is_empty() => held.end("ROLLBACK").await,
        // What the others wrote stays.
        Unsettled::Transaction => held.end("ROLLBACK TO member; RELEASE member").await,
    }
}

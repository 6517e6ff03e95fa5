//! A leased connection: runs statements, and knows what is open when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mesh::Chaos;
use mesh::chaos::Told;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Arguments, AssertSqlSafe, Executor};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::Error;
use crate::group;
use crate::metrics::Metrics;
use crate::pool::{Engine, Held, Pool, Unsettled};
use crate::statement::Statement;

/// How many commits and statements a store has made.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) commits: AtomicU64,
    pub(crate) statements: AtomicU64,
    /// How often the disk was waited for, where commits share that.
    pub(crate) syncs: AtomicU64,
    /// Shared with the other stores of the process.
    pub(crate) metrics: Metrics,
    /// Asked what becomes of each commit, in simulations.
    pub(crate) chaos: Option<Arc<dyn Chaos>>,
}

impl Counts {
    /// One more commit, of an RPC or a task.
    pub(crate) fn committed(&self, service: &'static str, method: &str) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.metrics.committed(service, method);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Settled,
    /// A statement runs; what it leaves behind is settled when it is cut off.
    Open(Unsettled),
    Broken,
}

/// A connection on loan from a pool, for one service.
#[derive(Debug)]
pub(crate) struct Connection {
    held: Option<Held>,
    state: State,
    pool: Pool,
    service: &'static str,
    counts: Arc<Counts>,
    /// A statement failed.
    failed: bool,
}

impl Connection {
    pub(crate) async fn take(
        pool: &Pool,
        service: &'static str,
        counts: &Arc<Counts>,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let held = pool.take(service, deadline, &counts.metrics).await?;
        Ok(Self {
            held: Some(held),
            state: State::Settled,
            pool: pool.clone(),
            service,
            counts: Arc::clone(counts),
            failed: false,
        })
    }

    pub(crate) fn engine(&self) -> Engine {
        self.pool.engine()
    }

    /// Opens a transaction; dropping this connection from here on rolls it back.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        // sqlx's own `begin` loses count of its depth when it is cancelled.
        self.state = State::Open(Unsettled::Transaction);
        let begin = match self.engine() {
            Engine::Sqlite if self.is_in_group() => "SAVEPOINT member",
            // A deferred transaction that turns from reading to writing fails at once when another writes.
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        };
        // In one round trip; a rollback takes the path back, so that it is sure at the commit only.
        let path = self.search_path()?.map(|set| format!("{set}; ")).unwrap_or_default();
        self.raw(format!("{path}{begin}")).await
    }

    /// Commits what an RPC or a task did; the method says which.
    pub(crate) async fn commit(&mut self, method: &str) -> Result<(), Error> {
        let Some(chaos) = self.counts.chaos.clone() else {
            return self.commit_surely(method).await;
        };
        let (service, mut came) = (self.service, Err(Error::Ended));
        let making = Box::pin(async { came = self.commit_surely(method).await });
        let told = chaos.commit(service, method, making).await;
        match told {
            Told::Truth => came,
            Told::Lost => Err(Error::lost()),
            Told::Made => Ok(()),
        }
    }

    async fn commit_surely(&mut self, method: &str) -> Result<(), Error> {
        if self.may_share() {
            self.share().await?;
        } else {
            self.commit_all().await?;
        }
        // PostgreSQL ends a transaction in which a statement failed with a rollback, without a word.
        if !self.failed {
            self.finds_tables();
        }
        self.counts.committed(self.service, method);
        Ok(())
    }

    /// Whether others' changes are in the transaction too.
    fn is_in_group(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.group.is_empty())
    }

    /// Whether somebody waits who could write before the disk is waited for.
    fn may_share(&self) -> bool {
        let has_room = self.held.as_ref().is_some_and(|held| !held.group.is_full());
        self.pool.shares_commits() && has_room && !self.failed && self.pool.is_waited_for()
    }

    /// Leaves what was written to a commit with others, and waits for that.
    async fn share(&mut self) -> Result<(), Error> {
        if self.is_in_group() {
            self.raw("RELEASE member".into()).await?;
        }
        let mut held = self.held.take().ok_or(Error::Ended)?;
        let (told, is_first) = held.group.join();
        self.pool.give_back(held);
        if is_first {
            let (pool, counts) = (self.pool.clone(), Arc::clone(&self.counts));
            tokio::spawn(group::close(pool, self.service, counts));
        }
        told.await.map_err(|_| Error::NotCommitted)
    }

    /// Ends without a change: who tells when what was read is kept, where others may have left it in the
    /// transaction.
    pub(crate) fn leave_group(&mut self) -> Option<oneshot::Receiver<()>> {
        let held = self.held.as_mut().filter(|held| !held.group.is_empty())?;
        Some(held.group.join().0)
    }

    /// Commits what was written, and what others have left.
    async fn commit_all(&mut self) -> Result<(), Error> {
        let before = self.enter();
        let ended = self.held.as_mut().ok_or(Error::Ended)?.end("COMMIT").await;
        self.leave(before, ended)?;
        self.state = State::Settled;
        if self.engine() == Engine::Sqlite {
            self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(held) = &mut self.held {
            held.group.committed();
        }
        Ok(())
    }

    /// What a connection is told before it finds the tables of this service, where it last served
    /// another. Until that has surely happened, it is not known what it finds.
    fn search_path(&mut self) -> Result<Option<String>, Error> {
        let (engine, service) = (self.engine(), self.service);
        let held = self.held.as_mut().ok_or(Error::Ended)?;
        if held.schema == service {
            return Ok(None);
        }
        if engine == Engine::Sqlite {
            held.schema = service;
            return Ok(None);
        }
        held.schema = "";
        Ok(Some(format!("SET search_path TO \"{service}\"")))
    }

    fn finds_tables(&mut self) {
        if let Some(held) = &mut self.held {
            held.schema = self.service;
        }
    }

    /// Outside of a transaction, the path is set by a statement of its own.
    async fn find_tables(&mut self) -> Result<(), Error> {
        if self.state != State::Settled {
            return Ok(());
        }
        if self.is_in_group() {
            // What stands alone is not to wait for a commit that nobody has promised it.
            self.state = State::Open(Unsettled::Transaction);
            self.commit_all().await?;
        }
        let Some(set) = self.search_path()? else { return Ok(()) };
        self.state = State::Open(Unsettled::Statement);
        let result = self.connection()?.execute(sqlx::raw_sql(AssertSqlSafe(set))).await;
        self.leave(State::Settled, result)?;
        self.finds_tables();
        Ok(())
    }

    /// Runs statements that are not prepared and bind nothing.
    pub(crate) async fn raw(&mut self, sql: String) -> Result<(), Error> {
        self.find_tables().await?;
        let before = self.enter();
        let connection = self.connection()?;
        let result = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        self.leave(before, result).map(|_| ())
    }

    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, Error> {
        let (sql, arguments, persistent) = self.prepare(statement)?;
        self.find_tables().await?;
        let before = self.enter();
        let query = sqlx::query_with(sql, arguments).persistent(persistent);
        let result = query.execute(self.connection()?).await;
        self.leave(before, result).map(|result| result.rows_affected())
    }

    pub(crate) async fn fetch(&mut self, statement: Statement) -> Result<Vec<AnyRow>, Error> {
        let (sql, arguments, persistent) = self.prepare(statement)?;
        self.find_tables().await?;
        let before = self.enter();
        let query = sqlx::query_with(sql, arguments).persistent(persistent);
        let result = query.fetch_all(self.connection()?).await;
        self.leave(before, result)
    }

    fn prepare(
        &self,
        statement: Statement,
    ) -> Result<(AssertSqlSafe<String>, AnyArguments, bool), Error> {
        // Its text, and not its values: those may be secret.
        tracing::trace!(target: "store::statement", service = self.service, sql = &*statement.sql);
        let mut arguments = AnyArguments::default();
        arguments.reserve(statement.values.len(), 0);
        for value in statement.values {
            crate::statement::add(&mut arguments, value)?;
        }
        // Services share connections: a text of its own each keeps PostgreSQL from planning a
        // prepared statement anew whenever the search path changes.
        let sql = match self.engine() {
            Engine::Sqlite => statement.sql.into_owned(),
            Engine::Postgres => format!("/*{}*/{}", self.service, statement.sql),
        };
        Ok((AssertSqlSafe(sql), arguments, statement.persistent))
    }

    fn connection(&mut self) -> Result<&mut sqlx::AnyConnection, Error> {
        self.held.as_mut().map(|held| &mut held.connection).ok_or(Error::Ended)
    }

    fn enter(&mut self) -> State {
        self.counts.statements.fetch_add(1, Ordering::Relaxed);
        let before = self.state;
        if before == State::Settled {
            self.state = State::Open(Unsettled::Statement);
        }
        before
    }

    fn leave<T>(&mut self, before: State, result: Result<T, sqlx::Error>) -> Result<T, Error> {
        match result {
            Ok(value) => {
                self.state = before;
                Ok(value)
            }
            Err(error) => {
                self.failed = true;
                let broken = crate::error::is_connection_lost(&error);
                self.state = if broken { State::Broken } else { before };
                Err(Error::from(error))
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        match self.state {
            State::Settled => self.pool.give_back(held),
            State::Open(unsettled) => self.pool.settle(held, unsettled),
            State::Broken => self.pool.discard(held),
        }
    }
}

//! What must happen after a commit: rows written with it, done until they succeed.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use mesh::Clock;

use crate::agenda::Place;
use crate::audit::worth_keeping;
use crate::connection::Connection;
use crate::error::Error;
use crate::lease::Claim;
use crate::pool::{Engine, Pool};
use crate::priority::Priority;
use crate::resources::MOST_ROWS;
use crate::statement::Statement;
use crate::store::Store;
use crate::table;
use crate::tx::Tx;

/// Something that must happen later, kept as JSON.
pub trait Task: Serialize + DeserializeOwned + Send {
    /// What it is known by in the table, such as `refund`; never reused for another payload.
    const KIND: &'static str;
    /// Who waits for it, when nothing else is said.
    const PRIORITY: Priority = Priority::Usual;
}

/// A task to be written at the commit.
#[derive(Debug)]
pub(crate) struct NewTask {
    id: String,
    kind: &'static str,
    payload: String,
    due: i64,
    /// 1 when this process holds it from the beginning, else 0.
    token: i64,
    priority: Priority,
}

impl NewTask {
    /// Where and when anybody may take it; nowhere while this process holds it.
    pub(crate) fn waits(&self) -> Option<(Place, i64)> {
        (self.token == 0).then_some(((self.kind, self.priority), self.due))
    }
}

/// A task that has failed too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadTask {
    /// Such as `tsk_01j…`.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its project.
    pub project: String,
    /// Its JSON.
    pub payload: String,
    /// Why it failed last.
    pub error: String,
}

impl Tx {
    /// Starts a task with this transaction; it runs as soon as that is committed.
    pub fn start<T: Task>(&mut self, task: T) -> Result<(), Error> {
        self.start_as(T::PRIORITY, task)
    }

    /// The same with a priority of its own: one mail of many to customers, or the one that somebody
    /// waits for.
    #[expect(clippy::needless_pass_by_value, reason = "a task is given away")]
    pub fn start_as<T: Task>(&mut self, priority: Priority, task: T) -> Result<(), Error> {
        let now = self.store.inner.clock.now_micros();
        let task = NewTask { priority, ..self.new_task(&task, now, 0)? };
        self.pending.tasks.push(task);
        Ok(())
    }

    /// Starts a task that is done at a time, in microseconds since 1970, or soon after.
    #[expect(clippy::needless_pass_by_value, reason = "a task is given away")]
    pub fn start_at<T: Task>(&mut self, task: T, micros: i64) -> Result<(), Error> {
        let task = self.new_task(&task, micros, 0)?;
        self.pending.tasks.push(task);
        Ok(())
    }

    /// Starts a task that this process does itself; a runner takes it only when the lease ends, which
    /// is renewed for as long as somebody holds the claim.
    #[expect(clippy::needless_pass_by_value, reason = "a task is given away")]
    pub fn start_claimed<T: Task>(&mut self, task: T) -> Result<Claim, Error> {
        let leases = &self.store.inner.leases;
        let end = leases.end();
        let due = self.store.inner.clock.now_micros().saturating_add(micros(leases.length));
        let task = self.new_task(&task, due, 1)?;
        let claim = Claim::new(task.id.as_str(), task.token, end);
        self.pending.tasks.push(task);
        self.pending.claimed.push(claim.clone());
        Ok(claim)
    }

    /// Renews a lease in this transaction, which is refused when another has taken the task: after it,
    /// a whole lease is left for effects elsewhere that must not meet another's.
    pub async fn renew(&mut self, claim: &Claim) -> Result<(), Error> {
        let end = self.store.inner.leases.end();
        let statement = self.store.renewal(claim);
        if self.execute(statement).await? == 0 {
            claim.lose();
            return Err(Error::LeaseLost(claim.id().to_owned()));
        }
        self.pending.renewed.push((claim.clone(), end));
        Ok(())
    }

    /// Ends a task in the transaction of its effect; refused when another has taken it since.
    pub async fn finish(&mut self, claim: &Claim) -> Result<(), Error> {
        let statement = Statement::new("DELETE FROM store_tasks WHERE id = $1 AND token = $2");
        self.end_claim(claim, statement).await
    }

    /// Hands a task over to the runner, which takes it at once.
    pub async fn release(&mut self, claim: &Claim) -> Result<(), Error> {
        let statement = Statement::new(
            "UPDATE store_tasks SET due_time = $3, held = 0 WHERE id = $1 AND token = $2",
        );
        self.end_claim(claim, statement).await?;
        self.pending.released = true;
        Ok(())
    }

    async fn end_claim(&mut self, claim: &Claim, mut statement: Statement) -> Result<(), Error> {
        let releases = statement.sql.contains("$3");
        statement = statement.bind(claim.id()).bind(claim.token());
        if releases {
            statement = statement.bind(self.store.inner.clock.now_micros());
        }
        if self.execute(statement).await? == 0 {
            claim.lose();
            return Err(Error::LeaseLost(claim.id().to_owned()));
        }
        self.pending.ended.push(claim.clone());
        Ok(())
    }

    fn new_task<T: Task>(&self, task: &T, due: i64, token: i64) -> Result<NewTask, Error> {
        let payload =
            serde_json::to_string(task).map_err(|error| Error::Encoding(Box::new(error)))?;
        let id = self.store.inner.ids.next("tsk");
        Ok(NewTask { id, kind: T::KIND, payload, due, token, priority: T::PRIORITY })
    }

    /// What writes the tasks that were started.
    pub(crate) fn tasks_statements(&self) -> impl Iterator<Item = Statement> {
        self.pending.tasks.chunks(MOST_ROWS).map(|tasks| self.tasks_statement(tasks))
    }

    fn tasks_statement(&self, tasks: &[NewTask]) -> Statement {
        let sql = "INSERT INTO store_tasks (project, id, kind, payload, due_time, token, subject, \
                   attempts, dead, error, traceparent, create_time, priority, held) VALUES ";
        let sql = format!("{sql}{}", table::placeholders(tasks.len(), 14));
        let caller = &self.context.caller;
        let traceparent = self.context.trace.traceparent().unwrap_or_default();
        let mut statement = Statement::new(sql).bind(caller.project());
        for task in tasks {
            statement = statement
                .bind(&task.id)
                .bind(task.kind)
                .bind(&task.payload)
                .bind(task.due)
                .bind(task.token)
                .bind(caller.subject().unwrap_or_default())
                .bind(0_i64)
                .bind(0_i64)
                .bind("")
                .bind(&traceparent)
                .bind(self.store.inner.clock.now_micros())
                .bind(task.priority.number())
                .bind(task.token);
        }
        statement.persistent = worth_keeping(tasks.len());
        statement
    }
}

/// Makes the tasks due that a process held which has ended: a SQLite file is one process's at a time,
/// and whoever opens it is the next one. On PostgreSQL others may hold them still, so leases end by themselves.
pub(crate) async fn take_back(
    pool: &Pool,
    service: &'static str,
    clock: &Clock,
) -> Result<(), Error> {
    if pool.engine() == Engine::Postgres {
        return Ok(());
    }
    let deadline = tokio::time::Instant::now() + crate::database::PATIENCE;
    let mut connection = Connection::take(pool, service, &Arc::default(), deadline).await?;
    let statement = Statement::new(
        "UPDATE store_tasks SET due_time = $1, held = 0 \
         WHERE token > 0 AND dead = 0 AND due_time > $1",
    );
    connection.execute(statement.bind(clock.now_micros())).await?;
    Ok(())
}

impl Store {
    /// Tasks that have failed too often, the oldest first.
    pub async fn dead_tasks(&self, most: u32) -> Result<Vec<DeadTask>, Error> {
        let statement = Statement::new(
            "SELECT id, kind, project, payload, error FROM store_tasks WHERE dead = 1 \
             ORDER BY id LIMIT $1",
        );
        let until = tokio::time::Instant::now() + crate::database::PATIENCE;
        let rows = self.fetch(statement.bind(most), until).await?;
        rows.iter()
            .map(|row| {
                Ok(DeadTask {
                    id: row.get("id")?,
                    kind: row.get("kind")?,
                    project: row.get("project")?,
                    payload: row.get("payload")?,
                    error: row.get("error")?,
                })
            })
            .collect()
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

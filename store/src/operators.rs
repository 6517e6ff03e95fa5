//! What operators see of a service's tasks, and what they decide on those that were given up.

use async_trait::async_trait;
use contract::mesh::v1::audit_record::Kind;
use contract::mesh::v1::task::State;
use contract::mesh::v1::{
    DiscardTaskRequest, GetTaskRequest, ListTasksRequest, ListTasksResponse, RetryTaskRequest,
    RetryTasksRequest, RetryTasksResponse, Task,
};
use mesh::clock::timestamp;
use mesh::{Context, Status, Trace};
use tokio::time::Instant;

use crate::audit::Change;
use crate::error::Error;
use crate::list::page_size;
use crate::statement::{Bind, Draft, Row, Statement};
use crate::store::{Store, deadline};
use crate::tx::Tx;

/// What audit records call a task.
const RESOURCE: &str = "tradewind.mesh.v1.Task";
/// How many tasks one transaction retries.
const BATCH: u32 = 200;

const COLUMNS: &str = "id, kind, payload, due_time, attempts, priority, held, dead, error, subject, \
     traceparent, create_time";

#[async_trait]
impl mesh::Tasks for Store {
    async fn list(
        &self,
        context: &Context,
        asked: &ListTasksRequest,
    ) -> Result<ListTasksResponse, Status> {
        Ok(self.tasks(context, asked).await?)
    }

    async fn get(&self, context: &Context, asked: &GetTaskRequest) -> Result<Task, Status> {
        Ok(self.task(context, &asked.id).await?)
    }

    async fn retry(&self, context: &Context, asked: &RetryTaskRequest) -> Result<Task, Status> {
        Ok(self.retry_task(context, &asked.id).await?)
    }

    async fn retry_all(
        &self,
        context: &Context,
        asked: &RetryTasksRequest,
    ) -> Result<RetryTasksResponse, Status> {
        Ok(RetryTasksResponse { retried: self.retry_tasks(context, &asked.kind).await? })
    }

    async fn discard(&self, context: &Context, asked: &DiscardTaskRequest) -> Result<Task, Status> {
        Ok(self.discard_task(context, &asked.id).await?)
    }
}

impl Store {
    /// The tasks of the caller's project, the oldest first, without what they are told.
    pub async fn tasks(
        &self,
        context: &Context,
        asked: &ListTasksRequest,
    ) -> Result<ListTasksResponse, Error> {
        let size = page_size(asked.page_size)?;
        let project = context.caller.project().value();
        let sql = format!("SELECT {COLUMNS} FROM store_tasks WHERE project = $1");
        let mut sql = Draft::new(&sql, vec![project]);
        for (condition, value) in [("kind = ", &asked.kind), ("id > ", &asked.page_token)] {
            if !value.is_empty() {
                sql.push(format!(" AND {condition}"));
                sql.bind(value.value());
            }
        }
        let now = self.inner.clock.now_micros();
        push_state(&mut sql, asked.state(), now);
        sql.push(" ORDER BY id LIMIT ");
        sql.bind((i64::from(size) + 1).value());
        let rows = self.fetch(sql.finish(), deadline(context)).await?;
        let tasks = rows.iter().map(|row| task(row, now));
        let mut tasks = tasks.collect::<Result<Vec<_>, _>>()?;
        let more = tasks.len() > usize::from(size);
        tasks.truncate(size.into());
        for task in &mut tasks {
            task.payload.clear();
        }
        let last = tasks.last().filter(|_| more);
        let next_page_token = last.map(|last| last.id.clone()).unwrap_or_default();
        Ok(ListTasksResponse { tasks, next_page_token })
    }

    /// A task of the caller's project, with what it is told.
    pub async fn task(&self, context: &Context, id: &str) -> Result<Task, Error> {
        let sql = format!("SELECT {COLUMNS} FROM store_tasks WHERE project = $1 AND id = $2");
        let statement = Statement::new(sql).bind(context.caller.project()).bind(id);
        let rows = self.fetch(statement, deadline(context)).await?;
        let row = rows.first().ok_or_else(|| not_found(id))?;
        task(row, self.inner.clock.now_micros())
    }

    /// Lets a task that was given up be tried again, from the beginning; another is left as it is.
    pub async fn retry_task(&self, context: &Context, id: &str) -> Result<Task, Error> {
        let mut tx = self.begin_for(context).await?;
        let sql = format!(
            "UPDATE store_tasks SET dead = 0, attempts = 0, held = 0, due_time = $3 \
             WHERE project = $1 AND id = $2 AND dead = 1 RETURNING {COLUMNS}"
        );
        let now = self.inner.clock.now_micros();
        let statement = Statement::new(sql).bind(context.caller.project()).bind(id).bind(now);
        let rows = tx.fetch(statement).await?;
        let Some(row) = rows.first() else {
            drop(tx);
            return self.task(context, id).await;
        };
        let retried = task(row, now)?;
        tx.note_task(id, Kind::Update);
        tx.pending.released = true;
        tx.commit().await?;
        Ok(retried)
    }

    /// Lets all tasks of a kind be tried again that were given up in the caller's project; how many.
    pub async fn retry_tasks(&self, context: &Context, kind: &str) -> Result<i64, Error> {
        let mut retried = 0;
        loop {
            let batch = self.retry_batch(context, kind).await?;
            retried += batch;
            let in_time = context.deadline.is_none_or(|deadline| Instant::now() < deadline);
            if batch < i64::from(BATCH) || !in_time {
                return Ok(retried);
            }
        }
    }

    async fn retry_batch(&self, context: &Context, kind: &str) -> Result<i64, Error> {
        let mut tx = self.begin_for(context).await?;
        let statement = Statement::new(
            "UPDATE store_tasks SET dead = 0, attempts = 0, held = 0, due_time = $3 \
             WHERE project = $1 AND dead = 1 AND id IN \
             (SELECT id FROM store_tasks WHERE project = $1 AND kind = $2 AND dead = 1 \
             ORDER BY id LIMIT $4) RETURNING id",
        );
        let statement = statement
            .bind(context.caller.project())
            .bind(kind)
            .bind(self.inner.clock.now_micros())
            .bind(BATCH);
        let rows = tx.fetch(statement).await?;
        for row in &rows {
            tx.note_task(&row.get::<String>("id")?, Kind::Update);
        }
        if !rows.is_empty() {
            tx.pending.released = true;
            tx.commit().await?;
        }
        Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
    }

    /// Removes a task that was given up; what it was is the answer, and in the audit log that it was.
    pub async fn discard_task(&self, context: &Context, id: &str) -> Result<Task, Error> {
        let mut tx = self.begin_for(context).await?;
        let sql = format!(
            "DELETE FROM store_tasks WHERE project = $1 AND id = $2 AND dead = 1 \
             RETURNING {COLUMNS}"
        );
        let statement = Statement::new(sql).bind(context.caller.project()).bind(id);
        let rows = tx.fetch(statement).await?;
        let Some(row) = rows.first() else {
            drop(tx);
            self.task(context, id).await?;
            return Err(Error::TaskNotDead(id.to_owned()));
        };
        let discarded = task(row, self.inner.clock.now_micros())?;
        tx.note_task(id, Kind::Delete);
        tx.commit().await?;
        Ok(discarded)
    }
}

impl Tx {
    /// Notes what somebody has decided on a task.
    fn note_task(&mut self, id: &str, kind: Kind) {
        let columns = match kind {
            Kind::Update => "dead,attempts,due_time",
            Kind::Unspecified | Kind::Create | Kind::Delete => "",
        };
        self.pending.audit.push(Change::new(RESOURCE, id, kind, columns.to_owned()));
    }
}

fn push_state(sql: &mut Draft, state: State, now: i64) {
    let (condition, asks_time) = match state {
        State::Unspecified => return,
        State::Dead => (" AND dead = 1", false),
        State::Running => (" AND dead = 0 AND held = 1 AND due_time > ", true),
        State::Waiting => (" AND dead = 0 AND (held = 0 OR due_time <= ", true),
    };
    sql.push(condition);
    if asks_time {
        sql.bind(now.value());
    }
    if state == State::Waiting {
        sql.push(")");
    }
}

fn task(row: &Row, now: i64) -> Result<Task, Error> {
    let due: i64 = row.get("due_time")?;
    let state = match (row.get::<bool>("dead")?, row.get::<bool>("held")?) {
        (true, _) => State::Dead,
        (false, true) if due > now => State::Running,
        (false, _) => State::Waiting,
    };
    let traceparent: String = row.get("traceparent")?;
    let trace = Trace::read(&traceparent).unwrap_or(Trace::NONE);
    Ok(Task {
        id: row.get("id")?,
        kind: row.get("kind")?,
        state: state.into(),
        priority: row.get("priority")?,
        attempts: row.get("attempts")?,
        error: row.get("error")?,
        due_time: Some(timestamp(due)),
        create_time: Some(timestamp(row.get("create_time")?)),
        subject: row.get("subject")?,
        trace_id: trace.id().unwrap_or_default(),
        payload: row.get("payload")?,
    })
}

fn not_found(id: &str) -> Error {
    Error::NotFound { reason: "TASK_NOT_FOUND", noun: "task", id: id.to_owned() }
}

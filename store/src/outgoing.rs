//! What operators see of a service's events, and what they decide on those that were refused.

use async_trait::async_trait;
use contract::mesh::v1::audit_record::Kind;
use contract::mesh::v1::outbox_event::State;
use contract::mesh::v1::{
    DiscardOutboxEventRequest, GetOutboxEventRequest, ListOutboxEventsRequest,
    ListOutboxEventsResponse, OutboxEvent, ReplayOutboxEventsRequest, ReplayOutboxEventsResponse,
    RetryOutboxEventRequest,
};
use mesh::clock::{micros, timestamp};
use mesh::{Context, Status, Trace};

use crate::audit::Change;
use crate::error::Error;
use crate::list::page_size;
use crate::statement::{Bind, Draft, Row, Statement};
use crate::store::{Store, deadline};
use crate::tx::Tx;

/// What audit records call an event on its way.
const RESOURCE: &str = "tradewind.mesh.v1.OutboxEvent";
const COLUMNS: &str = "position, id, consumer, type, key, subject, data, traceparent, create_time, \
     due_time, deliver_time, attempts, dead, error";

#[async_trait]
impl mesh::Outbox for Store {
    async fn list(
        &self,
        context: &Context,
        asked: &ListOutboxEventsRequest,
    ) -> Result<ListOutboxEventsResponse, Status> {
        Ok(self.outgoing_events(context, asked).await?)
    }

    async fn get(
        &self,
        context: &Context,
        asked: &GetOutboxEventRequest,
    ) -> Result<OutboxEvent, Status> {
        Ok(self.outgoing_event(context, asked.position).await?)
    }

    async fn retry(
        &self,
        context: &Context,
        asked: &RetryOutboxEventRequest,
    ) -> Result<OutboxEvent, Status> {
        Ok(self.retry_event(context, asked.position).await?)
    }

    async fn discard(
        &self,
        context: &Context,
        asked: &DiscardOutboxEventRequest,
    ) -> Result<OutboxEvent, Status> {
        Ok(self.discard_event(context, asked.position).await?)
    }

    async fn replay(
        &self,
        context: &Context,
        asked: &ReplayOutboxEventsRequest,
    ) -> Result<ReplayOutboxEventsResponse, Status> {
        let since = asked.since.as_ref().map(micros).unwrap_or_default();
        let replayed = self.replay_events(context, &asked.consumer, since).await?;
        Ok(ReplayOutboxEventsResponse { replayed })
    }
}

impl Store {
    /// The events of the caller's project, the newest first, without their data.
    pub async fn outgoing_events(
        &self,
        context: &Context,
        asked: &ListOutboxEventsRequest,
    ) -> Result<ListOutboxEventsResponse, Error> {
        let size = page_size(asked.page_size)?;
        let project = context.caller.project().value();
        let sql = format!("SELECT {COLUMNS} FROM store_outbox WHERE project = $1");
        let mut sql = Draft::new(&sql, vec![project]);
        for (condition, value) in [("consumer = ", &asked.consumer), ("key = ", &asked.key)] {
            if !value.is_empty() {
                sql.push(format!(" AND {condition}"));
                sql.bind(value.value());
            }
        }
        if !asked.page_token.is_empty() {
            sql.push(" AND position < ");
            sql.bind(before(&asked.page_token)?.value());
        }
        sql.push(in_state(asked.state()));
        sql.push(" ORDER BY position DESC LIMIT ");
        sql.bind((i64::from(size) + 1).value());
        let rows = self.fetch(sql.finish(), deadline(context)).await?;
        let mut events = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        let more = events.len() > usize::from(size);
        events.truncate(size.into());
        for event in &mut events {
            event.data.clear();
        }
        let last = events.last().filter(|_| more);
        let next_page_token = last.map(|last| last.position.to_string()).unwrap_or_default();
        Ok(ListOutboxEventsResponse { events, next_page_token })
    }

    /// An event of the caller's project, with its data.
    pub async fn outgoing_event(
        &self,
        context: &Context,
        position: i64,
    ) -> Result<OutboxEvent, Error> {
        let sql =
            format!("SELECT {COLUMNS} FROM store_outbox WHERE project = $1 AND position = $2");
        let statement = Statement::new(sql).bind(context.caller.project()).bind(position);
        let rows = self.fetch(statement, deadline(context)).await?;
        event(rows.first().ok_or_else(|| not_found(position))?)
    }

    /// Tries an event at once that was given up or waits, as often as a new one.
    pub async fn retry_event(
        &self,
        context: &Context,
        position: i64,
    ) -> Result<OutboxEvent, Error> {
        let mut tx = self.begin_for(context).await?;
        let sql = format!(
            "UPDATE store_outbox SET dead = 0, attempts = 0, due_time = $3 WHERE project = $1 \
             AND position = $2 AND deliver_time IS NULL RETURNING {COLUMNS}"
        );
        let now = self.inner.clock.now_micros();
        let statement = Statement::new(sql).bind(context.caller.project()).bind(position).bind(now);
        let rows = tx.fetch(statement).await?;
        let Some(row) = rows.first() else {
            drop(tx);
            return self.outgoing_event(context, position).await;
        };
        let retried = event(row)?;
        tx.note_event(&position.to_string(), Kind::Update, "dead,attempts,due_time");
        tx.commit().await?;
        self.inner.events.notify_one();
        Ok(retried)
    }

    /// Removes an event that was given up; what waits behind it goes on.
    pub async fn discard_event(
        &self,
        context: &Context,
        position: i64,
    ) -> Result<OutboxEvent, Error> {
        let mut tx = self.begin_for(context).await?;
        let sql = format!(
            "DELETE FROM store_outbox WHERE project = $1 AND position = $2 AND dead = 1 \
             RETURNING {COLUMNS}"
        );
        let statement = Statement::new(sql).bind(context.caller.project()).bind(position);
        let rows = tx.fetch(statement).await?;
        let Some(row) = rows.first() else {
            drop(tx);
            self.outgoing_event(context, position).await?;
            return Err(Error::EventNotDead(position));
        };
        let discarded = event(row)?;
        tx.note_event(&position.to_string(), Kind::Delete, "");
        tx.commit().await?;
        self.inner.events.notify_one();
        Ok(discarded)
    }

    /// Delivers to a consumer again what it was delivered since a time, of all projects; how many events.
    ///
    /// All of them in one transaction: were they marked bit by bit, a later event of a key could overtake one
    /// that is still to be marked.
    pub async fn replay_events(
        &self,
        context: &Context,
        consumer: &str,
        since: i64,
    ) -> Result<i64, Error> {
        let mut tx = self.begin_for(context).await?;
        let statement = Statement::new(
            "UPDATE store_outbox SET deliver_time = NULL, attempts = 0, due_time = $3 \
             WHERE consumer = $1 AND create_time >= $2 AND deliver_time IS NOT NULL",
        );
        let now = self.inner.clock.now_micros();
        let replayed = tx.execute(statement.bind(consumer).bind(since).bind(now)).await?;
        tx.note_event(consumer, Kind::Update, "deliver_time");
        tx.commit().await?;
        self.inner.events.notify_one();
        Ok(i64::try_from(replayed).unwrap_or(i64::MAX))
    }
}

impl Tx {
    /// Notes what somebody has decided on an event, or on those to a consumer.
    fn note_event(&mut self, id: &str, kind: Kind, columns: &str) {
        self.pending.audit.push(Change::new(RESOURCE, id, kind, columns.to_owned()));
    }
}

fn before(token: &str) -> Result<i64, Error> {
    token.parse().map_err(|_| Error::InvalidList {
        field: "page_token",
        reason: "INVALID_PAGE_TOKEN",
        problem: "it is not one that a page was answered with".into(),
    })
}

fn in_state(state: State) -> &'static str {
    match state {
        State::Unspecified => "",
        State::Waiting => " AND deliver_time IS NULL AND dead = 0",
        State::Delivered => " AND deliver_time IS NOT NULL",
        State::Dead => " AND dead = 1",
    }
}

fn event(row: &Row) -> Result<OutboxEvent, Error> {
    let delivered: Option<i64> = row.get("deliver_time")?;
    let state = match (row.get::<bool>("dead")?, delivered) {
        (true, _) => State::Dead,
        (false, Some(_)) => State::Delivered,
        (false, None) => State::Waiting,
    };
    let due: i64 = row.get("due_time")?;
    let traceparent: String = row.get("traceparent")?;
    let trace = Trace::read(&traceparent).unwrap_or(Trace::NONE);
    Ok(OutboxEvent {
        position: row.get("position")?,
        id: row.get("id")?,
        consumer: row.get("consumer")?,
        r#type: row.get("type")?,
        key: row.get("key")?,
        subject: row.get("subject")?,
        state: state.into(),
        attempts: row.get("attempts")?,
        error: row.get("error")?,
        due_time: (state == State::Waiting).then(|| timestamp(due)),
        create_time: Some(timestamp(row.get("create_time")?)),
        deliver_time: delivered.map(timestamp),
        trace_id: trace.id().unwrap_or_default(),
        data: row.get("data")?,
    })
}

fn not_found(position: i64) -> Error {
    Error::NotFound { reason: "EVENT_NOT_FOUND", noun: "event", id: position.to_string() }
}

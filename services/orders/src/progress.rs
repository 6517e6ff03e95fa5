//! How far processes have come: noted in memory at each step, and in the database when a drive ends early.
//!
//! A process that ends at its first drive, as nearly all do, writes nothing of this.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesh::{Context, Status};
use prost::Message;
use store::{Claim, Error, Reader, Row};
use tradewind::orders::v1::saga_step::State;
use tradewind::orders::v1::{SagaProgress, SagaStep};

use crate::orders::Orders;

/// What a process is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saga {
    /// Such as `ord_01j…-checkout-1`.
    pub(crate) id: String,
    /// Such as `checkout`.
    pub(crate) kind: &'static str,
    pub(crate) order_id: String,
}

/// Steps by the project and the id of their process.
type Steps = HashMap<(String, String), Vec<SagaStep>>;

/// The processes that run in this very process, with how far they have come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drives {
    all: Arc<Mutex<Steps>>,
}

/// A process while it is driven; it is none any more when this is dropped.
pub(crate) struct Drive<'o> {
    orders: &'o Orders,
    key: (String, String),
    began: i64,
}

/// A drive that ended early, as it is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Kept {
    pub(crate) task: String,
    pub(crate) token: i64,
    pub(crate) steps: Vec<SagaStep>,
    pub(crate) tries: i64,
    pub(crate) error: String,
    pub(crate) undecided: bool,
    pub(crate) create_time: i64,
}

impl Drives {
    /// How far a process has come that runs here.
    pub(crate) fn steps(&self, project: &str, id: &str) -> Option<Vec<SagaStep>> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&(project.to_owned(), id.to_owned())).cloned()
    }
}

impl<'o> Drive<'o> {
    /// Begins to drive a process of these steps.
    pub(crate) fn begin(
        orders: &'o Orders,
        context: &Context,
        saga: &Saga,
        steps: impl Iterator<Item = &'static str>,
    ) -> Self {
        let key = (context.caller.project().to_owned(), saga.id.clone());
        let began = orders.store.clock().now_micros();
        let mut all = orders.drives.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key.clone(), to_do(steps));
        drop(all);
        Self { orders, key, began }
    }

    /// Notes what a step has become.
    pub(crate) fn mark(&self, position: usize, state: State) {
        let now = self.orders.store.clock().now();
        let mut all = self.orders.drives.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(step) = all.get_mut(&self.key).and_then(|steps| steps.get_mut(position)) {
            step.set_state(state);
            step.time = Some(now);
        }
    }

    /// Keeps how far it came, and why no further.
    pub(crate) async fn keep(
        &self,
        context: &Context,
        saga: &Saga,
        claim: &Claim,
        ended: Ended<'_>,
    ) -> Result<(), Error> {
        let (project, id) = &self.key;
        let steps = self.orders.drives.steps(project, id).unwrap_or_default();
        let error: String = ended.status.message().chars().take(1000).collect();
        let mut tx = self.orders.store.begin_for(context).await?;
        tx.query(
            "INSERT INTO sagas (project, id, kind, task, token, progress, tries, error, undecided, \
             create_time, update_time) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10) \
             ON CONFLICT (project, id) DO UPDATE SET task = excluded.task, token = excluded.token, \
             progress = excluded.progress, tries = sagas.tries + 1, error = excluded.error, \
             undecided = excluded.undecided, update_time = excluded.update_time",
        )
        .bind(&saga.id)
        .bind(saga.kind)
        .bind(claim.id())
        .bind(claim.token())
        .bind(SagaProgress { steps }.encode_to_vec())
        .bind(error.replace('\0', ""))
        .bind(ended.undecided)
        .bind(self.began)
        .bind(self.orders.store.clock().now_micros())
        .execute()
        .await?;
        tx.commit().await
    }
}

/// How a drive ended before its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    pub(crate) status: &'a Status,
    /// Whether it waits for what is decided elsewhere.
    pub(crate) undecided: bool,
}

impl Drop for Drive<'_> {
    fn drop(&mut self) {
        self.orders.drives.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Steps of which none was begun.
pub(crate) fn to_do(steps: impl Iterator<Item = &'static str>) -> Vec<SagaStep> {
    steps
        .map(|name| SagaStep { name: name.to_owned(), state: State::ToDo.into(), time: None })
        .collect()
}

/// Forgets a process that has ended, should a drive of it be kept.
pub(crate) async fn forget(orders: &Orders, context: &Context, id: &str) -> Result<(), Error> {
    if kept(&orders.store.read(context), id).await?.is_none() {
        return Ok(());
    }
    let mut tx = orders.store.begin_for(context).await?;
    tx.query("DELETE FROM sagas WHERE project = $1 AND id = $2").bind(id).execute().await?;
    tx.commit().await
}

/// The last drive of a process that ended early.
pub(crate) async fn kept(reader: &Reader, id: &str) -> Result<Option<Kept>, Error> {
    let sql = "SELECT task, token, progress, tries, error, undecided, create_time FROM sagas \
               WHERE project = $1 AND id = $2";
    reader.query(sql).bind(id).fetch_optional().await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Kept, Error> {
    let progress: Vec<u8> = row.get("progress")?;
    let progress = SagaProgress::decode(progress.as_slice());
    Ok(Kept {
        task: row.get("task")?,
        token: row.get("token")?,
        steps: progress.map_err(|error| Error::Encoding(Box::new(error)))?.steps,
        tries: row.get("tries")?,
        error: row.get("error")?,
        undecided: row.get("undecided")?,
        create_time: row.get("create_time")?,
    })
}

//! `SagasService`, answered: the processes that are under way, read from their tasks and their last drive.

mod watch;

use mesh::clock::timestamp;
use mesh::{Context, HasContext, Request, Response, Status, async_trait};
use store::Driven;
use tradewind::orders::v1::saga::Waits;
use tradewind::orders::v1::sagas_service_server::SagasService;
use tradewind::orders::v1::{
    GetSagaRequest, ListSagaKindsRequest, ListSagaKindsResponse, ListSagasRequest,
    ListSagasResponse, ResumeSagaRequest, Saga as Told, SagaKind,
};

pub(crate) use self::watch::Watch;

use crate::cancelling::{self, Cancelling};
use crate::checkout::{self, Checkout};
use crate::error::Error;
use crate::orders::Orders;
use crate::progress::{self, Kept, Saga};
use crate::refunding::{self, Refunding};

/// The tasks that are processes.
const KINDS: [&str; 3] = [checkout::NAME, cancelling::NAME, refunding::NAME];
/// The size of a page when nothing is said.
const PAGE: u32 = 50;
/// How many tasks are looked through at a time for one process.
const MOST: u32 = 1000;

/// Answers for the processes of orders.
pub(crate) struct Rpc {
    pub(crate) orders: Orders,
}

/// A process with the task that drives it.
struct Found {
    saga: Saga,
    task: Driven,
}

/// Every kind of process.
pub(crate) fn kinds() -> Vec<SagaKind> {
    vec![checkout::kind(), cancelling::kind(), refunding::kind()]
}

#[async_trait]
impl SagasService for Rpc {
    async fn list_sagas(
        &self,
        request: Request<ListSagasRequest>,
    ) -> Result<Response<ListSagasResponse>, Status> {
        let context = request.context().clone();
        let ListSagasRequest { page_size, page_token, order_id, stuck } = request.into_inner();
        let size = u32::try_from(page_size).ok().filter(|size| *size > 0).unwrap_or(PAGE);
        let tasks = self.orders.store.driven(&context, &KINDS, &page_token, size).await?;
        let last = tasks.last().filter(|_| tasks.len() >= size as usize);
        let next_page_token = last.map(|task| task.id.clone()).unwrap_or_default();
        let mut sagas = Vec::new();
        for found in tasks.into_iter().filter_map(found) {
            if !order_id.is_empty() && found.saga.order_id != order_id {
                continue;
            }
            let told = self.tell(&context, found).await?;
            if told.stuck || !stuck {
                sagas.push(told);
            }
        }
        Ok(Response::new(ListSagasResponse { sagas, next_page_token }))
    }

    async fn get_saga(&self, request: Request<GetSagaRequest>) -> Result<Response<Told>, Status> {
        let found = self.find(request.context(), &request.get_ref().id).await?;
        Ok(Response::new(self.tell(request.context(), found).await?))
    }

    async fn resume_saga(
        &self,
        request: Request<ResumeSagaRequest>,
    ) -> Result<Response<Told>, Status> {
        let (context, id) = (request.context(), &request.get_ref().id);
        let found = self.find(context, id).await?;
        let task = found.task.clone();
        let told = self.tell(context, found).await?;
        if told.waits() == Waits::Running {
            return Ok(Response::new(told));
        }
        self.orders.store.hasten(context, &task).await?;
        // It may have ended in this moment.
        match self.find(context, id).await {
            Ok(found) => Ok(Response::new(self.tell(context, found).await?)),
            Err(Error::SagaNotFound(_)) => Ok(Response::new(told)),
            Err(error) => Err(error.into()),
        }
    }

    async fn list_saga_kinds(
        &self,
        _: Request<ListSagaKindsRequest>,
    ) -> Result<Response<ListSagaKindsResponse>, Status> {
        Ok(Response::new(ListSagaKindsResponse { kinds: kinds() }))
    }
}

impl Rpc {
    /// The process with an id, should it be under way.
    async fn find(&self, context: &Context, id: &str) -> Result<Found, Error> {
        let mut after = String::new();
        loop {
            let tasks = self.orders.store.driven(context, &KINDS, &after, MOST).await?;
            let Some(last) = tasks.last() else { return Err(Error::SagaNotFound(id.to_owned())) };
            last.id.clone_into(&mut after);
            let mut all = tasks.into_iter().filter_map(found);
            if let Some(found) = all.find(|found| found.saga.id == id) {
                return Ok(found);
            }
        }
    }

    async fn tell(&self, context: &Context, found: Found) -> Result<Told, Error> {
        let Found { saga, task } = found;
        let orders = &self.orders;
        let kept = progress::kept(&orders.store.read(context), &saga.id).await?;
        let here = orders.drives.steps(context.caller.project(), &saga.id);
        let now = orders.store.clock().now_micros();
        let waits = if here.is_some() { Waits::Running } else { waits(&task, kept.as_ref(), now) };
        let kept = kept.unwrap_or_default();
        let began = [task.create_time, kept.create_time].into_iter().filter(|time| *time > 0).min();
        let began = began.unwrap_or(now);
        let kind = kinds().into_iter().find(|kind| kind.name == saga.kind).unwrap_or_default();
        let known = Some(kept.steps).filter(|steps| !steps.is_empty());
        let steps = here.or(known).unwrap_or_else(|| to_do(&kind));
        Ok(Told {
            id: saga.id,
            kind: saga.kind.to_owned(),
            order_id: saga.order_id,
            steps,
            waits: waits.into(),
            until_time: Some(timestamp(task.due)),
            tries: i32::try_from(kept.tries.max(task.attempts)).unwrap_or(i32::MAX),
            error: if kept.error.is_empty() { task.error } else { kept.error },
            stuck: now.saturating_sub(began) > kind.limit_seconds.saturating_mul(1_000_000),
            create_time: Some(timestamp(began)),
        })
    }
}

/// The process that a task drives.
fn found(task: Driven) -> Option<Found> {
    let saga = match task.kind.as_str() {
        checkout::NAME => {
            serde_json::from_str(&task.payload).ok().map(|it: Checkout| checkout::saga(&it))
        }
        cancelling::NAME => serde_json::from_str(&task.payload)
            .ok()
            .map(|it: Cancelling| cancelling::saga(&it.order_id)),
        refunding::NAME => {
            serde_json::from_str(&task.payload).ok().map(|it: Refunding| refunding::saga(&it))
        }
        _ => None,
    };
    Some(Found { saga: saga?, task })
}

/// Why a process that does not run here is not further. A task that was taken since the last drive that
/// is kept is somebody's, until their right to it ends.
fn waits(task: &Driven, kept: Option<&Kept>, now: i64) -> Waits {
    if task.dead {
        return Waits::Person;
    }
    let untaken = task.token == 0;
    let ended = kept.is_some_and(|kept| kept.task == task.id && kept.token == task.token);
    if !untaken && !ended && task.due > now {
        return Waits::Running;
    }
    let undecided = kept.is_some_and(|kept| kept.undecided);
    if undecided && (untaken || ended) { Waits::Undecided } else { Waits::Retry }
}

fn to_do(kind: &SagaKind) -> Vec<tradewind::orders::v1::SagaStep> {
    let step = |step: &tradewind::orders::v1::SagaKindStep| tradewind::orders::v1::SagaStep {
        name: step.name.clone(),
        state: tradewind::orders::v1::saga_step::State::ToDo.into(),
        time: None,
    };
    kind.steps.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(token: i64, due: i64) -> Driven {
        Driven {
            id: "tsk_1".into(),
            kind: checkout::NAME.into(),
            payload: String::new(),
            token,
            attempts: token,
            dead: false,
            error: String::new(),
            due,
            create_time: 1,
        }
    }

    fn kept(token: i64, undecided: bool) -> Kept {
        Kept { task: "tsk_1".into(), token, undecided, ..Kept::default() }
    }

    #[test]
    fn why_a_process_waits_is_told_apart() {
        let now = 100;

        assert_eq!(waits(&task(1, 200), None, now), Waits::Running);
        assert_eq!(waits(&task(1, 50), None, now), Waits::Retry, "its driver is gone");
        assert_eq!(waits(&task(1, 200), Some(&kept(1, false)), now), Waits::Retry);
        assert_eq!(waits(&task(2, 200), Some(&kept(1, false)), now), Waits::Running);
        assert_eq!(waits(&task(0, 200), Some(&kept(1, true)), now), Waits::Undecided);
        assert_eq!(waits(&Driven { dead: true, ..task(20, 50) }, None, now), Waits::Person);
    }
}

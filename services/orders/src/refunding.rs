//! Giving back some of what was paid.

use futures_util::FutureExt;
use mesh::replay::is_refusal;
use mesh::{Context, Status};
use serde::{Deserialize, Serialize};
use store::{Claim, Runner, Task};
use tradewind::money::v1::Money;
use tradewind::orders::v1::{Order, OrderRefunded, SagaKind};
use tradewind::payments::v1::RefundPaymentRequest;
use tradewind::payments::v1::refund::State;

use crate::error::Error;
use crate::orders::Orders;
use crate::process::{self, Step};
use crate::progress::Saga;
use crate::{order, store as sql};

pub(crate) const NAME: &str = "refunding";
/// After how many seconds one is stuck: a day, for a provider may take hours to say.
pub(crate) const LIMIT: i64 = 24 * 3600;

/// An amount that is counted as given back already, on its way to the customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refunding {
    pub(crate) refund_id: String,
    pub(crate) order_id: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) reason: String,
}

impl Task for Refunding {
    const KIND: &'static str = NAME;
}

struct Work {
    task: Refunding,
    claim: Claim,
    succeeded: bool,
    order: Order,
}

impl process::Work for Work {
    fn claim(&self) -> &Claim {
        &self.claim
    }

    fn saga(&self) -> Saga {
        saga(&self.task)
    }
}

const STEPS: &[Step<Work>] = &[
    Step {
        name: "give_back",
        does: "payments gives back the amount, which the order has counted already",
        run: |o, c, w| give_back(o, c, w).boxed(),
        undo: None,
    },
    Step {
        name: "conclude",
        does: "the order says what came of it; if it was refused, the count is taken back",
        run: |o, c, w| conclude(o, c, w).boxed(),
        undo: None,
    },
];

/// What a refund is known by.
pub(crate) fn saga(task: &Refunding) -> Saga {
    Saga { id: task.refund_id.clone(), kind: NAME, order_id: task.order_id.clone() }
}

pub(crate) fn kind() -> SagaKind {
    process::kind(NAME, STEPS, LIMIT)
}

pub(crate) fn points() -> Vec<String> {
    process::points(NAME, STEPS)
}

pub(crate) async fn drive(
    orders: &Orders,
    context: &Context,
    task: Refunding,
    claim: Claim,
) -> Result<Order, Status> {
    let mut work = Work { task, claim, succeeded: false, order: Order::default() };
    process::drive(orders, context, NAME, STEPS, &mut work).await?;
    if work.succeeded { Ok(work.order) } else { Err(refused(&work.order)) }
}

fn refused(order: &Order) -> Status {
    Error::RefundRefused(order.id.clone()).into()
}

pub(crate) fn tasks(runner: Runner, orders: &Orders) -> Runner {
    let orders = orders.clone();
    runner.on(move |context: Context, task: Refunding, claim| {
        let orders = orders.clone();
        async move {
            let saga = saga(&task);
            match drive(&orders, &context, task.clone(), claim.clone()).await {
                // A provider may take days to say what it gave back.
                Err(status) if process::is_undecided(&status) => {
                    process::again(&orders, &context, task, &claim).await
                }
                driven => {
                    process::ended(&orders, &context, &saga, driven.map(|_| ()), &claim).await
                }
            }
        }
    })
}

async fn give_back(orders: &Orders, context: &Context, work: &mut Work) -> Result<(), Status> {
    let task = &work.task;
    let request = RefundPaymentRequest {
        refund_id: task.refund_id.clone(),
        order_id: task.order_id.clone(),
        amount: Some(Money::new(task.amount_minor, task.currency.clone())),
        reason: task.reason.clone(),
    };
    let answer = orders.payments(context).refund_payment(request).await;
    let answer = answer.map_err(|status| process::busy_if_undecided(status, &task.order_id));
    let refund = match answer {
        Ok(answer) => answer.into_inner(),
        Err(status) if is_refusal(status.code()) => {
            work.succeeded = false;
            return Ok(());
        }
        Err(status) => return Err(status),
    };
    match refund.state() {
        State::Succeeded => work.succeeded = true,
        State::Failed => work.succeeded = false,
        // The provider has not said; the task asks again.
        State::Pending | State::Unspecified => {
            return Err(Error::Busy(task.order_id.clone()).into());
        }
    }
    Ok(())
}

async fn conclude(orders: &Orders, context: &Context, work: &mut Work) -> Result<(), Status> {
    let task = &work.task;
    let amount = Money::new(task.amount_minor, task.currency.clone());
    let mut tx = orders.store.begin_for(context).await?;
    let mut order: Order = tx.get(&task.order_id).await?;
    if sql::end_refund(&mut tx, &task.refund_id, work.succeeded).await? {
        order = if work.succeeded {
            order::refunded(order)?
        } else {
            order::refund_failed(order, &amount)?
        };
        order = tx.update(&order).await?;
        let what = if work.succeeded { "given back" } else { "could not be given back" };
        let note = format!("{} minor units of {} {what}", amount.minor, amount.currency_code);
        sql::note(&orders.store, &mut tx, &order, &note).await?;
        if work.succeeded {
            let event = OrderRefunded { order: Some(order.clone()), amount: Some(amount) };
            tx.emit(&order.id, event);
        }
    }
    if work.succeeded {
        tx.answer_key(&task.refund_id, &order).await?;
    } else {
        tx.refuse_key(&task.refund_id, &refused(&order)).await?;
    }
    tx.finish(&work.claim).await?;
    tx.commit().await?;
    work.order = order;
    Ok(())
}

//! Cancelling an order: what was paid is given back, then its stock, then the order says so.

use futures_util::FutureExt;
use mesh::replay::is_refusal;
use mesh::{Context, Status};
use serde::{Deserialize, Serialize};
use store::{Claim, Runner, Task};
use tradewind::catalog::v1::ReleaseReservationRequest;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{Order, OrderCancelled, SagaKind};
use tradewind::payments::v1::{CancelPaymentRequest, PaymentIntent};

use crate::orders::Orders;
use crate::process::{self, Step};
use crate::progress::Saga;
use crate::{order, store as sql};

pub(crate) const NAME: &str = "cancelling";
/// After how many seconds one is stuck: half an hour.
pub(crate) const LIMIT: i64 = 30 * 60;

/// An order in `STATE_CANCELLING` on its way to `STATE_CANCELLED`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cancelling {
    pub(crate) order_id: String,
}

impl Task for Cancelling {
    const KIND: &'static str = NAME;
}

struct Work {
    order_id: String,
    claim: Claim,
    intent: PaymentIntent,
    order: Order,
}

impl process::Work for Work {
    fn claim(&self) -> &Claim {
        &self.claim
    }

    fn saga(&self) -> Saga {
        saga(&self.order_id)
    }
}

/// There is no way back from cancelling: each step is tried until it is done.
const STEPS: &[Step<Work>] = &[
    Step {
        name: "give_back_payment",
        does: "payments voids what was not taken, and gives back what was",
        run: |o, c, w| give_back_payment(o, c, w).boxed(),
        undo: None,
    },
    Step {
        name: "give_back_stock",
        does: "the catalog gives back what the order holds, or has taken",
        run: |o, c, w| give_back_stock(o, c, w).boxed(),
        undo: None,
    },
    Step {
        name: "conclude",
        does: "the order is cancelled, and others are told",
        run: |o, c, w| conclude(o, c, w).boxed(),
        undo: None,
    },
];

/// What the cancelling of an order is known by.
pub(crate) fn saga(order_id: &str) -> Saga {
    Saga { id: format!("{order_id}-{NAME}"), kind: NAME, order_id: order_id.to_owned() }
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
    task: Cancelling,
    claim: Claim,
) -> Result<Order, Status> {
    let mut work = Work {
        order_id: task.order_id,
        claim,
        intent: PaymentIntent::default(),
        order: Order::default(),
    };
    process::drive(orders, context, NAME, STEPS, &mut work).await?;
    Ok(work.order)
}

pub(crate) fn tasks(runner: Runner, orders: &Orders) -> Runner {
    let orders = orders.clone();
    runner.on(move |context: Context, task: Cancelling, claim| {
        let orders = orders.clone();
        async move {
            let saga = saga(&task.order_id);
            match drive(&orders, &context, task.clone(), claim.clone()).await {
                // A payment may stay undecided for days; what has begun is not given up meanwhile.
                Err(status) if is_refusal(status.code()) || process::is_undecided(&status) => {
                    process::again(&orders, &context, task, &claim).await
                }
                driven => {
                    process::ended(&orders, &context, &saga, driven.map(|_| ()), &claim).await
                }
            }
        }
    })
}

async fn give_back_payment(
    orders: &Orders,
    context: &Context,
    work: &mut Work,
) -> Result<(), Status> {
    let request = CancelPaymentRequest { order_id: work.order_id.clone() };
    let answer = orders.payments(context).cancel_payment(request).await;
    let answer = answer.map_err(|status| process::busy_if_undecided(status, &work.order_id))?;
    work.intent = answer.into_inner();
    Ok(())
}

async fn give_back_stock(
    orders: &Orders,
    context: &Context,
    work: &mut Work,
) -> Result<(), Status> {
    let request = ReleaseReservationRequest { order_id: work.order_id.clone() };
    orders.stock(context).release_reservation(request).await?;
    Ok(())
}

async fn conclude(orders: &Orders, context: &Context, work: &mut Work) -> Result<(), Status> {
    let mut tx = orders.store.begin_for(context).await?;
    let order: Order = tx.get(&work.order_id).await?;
    if order.state() == State::Cancelling {
        let order = tx.update(&order::cancelled(order, &work.intent)).await?;
        sql::note(&orders.store, &mut tx, &order, &order.cancel_reason).await?;
        tx.emit(&order.id, OrderCancelled { order: Some(order.clone()) });
        work.order = order;
    } else {
        work.order = order;
    }
    tx.finish(&work.claim).await?;
    Ok(tx.commit().await?)
}

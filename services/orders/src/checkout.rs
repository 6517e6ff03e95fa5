//! Placing and paying an order: stock is held, payment is tried, the order says what came of it.

use futures_util::FutureExt;
use mesh::clock::{micros, timestamp};
use mesh::{Context, Status};
use serde::{Deserialize, Serialize};
use store::{Claim, Runner, Task, Tx};
use tradewind::catalog::v1::reservation::State as Held;
use tradewind::catalog::v1::{ReleaseReservationRequest, ReserveRequest, ReservedLine};
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{Order, PlaceOrderResponse, SagaKind, payment};
use tradewind::payments::v1::{PayRequest, PaymentIntent, payment_intent};

use crate::error::Error;
use crate::expiry::{CommitStock, Expire, Reconcile};
use crate::orders::Orders;
use crate::process::{self, Step, Undo};
use crate::progress::Saga;
use crate::{order, store as sql};

pub(crate) const NAME: &str = "checkout";
/// After how many seconds one is stuck: 15 minutes.
pub(crate) const LIMIT: i64 = 15 * 60;

/// When stock is given back by itself should this service never come to it: a week past the order's own
/// limit, for a payment is asked after for two days and then waits for a person, and its stock stays held.
const BACKSTOP: i64 = 7 * 24 * 3600 * 1_000_000;
/// How soon a payment that is not decided is asked for, should its event not come: 10 seconds.
const RECONCILE: i64 = 10 * 1_000_000;

/// What the history of an order says once it was paid.
pub(crate) const PAID: &str = "paid";

/// An attempt to pay an order, the first of which places it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Checkout {
    pub(crate) order_id: String,
    /// From 1.
    pub(crate) attempt: i32,
    pub(crate) payment_method: String,
    /// A guest's token, kept until it is answered.
    pub(crate) guest_token: String,
}

impl Task for Checkout {
    const KIND: &'static str = NAME;
}

/// A checkout on its way.
pub(crate) struct Work {
    task: Checkout,
    claim: Claim,
    order: Order,
    intent: PaymentIntent,
}

const STEPS: &[Step<Work>] = &[
    // The order itself is written before the process begins; taking it back is the last undo.
    Step {
        name: "placed",
        does: "the order is written with its total, or is there already, and is to be paid",
        run: |_, _, _| std::future::ready(Ok(())).boxed(),
        undo: Some(Undo {
            does: "the order is removed; at a later attempt, it stays and is declined",
            run: |o, c, w, why| remove(o, c, w, why).boxed(),
        }),
    },
    Step {
        name: "reserve",
        does: "the catalog holds every line, or none",
        run: |o, c, w| reserve(o, c, w).boxed(),
        undo: Some(Undo {
            does: "the catalog gives back what it holds; at a later attempt, it stays held",
            run: |o, c, w, _| release(o, c, w).boxed(),
        }),
    },
    Step {
        name: "pay",
        does: "payments tries to take the total once, under the number of the attempt",
        run: |o, c, w| pay(o, c, w).boxed(),
        undo: None,
    },
    Step {
        name: "conclude",
        does: "the order says what came of it, others are told, and the call is answered",
        run: |o, c, w| conclude(o, c, w).boxed(),
        undo: None,
    },
];

impl process::Work for Work {
    fn claim(&self) -> &Claim {
        &self.claim
    }

    fn saga(&self) -> Saga {
        saga(&self.task)
    }
}

/// What a checkout is known by.
pub(crate) fn saga(task: &Checkout) -> Saga {
    let Checkout { order_id, attempt, .. } = task;
    Saga { id: format!("{order_id}-{NAME}-{attempt}"), kind: NAME, order_id: order_id.clone() }
}

pub(crate) fn kind() -> SagaKind {
    process::kind(NAME, STEPS, LIMIT)
}

pub(crate) fn points() -> Vec<String> {
    process::points(NAME, STEPS)
}

/// Drives a checkout whose order and task are written.
pub(crate) async fn drive(
    orders: &Orders,
    context: &Context,
    task: Checkout,
    claim: Claim,
) -> Result<Order, Status> {
    let order = orders.store.read(context).get(&task.order_id).await?;
    resume(orders, context, task, claim, order).await
}

/// Drives a checkout of an order that was just written or read.
pub(crate) async fn resume(
    orders: &Orders,
    context: &Context,
    task: Checkout,
    claim: Claim,
    order: Order,
) -> Result<Order, Status> {
    let mut work = Work { task, claim, order, intent: PaymentIntent::default() };
    process::drive(orders, context, NAME, STEPS, &mut work).await?;
    Ok(work.order)
}

pub(crate) fn tasks(runner: Runner, orders: &Orders) -> Runner {
    let orders = orders.clone();
    runner.on(move |context: Context, task: Checkout, claim| {
        let orders = orders.clone();
        async move {
            let saga = saga(&task);
            match drive(&orders, &context, task.clone(), claim.clone()).await {
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

async fn reserve(orders: &Orders, context: &Context, work: &mut Work) -> Result<(), Status> {
    let order = &work.order;
    let now = orders.store.clock().now_micros();
    let limit = order.hold_expire_time.as_ref().map_or(now, micros) + BACKSTOP;
    let request = ReserveRequest {
        order_id: order.id.clone(),
        lines: order
            .lines
            .iter()
            .map(|line| ReservedLine {
                variant_id: line.variant_id.clone(),
                quantity: line.quantity,
            })
            .collect(),
        expire_time: Some(timestamp(limit)),
    };
    let reservation = orders.stock(context).reserve(request).await?.into_inner();
    match reservation.state() {
        Held::Held | Held::Committed => Ok(()),
        Held::Released | Held::Unspecified if work.task.attempt == 1 => {
            Err(Error::NotPlaced.into())
        }
        Held::Released | Held::Unspecified => Err(Error::Expired(order.id.clone()).into()),
    }
}

/// Gives back the stock of an order that was never placed. A second attempt keeps what the first holds.
async fn release(orders: &Orders, context: &Context, work: &mut Work) -> Result<(), Status> {
    if work.task.attempt == 1 {
        let request = ReleaseReservationRequest { order_id: work.order.id.clone() };
        orders.stock(context).release_reservation(request).await?;
    }
    Ok(())
}

/// Takes an order back that could not be placed; only a first attempt places one.
async fn remove(
    orders: &Orders,
    context: &Context,
    work: &mut Work,
    refusal: &Status,
) -> Result<(), Status> {
    let mut tx = orders.store.begin_for(context).await?;
    let order: Order = tx.get(&work.order.id).await?;
    if work.task.attempt == 1 {
        sql::remove(&mut tx, &order.id).await?;
    } else {
        let mut order = order;
        let mut payment = order.payment.take().unwrap_or_default();
        payment.set_state(payment::State::Declined);
        order.payment = Some(payment);
        tx.update(&order).await?;
    }
    tx.refuse_key(&key(&work.task), refusal).await?;
    tx.finish(&work.claim).await?;
    Ok(tx.commit().await?)
}

async fn pay(orders: &Orders, context: &Context, work: &mut Work) -> Result<(), Status> {
    // What costs nothing is paid: there is nothing to ask a provider for.
    if order::total(&work.order).minor == 0 {
        work.intent.set_state(payment_intent::State::Succeeded);
        return Ok(());
    }
    let request = PayRequest {
        order_id: work.order.id.clone(),
        customer_id: work.order.customer_id.clone(),
        amount: Some(order::total(&work.order)),
        attempt: work.task.attempt,
        payment_method: work.task.payment_method.clone(),
    };
    let answer = orders.payments(context).pay(request).await;
    let answer = answer.map_err(|status| process::busy_if_undecided(status, &work.order.id))?;
    work.intent = answer.into_inner();
    Ok(())
}

async fn conclude(orders: &Orders, context: &Context, work: &mut Work) -> Result<(), Status> {
    let mut tx = orders.store.begin_for(context).await?;
    let order: Order = tx.get(&work.order.id).await?;
    let order = order::paid_as(order, &work.intent);
    let order = told(orders, &mut tx, order).await?;
    if order.state() == State::PendingPayment && work.task.attempt == 1 {
        let limit = order.hold_expire_time.as_ref().map_or(0, micros);
        tx.start_at(Expire { order_id: order.id.clone() }, limit)?;
    }
    if work.task.attempt == 1 {
        let answer = PlaceOrderResponse {
            order: Some(order.clone()),
            guest_token: work.task.guest_token.clone(),
        };
        tx.answer_key(&key(&work.task), &answer).await?;
    } else {
        tx.answer_key(&key(&work.task), &order).await?;
    }
    tx.finish(&work.claim).await?;
    tx.commit().await?;
    work.order = order;
    Ok(())
}

/// Keeps what a payment made of an order, and begins what follows from it. What is known already is
/// no news: nothing follows from it again.
pub(crate) async fn told(orders: &Orders, tx: &mut Tx, order: Order) -> Result<Order, Error> {
    let known = order.etag.clone();
    let order = tx.update(&order).await?;
    if order.etag == known {
        return Ok(order);
    }
    let order_id = order.id.clone();
    let note = match order::payment_state(&order) {
        payment::State::Paid => {
            tx.emit(
                &order_id,
                tradewind::orders::v1::OrderConfirmed { order: Some(order.clone()) },
            );
            tx.start(CommitStock { order_id })?;
            PAID
        }
        payment::State::Declined => {
            let event = tradewind::orders::v1::OrderPaymentFailed { order: Some(order.clone()) };
            tx.emit(&order_id, event);
            "the payment was refused"
        }
        payment::State::RequiresAction => "the customer has a step to take",
        payment::State::Unknown => {
            let at = orders.store.clock().now_micros() + RECONCILE;
            tx.start_at(Reconcile { order_id }, at)?;
            "it is not known yet what became of the payment"
        }
        payment::State::Unspecified
        | payment::State::None
        | payment::State::Refunded
        | payment::State::Cancelled
        | payment::State::Processing => "placed",
    };
    sql::note(&orders.store, tx, &order, note).await?;
    Ok(order)
}

/// What an idempotency key of a checkout is open for.
pub(crate) fn key(task: &Checkout) -> String {
    format!("{}#{}", task.order_id, task.attempt)
}

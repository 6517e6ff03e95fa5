//! What happens to an order later: stock that leaves, payments that are asked for, time that is up.

use mesh::{Context, Status};
use serde::{Deserialize, Serialize};
use store::{Runner, Task, Tx};
use tradewind::catalog::v1::CommitReservationRequest;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{Order, payment};
use tradewind::payments::v1::{GetPaymentRequest, PaymentIntent};

use crate::cancelling::{self, Cancelling};
use crate::checkout::told;
use crate::error::Error;
use crate::orders::Orders;
use crate::{order, store as sql};

/// When an order whose payment is not decided is looked at again: after a minute.
const AGAIN: i64 = 60 * 1_000_000;
/// Why an order that nobody paid is cancelled.
const NOT_PAID: &str = "it was not paid in time";

/// Takes the stock of a confirmed order out of the shelves for good.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CommitStock {
    pub(crate) order_id: String,
}

impl Task for CommitStock {
    const KIND: &'static str = "commit_stock";
}

/// Asks what became of a payment, should its event not have come.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reconcile {
    pub(crate) order_id: String,
}

impl Task for Reconcile {
    const KIND: &'static str = "reconcile_payment";
}

/// Cancels an order that was not paid while its stock was held.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Expire {
    pub(crate) order_id: String,
}

impl Task for Expire {
    const KIND: &'static str = "expire_order";
}

pub(crate) fn tasks(runner: Runner, orders: &Orders) -> Runner {
    let (one, two, three) = (orders.clone(), orders.clone(), orders.clone());
    runner
        .on(move |context: Context, task: CommitStock, _| {
            let orders = one.clone();
            async move { commit_stock(&orders, &context, task).await }
        })
        .on(move |context: Context, task: Reconcile, _| {
            let orders = two.clone();
            async move { reconcile(&orders, &context, task).await }
        })
        .on(move |context: Context, task: Expire, _| {
            let orders = three.clone();
            async move { expire(&orders, &context, task).await }
        })
}

async fn commit_stock(orders: &Orders, context: &Context, task: CommitStock) -> Result<(), Status> {
    if is_given_up(orders, context, &task.order_id).await? {
        return Ok(());
    }
    let request = CommitReservationRequest { order_id: task.order_id.clone() };
    match orders.stock(context).commit_reservation(request).await {
        // It was cancelled in between.
        Err(_) if is_given_up(orders, context, &task.order_id).await? => Ok(()),
        committed => committed.map(|_| ()),
    }
}

/// Whether an order's stock was given back, or is about to be.
async fn is_given_up(orders: &Orders, context: &Context, id: &str) -> Result<bool, Error> {
    let order: Order = orders.store.read(context).get(id).await?;
    Ok(matches!(order.state(), State::Cancelling | State::Cancelled))
}

async fn reconcile(orders: &Orders, context: &Context, task: Reconcile) -> Result<(), Status> {
    let order: Order = orders.store.read(context).get(&task.order_id).await?;
    if !waits_for_payment(&order) {
        return Ok(());
    }
    let intent_id = order.payment.map(|payment| payment.intent_id).unwrap_or_default();
    let request = GetPaymentRequest { id: intent_id };
    let intent = orders.payments(context).get_payment(request).await?.into_inner();
    apply(orders, context, &intent).await
}

/// Whether an order rests until its payment is decided elsewhere.
pub(crate) fn waits_for_payment(order: &Order) -> bool {
    order.state() == State::PendingPayment
        && matches!(
            order::payment_state(order),
            payment::State::RequiresAction | payment::State::Unknown
        )
}

/// Makes of an order what its payment says, when it waits for that; asks again when it does not say.
async fn apply(orders: &Orders, context: &Context, intent: &PaymentIntent) -> Result<(), Status> {
    let mut tx = orders.store.begin_for(context).await?;
    let order: Order = tx.get(&intent.order_id).await?;
    if waits_for_payment(&order) {
        let known = order.etag.clone();
        let order = heard(orders, &mut tx, order, intent).await?;
        if order.etag == known && order::payment_state(&order) == payment::State::Unknown {
            let again = orders.store.clock().now_micros() + AGAIN;
            tx.start_at(Reconcile { order_id: order.id }, again)?;
        }
    }
    Ok(tx.commit().await?)
}

/// Keeps what is heard of a payment that an order waits for, unless it is of an attempt before.
pub(crate) async fn heard(
    orders: &Orders,
    tx: &mut Tx,
    order: Order,
    intent: &PaymentIntent,
) -> Result<Order, Error> {
    if intent.attempts < sql::attempts(tx, &order.id).await? {
        return Ok(order);
    }
    told(orders, tx, order::paid_as(order, intent)).await
}

async fn expire(orders: &Orders, context: &Context, task: Expire) -> Result<(), Status> {
    let mut tx = orders.store.begin_for(context).await?;
    let order: Order = tx.get(&task.order_id).await?;
    if order.state() != State::PendingPayment {
        return Ok(());
    }
    let undecided = matches!(
        order::payment_state(&order),
        payment::State::Unknown | payment::State::Processing
    );
    if undecided {
        tx.start_at(task, orders.store.clock().now_micros() + AGAIN)?;
        return Ok(tx.commit().await?);
    }
    let order = tx.update(&order::cancelling(order, NOT_PAID)?).await?;
    sql::note(&orders.store, &mut tx, &order, NOT_PAID).await?;
    let task = Cancelling { order_id: order.id };
    let claim = tx.start_claimed(task.clone())?;
    tx.commit().await?;
    cancelling::drive(orders, context, task, claim).await.map(|_| ())
}

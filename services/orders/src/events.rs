//! What orders consume: payments that were decided after their checkout had ended.

use store::{Consumer, Tx};
use tradewind::orders::v1::Order;
use tradewind::payments::v1::PaymentChanged;

use crate::expiry::{heard, waits_for_payment};
use crate::orders::Orders;

pub(crate) fn consumer(orders: &Orders) -> Consumer {
    let orders = orders.clone();
    orders.store.consumer().on(move |tx: Tx, _, event: PaymentChanged| {
        let orders = orders.clone();
        async move { payment_changed(&orders, tx, event).await }
    })
}

async fn payment_changed(
    orders: &Orders,
    mut tx: Tx,
    event: PaymentChanged,
) -> Result<Tx, mesh::Status> {
    let intent = event.intent.unwrap_or_default();
    let found: Option<Order> = tx.find(&intent.order_id).await?;
    // While a checkout runs, it hears from the payment itself.
    if let Some(order) = found.filter(waits_for_payment) {
        heard(orders, &mut tx, order, &intent).await?;
    }
    Ok(tx)
}

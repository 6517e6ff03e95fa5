//! What the cart does when orders are paid.

use mesh::{Context, Status};
use store::{Consumer, Store, Tx};
use tradewind::cart::v1::CartLine;
use tradewind::orders::v1::OrderConfirmed;

use crate::error::Error;
use crate::{cart, store as sql};

/// An order was paid.
pub(crate) const ORDER_CONFIRMED: &str = "tradewind.orders.v1.OrderConfirmed";

/// Where events have their effect on carts.
pub(crate) fn consumer(store: &Store) -> Consumer {
    let now = store.clone();
    store.consumer().on(move |tx, _: Context, event: OrderConfirmed| {
        let now = now.clock().now_micros();
        async move { take_out_ordered(tx, event, now).await }
    })
}

/// Takes what was ordered out of the customer's cart; what was added since stays.
async fn take_out_ordered(mut tx: Tx, event: OrderConfirmed, now: i64) -> Result<Tx, Status> {
    let order = event.order.unwrap_or_default();
    let customer_id = order.customer_id.as_str();
    if !sql::hold_existing(&mut tx, customer_id, now).await? {
        return Ok(tx);
    }
    let lines = sql::lines_to_change(&mut tx, customer_id).await?;
    let (gone, fewer) = cart::after_order(lines, &order);
    sql::remove(&mut tx, customer_id, &gone).await?;
    for line in &fewer {
        tx.update::<CartLine>(line).await.map_err(Error::from)?;
    }
    Ok(tx)
}

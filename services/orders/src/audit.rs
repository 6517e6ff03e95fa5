//! What every order says of itself, a page at a time, for who compares it with what others say.

use std::collections::HashMap;

use store::{Error, Reader, Row};
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{
    AuditOrdersRequest, AuditOrdersResponse, AuditedOrder, AuditedOrderLine, Order,
};

use crate::order;

/// The size of a page when nothing is said.
const PAGE: u32 = 500;

/// The orders after those of the page before, by their ids.
pub(crate) async fn page(
    reader: &Reader,
    asked: &AuditOrdersRequest,
) -> Result<AuditOrdersResponse, Error> {
    let size = u32::try_from(asked.page_size).ok().filter(|size| *size > 0).unwrap_or(PAGE);
    let after = asked.page_token.as_str();
    // One more tells whether there is another page.
    let select = reader.select("id > $2").bind(after).order("id").limit(size + 1);
    let mut found: Vec<Order> = select.fetch_all().await?;
    let more = found.len() > size as usize;
    found.truncate(size as usize);
    let Some(last) = found.last().map(|order| order.id.clone()) else {
        return Ok(AuditOrdersResponse::default());
    };
    let confirmations = confirmations(reader, after, &last).await?;
    let refunding = refunding(reader, after, &last).await?;
    let of = |of: &HashMap<String, i64>, order: &Order| of.get(&order.id).copied().unwrap_or(0);
    let orders = found.into_iter().map(|order| {
        let confirmations = i32::try_from(of(&confirmations, &order)).unwrap_or(i32::MAX);
        let refunding_minor = of(&refunding, &order);
        audited(order, confirmations, refunding_minor)
    });
    let orders = orders.collect();
    Ok(AuditOrdersResponse { orders, next_page_token: if more { last } else { String::new() } })
}

fn audited(order: Order, confirmations: i32, refunding_minor: i64) -> AuditedOrder {
    let line = |line: &tradewind::orders::v1::OrderLine| AuditedOrderLine {
        variant_id: line.variant_id.clone(),
        quantity: line.quantity,
    };
    AuditedOrder {
        state: order.state,
        payment_state: order::payment_state(&order).into(),
        lines: order.lines.iter().map(line).collect(),
        has_email: !order.email.is_empty(),
        has_shipment: order.shipment.is_some(),
        intent_id: order.payment.map(|payment| payment.intent_id).unwrap_or_default(),
        id: order.id,
        total: order.total,
        refunded: order.refunded,
        refunding_minor,
        confirmations,
        create_time: order.create_time,
        update_time: order.update_time,
    }
}

/// How often the histories of the orders of a page say that they were paid.
async fn confirmations(
    reader: &Reader,
    after: &str,
    last: &str,
) -> Result<HashMap<String, i64>, Error> {
    let sql = "SELECT order_id, COUNT(*) AS amount FROM order_events \
               WHERE project = $1 AND order_id > $2 AND order_id <= $3 AND state = $4 AND note = $5 \
               GROUP BY order_id";
    let query = reader.query(sql).bind(after).bind(last);
    let query = query.bind(State::Confirmed.as_str_name()).bind(crate::checkout::PAID);
    by_order(&query.fetch_all().await?)
}

/// What of these orders is on its way back to the customer.
async fn refunding(
    reader: &Reader,
    after: &str,
    last: &str,
) -> Result<HashMap<String, i64>, Error> {
    let sql = "SELECT order_id, CAST(SUM(amount_minor) AS BIGINT) AS amount FROM order_refunds \
               WHERE project = $1 AND order_id > $2 AND order_id <= $3 AND state = 'PENDING' \
               GROUP BY order_id";
    by_order(&reader.query(sql).bind(after).bind(last).fetch_all().await?)
}

fn by_order(rows: &[Row]) -> Result<HashMap<String, i64>, Error> {
    rows.iter().map(|row| Ok((row.get("order_id")?, row.get("amount")?))).collect()
}

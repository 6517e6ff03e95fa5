//! Every unit of stock is somewhere: on the shelf, or with whoever bought it.

use std::collections::HashMap;

use anyhow::Result;
use harness::Harness;
use tradewind::orders::v1::Order;
use tradewind::orders::v1::order::State;

use super::Broken;
use crate::quiet::anybody;
use crate::world::SHELF;

pub(super) async fn check(harness: &Harness, orders: &[Order]) -> Result<Vec<Broken>> {
    let mut gone: HashMap<&str, i64> = HashMap::new();
    for line in orders.iter().filter(|order| has_left(order)).flat_map(|order| &order.lines) {
        *gone.entry(&line.variant_id).or_default() += line.quantity;
    }
    let reader = harness.store("catalog").read(&anybody(harness));
    let sql = "SELECT s.id AS id, s.on_hand AS on_hand, s.reserved AS reserved FROM stock_levels s \
               JOIN variants v ON v.project = s.project AND v.id = s.id \
               WHERE s.project = $1 ORDER BY v.product_title";
    let levels = reader.query(sql).fetch_all().await?;
    let mut broken = Vec::new();
    for (row, (began_with, _)) in levels.iter().zip(SHELF) {
        let (id, on_hand, reserved): (String, i64, i64) =
            (row.get("id")?, row.get("on_hand")?, row.get("reserved")?);
        let sold = gone.get(id.as_str()).copied().unwrap_or_default();
        if on_hand + sold != began_with || reserved != 0 {
            let text = format!(
                "it began with {began_with}; orders say that {sold} have left; {on_hand} are on the shelf, \
                 {reserved} of them held"
            );
            broken.push(Broken::new("units", id, text));
        }
    }
    Ok(broken)
}

fn has_left(order: &Order) -> bool {
    match order.state() {
        State::Confirmed | State::Shipped | State::Delivered | State::Refunded => true,
        State::Unspecified
        | State::Placing
        | State::PendingPayment
        | State::Cancelling
        | State::Cancelled => false,
    }
}

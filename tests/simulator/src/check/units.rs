//! Every unit of stock is somewhere: on the shelf, or with whoever bought it.

use std::collections::HashMap;

use anyhow::Result;
use harness::Harness;
use tradewind::orders::v1::Order;
use tradewind::orders::v1::order::State;

use super::Broken;
use super::excused::Excused;
use crate::quiet::anybody;
use crate::world::SHELF;

pub(super) async fn check(
    harness: &Harness,
    orders: &[Order],
    excused: &Excused,
) -> Result<Vec<Broken>> {
    // What the provider lied about is not waited for: days may have gone by in which nobody went on with it. Its stock
    // has left, is held still, or was given back when its time was over.
    let (lied_about, known): (Vec<_>, Vec<_>) =
        orders.iter().partition(|order| excused.covers(&order.id));
    let gone = units(known.into_iter().filter(|order| has_left(order)));
    let may_be_gone = units(lied_about.into_iter());
    let reader = harness.store("catalog").read(&anybody(harness));
    let sql = "SELECT s.id AS id, s.on_hand AS on_hand, s.reserved AS reserved FROM stock_levels s \
               JOIN variants v ON v.project = s.project AND v.id = s.id \
               WHERE s.project = $1 ORDER BY v.product_title";
    let levels = reader.query(sql).fetch_all().await?;
    let mut broken = Vec::new();
    for (row, (began_with, _)) in levels.iter().zip(SHELF) {
        let (id, on_hand, reserved): (String, i64, i64) =
            (row.get("id")?, row.get("on_hand")?, row.get("reserved")?);
        let [sold, may_be] =
            [&gone, &may_be_gone].map(|units| units.get(id.as_str()).copied().unwrap_or_default());
        let missing = began_with - sold - on_hand;
        if !(0..=may_be).contains(&missing) || !(0..=may_be).contains(&reserved) {
            let text = format!(
                "it began with {began_with}; orders say that {sold} have left, and maybe {may_be} more; \
                 {on_hand} are on the shelf, {reserved} of them held"
            );
            broken.push(Broken::new("units", id, text));
        }
    }
    Ok(broken)
}

/// How many units of each variant some orders are of.
fn units<'o>(orders: impl Iterator<Item = &'o Order>) -> HashMap<&'o str, i64> {
    let mut units = HashMap::new();
    for line in orders.flat_map(|order| &order.lines) {
        *units.entry(line.variant_id.as_str()).or_default() += line.quantity;
    }
    units
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

//! Money: debits are credits, and the orders bring in sum what the provider took.

use anyhow::Result;
use harness::Harness;

use super::{Broken, Excused};
use crate::quiet::anybody;

pub(super) async fn check(harness: &Harness, excused: &Excused) -> Result<Vec<Broken>> {
    let mut broken = Vec::new();
    let ledger = "SELECT CAST(COALESCE(SUM(debits_posted), 0) AS BIGINT) AS one, \
                  CAST(COALESCE(SUM(credits_posted), 0) AS BIGINT) AS other, \
                  CAST(COALESCE(SUM(debits_pending + credits_pending), 0) AS BIGINT) AS pending \
                  FROM accounts WHERE project = $1";
    let row = harness.store("ledger").read(&anybody(harness)).query(ledger).fetch_one().await?;
    let (debits, credits, pending): (i64, i64, i64) =
        (row.get("one")?, row.get("other")?, row.get("pending")?);
    if debits != credits {
        let text = format!("{debits} were debited, and {credits} credited");
        broken.push(Broken::new("debits are credits", "accounts", text));
    }
    if pending != 0 && !excused.some() {
        let text = format!("{pending} are still pending");
        broken.push(Broken::new("nothing is stuck", "accounts", text));
    }
    if !excused.some() {
        broken.extend(sums(harness).await?);
    }
    Ok(broken)
}

/// What the provider took less what it gave back, against what payments and the orders say, in minor units.
async fn sums(harness: &Harness) -> Result<Option<Broken>> {
    let payments = harness.store("payments").read(&anybody(harness));
    let theirs = "SELECT CAST((SELECT COALESCE(SUM(amount_minor), 0) FROM simulator_charges \
                      WHERE project = $1 AND state = 'TAKEN') \
                  - (SELECT COALESCE(SUM(amount_minor), 0) FROM simulator_refunds \
                      WHERE project = $1 AND state = 'DONE') AS BIGINT) AS net";
    let theirs: i64 = payments.query(theirs).fetch_one().await?.get("net")?;
    let ours = "SELECT CAST(COALESCE(SUM(captured_minor - refunded_minor), 0) AS BIGINT) AS net \
                FROM payment_intents WHERE project = $1";
    let ours: i64 = payments.query(ours).fetch_one().await?.get("net")?;
    let orders = "SELECT CAST(COALESCE(SUM(total_minor - refunded_minor), 0) AS BIGINT) AS net \
                  FROM orders WHERE project = $1 \
                  AND state IN ('CONFIRMED', 'SHIPPED', 'DELIVERED', 'REFUNDED')";
    let orders = harness.store("orders").read(&anybody(harness)).query(orders);
    let orders: i64 = orders.fetch_one().await?.get("net")?;
    let text = format!("provider {theirs}, payments {ours}, orders {orders}");
    let agree = theirs == ours && ours == orders;
    Ok((!agree).then(|| Broken::new("sums", "all orders", text)))
}

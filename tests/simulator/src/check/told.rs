//! No customer is told twice: as many mails and notifications of a kind as the order's history has reasons.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use harness::Harness;
use store::Row;

use super::Broken;
use crate::quiet::anybody;

/// How often each thing happened to each order.
type Counts = BTreeMap<(String, String), i64>;

/// What the history says where a customer is told of it.
const REASONS: &str = "SELECT order_id AS about, CASE \
        WHEN note = 'paid' THEN 'order_confirmed' \
        WHEN note = 'the payment was refused' THEN 'order_payment_failed' \
        WHEN note = 'sent' THEN 'order_shipped' \
        WHEN note = 'arrived' THEN 'order_delivered' \
        ELSE 'order_cancelled' END AS kind, COUNT(*) AS count \
    FROM order_events WHERE project = $1 AND (note IN ('paid', 'the payment was refused', 'sent', 'arrived') \
        OR state = 'STATE_CANCELLED') \
    GROUP BY about, kind \
    UNION ALL SELECT order_id AS about, 'order_refunded' AS kind, COUNT(*) AS count \
    FROM order_refunds WHERE project = $1 AND state = 'SUCCEEDED' GROUP BY order_id";
const MAILS: &str = "SELECT reference AS about, template AS kind, COUNT(*) AS count FROM mails \
    WHERE project = $1 GROUP BY reference, template";
const NOTIFICATIONS: &str = "SELECT reference AS about, kind, COUNT(*) AS count FROM notifications \
    WHERE project = $1 GROUP BY reference, kind";

pub(super) async fn check(harness: &Harness) -> Result<Vec<Broken>> {
    let reasons = counts(harness, "orders", REASONS).await?;
    let mut broken = Vec::new();
    for (what, sql) in [("mails", MAILS), ("notifications", NOTIFICATIONS)] {
        let told = counts(harness, "notifications", sql).await?;
        let all: BTreeSet<_> = reasons.keys().chain(told.keys()).collect();
        for key in all {
            let count = |of: &Counts| of.get(key).copied().unwrap_or_default();
            let (wanted, found) = (count(&reasons), count(&told));
            if wanted != found {
                let (about, kind) = key;
                let text =
                    format!("`{kind}` happened {wanted} times, and there are {found} {what}");
                broken.push(Broken::new("told once", about, text));
            }
        }
    }
    Ok(broken)
}

async fn counts(harness: &Harness, service: &str, sql: &'static str) -> Result<Counts> {
    let rows = harness.store(service).read(&anybody(harness)).query(sql).fetch_all().await?;
    let count = |row: &Row| Ok(((row.get("about")?, row.get("kind")?), row.get("count")?));
    rows.iter().map(count).collect()
}

//! Nothing is stuck: no task, no event, no key, no intent and no hold is left on its way.

use anyhow::Result;
use harness::Harness;

use super::{Broken, Excused};
use crate::quiet::{self, anybody};
use crate::world::SERVICES;

/// What is on its way in a service's own tables, each with what it is about.
const ON_THEIR_WAY: [(&str, &str, &str); 4] = [
    (
        "payments",
        "intent",
        "SELECT id, order_id AS about FROM payment_intents WHERE project = $1 \
         AND state IN ('PROCESSING', 'REQUIRES_ACTION', 'REVIEW')",
    ),
    (
        "ledger",
        "hold",
        "SELECT h.id AS id, t.reference AS about FROM holds h \
         JOIN transfers t ON t.project = h.project AND t.id = h.id \
         WHERE h.project = $1 AND h.state = 'PENDING'",
    ),
    (
        "catalog",
        "reservation",
        "SELECT id, id AS about FROM reservations WHERE project = $1 AND state = 'HELD'",
    ),
    (
        "orders",
        "refund",
        "SELECT id, order_id AS about FROM order_refunds WHERE project = $1 AND state = 'PENDING'",
    ),
];

pub(super) async fn check(harness: &Harness, excused: &Excused) -> Result<Vec<Broken>> {
    let mut broken = Vec::new();
    for left in quiet::left(harness, &excused.ids()).await? {
        let kind = if left.dead { "dead" } else { "waiting" };
        let text = format!("`{}` of {} is {kind}", left.kind, left.service);
        broken.push(Broken::new("nothing is stuck", left.about, text));
    }
    for service in SERVICES {
        let reader = harness.store(service).read(&anybody(harness));
        let sql = "SELECT key, process FROM store_keys WHERE project = $1 AND answer IS NULL \
                   AND refusal IS NULL";
        for row in reader.query(sql).fetch_all().await? {
            let (key, process): (String, String) = (row.get("key")?, row.get("process")?);
            let order = process.split('#').next().unwrap_or_default();
            if !excused.covers(order) {
                let text = format!("the key `{key}` of {service} waits for {process}");
                broken.push(Broken::new("nothing is stuck", process, text));
            }
        }
    }
    for (service, what, sql) in ON_THEIR_WAY {
        let reader = harness.store(service).read(&anybody(harness));
        for row in reader.query(sql).fetch_all().await? {
            let (id, about): (String, String) = (row.get("id")?, row.get("about")?);
            if !excused.covers(&about) {
                let text = format!("the {what} of {about} is on its way in {service}");
                broken.push(Broken::new("nothing is stuck", id, text));
            }
        }
    }
    Ok(broken)
}

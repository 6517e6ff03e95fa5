//! The SQL of orders that resources do not give.

use mesh::HasContext;
use mesh::clock::timestamp;
use store::{Error, Reader, Store, Tx};
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{Order, OrderEvent};

/// Writes what happened to an order into its history.
pub(crate) async fn note(
    store: &Store,
    tx: &mut Tx,
    order: &Order,
    note: &str,
) -> Result<(), Error> {
    let at = store.clock().now_micros();
    let actor = tx.context().caller.actor().to_owned();
    tx.query(
        "INSERT INTO order_events (project, order_id, position, at, state, actor, note) \
         VALUES ($1, $2, (SELECT COALESCE(MAX(position), 0) + 1 FROM order_events \
             WHERE project = $1 AND order_id = $2), $3, $4, $5, $6)",
    )
    .bind(order.id.as_str())
    .bind(at)
    .bind(order.state().as_str_name())
    .bind(actor)
    .bind(note)
    .execute()
    .await?;
    Ok(())
}

/// What happened to an order, oldest first.
pub(crate) async fn history(reader: &Reader, order_id: &str) -> Result<Vec<OrderEvent>, Error> {
    let rows = reader
        .query(
            "SELECT at, state, actor, note FROM order_events \
             WHERE project = $1 AND order_id = $2 ORDER BY position LIMIT 1000",
        )
        .bind(order_id)
        .fetch_all()
        .await?;
    rows.iter()
        .map(|row| {
            let state: String = row.get("state")?;
            Ok(OrderEvent {
                time: Some(timestamp(row.get("at")?)),
                state: State::from_str_name(&state).unwrap_or_default().into(),
                actor: row.get("actor")?,
                note: row.get("note")?,
            })
        })
        .collect()
}

/// Keeps the secret half of a new order.
pub(crate) async fn keep_secret(
    tx: &mut Tx,
    order_id: &str,
    token_hash: Vec<u8>,
) -> Result<(), Error> {
    tx.query(
        "INSERT INTO order_secrets (project, order_id, attempts, guest_token_hash) VALUES ($1, $2, 1, $3)",
    )
    .bind(order_id)
    .bind(token_hash)
    .execute()
    .await?;
    Ok(())
}

/// Counts another attempt to pay an order, and gives its number.
pub(crate) async fn next_attempt(tx: &mut Tx, order_id: &str) -> Result<i32, Error> {
    let row = tx
        .query(
            "UPDATE order_secrets SET attempts = attempts + 1 \
             WHERE project = $1 AND order_id = $2 RETURNING attempts",
        )
        .bind(order_id)
        .fetch_one()
        .await?;
    let attempts: i64 = row.get("attempts")?;
    Ok(i32::try_from(attempts).unwrap_or(i32::MAX))
}

/// How often an order's payment was tried.
pub(crate) async fn attempts(tx: &mut Tx, order_id: &str) -> Result<i32, Error> {
    let row = tx
        .query("SELECT attempts FROM order_secrets WHERE project = $1 AND order_id = $2")
        .bind(order_id)
        .fetch_one()
        .await?;
    let attempts: i64 = row.get("attempts")?;
    Ok(i32::try_from(attempts).unwrap_or(i32::MAX))
}

/// The hash of the token that a guest reads an order with; empty when there is none.
pub(crate) async fn secret(reader: &Reader, order_id: &str) -> Result<Vec<u8>, Error> {
    let row = reader
        .query("SELECT guest_token_hash FROM order_secrets WHERE project = $1 AND order_id = $2")
        .bind(order_id)
        .fetch_optional()
        .await?;
    row.map_or(Ok(Vec::new()), |row| row.get("guest_token_hash"))
}

/// Removes an order that could not be placed; its history and secrets go with it.
pub(crate) async fn remove(tx: &mut Tx, order_id: &str) -> Result<(), Error> {
    for sql in [
        "DELETE FROM order_events WHERE project = $1 AND order_id = $2",
        "DELETE FROM order_secrets WHERE project = $1 AND order_id = $2",
    ] {
        tx.query(sql).bind(order_id).execute().await?;
    }
    tx.delete::<Order>(order_id, "").await
}

/// Keeps a refund before the provider is asked.
pub(crate) async fn keep_refund(
    tx: &mut Tx,
    id: &str,
    order_id: &str,
    amount_minor: i64,
    reason: &str,
) -> Result<(), Error> {
    tx.query(
        "INSERT INTO order_refunds (project, id, order_id, amount_minor, reason, state) \
         VALUES ($1, $2, $3, $4, $5, 'PENDING')",
    )
    .bind(id)
    .bind(order_id)
    .bind(amount_minor)
    .bind(reason)
    .execute()
    .await?;
    Ok(())
}

/// Whether the provider has not said yet what became of a refund.
pub(crate) async fn refund_runs(tx: &mut Tx, order_id: &str) -> Result<bool, Error> {
    let row = tx
        .query(
            "SELECT 1 AS runs FROM order_refunds \
             WHERE project = $1 AND order_id = $2 AND state = 'PENDING' LIMIT 1",
        )
        .bind(order_id)
        .fetch_optional()
        .await?;
    Ok(row.is_some())
}

/// Says what became of a refund; `false` when it was said before.
pub(crate) async fn end_refund(tx: &mut Tx, id: &str, succeeded: bool) -> Result<bool, Error> {
    let state = if succeeded { "SUCCEEDED" } else { "FAILED" };
    let ended = tx
        .query("UPDATE order_refunds SET state = $3 WHERE project = $1 AND id = $2 AND state = 'PENDING'")
        .bind(id)
        .bind(state)
        .execute()
        .await?;
    Ok(ended == 1)
}

//! The SQL of payments that resources do not give.

use store::{Error, Reader, Tx};
use tradewind::payments::v1::{PaymentAttempt, PaymentIntent};

/// A provider's answer that contradicts what is known.
pub(crate) struct Anomaly<'a> {
    pub(crate) intent_id: &'a str,
    /// The attempt or the refund.
    pub(crate) subject_id: &'a str,
    /// What was known.
    pub(crate) known: &'a str,
    /// What was said.
    pub(crate) said: &'a str,
}

/// The intent of an order, held against every other writer: it is taken before its attempts and refunds.
pub(crate) async fn intent_of(tx: &mut Tx, order_id: &str) -> Result<Option<PaymentIntent>, Error> {
    tx.select("order_id = $2").bind(order_id).lock().fetch_optional().await
}

/// An intent, held in the same way: what adds up over its attempts and refunds is added up by one at a time.
pub(crate) async fn intent(tx: &mut Tx, id: &str) -> Result<PaymentIntent, Error> {
    let held = tx.select("id = $2").bind(id).lock().fetch_optional().await?;
    match held {
        Some(intent) => Ok(intent),
        None => tx.get(id).await,
    }
}

/// The attempt that holds a number of an intent.
pub(crate) async fn attempt_numbered(
    tx: &mut Tx,
    intent_id: &str,
    number: i32,
) -> Result<Option<PaymentAttempt>, Error> {
    tx.select("intent_id = $2 AND number = $3 AND outcome <> 'NOT_ATTEMPTED'")
        .bind(intent_id)
        .bind(number)
        .fetch_optional()
        .await
}

/// The attempts of an intent, oldest first.
pub(crate) async fn attempts(
    reader: &Reader,
    intent_id: &str,
) -> Result<Vec<PaymentAttempt>, Error> {
    reader
        .select("intent_id = $2")
        .bind(intent_id)
        .order("number, create_time, id")
        .fetch_all()
        .await
}

/// Whether the ledger holds what all attempts and refunds of an intent say.
pub(crate) async fn is_settled(tx: &mut Tx, intent_id: &str) -> Result<bool, Error> {
    let row = tx
        .query(
            "SELECT (SELECT COUNT(*) FROM payment_attempts \
             WHERE project = $1 AND intent_id = $2 AND settled = 0) \
             + (SELECT COUNT(*) FROM refunds \
             WHERE project = $1 AND intent_id = $2 AND settled = 0) AS open",
        )
        .bind(intent_id)
        .fetch_one()
        .await?;
    Ok(row.get::<i64>("open")? == 0)
}

/// Keeps an anomaly for a person to look at.
pub(crate) async fn keep_anomaly(
    tx: &mut Tx,
    id: String,
    now_micros: i64,
    anomaly: &Anomaly<'_>,
) -> Result<(), Error> {
    tx.query(
        "INSERT INTO payment_anomalies \
         (project, id, intent_id, subject_id, known, said, create_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(anomaly.intent_id)
    .bind(anomaly.subject_id)
    .bind(anomaly.known)
    .bind(anomaly.said)
    .bind(now_micros)
    .execute()
    .await?;
    Ok(())
}

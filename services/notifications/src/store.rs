//! The SQL of notifications that resources do not give.

use store::{Error, Reader, Tx};
use tradewind::notifications::v1::Notification;

/// The place of a customer's next notification; the customer's others wait until it is committed.
pub(crate) async fn next_place(tx: &mut Tx, customer_id: &str) -> Result<i64, Error> {
    tx.query(
        "INSERT INTO feeds (project, customer_id, sequence) VALUES ($1, $2, 1) \
         ON CONFLICT (project, customer_id) DO UPDATE SET sequence = feeds.sequence + 1 \
         RETURNING sequence",
    )
    .bind(customer_id)
    .fetch_one()
    .await?
    .get("sequence")
}

/// The place of a customer's last notification; 0 when there is none.
pub(crate) async fn last_place(reader: &Reader, customer_id: &str) -> Result<i64, Error> {
    let feed = reader
        .query("SELECT sequence FROM feeds WHERE project = $1 AND customer_id = $2")
        .bind(customer_id)
        .fetch_optional()
        .await?;
    feed.map_or(Ok(0), |feed| feed.get("sequence"))
}

/// A notification of a customer.
pub(crate) async fn of(
    reader: &Reader,
    customer_id: &str,
    id: &str,
) -> Result<Option<Notification>, Error> {
    reader.select("customer_id = $2 AND id = $3").bind(customer_id).bind(id).fetch_optional().await
}

/// A customer's notifications after a place, in their order.
pub(crate) async fn after(
    reader: &Reader,
    customer_id: &str,
    place: i64,
    most: u32,
) -> Result<Vec<Notification>, Error> {
    reader
        .select("customer_id = $2 AND sequence > $3")
        .bind(customer_id)
        .bind(place)
        .order("sequence")
        .limit(most)
        .fetch_all()
        .await
}

//! The SQL of notifications that resources do not give.

use store::{Error, Reader, Tx};
use tradewind::notifications::v1::{
    CountMailsRequest, CountMailsResponse, MailCount, Notification,
};

/// How many references a page of counts has when nothing is said.
const REFERENCES: u32 = 500;

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

/// How many mails there are of each kind, by what they are about.
pub(crate) async fn count_mails(
    reader: &Reader,
    asked: &CountMailsRequest,
) -> Result<CountMailsResponse, Error> {
    let size = u32::try_from(asked.page_size).ok().filter(|size| *size > 0).unwrap_or(REFERENCES);
    let after = asked.page_token.as_str();
    let sql = "SELECT DISTINCT reference FROM mails WHERE project = $1 AND reference > $2 \
               ORDER BY reference LIMIT $3";
    let references = reader.query(sql).bind(after).bind(size + 1).fetch_all().await?;
    let more = references.len() > size as usize;
    let Some(last) = references.get(..size as usize).unwrap_or(&references).last() else {
        return Ok(CountMailsResponse::default());
    };
    let last: String = last.get("reference")?;
    let sql = "SELECT reference, template, COUNT(*) AS amount, MAX(create_time) AS latest FROM mails \
               WHERE project = $1 AND reference > $2 AND reference <= $3 \
               GROUP BY reference, template ORDER BY reference, template";
    let rows = reader.query(sql).bind(after).bind(&last).fetch_all().await?;
    let counts = rows.iter().map(|row| {
        Ok(MailCount {
            reference: row.get("reference")?,
            template: row.get("template")?,
            count: row.get("amount")?,
            create_time: Some(row.get("latest")?),
        })
    });
    let counts = counts.collect::<Result<_, Error>>()?;
    Ok(CountMailsResponse { counts, next_page_token: if more { last } else { String::new() } })
}

//! Pages of transfers, oldest first.

use ::store::{Error, Reader};
use tradewind::ledger::v1::Transfer;

use super::rows::{self, TRANSFER};

/// Which transfers, from where on.
#[derive(Debug)]
pub(crate) struct Page<'r> {
    /// Of this account; of all when empty.
    pub(crate) account_id: &'r str,
    /// For this reference; for any when empty.
    pub(crate) reference: &'r str,
    /// After this time, in microseconds since 1970.
    pub(crate) after: i64,
    /// At most so many.
    pub(crate) limit: i64,
}

/// The transfers of a page.
pub(crate) async fn list(reader: &Reader, page: &Page<'_>) -> Result<Vec<Transfer>, Error> {
    let query = if !page.reference.is_empty() {
        reader
            .query(format!(
                "SELECT {TRANSFER} FROM transfers t \
             WHERE t.project = $1 AND t.reference = $2 AND t.reference <> '' AND t.time > $3 \
             AND ($4 = '' OR t.debit_account_id = $4 OR t.credit_account_id = $4) \
             ORDER BY t.time LIMIT $5"
            ))
            .bind(page.reference)
            .bind(page.after)
            .bind(page.account_id)
            .bind(page.limit)
    } else if !page.account_id.is_empty() {
        of_account(reader, page)
    } else {
        reader
            .query(format!(
                "SELECT {TRANSFER} FROM transfers t \
             WHERE t.project = $1 AND t.time > $2 AND t.time > 0 ORDER BY t.time LIMIT $3"
            ))
            .bind(page.after)
            .bind(page.limit)
    };
    query.fetch_all().await?.iter().map(rows::transfer).collect()
}

/// Both sides have an index of their own; one condition over both would sort all of an account's rows.
fn of_account<'s>(reader: &'s Reader, page: &Page<'_>) -> ::store::Query<'s> {
    reader
        .query(format!(
            "SELECT {TRANSFER} FROM (\
               SELECT * FROM (SELECT * FROM transfers \
                 WHERE project = $1 AND debit_account_id = $2 AND time > $3 \
                 ORDER BY time LIMIT $4) AS debits \
               UNION ALL \
               SELECT * FROM (SELECT * FROM transfers \
                 WHERE project = $1 AND credit_account_id = $2 AND time > $3 \
                 ORDER BY time LIMIT $4) AS credits\
             ) AS t ORDER BY t.time LIMIT $4"
        ))
        .bind(page.account_id)
        .bind(page.after)
        .bind(page.limit)
}

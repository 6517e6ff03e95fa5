//! What moved for each reference.

use ::store::{Error, Reader, Row};
use tradewind::ledger::v1::ReferenceSum;

/// The last of so many references after one; nothing when there is none. And whether there are more.
pub(crate) async fn page_end(
    reader: &Reader,
    after: &str,
    size: u32,
) -> Result<Option<(String, bool)>, Error> {
    let sql = "SELECT DISTINCT reference FROM transfers \
               WHERE project = $1 AND reference > $2 AND reference <> '' ORDER BY reference LIMIT $3";
    let rows = reader.query(sql).bind(after).bind(size + 1).fetch_all().await?;
    let more = rows.len() > size as usize;
    let last = rows.get(..size as usize).unwrap_or(&rows).last();
    last.map(|row| Ok((row.get("reference")?, more))).transpose()
}

/// The sums of the references after one up to another.
pub(crate) async fn sums(
    reader: &Reader,
    after: &str,
    last: &str,
) -> Result<Vec<ReferenceSum>, Error> {
    // The project by a CAST: SQLite would else go over all transfers of it, and not over those of these references.
    let sql = "SELECT t.reference, t.currency_code, t.code, \
                 CAST(SUM(CASE WHEN t.kind IN ('POSTED', 'POST_PENDING') THEN t.amount ELSE 0 END) \
                   AS BIGINT) AS posted, \
                 CAST(SUM(CASE WHEN h.state = 'PENDING' THEN t.amount ELSE 0 END) AS BIGINT) AS pending, \
                 MAX(t.time) AS latest \
               FROM transfers t LEFT JOIN holds h ON h.project = t.project AND h.id = t.id \
               WHERE CAST(t.project AS TEXT) = $1 AND t.reference <> '' AND t.reference > $2 AND t.reference <= $3 \
               GROUP BY t.reference, t.currency_code, t.code \
               ORDER BY t.reference, t.currency_code, t.code";
    let rows = reader.query(sql).bind(after).bind(last).fetch_all().await?;
    rows.iter().map(sum).collect()
}

fn sum(row: &Row) -> Result<ReferenceSum, Error> {
    Ok(ReferenceSum {
        reference: row.get("reference")?,
        currency_code: row.get("currency_code")?,
        code: row.get("code")?,
        posted: row.get("posted")?,
        pending: row.get("pending")?,
        time: Some(row.get("latest")?),
    })
}

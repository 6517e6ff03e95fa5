//! What does not add up. Each statement sees the book at one moment.
//!
//! Rows are looked up in sets rather than joined: both databases hash a set, however little they know
//! of how many rows a project has.

use ::store::{Error, Reader, Row};

/// How many problems of a kind are listed.
const LISTED: i64 = 100;

/// Sums over all accounts of a currency.
#[derive(Debug)]
pub(crate) struct Sums {
    pub(crate) currency_code: String,
    pub(crate) debits_pending: i128,
    pub(crate) debits_posted: i128,
    pub(crate) credits_pending: i128,
    pub(crate) credits_posted: i128,
}

/// The sums of each currency.
pub(crate) async fn sums(reader: &Reader) -> Result<Vec<Sums>, Error> {
    // In millions and the rest, since the sum of many accounts may not fit in 64 bits.
    let parts =
        ["debits_pending", "debits_posted", "credits_pending", "credits_posted"].map(|sum| {
            format!(
                "CAST(SUM({sum} / 1000000) AS BIGINT) AS {sum}_millions, \
             CAST(SUM({sum} % 1000000) AS BIGINT) AS {sum}_rest"
            )
        });
    let query = reader.query(format!(
        "SELECT currency_code, {} FROM accounts WHERE project = $1 \
         GROUP BY currency_code ORDER BY currency_code",
        parts.join(", ")
    ));
    let whole = |row: &Row, sum: &str| -> Result<i128, Error> {
        let millions: i64 = row.get(&format!("{sum}_millions"))?;
        let rest: i64 = row.get(&format!("{sum}_rest"))?;
        Ok(i128::from(millions) * 1_000_000 + i128::from(rest))
    };
    let sums = |row: &Row| {
        Ok(Sums {
            currency_code: row.get("currency_code")?,
            debits_pending: whole(row, "debits_pending")?,
            debits_posted: whole(row, "debits_posted")?,
            credits_pending: whole(row, "credits_pending")?,
            credits_posted: whole(row, "credits_posted")?,
        })
    };
    query.fetch_all().await?.iter().map(sums).collect()
}

/// Accounts whose balances are not the sums of their transfers.
pub(crate) async fn accounts_off(reader: &Reader) -> Result<Vec<String>, Error> {
    let rows = reader
        .query(
            "WITH moved AS (\
               SELECT t.debit_account_id, t.credit_account_id, \
                 CASE WHEN t.id IN (SELECT id FROM holds WHERE project = $1 AND state = 'PENDING') \
                   THEN t.amount ELSE 0 END AS pending, \
                 CASE WHEN t.kind IN ('POSTED', 'POST_PENDING') THEN t.amount ELSE 0 END AS posted \
               FROM transfers t WHERE t.project = $1), \
             sides AS (\
               SELECT debit_account_id AS id, pending AS debits_pending, posted AS debits_posted, \
                 0 AS credits_pending, 0 AS credits_posted FROM moved \
               UNION ALL \
               SELECT credit_account_id, 0, 0, pending, posted FROM moved), \
             sums AS (\
               SELECT id, SUM(debits_pending) AS debits_pending, SUM(debits_posted) AS debits_posted, \
                 SUM(credits_pending) AS credits_pending, SUM(credits_posted) AS credits_posted \
               FROM sides GROUP BY id) \
             SELECT a.id, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted, \
               CAST(COALESCE(s.debits_pending, 0) AS TEXT) AS debits_held, \
               CAST(COALESCE(s.debits_posted, 0) AS TEXT) AS debits_moved, \
               CAST(COALESCE(s.credits_pending, 0) AS TEXT) AS credits_held, \
               CAST(COALESCE(s.credits_posted, 0) AS TEXT) AS credits_moved \
             FROM accounts a LEFT JOIN sums s ON s.id = a.id \
             WHERE a.project = $1 AND (a.debits_pending <> COALESCE(s.debits_pending, 0) \
               OR a.debits_posted <> COALESCE(s.debits_posted, 0) \
               OR a.credits_pending <> COALESCE(s.credits_pending, 0) \
               OR a.credits_posted <> COALESCE(s.credits_posted, 0)) \
             ORDER BY a.id LIMIT $2",
        )
        .bind(LISTED)
        .fetch_all()
        .await?;
    let problems = rows.iter().map(|row| {
        let id: String = row.get("id")?;
        let mut wrong = Vec::new();
        for (name, balance, sum) in [
            ("debits pending", "debits_pending", "debits_held"),
            ("debits posted", "debits_posted", "debits_moved"),
            ("credits pending", "credits_pending", "credits_held"),
            ("credits posted", "credits_posted", "credits_moved"),
        ] {
            let (balance, sum): (i64, String) = (row.get(balance)?, row.get(sum)?);
            if balance.to_string() != sum {
                wrong.push(format!("{name} are {balance}, its transfers say {sum}"));
            }
        }
        Ok(format!("account {id}: {}", wrong.join("; ")))
    });
    problems.collect()
}

/// Transfers between accounts that there are not in their currency.
pub(crate) async fn accounts_missing(reader: &Reader) -> Result<Vec<String>, Error> {
    let rows = reader
        .query(
            "SELECT id FROM transfers WHERE project = $1 AND (\
               (debit_account_id, currency_code) NOT IN \
                 (SELECT id, currency_code FROM accounts WHERE project = $1) \
               OR (credit_account_id, currency_code) NOT IN \
                 (SELECT id, currency_code FROM accounts WHERE project = $1)) \
             ORDER BY id LIMIT $2",
        )
        .bind(LISTED)
        .fetch_all()
        .await?;
    sentences(&rows, |id| format!("transfer {id}: it has no such accounts of its currency"))
}

/// Pending transfers and what they hold, where one is without the other or ended without reason.
pub(crate) async fn holds_off(reader: &Reader) -> Result<Vec<String>, Error> {
    let rows = reader
        .query(
            "SELECT id FROM holds WHERE project = $1 AND id NOT IN \
               (SELECT id FROM transfers WHERE project = $1 AND kind = 'PENDING') \
             UNION SELECT id FROM transfers WHERE project = $1 AND kind = 'PENDING' AND id NOT IN \
               (SELECT id FROM holds WHERE project = $1) \
             UNION SELECT id FROM holds WHERE project = $1 AND state = 'POSTED' AND id NOT IN \
               (SELECT pending_id FROM transfers WHERE project = $1 AND kind = 'POST_PENDING') \
             UNION SELECT id FROM holds WHERE project = $1 AND state = 'VOIDED' AND id NOT IN \
               (SELECT pending_id FROM transfers WHERE project = $1 AND kind = 'VOID_PENDING') \
             UNION SELECT pending_id AS id FROM transfers \
               WHERE project = $1 AND kind = 'POST_PENDING' AND pending_id NOT IN \
               (SELECT id FROM holds WHERE project = $1 AND state = 'POSTED') \
             UNION SELECT pending_id AS id FROM transfers \
               WHERE project = $1 AND kind = 'VOID_PENDING' AND pending_id NOT IN \
               (SELECT id FROM holds WHERE project = $1 AND state = 'VOIDED') \
             ORDER BY id LIMIT $2",
        )
        .bind(LISTED)
        .fetch_all()
        .await?;
    sentences(&rows, |id| format!("transfer {id}: what it holds has not ended as the book says"))
}

fn sentences(rows: &[Row], say: impl Fn(String) -> String) -> Result<Vec<String>, Error> {
    rows.iter().map(|row| row.get("id").map(&say)).collect()
}

//! Accounts by their ids, and new ones.

use std::collections::{HashMap, HashSet};

use ::store::{Error, Reader, Tx};
use tradewind::ledger::v1::Account;

use super::rows::{self, ACCOUNT};
use crate::bulk::{LOOKED_UP, WRITTEN, groups};

/// Those of the accounts that there are.
pub(crate) async fn find(reader: &Reader, ids: &[&str]) -> Result<HashMap<String, Account>, Error> {
    let mut found = HashMap::new();
    for group in groups(ids, LOOKED_UP) {
        let query = reader.query(group.lookups(&by_id(), 2));
        for row in query.bind_all(group.filled().copied()).fetch_all().await? {
            let account = rows::account(&row)?;
            found.insert(account.id.clone(), account);
        }
    }
    Ok(found)
}

/// Looks up an account of a project; its id follows.
pub(crate) fn by_id() -> String {
    format!("SELECT {ACCOUNT} FROM accounts WHERE project = $1 AND id = ")
}

/// Makes accounts that nobody else has made meanwhile; answers the ids of those that it made.
pub(crate) async fn insert(
    tx: &mut Tx,
    accounts: &[&Account],
    now: i64,
) -> Result<HashSet<String>, Error> {
    let mut accounts = accounts.to_vec();
    // In one order everywhere, so that calls that make the same accounts cannot wait for each other.
    accounts.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    let mut made = HashSet::new();
    for group in groups(&accounts, WRITTEN) {
        let values = group.values(3, 5);
        let mut query = tx.query(format!(
            "WITH new (id, currency_code, code, debits_must_not_exceed_credits, \
             credits_must_not_exceed_debits) AS (VALUES {values}) \
             INSERT INTO accounts (project, {ACCOUNT}) \
             SELECT $1, id, currency_code, code, debits_must_not_exceed_credits, \
             credits_must_not_exceed_debits, 0, 0, 0, 0, CAST($2 AS BIGINT) FROM new WHERE true \
             ON CONFLICT (project, id) DO NOTHING RETURNING id"
        ));
        query = query.bind(now);
        for account in group.filled() {
            query = query
                .bind(&account.id)
                .bind(&account.currency_code)
                .bind(account.code)
                .bind(account.debits_must_not_exceed_credits)
                .bind(account.credits_must_not_exceed_debits);
        }
        for row in query.fetch_all().await? {
            made.insert(row.get("id")?);
        }
    }
    Ok(made)
}

//! The part of a book that a batch touches: loaded under the book's lock, and written back.
//!
//! One transaction holds the books of several projects, so its statements name their project instead
//! of taking it from a caller.

use std::collections::{BTreeSet, HashMap};

use ::store::{Error, Reader, Row, Tx};
use mesh::clock::micros;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::{Account, Transfer};

use super::accounts;
use super::rows::{self, TRANSFER};
use crate::account::{self, Balance, Side};
use crate::book::{Book, Changes, Hold};
use crate::bulk::{LOOKED_UP, WRITTEN, groups};

/// How many holds that are over a batch gives back besides those that it names; the sweep takes the rest.
const MOST_OVER: i64 = 1000;

/// Locks the book of a project until the transaction ends, and loads what transfers may touch.
pub(crate) async fn load(
    tx: &mut Tx,
    project: &str,
    batch: &[&Transfer],
    now: i64,
) -> Result<Book, Error> {
    let last_time = reserve(tx, project, batch.len(), now).await?;
    let mut book = Book::new(now, last_time);
    let ids: BTreeSet<_> = batch.iter().map(|transfer| transfer.id.as_str()).collect();
    for id in refused(tx, project, &sorted(ids.iter().copied())).await? {
        book.add_refused(id);
    }
    let over = holds_over(tx, project, now).await?;
    let pending = batch.iter().map(|transfer| transfer.pending_id.as_str());
    let named = sorted(pending.chain(ids).chain(over.iter().map(String::as_str)));
    let transfers = transfers(tx, project, &named).await?;
    let mut holds = holds(tx, project, &transfers).await?;
    for transfer in transfers {
        let hold = holds.remove(&transfer.id);
        book.add_transfer(transfer, hold);
    }
    let moved = batch.iter().flat_map(|transfer| {
        [transfer.debit_account_id.as_str(), transfer.credit_account_id.as_str()]
    });
    let wanted: Vec<_> =
        sorted(moved.chain(book.holding_account_ids())).into_iter().map(str::to_owned).collect();
    let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
    for row in look_up(tx, project, &accounts::by_id(), &wanted).await? {
        let account = rows::account(&row)?;
        book.add_account(account.id.clone(), of_row(&account));
    }
    Ok(book)
}

/// Writes what has changed in the book of a project.
pub(crate) async fn write(
    tx: &mut Tx,
    project: &str,
    changes: &Changes<'_>,
    now: i64,
) -> Result<(), Error> {
    insert_transfers(tx, project, &changes.transfers).await?;
    write_holds(tx, project, &changes.holds).await?;
    insert_refused(tx, project, changes, now).await?;
    update_balances(tx, project, &changes.balances).await
}

/// The projects in whose books something is held beyond its time.
pub(crate) async fn projects_with_holds_over(
    reader: &Reader,
    now: i64,
) -> Result<Vec<String>, Error> {
    let rows = reader
        .unscoped(
            "SELECT DISTINCT project FROM holds WHERE state = 'PENDING' AND expire_time <= $1 \
             ORDER BY project",
        )
        .bind(now)
        .fetch_all()
        .await?;
    rows.iter().map(|row| row.get("project")).collect()
}

/// Takes the lock of the book, with the next times; answers the last time that was given before.
async fn reserve(tx: &mut Tx, project: &str, count: usize, now: i64) -> Result<i64, Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let row = tx
        .unscoped(
            "INSERT INTO books (project, time) VALUES ($1, CAST($2 AS BIGINT) + CAST($3 AS BIGINT)) \
             ON CONFLICT (project) DO UPDATE SET time = CAST($3 AS BIGINT) + \
             CASE WHEN books.time < CAST($2 AS BIGINT) THEN CAST($2 AS BIGINT) ELSE books.time END \
             RETURNING time",
        )
        .bind(project)
        .bind(now)
        .bind(count)
        .fetch_one()
        .await?;
    Ok(row.get::<i64>("time")?.saturating_sub(count))
}

async fn holds_over(tx: &mut Tx, project: &str, now: i64) -> Result<Vec<String>, Error> {
    let rows = tx
        .unscoped(format!(
            "SELECT id FROM holds WHERE project = $1 AND state = 'PENDING' AND expire_time <= $2 \
             ORDER BY expire_time LIMIT {MOST_OVER}"
        ))
        .bind(project)
        .bind(now)
        .fetch_all()
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

async fn transfers(tx: &mut Tx, project: &str, ids: &[&str]) -> Result<Vec<Transfer>, Error> {
    let by_id = format!("SELECT {TRANSFER} FROM transfers t WHERE t.project = $1 AND t.id = ");
    look_up(tx, project, &by_id, ids).await?.iter().map(rows::transfer).collect()
}

/// What the pending ones of these transfers hold.
async fn holds(
    tx: &mut Tx,
    project: &str,
    transfers: &[Transfer],
) -> Result<HashMap<String, Hold>, Error> {
    let pending = transfers.iter().filter(|transfer| transfer.kind() == Kind::Pending);
    let ids: Vec<_> = pending.map(|transfer| transfer.id.as_str()).collect();
    let by_id = "SELECT id, state, expire_time FROM holds WHERE project = $1 AND id = ";
    let rows = look_up(tx, project, by_id, &ids).await?;
    rows.iter().map(|row| Ok((row.get("id")?, rows::hold(row)?))).collect()
}

async fn refused(tx: &mut Tx, project: &str, ids: &[&str]) -> Result<Vec<String>, Error> {
    let by_id = "SELECT id FROM refused_transfers WHERE project = $1 AND id = ";
    look_up(tx, project, by_id, ids).await?.iter().map(|row| row.get("id")).collect()
}

/// The rows with these ids, as often as they are asked for or oftener.
async fn look_up(tx: &mut Tx, project: &str, by_id: &str, ids: &[&str]) -> Result<Vec<Row>, Error> {
    let mut found = Vec::new();
    for group in groups(ids, LOOKED_UP) {
        let query = tx.unscoped(group.lookups(by_id, 2)).bind(project);
        found.extend(query.bind_all(group.filled().copied()).fetch_all().await?);
    }
    Ok(found)
}

async fn insert_transfers(
    tx: &mut Tx,
    project: &str,
    transfers: &[&Transfer],
) -> Result<(), Error> {
    for group in groups(transfers, WRITTEN) {
        let values = group.values(2, 12);
        let mut query = tx.unscoped(format!(
            "WITH new (id, time, kind, debit_account_id, credit_account_id, amount, currency_code, \
             pending_id, timeout_seconds, code, reference, linked) AS (VALUES {values}) \
             INSERT INTO transfers (project, id, time, kind, debit_account_id, credit_account_id, \
             amount, currency_code, pending_id, timeout_seconds, code, reference, linked) \
             SELECT $1, id, time, kind, debit_account_id, credit_account_id, amount, currency_code, \
             pending_id, timeout_seconds, code, reference, linked FROM new WHERE true \
             ON CONFLICT (project, id) DO NOTHING"
        ));
        query = query.bind(project);
        for transfer in group.filled() {
            query = query
                .bind(&transfer.id)
                .bind(transfer.time.as_ref().map(micros).unwrap_or_default())
                .bind(rows::kind_name(transfer))
                .bind(&transfer.debit_account_id)
                .bind(&transfer.credit_account_id)
                .bind(transfer.amount)
                .bind(&transfer.currency_code)
                .bind(&transfer.pending_id)
                .bind(transfer.timeout_seconds)
                .bind(transfer.code)
                .bind(&transfer.reference)
                .bind(transfer.linked);
        }
        refuse_others(query.execute().await?, group.len())?;
    }
    Ok(())
}

/// Writes new holds, and the ends of those that were pending.
async fn write_holds(tx: &mut Tx, project: &str, holds: &[(&str, Hold)]) -> Result<(), Error> {
    for group in groups(holds, WRITTEN) {
        let values = group.values(2, 3);
        // DISTINCT, since a row that fills the group would be updated twice.
        let mut query = tx.unscoped(format!(
            "WITH written (id, state, expire_time) AS (VALUES {values}) \
             INSERT INTO holds (project, id, state, expire_time) \
             SELECT DISTINCT $1, id, state, expire_time FROM written WHERE true \
             ON CONFLICT (project, id) DO UPDATE SET state = excluded.state \
             WHERE holds.state = 'PENDING'"
        ));
        query = query.bind(project);
        for (id, hold) in group.filled() {
            query = query.bind(*id).bind(rows::state_name(hold.state)).bind(hold.expire_time);
        }
        refuse_others(query.execute().await?, group.len())?;
    }
    Ok(())
}

async fn insert_refused(
    tx: &mut Tx,
    project: &str,
    changes: &Changes<'_>,
    now: i64,
) -> Result<(), Error> {
    for group in groups(&changes.refused, WRITTEN) {
        let values = group.values(3, 2);
        let mut query = tx.unscoped(format!(
            "WITH new (id, code) AS (VALUES {values}) \
             INSERT INTO refused_transfers (project, id, code, create_time) \
             SELECT $1, id, code, CAST($2 AS BIGINT) FROM new WHERE true \
             ON CONFLICT (project, id) DO NOTHING"
        ));
        query = query.bind(project).bind(now);
        for (id, code) in group.filled() {
            query = query.bind(*id).bind(rows::code_name(*code));
        }
        refuse_others(query.execute().await?, group.len())?;
    }
    Ok(())
}

async fn update_balances(
    tx: &mut Tx,
    project: &str,
    balances: &[(&str, Balance)],
) -> Result<(), Error> {
    for group in groups(balances, WRITTEN) {
        let values = group.values(2, 5);
        let mut query = tx.unscoped(format!(
            "WITH moved (id, debits_pending, debits_posted, credits_pending, credits_posted) \
             AS (VALUES {values}) \
             UPDATE accounts SET debits_pending = moved.debits_pending, \
             debits_posted = moved.debits_posted, credits_pending = moved.credits_pending, \
             credits_posted = moved.credits_posted \
             FROM moved WHERE accounts.project = $1 AND accounts.id = moved.id"
        ));
        query = query.bind(project);
        for (id, Balance { debits, credits }) in group.filled() {
            query = query
                .bind(*id)
                .bind(debits.pending)
                .bind(debits.posted)
                .bind(credits.pending)
                .bind(credits.posted);
        }
        refuse_others(query.execute().await?, group.len())?;
    }
    Ok(())
}

/// Ends the transaction when a row was not as it was loaded, which only a writer without the lock can cause.
fn refuse_others(changed: u64, expected: usize) -> Result<(), Error> {
    if usize::try_from(changed) == Ok(expected) { Ok(()) } else { Err(Error::Ended) }
}

/// Each id once, in order; without the empty one.
fn sorted<'i>(ids: impl Iterator<Item = &'i str>) -> Vec<&'i str> {
    ids.filter(|id| !id.is_empty()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn of_row(row: &Account) -> account::Account {
    account::Account {
        currency_code: row.currency_code.clone(),
        debits_must_not_exceed_credits: row.debits_must_not_exceed_credits,
        credits_must_not_exceed_debits: row.credits_must_not_exceed_debits,
        balance: Balance {
            debits: Side { pending: row.debits_pending, posted: row.debits_posted },
            credits: Side { pending: row.credits_pending, posted: row.credits_posted },
        },
    }
}

//! Transfers as a program makes them that has no ledger: plain SQL through sqlx, a transaction each.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Executor, Row as _};
use store_testing::{Engine, TestDatabase};

use crate::load::Caller;

/// As many as a process of the mesh has.
pub(crate) const CONNECTIONS: u32 = 24;
/// What each transfer moves, in minor units.
pub(crate) const AMOUNT: i64 = 100;
/// What a wallet begins with: more than any measurement moves.
pub(crate) const FUNDS: i64 = 1_000_000_000_000;
pub(crate) const CURRENCY: &str = "EUR";

/// What the ledger keeps of accounts and transfers, and entries for what it finds by indexes of accounts.
const TABLES: &str = "
    CREATE TABLE accounts (
        id TEXT NOT NULL PRIMARY KEY,
        currency_code TEXT NOT NULL,
        debits_must_not_exceed_credits BOOLEAN NOT NULL,
        debits_posted BIGINT NOT NULL CHECK (debits_posted BETWEEN 0 AND 1000000000000000000),
        credits_posted BIGINT NOT NULL CHECK (credits_posted BETWEEN 0 AND 1000000000000000000)
    );
    CREATE TABLE transfers (
        id TEXT NOT NULL PRIMARY KEY,
        time TIMESTAMPTZ NOT NULL,
        debit_account_id TEXT NOT NULL,
        credit_account_id TEXT NOT NULL,
        amount BIGINT NOT NULL CHECK (amount BETWEEN 1 AND 1000000000000000),
        currency_code TEXT NOT NULL,
        CHECK (debit_account_id <> credit_account_id)
    );
    CREATE TABLE entries (
        transfer_id TEXT NOT NULL,
        account_id TEXT NOT NULL,
        debit BIGINT NOT NULL,
        credit BIGINT NOT NULL
    );
    CREATE INDEX entries_by_account ON entries (account_id, transfer_id);";

/// A transfer of [`AMOUNT`], the same on both sides.
#[derive(Debug, Clone)]
pub(crate) struct Movement {
    pub(crate) id: String,
    pub(crate) debit: String,
    pub(crate) credit: String,
}

/// Tables of their own, in a database of their own on the same server.
pub(crate) struct Plain {
    pool: PgPool,
    _database: TestDatabase,
}

impl Plain {
    /// Accounts with these ids; those that may not owe have funds.
    pub(crate) async fn open(wallets: &[String], others: &[&str]) -> Result<Self> {
        let database = store_testing::database(Engine::Postgres).await;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS);
        let pool = pool.connect(&database.location()).await?;
        pool.execute(sqlx::raw_sql(TABLES)).await?;
        let others: Vec<_> = others.iter().map(|id| (*id).to_owned()).collect();
        for (ids, may_not_owe, funds) in [(wallets, true, FUNDS), (&others, false, 0)] {
            let accounts = sqlx::query(
                "INSERT INTO accounts SELECT id, $2, $3, 0, $4 FROM UNNEST($1::TEXT[]) AS id",
            );
            let accounts = accounts.bind(ids).bind(CURRENCY).bind(may_not_owe).bind(funds);
            accounts.execute(&pool).await?;
        }
        Ok(Self { pool, _database: database })
    }

    /// Makes one transfer after the other.
    pub(crate) fn transferring(
        &self,
        next: impl Fn() -> Movement + Send + Sync + 'static,
    ) -> Caller {
        let (pool, next) = (self.pool.clone(), Arc::new(next));
        Box::new(move || {
            let (pool, movement) = (pool.clone(), next());
            async move { transfer(&pool, &movement).await }.boxed()
        })
    }

    /// Makes sure that so many transfers were made, and that accounts and entries are their sums.
    pub(crate) async fn check(&self, made: i64) -> Result<()> {
        let sums = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM transfers) AS transfers, \
             (SELECT CAST(SUM(debits_posted) AS BIGINT) FROM accounts) AS debited, \
             (SELECT CAST(SUM(credit) AS BIGINT) FROM entries) AS credited",
        );
        let sums = sums.fetch_one(&self.pool).await?;
        let (transfers, debited, credited) = (
            sums.try_get::<i64, _>("transfers")?,
            sums.try_get::<Option<i64>, _>("debited")?.unwrap_or_default(),
            sums.try_get::<Option<i64>, _>("credited")?.unwrap_or_default(),
        );
        let moved = made * AMOUNT;
        ensure!(
            transfers == made && debited == moved && credited == moved,
            "{made} transfers were made, and plain SQL has {transfers}, {debited} debited, {credited} credited"
        );
        Ok(())
    }
}

/// Six round trips: both accounts are locked in the order of their ids, so that two transfers never wait for
/// each other.
async fn transfer(pool: &PgPool, movement: &Movement) -> Result<()> {
    let Movement { id, debit, credit } = movement;
    let mut tx = pool.begin().await?;
    let accounts = sqlx::query(
        "SELECT id, currency_code, debits_must_not_exceed_credits AS is_wallet, debits_posted, credits_posted \
         FROM accounts WHERE id IN ($1, $2) ORDER BY id FOR UPDATE",
    );
    let accounts = accounts.bind(debit).bind(credit).fetch_all(&mut *tx).await?;
    ensure!(accounts.len() == 2, "one of {debit} and {credit} is no account");
    for account in &accounts {
        let currency: &str = account.try_get("currency_code")?;
        ensure!(currency == CURRENCY, "an account is of another currency");
    }
    let from = accounts.iter().find(|row| row.try_get::<&str, _>("id").ok() == Some(debit));
    let from = from.context("the account is another one")?;
    let left =
        from.try_get::<i64, _>("credits_posted")? - from.try_get::<i64, _>("debits_posted")?;
    ensure!(!from.try_get::<bool, _>("is_wallet")? || left >= AMOUNT, "{debit} has only {left}");
    let transfer = "INSERT INTO transfers VALUES ($1, clock_timestamp(), $2, $3, $4, $5)";
    let transfer = sqlx::query(transfer).bind(id).bind(debit).bind(credit).bind(AMOUNT);
    transfer.bind(CURRENCY).execute(&mut *tx).await?;
    let entries = "INSERT INTO entries VALUES ($1, $2, $4, 0), ($1, $3, 0, $4)";
    let entries = sqlx::query(entries).bind(id).bind(debit).bind(credit).bind(AMOUNT);
    entries.execute(&mut *tx).await?;
    let balances = "UPDATE accounts SET \
         debits_posted = debits_posted + CASE id WHEN $1 THEN $3 ELSE 0 END, \
         credits_posted = credits_posted + CASE id WHEN $2 THEN $3 ELSE 0 END \
         WHERE id IN ($1, $2)";
    let balances = sqlx::query(balances).bind(debit).bind(credit).bind(AMOUNT);
    let changed = balances.execute(&mut *tx).await?.rows_affected();
    ensure!(changed == 2, "{changed} balances were changed");
    Ok(tx.commit().await?)
}

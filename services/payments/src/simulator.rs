//! A provider that takes no money: every outcome has its token, so that everything runs offline.
//!
//! It stands for another company. What it was asked it keeps in tables and transactions of its own,
//! and it answers a repeated key with what came of the first.
//!
//! | token | what comes of it |
//! |---|---|
//! | `sim_ok` | taken |
//! | `sim_slow` | taken, after two seconds |
//! | `sim_declined` | declined, `card_declined` |
//! | `sim_insufficient_funds` | declined, `insufficient_funds` |
//! | `sim_requires_action` | taken or declined, once the customer has agreed or not |
//! | `sim_unknown` | taken, but the answer is lost; it is told when asked for the second time |
//! | `sim_unknown_declined` | declined, but the answer is lost in the same way |
//! | `sim_` and anything else | declined, `invalid_payment_method` |
//!
//! A token that is not its own it leaves to the other providers.

use std::time::Duration;

use mesh::{Context, async_trait};
use store::{Error, Row, Store, Tx};
use tradewind::money::v1::Money;

use crate::audit::theirs;
use crate::provider::{Charge, Outcome, Provider, Record, Records, Repaid, Repayment};

/// How long `sim_slow` takes.
const SLOW: Duration = Duration::from_secs(2);

/// The simulated provider.
pub struct Simulator {
    store: Store,
}

impl Simulator {
    /// The simulator that keeps what it was asked in the tables of payments.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

/// What a token stands for.
struct Script {
    state: &'static str,
    decline_code: &'static str,
    /// How many questions go unanswered afterwards.
    silences: i64,
}

impl Script {
    fn of(payment_method: &str) -> Self {
        let (state, decline_code, silences) = match payment_method {
            "sim_ok" | "sim_slow" => ("TAKEN", "", 0),
            "sim_declined" => ("DECLINED", "card_declined", 0),
            "sim_insufficient_funds" => ("DECLINED", "insufficient_funds", 0),
            "sim_requires_action" => ("ACTION_REQUIRED", "", 0),
            "sim_unknown" => ("TAKEN", "", 1),
            "sim_unknown_declined" => ("DECLINED", "card_declined", 1),
            _ => ("DECLINED", "invalid_payment_method", 0),
        };
        Self { state, decline_code, silences }
    }
}

#[async_trait]
impl Provider for Simulator {
    fn name(&self) -> &'static str {
        "simulator"
    }

    fn accepts(&self, payment_method: &str) -> bool {
        payment_method.starts_with("sim_")
    }

    async fn take(&self, context: &Context, charge: &Charge) -> Outcome {
        if charge.payment_method == "sim_slow" {
            tokio::time::sleep(SLOW).await;
        }
        let Ok(tx) = self.store.begin_for(context).await else { return Outcome::NotAttempted };
        // From here on it may have happened.
        answer(self.keep_charge(tx, charge).await)
    }

    async fn look_up(&self, context: &Context, attempt_id: &str) -> Outcome {
        let Ok(tx) = self.store.begin_for(context).await else { return Outcome::Unknown };
        answer(asked(tx, attempt_id).await)
    }

    async fn void(&self, context: &Context, attempt_id: &str) -> Outcome {
        let Ok(tx) = self.store.begin_for(context).await else { return Outcome::Unknown };
        answer(self.voided(tx, attempt_id).await)
    }

    async fn refund(&self, context: &Context, repayment: &Repayment) -> Repaid {
        let Ok(tx) = self.store.begin_for(context).await else { return Repaid::NotAttempted };
        repaid(self.keep_refund(tx, repayment).await)
    }

    async fn look_up_refund(&self, context: &Context, refund_id: &str) -> Repaid {
        let Ok(mut tx) = self.store.begin_for(context).await else { return Repaid::Unknown };
        repaid(refund(&mut tx, refund_id).await)
    }

    async fn records(&self, context: &Context, after: &str, most: u32) -> Records {
        match self.on_record(context, after, most).await {
            Ok(records) => Records::Are(records),
            Err(error) => lost(&error, Records::Lost),
        }
    }

    async fn complete_action(
        &self,
        context: &Context,
        attempt_id: &str,
        approve: bool,
    ) -> Option<Outcome> {
        let Ok(tx) = self.store.begin_for(context).await else { return Some(Outcome::Unknown) };
        Some(answer(completed(tx, attempt_id, approve).await))
    }
}

impl Simulator {
    async fn keep_charge(&self, mut tx: Tx, charge: &Charge) -> Result<Option<Kept>, Error> {
        let Script { state, decline_code, silences } = Script::of(&charge.payment_method);
        let action_url = if state == "ACTION_REQUIRED" {
            format!("/v1/payments/{}:completeAction", charge.intent_id)
        } else {
            String::new()
        };
        tx.query(
            "INSERT INTO simulator_charges (project, id, reference, amount_minor, amount_currency, \
             state, decline_code, action_url, silences, create_time) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (project, id) DO NOTHING",
        )
        .bind(&charge.attempt_id)
        .bind(self.store.ids().next("simch"))
        .bind(charge.amount.minor)
        .bind(&charge.amount.currency_code)
        .bind(state)
        .bind(decline_code)
        .bind(action_url)
        .bind(silences)
        .bind(self.store.clock().now_micros())
        .execute()
        .await?;
        let kept = find(&mut tx, &charge.attempt_id).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// A key that was never used is voided too: what is still under way to here comes too late.
    async fn voided(&self, mut tx: Tx, attempt_id: &str) -> Result<Option<Kept>, Error> {
        tx.query(
            "INSERT INTO simulator_charges (project, id, reference, amount_minor, amount_currency, \
             state, decline_code, action_url, silences, create_time) \
             VALUES ($1, $2, $3, 0, '', 'VOIDED', '', '', 0, $4) \
             ON CONFLICT (project, id) DO UPDATE SET state = 'VOIDED' \
             WHERE simulator_charges.state = 'ACTION_REQUIRED'",
        )
        .bind(attempt_id)
        .bind(self.store.ids().next("simch"))
        .bind(self.store.clock().now_micros())
        .execute()
        .await?;
        let kept = find(&mut tx, attempt_id).await?;
        tx.commit().await?;
        Ok(kept)
    }

    async fn keep_refund(&self, mut tx: Tx, wanted: &Repayment) -> Result<Option<Row>, Error> {
        // The charge is held, so that two refunds do not both find it whole.
        let charge = find(&mut tx, &wanted.attempt_id).await?;
        if let Some(known) = refund(&mut tx, &wanted.refund_id).await? {
            return Ok(Some(known));
        }
        let left = match &charge {
            Some(charge) if charge.state == "TAKEN" => {
                charge.amount.minor - given_back(&mut tx, &wanted.attempt_id).await?
            }
            Some(_) | None => 0,
        };
        let decline_code = match &charge {
            None => "no_such_charge",
            Some(charge) if charge.amount.currency_code != wanted.amount.currency_code => {
                "wrong_currency"
            }
            Some(_) if wanted.amount.minor > left => "more_than_taken",
            Some(_) => "",
        };
        let state = if decline_code.is_empty() { "DONE" } else { "DECLINED" };
        tx.query(
            "INSERT INTO simulator_refunds (project, id, charge_id, reference, amount_minor, \
             amount_currency, state, decline_code, create_time) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&wanted.refund_id)
        .bind(&wanted.attempt_id)
        .bind(self.store.ids().next("simre"))
        .bind(wanted.amount.minor)
        .bind(&wanted.amount.currency_code)
        .bind(state)
        .bind(decline_code)
        .bind(self.store.clock().now_micros())
        .execute()
        .await?;
        let kept = refund(&mut tx, &wanted.refund_id).await?;
        tx.commit().await?;
        Ok(kept)
    }
}

impl Simulator {
    async fn on_record(
        &self,
        context: &Context,
        after: &str,
        most: u32,
    ) -> Result<Vec<Record>, Error> {
        let sql = "SELECT * FROM (\
               SELECT * FROM (SELECT id, 0 AS is_refund, state, amount_minor, amount_currency \
                 FROM simulator_charges WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3) AS charges \
               UNION ALL \
               SELECT * FROM (SELECT id, 1 AS is_refund, state, amount_minor, amount_currency \
                 FROM simulator_refunds WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3) AS given\
             ) AS everything ORDER BY id LIMIT $3";
        let rows = self.store.read(context).query(sql).bind(after).bind(most).fetch_all().await?;
        rows.iter()
            .map(|row| {
                Ok(Record {
                    key: row.get("id")?,
                    is_refund: row.get("is_refund")?,
                    theirs: theirs(&row.get::<String>("state")?),
                    amount: amount(row)?,
                })
            })
            .collect()
    }
}

/// A charge as it is kept.
struct Kept {
    reference: String,
    amount: Money,
    state: String,
    decline_code: String,
    action_url: String,
    silences: i64,
}

/// The charge with a key, held until the transaction ends.
async fn find(tx: &mut Tx, attempt_id: &str) -> Result<Option<Kept>, Error> {
    let lock = tx.row_lock();
    let sql = "SELECT reference, amount_minor, amount_currency, state, decline_code, action_url, \
               silences FROM simulator_charges WHERE project = $1 AND id = $2";
    let row = tx.query(format!("{sql}{lock}")).bind(attempt_id).fetch_optional().await?;
    row.map(|row| {
        Ok(Kept {
            reference: row.get("reference")?,
            amount: amount(&row)?,
            state: row.get("state")?,
            decline_code: row.get("decline_code")?,
            action_url: row.get("action_url")?,
            silences: row.get("silences")?,
        })
    })
    .transpose()
}

/// The charge with a key, with one silence fewer; those that are over tell what they know.
async fn asked(mut tx: Tx, attempt_id: &str) -> Result<Option<Kept>, Error> {
    let kept = find(&mut tx, attempt_id).await?;
    if kept.as_ref().is_some_and(|kept| kept.silences > 0) {
        tx.query(
            "UPDATE simulator_charges SET silences = silences - 1 WHERE project = $1 AND id = $2",
        )
        .bind(attempt_id)
        .execute()
        .await?;
        tx.commit().await?;
    }
    Ok(kept)
}

async fn completed(mut tx: Tx, attempt_id: &str, approve: bool) -> Result<Option<Kept>, Error> {
    let (state, decline_code) =
        if approve { ("TAKEN", "") } else { ("DECLINED", "authentication_failed") };
    tx.query(
        "UPDATE simulator_charges SET state = $3, decline_code = $4 \
         WHERE project = $1 AND id = $2 AND state = 'ACTION_REQUIRED'",
    )
    .bind(attempt_id)
    .bind(state)
    .bind(decline_code)
    .execute()
    .await?;
    let kept = find(&mut tx, attempt_id).await?;
    tx.commit().await?;
    Ok(kept)
}

async fn refund(tx: &mut Tx, refund_id: &str) -> Result<Option<Row>, Error> {
    tx.query(
        "SELECT reference, amount_minor, amount_currency, state, decline_code \
         FROM simulator_refunds WHERE project = $1 AND id = $2",
    )
    .bind(refund_id)
    .fetch_optional()
    .await
}

/// What of a charge was given back, in minor units.
async fn given_back(tx: &mut Tx, attempt_id: &str) -> Result<i64, Error> {
    let row = tx
        .query(
            "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS given FROM simulator_refunds \
             WHERE project = $1 AND charge_id = $2 AND state = 'DONE'",
        )
        .bind(attempt_id)
        .fetch_one()
        .await?;
    row.get("given")
}

fn answer(kept: Result<Option<Kept>, Error>) -> Outcome {
    let kept = match kept {
        Ok(Some(kept)) => kept,
        Ok(None) => return Outcome::NotAttempted,
        Err(error) => return lost(&error, Outcome::Unknown),
    };
    if kept.silences > 0 {
        return Outcome::Unknown;
    }
    let Kept { reference, amount, state, decline_code, action_url, .. } = kept;
    match state.as_str() {
        "TAKEN" => Outcome::Success { reference, amount },
        "ACTION_REQUIRED" => Outcome::Pending { reference, amount, action_url },
        "VOIDED" => Outcome::Voided,
        _ => Outcome::Declined { code: decline_code },
    }
}

fn repaid(kept: Result<Option<Row>, Error>) -> Repaid {
    let read = |row: &Row| {
        let code: String = row.get("decline_code")?;
        Ok(if row.get::<String>("state")? == "DONE" {
            Repaid::Success { reference: row.get("reference")?, amount: amount(row)? }
        } else {
            Repaid::Declined { code }
        })
    };
    match kept {
        Ok(Some(row)) => read(&row).unwrap_or_else(|error| lost(&error, Repaid::Unknown)),
        Ok(None) => Repaid::NotAttempted,
        Err(error) => lost(&error, Repaid::Unknown),
    }
}

fn amount(row: &Row) -> Result<Money, Error> {
    Ok(Money::new(row.get("amount_minor")?, row.get::<String>("amount_currency")?))
}

/// An answer that its caller never gets.
fn lost<T>(error: &Error, unknown: T) -> T {
    tracing::warn!(%error, "the simulator's answer is lost");
    unknown
}

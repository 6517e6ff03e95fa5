//! Bringing the ledger to what is known here: held amounts are posted or voided, until they are.

use mesh::Context;
use store::{Claim, Tx};
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::refund::State;
use tradewind::payments::v1::{PaymentAttempt, PaymentIntent, Refund};

use crate::error::Error;
use crate::ledger::{Ending, Movement};
use crate::rpc::Payments;
use crate::store as sql;
use crate::tasks::{Settle, SettleRefund};

/// The points of the process, each before the step that it names.
pub(crate) const PROCESS: &str = "settle";
pub(crate) const STEPS: [&str; 3] = ["end_movement", "record", "end"];

impl Payments {
    /// Posts or voids what the ledger holds for an attempt.
    pub(crate) async fn do_settle(
        &self,
        context: &Context,
        task: &Settle,
        claim: &Claim,
    ) -> Result<(), Error> {
        let [_, _, end] = STEPS;
        let reader = self.store.read(context);
        let attempt: PaymentAttempt = reader.get(&task.attempt_id).await?;
        let intent: PaymentIntent = reader.get(&attempt.intent_id).await?;
        let Some(ending) = ending(attempt.outcome()) else { return Ok(()) };
        let movement = Movement::payment(&intent.order_id, &attempt);
        if !self.end_movement(context, &movement, ending).await? {
            let mut tx = self.store.begin_for(context).await?;
            tx.finish(claim).await?;
            let tries = task.tries.saturating_add(1);
            self.again(&mut tx, Settle { attempt_id: attempt.id, tries }, task.tries)?;
            return Ok(tx.commit().await?);
        }
        let mut tx = self.store.begin_for(context).await?;
        let intent = sql::intent(&mut tx, &intent.id).await?;
        let attempt: PaymentAttempt = tx.get(&attempt.id).await?;
        tx.update(&PaymentAttempt { settled: true, ..attempt }).await?;
        settle_intent(&mut tx, intent).await?;
        tx.finish(claim).await?;
        tx.commit().await?;
        self.faults.pass(PROCESS, end).await;
        Ok(())
    }

    /// Posts or voids what the ledger holds for a refund.
    pub(crate) async fn do_settle_refund(
        &self,
        context: &Context,
        task: &SettleRefund,
        claim: &Claim,
    ) -> Result<(), Error> {
        let [_, _, end] = STEPS;
        let reader = self.store.read(context);
        let refund: Refund = reader.get(&task.refund_id).await?;
        let intent: PaymentIntent = reader.get(&refund.intent_id).await?;
        let attempt: PaymentAttempt = reader.get(&intent.attempt_id).await?;
        let ending = match refund.state() {
            State::Succeeded => Ending::Post,
            State::Failed => Ending::Void,
            State::Pending | State::Unspecified => return Ok(()),
        };
        let movement = Movement::refund(&intent.order_id, &attempt.provider, &refund);
        if !self.end_movement(context, &movement, ending).await? {
            let mut tx = self.store.begin_for(context).await?;
            tx.finish(claim).await?;
            let tries = task.tries.saturating_add(1);
            self.again(&mut tx, SettleRefund { refund_id: refund.id, tries }, task.tries)?;
            return Ok(tx.commit().await?);
        }
        let mut tx = self.store.begin_for(context).await?;
        let intent = sql::intent(&mut tx, &intent.id).await?;
        let refund: Refund = tx.get(&refund.id).await?;
        tx.update(&Refund { settled: true, ..refund }).await?;
        settle_intent(&mut tx, intent).await?;
        tx.finish(claim).await?;
        tx.commit().await?;
        self.faults.pass(PROCESS, end).await;
        Ok(())
    }

    /// Ends a movement; false where the ledger was not reached.
    async fn end_movement(
        &self,
        context: &Context,
        movement: &Movement,
        ending: Ending,
    ) -> Result<bool, Error> {
        let [end_movement, record, _] = STEPS;
        self.faults.pass(PROCESS, end_movement).await;
        let ended = self.ledger.end(context, movement, ending).await;
        self.faults.pass(PROCESS, record).await;
        match ended {
            Ok(()) => Ok(true),
            Err(Error::LedgerUnreachable(status)) => {
                tracing::warn!(?movement, "the ledger lags behind: {}", status.message());
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// How the movement of an attempt ends; `None` while it stays held.
fn ending(outcome: Outcome) -> Option<Ending> {
    match outcome {
        Outcome::Success => Some(Ending::Post),
        Outcome::Declined | Outcome::NotAttempted | Outcome::Voided => Some(Ending::Void),
        Outcome::Unspecified | Outcome::Started | Outcome::Pending | Outcome::Unknown => None,
    }
}

/// Says of an intent whether the ledger holds everything that it says.
async fn settle_intent(tx: &mut Tx, intent: PaymentIntent) -> Result<(), Error> {
    let settled = sql::is_settled(tx, &intent.id).await?;
    tx.update(&PaymentIntent { settled, ..intent }).await?;
    Ok(())
}

//! What a provider said, kept: outcome, intent, event and the next task in one transaction.

use mesh::Context;
use store::{Claim, Tx};
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::payment_intent::State;
use tradewind::payments::v1::{PaymentAttempt, PaymentChanged, PaymentIntent};

use crate::attempt::{self, Verdict};
use crate::error::Error;
use crate::intent::{self, Step};
use crate::provider::Outcome as Answer;
use crate::rpc::Payments;
use crate::store::{self as sql, Anomaly};
use crate::tasks::{Resolve, Settle};

/// How often a provider is asked before a person must: with an hour between the later questions, two days.
const MOST_RESOLUTIONS: i32 = 60;

/// What an attempt that was given up leaves its intent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Whatever the customer does.
    Rest,
    /// Another attempt, at once.
    Attempt,
    /// Nothing: the intent is given up too.
    Cancel,
}

/// An answer of a provider, with who asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) answer: &'a Answer,
    /// The right to resolve the attempt, where it is held.
    pub(crate) claim: Option<&'a Claim>,
    pub(crate) next: Next,
}

impl<'a> Told<'a> {
    /// An answer to a question that was asked for its own sake.
    pub(crate) fn new(answer: &'a Answer, claim: Option<&'a Claim>) -> Self {
        Self { answer, claim, next: Next::Rest }
    }
}

impl Payments {
    /// Keeps what was told of an attempt; answers its intent.
    pub(crate) async fn record(
        &self,
        context: &Context,
        attempt: &PaymentAttempt,
        told: Told<'_>,
    ) -> Result<PaymentIntent, Error> {
        match self.try_record(context, attempt, told).await {
            // Another has taken the task since; what both know is the same, and kept once.
            Err(Error::Store(store::Error::LeaseLost(_))) => {
                self.try_record(context, attempt, Told { claim: None, ..told }).await
            }
            recorded => recorded,
        }
    }

    async fn try_record(
        &self,
        context: &Context,
        attempt: &PaymentAttempt,
        told: Told<'_>,
    ) -> Result<PaymentIntent, Error> {
        let mut tx = self.store.begin_for(context).await?;
        let mut intent: PaymentIntent = tx.get(&attempt.intent_id).await?;
        let mut attempt: PaymentAttempt = tx.get(&attempt.id).await?;
        match attempt::answered(&attempt, told.answer) {
            Verdict::Becomes(changed) => {
                let before = attempt.outcome();
                attempt = tx.update(&*changed).await?;
                intent = change(&mut tx, intent, &attempt, before, told.next).await?;
            }
            Verdict::Known => {}
            Verdict::Contradicts(said) => {
                let known = attempt.outcome().as_str_name();
                let anomaly =
                    Anomaly { intent_id: &intent.id, subject_id: &attempt.id, known, said: &said };
                self.keep_anomaly(&mut tx, &anomaly).await?;
                intent = review(&mut tx, intent).await?;
            }
        }
        if let Some(claim) = told.claim {
            tx.finish(claim).await?;
            intent = self.ask_again(&mut tx, intent, &attempt).await?;
        }
        tx.commit().await?;
        Ok(intent)
    }

    /// Asks for an attempt again while nobody knows what came of it, and leaves it to a person at last.
    async fn ask_again(
        &self,
        tx: &mut Tx,
        intent: PaymentIntent,
        attempt: &PaymentAttempt,
    ) -> Result<PaymentIntent, Error> {
        if !attempt::is_open(attempt) || intent.state() != State::Processing {
            return Ok(intent);
        }
        if attempt.resolutions < MOST_RESOLUTIONS {
            let tries = attempt.resolutions.unsigned_abs();
            self.again(tx, Resolve::of(attempt), tries)?;
            return Ok(intent);
        }
        let said = format!("nothing, asked {} times", attempt.resolutions);
        let known = attempt.outcome().as_str_name();
        let anomaly =
            Anomaly { intent_id: &intent.id, subject_id: &attempt.id, known, said: &said };
        self.keep_anomaly(tx, &anomaly).await?;
        review(tx, intent).await
    }

    /// Keeps an answer that contradicts what is known, for a person to look at.
    pub(crate) async fn keep_anomaly(
        &self,
        tx: &mut Tx,
        anomaly: &Anomaly<'_>,
    ) -> Result<(), Error> {
        let Anomaly { intent_id, subject_id, known, said } = anomaly;
        tracing::error!(intent_id, subject_id, known, said, "a provider contradicts what is known");
        let (id, now) = (self.store.ids().next("ano"), self.store.clock().now_micros());
        Ok(sql::keep_anomaly(tx, id, now, anomaly).await?)
    }
}

/// Takes an intent to where the new outcome of its attempt leads.
async fn change(
    tx: &mut Tx,
    intent: PaymentIntent,
    attempt: &PaymentAttempt,
    before: Outcome,
    next: Next,
) -> Result<PaymentIntent, Error> {
    let mut intent = intent::answered(intent, attempt);
    let voided = attempt.outcome() == Outcome::Voided;
    if voided && next == Next::Cancel {
        intent = intent::after(intent, Step::Cancel);
    }
    let intent = tx.update(&intent).await?;
    match attempt.outcome() {
        Outcome::Success | Outcome::Declined | Outcome::NotAttempted | Outcome::Voided => {
            tx.start(Settle { attempt_id: attempt.id.clone(), tries: 0 })?;
        }
        // The task of its beginning has ended with the customer's step.
        Outcome::Unknown if before == Outcome::Pending => tx.start(Resolve::of(attempt))?,
        Outcome::Unspecified | Outcome::Started | Outcome::Pending | Outcome::Unknown => {}
    }
    // Whoever asked hears of these at once, and goes on.
    let goes_on = attempt.outcome() == Outcome::NotAttempted || (voided && next == Next::Attempt);
    if intent::rests(&intent) && !goes_on {
        tell(tx, &intent);
    }
    Ok(intent)
}

/// Leaves an intent to a person.
pub(crate) async fn review(tx: &mut Tx, intent: PaymentIntent) -> Result<PaymentIntent, Error> {
    let intent = tx.update(&intent::after(intent, Step::Contradict)).await?;
    tell(tx, &intent);
    Ok(intent)
}

/// Tells others what an intent is now.
pub(crate) fn tell(tx: &mut Tx, intent: &PaymentIntent) {
    tx.emit(&intent.order_id, PaymentChanged { intent: Some(intent.clone()) });
}

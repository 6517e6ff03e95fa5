//! Finding out what came of an attempt, by the key under which its provider was asked.

use std::time::Duration;

use mesh::Context;
use store::Claim;
use tokio::time::Instant;
use tradewind::payments::v1::payment_intent::State;
use tradewind::payments::v1::{PaymentAttempt, PaymentIntent};

use crate::attempt;
use crate::error::Error;
use crate::ledger::Movement;
use crate::provider::Outcome;
use crate::record::{Next, Told};
use crate::rpc::Payments;
use crate::tasks::Resolve;

/// How long a provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// What is kept of a call's time to note that a provider did not answer in time.
const MARGIN: Duration = Duration::from_secs(1);

impl Payments {
    /// Does the task that follows every attempt until its outcome is known.
    pub(crate) async fn do_resolve(
        &self,
        context: &Context,
        task: &Resolve,
        claim: &Claim,
    ) -> Result<(), Error> {
        let attempt = PaymentAttempt {
            id: task.attempt_id.clone(),
            intent_id: task.intent_id.clone(),
            ..PaymentAttempt::default()
        };
        self.resume(context, &attempt, Some(claim)).await.map(|_| ())
    }

    /// Goes on with an attempt wherever it was left. Its provider is asked what became of it, and to
    /// take the amount only if it never heard of the key; the same key never takes twice.
    pub(crate) async fn resume(
        &self,
        context: &Context,
        attempt: &PaymentAttempt,
        claim: Option<&Claim>,
    ) -> Result<PaymentIntent, Error> {
        let (intent, open) = self.set_out(context, attempt).await?;
        let Some(attempt) = open else { return Ok(intent) };
        let mut answer = self.look_up(context, &attempt).await?;
        if answer == Outcome::NotAttempted {
            let movement = Movement::payment(&intent.order_id, &attempt);
            answer = match self.ledger.hold(context, &movement).await {
                Ok(()) => self.take(context, &attempt).await?,
                // The task goes on later; whoever else asks is told.
                Err(Error::LedgerUnreachable(_)) if claim.is_some() => Outcome::Unknown,
                Err(error) => return Err(error),
            };
        }
        self.record(context, &attempt, Told::new(&answer, claim)).await
    }

    /// Asks what became of an attempt, and leaves it at that.
    pub(crate) async fn ask(
        &self,
        context: &Context,
        attempt: &PaymentAttempt,
    ) -> Result<(PaymentIntent, Outcome), Error> {
        let (intent, open) = self.set_out(context, attempt).await?;
        let Some(attempt) = open else { return Ok((intent, Outcome::Unknown)) };
        let answer = self.look_up(context, &attempt).await?;
        let intent = self.record(context, &attempt, Told::new(&answer, None)).await?;
        Ok((intent, answer))
    }

    /// Gives up an attempt at its provider, which says what it was until then.
    pub(crate) async fn give_up(
        &self,
        context: &Context,
        attempt: &PaymentAttempt,
        next: Next,
    ) -> Result<PaymentIntent, Error> {
        let provider = self.providers.called(&attempt.provider)?;
        let answer = within(context, Outcome::Unknown, provider.void(context, &attempt.id)).await;
        match answer {
            Outcome::Success { .. } | Outcome::Declined { .. } | Outcome::Voided => {
                let told = Told { answer: &answer, claim: None, next };
                self.record(context, attempt, told).await
            }
            // Nothing is known that was not known before; whoever wants it given up asks again.
            Outcome::Pending { .. } | Outcome::NotAttempted | Outcome::Unknown => {
                let intent: PaymentIntent =
                    self.store.read(context).get(&attempt.intent_id).await?;
                Err(Error::Unresolved(intent.order_id))
            }
        }
    }

    /// Takes the customer's step at a provider that has no page for it.
    pub(crate) async fn complete_action(
        &self,
        context: &Context,
        intent: PaymentIntent,
        approve: bool,
    ) -> Result<PaymentIntent, Error> {
        match intent.state() {
            State::RequiresAction => {}
            State::Succeeded if approve => return Ok(intent),
            State::RequiresPaymentMethod if !approve && !intent.decline_code.is_empty() => {
                return Ok(intent);
            }
            State::Unspecified
            | State::RequiresPaymentMethod
            | State::Processing
            | State::Succeeded
            | State::Canceled
            | State::Review => return Err(Error::NoAction(intent.id)),
        }
        let attempt: PaymentAttempt = self.store.read(context).get(&intent.attempt_id).await?;
        let provider = self.providers.called(&attempt.provider)?;
        let step = provider.complete_action(context, &attempt.id, approve);
        let answer = within(context, Some(Outcome::Unknown), step).await;
        let answer = answer.ok_or(Error::NotSimulated(attempt.provider.clone()))?;
        self.record(context, &attempt, Told::new(&answer, None)).await
    }

    /// Asks the provider to take an amount.
    pub(crate) async fn take(
        &self,
        context: &Context,
        attempt: &PaymentAttempt,
    ) -> Result<Outcome, Error> {
        let provider = self.providers.called(&attempt.provider)?;
        let charge = attempt::charge(attempt);
        Ok(within(context, Outcome::Unknown, provider.take(context, &charge)).await)
    }

    async fn look_up(&self, context: &Context, attempt: &PaymentAttempt) -> Result<Outcome, Error> {
        let provider = self.providers.called(&attempt.provider)?;
        Ok(within(context, Outcome::Unknown, provider.look_up(context, &attempt.id)).await)
    }

    /// Notes that the provider is about to be asked once more, unless the outcome is known. From then
    /// on nobody who asked before may say that nothing has happened.
    async fn set_out(
        &self,
        context: &Context,
        attempt: &PaymentAttempt,
    ) -> Result<(PaymentIntent, Option<PaymentAttempt>), Error> {
        let mut tx = self.store.begin_for(context).await?;
        let intent: PaymentIntent = tx.get(&attempt.intent_id).await?;
        let mut attempt: PaymentAttempt = tx.get(&attempt.id).await?;
        if !attempt::is_open(&attempt) || intent.state() != State::Processing {
            return Ok((intent, None));
        }
        attempt.resolutions += 1;
        let attempt = tx.update(&attempt).await?;
        tx.commit().await?;
        Ok((intent, Some(attempt)))
    }
}

/// A provider's answer, or that it was lost, in time to be noted within the call.
pub(crate) async fn within<T>(context: &Context, lost: T, answer: impl Future<Output = T>) -> T {
    let longest = Instant::now() + PATIENCE;
    let noted = context.deadline.and_then(|deadline| deadline.checked_sub(MARGIN));
    let until = noted.map_or(longest, |noted| noted.min(longest));
    tokio::time::timeout_at(until, answer).await.unwrap_or(lost)
}

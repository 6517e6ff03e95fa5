//! Giving back what was taken: set apart first, under the lock of the intent, so that no two refunds
//! together exceed it.

use mesh::Context;
use store::Claim;
use tradewind::money::v1::Money;
use tradewind::payments::v1::payment_intent::State as IntentState;
use tradewind::payments::v1::refund::State;
use tradewind::payments::v1::{
    PaymentAttempt, PaymentIntent, Refund, RefundChanged, RefundPaymentRequest,
};

use crate::error::Error;
use crate::intent;
use crate::ledger::Movement;
use crate::pay::ROUNDS;
use crate::provider::{Repaid, Repayment};
use crate::record::review;
use crate::resolve::within;
use crate::rpc::Payments;
use crate::store::{self as sql, Anomaly};
use crate::tasks::{Repay, SettleRefund};

/// The points of the process, each before the step that it names.
pub(crate) const PROCESS: &str = "repay";
pub(crate) const STEPS: [&str; 4] = ["hold", "give_back", "record", "end"];

/// What is to be given back.
struct Wanted<'a> {
    refund_id: &'a str,
    order_id: &'a str,
    /// How much; `None` for all that is left.
    amount: Option<&'a Money>,
    reason: &'a str,
}

/// What a call to refund finds.
enum Found {
    /// Its refund, made just now.
    Apart(PaymentIntent, Refund, Claim),
    /// Its refund, made before.
    Repeat(PaymentIntent, Refund),
    /// An attempt whose outcome is not known.
    Open(PaymentAttempt),
}

/// The right to do a refund's task, and how often the provider did not say.
type Right<'a> = Option<(&'a Claim, u32)>;

impl Payments {
    /// Gives back some of what was taken. A repeat answers the first.
    pub(crate) async fn refund(
        &self,
        context: &Context,
        asked: &RefundPaymentRequest,
    ) -> Result<Refund, Error> {
        if asked.amount.as_ref().is_none_or(|amount| amount.minor <= 0) {
            return Err(Error::NotPositive);
        }
        let wanted = Wanted {
            refund_id: &asked.refund_id,
            order_id: &asked.order_id,
            amount: asked.amount.as_ref(),
            reason: &asked.reason,
        };
        self.give_back(context, &wanted).await
    }

    /// Gives back all that is left, under an id that repeats share; answers the intent then.
    pub(crate) async fn refund_rest(
        &self,
        context: &Context,
        intent: &PaymentIntent,
    ) -> Result<PaymentIntent, Error> {
        if intent::left(intent).minor == 0 {
            return Ok(intent.clone());
        }
        let refund_id = rest_id(&intent.order_id);
        let wanted = Wanted {
            refund_id: &refund_id,
            order_id: &intent.order_id,
            amount: None,
            reason: "the order was cancelled",
        };
        match self.give_back(context, &wanted).await {
            // Another refund took what was left meanwhile.
            Ok(_) | Err(Error::NotPositive) => {}
            Err(error) => return Err(error),
        }
        Ok(self.store.read(context).get(&intent.id).await?)
    }

    async fn give_back(&self, context: &Context, wanted: &Wanted<'_>) -> Result<Refund, Error> {
        for _ in 0..ROUNDS {
            match self.find_or_set_apart(context, wanted).await {
                // Two first calls with an id met, and the other one made the refund.
                Err(Error::Store(store::Error::AlreadyExists { .. })) => {}
                Err(error) => return Err(error),
                Ok(Found::Apart(intent, refund, claim)) => {
                    return self.repay(context, &intent, &refund, Some((&claim, 0))).await;
                }
                Ok(Found::Repeat(intent, refund)) if refund.state() == State::Pending => {
                    return self.ask_for_refund(context, &intent, &refund, None).await;
                }
                Ok(Found::Repeat(_, refund)) => return Ok(refund),
                Ok(Found::Open(attempt)) => {
                    let (intent, _) = self.ask(context, &attempt).await?;
                    if intent.state() == IntentState::Processing {
                        break;
                    }
                }
            }
        }
        Err(Error::Unresolved(wanted.order_id.to_owned()))
    }

    async fn find_or_set_apart(
        &self,
        context: &Context,
        wanted: &Wanted<'_>,
    ) -> Result<Found, Error> {
        let mut tx = self.store.begin_for(context).await?;
        let intent = sql::intent_of(&mut tx, wanted.order_id).await?;
        let intent = intent.ok_or_else(|| Error::NoPayment(wanted.order_id.to_owned()))?;
        if let Some(refund) = tx.find::<Refund>(wanted.refund_id).await? {
            check_repeat(&refund, &intent, wanted)?;
            return Ok(Found::Repeat(intent, refund));
        }
        if intent.state() == IntentState::Processing {
            return Ok(Found::Open(tx.get(&intent.attempt_id).await?));
        }
        let amount = wanted.amount.cloned().unwrap_or_else(|| intent::left(&intent));
        if amount.minor <= 0 {
            return Err(Error::NotPositive);
        }
        let intent = tx.update(&intent::refunding(intent, &amount)?).await?;
        let refund = Refund {
            id: wanted.refund_id.to_owned(),
            intent_id: intent.id.clone(),
            amount: Some(amount),
            reason: wanted.reason.to_owned(),
            state: State::Pending.into(),
            ..Refund::default()
        };
        let refund = tx.insert(refund).await?;
        let task = Repay { refund_id: refund.id.clone(), tries: 0 };
        let claim = tx.start_claimed(task)?;
        tx.commit().await?;
        Ok(Found::Apart(intent, refund, claim))
    }

    /// Does the task that follows every refund until it is known to be given back or refused.
    pub(crate) async fn do_repay(
        &self,
        context: &Context,
        task: &Repay,
        claim: &Claim,
    ) -> Result<(), Error> {
        let reader = self.store.read(context);
        let refund: Refund = reader.get(&task.refund_id).await?;
        let intent: PaymentIntent = reader.get(&refund.intent_id).await?;
        if refund.state() != State::Pending {
            return Ok(());
        }
        let right = Some((claim, task.tries));
        self.ask_for_refund(context, &intent, &refund, right).await.map(|_| ())
    }

    /// Asks what became of a refund, and for it only if the provider never heard of the key.
    async fn ask_for_refund(
        &self,
        context: &Context,
        intent: &PaymentIntent,
        refund: &Refund,
        right: Right<'_>,
    ) -> Result<Refund, Error> {
        let attempt: PaymentAttempt = self.store.read(context).get(&intent.attempt_id).await?;
        let provider = self.providers.called(&attempt.provider)?;
        let question = provider.look_up_refund(context, &refund.id);
        match within(context, Repaid::Unknown, question).await {
            Repaid::NotAttempted => self.repay(context, intent, refund, right).await,
            answer => self.record_refund(context, refund, &answer, right).await,
        }
    }

    /// Holds the amount, asks the provider to give it back, and keeps what it says.
    async fn repay(
        &self,
        context: &Context,
        intent: &PaymentIntent,
        refund: &Refund,
        right: Right<'_>,
    ) -> Result<Refund, Error> {
        let [hold, give_back, record, end] = STEPS;
        let attempt: PaymentAttempt = self.store.read(context).get(&intent.attempt_id).await?;
        let provider = self.providers.called(&attempt.provider)?;
        let movement = Movement::refund(&intent.order_id, &attempt.provider, refund);
        self.faults.pass(PROCESS, hold).await;
        let answer = match self.ledger.hold(context, &movement).await {
            Ok(()) => {
                self.faults.pass(PROCESS, give_back).await;
                if let Some((claim, _)) = right {
                    claim.check()?;
                }
                let repayment = Repayment {
                    refund_id: refund.id.clone(),
                    attempt_id: attempt.id.clone(),
                    amount: refund.amount.clone().unwrap_or_default(),
                };
                within(context, Repaid::Unknown, provider.refund(context, &repayment)).await
            }
            // It is set apart and stays so; it is given back once the ledger is there again.
            Err(Error::LedgerUnreachable(status)) => {
                tracing::warn!(refund = refund.id, "a refund waits: {}", status.message());
                Repaid::Unknown
            }
            Err(error) => return Err(error),
        };
        self.faults.pass(PROCESS, record).await;
        let refund = self.record_refund(context, refund, &answer, right).await?;
        self.faults.pass(PROCESS, end).await;
        Ok(refund)
    }

    async fn record_refund(
        &self,
        context: &Context,
        refund: &Refund,
        answer: &Repaid,
        right: Right<'_>,
    ) -> Result<Refund, Error> {
        match self.try_record_refund(context, refund, answer, right).await {
            // Another has taken the task since; what both know is the same, and kept once.
            Err(Error::Store(store::Error::LeaseLost(_))) => {
                self.try_record_refund(context, refund, answer, None).await
            }
            recorded => recorded,
        }
    }

    async fn try_record_refund(
        &self,
        context: &Context,
        refund: &Refund,
        answer: &Repaid,
        right: Right<'_>,
    ) -> Result<Refund, Error> {
        let mut tx = self.store.begin_for(context).await?;
        let mut intent: PaymentIntent = tx.get(&refund.intent_id).await?;
        let mut refund: Refund = tx.get(&refund.id).await?;
        match verdict(&refund, answer) {
            Verdict::Becomes(changed) => {
                refund = tx.update(&*changed).await?;
                if refund.state() == State::Failed {
                    let amount = refund.amount.clone().unwrap_or_default();
                    intent = tx.update(&intent::kept(intent, &amount)).await?;
                }
                tx.start(SettleRefund { refund_id: refund.id.clone(), tries: 0 })?;
                let changed =
                    RefundChanged { refund: Some(refund.clone()), intent: Some(intent.clone()) };
                tx.emit(&intent.order_id, changed);
            }
            Verdict::Known => {}
            Verdict::Contradicts(said) => {
                let known = refund.state().as_str_name();
                let anomaly =
                    Anomaly { intent_id: &intent.id, subject_id: &refund.id, known, said: &said };
                self.keep_anomaly(&mut tx, &anomaly).await?;
                intent = review(&mut tx, intent).await?;
            }
        }
        if let Some((claim, tries)) = right {
            tx.finish(claim).await?;
            if refund.state() == State::Pending && intent.state() != IntentState::Review {
                let task = Repay { refund_id: refund.id.clone(), tries: tries.saturating_add(1) };
                self.again(&mut tx, task, tries)?;
            }
        }
        tx.commit().await?;
        Ok(refund)
    }
}

/// What a provider's answer means for a refund.
enum Verdict {
    /// It tells something new.
    Becomes(Box<Refund>),
    /// It tells nothing new.
    Known,
    /// It cannot be true together with what was said before.
    Contradicts(String),
}

fn verdict(refund: &Refund, answer: &Repaid) -> Verdict {
    match (refund.state(), answer) {
        // An answer that was lost is not a refusal.
        (_, Repaid::Unknown | Repaid::NotAttempted) | (State::Failed, Repaid::Declined { .. }) => {
            Verdict::Known
        }
        (_, Repaid::Success { reference, amount }) if refund.amount.as_ref() != Some(amount) => {
            let Money { currency_code, minor } = amount;
            Verdict::Contradicts(format!("SUCCEEDED {reference} {minor} {currency_code}"))
        }
        (State::Succeeded, Repaid::Success { .. }) => Verdict::Known,
        (State::Succeeded, Repaid::Declined { code }) => {
            Verdict::Contradicts(format!("FAILED {code}"))
        }
        (State::Failed, Repaid::Success { reference, .. }) => {
            Verdict::Contradicts(format!("SUCCEEDED {reference}"))
        }
        (State::Pending | State::Unspecified, Repaid::Success { reference, .. }) => {
            let mut refund = refund.clone();
            refund.set_state(State::Succeeded);
            refund.provider_reference.clone_from(reference);
            Verdict::Becomes(refund.into())
        }
        (State::Pending | State::Unspecified, Repaid::Declined { code }) => {
            let mut refund = refund.clone();
            refund.set_state(State::Failed);
            refund.decline_code.clone_from(code);
            Verdict::Becomes(refund.into())
        }
    }
}

/// Refuses a repeat that is not what the first call was.
fn check_repeat(refund: &Refund, intent: &PaymentIntent, wanted: &Wanted<'_>) -> Result<(), Error> {
    if refund.intent_id != intent.id {
        return Err(Error::Differs { field: "order_id" });
    }
    if wanted.amount.is_some() && wanted.amount != refund.amount.as_ref() {
        return Err(Error::Differs { field: "amount" });
    }
    Ok(())
}

/// The id of the refund of all that is left of an order: `ord_01j…` gives `ref_01j…`.
fn rest_id(order_id: &str) -> String {
    let suffix = order_id.strip_prefix("ord_").unwrap_or(order_id);
    format!("ref_{suffix}")
}

//! Taking the amount of an order: one attempt, kept before its provider is asked.
//!
//! | step | where | key | undo |
//! |---|---|---|---|
//! | intent and attempt started, task claimed | here, one transaction | order, attempt number | voided |
//! | amount held | ledger | attempt | voided |
//! | amount taken | provider, no transaction open | attempt | voided or refunded |
//! | outcome, event, task that settles | here, one transaction | attempt | – |

use mesh::Context;
use store::{Claim, Tx};
use tradewind::payments::v1::payment_intent::State;
use tradewind::payments::v1::{PayRequest, PaymentAttempt, PaymentIntent};

use crate::attempt;
use crate::error::Error;
use crate::intent;
use crate::ledger::Movement;
use crate::payment_method::is_card_number;
use crate::provider::Outcome;
use crate::record::{Next, Told};
use crate::rpc::Payments;
use crate::store as sql;
use crate::tasks::Resolve;

/// How often a call looks again after something else was in its way.
pub(crate) const ROUNDS: usize = 3;

/// The points of the process, each before the step that it names.
pub(crate) const PROCESS: &str = "pay";
pub(crate) const STEPS: [&str; 4] = ["hold", "take", "record", "end"];

/// What a call to pay finds.
enum Found {
    /// Its attempt, made just now.
    Started(Box<PaymentAttempt>, Claim),
    /// An attempt whose outcome is not known: its own, or another.
    Open(Box<PaymentAttempt>),
    /// An attempt that waits for the customer, who wants to pay otherwise now.
    Waiting(Box<PaymentAttempt>),
    /// Nothing to do.
    Over(Box<PaymentIntent>),
}

impl Payments {
    /// Tries to take an amount once; a repeat answers what came of it.
    pub(crate) async fn pay(
        &self,
        context: &Context,
        asked: &PayRequest,
    ) -> Result<PaymentIntent, Error> {
        check(asked)?;
        for _ in 0..ROUNDS {
            let found = match self.find_or_start(context, asked).await {
                // Two first calls for an order met, and the other one made its intent.
                Err(Error::Store(store::Error::AlreadyExists { .. })) => continue,
                found => found?,
            };
            match found {
                Found::Started(attempt, claim) => {
                    return self.drive(context, asked, &attempt, &claim).await;
                }
                Found::Over(intent) => return Ok(*intent),
                Found::Open(attempt) if attempt.number == asked.attempt => {
                    return self.resume(context, &attempt, None).await;
                }
                Found::Open(attempt) => {
                    let (intent, _) = self.ask(context, &attempt).await?;
                    if intent.state() == State::Processing {
                        break;
                    }
                }
                Found::Waiting(attempt) => {
                    self.give_up(context, &attempt, Next::Attempt).await?;
                }
            }
        }
        Err(Error::Unresolved(asked.order_id.clone()))
    }

    async fn find_or_start(&self, context: &Context, asked: &PayRequest) -> Result<Found, Error> {
        let mut tx = self.store.begin_for(context).await?;
        let Some(intent) = sql::intent_of(&mut tx, &asked.order_id).await? else {
            let intent = intent::new(self.store.ids().next("pay"), asked);
            return self.start(tx, intent, asked).await;
        };
        intent::check_repeat(&intent, asked)?;
        let number = asked.attempt;
        if let Some(attempt) = sql::attempt_numbered(&mut tx, &intent.id, number).await? {
            attempt::check_repeat(&attempt, asked)?;
            let open = attempt::is_open(&attempt) && intent.state() == State::Processing;
            return Ok(if open { Found::Open(attempt.into()) } else { Found::Over(intent.into()) });
        }
        if number < intent.attempts {
            return Err(Error::Superseded { order_id: intent.order_id, number });
        }
        match intent.state() {
            State::RequiresPaymentMethod => self.start(tx, intent, asked).await,
            State::Processing => Ok(Found::Open(Box::new(tx.get(&intent.attempt_id).await?))),
            State::RequiresAction => {
                Ok(Found::Waiting(Box::new(tx.get(&intent.attempt_id).await?)))
            }
            // It is paid already, and never twice.
            State::Succeeded => Ok(Found::Over(intent.into())),
            State::Canceled => Err(Error::Canceled(intent.order_id)),
            State::Review | State::Unspecified => Err(Error::InReview(intent.order_id)),
        }
    }

    /// Keeps an attempt, with the right to drive it, before anyone is asked for money.
    async fn start(
        &self,
        mut tx: Tx,
        intent: PaymentIntent,
        asked: &PayRequest,
    ) -> Result<Found, Error> {
        let provider = self.providers.that_accepts(&asked.payment_method)?.name();
        let attempt = attempt::new(self.store.ids().next("pat"), &intent, asked, provider);
        let is_new = intent.etag.is_empty();
        let intent = intent::started(intent, &attempt);
        if is_new {
            tx.insert(intent).await?;
        } else {
            tx.update(&intent).await?;
        }
        let attempt = tx.insert(attempt).await?;
        let claim = tx.start_claimed(Resolve::of(&attempt))?;
        tx.commit().await?;
        Ok(Found::Started(attempt.into(), claim))
    }

    /// Holds the amount, asks the provider, and keeps what it says.
    async fn drive(
        &self,
        context: &Context,
        asked: &PayRequest,
        attempt: &PaymentAttempt,
        claim: &Claim,
    ) -> Result<PaymentIntent, Error> {
        let [hold, take, record, end] = STEPS;
        self.faults.pass(PROCESS, hold).await;
        let movement = Movement::payment(&asked.order_id, attempt);
        if let Err(unheld) = self.ledger.hold(context, &movement).await {
            let told = Told::new(&Outcome::NotAttempted, Some(claim));
            self.record(context, attempt, told).await?;
            return Err(unheld);
        }
        self.faults.pass(PROCESS, take).await;
        claim.check()?;
        let answer = self.take(context, attempt).await?;
        self.faults.pass(PROCESS, record).await;
        let intent = self.record(context, attempt, Told::new(&answer, Some(claim))).await?;
        self.faults.pass(PROCESS, end).await;
        let unreached = answer == Outcome::NotAttempted;
        if unreached && intent.state() == State::RequiresPaymentMethod {
            return Err(Error::ProviderUnreachable);
        }
        Ok(intent)
    }
}

/// What the contract's rules cannot say.
fn check(asked: &PayRequest) -> Result<(), Error> {
    if is_card_number(&asked.payment_method) {
        return Err(Error::CardNumber);
    }
    if asked.amount.as_ref().is_none_or(|amount| amount.minor <= 0) {
        return Err(Error::NotPositive);
    }
    Ok(())
}

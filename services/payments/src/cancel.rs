//! Giving a payment up: what was not taken is voided, what was is given back.

use mesh::Context;
use tradewind::payments::v1::payment_intent::State;
use tradewind::payments::v1::{PaymentAttempt, PaymentIntent};

use crate::error::Error;
use crate::intent::{self, Step};
use crate::pay::ROUNDS;
use crate::provider::Outcome;
use crate::record::{Next, tell};
use crate::rpc::Payments;
use crate::store as sql;

/// What a call to cancel finds.
enum Found {
    /// Nothing is left to do.
    Over(Box<PaymentIntent>),
    /// An attempt whose outcome is not known.
    Open(PaymentAttempt),
    /// An attempt that waits for the customer.
    Waiting(PaymentAttempt),
    /// The amount was taken.
    Paid(Box<PaymentIntent>),
}

impl Payments {
    /// Gives up the payment of an order. A repeat changes nothing.
    pub(crate) async fn cancel(
        &self,
        context: &Context,
        order_id: &str,
    ) -> Result<PaymentIntent, Error> {
        for _ in 0..ROUNDS {
            match self.find_or_cancel(context, order_id).await? {
                Found::Over(intent) => return Ok(*intent),
                Found::Paid(intent) => return self.refund_rest(context, &intent).await,
                Found::Waiting(attempt) => {
                    self.give_up(context, &attempt, Next::Cancel).await?;
                }
                Found::Open(attempt) => match self.ask(context, &attempt).await? {
                    (_, Outcome::NotAttempted) => {
                        self.give_up(context, &attempt, Next::Cancel).await?;
                    }
                    (intent, _) if intent.state() == State::Processing => break,
                    _ => {}
                },
            }
        }
        Err(Error::Unresolved(order_id.to_owned()))
    }

    async fn find_or_cancel(&self, context: &Context, order_id: &str) -> Result<Found, Error> {
        let mut tx = self.store.begin_for(context).await?;
        let Some(intent) = sql::intent_of(&mut tx, order_id).await? else {
            return Ok(Found::Over(intent::never_begun(order_id).into()));
        };
        match intent.state() {
            State::Canceled => Ok(Found::Over(intent.into())),
            State::Succeeded => Ok(Found::Paid(intent.into())),
            State::Processing => Ok(Found::Open(tx.get(&intent.attempt_id).await?)),
            State::RequiresAction => Ok(Found::Waiting(tx.get(&intent.attempt_id).await?)),
            State::Review | State::Unspecified => Err(Error::InReview(intent.order_id)),
            State::RequiresPaymentMethod => {
                let intent = tx.update(&intent::after(intent, Step::Cancel)).await?;
                tell(&mut tx, &intent);
                tx.commit().await?;
                Ok(Found::Over(intent.into()))
            }
        }
    }
}

//! What an intent is and may become.

use tradewind::money::v1::Money;
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::payment_intent::State;
use tradewind::payments::v1::{PayRequest, PaymentAttempt, PaymentIntent};

use crate::error::Error;

/// What can happen to an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// An attempt starts.
    Start,
    /// The provider took the amount.
    Succeed,
    /// The customer has a step to take.
    AskCustomer,
    /// The provider refused.
    Decline,
    /// The provider was surely not reached.
    Skip,
    /// The provider's answer was lost.
    Lose,
    /// The attempt was given up.
    Void,
    /// The order wants nothing any more.
    Cancel,
    /// Answers contradict each other.
    Contradict,
}

/// Every change that there is. What is not here cannot happen.
const TRANSITIONS: &[(State, Step, State)] = &[
    (State::RequiresPaymentMethod, Step::Start, State::Processing),
    (State::RequiresPaymentMethod, Step::Cancel, State::Canceled),
    (State::Processing, Step::Succeed, State::Succeeded),
    (State::Processing, Step::AskCustomer, State::RequiresAction),
    (State::Processing, Step::Decline, State::RequiresPaymentMethod),
    (State::Processing, Step::Skip, State::RequiresPaymentMethod),
    (State::Processing, Step::Lose, State::Processing),
    (State::Processing, Step::Void, State::RequiresPaymentMethod),
    (State::RequiresAction, Step::Succeed, State::Succeeded),
    (State::RequiresAction, Step::Decline, State::RequiresPaymentMethod),
    (State::RequiresAction, Step::Lose, State::Processing),
    (State::RequiresAction, Step::Void, State::RequiresPaymentMethod),
    // Only a person leads out of a review, and contradictions lead into it from everywhere.
    (State::RequiresPaymentMethod, Step::Contradict, State::Review),
    (State::RequiresAction, Step::Contradict, State::Review),
    (State::Processing, Step::Contradict, State::Review),
    (State::Succeeded, Step::Contradict, State::Review),
    (State::Canceled, Step::Contradict, State::Review),
    (State::Review, Step::Contradict, State::Review),
    (State::Review, Step::Succeed, State::Review),
    (State::Review, Step::Decline, State::Review),
    (State::Review, Step::Lose, State::Review),
    (State::Review, Step::Void, State::Review),
];

/// A new intent, before its first attempt.
pub(crate) fn new(id: String, asked: &PayRequest) -> PaymentIntent {
    PaymentIntent {
        id,
        order_id: asked.order_id.clone(),
        customer_id: asked.customer_id.clone(),
        amount: asked.amount.clone(),
        state: State::RequiresPaymentMethod.into(),
        ..PaymentIntent::default()
    }
}

/// What stands for the intent of an order that nobody tried to pay.
pub(crate) fn never_begun(order_id: &str) -> PaymentIntent {
    PaymentIntent {
        order_id: order_id.to_owned(),
        state: State::Canceled.into(),
        settled: true,
        ..PaymentIntent::default()
    }
}

/// Refuses to pay an order otherwise than before.
pub(crate) fn check_repeat(intent: &PaymentIntent, asked: &PayRequest) -> Result<(), Error> {
    if intent.amount != asked.amount {
        return Err(Error::Differs { field: "amount" });
    }
    if intent.customer_id != asked.customer_id {
        return Err(Error::Differs { field: "customer_id" });
    }
    Ok(())
}

/// What a step leads to; `None` where it cannot happen.
pub(crate) fn next(from: State, step: Step) -> Option<State> {
    let found = TRANSITIONS.iter().find(|(state, on, _)| (*state, *on) == (from, step));
    found.map(|(_, _, to)| *to)
}

/// The intent after a step; a step that cannot happen is a contradiction.
pub(crate) fn after(mut intent: PaymentIntent, step: Step) -> PaymentIntent {
    let state = next(intent.state(), step).unwrap_or(State::Review);
    intent.set_state(state);
    intent
}

/// The intent with a new attempt as its newest.
pub(crate) fn started(intent: PaymentIntent, attempt: &PaymentAttempt) -> PaymentIntent {
    let mut intent = after(intent, Step::Start);
    intent.attempts = attempt.number;
    intent.attempt_id.clone_from(&attempt.id);
    intent.decline_code.clear();
    intent.action_url.clear();
    intent.settled = false;
    intent
}

/// The intent after what came of its newest attempt.
pub(crate) fn answered(intent: PaymentIntent, attempt: &PaymentAttempt) -> PaymentIntent {
    let step = match attempt.outcome() {
        Outcome::Success => Step::Succeed,
        Outcome::Pending => Step::AskCustomer,
        Outcome::Declined => Step::Decline,
        Outcome::NotAttempted => Step::Skip,
        Outcome::Voided => Step::Void,
        Outcome::Unspecified | Outcome::Started | Outcome::Unknown => Step::Lose,
    };
    let mut intent = after(intent, step);
    if step == Step::Succeed {
        intent.captured_minor = attempt.amount.as_ref().map_or(0, |amount| amount.minor);
    }
    intent.decline_code.clone_from(&attempt.decline_code);
    intent.action_url.clone_from(&attempt.action_url);
    intent
}

/// Whether it came to rest, so that others should know.
pub(crate) fn rests(intent: &PaymentIntent) -> bool {
    match intent.state() {
        State::RequiresPaymentMethod
        | State::RequiresAction
        | State::Succeeded
        | State::Canceled
        | State::Review => true,
        State::Unspecified | State::Processing => false,
    }
}

/// The currency of everything that is said of an intent.
pub(crate) fn currency(intent: &PaymentIntent) -> &str {
    intent.amount.as_ref().map_or("", |amount| &amount.currency_code)
}

/// What was taken and not given back.
pub(crate) fn left(intent: &PaymentIntent) -> Money {
    Money::new(intent.captured_minor - intent.refunded_minor, currency(intent))
}

/// The intent with some of what was taken set apart to be given back.
pub(crate) fn refunding(mut intent: PaymentIntent, amount: &Money) -> Result<PaymentIntent, Error> {
    refundable(&intent)?;
    let left = left(&intent);
    if amount.currency_code != left.currency_code {
        return Err(Error::Differs { field: "amount.currency_code" });
    }
    if amount.minor > left.minor {
        return Err(Error::RefundExceeds { left });
    }
    intent.refunded_minor += amount.minor;
    intent.settled = false;
    Ok(intent)
}

/// The intent after the provider refused to give something back.
pub(crate) fn kept(mut intent: PaymentIntent, amount: &Money) -> PaymentIntent {
    intent.refunded_minor -= amount.minor;
    intent
}

fn refundable(intent: &PaymentIntent) -> Result<(), Error> {
    let order = || intent.order_id.clone();
    match intent.state() {
        State::Succeeded => Ok(()),
        State::Processing => Err(Error::Unresolved(order())),
        State::Review => Err(Error::InReview(order())),
        State::Unspecified
        | State::RequiresPaymentMethod
        | State::RequiresAction
        | State::Canceled => Err(Error::NotPaid(order())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 6] = [
        State::RequiresPaymentMethod,
        State::RequiresAction,
        State::Processing,
        State::Succeeded,
        State::Canceled,
        State::Review,
    ];
    const STEPS: [Step; 9] = [
        Step::Start,
        Step::Succeed,
        Step::AskCustomer,
        Step::Decline,
        Step::Skip,
        Step::Lose,
        Step::Void,
        Step::Cancel,
        Step::Contradict,
    ];

    fn paid(captured: i64, refunded: i64) -> PaymentIntent {
        PaymentIntent {
            amount: Some(Money::new(captured, "EUR")),
            state: State::Succeeded.into(),
            captured_minor: captured,
            refunded_minor: refunded,
            ..PaymentIntent::default()
        }
    }

    #[test]
    fn what_is_over_changes_by_a_contradiction_alone() {
        for over in [State::Succeeded, State::Canceled] {
            for step in STEPS.into_iter().filter(|step| *step != Step::Contradict) {
                assert_eq!(next(over, step), None, "{over:?} {step:?}");
            }
        }
    }

    #[test]
    fn a_contradiction_leads_to_a_review_and_nothing_leads_out_of_it() {
        for state in STATES {
            assert_eq!(next(state, Step::Contradict), Some(State::Review), "{state:?}");
        }
        for step in STEPS {
            assert!(matches!(next(State::Review, step), None | Some(State::Review)), "{step:?}");
        }
    }

    #[test]
    fn an_attempt_starts_only_where_none_is_under_way() {
        let starts = STATES.into_iter().filter(|state| next(*state, Step::Start).is_some());

        assert_eq!(starts.collect::<Vec<_>>(), [State::RequiresPaymentMethod]);
    }

    #[test]
    fn a_step_leads_to_one_state_only() {
        for (at, (state, step, _)) in TRANSITIONS.iter().enumerate() {
            let again = TRANSITIONS[at + 1..].iter().any(|it| (it.0, it.1) == (*state, *step));
            assert!(!again, "{state:?} {step:?}");
        }
    }

    #[test]
    fn refunds_never_exceed_what_was_taken() {
        let left = refunding(paid(1000, 0), &Money::new(600, "EUR")).unwrap();

        let refused = refunding(left.clone(), &Money::new(401, "EUR")).unwrap_err();
        assert!(matches!(refused, Error::RefundExceeds { left } if left.minor == 400));
        assert_eq!(refunding(left, &Money::new(400, "EUR")).unwrap().refunded_minor, 1000);
    }

    #[test]
    fn what_is_not_paid_is_not_given_back() {
        for state in STATES.into_iter().filter(|state| *state != State::Succeeded) {
            let mut intent = paid(1000, 0);
            intent.set_state(state);
            assert!(refunding(intent, &Money::new(1, "EUR")).is_err(), "{state:?}");
        }
        assert!(refunding(paid(1000, 0), &Money::new(1, "USD")).is_err());
    }
}

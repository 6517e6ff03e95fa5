//! What an order is and may become.

use mesh::clock::timestamp;
use tradewind::money::v1::Money;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{NextAction, Order, Payment, Quote, Shipment, payment};
use tradewind::payments::v1::{PaymentIntent, payment_intent};
use tradewind::users::v1::Project;

use crate::error::Error;

/// How long the stock of an order is held while it is not paid, in microseconds: 15 minutes.
pub(crate) const HOLD: i64 = 15 * 60 * 1_000_000;

/// An order that is about to be placed.
pub(crate) fn new(
    id: String,
    customer_id: String,
    quote: Quote,
    project: &Project,
    now: i64,
) -> Order {
    let mut order = Order {
        id,
        customer_id,
        lines: quote.lines,
        goods: quote.goods,
        shipping: quote.shipping,
        tax: quote.tax,
        total: quote.total,
        tax_basis_points: project.tax_basis_points,
        tax_inclusive: project.tax_inclusive,
        payment: Some(Payment { state: payment::State::Processing.into(), ..Payment::default() }),
        refunded: Some(Money::zero(project.currency_code.as_str())),
        hold_expire_time: Some(timestamp(now + HOLD)),
        ..Order::default()
    };
    order.set_state(State::Placing);
    order
}

/// What is paid for it.
pub(crate) fn total(order: &Order) -> Money {
    order.total.clone().unwrap_or_default()
}

/// What could still be given back.
pub(crate) fn refundable(order: &Order) -> Result<Money, Error> {
    let refunded = order.refunded.clone().unwrap_or_default();
    Ok(total(order).checked_sub(&refunded)?)
}

/// How its payment stands.
pub(crate) fn payment_state(order: &Order) -> payment::State {
    order.payment.as_ref().map(Payment::state).unwrap_or_default()
}

/// Begins another attempt to pay.
pub(crate) fn paying(mut order: Order) -> Result<Order, Error> {
    use payment::State::{
        Cancelled, Declined, None, Paid, Processing, Refunded, RequiresAction, Unknown, Unspecified,
    };
    match (order.state(), payment_state(&order)) {
        (State::PendingPayment, None | Declined) => {}
        (State::PendingPayment, Unknown | Processing | Unspecified) => {
            return Err(Error::PaymentUnresolved(order.id));
        }
        (State::PendingPayment, RequiresAction) => return Err(Error::ActionRequired(order.id)),
        (State::PendingPayment, Paid | Refunded | Cancelled)
        | (
            State::Unspecified
            | State::Placing
            | State::Confirmed
            | State::Shipped
            | State::Delivered
            | State::Cancelling
            | State::Cancelled
            | State::Refunded,
            _,
        ) => return Err(not_now("paid", &order)),
    }
    let intent_id = order.payment.take().unwrap_or_default().intent_id;
    let state = payment::State::Processing.into();
    order.payment = Some(Payment { intent_id, state, ..Payment::default() });
    Ok(order)
}

/// What its payment makes of an order. Nothing changes where the payment says nothing new.
pub(crate) fn paid_as(mut order: Order, intent: &PaymentIntent) -> Order {
    use payment_intent::State as Intent;
    let state = match intent.state() {
        Intent::Succeeded => payment::State::Paid,
        Intent::RequiresAction => payment::State::RequiresAction,
        Intent::RequiresPaymentMethod if intent.attempts == 0 => payment::State::None,
        Intent::RequiresPaymentMethod => payment::State::Declined,
        Intent::Canceled => payment::State::Cancelled,
        Intent::Processing | Intent::Review | Intent::Unspecified => payment::State::Unknown,
    };
    let action = (state == payment::State::RequiresAction)
        .then(|| NextAction { url: intent.action_url.clone() });
    order.payment = Some(Payment {
        intent_id: intent.id.clone(),
        state: state.into(),
        decline_code: intent.decline_code.clone(),
        next_action: action,
    });
    match order.state() {
        State::Placing | State::PendingPayment if state == payment::State::Paid => {
            order.set_state(State::Confirmed);
            order.hold_expire_time = None;
        }
        State::Placing => order.set_state(State::PendingPayment),
        State::Unspecified
        | State::PendingPayment
        | State::Confirmed
        | State::Shipped
        | State::Delivered
        | State::Cancelling
        | State::Cancelled
        | State::Refunded => {}
    }
    order
}

/// Sends an order. Again with the same shipment changes nothing.
pub(crate) fn shipped(mut order: Order, shipment: Shipment, now: i64) -> Result<Order, Error> {
    match (order.state(), &order.shipment) {
        (State::Confirmed, _) => {
            order.set_state(State::Shipped);
            order.shipment =
                Some(Shipment { ship_time: Some(timestamp(now)), deliver_time: None, ..shipment });
            Ok(order)
        }
        (State::Shipped | State::Delivered, Some(known))
            if known.carrier == shipment.carrier
                && known.tracking_number == shipment.tracking_number =>
        {
            Ok(order)
        }
        _ => Err(not_now("shipped", &order)),
    }
}

/// An order has arrived. Again changes nothing.
pub(crate) fn delivered(mut order: Order, now: i64) -> Result<Order, Error> {
    match order.state() {
        State::Shipped => {
            order.set_state(State::Delivered);
            if let Some(shipment) = &mut order.shipment {
                shipment.deliver_time = Some(timestamp(now));
            }
            Ok(order)
        }
        State::Delivered => Ok(order),
        State::Unspecified
        | State::Placing
        | State::PendingPayment
        | State::Confirmed
        | State::Cancelling
        | State::Cancelled
        | State::Refunded => Err(not_now("delivered", &order)),
    }
}

/// Begins to cancel an order that was not sent.
pub(crate) fn cancelling(mut order: Order, reason: &str) -> Result<Order, Error> {
    match order.state() {
        State::PendingPayment
            if matches!(
                payment_state(&order),
                payment::State::Unknown | payment::State::Processing
            ) =>
        {
            Err(Error::PaymentUnresolved(order.id))
        }
        State::PendingPayment | State::Confirmed => {
            order.set_state(State::Cancelling);
            reason.clone_into(&mut order.cancel_reason);
            Ok(order)
        }
        State::Unspecified
        | State::Placing
        | State::Shipped
        | State::Delivered
        | State::Cancelling
        | State::Cancelled
        | State::Refunded => Err(not_now("cancelled", &order)),
    }
}

/// Ends the cancelling of an order, with what became of its payment.
pub(crate) fn cancelled(mut order: Order, intent: &PaymentIntent) -> Order {
    order.set_state(State::Cancelled);
    order.hold_expire_time = None;
    let taken = intent.captured_minor > 0;
    if taken {
        order.refunded.clone_from(&order.total);
    }
    let state = if taken { payment::State::Refunded } else { payment::State::Cancelled };
    let mut payment = order.payment.take().unwrap_or_default();
    payment.set_state(state);
    payment.next_action = None;
    order.payment = Some(payment);
    order
}

/// Counts an amount as given back, before the provider is asked.
pub(crate) fn refunding(mut order: Order, amount: &Money) -> Result<Order, Error> {
    if !is_paid(&order) {
        return Err(not_now("refunded", &order));
    }
    let left = refundable(&order)?;
    if amount.currency_code != left.currency_code {
        return Err(Error::WrongCurrency(left.currency_code));
    }
    if amount.minor <= 0 || amount.minor > left.minor {
        return Err(Error::RefundOutOfRange { left: left.minor, currency: left.currency_code });
    }
    order.refunded = Some(order.refunded.unwrap_or_default().checked_add(amount)?);
    Ok(order)
}

/// What an order is once an amount was given back.
pub(crate) fn refunded(mut order: Order) -> Result<Order, Error> {
    let gave_all = refundable(&order)?.minor == 0;
    if gave_all && is_paid(&order) {
        order.set_state(State::Refunded);
        if let Some(payment) = &mut order.payment {
            payment.set_state(payment::State::Refunded);
        }
    }
    Ok(order)
}

/// Takes back that an amount was given back: the provider refused.
pub(crate) fn refund_failed(mut order: Order, amount: &Money) -> Result<Order, Error> {
    order.refunded = Some(order.refunded.unwrap_or_default().checked_sub(amount)?);
    Ok(order)
}

/// Whether it was paid, and not all of that was given back.
fn is_paid(order: &Order) -> bool {
    match order.state() {
        State::Confirmed | State::Shipped | State::Delivered => true,
        State::Unspecified
        | State::Placing
        | State::PendingPayment
        | State::Cancelling
        | State::Cancelled
        | State::Refunded => false,
    }
}

fn not_now(verb: &'static str, order: &Order) -> Error {
    Error::WrongState { id: order.id.clone(), verb, state: order.state() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATES: [State; 8] = [
        State::Placing,
        State::PendingPayment,
        State::Confirmed,
        State::Shipped,
        State::Delivered,
        State::Cancelling,
        State::Cancelled,
        State::Refunded,
    ];

    const PAYMENTS: [payment::State; 8] = [
        payment::State::None,
        payment::State::Processing,
        payment::State::Paid,
        payment::State::Declined,
        payment::State::RequiresAction,
        payment::State::Unknown,
        payment::State::Refunded,
        payment::State::Cancelled,
    ];

    /// An order of 10.00 of which so much was given back.
    fn order(state: State, paid: payment::State, refunded: i64) -> Order {
        Order {
            id: "ord_1".into(),
            state: state.into(),
            total: Some(Money::new(1_000, "EUR")),
            refunded: Some(Money::new(refunded, "EUR")),
            payment: Some(Payment { state: paid.into(), ..Payment::default() }),
            hold_expire_time: Some(timestamp(1)),
            ..Order::default()
        }
    }

    fn intent(state: payment_intent::State) -> PaymentIntent {
        let attempts = 1;
        let action_url = "https://bank.example".into();
        PaymentIntent { state: state.into(), attempts, action_url, ..PaymentIntent::default() }
    }

    fn shipment(tracking_number: &str) -> Shipment {
        let (carrier, tracking_number) = ("DHL".into(), tracking_number.into());
        Shipment { carrier, tracking_number, ..Shipment::default() }
    }

    /// The states from which a rule lets an order go on.
    fn allowed<T>(rule: impl Fn(Order) -> Result<T, Error>, paid: payment::State) -> Vec<State> {
        let goes_on = |state: &State| rule(order(*state, paid, 0)).is_ok();
        STATES.into_iter().filter(goes_on).collect()
    }

    #[test]
    fn a_new_order_is_being_placed_and_holds_its_stock_for_15_minutes() {
        let quote = Quote { total: Some(Money::new(1_000, "EUR")), ..Quote::default() };
        let project = Project { currency_code: "EUR".into(), ..Project::default() };

        let order = new("ord_1".into(), "usr_1".into(), quote, &project, 5);

        assert_eq!(order.state(), State::Placing);
        assert_eq!(payment_state(&order), payment::State::Processing);
        assert_eq!(order.hold_expire_time, Some(timestamp(5 + HOLD)));
        assert_eq!(refundable(&order).unwrap(), Money::new(1_000, "EUR"));
    }

    #[test]
    fn only_an_order_whose_last_attempt_was_refused_is_paid_again() {
        for state in STATES {
            for paid in PAYMENTS {
                let may = state == State::PendingPayment
                    && matches!(paid, payment::State::None | payment::State::Declined);
                let next = paying(order(state, paid, 0));
                assert_eq!(next.is_ok(), may, "{state:?} {paid:?}");
                if let Ok(next) = next {
                    assert_eq!(payment_state(&next), payment::State::Processing);
                }
            }
        }
    }

    #[test]
    fn why_an_order_is_not_paid_again_is_told_apart() {
        let waits = |paid| paying(order(State::PendingPayment, paid, 0)).unwrap_err();

        assert!(matches!(waits(payment::State::Unknown), Error::PaymentUnresolved(_)));
        assert!(matches!(waits(payment::State::Processing), Error::PaymentUnresolved(_)));
        assert!(matches!(waits(payment::State::RequiresAction), Error::ActionRequired(_)));
        assert!(matches!(waits(payment::State::Cancelled), Error::WrongState { .. }));
    }

    #[test]
    fn each_state_of_a_payment_makes_of_a_placed_order_what_it_says() {
        use payment_intent::State as Intent;
        let pending = State::PendingPayment;
        let cases = [
            (Intent::Succeeded, State::Confirmed, payment::State::Paid),
            (Intent::RequiresPaymentMethod, pending, payment::State::Declined),
            (Intent::RequiresAction, pending, payment::State::RequiresAction),
            (Intent::Processing, pending, payment::State::Unknown),
            (Intent::Review, pending, payment::State::Unknown),
            (Intent::Canceled, pending, payment::State::Cancelled),
        ];

        for (said, state, paid) in cases {
            let placed = order(State::Placing, payment::State::Processing, 0);
            let next = paid_as(placed, &intent(said));
            assert_eq!((next.state(), payment_state(&next)), (state, paid));
            assert_eq!(next.hold_expire_time.is_none(), state == State::Confirmed);
            let action = next.payment.unwrap().next_action;
            assert_eq!(action.is_some(), said == Intent::RequiresAction);
        }
    }

    #[test]
    fn a_payment_leads_no_order_back() {
        for state in STATES.into_iter().skip(2) {
            let was = order(state, payment::State::Paid, 0);
            for said in [payment_intent::State::Succeeded, payment_intent::State::Canceled] {
                assert_eq!(paid_as(was.clone(), &intent(said)).state(), state);
            }
        }
    }

    #[test]
    fn the_same_shipment_again_changes_nothing_and_another_is_refused() {
        let confirmed = order(State::Confirmed, payment::State::Paid, 0);

        let sent = shipped(confirmed, shipment("1"), 7).unwrap();
        let arrived = delivered(sent.clone(), 9).unwrap();

        assert_eq!(sent.shipment.as_ref().unwrap().ship_time, Some(timestamp(7)));
        assert_eq!(shipped(sent.clone(), shipment("1"), 8).unwrap(), sent);
        assert!(shipped(sent, shipment("2"), 8).is_err());
        assert_eq!(arrived.shipment.as_ref().unwrap().deliver_time, Some(timestamp(9)));
        assert_eq!(delivered(arrived.clone(), 10).unwrap(), arrived);
        assert_eq!(shipped(arrived.clone(), shipment("1"), 10).unwrap(), arrived);
    }

    #[test]
    fn each_rule_has_its_states() {
        use State::{Confirmed, Delivered, PendingPayment, Shipped};
        let paid = payment::State::Paid;
        let euro = Money::new(100, "EUR");

        let sent = allowed(|order| shipped(order, shipment("1"), 1), paid);
        assert_eq!(sent, [Confirmed]);
        assert_eq!(allowed(|order| delivered(order, 1), paid), [Shipped, Delivered]);
        let ended = allowed(|order| cancelling(order, "late"), paid);
        assert_eq!(ended, [PendingPayment, Confirmed]);
        let given_back = allowed(|order| refunding(order, &euro), paid);
        assert_eq!(given_back, [Confirmed, Shipped, Delivered]);
    }

    #[test]
    fn an_order_is_not_cancelled_while_its_payment_is_not_known() {
        for paid in [payment::State::Unknown, payment::State::Processing] {
            let refused = cancelling(order(State::PendingPayment, paid, 0), "late");
            assert!(matches!(refused, Err(Error::PaymentUnresolved(_))));
        }
    }

    #[test]
    fn a_cancelled_order_says_whether_anything_was_given_back() {
        let was = order(State::Cancelling, payment::State::Paid, 0);
        let taken = PaymentIntent { captured_minor: 1_000, ..PaymentIntent::default() };

        let paid = cancelled(was.clone(), &taken);
        let unpaid = cancelled(was, &PaymentIntent::default());

        assert_eq!(payment_state(&paid), payment::State::Refunded);
        assert_eq!(paid.refunded, paid.total);
        assert_eq!(payment_state(&unpaid), payment::State::Cancelled);
        assert_eq!(unpaid.refunded, Some(Money::zero("EUR")));
    }

    #[test]
    fn an_order_is_refunded_when_nothing_is_left_and_a_cancelled_one_stays_cancelled() {
        let part = refunded(order(State::Shipped, payment::State::Paid, 999)).unwrap();
        let whole = refunded(order(State::Shipped, payment::State::Paid, 1_000)).unwrap();
        let gone = refunded(order(State::Cancelled, payment::State::Refunded, 1_000)).unwrap();

        assert_eq!(part.state(), State::Shipped);
        assert_eq!(whole.state(), State::Refunded);
        assert_eq!(payment_state(&whole), payment::State::Refunded);
        assert_eq!(gone.state(), State::Cancelled);
    }

    #[test]
    fn a_refund_in_another_currency_is_refused() {
        let paid = order(State::Confirmed, payment::State::Paid, 0);

        let refused = refunding(paid, &Money::new(1, "USD"));

        assert!(matches!(refused, Err(Error::WrongCurrency(currency)) if currency == "EUR"));
    }

    proptest! {
        #[test]
        fn refunds_never_exceed_the_total(amounts in prop::collection::vec((-10i64..700, any::<bool>()), 0..20)) {
            let mut order = order(State::Confirmed, payment::State::Paid, 0);
            let mut given = 0;
            for (minor, succeeds) in amounts {
                let amount = Money::new(minor, "EUR");
                let Ok(counted) = refunding(order.clone(), &amount) else {
                    prop_assert!(minor <= 0 || given + minor > 1_000);
                    continue;
                };
                order = if succeeds { counted } else { refund_failed(counted, &amount).unwrap() };
                given += if succeeds { minor } else { 0 };
                prop_assert_eq!(order.refunded.as_ref().unwrap().minor, given);
                prop_assert!(given <= 1_000);
            }
        }
    }
}

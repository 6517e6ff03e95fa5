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

//! What the customer was told: each thing once.

use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{AuditedOrder, payment};

use super::Doubt;
use crate::facts::Facts;
use crate::report::Check;

const HISTORY: &str = "the order's history and its audit records say who confirmed it";
const MAIL: &str = "events reach notifications through the outbox of orders: look for one that waits, and for the mail's \
    own task; a mail too many was sent, and can only be explained";

/// What does not hold of what was told.
pub(super) fn doubts(facts: &Facts) -> Vec<Doubt> {
    [confirmed(facts), mails(facts)].into_iter().flatten().collect()
}

fn confirmed(facts: &Facts) -> Option<Doubt> {
    let order = facts.order.as_ref()?;
    let wanted = must_be_confirmed(order);
    let times = order.confirmations;
    // One that was cancelled may have been paid, or not.
    if times == 1 || (times == 0 && !wanted) {
        return None;
    }
    let problem = "an order was not confirmed exactly once";
    let doubt = Doubt::new(Check::Told, &facts.id, problem, HISTORY);
    let state = order.state().as_str_name().trim_start_matches("STATE_");
    Some(doubt.side("orders", state).side("its history", format!("confirmed {times} times")))
}

fn must_be_confirmed(order: &AuditedOrder) -> bool {
    match order.state() {
        State::Confirmed | State::Shipped | State::Delivered | State::Refunded => true,
        State::Placing
        | State::PendingPayment
        | State::Cancelling
        | State::Cancelled
        | State::Unspecified => order.payment_state() == payment::State::Paid,
    }
}

fn mails(facts: &Facts) -> Option<Doubt> {
    let wanted = match &facts.order {
        Some(order) if !order.has_email => return None,
        Some(order) => [
            ("order_confirmed", order.confirmations.min(1)),
            ("order_shipped", i32::from(order.has_shipment)),
            ("order_cancelled", i32::from(order.state() == State::Cancelled)),
        ],
        None => [("order_confirmed", 0), ("order_shipped", 0), ("order_cancelled", 0)],
    };
    let (template, wanted) =
        wanted.into_iter().find(|(template, wanted)| facts.mails_of(template) != *wanted)?;
    let problem = format!("the customer was not told the right number of times: `{template}`");
    let doubt = Doubt::new(Check::Told, &facts.id, problem, MAIL);
    let says =
        facts.order.as_ref().map_or(super::UNKNOWN.to_owned(), |_| format!("{wanted} mails"));
    let doubt = doubt.side("orders", says);
    Some(doubt.side("notifications", format!("{} mails", facts.mails_of(template))))
}

//! Progress: what is under way has a task that ends it, and ends in time.

use contract::mesh::v1::Waiting;
use mesh::clock::micros;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{AuditedOrder, payment};
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::{PaymentAttempt, Refund, refund};

use super::Doubt;
use crate::facts::Facts;
use crate::report::Check;
use crate::waiting::Todo;

const NO_TASK: &str = "nothing will end this by itself: see whether its task is among the dead ones, and let that be done \
    again; else end it by hand, by a call for the order such as CancelOrder";
const STUCK: &str = "`tradewind sagas list --order` says what it waits for, and `tradewind sagas resume` has it go on \
    once that is there";
const DEAD: &str = "read its error, mend the cause, and let it be done again";
const LATE: &str = "see whether the service runs, and what its log says of this";

/// What is under way without a task that ends it.
pub(super) fn without_task(facts: &Facts, todo: &Todo) -> Vec<Doubt> {
    let order = facts.order.iter().filter_map(|order| order_without(order, todo));
    let attempts = facts.attempts().iter().filter_map(|attempt| attempt_without(attempt, todo));
    let refunds = facts.refunds().iter().filter_map(|refund| refund_without(refund, todo));
    order.chain(attempts).chain(refunds).collect()
}

fn without(id: &str, who: &str, says: &str, kind: &str) -> Doubt {
    let problem = format!("it is under way, and has no task `{kind}`");
    Doubt::new(Check::UnderWay, id, problem, NO_TASK)
        .side(who, says)
        .side("tasks", "none that lives")
}

fn order_without(order: &AuditedOrder, todo: &Todo) -> Option<Doubt> {
    let says = order.state().as_str_name().trim_start_matches("STATE_");
    let kind = match (order.state(), order.payment_state()) {
        (State::Placing, _) | (State::PendingPayment, payment::State::Processing) => "checkout",
        (State::Cancelling, _) => "cancelling",
        (State::PendingPayment, payment::State::Unknown) => "reconcile_payment",
        (State::PendingPayment, _) => "expire_order",
        _ if order.refunding_minor > 0 => "refunding",
        (
            State::Confirmed
            | State::Shipped
            | State::Delivered
            | State::Cancelled
            | State::Refunded
            | State::Unspecified,
            _,
        ) => return None,
    };
    (!todo.has(kind, &order.id)).then(|| without(&order.id, "orders", says, kind))
}

fn attempt_without(attempt: &PaymentAttempt, todo: &Todo) -> Option<Doubt> {
    let kind = match attempt.outcome() {
        Outcome::Started | Outcome::Unknown => "resolve_attempt",
        // Its customer has a step to take.
        Outcome::Pending | Outcome::Unspecified => return None,
        Outcome::Success | Outcome::Declined | Outcome::NotAttempted | Outcome::Voided => {
            if attempt.settled {
                return None;
            }
            "settle_attempt"
        }
    };
    let says = attempt.outcome().as_str_name().trim_start_matches("OUTCOME_");
    (!todo.has(kind, &attempt.id)).then(|| without(&attempt.id, "payments", says, kind))
}

fn refund_without(refund: &Refund, todo: &Todo) -> Option<Doubt> {
    let kind = match refund.state() {
        refund::State::Pending => "repay",
        refund::State::Succeeded | refund::State::Failed if !refund.settled => "settle_refund",
        refund::State::Succeeded | refund::State::Failed | refund::State::Unspecified => {
            return None;
        }
    };
    let says = refund.state().as_str_name().trim_start_matches("STATE_");
    (!todo.has(kind, &refund.id)).then(|| without(&refund.id, "payments", says, kind))
}

/// An order that has been on its way since before a time.
pub(super) fn stuck(facts: &Facts, limit: i64) -> Option<Doubt> {
    let order = facts.order.as_ref()?;
    let moves = matches!(order.state(), State::Placing | State::Cancelling);
    let undecided =
        matches!(order.payment_state(), payment::State::Unknown | payment::State::Processing);
    let changed = order.update_time.as_ref().map_or(i64::MAX, micros);
    if changed > limit || !(moves || undecided) {
        return None;
    }
    let state = order.state().as_str_name().trim_start_matches("STATE_");
    let paid = order.payment_state().as_str_name().trim_start_matches("STATE_");
    let since = order.update_time.map(|time| time.to_string()).unwrap_or_default();
    let doubt = Doubt::new(Check::Stuck, &order.id, "an order is on its way for too long", STUCK);
    Some(doubt.side("orders", format!("{state}, payment {paid}, since {since}")))
}

/// A task or an event that has waited since before a time, or waits for a person.
pub(super) fn late(service: &str, waiting: &Waiting, limit: i64) -> Option<Doubt> {
    let (due, made) = (
        waiting.due_time.as_ref().map_or(0, micros),
        waiting.create_time.as_ref().map_or(0, micros),
    );
    let is_event = !waiting.consumer.is_empty();
    let (problem, advice) = if waiting.dead && is_event {
        ("an event was refused too often and waits for a person", DEAD)
    } else if waiting.dead {
        ("a task failed too often and waits for a person", DEAD)
    } else if is_event && made < limit {
        ("an event has not reached its consumer", LATE)
    } else if due < limit {
        ("a task is overdue", LATE)
    } else if waiting.attempts > 0 && made < limit {
        ("a task has failed for too long", DEAD)
    } else {
        return None;
    };
    let of = waiting.subject_ids.join(", ");
    let said = format!("`{}` of {of}, tried {} times", waiting.kind, waiting.attempts);
    let mut doubt = Doubt::new(Check::Stuck, &waiting.id, problem, advice).side(service, said);
    if is_event {
        doubt = doubt.side("for", waiting.consumer.as_str());
    }
    if !waiting.error.is_empty() {
        doubt = doubt.side("its last error", waiting.error.as_str());
    }
    Some(doubt)
}

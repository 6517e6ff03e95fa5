//! Money: what the order, its payment and the ledger say of it.

use tradewind::money::v1::Money;
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::{PaymentAttempt, Refund, payment_intent, refund};

use super::Doubt;
use crate::facts::Facts;
use crate::money::amount;
use crate::report::Check;

const NO_ORDER: &str = "money was taken for an order that orders does not know, as after a restore: give it back \
    at the provider, or restore orders from a later backup";
const COMPARE: &str =
    "read the order's history and the payment's attempts; what the provider has on record decides";
const SETTLE: &str = "the ledger is brought to what payments says by the task `settle_attempt` or `settle_refund`: \
    look for it among dead tasks";
const TWICE: &str = "give back all but one of them at the provider, and report how it came about";
const REVIEW: &str = "a provider contradicts what is known: look at payment_anomalies and at the provider's own pages";

/// What does not hold of an order's money.
pub(super) fn doubts(facts: &Facts) -> Vec<Doubt> {
    [amounts(facts), attempts(facts), paid_twice(facts), ledger(facts), held(facts), review(facts)]
        .into_iter()
        .flatten()
        .collect()
}

fn amounts(facts: &Facts) -> Option<Doubt> {
    let (order, payment) = (facts.order_net(), facts.payment_net());
    let total = facts.order.as_ref().and_then(|order| order.total.as_ref());
    let asked = facts.intent().and_then(|intent| intent.amount.as_ref());
    let same_amount = total.is_none() || asked.is_none() || total == asked;
    if order == payment && same_amount {
        return None;
    }
    let advice = if facts.order.is_none() { NO_ORDER } else { COMPARE };
    let problem = if same_amount {
        "the order and its payment differ in what was paid less what was given back"
    } else {
        "the order and its payment differ in what is to be paid"
    };
    let doubt = Doubt::new(Check::Amounts, &facts.id, problem, advice);
    Some(doubt.side("orders", order_says(facts)).side("payments", payment_says(facts)))
}

fn order_says(facts: &Facts) -> String {
    let Some(order) = &facts.order else { return super::UNKNOWN.into() };
    let net = amount(facts.order_net(), facts.currency());
    let say = |money: &Option<Money>| money.as_ref().map(Money::display).unwrap_or_default();
    let (total, refunded) = (say(&order.total), say(&order.refunded));
    let state = order.payment_state().as_str_name().trim_start_matches("STATE_");
    format!("{net} ({state}, total {total}, given back {refunded})")
}

fn payment_says(facts: &Facts) -> String {
    let Some(intent) = facts.intent() else { return "it knows no payment of this order".into() };
    let net = amount(facts.payment_net(), facts.currency());
    let say = |minor| amount(minor, facts.currency());
    let (taken, given) = (say(intent.captured_minor), say(intent.refunded_minor));
    let asked = intent.amount.as_ref().map(Money::display).unwrap_or_default();
    let state = intent.state().as_str_name().trim_start_matches("STATE_");
    format!("{net} ({state}, {asked} asked for, {taken} taken, {given} given back, {})", intent.id)
}

/// The intent against its own attempts and refunds.
fn attempts(facts: &Facts) -> Option<Doubt> {
    let intent = facts.intent()?;
    let minor = |money: &Option<Money>| money.as_ref().map_or(0, |money| money.minor);
    let took = facts.attempts().iter().filter(|attempt| attempt.outcome() == Outcome::Success);
    let taken: i64 = took.map(|attempt| minor(&attempt.amount)).sum();
    let counts = |refund: &&Refund| refund.state() != refund::State::Failed;
    let given: i64 =
        facts.refunds().iter().filter(counts).map(|refund| minor(&refund.amount)).sum();
    if (taken, given) == (intent.captured_minor, intent.refunded_minor) {
        return None;
    }
    let say = |taken, given| {
        let currency = facts.currency();
        format!("{} taken, {} given back", amount(taken, currency), amount(given, currency))
    };
    let problem = "a payment differs from its own attempts and refunds";
    let doubt = Doubt::new(Check::Amounts, &facts.id, problem, COMPARE);
    let doubt = doubt.side("intent", say(intent.captured_minor, intent.refunded_minor));
    Some(doubt.side("attempts and refunds", say(taken, given)))
}

fn paid_twice(facts: &Facts) -> Option<Doubt> {
    let took: Vec<_> = facts
        .attempts()
        .iter()
        .filter(|attempt| attempt.outcome() == Outcome::Success)
        .map(|attempt| attempt.id.as_str())
        .collect();
    if took.len() < 2 {
        return None;
    }
    let problem = format!("{} attempts of one order took its amount", took.len());
    let doubt = Doubt::new(Check::PaidOnce, &facts.id, problem, TWICE);
    Some(doubt.side("payments", took.join(", ")))
}

fn ledger(facts: &Facts) -> Option<Doubt> {
    let (known, moved) = (facts.settled_net(), facts.ledger_net());
    let others = facts.sums.iter().filter(|sum| sum.currency_code != facts.currency());
    let others: Vec<_> = others.map(|sum| amount(sum.posted, &sum.currency_code)).collect();
    if known == moved && others.is_empty() {
        return None;
    }
    let problem = "the ledger moved for the order otherwise than payments says";
    let doubt = Doubt::new(Check::Ledger, &facts.id, problem, SETTLE);
    let say = |minor| amount(minor, facts.currency());
    let more =
        if others.is_empty() { String::new() } else { format!(", and {}", others.join(", ")) };
    Some(doubt.side("payments", say(known)).side("ledger", format!("{}{more}", say(moved))))
}

/// The ledger holds nothing for an order of which everything has ended.
fn held(facts: &Facts) -> Option<Doubt> {
    let pending = facts.ledger_pending();
    let is_open = |attempt: &PaymentAttempt| !attempt.settled;
    let open = facts.attempts().iter().any(is_open) || facts.refunds().iter().any(|it| !it.settled);
    if pending == 0 || open {
        return None;
    }
    let problem = "the ledger still holds an amount for an order of which nothing is open";
    let doubt = Doubt::new(Check::Ledger, &facts.id, problem, SETTLE);
    let doubt = doubt.side("payments", "every attempt and refund is settled");
    Some(doubt.side("ledger", format!("{} pending", amount(pending, facts.currency()))))
}

fn review(facts: &Facts) -> Option<Doubt> {
    let intent = facts.intent()?;
    if intent.state() != payment_intent::State::Review {
        return None;
    }
    let problem = "the payment is under review";
    Some(
        Doubt::new(Check::Review, &facts.id, problem, REVIEW).side("payments", payment_says(facts)),
    )
}

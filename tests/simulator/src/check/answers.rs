//! Every accepted request has its one effect: what was answered is true afterwards, and a repeat hears the same.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use harness::Harness;
use prost::Message;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{Order, PlaceOrderResponse};

use super::{Broken, Excused};
use crate::customers::{Came, Customers};
use crate::inputs::Act;
use crate::quiet::anybody;

pub(super) async fn check(
    harness: &Harness,
    customers: &Customers,
    orders: &[Order],
    excused: &Excused,
) -> Result<Vec<Broken>> {
    let came = customers.came();
    let mut broken: Vec<_> = customers
        .otherwise()
        .into_iter()
        .map(|text| Broken::new("same answer", "", text))
        .collect();
    broken.extend(unanswered(customers, &came));
    broken.extend(one_order_each(customers, &came, orders));
    let by_id: HashMap<_, _> = orders.iter().map(|order| (order.id.as_str(), order)).collect();
    for (at, came) in &came {
        let Came::Done { order_id, answer } = came else { continue };
        if excused.covers(order_id) {
            continue;
        }
        let act = &customers.acts()[*at];
        match by_id.get(order_id.as_str()) {
            Some(order) if is_true(act, answer, order) => {}
            Some(order) => {
                let text = format!("{act:?} was answered, and the order is {}", says(order));
                broken.push(Broken::new("answers are true", order_id, text));
            }
            None => {
                let text = format!("{act:?} was answered, and there is no such order");
                broken.push(Broken::new("answers are true", order_id, text));
            }
        }
    }
    broken.extend(refunds(harness, customers, &came, excused).await?);
    Ok(broken)
}

/// Whether an answer still holds.
fn is_true(act: &Act, answer: &[u8], order: &Order) -> bool {
    let state = order.state();
    match act {
        Act::Buy { .. } => {
            let answer = PlaceOrderResponse::decode(answer).unwrap_or_default().order;
            goes_on(answer.unwrap_or_default().state(), state)
        }
        Act::Pay { .. } => goes_on(Order::decode(answer).unwrap_or_default().state(), state),
        Act::Cancel { .. } => state == State::Cancelled,
        Act::Ship { .. } => {
            matches!(state, State::Shipped | State::Delivered | State::Refunded)
        }
        Act::Deliver { .. } => matches!(state, State::Delivered | State::Refunded),
        Act::Refund { .. } => order.refunded.as_ref().is_some_and(|refunded| refunded.minor > 0),
        Act::Agree { .. } | Act::Repeat { .. } => true,
    }
}

/// Whether an order that was answered in one state may be in another at last.
fn goes_on(answered: State, now: State) -> bool {
    let sold = matches!(
        now,
        State::Confirmed | State::Shipped | State::Delivered | State::Refunded | State::Cancelled
    );
    match answered {
        // Nothing is left unpaid either: it was paid, or its time was up.
        State::Confirmed
        | State::Shipped
        | State::Delivered
        | State::Refunded
        | State::PendingPayment
        | State::Placing => sold,
        State::Cancelling | State::Cancelled => now == State::Cancelled,
        State::Unspecified => false,
    }
}

/// Calls that are never answered, however often they are made.
fn unanswered(customers: &Customers, came: &BTreeMap<usize, Came>) -> Vec<Broken> {
    let unknown = came.iter().filter(|(_, came)| **came == Came::Unknown);
    unknown
        .map(|(at, _)| {
            let text = format!("{:?} is not answered", customers.acts()[*at]);
            Broken::new("every call is answered", format!("act-{at}"), text)
        })
        .collect()
}

/// Each purchase that was answered has made one order, and nothing else has made one.
fn one_order_each(
    customers: &Customers,
    came: &BTreeMap<usize, Came>,
    orders: &[Order],
) -> Vec<Broken> {
    let mut bought: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, came) in came {
        if let (Act::Buy { .. }, Came::Done { order_id, .. }) = (&customers.acts()[*at], came) {
            bought.entry(order_id).or_default().push(*at);
        }
    }
    let strays = orders.iter().filter(|order| !bought.contains_key(order.id.as_str()));
    let stray = |order: &Order| {
        Broken::new(
            "one effect",
            &order.id,
            format!("nobody was answered with it: {}", says(order)),
        )
    };
    let mut broken: Vec<_> = strays.map(stray).collect();
    for (order_id, acts) in bought.into_iter().filter(|(_, acts)| acts.len() > 1) {
        let text = format!("several purchases were answered with it: {acts:?}");
        broken.push(Broken::new("one effect", order_id, text));
    }
    broken
}

/// As many refunds as were answered.
async fn refunds(
    harness: &Harness,
    customers: &Customers,
    came: &BTreeMap<usize, Came>,
    excused: &Excused,
) -> Result<Vec<Broken>> {
    let mut answered: BTreeMap<String, i64> = BTreeMap::new();
    for (at, came) in came {
        if let (Act::Refund { .. }, Came::Done { order_id, .. }) = (&customers.acts()[*at], came) {
            *answered.entry(order_id.clone()).or_default() += 1;
        }
    }
    let reader = harness.store("orders").read(&anybody(harness));
    let sql = "SELECT order_id, COUNT(*) AS given FROM order_refunds \
               WHERE project = $1 AND state = 'SUCCEEDED' GROUP BY order_id";
    let mut given: BTreeMap<String, i64> = BTreeMap::new();
    for row in reader.query(sql).fetch_all().await? {
        given.insert(row.get("order_id")?, row.get("given")?);
    }
    let ids = answered.keys().chain(given.keys()).collect::<std::collections::BTreeSet<_>>();
    let count = |of: &BTreeMap<String, i64>, id: &String| of.get(id).copied().unwrap_or_default();
    let differ = ids.into_iter().filter(|id| count(&answered, id) != count(&given, id));
    Ok(differ
        .filter(|id| !excused.covers(id))
        .map(|id| {
            let (said, done) = (count(&answered, id), count(&given, id));
            let text = format!("{said} refunds were answered, and {done} were made");
            Broken::new("one effect", id, text)
        })
        .collect())
}

fn says(order: &Order) -> String {
    let payment = order.payment.clone().unwrap_or_default();
    format!("{}, payment {}", order.state().as_str_name(), payment.state().as_str_name())
}

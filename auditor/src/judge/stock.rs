//! Stock: every unit that an order names is somewhere.

use std::collections::BTreeMap;

use tradewind::catalog::v1::reservation::State as Held;
use tradewind::catalog::v1::{AuditedReservation, AuditedReservationLine};
use tradewind::orders::v1::order::State;

use super::Doubt;
use crate::facts::Facts;
use crate::report::Check;

const NO_ORDER: &str = "stock is held, or has left, for an order that orders does not know, as after a restore: give \
    it back by counting the shelf and setting the level, or restore orders from a later backup";
const STEP: &str = "the task `commit_stock`, or the process `cancelling`, takes this step: look for it among dead \
    tasks and stuck processes";
const MOVED: &str = "look at the variant's movements, count the shelf, and set the level";

/// What does not hold of an order's stock.
pub(super) fn doubts(facts: &Facts) -> Vec<Doubt> {
    [state(facts), lines(facts), moved(facts)].into_iter().flatten().collect()
}

/// Whether the stock is where the order's state says.
fn state(facts: &Facts) -> Option<Doubt> {
    let held = facts.reservation.as_ref().map_or(Held::Unspecified, AuditedReservation::state);
    let (fits, wanted) = match facts.state() {
        None => (matches!(held, Held::Unspecified | Held::Released), "nothing held"),
        Some(State::PendingPayment) => (held == Held::Held, "held"),
        Some(State::Confirmed | State::Shipped | State::Delivered | State::Refunded) => {
            (held == Held::Committed, "committed")
        }
        Some(State::Cancelled) => {
            (matches!(held, Held::Unspecified | Held::Released), "given back")
        }
        // On their way: their process ends it, or is said to be stuck.
        Some(State::Placing | State::Cancelling | State::Unspecified) => (true, ""),
    };
    if fits {
        return None;
    }
    let advice = if facts.order.is_none() { NO_ORDER } else { STEP };
    let problem = "the stock of an order is not where the order's state says";
    let says = facts.state().map_or(super::UNKNOWN.to_owned(), |state| {
        format!("{}, so its stock is {wanted}", state.as_str_name().trim_start_matches("STATE_"))
    });
    let doubt = Doubt::new(Check::Stock, &facts.id, problem, advice).side("orders", says);
    Some(doubt.side("catalog", held_says(held)))
}

fn held_says(held: Held) -> &'static str {
    match held {
        Held::Unspecified => "it holds nothing",
        Held::Held => "HELD",
        Held::Committed => "COMMITTED",
        Held::Released => "RELEASED",
    }
}

/// Whether the reservation is of what was bought.
fn lines(facts: &Facts) -> Option<Doubt> {
    let (order, reservation) = (facts.order.as_ref()?, facts.reservation.as_ref()?);
    if reservation.state() == Held::Unspecified {
        return None;
    }
    let bought: BTreeMap<_, _> =
        order.lines.iter().map(|line| (line.variant_id.as_str(), line.quantity)).collect();
    let quantities = reservation.lines.iter().filter(|line| line.quantity > 0);
    let reserved: BTreeMap<_, _> =
        quantities.map(|line| (line.variant_id.as_str(), line.quantity)).collect();
    if bought == reserved {
        return None;
    }
    let say = |lines: &BTreeMap<&str, i64>| {
        let lines: Vec<_> = lines.iter().map(|(id, count)| format!("{count} × {id}")).collect();
        lines.join(", ")
    };
    let problem = "another stock is reserved than was bought";
    let doubt = Doubt::new(Check::Stock, &facts.id, problem, MOVED);
    Some(doubt.side("orders", say(&bought)).side("catalog", say(&reserved)))
}

/// Whether the movements of the order's stock are what its reservation says.
fn moved(facts: &Facts) -> Option<Doubt> {
    let reservation = facts.reservation.as_ref()?;
    let wanted = |line: &AuditedReservationLine| match reservation.state() {
        Held::Held => (line.quantity, 0),
        Held::Committed => (0, line.quantity),
        Held::Released | Held::Unspecified => (0, 0),
    };
    let mut counted = reservation.lines.iter().filter(|line| line.counted);
    let wrong = counted.find(|line| wanted(line) != (line.held, line.taken))?;
    let say =
        |(held, taken): (i64, i64)| format!("{}: {held} held, {taken} taken", wrong.variant_id);
    let problem = "the movements of an order's stock are not what its reservation says";
    let doubt = Doubt::new(Check::Stock, &facts.id, problem, MOVED);
    let doubt = doubt.side("reservation", say(wanted(wrong)));
    Some(doubt.side("movements", say((wrong.held, wrong.taken))))
}

//! Payments of which nobody knows yet: nothing is undone, nothing is tried elsewhere, nothing is given up.

use std::time::Duration;

use harness::Engine;
use mesh::Code;
use tradewind::catalog::v1::reservation;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::payment;
use tradewind::payments::v1::refund;

use crate::world::{PAST_LEASE, TOTAL, World, minor, refusal, stands};

/// All that payments may say of it, and a code that would be a refusal.
const UNDECIDED: [(Code, &str); 3] = [
    (Code::Aborted, "PAYMENT_UNRESOLVED"),
    (Code::FailedPrecondition, "PAYMENT_UNRESOLVED"),
    (Code::FailedPrecondition, "PAYMENT_IN_REVIEW"),
];
const BUSY: (Code, &str) = (Code::Aborted, "ORDER_BUSY");
/// Longer than failures are tried again for, and than an order waits to be paid.
const HOURS: usize = 120;

/// Lets two hours pass, and all that becomes due be done.
async fn hours_pass(world: &World) {
    world.after(PAST_LEASE).await;
    for _ in 0..HOURS {
        world.after(Duration::from_secs(61)).await;
    }
    assert!(world.harness.store("orders").dead_tasks(10).await.unwrap().is_empty());
}

/// How an order stands once its payment is decided.
fn decided(paid: bool) -> (State, payment::State) {
    if paid {
        (State::Confirmed, payment::State::Paid)
    } else {
        (State::PendingPayment, payment::State::Declined)
    }
}

#[tokio::test]
async fn an_order_whose_first_payment_is_undecided_keeps_its_stock_until_it_is() {
    for (why, paid) in UNDECIDED.into_iter().zip([true, false, true]) {
        let world = World::open(Engine::Sqlite).await;
        world.till.say_undecided(Some(why));

        let (code, reason) = refusal(world.place("k", "sim_ok").await);
        hours_pass(&world).await;

        assert_eq!((code, reason.as_str()), BUSY);
        let order = world.all().await.remove(0);
        assert_eq!(order.state(), State::Placing, "{why:?}");
        assert_eq!(world.catalog.reservation(&order.id), Some(reservation::State::Held));
        world.till.say_undecided(None);
        world.till.resolve(&order.id, paid);
        world.after(Duration::from_secs(61)).await;
        let expected = decided(paid);
        let told = world.place("k", "sim_ok").await.unwrap().order.unwrap();
        assert_eq!(stands(&told), expected, "{why:?}");
        assert_eq!(world.till.taken(&order.id), usize::from(paid));
        assert_eq!(world.all().await.len(), 1);
    }
}

#[tokio::test]
async fn an_order_whose_next_payment_is_undecided_is_neither_cancelled_nor_paid_again() {
    for (why, paid) in UNDECIDED.into_iter().zip([true, false, true]) {
        let world = World::open(Engine::Sqlite).await;
        let order = world.placed("sim_declined").await;
        world.till.say_undecided(Some(why));

        let (code, reason) = refusal(world.pay(&order.id, "p", "sim_ok").await);
        hours_pass(&world).await;

        assert_eq!((code, reason.as_str()), BUSY);
        let unresolved = (Code::FailedPrecondition, "PAYMENT_UNRESOLVED".to_owned());
        assert_eq!(refusal(world.cancel(&order.id).await), unresolved);
        assert_eq!(refusal(world.pay(&order.id, "q", "sim_ok").await), unresolved);
        let waiting = world.get(&order.id).await;
        assert_eq!(stands(&waiting), (State::PendingPayment, payment::State::Processing));
        assert_eq!(world.catalog.reservation(&order.id), Some(reservation::State::Held));
        world.till.say_undecided(None);
        world.till.resolve(&order.id, paid);
        world.after(Duration::from_secs(61)).await;
        let told = stands(&world.pay(&order.id, "p", "sim_ok").await.unwrap());
        let expected = decided(paid);
        assert_eq!(told, expected, "{why:?}");
    }
}

#[tokio::test]
async fn an_order_is_cancelled_at_last_though_its_payment_was_undecided_for_hours() {
    for why in UNDECIDED {
        let world = World::open(Engine::Sqlite).await;
        let order = world.placed("sim_ok").await;
        world.till.say_undecided(Some(why));

        let refused = world.cancel(&order.id).await;
        hours_pass(&world).await;
        let meanwhile = world.get(&order.id).await.state();
        world.till.say_undecided(None);
        world.after(Duration::from_secs(61)).await;

        assert_eq!(refusal(refused).0, Code::Aborted);
        assert_eq!(meanwhile, State::Cancelling, "{why:?}");
        let after = world.get(&order.id).await;
        assert_eq!(stands(&after), (State::Cancelled, payment::State::Refunded));
        assert_eq!(world.till.kept(&order.id), 0);
        assert_eq!(world.catalog.level("var_shirt"), (10, 0));
    }
}

#[tokio::test]
async fn a_refund_that_the_provider_says_nothing_of_is_never_given_up() {
    let world = World::open(Engine::Sqlite).await;
    let order = world.placed("sim_ok").await;
    world.till.end_refunds_as(refund::State::Pending);

    let (code, reason) = refusal(world.refund(&order.id, "r", Some(1_000)).await);
    hours_pass(&world).await;
    world.till.end_refunds_as(refund::State::Succeeded);
    world.after(Duration::from_secs(61)).await;

    assert_eq!((code, reason.as_str()), BUSY);
    let refunded = world.refund(&order.id, "r", Some(1_000)).await.unwrap();
    assert_eq!(minor(refunded.refunded.as_ref()), 1_000);
    assert_eq!(world.till.kept(&order.id), TOTAL - 1_000);
    assert_eq!(world.till.refunds(), 1);
}

//! Orders that nobody paid in time.

use std::time::Duration;

use harness::Engine;
use mesh::Code;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::payment;
use tradewind::payments::v1::payment_intent;

use crate::world::{World, refusal, stands};

const ALMOST: Duration = Duration::from_secs(14 * 60);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_order_that_is_not_paid_in_15_minutes_is_cancelled() {
    for engine in Engine::ALL {
        for method in ["sim_declined", "sim_requires_action"] {
            let world = World::open(engine).await;
            let order = world.placed(method).await;

            world.after(ALMOST).await;
            let before = world.get(&order.id).await;
            world.after(MINUTE).await;

            let after = world.get(&order.id).await;
            assert_eq!(before.state(), State::PendingPayment);
            assert_eq!(stands(&after), (State::Cancelled, payment::State::Cancelled));
            assert_eq!(after.cancel_reason, "it was not paid in time");
            assert!(after.hold_expire_time.is_none());
            assert_eq!(world.catalog.level("var_shirt"), (10, 0));
            let intent = world.till.intent(&order.id);
            assert_eq!(intent.state(), payment_intent::State::Canceled);
            assert_eq!(world.listener.counts(&order.id)["OrderCancelled"], 1);
            let late = world.pay(&order.id, "p", "sim_ok").await;
            assert_eq!(refusal(late), (Code::FailedPrecondition, "WRONG_ORDER_STATE".into()));
        }
    }
}

#[tokio::test]
async fn an_order_is_held_as_long_as_its_payment_is_unknown() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_unknown").await;

        world.after(ALMOST + 2 * MINUTE).await;
        let held = world.get(&order.id).await;
        world.tell_twice(world.till.resolve(&order.id, false)).await;
        world.after(2 * MINUTE).await;

        assert_eq!(stands(&held), (State::PendingPayment, payment::State::Unknown));
        assert_eq!(world.get(&order.id).await.state(), State::Cancelled);
        assert_eq!(world.catalog.level("var_shirt"), (10, 0));
    }
}

#[tokio::test]
async fn a_paid_order_does_not_expire() {
    let world = World::open(Engine::Sqlite).await;
    let order = world.placed("sim_declined").await;
    world.pay(&order.id, "p", "sim_ok").await.unwrap();

    world.after(2 * ALMOST).await;

    assert_eq!(world.get(&order.id).await.state(), State::Confirmed);
}

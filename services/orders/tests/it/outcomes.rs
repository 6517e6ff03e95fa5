//! What a payment makes of an order, at once or when it is heard of later.

use std::time::Duration;

use harness::Engine;
use mesh::Code;
use tradewind::catalog::v1::reservation;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::payment;

use crate::world::{World, refusal, stands};

const UNTIL_ASKED: Duration = Duration::from_secs(11);

#[tokio::test]
async fn a_declined_order_waits_and_its_stock_is_held() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;

        let order = world.placed("sim_insufficient_funds").await;

        assert_eq!(stands(&order), (State::PendingPayment, payment::State::Declined));
        assert_eq!(order.payment.as_ref().unwrap().decline_code, "insufficient_funds");
        assert!(order.hold_expire_time.is_some());
        assert_eq!(world.catalog.reservation(&order.id), Some(reservation::State::Held));
        assert_eq!(world.listener.heard(&order.id), ["OrderPaymentFailed"]);
    }
}

#[tokio::test]
async fn an_order_that_requires_action_says_where_and_is_confirmed_once_when_it_was_taken() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_requires_action").await;
        let paying = order.payment.clone().unwrap();
        // Payments tell of their rest, which the checkout has answered already.
        world.tell_twice(world.till.intent(&order.id)).await;

        let refused = world.pay(&order.id, "p", "sim_ok").await;
        world.tell_twice(world.till.resolve(&order.id, true)).await;

        assert_eq!(stands(&order), (State::PendingPayment, payment::State::RequiresAction));
        assert_eq!(paying.next_action.unwrap().url, "https://bank.example/3ds");
        assert_eq!(refusal(refused), (Code::FailedPrecondition, "PAYMENT_REQUIRES_ACTION".into()));
        let after = world.get(&order.id).await;
        assert_eq!(stands(&after), (State::Confirmed, payment::State::Paid));
        assert!(after.payment.unwrap().next_action.is_none());
        assert_eq!(world.listener.heard(&order.id), ["OrderConfirmed"]);
        assert_eq!(world.history(&order.id).await.len(), 3);
        assert_eq!(world.catalog.level("var_shirt"), (8, 0));
    }
}

#[tokio::test]
async fn an_unknown_payment_holds_the_order_until_its_event_comes() {
    for engine in Engine::ALL {
        for (paid, state, told) in [
            (true, (State::Confirmed, payment::State::Paid), "OrderConfirmed"),
            (false, (State::PendingPayment, payment::State::Declined), "OrderPaymentFailed"),
        ] {
            let world = World::open(engine).await;
            let order = world.placed("sim_unknown").await;
            assert_eq!(stands(&order), (State::PendingPayment, payment::State::Unknown));
            assert!(world.listener.heard(&order.id).is_empty());
            let unresolved = (Code::FailedPrecondition, "PAYMENT_UNRESOLVED".to_owned());
            assert_eq!(refusal(world.pay(&order.id, "p", "sim_ok").await), unresolved);
            assert_eq!(refusal(world.cancel(&order.id).await), unresolved);

            world.tell_twice(world.till.resolve(&order.id, paid)).await;
            world.after(UNTIL_ASKED).await;

            assert_eq!(stands(&world.get(&order.id).await), state);
            assert_eq!(world.listener.heard(&order.id), [told]);
            assert_eq!(world.history(&order.id).await.len(), 3);
        }
    }
}

#[tokio::test]
async fn an_unknown_payment_is_asked_for_until_it_says() {
    for engine in Engine::ALL {
        for (paid, state) in [
            (true, (State::Confirmed, payment::State::Paid)),
            (false, (State::PendingPayment, payment::State::Declined)),
        ] {
            let world = World::open(engine).await;
            let order = world.placed("sim_unknown").await;
            for _ in 0..3 {
                world.after(Duration::from_secs(61)).await;
            }
            // Asking and hearing nothing new is no history.
            assert_eq!(world.history(&order.id).await.len(), 2);

            let intent = world.till.resolve(&order.id, paid);
            world.after(Duration::from_secs(61)).await;
            world.tell_twice(intent).await;

            assert_eq!(stands(&world.get(&order.id).await), state);
            assert_eq!(world.history(&order.id).await.len(), 3);
            assert_eq!(world.listener.heard(&order.id).len(), 1);
        }
    }
}

#[tokio::test]
async fn what_is_heard_of_an_attempt_before_says_nothing_of_this_one() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_declined").await;
        let before = world.till.intent(&order.id);
        world.pay(&order.id, "p", "sim_unknown").await.unwrap();

        world.tell_twice(before).await;
        let meanwhile = world.get(&order.id).await;
        world.tell_twice(world.till.resolve(&order.id, true)).await;

        assert_eq!(stands(&meanwhile), (State::PendingPayment, payment::State::Unknown));
        assert_eq!(stands(&world.get(&order.id).await), (State::Confirmed, payment::State::Paid));
        assert_eq!(world.listener.heard(&order.id), ["OrderPaymentFailed", "OrderConfirmed"]);
    }
}

//! Paying an order that was placed and not paid.

use futures_util::future::join_all;
use harness::Engine;
use mesh::Code;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::payment;

use crate::world::{World, refusal, stands};

#[tokio::test]
async fn a_declined_order_is_paid_by_another_attempt() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_declined").await;

        let still = world.pay(&order.id, "p", "sim_declined").await.unwrap();
        let paid = world.pay(&order.id, "q", "sim_ok").await.unwrap();
        let again = world.pay(&order.id, "q", "sim_ok").await.unwrap();
        world.settle().await;

        assert_eq!(stands(&still), (State::PendingPayment, payment::State::Declined));
        assert_eq!(stands(&paid), (State::Confirmed, payment::State::Paid));
        assert_eq!(again, paid);
        assert_eq!(world.till.intent(&order.id).attempts, 3);
        assert_eq!(world.till.taken(&order.id), 1);
        assert_eq!(world.catalog.level("var_shirt"), (8, 0));
        let heard = ["OrderPaymentFailed", "OrderPaymentFailed", "OrderConfirmed"];
        assert_eq!(world.listener.heard(&order.id), heard);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_payments_at_once_one_pays_and_the_others_are_refused() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_declined").await;

        let keys = ["p", "q", "r", "s"];
        let answers = join_all(keys.map(|key| world.pay(&order.id, key, "sim_ok"))).await;

        let (paid, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((paid.len(), refused.len()), (1, 3));
        for refused in refused {
            let (code, reason) = refusal(refused);
            assert_eq!(code, Code::FailedPrecondition);
            assert!(["PAYMENT_UNRESOLVED", "WRONG_ORDER_STATE"].contains(&reason.as_str()));
        }
        assert_eq!(world.till.taken(&order.id), 1);
        assert_eq!(world.get(&order.id).await.state(), State::Confirmed);
    }
}

#[tokio::test]
async fn a_paid_order_is_not_paid_again() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;

        let refused = world.pay(&order.id, "p", "sim_ok").await;

        assert_eq!(refusal(refused), (Code::FailedPrecondition, "WRONG_ORDER_STATE".into()));
        assert_eq!(world.till.taken(&order.id), 1);
    }
}

#[tokio::test]
async fn a_method_that_no_provider_takes_leaves_the_order_as_it_was() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_declined").await;

        let refused = world.pay(&order.id, "p", "card_none").await;
        let after = world.get(&order.id).await;
        let (_, held) = world.catalog.level("var_shirt");
        let again = world.pay(&order.id, "p", "card_none").await;
        let paid = world.pay(&order.id, "new", "sim_ok").await.unwrap();

        for refused in [refused, again] {
            assert_eq!(refusal(refused), (Code::FailedPrecondition, "NO_PROVIDER".into()));
        }
        assert_eq!(stands(&after), (State::PendingPayment, payment::State::Declined));
        assert_eq!(held, 2);
        assert_eq!(paid.state(), State::Confirmed);
    }
}

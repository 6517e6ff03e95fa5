//! Cancelling an order that was not sent.

use harness::Engine;
use mesh::Code;
use tradewind::catalog::v1::reservation;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{ShipOrderRequest, Shipment, payment};
use tradewind::payments::v1::{payment_intent, refund};

use crate::world::{PAST_LEASE, TOTAL, World, minor, refusal, stands};

#[tokio::test]
async fn an_unpaid_order_is_cancelled_with_its_payment() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_declined").await;

        let cancelled = world.cancel(&order.id).await.unwrap();

        assert_eq!(stands(&cancelled), (State::Cancelled, payment::State::Cancelled));
        assert_eq!(minor(cancelled.refunded.as_ref()), 0);
        assert_eq!(cancelled.cancel_reason, "changed my mind");
        assert_eq!(world.till.intent(&order.id).state(), payment_intent::State::Canceled);
        assert_eq!(world.catalog.level("var_shirt"), (10, 0));
    }
}

#[tokio::test]
async fn a_paid_order_is_cancelled_once_and_all_is_given_back() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;

        let cancelled = world.cancel(&order.id).await.unwrap();
        let again = world.cancel(&order.id).await.unwrap();
        world.settle().await;

        assert_eq!(stands(&cancelled), (State::Cancelled, payment::State::Refunded));
        assert_eq!(again, cancelled);
        assert_eq!(minor(cancelled.refunded.as_ref()), TOTAL);
        assert_eq!(world.till.kept(&order.id), 0);
        assert_eq!(world.catalog.reservation(&order.id), Some(reservation::State::Released));
        assert_eq!(world.catalog.level("var_shirt"), (10, 0));
        assert_eq!(world.listener.heard(&order.id), ["OrderConfirmed", "OrderCancelled"]);
    }
}

#[tokio::test]
async fn an_order_that_is_cancelled_before_its_stock_has_left_leaves_nothing_to_do() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        world.catalog.breaks.set("CommitReservation", crate::breaks::Break::Before);
        let order = world.placed("sim_ok").await;

        world.cancel(&order.id).await.unwrap();
        world.after(PAST_LEASE).await;

        assert_eq!(world.catalog.reservation(&order.id), Some(reservation::State::Released));
        assert_eq!(world.catalog.level("var_shirt"), (10, 0));
        assert!(world.harness.store("orders").dead_tasks(10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_shipped_order_is_not_cancelled() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;
        let shipment =
            Shipment { carrier: "DHL".into(), tracking_number: "1".into(), ..Shipment::default() };
        let request = ShipOrderRequest { id: order.id.clone(), shipment: Some(shipment) };
        world.client(&world.merchant()).ship_order(request).await.unwrap();

        let refused = world.cancel(&order.id).await;

        assert_eq!(refusal(refused), (Code::FailedPrecondition, "WRONG_ORDER_STATE".into()));
        assert_eq!(world.till.kept(&order.id), TOTAL);
    }
}

#[tokio::test]
async fn an_order_is_not_cancelled_while_a_refund_runs() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;
        world.till.end_refunds_as(refund::State::Pending);
        let running = world.refund(&order.id, "r", Some(100)).await;

        let refused = world.cancel(&order.id).await;
        world.till.end_refunds_as(refund::State::Succeeded);
        world.after(PAST_LEASE).await;
        let cancelled = world.cancel(&order.id).await.unwrap();

        assert_eq!(refusal(running), (Code::Aborted, "ORDER_BUSY".into()));
        assert_eq!(refusal(refused), (Code::Aborted, "ORDER_BUSY".into()));
        assert_eq!(stands(&cancelled), (State::Cancelled, payment::State::Refunded));
        assert_eq!(world.till.kept(&order.id), 0);
    }
}

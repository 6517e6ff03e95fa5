//! Neighbours that fail, before their effect or after it: the order is right all the same.

use harness::Engine;
use mesh::Code;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::payment;

use crate::breaks::Break;
use crate::world::{PAST_LEASE, World, stands};

#[tokio::test]
async fn a_checkout_whose_neighbour_fails_is_finished_once_by_its_task() {
    for engine in Engine::ALL {
        for rpc in ["Reserve", "Pay"] {
            for at in [Break::Before, Break::After] {
                let world = World::open(engine).await;
                world.catalog.breaks.set(rpc, at);
                world.till.breaks.set(rpc, at);

                let failed = world.place("k", "sim_ok").await.unwrap_err();
                world.after(PAST_LEASE).await;
                let order = world.place("k", "sim_ok").await.unwrap().order.unwrap();

                assert_eq!(failed.code(), Code::Unavailable, "{rpc} {at:?}");
                assert_eq!(stands(&order), (State::Confirmed, payment::State::Paid));
                assert_eq!(world.till.taken(&order.id), 1, "{rpc} {at:?}");
                assert_eq!(world.all().await.len(), 1);
                assert_eq!(world.catalog.level("var_shirt"), (8, 0));
                assert_eq!(world.listener.heard(&order.id), ["OrderConfirmed"]);
            }
        }
    }
}

#[tokio::test]
async fn stock_leaves_once_though_the_answer_is_lost() {
    for at in [Break::Before, Break::After] {
        let world = World::open(Engine::Sqlite).await;
        world.catalog.breaks.set("CommitReservation", at);

        world.placed("sim_ok").await;
        world.after(PAST_LEASE).await;

        assert!(world.catalog.breaks.are_spent());
        assert_eq!(world.catalog.level("var_shirt"), (8, 0));
    }
}

#[tokio::test]
async fn a_refused_checkout_is_undone_though_giving_back_fails() {
    for engine in Engine::ALL {
        for at in [Break::Before, Break::After] {
            let world = World::open(engine).await;
            world.catalog.breaks.set("ReleaseReservation", at);

            let failed = world.place("k", "card_none").await.unwrap_err();
            world.after(PAST_LEASE).await;

            assert_eq!(failed.code(), Code::Unavailable);
            assert!(world.all().await.is_empty());
            assert_eq!(world.catalog.level("var_shirt"), (10, 0));
            assert!(world.harness.store("orders").dead_tasks(10).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn a_cancelling_whose_neighbour_fails_is_finished_once_by_its_task() {
    for engine in Engine::ALL {
        for rpc in ["CancelPayment", "ReleaseReservation"] {
            for at in [Break::Before, Break::After] {
                let world = World::open(engine).await;
                let order = world.placed("sim_ok").await;
                world.catalog.breaks.set(rpc, at);
                world.till.breaks.set(rpc, at);

                let failed = world.cancel(&order.id).await.unwrap_err();
                let meanwhile = world.cancel(&order.id).await.unwrap();
                world.after(PAST_LEASE).await;

                assert_eq!(failed.code(), Code::Unavailable, "{rpc} {at:?}");
                assert_eq!(meanwhile.state(), State::Cancelling);
                assert_eq!(world.get(&order.id).await.state(), State::Cancelled);
                assert_eq!(world.till.kept(&order.id), 0);
                assert_eq!(world.catalog.level("var_shirt"), (10, 0));
                assert_eq!(world.listener.counts(&order.id)["OrderCancelled"], 1);
            }
        }
    }
}

#[tokio::test]
async fn a_catalog_that_does_not_answer_makes_no_order() {
    let world = World::open(Engine::Sqlite).await;
    world.catalog.breaks.set("BatchGetVariants", Break::Before);

    let failed = world.place("k", "sim_ok").await.unwrap_err();

    assert_eq!(failed.code(), Code::Unavailable);
    assert!(world.all().await.is_empty());
    assert!(world.place("k", "sim_ok").await.is_ok());
}

//! A process that dies between any two steps: what it began is finished once.

use harness::Engine;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{CancelOrderRequest, RefundOrderRequest, payment};

use crate::world::{PAST_LEASE, TOTAL, World, keyed, minor, shirts, stands};

/// The points of one process on its way forward.
fn points(process: &str) -> Vec<String> {
    let of_process = orders::points().into_iter().filter(|point| point.starts_with(process));
    let points: Vec<_> = of_process.filter(|point| !undoes(point)).collect();
    assert!(points.len() > 2, "{process} has its steps");
    points
}

fn undoes(point: &str) -> bool {
    point.contains("/undo_")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_that_dies_anywhere_is_done_to_its_end() {
    let points: Vec<_> = orders::points().into_iter().filter(|point| undoes(point)).collect();
    assert!(points.len() > 1, "{points:?}");
    for engine in Engine::ALL {
        for point in &points {
            let world = World::open(engine).await;
            let mut client = world.client(&world.customer());
            let call = keyed("k", shirts(2, "card_none"));

            world.crash_at(point, async move { client.place_order(call).await }).await;
            world.after(PAST_LEASE).await;

            assert!(world.all().await.is_empty(), "{point}");
            assert_eq!(world.catalog.level("var_shirt"), (10, 0), "{point}");
            // What it was refused for is known no more where nothing was held any more.
            let again = crate::world::refusal(world.place("k", "card_none").await);
            let why =
                if point.ends_with("undo_placed") { "ORDER_NOT_PLACED" } else { "NO_PROVIDER" };
            assert_eq!(again, (mesh::Code::FailedPrecondition, why.into()), "{point}");
            assert_eq!(world.till.intents(), 0, "{point}");
        }
    }
}

#[test]
fn every_point_is_of_a_process_that_is_tested_here() {
    let tested = ["checkout/", "cancelling/", "refunding/"];

    let covers = |point: &String| tested.iter().any(|process| point.starts_with(process));

    assert!(orders::points().iter().all(covers));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_that_dies_anywhere_is_finished_once() {
    for engine in Engine::ALL {
        for point in points("checkout/") {
            let world = World::open(engine).await;
            let mut client = world.client(&world.customer());
            let call = keyed("k", shirts(2, "sim_ok"));

            world.crash_at(&point, async move { client.place_order(call).await }).await;
            world.after(PAST_LEASE).await;
            let order = world.place("k", "sim_ok").await.unwrap().order.unwrap();

            assert_eq!(stands(&order), (State::Confirmed, payment::State::Paid), "{point}");
            assert_eq!(world.till.taken(&order.id), 1, "{point}");
            assert_eq!(world.till.intents(), 1, "{point}");
            assert_eq!(world.all().await.len(), 1, "{point}");
            assert_eq!(world.catalog.level("var_shirt"), (8, 0), "{point}");
            assert_eq!(world.listener.heard(&order.id), ["OrderConfirmed"], "{point}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_attempt_that_dies_anywhere_is_finished_once() {
    for point in points("checkout/") {
        let world = World::open(Engine::Sqlite).await;
        let order = world.placed("sim_declined").await;
        let mut client = world.client(&world.customer());
        let (id, payment_method) = (order.id.clone(), "sim_ok".into());
        let call = keyed("p", tradewind::orders::v1::PayOrderRequest { id, payment_method });

        world.crash_at(&point, async move { client.pay_order(call).await }).await;
        world.after(PAST_LEASE).await;
        let paid = world.pay(&order.id, "p", "sim_ok").await.unwrap();

        assert_eq!(stands(&paid), (State::Confirmed, payment::State::Paid), "{point}");
        assert_eq!(world.till.taken(&order.id), 1, "{point}");
        assert_eq!(world.till.intent(&order.id).attempts, 2, "{point}");
        assert_eq!(world.catalog.level("var_shirt"), (8, 0), "{point}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_that_dies_before_it_is_refused_is_undone() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let mut client = world.client(&world.customer());
        let call = keyed("k", shirts(2, "sim_ok"));

        world.crash_at("checkout/reserve", async move { client.place_order(call).await }).await;
        world.catalog.sell("var_shirt", 1_000, true, 0);
        world.after(PAST_LEASE).await;

        assert!(world.all().await.is_empty());
        assert_eq!(world.till.intents(), 0);
        world.catalog.sell("var_shirt", 1_000, true, 5);
        let again = crate::world::refusal(world.place("k", "sim_ok").await);
        assert_eq!(again, (mesh::Code::FailedPrecondition, "OUT_OF_STOCK".into()), "{engine:?}");
        assert!(world.place("new", "sim_ok").await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelling_that_dies_anywhere_is_finished_once() {
    for engine in Engine::ALL {
        for point in points("cancelling/") {
            let world = World::open(engine).await;
            let order = world.placed("sim_ok").await;
            let mut client = world.client(&world.customer());
            let call = CancelOrderRequest { id: order.id.clone(), reason: "late".into() };

            world.crash_at(&point, async move { client.cancel_order(call).await }).await;
            world.after(PAST_LEASE).await;

            let after = world.cancel(&order.id).await.unwrap();
            assert_eq!(stands(&after), (State::Cancelled, payment::State::Refunded), "{point}");
            assert_eq!(after.cancel_reason, "late");
            assert_eq!(world.till.kept(&order.id), 0, "{point}");
            assert_eq!(world.catalog.level("var_shirt"), (10, 0), "{point}");
            assert_eq!(world.listener.counts(&order.id)["OrderCancelled"], 1, "{point}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_dies_anywhere_is_finished_once() {
    for engine in Engine::ALL {
        for point in points("refunding/") {
            let world = World::open(engine).await;
            let order = world.placed("sim_ok").await;
            let mut client = world.client(&world.merchant());
            let amount = Some(tradewind::money::v1::Money::new(1_000, "EUR"));
            let (id, reason) = (order.id.clone(), "torn".into());
            let call = keyed("r", RefundOrderRequest { id, amount, reason });

            world.crash_at(&point, async move { client.refund_order(call).await }).await;
            world.after(PAST_LEASE).await;
            let refunded = world.refund(&order.id, "r", Some(1_000)).await.unwrap();

            assert_eq!(minor(refunded.refunded.as_ref()), 1_000, "{point}");
            assert_eq!(world.till.kept(&order.id), TOTAL - 1_000, "{point}");
            assert_eq!(world.till.refunds(), 1, "{point}");
            assert_eq!(world.listener.counts(&order.id)["OrderRefunded"], 1, "{point}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_is_undone_in_reverse_order() {
    use tradewind::catalog::v1::reservation::State as Stock;
    let stages =
        [("checkout/undo_reserve", Stock::Held), ("checkout/undo_placed", Stock::Released)];
    for (point, expected) in stages {
        let world = World::open(Engine::Sqlite).await;
        let mut client = world.client(&world.customer());
        let call = keyed("k", shirts(2, "card_none"));

        world.crash_at(point, async move { client.place_order(call).await }).await;

        // Where it stands still, what comes later has not been undone, and what comes before has.
        let order = world.all().await.remove(0);
        assert_eq!(order.state(), State::Placing, "{point}");
        assert_eq!(world.catalog.reservation(&order.id), Some(expected), "{point}");
    }
}

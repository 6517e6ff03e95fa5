//! One idempotency key is one order, however often its call comes.

use futures_util::future::join_all;
use harness::Engine;
use mesh::{Code, Response};
use tradewind::orders::v1::PlaceOrderRequest;

use crate::world::{World, keyed, refusal, shirts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_placed_16_times_at_once_is_one_order() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;

        let answers = join_all((0..16).map(|_| world.place("k", "sim_ok"))).await;
        world.settle().await;

        let first = answers[0].as_ref().unwrap();
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|same| same == first)));
        assert_eq!(world.all().await.len(), 1);
        assert_eq!(world.till.intents(), 1);
        let id = &first.order.as_ref().unwrap().id;
        assert_eq!(world.till.taken(id), 1);
        assert_eq!(world.catalog.level("var_shirt"), (8, 0));
        assert_eq!(world.listener.heard(id), ["OrderConfirmed"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_of_a_refused_order_16_times_at_once_is_16_refusals() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        world.catalog.sell("var_shirt", 1_000, true, 0);

        for answer in join_all((0..16).map(|_| world.place("k", "sim_ok"))).await {
            assert_eq!(refusal(answer), (Code::FailedPrecondition, "OUT_OF_STOCK".into()));
        }

        assert!(world.all().await.is_empty());
    }
}

#[tokio::test]
async fn a_refusal_is_the_end_of_its_key_whatever_changes_afterwards() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let mut client = world.client(&world.customer());
        let mut place = async |key: &str, request: PlaceOrderRequest| {
            client.place_order(keyed(key, request)).await.map(Response::into_inner)
        };
        // Refused by a process that was taken back, and before anything was written.
        world.catalog.sell("var_shirt", 1_000, true, 0);
        let short = place("stock", shirts(2, "sim_ok")).await.unwrap_err();
        let of_cart = PlaceOrderRequest { lines: Vec::new(), ..shirts(0, "sim_ok") };
        let empty = place("cart", of_cart.clone()).await.unwrap_err();

        world.catalog.sell("var_shirt", 1_000, true, 10);
        world.customers.fill("usr_1", &[("var_shirt", 2)]);

        for (key, request, first) in
            [("stock", shirts(2, "sim_ok"), short), ("cart", of_cart.clone(), empty)]
        {
            let again = place(key, request).await.unwrap_err();
            assert_eq!(again.metadata().get("idempotency-replayed").unwrap(), "true", "{engine:?}");
            assert!(first.metadata().get("idempotency-replayed").is_none(), "{engine:?}");
            assert_eq!(again.code(), first.code(), "{engine:?}");
            assert_eq!(again.message(), first.message(), "{engine:?}");
            assert_eq!(again.details(), first.details(), "{engine:?}");
        }
        assert!(world.all().await.is_empty());
        place("new", of_cart).await.unwrap();
        assert_eq!(world.all().await.len(), 1);
    }
}

#[tokio::test]
async fn a_repeat_after_the_cart_was_emptied_answers_the_same() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        world.customers.fill("usr_1", &[("var_shirt", 2)]);
        let request = PlaceOrderRequest { lines: Vec::new(), ..shirts(0, "sim_ok") };
        let mut client = world.client(&world.customer());

        let first = client.place_order(keyed("k", request.clone())).await.unwrap();
        world.customers.fill("usr_1", &[]);
        let again = client.place_order(keyed("k", request)).await.unwrap();

        assert_eq!(again.into_inner(), first.into_inner());
        assert_eq!(world.all().await.len(), 1);
    }
}

#[tokio::test]
async fn the_same_key_with_another_request_is_refused() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        world.place("k", "sim_ok").await.unwrap();

        let refused = world.place("k", "sim_declined").await;

        assert_eq!(refusal(refused), (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED".into()));
        assert_eq!(world.all().await.len(), 1);
    }
}

#[tokio::test]
async fn a_call_without_a_key_is_refused() {
    let world = World::open(Engine::Sqlite).await;

    let refused = world.client(&world.customer()).place_order(shirts(1, "sim_ok")).await;

    assert_eq!(refusal(refused), (Code::InvalidArgument, "IDEMPOTENCY_KEY_REQUIRED".into()));
}

#[tokio::test]
async fn a_guests_token_is_the_same_in_a_repeat() {
    let world = World::open(Engine::Sqlite).await;
    let mut guest = world.client(&world.harness.as_guest("gst_1"));
    let request = PlaceOrderRequest { email: "ada@example.com".into(), ..shirts(1, "sim_ok") };

    let first = guest.place_order(keyed("k", request.clone())).await.unwrap().into_inner();
    let again = guest.place_order(keyed("k", request)).await.unwrap().into_inner();

    assert!(!first.guest_token.is_empty());
    assert_eq!(again, first);
}

//! Calls that come together, and calls that come again.

use harness::Engine;
use mesh::{Context, Request, Status};
use tokio::task::JoinSet;
use tradewind::cart::v1::{AddLineRequest, CartLine};

use crate::shop::{Shop, in_it};

fn with_key(variant_id: &str, quantity: i64, key: &str) -> Request<AddLineRequest> {
    let mut request = Request::new(AddLineRequest { variant_id: variant_id.into(), quantity });
    request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

/// Adds with each key at once.
async fn add_all(shop: &Shop, of: &Context, keys: Vec<String>) -> Vec<Result<CartLine, Status>> {
    let mut calls = JoinSet::new();
    for key in keys {
        let mut cart = shop.cart(of);
        calls.spawn(async move {
            let answer = cart.add_line(with_key("var_a", 2, &key)).await;
            answer.map(mesh::Response::into_inner)
        });
    }
    calls.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_32_callers_add_at_once_adds_up() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, Some(64));

        let answers = add_all(&shop, &ada, (0..32).map(|at| format!("key-{at}")).collect()).await;

        let mut quantities: Vec<_> = answers.into_iter().map(|it| it.unwrap().quantity).collect();
        quantities.sort_unstable();
        assert_eq!(quantities, (1..=32).map(|at| 2 * at).collect::<Vec<_>>(), "{engine:?}");
        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 64)]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_call_that_comes_16_times_at_once_adds_once() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, None);

        let answers = add_all(&shop, &ada, vec!["key".into(); 16]).await;

        let first = answers[0].as_ref().unwrap();
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first), "{engine:?}");
        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 2)]));
    }
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_whatever_the_catalog_says_now() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, Some(2));
        let first = shop.cart(&ada).add_line(with_key("var_a", 2, "key")).await.unwrap();
        shop.shelf.archive("var_a");

        let again = shop.cart(&ada).add_line(with_key("var_a", 2, "key")).await.unwrap();

        assert_eq!(again.into_inner(), first.into_inner());
        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 2)]));
    }
}

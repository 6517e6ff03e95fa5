//! Many at once: stock is never sold twice, and one order is one order.

use std::sync::Arc;

use serde_json::json;
use store_testing::Engine;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::customer::{Person, order};
use crate::sample::product;
use crate::world::{Shape, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_buyers_of_ten_units_make_ten_orders() {
    for engine in Engine::ALL {
        let world = World::start(Shape::Near, engine).await;
        let merchant = Person::merchant(world.gateway).await;
        let variant = product(&merchant, "rare", 10).await;
        let mut buyers = Vec::new();
        for _ in 0..1000 {
            buyers.push(Person::guest(world.gateway).await);
        }

        let all = Arc::new(Barrier::new(buyers.len()));
        let mut attempts = JoinSet::new();
        for buyer in buyers {
            let (all, variant) = (Arc::clone(&all), variant.clone());
            attempts.spawn(async move {
                all.wait().await;
                buyer.post_once("/v1/orders", "rare", order(&[(&variant, 1)], "sim_ok")).await
            });
        }
        let answers = attempts.join_all().await;

        let sold = answers.iter().filter(|it| it.status == 200).count();
        let refused = answers.iter().filter(|it| it.reason() == "OUT_OF_STOCK").count();
        let others: Vec<_> = answers
            .iter()
            .filter(|it| it.status != 200 && it.reason() != "OUT_OF_STOCK")
            .take(3)
            .collect();
        assert_eq!((sold, refused), (10, 990), "{engine:?}: {others:?}");
        let stock = format!("/v1/stock/{variant}");
        merchant
            .get_until(&stock, |level| level["onHand"] == "0" && level["reserved"] == "0")
            .await;
        let orders = merchant.get("/v1/orders?pageSize=1000").await;
        assert_eq!(orders.json["orders"].as_array().map(Vec::len), Some(10), "{engine:?}");
        let book = merchant.get("/v1/ledger:verify").await;
        assert_eq!(book.json["problems"], json!([]), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_order_placed_sixteen_times_at_once_is_one_order() {
    for engine in Engine::ALL {
        let world = World::start(Shape::Near, engine).await;
        let merchant = Person::merchant(world.gateway).await;
        let variant = product(&merchant, "once", 100).await;
        let guest = Person::guest(world.gateway).await;

        let mut attempts = JoinSet::new();
        for _ in 0..16 {
            let (guest, body) = (guest.clone(), order(&[(&variant, 1)], "sim_ok"));
            attempts.spawn(async move { guest.post_once("/v1/orders", "once", body).await });
        }
        let answers = attempts.join_all().await;

        for answer in &answers {
            assert_eq!(answer.status, 200, "{engine:?} {answer:?}");
            assert_eq!(answer.json, answers[0].json, "{engine:?}");
        }
        let orders = guest.get("/v1/orders").await;
        assert_eq!(orders.json["orders"].as_array().map(Vec::len), Some(1), "{engine:?}");
        let intent = answers[0].text("/order/payment/intentId");
        let attempts = merchant.get(&format!("/v1/payments/{intent}/attempts")).await;
        assert_eq!(attempts.json["attempts"].as_array().map(Vec::len), Some(1), "{engine:?}");
        let stock = format!("/v1/stock/{variant}");
        merchant
            .get_until(&stock, |level| level["onHand"] == "99" && level["reserved"] == "0")
            .await;
    }
}

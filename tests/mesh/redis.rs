//! Orders while Redis, and who reads there, are killed and come again: nothing is lost, nobody is told twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use store_testing::Engine;
use tokio::task::JoinSet;

use crate::customer::{Person, order};
use crate::sample::product;
use crate::world::{BY_REDIS, Shape, World};

const BUYERS: usize = 4;
const ORDERS: usize = 15;
/// Batches that went without Redis.
const DIRECTLY: &str = "redis_event_batches_total{way=\"Direct\"} ";

#[tokio::test(flavor = "multi_thread")]
async fn orders_go_on_while_redis_and_a_replica_are_killed_and_each_has_its_effects_once() {
    let mut redis = store_testing::Redis::start();
    let options = ["--redis", &redis.url()];
    let mut world = World::start_with(Shape::Far, Engine::Postgres, &options).await;
    world.replicate("notifications", "replica").await;
    let merchant = Person::merchant(world.gateway).await;
    let variant = product(&merchant, "stream", 1000).await;

    let placed = Arc::<AtomicUsize>::default();
    let mut buying = buy(&world, &variant, &placed).await;
    reaches(&placed, 10).await;
    redis.kill();
    reaches(&placed, 25).await;
    redis.restart();
    reaches(&placed, 40).await;
    world.kill("replica").await;
    let mut orders = Vec::new();
    while let Some(bought) = buying.join_next().await {
        orders.extend(bought.unwrap());
    }

    assert_eq!(orders.len(), BUYERS * ORDERS);
    for id in &orders {
        let mails = format!("/v1/mails?filter=reference%20%3D%20%22{id}%22");
        merchant.get_until(&mails, |it| it["mails"].as_array().map(Vec::len) == Some(1)).await;
    }
    let left = (1000 - orders.len()).to_string();
    let stock = format!("/v1/stock/{variant}");
    merchant.get_until(&stock, |it| it["onHand"] == *left && it["reserved"] == "0").await;
    let book = merchant.get("/v1/ledger:verify").await;
    assert_eq!(book.json["problems"], json!([]));
    // Some went one way, some the other.
    assert!(world.counts("orders", BY_REDIS).await > 0);
    assert!(world.counts("orders", DIRECTLY).await > 0);
}

/// Buyers who place one order after the other; the ids of what they have bought.
async fn buy(world: &World, variant: &str, placed: &Arc<AtomicUsize>) -> JoinSet<Vec<String>> {
    let mut buying = JoinSet::new();
    for _ in 0..BUYERS {
        let buyer = Person::guest(world.gateway).await;
        let (variant, placed) = (variant.to_owned(), Arc::clone(placed));
        buying.spawn(async move {
            let mut orders = Vec::new();
            for at in 0..ORDERS {
                let asked = order(&[(&variant, 1)], "sim_ok");
                let answer = buyer.post_once("/v1/orders", &format!("order-{at}"), asked).await;
                assert_eq!(answer.text("/order/state"), "STATE_CONFIRMED", "{answer:?}");
                orders.push(answer.text("/order/id"));
                placed.fetch_add(1, Ordering::SeqCst);
            }
            orders
        });
    }
    buying
}

/// Waits until so many orders are placed.
async fn reaches(placed: &AtomicUsize, count: usize) {
    while placed.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
}

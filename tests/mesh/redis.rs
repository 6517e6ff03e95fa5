//! Orders while Redis, and who reads there, are killed and come again: nothing is lost, nobody is told twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use store_testing::Engine;
use tokio::task::JoinSet;

use crate::customer::{Person, order};
use crate::http::call;
use crate::sample::product;
use crate::world::{BY_REDIS, Shape, World};

const BUYERS: usize = 4;
const ORDERS: usize = 15;
/// Batches that went without Redis.
const DIRECTLY: &str = "redis_event_batches_total{way=\"Direct\"} ";

/// Products that were not read again.
const HITS: &str = "mesh_response_cache_hits_total{grpc_method=\"tradewind.catalog.v1.CatalogService/GetProduct\"} ";

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

#[tokio::test(flavor = "multi_thread")]
async fn replicas_give_each_others_answers_until_one_of_them_changes_what_they_show() {
    let redis = store_testing::Redis::start();
    let options = ["--redis", &redis.url()];
    let mut world = World::start_with(Shape::Near, Engine::Postgres, &options).await;
    world.replicate("gateway", "replica").await;
    let other = world.gateway_of("replica");
    let merchant = Person::merchant(world.gateway).await;
    product(&merchant, "shared", 5).await;
    let [here, there] =
        [world.gateway, other].map(|gateway| Person { gateway, token: merchant.token.clone() });
    let listed = |it: &Value| it["products"].as_array().is_some_and(|it| !it.is_empty());
    let path = "/v1/products:search?query=shared";
    here.get_until(path, listed).await;
    there.get_until(path, listed).await;
    let guests = [Person::guest(here.gateway).await, Person::guest(there.gateway).await];
    let found = guests[0].get_until(path, listed).await;
    let product = format!("/v1/products/{}", found.text("/products/0/id"));

    let kept = || redis.ask("KEYS mesh:answers:*");
    let before = kept();
    let asked = guests[0].get(&product).await;
    assert_eq!(asked.text("/title"), "Product shared");
    // Nobody waits until it is kept for the others.
    while kept() == before {
        tokio::task::yield_now().await;
    }
    let hits = || world.counts("replica", HITS);
    let before = hits().await;
    let shared = guests[1].get(&product).await;
    assert_eq!((shared.json, hits().await), (asked.json.clone(), before + 1));

    let mut changed = asked.json;
    changed["title"] = json!("Product changed");
    let updated = there.send(http::Method::PATCH, &product, &[], changed).await;
    assert_eq!(updated.status, 200, "{updated:?}");
    guests[0].get_until(&product, |it| it["title"] == "Product changed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_passwords_has_one_budget_at_all_gateways() {
    let redis = store_testing::Redis::start();
    let options = ["--redis", &redis.url(), "--credentials-per-minute", "12"];
    let mut world = World::start_with(Shape::Near, Engine::Postgres, &options).await;
    world.replicate("gateway", "replica").await;
    let gateways = [world.gateway, world.gateway_of("replica")];

    let mut tried = 0;
    for at in 0..24 {
        let guess =
            json!({"email": format!("{at}@example.com"), "password": "a long enough guess"});
        let answer =
            call(http::Method::POST, gateways[at % 2], "/v1/sessions", &[], guess.to_string())
                .await;
        assert!([401, 429].contains(&answer.status), "{answer:?}");
        tried += usize::from(answer.status == 401);
    }

    // Each alone would let all of its twelve through; one more comes every five seconds.
    assert!((12..20).contains(&tried), "{tried} of 24 were tried");
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

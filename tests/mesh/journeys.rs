//! What customers and merchants do, in both shapes and on both databases.

use serde_json::json;
use store_testing::Engine;

use crate::customer::{Person, order};
use crate::sample::product;
use crate::world::{BY_REDIS, Shape, WORLDS, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_buys_and_the_merchant_delivers() {
    for (shape, engine) in WORLDS {
        buys_and_delivers(&World::start(shape, engine).await, shape).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_buys_and_the_merchant_delivers_through_redis() {
    let redis = store_testing::Redis::start();
    let options = ["--redis", &redis.url()];
    let world = World::start_with(Shape::Far, Engine::Postgres, &options).await;

    buys_and_delivers(&world, Shape::Far).await;

    assert!(world.counts("orders", BY_REDIS).await > 0, "events went through Redis");
}

async fn buys_and_delivers(world: &World, shape: Shape) {
    let merchant = Person::merchant(world.gateway).await;
    let variant = product(&merchant, "journey", 5).await;
    let guest = Person::guest(world.gateway).await;

    let line = guest.post("/v1/cart/lines", json!({"variantId": variant, "quantity": 2})).await;
    assert_eq!(line.status, 200, "{shape:?} {line:?}");
    let cart = guest.get("/v1/cart").await;
    assert_eq!(cart.text("/subtotal/minor"), "5000", "{shape:?}");
    let placed = guest.post_once("/v1/orders", "journey", order(&[], "sim_ok")).await;
    assert_eq!(placed.text("/order/state"), "STATE_CONFIRMED", "{shape:?} {placed:?}");
    let id = placed.text("/order/id");
    let token = placed.text("/guestToken");

    // By events and tasks: the cart is emptied, the stock leaves, the mail is written.
    guest.get_until("/v1/cart", |cart| cart["lines"] == json!([])).await;
    let stock = format!("/v1/stock/{variant}");
    merchant.get_until(&stock, |level| level["onHand"] == "3" && level["reserved"] == "0").await;
    let shipment = json!({"shipment": {"carrier": "DHL", "trackingNumber": "1"}});
    let shipped = merchant.post(&format!("/v1/orders/{id}:ship"), shipment).await;
    assert_eq!(shipped.text("/state"), "STATE_SHIPPED", "{shape:?}");
    let delivered = merchant.post(&format!("/v1/orders/{id}:deliver"), json!({})).await;
    assert_eq!(delivered.text("/state"), "STATE_DELIVERED", "{shape:?}");
    let part = json!({"amount": {"currencyCode": "EUR", "minor": "1000"}, "reason": "late"});
    let refunded = merchant.post_once(&format!("/v1/orders/{id}:refund"), "part", part).await;
    assert_eq!(refunded.text("/refunded/minor"), "1000", "{shape:?} {refunded:?}");

    let mails = format!("/v1/mails?filter=reference%20%3D%20%22{id}%22");
    merchant
        .get_until(&mails, |mails| mails["mails"].as_array().is_some_and(|it| it.len() == 4))
        .await;
    let seen = guest.post(&format!("/v1/orders/{id}:guest"), json!({"guestToken": token})).await;
    assert_eq!(seen.text("/id"), id, "{shape:?}");
    let book = merchant.get("/v1/ledger:verify").await;
    assert_eq!(book.json["problems"], json!([]), "{shape:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_order_is_paid_another_way_or_cancelled() {
    for (shape, engine) in WORLDS {
        let world = World::start(shape, engine).await;
        let merchant = Person::merchant(world.gateway).await;
        let variant = product(&merchant, "declined", 5).await;
        let guest = Person::guest(world.gateway).await;

        let placed =
            guest.post_once("/v1/orders", "one", order(&[(&variant, 1)], "sim_declined")).await;
        assert_eq!(placed.text("/order/state"), "STATE_PENDING_PAYMENT", "{shape:?}");
        assert_eq!(placed.text("/order/payment/state"), "STATE_DECLINED", "{shape:?}");
        let pay = format!("/v1/orders/{}:pay", placed.text("/order/id"));
        let paid = guest.post_once(&pay, "two", json!({"paymentMethod": "sim_ok"})).await;
        assert_eq!(paid.text("/state"), "STATE_CONFIRMED", "{shape:?} {paid:?}");

        let placed =
            guest.post_once("/v1/orders", "three", order(&[(&variant, 1)], "sim_declined")).await;
        let id = placed.text("/order/id");
        let cancelled =
            guest.post(&format!("/v1/orders/{id}:cancel"), json!({"reason": "no"})).await;
        assert_eq!(cancelled.text("/state"), "STATE_CANCELLED", "{shape:?} {cancelled:?}");
        let stock = format!("/v1/stock/{variant}");
        merchant
            .get_until(&stock, |level| level["onHand"] == "4" && level["reserved"] == "0")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_needs_a_step_or_is_unknown_is_decided_later() {
    for (shape, engine) in WORLDS {
        let world = World::start(shape, engine).await;
        let merchant = Person::merchant(world.gateway).await;
        let variant = product(&merchant, "later", 5).await;
        let guest = Person::guest(world.gateway).await;

        let asked = order(&[(&variant, 1)], "sim_requires_action");
        let placed = guest.post_once("/v1/orders", "one", asked).await;
        assert_eq!(placed.text("/order/payment/state"), "STATE_REQUIRES_ACTION", "{shape:?}");
        let intent = placed.text("/order/payment/intentId");
        let step = format!("/v1/payments/{intent}:completeAction");
        let step = guest.post(&step, json!({"approve": true})).await;
        assert_eq!(step.status, 200, "{shape:?} {step:?}");
        let path = format!("/v1/orders/{}", placed.text("/order/id"));
        guest.get_until(&path, |order| order["state"] == "STATE_CONFIRMED").await;

        let placed =
            guest.post_once("/v1/orders", "two", order(&[(&variant, 1)], "sim_unknown")).await;
        assert_eq!(placed.text("/order/payment/state"), "STATE_UNKNOWN", "{shape:?} {placed:?}");
        let path = format!("/v1/orders/{}", placed.text("/order/id"));
        guest.get_until(&path, |order| order["state"] == "STATE_CONFIRMED").await;
    }
}

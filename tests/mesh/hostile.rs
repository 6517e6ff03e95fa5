//! Input that nobody should send: a clear error with the field's name, and nothing changed.

use http::Method;
use serde_json::json;
use store_testing::Engine;

use crate::customer::{Person, order};
use crate::http::{call, try_call};
use crate::sample::product;
use crate::world::{Shape, World};

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_its_field_and_changes_nothing() {
    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let merchant = Person::merchant(world.gateway).await;
    let variant = product(&merchant, "hostile", 5).await;
    let guest = Person::guest(world.gateway).await;
    let lines = "/v1/cart/lines";

    let cases = [
        (json!({"variantId": variant, "quantity": -1}), 400, "quantity"),
        (json!({"variantId": variant, "quantity": 1_000_000_000}), 400, "quantity"),
        (json!({"variantId": variant, "quantity": "many"}), 400, "quantity"),
        (json!({"variantId": variant, "quantity": 1, "price": 1}), 400, "price"),
        (json!({"variantId": "", "quantity": 1}), 400, "variant_id"),
        (json!({"variantId": ["a"], "quantity": 1}), 400, "variantId"),
    ];
    for (body, status, field) in cases {
        let answer = guest.post(lines, body.clone()).await;
        assert_eq!(answer.status, status, "{body} {answer:?}");
        assert!(answer.json.to_string().contains(field), "{body} {answer:?}");
    }
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let authorization = format!("Bearer {}", guest.token);
    let headers = [("authorization", authorization.as_str())];
    let answer = call(Method::POST, world.gateway, lines, &headers, deep).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let huge = vec![b' '; 5 << 20];
    // The gateway answers before it has read it all, which can cut the sending off.
    if let Ok(answer) = try_call(Method::POST, world.gateway, lines, &headers, huge).await {
        assert_eq!(answer.status, 413, "{answer:?}");
    }

    let cart = guest.get("/v1/cart").await;
    assert_eq!(cart.json["lines"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_what_is_not_theirs() {
    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let merchant = Person::merchant(world.gateway).await;
    let variant = product(&merchant, "theirs", 5).await;
    let (ada, eve) = (Person::guest(world.gateway).await, Person::guest(world.gateway).await);
    let placed = ada.post_once("/v1/orders", "mine", order(&[(&variant, 1)], "sim_ok")).await;
    let id = placed.text("/order/id");
    let intent = placed.text("/order/payment/intentId");

    for path in [
        format!("/v1/orders/{id}"),
        format!("/v1/orders/{id}/history"),
        format!("/v1/payments/{intent}"),
    ] {
        let answer = eve.get(&path).await;
        assert_eq!(answer.status, 404, "{path} {answer:?}");
    }
    let answer = eve.post(&format!("/v1/orders/{id}:cancel"), json!({})).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    let answer =
        eve.post(&format!("/v1/orders/{id}:guest"), json!({"guestToken": "tw_ot_x"})).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    for (path, body) in [
        (
            format!("/v1/orders/{id}:ship"),
            json!({"shipment": {"carrier": "a", "trackingNumber": "b"}}),
        ),
        (format!("/v1/stock/{variant}:set"), json!({"onHand": 9})),
    ] {
        let answer = eve.post(&path, body).await;
        assert_eq!(
            (answer.status, answer.reason()),
            (403, "PERMISSION_DENIED"),
            "{path} {answer:?}"
        );
    }
    assert_eq!(ada.get(&format!("/v1/orders/{id}")).await.text("/state"), "STATE_CONFIRMED");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_good_are_refused() {
    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let guest = Person::guest(world.gateway).await;
    let (head, signature) = guest.token.rsplit_once('.').unwrap();
    let (_, claims) = head.split_once('.').unwrap();
    let altered = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");

    for token in ["x", "", "a.b.c", &altered, &unsigned] {
        let answer = Person { gateway: world.gateway, token: token.into() }.get("/v1/cart").await;
        assert_eq!((answer.status, answer.reason()), (401, "INVALID_TOKEN"), "{token} {answer:?}");
    }
    // What only processes of the mesh may say is nothing from outside.
    let forged = [
        ("tradewind-acting", "orders"),
        ("tradewind-service", "x"),
        ("tradewind-project", "other"),
        ("tradewind-on-behalf", "usr_1"),
    ];
    let answer = call(Method::GET, world.gateway, "/v1/mails", &forged, "").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let answer = call(Method::GET, world.gateway, "/v1/cart", &[], "").await;
    assert_eq!((answer.status, answer.reason()), (401, "UNAUTHENTICATED"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_etag_is_refused() {
    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let merchant = Person::merchant(world.gateway).await;
    product(&merchant, "etag", 5).await;
    let read = merchant.get("/v1/products/etag").await.json;
    let path = format!("/v1/products/{}", read["id"].as_str().unwrap());

    let mut first = read.clone();
    first["title"] = json!("First");
    let answer = merchant.send(Method::PATCH, &path, &[], first).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut second = read;
    second["title"] = json!("Second");
    let answer = merchant.send(Method::PATCH, &path, &[], second).await;

    assert_eq!((answer.status, answer.reason()), (409, "STALE_ETAG"), "{answer:?}");
    assert_eq!(merchant.get("/v1/products/etag").await.text("/title"), "First");
}

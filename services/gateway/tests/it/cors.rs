//! Pages of other origins.

use gateway::{Gateway, Options};

use crate::support::{Answer, asking, parrot, parrot_with, send};

const SHOP: &str = "https://shop.example";

fn open_to(origin: &str) -> Gateway {
    parrot_with(Options { allowed_origins: vec![origin.into()], ..Options::default() })
}

async fn preflight(gateway: &Gateway, origin: &str) -> Answer {
    let request = asking("OPTIONS", "/v1/echo")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,idempotency-key");
    send(gateway, request.body("".into()).unwrap()).await
}

async fn call(gateway: &Gateway, origin: &str, path: &str) -> Answer {
    send(gateway, asking("GET", path).header("origin", origin).body("".into()).unwrap()).await
}

#[tokio::test]
async fn an_allowed_origin_may_ask_and_read() {
    let gateway = open_to(SHOP);

    let asked = preflight(&gateway, SHOP).await;
    let called = call(&gateway, SHOP, "/v1/echo/a").await;

    assert_eq!(asked.status, 204);
    assert_eq!(asked.header("access-control-allow-origin"), SHOP);
    assert_eq!(asked.header("access-control-allow-headers"), "authorization,idempotency-key");
    assert!(asked.header("access-control-allow-methods").contains("PATCH"));
    assert_eq!(called.header("access-control-allow-origin"), SHOP);
    assert_eq!(called.header("access-control-expose-headers"), "*");
    assert!(called.headers.get_all("vary").iter().any(|value| value == "origin"));
}

#[tokio::test]
async fn failures_can_be_read_too() {
    let answer = call(&open_to(SHOP), SHOP, "/nope").await;

    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("access-control-allow-origin"), SHOP);
}

#[tokio::test]
async fn another_origin_is_told_nothing() {
    for gateway in [open_to(SHOP), parrot()] {
        for answer in [
            preflight(&gateway, "https://shop.example.evil").await,
            call(&gateway, "https://evil.example", "/v1/echo/a").await,
        ] {
            assert_eq!(answer.header("access-control-allow-origin"), "");
            assert_eq!(answer.header("access-control-allow-headers"), "");
        }
    }
}

#[tokio::test]
async fn a_star_is_every_origin_and_never_credentials() {
    let answer = call(&open_to("*"), "https://any.example", "/v1/echo/a").await;

    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

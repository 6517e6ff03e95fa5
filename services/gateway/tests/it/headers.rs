//! What of the headers passes.

use std::net::SocketAddr;

use crate::support::{Answer, asking, get, parrot, send};

async fn with(headers: &[(&str, &str)]) -> Answer {
    let mut request = asking("GET", "/v1/echo/a");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(&parrot(), request.body("".into()).unwrap()).await
}

#[tokio::test]
async fn what_matters_to_services_goes_in() {
    let headers = [
        ("authorization", "Bearer t"),
        ("idempotency-key", "k"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "a=b"),
        ("tradewind-anything", "shop"),
    ];

    let answer = with(&headers).await;

    for (name, value) in headers {
        assert_eq!(answer.header(&format!("seen-{name}")), value);
    }
    assert_eq!(answer.header("seen-content-type"), "application/grpc");
    assert_eq!(answer.header("seen-te"), "trailers");
}

#[tokio::test]
async fn what_only_the_mesh_may_say_does_not() {
    let names = [
        "tradewind-service",
        "tradewind-acting",
        "tradewind-on-behalf",
        "tradewind-project",
        "tradewind-client-address",
        "cookie",
        "connection",
        "x-anything",
        "grpc-timeout",
        "transfer-encoding",
    ];

    let answer = with(&names.map(|name| (name, "x"))).await;

    for name in names {
        assert_eq!(answer.header(&format!("seen-{name}")), "", "{name}");
    }
}

#[tokio::test]
async fn nothing_of_grpc_comes_out() {
    let answer = with(&[]).await;

    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("grpc-")));
    assert_eq!(answer.header("after"), "all");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_timeout_in_seconds_is_the_calls_deadline() {
    for (seconds, timeout) in
        [("2", "2000m"), ("0.25", "250m"), ("0.0001", "1m"), ("100000", "100000S")]
    {
        let answer = with(&[("x-request-timeout", seconds)]).await;
        assert_eq!(answer.header("seen-grpc-timeout"), timeout);
    }
    for wrong in ["0", "-1", "soon", "NaN", "inf"] {
        let answer = with(&[("x-request-timeout", wrong)]).await;
        assert_eq!(answer.failure(), (400, "INVALID_HEADER".into()), "{wrong}");
    }
}

#[tokio::test]
async fn the_callers_address_goes_along() {
    let mut request = get("/v1/echo/a");
    request.extensions_mut().insert(SocketAddr::from(([192, 0, 2, 1], 4000)));

    let answer = send(&parrot(), request).await;

    assert_eq!(answer.header("seen-peer"), "192.0.2.1:4000");
}

//! What went wrong, as REST callers are told it.

use serde_json::{Value, json};

use crate::support::{Answer, asking, get, parrot, post, send};

async fn failing(told: Value) -> Answer {
    send(&parrot(), post("/v1/fail", &told.to_string())).await
}

#[tokio::test]
async fn every_code_has_its_http_status() {
    for (code, status, name) in [
        (1, 499, "CANCELLED"),
        (2, 500, "UNKNOWN"),
        (3, 400, "INVALID_ARGUMENT"),
        (4, 504, "DEADLINE_EXCEEDED"),
        (5, 404, "NOT_FOUND"),
        (6, 409, "ALREADY_EXISTS"),
        (7, 403, "PERMISSION_DENIED"),
        (8, 429, "RESOURCE_EXHAUSTED"),
        (9, 400, "FAILED_PRECONDITION"),
        (10, 409, "ABORTED"),
        (11, 400, "OUT_OF_RANGE"),
        (12, 501, "UNIMPLEMENTED"),
        (13, 500, "INTERNAL"),
        (14, 503, "UNAVAILABLE"),
        (15, 500, "DATA_LOSS"),
        (16, 401, "UNAUTHENTICATED"),
    ] {
        let answer = failing(json!({ "code": code, "reason": "R", "message": "no" })).await;
        assert_eq!(answer.failure(), (status, "R".into()));
        assert_eq!(answer.json()["error"]["status"], name);
        assert_eq!(answer.json()["error"]["code"], status);
    }
}

#[tokio::test]
async fn all_details_are_told_with_the_trace() {
    let told = json!({ "code": 9, "reason": "OUT_OF_STOCK", "message": "no", "retryMs": 1500,
        "field": "lines[0]", "precondition": "var_1" });

    let answer = failing(told).await;

    let of = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    let details = answer.json()["error"]["details"].as_array().unwrap().clone();
    let find = |name: &str| details.iter().find(|it| it["@type"] == of(name)).unwrap().clone();
    assert_eq!(find("ErrorInfo")["metadata"], json!({ "key": "value" }));
    assert_eq!(find("RetryInfo")["retryDelay"], "1.500s");
    assert_eq!(find("BadRequest")["fieldViolations"][0]["field"], "lines[0]");
    assert_eq!(find("PreconditionFailure")["violations"][0]["subject"], "var_1");
    assert_eq!(find("RequestInfo")["requestId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(answer.header("retry-after"), "2");
    assert_eq!(answer.header("trace-id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("grpc-")));
}

#[tokio::test]
async fn a_key_used_for_something_else_is_422() {
    let told = json!({ "code": 9, "reason": "IDEMPOTENCY_KEY_REUSED", "message": "no" });

    assert_eq!(failing(told).await.status, 422);
}

#[tokio::test]
async fn a_service_cannot_borrow_the_gateways_own_reasons() {
    let told = json!({ "code": 3, "reason": "METHOD_NOT_ALLOWED", "message": "no" });

    assert_eq!(failing(told).await.status, 400);
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_how() {
    let unknown = failing(json!({ "code": 16, "reason": "UNAUTHENTICATED" })).await;
    let invalid = failing(json!({ "code": 16, "reason": "INVALID_TOKEN" })).await;

    assert_eq!(unknown.header("www-authenticate"), r#"Bearer realm="tradewind""#);
    let wanted = r#"Bearer realm="tradewind", error="invalid_token""#;
    assert_eq!(invalid.header("www-authenticate"), wanted);
}

#[tokio::test]
async fn a_failure_without_details_still_names_its_request() {
    let answer = failing(json!({ "code": 14, "message": "é", "plain": true })).await;

    let id = answer.header("request-id");
    assert!(id.starts_with("req_"), "{answer:?}");
    let request = json!({ "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": id });
    let error =
        json!({ "code": 503, "status": "UNAVAILABLE", "message": "é", "details": [request] });
    assert_eq!(answer.json(), json!({ "error": error }));
}

#[tokio::test]
async fn every_refusal_names_the_trace_that_its_caller_began() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let traced = |method: &str, path: &str, media_type: &str| {
        asking(method, path)
            .header("content-type", media_type)
            .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
            .body("".into())
            .unwrap()
    };
    for (method, path, media_type) in [
        ("GET", "/nope", ""),
        ("PATCH", "/v1/echo/a", ""),
        ("POST", "/healthz", ""),
        ("GET", "/v1/absent", ""),
        ("GET", "/v1/echo/%zz", ""),
        ("PUT", "/test.v1.EchoService/Echo", ""),
        ("POST", "/test.v1.EchoService/Echo", "application/xml"),
        ("POST", "/test.v1.EchoService/Echo", "application/grpc"),
        ("POST", "/test.v1.EchoService/Echo", "application/grpc-web+json"),
    ] {
        let answer = send(&parrot(), traced(method, path, media_type)).await;
        assert_eq!(answer.header("trace-id"), TRACE, "{method} {path}");
        assert!(answer.text().contains(TRACE), "{method} {path}");
    }
}

#[tokio::test]
async fn a_service_that_does_not_run_is_503() {
    let answer = send(&parrot(), get("/v1/absent")).await;

    assert_eq!(answer.failure(), (503, "SERVICE_NOT_RUNNING".into()));
}

#[tokio::test]
async fn internal_rpcs_and_those_without_a_policy_do_not_exist() {
    let gateway = parrot();
    for path in ["/v1/hidden/a", "/v1/unsaid/a", "/test.v1.EchoService/Hidden", "/nope"] {
        let answer = send(&gateway, get(path)).await;
        assert_eq!(answer.failure(), (404, "NO_ROUTE".into()), "{path}");
        assert_eq!(answer.json()["error"]["details"][0]["domain"], "gateway.tradewind");
    }
    let by_post = send(&gateway, post("/test.v1.EchoService/Hidden", "{}")).await;
    assert_eq!(by_post.failure(), (404, "NO_ROUTE".into()));
}

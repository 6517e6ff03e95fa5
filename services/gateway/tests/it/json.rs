//! Bodies that are not what they should be.

use gateway::Options;

use crate::support::{Answer, asking, parrot, parrot_with, post, send};

async fn echoed(json: &str) -> Answer {
    send(&parrot(), post("/v1/echo", json)).await
}

#[tokio::test]
async fn an_unknown_field_is_named() {
    let answer = echoed(r#"{"nested":{"inner":{"nope":1}}}"#).await;

    assert_eq!(answer.failure(), (400, "INVALID_FIELD".into()));
    assert_eq!(answer.field(), "nested.inner.nope");
}

#[tokio::test]
async fn a_wrong_type_is_named() {
    for (json, field) in [
        (r#"{"small":"x"}"#, "small"),
        (r#"{"small":1.5}"#, "small"),
        (r#"{"name":5}"#, "name"),
        (r#"{"flag":"true"}"#, "flag"),
        (r#"{"tags":["a",1]}"#, "tags[1]"),
        (r#"{"color":"GREEN"}"#, "color"),
        (r#"{"at":"tomorrow"}"#, "at"),
        (r#"{"data":"*"}"#, "data"),
        (r#"{"inner":[]}"#, "inner"),
        (r#"{"labels":{"k":1}}"#, "labels.k"),
    ] {
        let answer = echoed(json).await;
        assert_eq!(answer.failure(), (400, "INVALID_FIELD".into()), "{json}");
        assert_eq!(answer.field(), field, "{json}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_told_so() {
    for json in ["{", "{]", "nope", r#"{"name":"a"} x"#, r#"{"name":"a",}"#, "\u{feff}{}"] {
        assert_eq!(echoed(json).await.failure(), (400, "MALFORMED_JSON".into()), "{json}");
    }
    for json in ["[]", "5", r#""x""#] {
        assert_eq!(echoed(json).await.failure(), (400, "MALFORMED_MESSAGE".into()), "{json}");
    }
}

#[tokio::test]
async fn sixty_four_levels_are_read_and_one_more_is_not() {
    let nested = |levels: usize| {
        format!("{}{{}}{}", r#"{"nested":"#.repeat(levels - 1), "}".repeat(levels - 1))
    };

    assert_eq!(echoed(&nested(64)).await.status, 200);
    assert_eq!(echoed(&nested(65)).await.failure(), (400, "BODY_TOO_DEEP".into()));
    let bomb = "[".repeat(1_000_000);
    assert_eq!(echoed(&bomb).await.failure(), (400, "BODY_TOO_DEEP".into()));
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let gateway = parrot_with(Options { max_body_bytes: 32, ..Options::default() });
    let json = |length: usize| format!(r#"{{"name":"{}"}}"#, "x".repeat(length - 11));

    let fits = send(&gateway, post("/v1/echo", &json(32))).await;
    let over = send(&gateway, post("/v1/echo", &json(33))).await;

    assert_eq!(fits.status, 200);
    assert_eq!(over.failure(), (413, "BODY_TOO_LARGE".into()));
}

#[tokio::test]
async fn a_body_that_is_not_said_to_be_json_is_415() {
    let gateway = parrot();
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let request = asking("POST", "/v1/echo").header("content-type", media_type);
        let answer = send(&gateway, request.body("{}".into()).unwrap()).await;
        assert_eq!(answer.failure(), (415, "UNSUPPORTED_MEDIA_TYPE".into()), "{media_type}");
    }
}

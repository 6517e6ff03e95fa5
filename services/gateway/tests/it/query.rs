//! Query parameters.

use serde_json::json;

use crate::support::{Answer, get, parrot, post, send, with_json};

async fn asked(query: &str) -> Answer {
    send(&parrot(), get(&format!("/v1/echo/a?{query}"))).await
}

#[tokio::test]
async fn every_kind_has_its_text_form() {
    let query = "inner.id=i&inner.snakeCase=1&tags=x&tags=y+z&color=COLOR_RED&flag=true&big=-9007199254740993\
        &at=2026-01-31T12:00:00.5Z&lasting=1.5s&mask=name,inner.snakeCase&small=7&ratio=0.5&data=_-8\
        &maybe=0&numbers=1&numbers=2&note=&colors=COLOR_BLUE&colors=1&left=l";

    let answer = asked(query).await;

    assert_eq!(
        answer.json(),
        json!({
            "name": "a", "inner": { "id": "i", "snakeCase": 1 }, "tags": ["x", "y z"],
            "color": "COLOR_RED", "flag": true, "big": "-9007199254740993",
            "at": "2026-01-31T12:00:00.500Z", "lasting": "1.500s", "mask": "name,inner.snakeCase",
            "small": 7, "ratio": 0.5, "data": "/+8=", "labels": {}, "maybe": 0, "numbers": [1, 2],
            "note": "", "colors": ["COLOR_BLUE", "COLOR_RED"], "left": "l", "inners": [],
        }),
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_parameter_is_told_with_its_name() {
    for (query, name) in [
        ("small=x", "small"),
        ("small=2147483648", "small"),
        ("flag=yes", "flag"),
        ("color=GREEN", "color"),
        ("color=9", "color"),
        ("at=tomorrow", "at"),
        ("lasting=5", "lasting"),
        ("data=*", "data"),
        ("inner=x", "inner"),
        ("labels=x", "labels"),
        ("labels.k=x", "labels.k"),
        ("inners.id=x", "inners.id"),
        ("nope=1", "nope"),
        ("inner.nope=1", "inner.nope"),
        ("tags.x=1", "tags.x"),
        ("small=0&small=0", "small"),
        ("left=a&right=1", "right"),
        ("name=b", "name"),
    ] {
        let answer = asked(query).await;
        assert_eq!(answer.failure(), (400, "INVALID_PARAMETER".into()), "{query}");
        assert_eq!(answer.field(), name, "{query}");
    }
}

#[tokio::test]
async fn a_parameter_more_than_sixteen_messages_deep_is_refused() {
    let deep = format!("{}name=x", "nested.".repeat(40));

    assert_eq!(asked(&deep).await.failure(), (400, "INVALID_PARAMETER".into()));
}

#[tokio::test]
async fn a_path_variable_of_the_wrong_type_is_told_with_its_name() {
    let gateway = parrot();

    let right = send(&gateway, get("/v1/numbers/7")).await;
    let wrong = send(&gateway, get("/v1/numbers/seven")).await;

    assert_eq!(right.json()["small"], 7);
    assert_eq!(
        (wrong.failure(), wrong.field()),
        ((400, "INVALID_PARAMETER".into()), "small".into())
    );
}

#[tokio::test]
async fn what_the_body_holds_is_no_parameter() {
    let gateway = parrot();

    let whole = send(&gateway, post("/v1/echo?small=1", "{}")).await;
    let field = send(&gateway, with_json("POST", "/v1/echo/a:shout?inner.id=i", "{}")).await;
    let beside = send(&gateway, with_json("POST", "/v1/echo/a:shout?small=1", "{}")).await;

    assert_eq!(whole.failure(), (400, "INVALID_PARAMETER".into()));
    assert_eq!(field.field(), "inner.id");
    assert_eq!(beside.json()["small"], 1);
}

#[tokio::test]
async fn a_broken_escape_in_the_query_is_refused() {
    assert_eq!(asked("tags=%zz").await.failure(), (400, "MALFORMED_QUERY".into()));
}

//! Path templates, bodies and response bodies.

use serde_json::json;

use crate::support::{asking, get, parrot, post, send, with_json};

#[tokio::test]
async fn a_literal_beats_a_variable() {
    let answer = send(&parrot(), get("/v1/echo/literal")).await;

    assert_eq!(answer.json(), json!(""));
}

#[tokio::test]
async fn a_literal_without_the_method_leaves_the_variable_to_answer() {
    let answer =
        send(&parrot(), asking("DELETE", "/v1/echo/literal").body("".into()).unwrap()).await;

    assert_eq!(answer.json()["name"], "literal");
}

#[tokio::test]
async fn a_verb_beats_an_id_that_ends_like_it() {
    let gateway = parrot();

    let shout = send(&gateway, with_json("POST", "/v1/echo/a:shout", r#"{"id":"i"}"#)).await.json();
    let plain = send(&gateway, get("/v1/echo/a:b")).await.json();
    let encoded = send(&gateway, get("/v1/echo/a%3Ashout")).await.json();

    assert_eq!((&shout["name"], &shout["inner"]["id"]), (&json!("a"), &json!("i")));
    assert_eq!(plain["name"], "a:b");
    assert_eq!(encoded["name"], "a:shout");
}

#[tokio::test]
async fn a_variable_over_several_segments_keeps_its_literals() {
    let request = with_json("PUT", "/v1/shelves/a%20b/books/c", r#"["x","y"]"#);

    let answer = send(&parrot(), request).await.json();

    assert_eq!(answer["name"], "shelves/a b/books/c");
    assert_eq!(answer["tags"], json!(["x", "y"]));
}

#[tokio::test]
async fn an_encoded_slash_is_text_in_one_segment_and_stays_encoded_over_several() {
    let gateway = parrot();

    let one = send(&gateway, get("/v1/echo/a%2Fb")).await.json();
    let many = send(&gateway, get("/v1/inner/i/tail/x%2Fy/z")).await.json();

    assert_eq!(one["name"], "a/b");
    assert_eq!(many["nested"]["name"], "x%2Fy/z");
}

#[tokio::test]
async fn nested_fields_come_from_the_path_and_the_rest_may_be_empty() {
    let answer = send(&parrot(), get("/v1/inner/i/tail")).await.json();

    assert_eq!(answer["inner"]["id"], "i");
    assert_eq!(answer["nested"]["name"], "");
}

#[tokio::test]
async fn broken_percent_encoding_is_refused() {
    for path in ["/v1/echo/%zz", "/v1/echo/%f", "/v1/echo/%ff"] {
        let answer = send(&parrot(), get(path)).await;
        assert_eq!(answer.failure(), (400, "MALFORMED_PATH".into()), "{path}");
    }
}

#[tokio::test]
async fn empty_segments_match_nothing() {
    for path in ["/v1/echo/", "/v1//a", "//v1/echo/a", "/v1/echo/a/"] {
        let answer = send(&parrot(), get(path)).await;
        assert_eq!(answer.failure(), (404, "NO_ROUTE".into()), "{path}");
    }
}

#[tokio::test]
async fn another_method_is_405_with_those_that_are_answered() {
    let answer = send(&parrot(), with_json("PATCH", "/v1/echo/a", "{}")).await;

    assert_eq!(answer.failure(), (405, "METHOD_NOT_ALLOWED".into()));
    assert_eq!(answer.header("allow"), "DELETE, GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn options_tells_the_methods() {
    let answer = send(&parrot(), asking("OPTIONS", "/v1/echo").body("".into()).unwrap()).await;

    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("allow"), "OPTIONS, POST");
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let gateway = parrot();
    let full = send(&gateway, get("/v1/echo/a")).await;

    let head = send(&gateway, asking("HEAD", "/v1/echo/a").body("".into()).unwrap()).await;

    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), full.body.len().to_string());
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn a_response_body_is_one_field_of_the_answer() {
    let gateway = parrot();

    let list = send(&gateway, get("/v1/tags/a?tags=x&tags=y")).await.json();
    let message = send(&gateway, get("/v1/inners/a?inner.id=i")).await.json();
    let absent = send(&gateway, get("/v1/inners/a")).await.json();

    assert_eq!(list, json!(["x", "y"]));
    assert_eq!(message, json!({ "id": "i", "snakeCase": 0 }));
    assert_eq!(absent, json!(null));
}

#[tokio::test]
async fn a_body_for_one_field_cannot_bring_another() {
    let request = with_json("PUT", "/v1/shelves/a/books/b", r#"[], "small": 5"#);

    let answer = send(&parrot(), request).await;

    assert_eq!(answer.failure(), (400, "MALFORMED_JSON".into()));
}

#[tokio::test]
async fn an_empty_body_is_an_empty_message() {
    let answer = send(&parrot(), asking("POST", "/v1/echo").body("".into()).unwrap()).await;

    assert_eq!(answer.json()["name"], "");
}

#[tokio::test]
async fn raw_bodies_pass_as_they_are() {
    let gateway = parrot();
    let upload = asking("PUT", "/v1/uploads/u").header("content-type", "image/png");

    let down = send(&gateway, get("/v1/files/a/b.csv")).await;
    let up = send(&gateway, upload.body("PNG".into()).unwrap()).await.json();
    let stream = r#"{"things":[{"name":"a,"},{"name":"b\n"},{"name":"c"}]}"#;
    let pour = send(&gateway, post("/v1/pour", stream)).await;

    assert_eq!((down.header("content-type"), down.text()), ("text/csv", "a/b.csv"));
    assert_eq!(up["name"], "u");
    assert_eq!(up["file"], json!({ "contentType": "image/png", "data": "UE5H" }));
    assert_eq!((pour.header("content-type"), pour.text()), ("text/csv", "a,b\nc"));
}

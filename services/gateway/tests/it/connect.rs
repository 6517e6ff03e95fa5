//! The Connect protocol.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use prost::Message;
use serde_json::{Value, json};
use tonic_types::pb;
use tradewind::catalog::v1::{GetProductRequest, Product};

use crate::support::{Answer, asking, framed, get, parrot, post, send, shop, unframed};

const GET_PRODUCT: &str = "/tradewind.catalog.v1.CatalogService/GetProduct";
const FOLLOW: &str = "/test.v1.EchoService/Follow";

fn stream(media_type: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    let request = asking("POST", FOLLOW).header("content-type", media_type);
    request.header("connect-protocol-version", "1").body(body.into()).unwrap()
}

fn last(answer: &Answer) -> Value {
    let messages = unframed(&answer.body);
    let (flag, end) = messages.last().unwrap();
    assert_eq!(*flag, 2);
    serde_json::from_slice(end).unwrap()
}

#[tokio::test]
async fn a_unary_call_is_answered_in_json() {
    let answer = send(&shop(), post(GET_PRODUCT, r#"{"id":"prd_1"}"#)).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["title"], "A shirt");
    assert_eq!(answer.header("etag"), "\"7\"");
}

#[tokio::test]
async fn a_unary_call_is_answered_in_protobuf() {
    let message = GetProductRequest { id: "prd_1".into() }.encode_to_vec();
    let request = asking("POST", GET_PRODUCT).header("content-type", "application/proto");

    let answer = send(&shop(), request.body(message.into()).unwrap()).await;

    assert_eq!(answer.header("content-type"), "application/proto");
    assert_eq!(Product::decode(answer.body).unwrap().title, "A shirt");
}

#[tokio::test]
async fn a_call_without_effect_can_be_a_get() {
    let encoded = URL_SAFE_NO_PAD.encode(GetProductRequest { id: "prd_1".into() }.encode_to_vec());

    let json =
        format!("{GET_PRODUCT}?connect=v1&encoding=json&message=%7B%22id%22%3A%22prd_1%22%7D");
    let json = send(&shop(), get(&json)).await;
    let proto = format!("{GET_PRODUCT}?connect=v1&encoding=proto&base64=1&message={encoded}");
    let proto = send(&shop(), get(&proto)).await;
    let other = "/tradewind.catalog.v1.CatalogService/CreateProduct?encoding=json&message=%7B%7D";
    let other = send(&shop(), get(other)).await;

    assert_eq!(json.json()["title"], "A shirt");
    assert_eq!(Product::decode(proto.body).unwrap().title, "A shirt");
    assert_eq!((other.status, other.header("allow")), (405, "OPTIONS, POST"));
}

#[tokio::test]
async fn a_failure_has_its_code_and_encoded_details() {
    let answer = send(&shop(), post(GET_PRODUCT, r#"{"id":"nope"}"#)).await;

    assert_eq!(answer.status, 404);
    let error = answer.json();
    assert_eq!(error["code"], "not_found");
    assert_eq!(error["message"], "product nope does not exist");
    let detail = &error["details"][0];
    assert_eq!(detail["type"], "google.rpc.ErrorInfo");
    let value = STANDARD_NO_PAD.decode(detail["value"].as_str().unwrap()).unwrap();
    assert_eq!(pb::ErrorInfo::decode(value.as_slice()).unwrap().reason, "PRODUCT_NOT_FOUND");
    assert_eq!(detail["debug"]["reason"], "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn metadata_goes_both_ways_and_trailers_have_their_prefix() {
    let request = asking("POST", "/test.v1.EchoService/Echo")
        .header("content-type", "application/json")
        .header("connect-protocol-version", "1")
        .header("connect-timeout-ms", "1500")
        .header("x-custom", "c")
        .header("x-custom-bin", "AAE")
        .header("tradewind-service", "users");

    let answer = send(&parrot(), request.body("{}".into()).unwrap()).await;

    assert_eq!(answer.header("seen-grpc-timeout"), "1500m");
    assert_eq!(answer.header("seen-x-custom"), "c");
    assert_eq!(answer.header("seen-x-custom-bin"), "AAE");
    assert_eq!(answer.header("seen-tradewind-service"), "");
    assert_eq!(answer.header("seen-connect-protocol-version"), "");
    assert_eq!(answer.header("trailer-after"), "all");
    assert_eq!(answer.header("trailer-grpc-status"), "");
}

#[tokio::test]
async fn what_the_protocol_does_not_allow_is_refused() {
    let call = |name: &str, value: &str| {
        let request = asking("POST", GET_PRODUCT).header("content-type", "application/json");
        request.header(name, value).body(r#"{"id":"prd_1"}"#.into()).unwrap()
    };
    for (name, value, status, code) in [
        ("connect-protocol-version", "2", 400, "invalid_argument"),
        ("connect-timeout-ms", "soon", 400, "invalid_argument"),
        ("connect-timeout-ms", "12345678901", 400, "invalid_argument"),
    ] {
        let answer = send(&shop(), call(name, value)).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(code)),
            "{name}: {value}"
        );
    }
    let unknown = send(&shop(), post(GET_PRODUCT, r#"{"nope":1}"#)).await;
    assert_eq!(unknown.json()["details"][1]["debug"]["fieldViolations"][0]["field"], "nope");
}

#[tokio::test]
async fn another_codec_is_415() {
    let xml = asking("POST", GET_PRODUCT).header("content-type", "application/xml");
    let answer = send(&shop(), xml.body("".into()).unwrap()).await;
    assert_eq!(
        (answer.status, answer.header("accept-post")),
        (415, "application/json, application/proto")
    );

    let unary_for_stream = send(&parrot(), post(FOLLOW, "{}")).await;
    let wanted = (415, "application/connect+json, application/connect+proto");
    assert_eq!((unary_for_stream.status, unary_for_stream.header("accept-post")), wanted);
}

#[tokio::test]
async fn a_server_stream_is_enveloped_messages_and_an_end() {
    let body = framed(0, br#"{"things":[{"name":"a"},{"name":"b"}]}"#);

    let answer = send(&parrot(), stream("application/connect+json", body)).await;

    assert_eq!(answer.header("content-type"), "application/connect+json");
    let messages = unframed(&answer.body);
    assert_eq!(messages.len(), 3);
    let second: Value = serde_json::from_slice(&messages[1].1).unwrap();
    assert_eq!((messages[1].0, &second["name"]), (0, &json!("b")));
    assert_eq!(last(&answer), json!({ "metadata": { "after": ["all"] } }));
}

#[tokio::test]
async fn a_server_stream_in_protobuf_passes_its_bytes() {
    // Things { things: [Thing { name: "a" }] }
    let message = [0x0a, 3, 0x0a, 1, b'a'];

    let answer = send(&parrot(), stream("application/connect+proto", framed(0, &message))).await;

    assert_eq!(unframed(&answer.body)[0], (0, vec![0x0a, 1, b'a']));
}

#[tokio::test]
async fn a_stream_that_fails_says_so_at_its_end() {
    let body = framed(0, br#"{"things":[{}],"code":8}"#);

    let answer = send(&parrot(), stream("application/connect+json", body)).await;

    assert_eq!(answer.status, 200);
    assert_eq!(last(&answer)["error"]["code"], "resource_exhausted");
}

#[tokio::test]
async fn a_stream_that_is_not_framed_right_fails_at_its_end() {
    for (body, code) in [
        (Vec::new(), "unimplemented"),
        (vec![0, 0, 0], "invalid_argument"),
        ([framed(0, b"{}"), framed(0, b"{}")].concat(), "unimplemented"),
        (framed(1, b"{}"), "internal"),
        (framed(2, b"{}"), "invalid_argument"),
        (vec![0, 0xff, 0xff, 0xff, 0xff, b'{'], "resource_exhausted"),
        (framed(0, b"{"), "invalid_argument"),
    ] {
        let answer = send(&parrot(), stream("application/connect+json", body)).await;
        assert_eq!(last(&answer)["error"]["code"], code);
    }
}

#[tokio::test]
async fn hidden_rpcs_cannot_be_called() {
    for path in ["Hidden", "Unsaid"] {
        let answer = send(&parrot(), to(path, framed(0, b"{}"))).await;
        assert_eq!(last(&answer)["error"]["code"], "unimplemented", "{path}");
    }
}

#[tokio::test]
async fn a_client_stream_is_answered_like_a_server_stream() {
    let answer = send(&parrot(), to("Gather", framed(0, br#"{"name":"a"}"#))).await;

    let messages = unframed(&answer.body);
    let first: Value = serde_json::from_slice(&messages[0].1).unwrap();
    assert_eq!((messages.len(), &first["name"]), (2, &json!("a")));
    assert_eq!(last(&answer), json!({ "metadata": { "after": ["all"] } }));
}

#[tokio::test]
async fn a_client_stream_that_breaks_ends_with_what_was_wrong_with_it() {
    let whole = framed(0, b"{}");
    for (body, code) in [
        ([&whole, whole.split_last().unwrap().1].concat(), "invalid_argument"),
        ([&whole, framed(0, b"{").as_slice()].concat(), "invalid_argument"),
        ([&whole, framed(1, b"{}").as_slice()].concat(), "internal"),
        ([&whole, [0, 0xff, 0xff, 0xff, 0xff].as_slice()].concat(), "resource_exhausted"),
    ] {
        let answer = send(&parrot(), to("Gather", body)).await;
        assert_eq!(last(&answer)["error"]["code"], code);
    }
}

/// A stream to an RPC of the echo.
fn to(rpc: &str, body: Vec<u8>) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let request = asking("POST", &format!("/test.v1.EchoService/{rpc}"));
    request.header("content-type", "application/connect+json").body(body.into()).unwrap()
}

#[tokio::test]
async fn what_only_clients_of_the_protocol_send_is_refused_without_json() {
    let asking = |method: &str, path: &str, media_type: &str| {
        let request = asking(method, path).header("content-type", media_type);
        request.header("connect-protocol-version", "1").body("".into()).unwrap()
    };
    for (method, path, media_type, status) in [
        ("DELETE", GET_PRODUCT, "application/json", 405),
        ("POST", "/tradewind.catalog.v1.CatalogService/Nope", "application/proto", 404),
        ("POST", GET_PRODUCT, "application/xml", 415),
    ] {
        let answer = send(&shop(), asking(method, path, media_type)).await;

        let told = (answer.status, answer.header("content-type"));
        assert_eq!(told, (status, "text/plain; charset=utf-8"), "{method} {path}");
    }
}

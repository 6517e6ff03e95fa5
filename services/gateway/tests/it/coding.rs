//! Content codings: what callers accept, and what they send.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use gateway::Options;
use serde_json::{Value, json};

use crate::support::{
    Answer, asking, framed, get, parrot, parrot_with, post, send, shop, unframed,
};

const ECHO: &str = "/test.v1.EchoService/Echo";
const FOLLOW: &str = "/test.v1.EchoService/Follow";

pub(crate) fn packed(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn unpacked(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(data).read_to_end(&mut plain).unwrap();
    plain
}

async fn accepting(method: &str, path: &str, accepted: &str) -> Answer {
    let request = asking(method, path).header("accept-encoding", accepted);
    send(&parrot(), request.body("".into()).unwrap()).await
}

/// A path whose answer is long enough to be packed.
fn long() -> String {
    format!("/v1/echo/{}", "x".repeat(2000))
}

fn varies_by_coding(answer: &Answer) -> bool {
    answer.headers.get_all("vary").iter().any(|value| value == "accept-encoding")
}

#[tokio::test]
async fn a_long_answer_is_packed_for_those_who_accept_it() {
    let plain = send(&parrot(), get(&long())).await;

    let answer = accepting("GET", &long(), "br, gzip;q=0.8").await;

    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(answer.body.len() < 600, "{}", answer.body.len());
    assert_eq!(unpacked(&answer.body), plain.body);
    assert_eq!(plain.header("content-encoding"), "");
    assert!(varies_by_coding(&answer) && varies_by_coding(&plain));
}

#[tokio::test]
async fn connect_and_the_pages_are_packed_too() {
    let body = format!(r#"{{"name":"{}"}}"#, "x".repeat(2000));
    let call = asking("POST", ECHO)
        .header("content-type", "application/json")
        .header("accept-encoding", "gzip");

    let called = send(&parrot(), call.body(body.into()).unwrap()).await;

    let message: Value = serde_json::from_slice(&unpacked(&called.body)).unwrap();
    assert_eq!(message["name"], "x".repeat(2000));
    for path in ["/", "/docs", "/openapi.json"] {
        let page = accepting("GET", path, "gzip").await;
        assert_eq!(page.header("content-encoding"), "gzip", "{path}");
        assert!(varies_by_coding(&page), "{path}");
        assert!(unpacked(&page.body).len() > page.body.len(), "{path}");
    }
}

#[tokio::test]
async fn what_is_short_or_not_accepted_goes_as_it_is() {
    for (path, accepted) in [
        ("/v1/echo/short".to_owned(), "gzip"),
        (long(), "gzip;q=0"),
        (long(), "identity, gzip;q=0.5"),
        (long(), "br"),
    ] {
        let answer = accepting("GET", &path, accepted).await;
        assert_eq!(answer.header("content-encoding"), "", "{accepted}");
        assert!(answer.json()["name"].is_string() && varies_by_coding(&answer), "{accepted}");
    }
}

#[tokio::test]
async fn who_rules_identity_out_gets_gzip_or_a_refusal() {
    let short = accepting("GET", "/v1/echo/short", "gzip, identity;q=0").await;
    let neither = accepting("GET", "/v1/echo/short", "br, *;q=0").await;

    assert_eq!(short.header("content-encoding"), "gzip");
    assert_eq!(neither.failure(), (406, "NOT_ACCEPTABLE".into()));
}

#[tokio::test]
async fn a_strong_tag_becomes_weak_when_the_bytes_change() {
    let request = asking("GET", "/v1/products/prd_1").header("accept-encoding", "gzip, *;q=0");

    let answer = send(&shop(), request.body("".into()).unwrap()).await;

    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(answer.header("etag"), "W/\"7\"");
}

#[tokio::test]
async fn head_says_what_get_would() {
    for path in [long(), "/docs".to_owned()] {
        let full = accepting("GET", &path, "gzip").await;
        let head = accepting("HEAD", &path, "gzip").await;

        assert_eq!(head.header("content-encoding"), "gzip");
        assert_eq!(head.header("content-length"), full.body.len().to_string());
        assert_eq!(head.header("etag"), full.header("etag"));
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn a_page_that_is_known_is_not_sent_again() {
    let first = send(&shop(), get("/openapi.json")).await;
    let tag = first.header("etag");
    assert!(tag.starts_with('"'));

    for known in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let request = asking("GET", "/openapi.json")
            .header("if-none-match", known)
            .header("accept-encoding", "gzip");
        let again = send(&shop(), request.body("".into()).unwrap()).await;
        assert_eq!(again.status, 304);
        assert!(again.body.is_empty() && varies_by_coding(&again));
        assert!(again.header("etag").ends_with(tag));
    }
    let other = asking("GET", "/openapi.json").header("if-none-match", "\"x\"");
    assert_eq!(send(&shop(), other.body("".into()).unwrap()).await.status, 200);
}

#[tokio::test]
async fn streams_are_never_packed_as_a_whole() {
    for accept in ["application/x-ndjson", "text/event-stream"] {
        let request = asking("POST", "/v1/follow")
            .header("content-type", "application/json")
            .header("accept", accept)
            .header("accept-encoding", "gzip, *;q=0");
        let things = json!({ "things": [{ "name": "x".repeat(3000) }] });

        let answer = send(&parrot(), request.body(things.to_string().into()).unwrap()).await;

        assert_eq!(answer.header("content-encoding"), "", "{accept}");
        assert!(answer.text().contains("xxx"));
    }
}

async fn sending(path: &str, coding: &str, body: Vec<u8>) -> Answer {
    let request = asking("POST", path)
        .header("content-type", "application/json")
        .header("content-encoding", coding);
    let gateway = parrot_with(Options { max_body_bytes: 10_000, ..Options::default() });
    send(&gateway, request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn packed_bodies_are_read() {
    for path in ["/v1/echo", ECHO] {
        for coding in ["gzip", "GZip", "x-gzip"] {
            let answer = sending(path, coding, packed(br#"{"name":"a"}"#)).await;
            assert_eq!(answer.json()["name"], "a", "{path} {coding}");
        }
        let plain = sending(path, "identity", br#"{"name":"a"}"#.to_vec()).await;
        assert_eq!(plain.json()["name"], "a");
    }
    assert_eq!(sending("/v1/echo", "gzip", Vec::new()).await.json()["name"], "");
}

#[tokio::test]
async fn a_body_that_unpacks_to_more_than_the_limit_is_refused() {
    let bomb = packed(&vec![b' '; 9_000_000]);
    assert!(bomb.len() < 10_000);

    let rest = sending("/v1/echo", "gzip", bomb.clone()).await;
    let connect = sending(ECHO, "gzip", bomb).await;

    assert_eq!(rest.failure(), (413, "BODY_TOO_LARGE".into()));
    assert_eq!((connect.status, &connect.json()["code"]), (429, &json!("resource_exhausted")));
}

#[tokio::test]
async fn codings_that_are_broken_or_not_known_are_refused() {
    let broken = sending("/v1/echo", "gzip", b"{}".to_vec()).await;
    assert_eq!(broken.failure(), (400, "MALFORMED_ENCODING".into()));

    for coding in ["br", "gzip, gzip", "deflate"] {
        let rest = sending("/v1/echo", coding, packed(b"{}")).await;
        let connect = sending(ECHO, coding, packed(b"{}")).await;
        assert_eq!(rest.failure(), (415, "UNSUPPORTED_ENCODING".into()), "{coding}");
        assert_eq!(rest.header("accept-encoding"), "gzip, identity");
        assert_eq!((connect.status, &connect.json()["code"]), (501, &json!("unimplemented")));
        assert!(connect.json()["message"].as_str().unwrap().contains("gzip"));
        assert_eq!(connect.header("accept-encoding"), "gzip, identity");
    }
}

async fn following(headers: &[(&str, &str)], flag: u8, message: &[u8]) -> Answer {
    let mut request = asking("POST", FOLLOW).header("content-type", "application/connect+json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(&parrot(), request.body(framed(flag, message).into()).unwrap()).await
}

#[tokio::test]
async fn messages_of_a_connect_stream_are_packed_one_by_one() {
    let things = json!({ "things": [{ "name": "x".repeat(2000) }, { "name": "short" }] });
    let message = packed(things.to_string().as_bytes());
    let named = ("connect-content-encoding", "gzip");

    for headers in [vec![named], vec![named, ("connect-accept-encoding", "br, gzip")]] {
        let answer = following(&headers, 1, &message).await;

        assert_eq!(answer.header("connect-content-encoding"), "gzip");
        assert_eq!(answer.header("content-encoding"), "");
        let messages = unframed(&answer.body);
        let flags: Vec<u8> = messages.iter().map(|message| message.0).collect();
        assert_eq!(flags, [1, 0, 2]);
        let first: Value = serde_json::from_slice(&unpacked(&messages[0].1)).unwrap();
        assert_eq!(first["name"], "x".repeat(2000));
    }
}

#[tokio::test]
async fn a_connect_stream_is_not_packed_for_those_who_do_not_accept_it() {
    let things = json!({ "things": [{ "name": "x".repeat(2000) }] }).to_string();
    let named = ("connect-content-encoding", "gzip");

    for headers in [vec![], vec![named, ("connect-accept-encoding", "identity")]] {
        let answer = following(&headers, 0, things.as_bytes()).await;

        assert_eq!(answer.header("connect-content-encoding"), "");
        assert_eq!(unframed(&answer.body)[0].0, 0);
        assert_eq!(answer.header("connect-accept-encoding"), "gzip, identity");
    }
}

#[tokio::test]
async fn a_connect_stream_packed_in_another_way_ends_with_the_reason() {
    let message = packed(b"{}");
    for (headers, code) in [
        (vec![], "internal"),
        (vec![("connect-content-encoding", "identity")], "internal"),
        (vec![("connect-content-encoding", "zstd")], "unimplemented"),
    ] {
        let answer = following(&headers, 1, &message).await;

        let (flag, end) = unframed(&answer.body).pop().unwrap();
        let end: Value = serde_json::from_slice(&end).unwrap();
        assert_eq!((flag, &end["error"]["code"]), (2, &json!(code)));
    }
}

#[tokio::test]
async fn a_connect_get_may_be_packed() {
    let call = |compression: &str, message: &str| {
        get(&format!("{ECHO}?encoding=json&base64=1&compression={compression}&message={message}"))
    };
    let message = URL_SAFE_NO_PAD.encode(packed(br#"{"name":"a"}"#));

    let read = send(&parrot(), call("gzip", &message)).await;
    let other = send(&parrot(), call("br", &message)).await;
    let broken = send(&parrot(), call("gzip", "e30")).await;

    assert_eq!(read.json()["name"], "a");
    assert_eq!((other.status, &other.json()["code"]), (501, &json!("unimplemented")));
    assert_eq!((broken.status, &broken.json()["code"]), (400, &json!("invalid_argument")));
}

#[tokio::test]
async fn grpc_web_is_unpacked_for_the_services() {
    let call = |coding: &str, flag: u8, message: &[u8]| {
        asking("POST", ECHO)
            .header("content-type", "application/grpc-web+proto")
            .header("grpc-encoding", coding)
            .body(framed(flag, message).into())
            .unwrap()
    };
    let message = [0x0a, 1, b'a'];

    let read = send(&parrot(), call("gzip", 1, &packed(&message))).await;
    let plain = send(&parrot(), call("gzip", 0, &message)).await;
    let other = send(&parrot(), call("zstd", 1, &message)).await;

    for answer in [read, plain] {
        assert_eq!(unframed(&answer.body)[0], (0, message.to_vec()));
        assert_eq!(answer.header("seen-grpc-encoding"), "");
    }
    let trailers = String::from_utf8(unframed(&other.body).pop().unwrap().1).unwrap();
    assert!(trailers.contains("grpc-status: 12\r\n"), "{trailers}");
    assert_eq!(other.header("grpc-accept-encoding"), "gzip, identity");
}

#[tokio::test]
async fn a_failure_is_packed_as_an_answer_is() {
    let told = json!({ "code": 3, "reason": "R", "message": "long ".repeat(300) });
    let request = asking("POST", "/v1/fail")
        .header("content-type", "application/json")
        .header("accept-encoding", "gzip");

    let answer = send(&parrot(), request.body(told.to_string().into()).unwrap()).await;

    assert_eq!((answer.status, answer.header("content-encoding")), (400, "gzip"));
    assert!(String::from_utf8(unpacked(&answer.body)).unwrap().contains("INVALID_ARGUMENT"));
    assert_eq!(send(&parrot(), post("/v1/fail", "{}")).await.header("content-encoding"), "");
}

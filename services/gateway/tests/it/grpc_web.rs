//! gRPC-Web, binary and text.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gateway::Gateway;
use prost::Message;
use tradewind::catalog::v1::{GetProductRequest, Product};

use crate::support::{Answer, asking, framed, parrot, send, shop, unframed};

const GET_PRODUCT: &str = "/tradewind.catalog.v1.CatalogService/GetProduct";

async fn call(gateway: &Gateway, path: &str, media_type: &str, body: Vec<u8>) -> Answer {
    let request = asking("POST", path).header("content-type", media_type).header("x-grpc-web", "1");
    send(gateway, request.body(body.into()).unwrap()).await
}

fn asking_for(id: &str) -> Vec<u8> {
    framed(0, &GetProductRequest { id: id.into() }.encode_to_vec())
}

/// The messages and the text of the trailers.
fn read(body: &[u8]) -> (Vec<Vec<u8>>, String) {
    let mut frames = unframed(body);
    let (flag, trailers) = frames.pop().unwrap();
    assert_eq!(flag, 0x80);
    let messages = frames.into_iter().map(|(flag, message)| {
        assert_eq!(flag, 0);
        message
    });
    (messages.collect(), String::from_utf8(trailers).unwrap())
}

#[tokio::test]
async fn a_binary_call_is_answered_with_trailers_in_the_body() {
    let body = asking_for("prd_1");
    for media_type in ["application/grpc-web", "application/grpc-web+proto"] {
        let answer = call(&shop(), GET_PRODUCT, media_type, body.clone()).await;

        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
        assert!(answer.trailers.is_empty());
        let (messages, trailers) = read(&answer.body);
        assert_eq!(Product::decode(messages[0].as_slice()).unwrap().title, "A shirt");
        assert!(trailers.contains("grpc-status: 0\r\n"), "{trailers}");
    }
}

#[tokio::test]
async fn a_text_call_may_come_in_padded_pieces() {
    let body = asking_for("prd_1");
    let (first, second) = body.split_at(4);
    let text = BASE64_STANDARD.encode(first) + &BASE64_STANDARD.encode(second);

    let answer = call(&shop(), GET_PRODUCT, "application/grpc-web-text", text.into()).await;

    assert_eq!(answer.header("content-type"), "application/grpc-web-text+proto");
    let mut binary = Vec::new();
    for piece in answer.text().split_inclusive('=') {
        // A second padding character stands alone after the first.
        if piece != "=" {
            binary.extend(crate::grpc_web::decode(piece));
        }
    }
    let (messages, trailers) = read(&binary);
    assert_eq!(Product::decode(messages[0].as_slice()).unwrap().title, "A shirt");
    assert!(trailers.contains("grpc-status: 0"));
}

fn decode(piece: &str) -> Vec<u8> {
    let unpadded = piece.trim_end_matches('=');
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(unpadded).unwrap()
}

#[tokio::test]
async fn a_failure_stands_in_the_trailers() {
    let answer = call(&shop(), GET_PRODUCT, "application/grpc-web", asking_for("nope")).await;

    assert_eq!(answer.status, 200);
    let (messages, trailers) = read(&answer.body);
    assert!(messages.is_empty());
    assert!(trailers.contains("grpc-status: 5\r\n"), "{trailers}");
    assert!(
        trailers.contains("grpc-message: product%20nope%20does%20not%20exist\r\n"),
        "{trailers}"
    );
    assert!(trailers.contains("grpc-status-details-bin: "));
}

#[tokio::test]
async fn a_server_stream_is_its_messages() {
    // Things { things: [Thing { name: "a" }, Thing { name: "b" }] }
    let body = framed(0, &[0x0a, 3, 0x0a, 1, b'a', 0x0a, 3, 0x0a, 1, b'b']);

    let answer = call(&parrot(), "/test.v1.EchoService/Follow", "application/grpc-web", body).await;

    let (messages, _) = read(&answer.body);
    assert_eq!(messages, [vec![0x0a, 1, b'a'], vec![0x0a, 1, b'b']]);
}

#[tokio::test]
async fn hidden_rpcs_do_not_exist() {
    let body = framed(0, &[]);
    for rpc in ["Hidden", "Unsaid", "Nope"] {
        let path = format!("/test.v1.EchoService/{rpc}");
        let answer = call(&parrot(), &path, "application/grpc-web", body.clone()).await;
        assert!(read(&answer.body).1.contains("grpc-status: 12\r\n"), "{rpc}");
    }
}

#[tokio::test]
async fn what_is_no_base64_is_refused() {
    let answer = call(&shop(), GET_PRODUCT, "application/grpc-web-text", b"=x".to_vec()).await;

    let text = BASE64_STANDARD.decode(&answer.body).unwrap();
    assert!(read(&text).1.contains("grpc-status: 3\r\n"));
}

#[tokio::test]
async fn another_codec_or_method_is_refused() {
    let json = call(&shop(), GET_PRODUCT, "application/grpc-web+json", Vec::new()).await;
    let get = asking("GET", GET_PRODUCT).header("content-type", "application/grpc-web");
    let get = send(&shop(), get.body("".into()).unwrap()).await;

    assert_eq!((json.status, get.status), (415, 405));
    assert_eq!(get.header("allow"), "OPTIONS, POST");
}

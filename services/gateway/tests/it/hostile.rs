//! Requests that nobody should send: each gets a clear refusal, and the next is answered as ever.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use mesh::CancellationToken;
use mesh::serve::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::support::{Answer, asking, get, parrot, post, send};

/// The gateway behind the mesh's own server; it ends with the test.
async fn serve() -> (SocketAddr, Stop) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = mesh::serve::http(listener, parrot(), Config::edge(), stop.clone());
    tokio::spawn(served);
    (address, Stop(stop))
}

/// Ends a server when it is dropped.
struct Stop(CancellationToken);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// What comes back for raw bytes, until the server closes the connection.
async fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    // A server may refuse and close before it has read everything.
    let _ = connection.write_all(request).await;
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn with_headers(headers: &str, rest: &str) -> Vec<u8> {
    format!("POST /v1/echo HTTP/1.1\r\nhost: a\r\n{headers}connection: close\r\n\r\n{rest}").into()
}

#[tokio::test]
async fn requests_whose_length_is_in_doubt_are_refused() {
    let (address, _stop) = serve().await;
    let second = "GET /v1/echo/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

    for headers in [
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: +2\r\n",
        "content-length: 2, 3\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "bad header: x\r\n",
        "x: a\0b\r\n",
    ] {
        let answer = raw(address, &with_headers(headers, &format!("{{}}{second}"))).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers:?}: {answer}");
        assert!(!answer.contains("smuggled"), "{headers:?}: {answer}");
    }
    let broken = with_headers("transfer-encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n");
    assert!(!raw(address, &broken).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn floods_of_headers_and_endless_addresses_are_refused() {
    let (address, _stop) = serve().await;
    let many: Vec<_> = (0..500).map(|number| format!("x-{number}: a\r\n")).collect();
    let long = format!("x: {}\r\n", "a".repeat(1 << 20));
    let path = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(1 << 20));

    for request in [with_headers(&many.concat(), ""), with_headers(&long, ""), path.into()] {
        let answer = raw(address, &request).await;
        let refused = ["HTTP/1.1 431", "HTTP/1.1 414", "HTTP/1.1 400"];
        let closed = answer.is_empty();
        assert!(closed || refused.iter().any(|it| answer.starts_with(it)), "{answer}");
    }
    let after =
        raw(address, b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(after.starts_with("HTTP/1.1 200"), "{after}");
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_told_so() {
    let (address, _stop) = serve().await;
    let mut connection = TcpStream::connect(address).await.unwrap();
    let headers = "content-type: application/json\r\ncontent-length: 10\r\n";
    connection.write_all(&with_headers(headers, "{")).await.unwrap();
    connection.shutdown().await.unwrap();

    let mut answer = String::new();
    let _ = connection.read_to_string(&mut answer).await;

    assert!(answer.is_empty() || answer.contains("BODY_CUT"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_waited_for_no_longer_than_a_minute() {
    let started = tokio::time::Instant::now();
    let never = futures_util::stream::pending::<Result<Frame<Bytes>, std::io::Error>>();
    let request = Request::builder().method("POST").uri("/v1/echo");
    let request = request.header("content-type", "application/json");

    let answer = parrot().oneshot(request.body(StreamBody::new(never)).unwrap()).await;

    let answer = Answer::read(answer.unwrap_or_else(|never| match never {})).await;
    assert_eq!(answer.failure(), (408, "BODY_TOO_SLOW".into()));
    assert_eq!(started.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn absurd_paths_lead_nowhere() {
    let gateway = parrot();
    let deep = "/a".repeat(20_000);
    let slashes = "/".repeat(30_000);
    let colons = format!("/v1/{}", ":".repeat(10_000));
    for path in [deep.as_str(), slashes.as_str(), colons.as_str(), "/v1/../docs", "/%2e%2e/docs"] {
        let answer = send(&gateway, get(path)).await;
        assert_eq!(answer.failure(), (404, "NO_ROUTE".into()));
        assert!(answer.body.len() < 8000, "{}", answer.body.len());
    }
    let text = send(&gateway, get("/v1/echo/%00%2e%2e%2fetc")).await;
    assert_eq!(text.json()["name"], "\0../etc");
}

#[tokio::test]
async fn ten_thousand_parameters_are_read_or_refused_by_name() {
    let gateway = parrot();
    let tags = "tags=x&".repeat(9000);
    let other: Vec<_> = (0..5000).map(|number| format!("p{number}=1&")).collect();

    let read = send(&gateway, get(&format!("/v1/echo/a?{tags}"))).await;
    let refused = send(&gateway, get(&format!("/v1/echo/a?{}", other.concat()))).await;

    assert_eq!(read.json()["tags"].as_array().unwrap().len(), 9000);
    assert_eq!(
        (refused.failure(), refused.field()),
        ((400, "INVALID_PARAMETER".into()), "p0".into())
    );
}

#[tokio::test]
async fn numbers_of_any_length_are_read_or_refused() {
    let digits = "9".repeat(100_000);
    for json in [
        format!(r#"{{"big":{digits}}}"#),
        format!(r#"{{"big":"{digits}"}}"#),
        format!(r#"{{"ratio":1e{digits}}}"#),
        format!(r#"{{"big":1e-{digits}1}}"#),
    ] {
        let answer = send(&parrot(), post("/v1/mirror", &json)).await;
        assert!(matches!(answer.status, 200 | 400), "{}", answer.status);
        assert!(answer.body.len() < 16_000, "{}", answer.body.len());
    }
}

#[tokio::test]
async fn headers_that_are_not_text_harm_nothing() {
    for name in
        ["authorization", "traceparent", "accept", "accept-encoding", "content-type", "origin"]
    {
        let value = http::HeaderValue::from_bytes(&[0xff, b'a', 0x80]).unwrap();
        let answer = send(
            &parrot(),
            asking("GET", "/v1/echo/a").header(name, value).body("".into()).unwrap(),
        )
        .await;
        assert_eq!(answer.status, 200, "{name}");
    }
}

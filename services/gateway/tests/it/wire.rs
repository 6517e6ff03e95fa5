//! The edge over real connections.

use std::net::SocketAddr;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Endpoint;
use tradewind::catalog::v1::GetProductRequest;
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;

use crate::support::shop;

async fn serve() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = TowerToHyperService::new(shop());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let gateway = gateway.clone();
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                server.serve_connection(TokioIo::new(connection), gateway).await
            });
        }
    });
    address
}

async fn http_1(address: SocketAddr, head: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn rest_is_answered_over_http_1() {
    let address = serve().await;

    let get = http_1(address, "GET /v1/products/prd_1", "").await;
    let head = http_1(address, "HEAD /v1/products/prd_1", "").await;

    assert!(get.starts_with("HTTP/1.1 200 OK\r\n"), "{get}");
    assert!(get.contains(r#""title":"A shirt""#), "{get}");
    let (_, body) = get.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn connect_is_answered_over_http_1() {
    let path = "POST /tradewind.catalog.v1.CatalogService/GetProduct";

    let answer = http_1(serve().await, path, r#"{"id":"prd_2"}"#).await;

    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert!(answer.contains(r#""code":"not_found""#), "{answer}");
}

#[tokio::test]
async fn grpc_is_answered_over_http_2() {
    let endpoint = Endpoint::from_shared(format!("http://{}", serve().await)).unwrap();
    let mut catalog = CatalogServiceClient::new(endpoint.connect().await.unwrap());

    let product = catalog.get_product(GetProductRequest { id: "prd_1".into() }).await.unwrap();

    assert_eq!(product.metadata().get("etag").unwrap(), "\"7\"");
    assert_eq!(product.into_inner().title, "A shirt");
}

#[tokio::test]
async fn an_answer_arrives_though_nobody_reads_the_request() {
    let address = serve().await;
    let body = "x".repeat(700_000);
    let head = format!(
        "POST /tradewind.catalog.v1.CatalogService/GetProduct HTTP/1.1\r\nhost: {address}\r\n\
         content-type: image/jpeg\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );

    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all([head, body].concat().as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 415 Unsupported Media Type\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

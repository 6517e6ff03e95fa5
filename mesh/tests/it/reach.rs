//! Processes that cannot be reached, and connections that say nothing.

use std::collections::HashMap;
use std::time::Duration;

use mesh::limits::Limits;
use mesh::{Clock, Code, Mesh};
use mesh_testing::parrot::v1::Deed;
use mesh_testing::parrot::v1::parrot_service_client::ParrotServiceClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::asking::{errand, reason, saying};
use crate::shape::{BEGINNING, Shape, mesh, run, time_passes};

/// A mesh whose parrot is at an address.
fn calling(address: std::net::SocketAddr) -> Mesh {
    let elsewhere = HashMap::from([("parrot", format!("http://{address}"))]);
    mesh(elsewhere, "caller", None, &Clock::at(BEGINNING), Limits::default())
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_answers_costs_its_callers_no_more_than_the_deadline() {
    let _time = time_passes();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = calling(listener.local_addr().unwrap());
    let begun = Instant::now();

    let calls = (0..20).map(|_| {
        let mut client = ParrotServiceClient::new(mesh.channel("parrot"));
        async move { client.act(saying("")).await.unwrap_err() }
    });
    let statuses = futures_util::future::join_all(calls).await;

    assert!(statuses.iter().all(|status| status.code() == Code::DeadlineExceeded));
    assert!(begun.elapsed() < Duration::from_millis(5100), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_gone_is_unavailable_and_found_again_when_it_is_back() {
    let world = Shape::Near.start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mesh = calling(address);
    let mut client = ParrotServiceClient::new(mesh.channel("parrot"));

    let status = client.act(saying("")).await.unwrap_err();
    let again = client.act(saying("")).await.unwrap_err();

    for status in [status, again] {
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(reason(&status), "UNAVAILABLE");
        assert!(!status.message().contains("127.0.0.1"), "{}", status.message());
    }
    let listener = TcpListener::bind(address).await.unwrap();
    let config = mesh::serve::Config::mesh();
    tokio::spawn(mesh::serve::grpc(listener, world.server.clone(), config, world.stop.clone()));
    let back = Instant::now();
    while client.act(saying("")).await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(5), "it is not found again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_has_not_begun_is_unavailable() {
    let mesh = mesh(HashMap::new(), "caller", None, &Clock::at(BEGINNING), Limits::default());

    let status = ParrotServiceClient::new(mesh.channel("parrot")).act(saying("")).await;

    assert_eq!(status.unwrap_err().code(), Code::Unavailable);
    let stop = run(&mesh, Vec::new());
    let status = ParrotServiceClient::new(mesh.channel("parrot")).act(saying("")).await;
    assert_eq!(status.unwrap_err().code(), Code::Unimplemented);
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed() {
    let world = Shape::Far.start().await;
    let address = world.served.as_ref().unwrap().address;
    for words in [b"".as_slice(), b"P", b"PRI * HT", b"GET / HTTP/1.1\r\nHost: a"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(words).await.unwrap();
        let begun = Instant::now();

        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;

        let waited = begun.elapsed();
        assert!(waited >= Duration::from_secs(14), "{words:?}: {waited:?}");
        assert!(waited <= Duration::from_secs(16), "{words:?}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_connection_with_a_call_on_it_is_kept() {
    let world = Shape::Far.start().await;
    let mut client = world.outside();
    let health = contract::grpc::health::v1::health_client::HealthClient::new(
        world.caller.channel("parrot"),
    );
    let asked = contract::grpc::health::v1::HealthCheckRequest::default();
    let mut watch = health.clone().watch(asked).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();

    for _ in 0..60 {
        tokio::time::advance(Duration::from_secs(5)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.server.health().stop();

    assert!(watch.message().await.unwrap().is_some());
    client.act(errand(Deed::Unspecified)).await.unwrap();
}

//! Which replica a call goes to, and which are left alone.

use std::time::Duration;

use mesh::Configs;
use mesh_testing::parrot::v1::Errand;
use mesh_testing::parrot::v1::parrot_service_client::ParrotServiceClient;
use tokio::time::sleep;
use tonic::Code;

use crate::asking::saying;
use crate::fleet::{Fleet, Mood, Replica, calling};
use crate::shape::{Shape, eventually, time_passes};

/// Makes so many calls, some at once, as a busy caller does; how many failed.
async fn busily(fleet: &Fleet, number: usize) -> usize {
    let callers = (0..8).map(|_| fleet.call(number / 8));
    futures_util::future::join_all(callers).await.into_iter().sum()
}

/// Has every replica connected: each has answered.
async fn warm(fleet: &Fleet) {
    while fleet.calls().contains(&0) {
        busily(fleet, 24).await;
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_spread_over_all_who_are_well() {
    let fleet = Fleet::start(3).await;
    warm(&fleet).await;
    let before = fleet.calls();

    let failed = busily(&fleet, 600).await;

    let after = fleet.calls();
    let each: Vec<_> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
    assert_eq!(failed, 0);
    assert!(each.iter().all(|calls| *calls > 60), "{each:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_dead_gets_no_calls_once_seen_dead() {
    let fleet = Fleet::start(3).await;
    warm(&fleet).await;
    fleet.replicas[0].die();
    // What is seen is the closed connection, which takes a moment.
    sleep(Duration::from_millis(50)).await;

    let failed = busily(&fleet, 400).await;

    assert_eq!(failed, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_back_is_called_again() {
    let fleet = Fleet::start(2).await;
    warm(&fleet).await;
    let address = fleet.replicas[0].address;
    fleet.replicas[0].die();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(busily(&fleet, 80).await, 0);

    let back = Replica::start_at(address).await;
    let mut failed = 0;
    while back.calls() == 0 {
        failed += busily(&fleet, 80).await;
        sleep(Duration::from_millis(100)).await;
    }

    assert_eq!(failed, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_fails_fast_is_not_taken_for_the_fastest() {
    let fleet = Fleet::start(3).await;
    warm(&fleet).await;
    fleet.replicas[1].be(Mood::Refusing(Code::Internal, None));
    let before = fleet.calls()[1];

    let failed = busily(&fleet, 1000).await;

    let there = fleet.calls()[1] - before;
    assert!(there * 3 <= 1000, "{there} of 1000");
    assert!(failed <= 30, "{failed} of 1000 failed");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_slow_is_called_seldom() {
    let fleet = Fleet::start(3).await;
    warm(&fleet).await;
    fleet.replicas[2].be(Mood::Slow(Duration::from_millis(800)));
    let before = fleet.calls()[2];

    assert_eq!(busily(&fleet, 1000).await, 0);

    let there = fleet.calls()[2] - before;
    assert!(there <= 30, "{there} of 1000");
}

#[tokio::test(start_paused = true)]
async fn whoever_hangs_holds_few_calls_up() {
    let fleet = Fleet::start(2).await;
    warm(&fleet).await;
    fleet.replicas[0].be(Mood::Mute);
    let before = fleet.calls()[0];

    let failed = busily(&fleet, 800).await;

    assert!(fleet.calls()[0] - before <= 20, "{:?}", fleet.calls());
    assert!(failed <= 20, "{failed} of 800");
}

#[tokio::test(start_paused = true)]
async fn the_only_replica_is_called_though_it_fails() {
    let fleet = Fleet::start(1).await;
    fleet.replicas[0].be(Mood::Refusing(Code::Internal, None));
    assert_eq!(fleet.call(20).await, 20);
    assert_eq!(fleet.calls(), [20]);

    fleet.replicas[0].be(Mood::Well);

    assert_eq!(fleet.call(20).await, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_says_that_it_does_not_serve_is_called_only_where_nobody_else_is() {
    let world = Shape::Far.start().await;
    let other = Replica::start().await;
    let own = world.served.as_ref().unwrap().address;
    let both = calling(&format!("static:{own},{}", other.address), Configs::default());
    let alone = calling(&format!("static:{own}"), Configs::default());
    let mut both = ParrotServiceClient::new(both.channel("parrot"));
    let mut alone = ParrotServiceClient::new(alone.channel("parrot"));
    alone.act(saying("")).await.unwrap();
    while world.parrot.calls() < 3 || other.calls() == 0 {
        both.act(saying("")).await.unwrap();
    }

    world.server.health().stop();
    sleep(Duration::from_millis(100)).await;
    let before = world.parrot.calls();
    for _ in 0..50 {
        both.act(saying("")).await.unwrap();
    }

    assert_eq!(world.parrot.calls(), before);
    alone.act(saying("")).await.unwrap();
    assert_eq!(world.parrot.calls(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_back_is_called_as_soon_as_the_last_other_rests() {
    let world = Shape::Far.start().await;
    let other = Replica::start().await;
    let own = world.served.as_ref().unwrap().address;
    let both = calling(&format!("static:{own},{}", other.address), Configs::default());
    let mut both = ParrotServiceClient::new(both.channel("parrot"));
    while world.parrot.calls() == 0 || other.calls() == 0 {
        both.act(saying("")).await.unwrap();
    }
    other.die();
    // By now it is dialed every three seconds.
    sleep(Duration::from_secs(20)).await;

    let back = Replica::start_at(other.address).await;
    world.server.health().stop();
    sleep(Duration::from_millis(100)).await;
    let before = world.parrot.calls();
    for _ in 0..10 {
        both.act(saying("")).await.unwrap();
    }

    assert_eq!((back.calls(), world.parrot.calls() - before), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_target_is_a_socket_of_this_machine_too() {
    let _time = time_passes();
    let directory = std::env::temp_dir().join(format!("parrot-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("parrot.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let served = tokio::spawn(async move { listener.accept().await.unwrap() });
    let mesh = calling(&format!("unix:{}", path.display()), Configs::default());
    let mut client = ParrotServiceClient::new(mesh.channel("parrot"));
    let call = tokio::spawn(async move { client.act(Errand::default()).await });

    let (mut stream, _) = served.await.unwrap();
    let mut preface = [0; 24];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut preface).await.unwrap();

    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    drop(stream);
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_looked_up_and_every_address_behind_it_called() {
    let fleet = Fleet::start(1).await;
    let port = fleet.replicas[0].address.port();
    let mesh = calling(&format!("dns:///localhost:{port}"), Configs::default());
    let mut client = ParrotServiceClient::new(mesh.channel("parrot"));

    client.act(Errand::default()).await.unwrap();

    assert_eq!(fleet.calls(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_nowhere_is_unavailable() {
    let _time = time_passes();
    let mesh = calling("dns:///nowhere.invalid:1", Configs::default());
    let mut client = ParrotServiceClient::new(mesh.channel("parrot"));

    let status = client.act(Errand::default()).await.unwrap_err();

    assert_eq!(status.code(), Code::Unavailable);
    assert!(!status.message().contains("nowhere"), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn more_than_a_thousand_calls_at_once_are_refused_and_others_go_on() {
    let fleet = Fleet::start(1).await;
    fleet.replicas[0].be(Mood::Mute);
    let client = fleet.client();
    let waiting: Vec<_> = (0..1024)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.act(Errand::default()).await })
        })
        .collect();
    // More than one connection takes.
    eventually(|| fleet.calls() == [1024]).await;

    let crowded = client.clone().act(Errand::default()).await.unwrap_err();
    fleet.replicas[0].be(Mood::Well);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    eventually(|| waiting.iter().all(tokio::task::JoinHandle::is_finished)).await;

    assert_eq!(crate::asking::reason(&crowded), "TOO_MANY_CALLS");
    assert_eq!(fleet.call(1).await, 0);
}

//! The end of a process: what runs is finished, what comes is refused, what does not end is cut.

use std::time::Duration;

use contract::grpc::health::v1::HealthCheckRequest;
use contract::grpc::health::v1::health_client::HealthClient;
use mesh::limits::Limits;
use mesh::serve::{Drain, Ended};
use mesh_testing::parrot::v1::{Deed, Errand};
use tokio::time::Instant;

use crate::asking::{errand, reason, saying};
use crate::shape::{Shape, World, connect};

async fn draining(lame_duck: u64, longest: u64) -> World {
    let (lame_duck, longest) = (Duration::from_secs(lame_duck), Duration::from_secs(longest));
    Shape::Far.start_with(Limits::default(), Drain { lame_duck, longest }).await
}

async fn end(world: &mut World) -> Ended {
    world.served.take().unwrap().ended.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_that_run_are_finished_and_new_ones_are_refused() {
    let mut world = draining(0, 3).await;
    let mut client = world.outside();
    let call = tokio::spawn(async move { client.act(errand(Deed::Wait)).await });
    let asked = Errand { reports: 1, ..errand(Deed::Wait) };
    let mut stream = world.outside().chatter(asked).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    world.parrot.until_running(2).await;

    world.stop.cancel();
    // The connection is told to take no more calls before the next one is made.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = world.outside().act(saying("")).await.unwrap_err();
    world.parrot.release();

    assert_eq!(reason(&refused), "UNAVAILABLE");
    call.await.unwrap().unwrap();
    assert_eq!(stream.message().await.unwrap(), None);
    assert_eq!(end(&mut world).await, Ended::Clean);
}

#[tokio::test(start_paused = true)]
async fn calls_that_do_not_end_are_cut_after_the_longest_time() {
    let mut world = draining(0, 3).await;
    let mut client = world.outside();
    let call = tokio::spawn(async move { client.act(errand(Deed::Wait)).await });
    world.parrot.until_running(1).await;
    let begun = Instant::now();

    world.stop.cancel();

    assert_eq!(end(&mut world).await, Ended::Forced);
    assert!(begun.elapsed() < Duration::from_millis(3100), "{:?}", begun.elapsed());
    world.parrot.until_running(0).await;
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(reason(&status), "UNAVAILABLE");
    assert!(begun.elapsed() < Duration::from_millis(3200), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_tells_its_reader_that_the_service_went_away() {
    let mut world = draining(0, 1).await;
    let asked = Errand { reports: 1, ..errand(Deed::Wait) };
    let mut stream = world.outside().chatter(asked).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();

    world.stop.cancel();

    assert_eq!(end(&mut world).await, Ended::Forced);
    let status = stream.message().await.unwrap_err();
    assert_eq!(reason(&status), "UNAVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn connections_are_taken_while_clients_learn_of_the_end() {
    let mut world = draining(5, 1).await;
    let address = world.served.as_ref().unwrap().address;
    world.outside().act(saying("")).await.unwrap();

    world.server.health().stop();
    world.stop.cancel();
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.outside().act(saying("")).await.unwrap();
    let late = connect(address).await;
    drop(late);

    assert_eq!(end(&mut world).await, Ended::Clean);
    let refused = tokio::net::TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_does_not_keep_a_process() {
    let mut world = draining(0, 20).await;
    world.outside().act(saying("")).await.unwrap();
    let begun = Instant::now();

    world.stop.cancel();

    assert_eq!(end(&mut world).await, Ended::Clean);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_watches_the_health_of_a_process_does_not_keep_it() {
    let mut world = draining(0, 20).await;
    let mut health = HealthClient::new(world.caller.channel("parrot"));
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    let begun = Instant::now();

    world.server.health().stop();
    world.stop.cancel();
    let told = watch.message().await.unwrap();
    let last = watch.message().await.unwrap();

    assert!(told.is_some() && last.is_none());
    assert_eq!(end(&mut world).await, Ended::Clean);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

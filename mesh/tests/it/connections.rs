//! How long connections live, and what clients may not do on them.

use std::time::Duration;

use mesh::limits::Limits;
use mesh::serve::{Age, Config, Drain, Ended, Pings};
use mesh_testing::parrot::v1::Deed;
use tokio::time::Instant;

use crate::asking::{errand, saying};
use crate::frames::{ACK, DATA, Frame, GOAWAY, PING, RST_STREAM, Raw, call, frame, goaway, ping};
use crate::shape::{Shape, World};

/// The id that no stream has: the first GOAWAY refuses nothing yet.
const ANY: u32 = (1 << 31) - 1;
const LONG: Duration = Duration::from_secs(3600);

async fn world(config: Config) -> (World, Raw, Instant) {
    let world = Shape::Far.serving(Limits::default(), config).await;
    let raw = Raw::connect(world.served.as_ref().unwrap().address).await;
    (world, raw, Instant::now())
}

fn aged(longest: Duration, grace: Duration, idle: Duration) -> Config {
    Config { age: Age { longest, grace, idle }, ..Config::mesh().ending(Drain::at_once()) }
}

fn pong(ping: &Frame) -> Frame {
    frame(PING, ACK, 0, &ping.payload)
}

fn seconds(number: f64) -> Duration {
    Duration::from_secs_f64(number)
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_takes_the_calls_that_were_on_their_way_and_finishes_them_all() {
    let (world, mut raw, begun) = world(aged(seconds(2.0), LONG, LONG)).await;
    raw.send(&call(1, &errand(Deed::Wait))).await;
    world.parrot.until_running(1).await;

    let first = raw.until(GOAWAY).await.unwrap();
    let aged = begun.elapsed();
    let asked = raw.until(PING).await.unwrap();
    // The client had sent this before it heard.
    raw.send(&call(3, &errand(Deed::Wait))).await;
    raw.send(&[pong(&asked)]).await;
    let last = raw.until(GOAWAY).await.unwrap();
    world.parrot.until_running(2).await;
    world.parrot.release();
    let answers = [raw.until(DATA).await.unwrap().stream, raw.until(DATA).await.unwrap().stream];
    raw.until_closed().await;

    assert!(aged >= seconds(1.75) && aged <= seconds(2.4), "{aged:?}");
    assert_eq!(goaway(&first), (ANY, 0, String::new()));
    assert_eq!(goaway(&last), (3, 0, String::new()));
    assert_eq!(answers.iter().sum::<u32>(), 4, "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_of_an_old_connection_that_do_not_end_are_cut_after_the_grace() {
    let (world, mut raw, begun) = world(aged(seconds(1.0), seconds(2.0), LONG)).await;
    raw.send(&call(1, &errand(Deed::Wait))).await;
    world.parrot.until_running(1).await;

    raw.until_closed().await;

    let lived = begun.elapsed();
    assert!(lived >= seconds(2.8) && lived <= seconds(3.5), "{lived:?}");
    world.parrot.until_running(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_is_closed_when_the_last_has_ended_for_long_enough() {
    let (world, mut raw, begun) = world(aged(LONG, LONG, seconds(2.0))).await;
    let mut silent = Raw::connect(world.served.as_ref().unwrap().address).await;
    tokio::time::sleep(seconds(1.0)).await;
    raw.send(&call(1, &errand(Deed::Wait))).await;
    world.parrot.until_running(1).await;

    silent.until(GOAWAY).await.unwrap();
    let unused = begun.elapsed();
    tokio::time::sleep(seconds(2.0)).await;
    world.parrot.release();
    let answered = Instant::now();
    raw.until(GOAWAY).await.unwrap();
    let idle = answered.elapsed();

    assert!(unused >= seconds(1.9) && unused <= seconds(2.5), "{unused:?}");
    assert!(idle >= seconds(1.9) && idle <= seconds(2.5), "{idle:?}");
}

#[tokio::test(start_paused = true)]
async fn clients_are_told_to_move_over_the_lame_duck_and_those_that_come_meanwhile_at_its_end() {
    let drain = Drain { lame_duck: seconds(4.0), longest: seconds(5.0) };
    let (mut world, first, begun) = world(Config::mesh().ending(drain)).await;
    let address = world.served.as_ref().unwrap().address;
    let mut early = vec![first];
    for _ in 0..15 {
        early.push(Raw::connect(address).await);
    }
    tokio::time::sleep(seconds(0.2)).await;

    world.stop.cancel();
    tokio::time::sleep(seconds(0.2)).await;
    let mut late = Raw::connect(address).await;
    let late_told = async {
        late.send(&call(1, &saying("still here"))).await;
        assert!(late.until(DATA).await.is_some());
        late.until(GOAWAY).await.unwrap();
        begun.elapsed()
    };
    let early_told = early.iter_mut().map(|raw| async move {
        raw.until(GOAWAY).await.unwrap();
        begun.elapsed()
    });
    let (late_told, early_told) =
        tokio::join!(late_told, futures_util::future::join_all(early_told));

    assert!(late_told >= seconds(4.0), "{late_told:?}");
    let before_the_end = early_told.iter().filter(|told| **told < seconds(4.0)).count();
    assert!(before_the_end >= 12, "{early_told:?}");
    let (earliest, latest) = (early_told.iter().min().unwrap(), early_told.iter().max().unwrap());
    assert!(*latest > *earliest + seconds(1.0), "{early_told:?}");
    drop((early, late));
    assert_eq!(world.served.take().unwrap().ended.await.unwrap(), Ended::Clean);
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_hurry_waits_for_no_lame_duck() {
    let drain = Drain { lame_duck: LONG, longest: seconds(5.0) };
    let config = Config::mesh().ending(drain);
    let hurry = config.hurry.clone();
    let (mut world, mut raw, begun) = world(config).await;

    world.stop.cancel();
    tokio::time::sleep(seconds(1.0)).await;
    hurry.cancel();
    raw.until(GOAWAY).await.unwrap();
    drop(raw);

    assert_eq!(world.served.take().unwrap().ended.await.unwrap(), Ended::Clean);
    assert!(begun.elapsed() < seconds(3.0), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_pings_too_often_is_told_to_be_calm() {
    let (_world, mut raw, _) = world(aged(LONG, LONG, LONG)).await;
    raw.send(&call(1, &saying(""))).await;
    // The answer, and with its trailers all pings so far are forgiven.
    raw.until(DATA).await.unwrap();
    raw.until(1).await.unwrap();

    raw.send(&[ping(), ping(), ping()]).await;
    let answered = [raw.until(PING).await, raw.until(PING).await, raw.until(PING).await];
    raw.send(&[ping()]).await;
    let last = raw.until(GOAWAY).await.unwrap();

    assert!(answered.iter().flatten().all(|pong| pong.flags == ACK), "{answered:?}");
    assert_eq!(goaway(&last), (1, 11, "too_many_pings".to_owned()));
    assert_eq!(raw.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pings_in_measure_is_left_alone() {
    let pings = Pings { least: seconds(1.0), strikes: 0 };
    let config = Config { pings, ..aged(LONG, LONG, LONG) };
    let (_world, mut raw, _) = world(config).await;

    for _ in 0..10 {
        raw.send(&[ping()]).await;
        assert_eq!(raw.until(PING).await.unwrap().flags, ACK);
        tokio::time::sleep(seconds(1.1)).await;
    }
    raw.send(&[ping(), ping()]).await;

    assert_eq!(goaway(&raw.until(GOAWAY).await.unwrap()).1, 11);
}

#[tokio::test(start_paused = true)]
async fn resets_that_hedging_makes_are_fine_in_the_mesh_and_an_attack_at_the_edge() {
    let flood: Vec<Frame> = (0..60)
        .flat_map(|number| {
            let stream = 2 * number + 1;
            let [headers, _] = call(stream, &saying(""));
            [headers, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())]
        })
        .collect();
    let told = async |config: Config| {
        let (_world, mut raw, _) = world(config.ending(Drain::at_once())).await;
        raw.send(&flood).await;
        raw.send(&call(121, &saying(""))).await;
        loop {
            match raw.next().await {
                Some(frame) if frame.kind == GOAWAY => return goaway(&frame).1,
                Some(frame) if frame.kind == DATA => return 0,
                Some(_) => {}
                None => return u32::MAX,
            }
        }
    };

    assert_eq!(told(Config::mesh()).await, 0);
    assert_eq!(told(Config::edge()).await, 11);
}

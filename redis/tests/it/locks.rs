//! Locks that one replica has, by fences that grow; and which processes live.

use std::time::Duration;

use mesh::locks::Turn;
use mesh::replicas::{Grant, Process, SharedLocks, SharedPresence, Taken};
use mesh::{CancellationToken, Clock, Lock, Locks};
use mesh_redis::Redis;
use std::sync::Arc;

use crate::world::until;

const MINUTE: Duration = Duration::from_secs(60);

fn locks(url: &str) -> Locks {
    Locks::new(Some(Arc::new(Redis::open(url).unwrap())), Clock::system())
}

async fn ours(locks: &Locks, lasts: Duration) -> Lock {
    match locks.take("backups", lasts).await {
        Turn::Ours(lock) => lock,
        turn => panic!("{turn:?}"),
    }
}

#[tokio::test]
async fn one_of_all_replicas_has_a_lock_and_the_next_one_a_greater_fence() {
    let server = store_testing::Redis::start();
    let replicas = [locks(&server.url()), locks(&server.url())];

    let first = ours(&replicas[0], MINUTE).await;
    let refused = replicas[1].take("backups", MINUTE).await;
    assert!(matches!(refused, Turn::Anothers), "{refused:?}");
    let beside = replicas[1].take("index", MINUTE).await;
    assert!(matches!(beside, Turn::Ours(_)), "another lock is another's: {beside:?}");

    let fence = first.fence();
    first.release().await;
    let second = ours(&replicas[1], MINUTE).await;
    assert!(second.fence() > fence);
}

#[tokio::test]
async fn a_lock_outlives_its_time_while_it_is_held_and_ends_soon_when_nobody_holds_it() {
    let server = store_testing::Redis::start();
    let replicas = [locks(&server.url()), locks(&server.url())];
    let short = Duration::from_millis(900);

    let first = ours(&replicas[0], short).await;
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < 2 * short {
        let refused = replicas[1].take("backups", short).await;
        assert!(matches!(refused, Turn::Anothers), "{refused:?}");
    }
    assert!(first.is_held());
    let fence = first.fence();
    // As when its process has died: nobody renews it, and nobody gives it up.
    drop(first);

    until("another has it", || async {
        matches!(replicas[1].take("backups", short).await, Turn::Ours(lock) if lock.fence() > fence)
    })
    .await;
}

#[tokio::test]
async fn whoever_was_too_slow_learns_that_another_has_it_and_cannot_give_it_up() {
    let server = store_testing::Redis::start();
    let redis = Redis::open(&server.url()).unwrap();
    let grant = |owner: &str, fence| Grant { name: "index".into(), owner: owner.into(), fence };
    let took = |taken| match taken {
        Some(Taken::Ours { fence }) => fence,
        other => panic!("{other:?}"),
    };

    let slow = grant("slow", took(redis.take("index", "slow", MINUTE).await));
    assert_eq!(took(redis.take("index", "slow", MINUTE).await), slow.fence, "asked twice");
    assert_eq!(server.ask("DEL mesh:locks:index"), ":1");
    let next = grant("next", took(redis.take("index", "next", MINUTE).await));
    redis.release(&slow).await;

    assert!(next.fence > slow.fence);
    assert_eq!(redis.renew(&slow, MINUTE).await, Some(false));
    assert_eq!(redis.renew(&next, MINUTE).await, Some(true), "it was not given up for another");
}

#[tokio::test]
async fn fences_grow_although_redis_has_forgotten_them_and_nobody_knows_while_it_is_gone() {
    let mut server = store_testing::Redis::start();
    let locks = locks(&server.url());
    let first = ours(&locks, Duration::from_millis(600)).await;

    server.kill();
    first.lost().await;
    let unknown = locks.take("backups", MINUTE).await;
    assert!(matches!(unknown, Turn::Unknown), "{unknown:?}");
    server.restart();

    until("it is asked again", || async {
        matches!(locks.take("backups", MINUTE).await, Turn::Ours(lock) if lock.fence() > first.fence())
    })
    .await;
}

#[tokio::test]
async fn a_process_is_known_while_it_says_that_it_lives_and_gone_when_it_leaves_or_dies() {
    let server = store_testing::Redis::start();
    let [one, other] = [Redis::open(&server.url()).unwrap(), Redis::open(&server.url()).unwrap()];
    let process = |id: &str| Process {
        id: id.into(),
        services: vec!["orders".into()],
        place: "10.0.0.7:7000".into(),
        since: 1,
    };
    let stop = CancellationToken::new();
    let appear = mesh::presence::appear(Arc::new(one), process("stays"), stop.clone());
    let appearing = tokio::spawn(appear);
    assert!(other.announce(&process("dies"), Duration::from_millis(300)).await);

    until("both live", || async { other.alive().await.unwrap().len() == 2 }).await;
    until("one has died", || async { other.alive().await == Some(vec![process("stays")]) }).await;
    stop.cancel();
    appearing.await.unwrap();

    assert_eq!(other.alive().await, Some(Vec::new()));
}

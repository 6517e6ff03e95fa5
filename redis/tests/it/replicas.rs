//! What replicas share: budgets, answers, changes; and what each does alone while Redis is gone.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use mesh::metrics::Metrics;
use mesh::replicas::{Quota, SharedAnswers, SharedBudgets, shown};
use mesh::{CancellationToken, Changes};
use mesh_redis::{Redis, share_changes};

use crate::world::{line, until};

fn quota(burst: u32, every: Duration) -> Quota {
    Quota { burst: NonZeroU32::new(burst).unwrap(), every }
}

#[tokio::test]
async fn replicas_draw_on_one_budget_and_are_told_how_long_to_wait() {
    let server = store_testing::Redis::start();
    let replicas = [Redis::open(&server.url()).unwrap(), Redis::open(&server.url()).unwrap()];
    let five = quota(5, Duration::from_secs(60));

    let mut taken = 0;
    for at in 0..20 {
        if replicas[at % 2].take("reads ann", five).await == Some(Duration::ZERO) {
            taken += 1;
        }
    }

    assert_eq!(taken, 5);
    let wait = replicas[0].take("reads ann", five).await.unwrap();
    assert!(wait > Duration::from_secs(55) && wait <= Duration::from_secs(60), "{wait:?}");
    let other = replicas[0].take("reads bob", five).await;
    assert_eq!(other, Some(Duration::ZERO), "another has a budget of their own");
    let more = quota(1, Duration::from_millis(20));
    assert_eq!(replicas[0].take("soon", more).await, Some(Duration::ZERO));
    until("there is one more", || async {
        replicas[1].take("soon", more).await == Some(Duration::ZERO)
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_every_replicas_until_what_it_shows_has_changed() {
    let server = store_testing::Redis::start();
    let [one, other] = [Redis::open(&server.url()).unwrap(), Redis::open(&server.url()).unwrap()];
    let shows = [shown("shop.Product", "bakery"), shown("shop.Price", "bakery")];
    let minute = Duration::from_secs(60);

    let found = one.look("question", &shows).await.unwrap();
    assert!(found.answer.is_none());
    one.keep("question", &found.version, "answer".into(), minute).await;
    let again = other.look("question", &shows).await.unwrap();
    let shared = again.answer.unwrap();
    assert_eq!((&*shared.answer, again.version), (&b"answer"[..], found.version.clone()));
    assert!(shared.lasts <= minute && shared.lasts > Duration::from_secs(50), "{shared:?}");
    assert!(other.look("another", &shows).await.unwrap().answer.is_none());

    let (changes, stop) = (Changes::default(), CancellationToken::new());
    tokio::spawn(share_changes(one.clone(), changes.clone(), stop.clone()));
    let elsewhere = [shown("shop.Price", "elsewhere")];
    let before = other.look("another", &elsewhere).await.unwrap().version;
    until("a change elsewhere is told", || async {
        // Nobody may be listening yet.
        changes.note("shop.Price", "elsewhere");
        other.look("another", &elsewhere).await.unwrap().version != before
    })
    .await;
    assert!(other.look("question", &shows).await.unwrap().answer.is_some());
    changes.note("shop.Price", "bakery");
    until("it has ended", || async {
        other.look("question", &shows).await.unwrap().answer.is_none()
    })
    .await;
    // One that was made before the change, and comes to be kept after it, is never given.
    one.keep("question", &found.version, "old".into(), minute).await;
    assert!(other.look("question", &shows).await.unwrap().answer.is_none());
    stop.cancel();
}

#[tokio::test]
async fn changes_are_heard_by_the_other_replicas_and_whoever_was_deaf_knows_that_it_was() {
    let mut server = store_testing::Redis::start();
    let (here, there) = (Changes::default(), Changes::default());
    let stop = CancellationToken::new();
    for changes in [&here, &there] {
        let redis = Redis::open(&server.url()).unwrap();
        tokio::spawn(share_changes(redis, changes.clone(), stop.clone()));
    }
    // The first thing that is heard is that nothing was heard before.
    until("both listen", || async { here.count("r", "p") > 0 && there.count("r", "p") > 0 }).await;

    let before = (here.count("r", "p"), there.count("r", "p"), there.count("r", "q"));
    here.note("r", "p");
    until("it is heard", || async { there.count("r", "p") > before.1 }).await;
    assert_eq!(here.count("r", "p"), before.0 + 1, "one's own are counted once");
    assert_eq!(there.count("r", "q"), before.2);

    server.kill();
    here.note("r", "q");
    server.restart();
    until("everything may have changed", || async { there.count("r", "q") > before.2 }).await;
    stop.cancel();
}

#[tokio::test]
async fn redis_is_done_without_when_it_fails_and_used_again_when_it_answers() {
    let mut server = store_testing::Redis::start();
    let (redis, metrics) = (Redis::open(&server.url()).unwrap(), Metrics::default());
    redis.register(&metrics);
    let plenty = quota(1_000_000, Duration::from_micros(1));
    assert_eq!(redis.take("one", plenty).await, Some(Duration::ZERO));

    server.kill();
    until("it is not asked any more", || async {
        assert_eq!(redis.take("one", plenty).await, None, "nobody knows");
        !redis.is_up()
    })
    .await;
    assert_eq!(line(&metrics, "redis_up "), "0");
    let begun = Instant::now();
    for _ in 0..1000 {
        assert_eq!(redis.take("one", plenty).await, None);
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "nobody waits for what is not asked");

    server.restart();
    until("it is asked again", || async { redis.is_up() }).await;
    assert_eq!(redis.take("one", plenty).await, Some(Duration::ZERO));
    assert_eq!(line(&metrics, "redis_up "), "1");
}

#[tokio::test]
async fn the_command_that_meets_a_lost_connection_is_sent_again_where_that_does_no_harm() {
    let mut server = store_testing::Redis::start_lasting();
    let redis = Redis::open(&server.url()).unwrap();
    let shows = [shown("shop.Product", "bakery")];
    let version = redis.look("question", &shows).await.unwrap().version;

    server.kill();
    server.restart();

    let again = redis.look("question", &shows).await;
    assert_eq!(again.unwrap().version, version, "it was asked twice, and remembers");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_and_a_server_that_is_down_is_not() {
    for address in ["localhost:6379", "http://localhost", ""] {
        assert!(Redis::open(address).is_err(), "{address}");
    }
    assert!(Redis::open("redis+unix:///nowhere/redis.sock").is_ok());
    assert!(Redis::open("rediss://user:password@localhost:6379/1").is_ok());
}

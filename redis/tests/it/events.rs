//! Events through Redis: each has its effect once, in the order of its key, whatever ends meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh::CancellationToken;
use mesh::metrics::Metrics;
use mesh_redis::{Bus, Redis};
use store::Store;
use tokio::task::JoinHandle;

use crate::world::{Direct, Refused, Replica, World, line, tell, until};

/// A shop whose outbox is emptied.
struct Shop {
    store: Store,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    running: Vec<JoinHandle<()>>,
}

impl Shop {
    async fn start(world: &World, url: &str, direct: Direct) -> Self {
        Self::start_with(world, url, direct, 10_000).await
    }

    async fn start_with(world: &World, url: &str, direct: Direct, room: usize) -> Self {
        let (redis, metrics) = (Redis::open(url).unwrap(), Arc::<Metrics>::default());
        redis.register(&metrics);
        let bus = Bus::new(redis, Arc::new(direct)).at_most(room);
        let store = world.shop(bus.clone()).await;
        let stop = CancellationToken::new();
        let running = vec![
            tokio::spawn(bus.listen(stop.clone())),
            tokio::spawn(store.runner().run(stop.clone())),
        ];
        Self { store, metrics, stop, running }
    }

    async fn stop(self) {
        self.stop.cancel();
        for running in self.running {
            running.await.unwrap();
        }
    }

    fn batches(&self, way: &str) -> u64 {
        let name = format!("redis_event_batches_total{{way=\"{way}\"}} ");
        line(&self.metrics, &name).parse().unwrap_or_default()
    }
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("key-{at}")).collect()
}

/// Every number of every key, once, in its order.
fn assert_all(effects: &[(String, i64)], keys: &[String], numbers: i64) {
    let mut of: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (key, number) in effects {
        of.entry(key).or_default().push(*number);
    }
    let expected: Vec<_> = (0..numbers).collect();
    for key in keys {
        assert_eq!(of.get(key.as_str()), Some(&expected), "{key}");
    }
    assert_eq!(of.len(), keys.len());
}

async fn until_all(world: &World, listener: &Store, count: usize) {
    until("every effect", || async { world.effects(listener).await.len() >= count }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_has_its_effect_once_and_in_order_though_its_reader_is_killed() {
    let (world, redis) = (World::new().await, store_testing::Redis::start());
    let refused = Refused::default();
    let mut first = Replica::start(&world, &redis.url(), &refused).await;
    let second = Replica::start(&world, &redis.url(), &refused).await;
    until("an even share", || async { first.partitions() == "4" && second.partitions() == "4" })
        .await;
    // There is no other way than Redis.
    let shop = Shop::start(&world, &redis.url(), Direct::default()).await;
    let listener = world.listener().await;
    let keys = keys(24);

    let telling = tokio::spawn({
        let (store, keys) = (shop.store.clone(), keys.clone());
        async move { tell(&store, &keys, 0..40).await }
    });
    until("both act", || async { first.acted() > 50 && second.acted() > 50 }).await;
    first.kill();
    telling.await.unwrap();
    until_all(&world, &listener, 24 * 40).await;

    assert_all(&world.effects(&listener).await, &keys, 40);
    until("all partitions", || async { second.partitions() == "8" }).await;
    shop.store.idle().await.unwrap();
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_joins_gets_its_share_and_one_that_leaves_hands_it_over() {
    let (world, redis) = (World::new().await, store_testing::Redis::start());
    let refused = Refused::default();
    let mut last = Replica::start(&world, &redis.url(), &refused).await;
    until("everything", || async { last.partitions() == "8" }).await;
    // There is no other way than Redis, and what it mislays would be sent again only after half a minute.
    let shop = Shop::start(&world, &redis.url(), Direct::default()).await;
    let listener = world.listener().await;
    let keys = keys(16);

    let enough = CancellationToken::new();
    let telling = tokio::spawn({
        let (store, keys, enough) = (shop.store.clone(), keys.clone(), enough.clone());
        async move {
            let (mut told, mut longest) = (0, Duration::ZERO);
            while !enough.is_cancelled() {
                let begun = Instant::now();
                tell(&store, &keys, told..told + 1).await;
                store.idle().await.unwrap();
                longest = longest.max(begun.elapsed());
                told += 1;
            }
            (told, longest)
        }
    });
    for _ in 0..5 {
        let next = Replica::start(&world, &redis.url(), &refused).await;
        until("an even share", || async { last.partitions() == "4" && next.partitions() == "4" })
            .await;
        last.drain().await;
        last = next;
    }
    enough.cancel();
    let (told, longest) = telling.await.unwrap();

    assert!(longest < Duration::from_secs(20), "something waited for {longest:?}");
    until_all(&world, &listener, keys.len() * usize::try_from(told).unwrap()).await;
    assert_all(&world.effects(&listener).await, &keys, told);
    until("everything", || async { last.partitions() == "8" }).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_redis_is_killed_and_started_again_without_its_memory() {
    let (world, mut redis) = (World::new().await, store_testing::Redis::start());
    let replica = Replica::start(&world, &redis.url(), &Refused::default()).await;
    until("everything", || async { replica.partitions() == "8" }).await;
    let direct = Direct { to: Some(replica.intake.clone()), ..Direct::default() };
    let shop = Shop::start(&world, &redis.url(), direct).await;
    let listener = world.listener().await;
    let keys = keys(24);

    let telling = tokio::spawn({
        let (store, keys) = (shop.store.clone(), keys.clone());
        async move { tell(&store, &keys, 0..60).await }
    });
    until("events flow", || async { shop.batches("Redis") > 2 }).await;
    redis.kill();
    until("events go around it", || async { shop.batches("Direct") > 2 }).await;
    redis.restart();
    telling.await.unwrap();
    until_all(&world, &listener, 24 * 60).await;
    let before = shop.batches("Redis");
    // It is used again, without anybody's help.
    until("events flow again", || async {
        tell(&shop.store, &["late".to_owned()], 0..1).await;
        shop.store.idle().await.unwrap();
        shop.batches("Redis") > before
    })
    .await;

    let mut effects = world.effects(&listener).await;
    effects.retain(|(key, _)| key != "late");
    assert_all(&effects, &keys, 60);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_redis_forgets_everything_while_it_runs() {
    let (world, redis) = (World::new().await, store_testing::Redis::start());
    let replica = Replica::start(&world, &redis.url(), &Refused::default()).await;
    until("everything", || async { replica.partitions() == "8" }).await;
    let shop = Shop::start(&world, &redis.url(), Direct::default()).await;
    let listener = world.listener().await;
    let keys = keys(24);

    for round in 0..6 {
        tell(&shop.store, &keys, round * 10..(round + 1) * 10).await;
        assert_eq!(redis.ask("FLUSHALL"), "+OK");
    }
    until_all(&world, &listener, 24 * 60).await;

    assert_all(&world.effects(&listener).await, &keys, 60);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_holds_back_its_key_and_no_other() {
    let (world, redis) = (World::new().await, store_testing::Redis::start());
    let refused = Refused::default();
    *refused.lock().unwrap() = Some("key-1".to_owned());
    let replica = Replica::start(&world, &redis.url(), &refused).await;
    until("everything", || async { replica.partitions() == "8" }).await;
    let shop = Shop::start(&world, &redis.url(), Direct::default()).await;
    let listener = world.listener().await;
    let keys = keys(16);

    tell(&shop.store, &keys, 0..5).await;
    until_all(&world, &listener, 15 * 5).await;
    let effects = world.effects(&listener).await;
    assert!(effects.iter().all(|(key, _)| key != "key-1"), "{effects:?}");

    *refused.lock().unwrap() = None;
    until_all(&world, &listener, 16 * 5).await;
    assert_all(&world.effects(&listener).await, &keys, 5);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_leaves_redis_and_what_has_no_room_waits_in_the_outbox() {
    let (world, redis) = (World::new().await, store_testing::Redis::start());
    let replica = Replica::start(&world, &redis.url(), &Refused::default()).await;
    until("everything", || async { replica.partitions() == "8" }).await;
    let listener = world.listener().await;
    let keys = keys(16);

    let narrow = Shop::start_with(&world, &redis.url(), Direct::default(), 0).await;
    tell(&narrow.store, &keys, 0..5).await;
    until("it is refused", || async { narrow.batches("Refused") > 0 }).await;
    assert_eq!(world.effects(&listener).await, []);
    narrow.stop().await;

    let shop = Shop::start(&world, &redis.url(), Direct::default()).await;
    until_all(&world, &listener, 16 * 5).await;
    assert_all(&world.effects(&listener).await, &keys, 5);
    until("the streams are empty", || async {
        (0..8).all(|at| redis.ask(&format!("XLEN mesh:events:listener:{at}")) == ":0")
    })
    .await;
    shop.stop().await;
}

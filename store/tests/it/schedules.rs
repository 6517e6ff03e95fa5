//! Schedules: each firing once for all replicas, whoever of them runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mesh::{Context, Status};
use store::{Claim, Runner, Schedule, Store};
use store_testing::Engine;

use crate::world::{World, service, start, until};

const HOUR: Duration = Duration::from_hours(1);

/// A runner that counts the firings of an hourly schedule.
fn hourly(store: &Store, fired: &Arc<AtomicUsize>) -> Runner {
    counting(store.runner(), Schedule::every(HOUR), fired)
}

fn counting(runner: Runner, schedule: Schedule, fired: &Arc<AtomicUsize>) -> Runner {
    let fired = Arc::clone(fired);
    runner.schedule(schedule, "count", move |_: Context, _: Claim| {
        fired.fetch_add(1, Ordering::SeqCst);
        async { Ok(()) }
    })
}

/// Waits until a runner has written down its schedule.
async fn registered(store: &Store, plan: &str) {
    let shop = service("shop");
    until("the schedule", || async {
        let sql = "SELECT plan FROM store_schedules WHERE name = 'count'";
        let rows = store.read(&shop).unscoped(sql).fetch_all().await.unwrap();
        rows.first().is_some_and(|row| row.get::<String>("plan").unwrap() == plan)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_replicas_one_does_each_firing() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let stores = [world.open().await, world.open().await, world.open().await];
        let fired = Arc::new(AtomicUsize::new(0));
        let running = stores.each_ref().map(|store| start(hourly(store, &fired)));
        registered(&stores[0], "every 3600 s").await;

        for firing in 1..=5 {
            world.clock.advance(HOUR);
            for store in &stores {
                store.idle().await.unwrap();
            }
            until("the firing", || async { fired.load(Ordering::SeqCst) >= firing }).await;
            for store in &stores {
                store.idle().await.unwrap();
            }
            assert_eq!(fired.load(Ordering::SeqCst), firing, "{engine:?}");
        }
        for running in running {
            running.stop().await;
        }
    }
}

#[tokio::test]
async fn firings_that_nobody_was_there_for_happen_once_at_the_next_start() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let fired = Arc::new(AtomicUsize::new(0));
        let store = world.open().await;
        let running = start(hourly(&store, &fired));
        registered(&store, "every 3600 s").await;
        running.stop().await;
        drop(store);
        world.clock.advance(HOUR * 50);

        let store = world.open().await;
        let running = start(hourly(&store, &fired));
        until("the missed firing", || async { fired.load(Ordering::SeqCst) > 0 }).await;
        store.idle().await.unwrap();
        running.stop().await;

        assert_eq!(fired.load(Ordering::SeqCst), 1, "{engine:?}");
    }
}

#[tokio::test]
async fn a_firing_that_fails_is_tried_again_and_no_other_is_added_meanwhile() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let tried = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tried);
        let every = Schedule::every(Duration::from_secs(1));
        let running = start(store.runner().schedule(every, "count", move |_, _| {
            let tries = counted.fetch_add(1, Ordering::SeqCst);
            async move { if tries < 3 { Err(Status::unavailable("not now")) } else { Ok(()) } }
        }));
        registered(&store, "every 1 s").await;

        let shop = service("shop");
        let count = "SELECT COUNT(*) AS many FROM store_tasks WHERE kind = 'count'";
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(10));
            store.idle().await.unwrap();
            let row = store.read(&shop).unscoped(count).fetch_one().await.unwrap();
            assert_eq!(row.get::<i64>("many").unwrap(), 1, "{engine:?}");
        }
        world.clock.advance(Duration::from_secs(10));
        store.idle().await.unwrap();
        running.stop().await;

        assert!(tried.load(Ordering::SeqCst) >= 4, "{engine:?}");
    }
}

#[tokio::test]
async fn a_schedule_that_is_changed_holds_from_the_next_start() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let fired = Arc::new(AtomicUsize::new(0));
    let running = start(hourly(&store, &fired));
    registered(&store, "every 3600 s").await;
    running.stop().await;

    let nightly = Schedule::cron("0 3 * * *", "Europe/Berlin").unwrap();
    let running = start(counting(store.runner(), nightly, &fired));
    registered(&store, "0 3 * * * Europe/Berlin").await;
    world.clock.advance(HOUR);
    store.idle().await.unwrap();
    assert_eq!(fired.load(Ordering::SeqCst), 0, "the hour is no firing any more");

    world.clock.advance(HOUR * 24);
    store.idle().await.unwrap();
    running.stop().await;
    assert_eq!(fired.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_was_remembered_long_enough_is_removed_a_batch_at_a_time() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let shop = service("shop");
        let mut tx = store.begin_for(&shop).await.unwrap();
        for at in 0..1_200 {
            tx.unscoped("INSERT INTO store_inbox (event, create_time) VALUES ($1, $2)")
                .bind(format!("evt_{at}"))
                .bind(world.clock.now_micros())
                .execute()
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let left = || async {
            let count = "SELECT COUNT(*) AS many FROM store_inbox";
            let row = store.read(&shop).unscoped(count).fetch_one().await.unwrap();
            row.get::<i64>("many").unwrap()
        };
        let running = start(store.runner());
        world.clock.advance(HOUR * 24 * 29);
        store.idle().await.unwrap();
        assert_eq!(left().await, 1_200, "{engine:?}");

        world.clock.advance(HOUR * 48);
        until("the rows removed", || async {
            store.idle().await.unwrap();
            left().await == 0
        })
        .await;
        running.stop().await;
    }
}

//! Which tasks come first, and how many of a kind at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesh::{Context, Status};
use serde::{Deserialize, Serialize};
use store::{Claim, Priority, Runner, Store, Task};
use store_testing::Engine;
use tokio::sync::Notify;

use crate::notes::AddLabel;
use crate::world::{World, start, until, user};

/// Something that takes its time.
#[derive(Serialize, Deserialize)]
struct Slow {}

impl Task for Slow {
    const KIND: &'static str = "slow";
    const PRIORITY: Priority = Priority::Interactive;
}

async fn start_as(store: &Store, tasks: &[(Priority, &str)]) {
    let mut tx = store.begin_for(&user("ann")).await.unwrap();
    for (priority, name) in tasks {
        tx.start_as(*priority, AddLabel { name: (*name).into() }).unwrap();
    }
    tx.commit().await.unwrap();
}

/// A runner that does one thing after the other, and in which order it did.
fn one_by_one(store: &Store) -> (Runner, Arc<Mutex<Vec<String>>>) {
    let order = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&order);
    let runner = store.runner().at_once(1).on(move |_: Context, task: AddLabel, _: Claim| {
        told.lock().unwrap().push(task.name);
        async { Ok::<_, Status>(()) }
    });
    (runner, order)
}

#[tokio::test]
async fn what_somebody_waits_for_is_done_first_and_what_has_waited_long_before_it() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        start_as(&store, &[(Priority::Bulk, "old bulk")]).await;
        world.clock.advance(Duration::from_secs(61));
        let new = [
            (Priority::Bulk, "bulk"),
            (Priority::Usual, "usual"),
            (Priority::Interactive, "interactive"),
        ];
        start_as(&store, &new).await;

        let (runner, order) = one_by_one(&store);
        let running = start(runner);
        until("all done", || async { order.lock().unwrap().len() == 4 }).await;
        running.stop().await;

        let order = order.lock().unwrap().clone();
        assert_eq!(order, ["old bulk", "interactive", "usual", "bulk"], "{engine:?}");
    }
}

#[tokio::test]
async fn a_slow_kind_keeps_no_other_waiting() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let done = Arc::new(AtomicUsize::new(0));
        let (counted, never) = (Arc::clone(&done), Arc::new(Notify::new()));
        let slow = Arc::clone(&never);
        let runner = store
            .runner()
            .at_once(4)
            .on(move |_: Context, _: Slow, _: Claim| {
                let slow = Arc::clone(&slow);
                async move {
                    slow.notified().await;
                    Ok::<_, Status>(())
                }
            })
            .on(move |_: Context, _: AddLabel, _: Claim| {
                counted.fetch_add(1, Ordering::SeqCst);
                async { Ok::<_, Status>(()) }
            });
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        for _ in 0..50 {
            tx.start(Slow {}).unwrap();
        }
        tx.commit().await.unwrap();
        let running = start(runner);
        start_as(&store, &[(Priority::Bulk, "a"), (Priority::Bulk, "b")]).await;

        until("the others done", || async { done.load(Ordering::SeqCst) == 2 }).await;

        running.drain();
        drop(running);
        never.notify_waiters();
    }
}

#[tokio::test]
async fn no_more_of_a_kind_run_at_once_than_its_limit() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let (now, most, done) =
            (Arc::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let now: Arc<AtomicUsize> = now;
        let (at_once, peak, count) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&done));
        let runner = store.runner().on_at_most(2, move |_: Context, _: Slow, _: Claim| {
            let (at_once, peak, count) =
                (Arc::clone(&at_once), Arc::clone(&peak), Arc::clone(&count));
            async move {
                let running = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                peak.fetch_max(running, Ordering::SeqCst);
                tokio::task::yield_now().await;
                at_once.fetch_sub(1, Ordering::SeqCst);
                count.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Status>(())
            }
        });
        let running = start(runner);
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        for _ in 0..20 {
            tx.start(Slow {}).unwrap();
        }
        tx.commit().await.unwrap();

        until("all done", || async { done.load(Ordering::SeqCst) == 20 }).await;
        running.stop().await;

        assert!(most.load(Ordering::SeqCst) <= 2, "{engine:?}");
    }
}

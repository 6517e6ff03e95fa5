//! Tasks: done once they are committed, whatever happens meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mesh::{Context, Status};
use store::{Claim, Error, List, Runner, Store};
use store_testing::Engine;

use crate::notes::{AddLabel, Label, label};
use crate::world::{World, service, start, user};

/// Longer than a lease that is not renewed.
const PAST_LEASE: Duration = Duration::from_secs(11);

/// A runner that adds the label, in the transaction that ends the task.
fn adding(store: &Store) -> Runner {
    let own = store.clone();
    store.runner().on(move |context: Context, task: AddLabel, claim: Claim| {
        let store = own.clone();
        async move {
            let mut tx = store.begin_for(&context).await?;
            tx.insert(label(task.name)).await?;
            tx.finish(&claim).await?;
            Ok(tx.commit().await?)
        }
    })
}

async fn names(store: &Store) -> Vec<String> {
    let page = store.read(&service("shop")).list::<Label>(&List::default()).await.unwrap();
    let mut names: Vec<_> = page.items.into_iter().map(|label| label.name).collect();
    names.sort();
    names
}

async fn start_task(store: &Store, name: &str) {
    let mut tx = store.begin_for(&user("ann")).await.unwrap();
    tx.start(AddLabel { name: name.into() }).unwrap();
    tx.commit().await.unwrap();
}

async fn left(store: &Store) -> usize {
    let shop = service("shop");
    let rows = store.read(&shop).unscoped("SELECT id FROM store_tasks").fetch_all().await;
    rows.unwrap().len()
}

#[tokio::test]
async fn a_task_is_done_once_it_is_committed_and_not_before() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let running = start(adding(&store));
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        tx.start(AddLabel { name: "dropped".into() }).unwrap();
        drop(tx);
        start_task(&store, "kept").await;

        store.idle().await.unwrap();
        running.stop().await;

        assert_eq!(names(&store).await, ["kept"], "{engine:?}");
        assert_eq!(left(&store).await, 0, "{engine:?}");
    }
}

#[tokio::test]
async fn tasks_survive_a_crash() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        {
            let store = world.open().await;
            start_task(&store, "waiting").await;
            let mut tx = store.begin_for(&user("ann")).await.unwrap();
            tx.start_claimed(AddLabel { name: "claimed".into() }).unwrap();
            tx.commit().await.unwrap();
            // The process ends here: nothing that it held is left.
        }
        let store = world.open().await;
        let running = start(adding(&store));
        store.idle().await.unwrap();
        // Who opens a SQLite file knows that the process before it has ended; on PostgreSQL it may live.
        let resumed: &[&str] = match engine {
            Engine::Sqlite => &["claimed", "waiting"],
            Engine::Postgres => &["waiting"],
        };
        assert_eq!(names(&store).await, resumed, "{engine:?}");

        // The lease of the process that ended runs out.
        world.clock.advance(PAST_LEASE);
        store.idle().await.unwrap();
        running.stop().await;
        assert_eq!(names(&store).await, ["claimed", "waiting"], "{engine:?}");
    }
}

#[tokio::test]
async fn who_lost_its_lease_can_no_longer_finish() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        let claim = tx.start_claimed(AddLabel { name: "late".into() }).unwrap();
        tx.commit().await.unwrap();

        world.clock.advance(PAST_LEASE);
        let failing = store.runner().on(|_, _: AddLabel, claim: Claim| async move {
            assert!(claim.token() > 1);
            Err(Status::unavailable("taken, and not done"))
        });
        let running = start(failing);
        store.idle().await.unwrap();
        running.stop().await;

        let mut tx = store.begin_for(&service("shop")).await.unwrap();
        tx.insert(label("late")).await.unwrap();
        assert!(matches!(tx.finish(&claim).await, Err(Error::LeaseLost(_))), "{engine:?}");
        drop(tx);
        assert!(names(&store).await.is_empty(), "{engine:?}");
    }
}

#[tokio::test]
async fn a_task_that_is_finished_inline_is_not_done_again() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let running = start(adding(&store));
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        let done = tx.start_claimed(AddLabel { name: "done".into() }).unwrap();
        let handed_over = tx.start_claimed(AddLabel { name: "handed".into() }).unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.begin_for(&service("shop")).await.unwrap();
        tx.finish(&done).await.unwrap();
        tx.release(&handed_over).await.unwrap();
        tx.commit().await.unwrap();
        store.idle().await.unwrap();
        running.stop().await;

        assert_eq!(names(&store).await, ["handed"], "{engine:?}");
        assert_eq!(left(&store).await, 0, "{engine:?}");
    }
}

#[tokio::test]
async fn a_task_that_fails_is_tried_again_later_and_given_up_in_the_end() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let running = start(store.runner().on(move |_, task: AddLabel, _| {
            let tries = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                // A panic is a failure like any other.
                assert!(tries > 0, "the first try panics");
                Err(Status::internal(format!("{} does not work", task.name)))
            }
        }));
        start_task(&store, "broken").await;
        store.idle().await.unwrap();
        assert_eq!(tries.load(Ordering::SeqCst), 1, "{engine:?}");
        assert!(store.dead_tasks(10).await.unwrap().is_empty());

        for _ in 0..25 {
            world.clock.advance(Duration::from_mins(7));
            store.idle().await.unwrap();
        }
        assert_eq!(tries.load(Ordering::SeqCst), 20, "{engine:?}");
        let dead = store.dead_tasks(10).await.unwrap();
        assert_eq!(dead[0].error, "Internal: broken does not work");
        running.stop().await;

        // Redriven, by a process that does it right.
        store.retry_task(&service("shop"), &dead[0].id).await.unwrap();
        assert!(store.retry_task(&service("other"), &dead[0].id).await.is_err());
        let running = start(adding(&store));
        store.idle().await.unwrap();
        running.stop().await;
        assert_eq!(names(&store).await, ["broken"], "{engine:?}");
    }
}

#[tokio::test]
async fn a_task_for_later_waits_for_its_time() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let running = start(adding(&store));
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        let hour = 3_600_000_000;
        tx.start_at(AddLabel { name: "later".into() }, world.clock.now_micros() + hour).unwrap();
        tx.commit().await.unwrap();

        store.idle().await.unwrap();
        assert!(names(&store).await.is_empty(), "{engine:?}");
        world.clock.advance(Duration::from_hours(1));
        store.idle().await.unwrap();
        running.stop().await;
        assert_eq!(names(&store).await, ["later"], "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_do_each_task_once() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let replicas = [world.open().await, world.open().await];
        let running = replicas.each_ref().map(|store| start(adding(store)));
        let mut tx = replicas[0].begin_for(&user("ann")).await.unwrap();
        for at in 0..100 {
            tx.start(AddLabel { name: format!("{at:02}") }).unwrap();
        }
        tx.commit().await.unwrap();

        for store in &replicas {
            store.idle().await.unwrap();
        }
        for running in running {
            running.stop().await;
        }
        // A label that is added twice is refused, and its task would be left.
        assert_eq!(left(&replicas[0]).await, 0, "{engine:?}");
        let shop = service("shop");
        let count = "SELECT COUNT(*) AS many FROM labels WHERE project = $1";
        let row = replicas[0].read(&shop).query(count).fetch_one().await.unwrap();
        assert_eq!(row.get::<i64>("many").unwrap(), 100, "{engine:?}");
    }
}

#[tokio::test]
async fn a_task_acts_for_the_customer_who_caused_it() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let running =
        start(store.runner().on(move |context: Context, _: AddLabel, _| {
            let tell = tell.clone();
            async move {
                tell.send(context.caller.clone()).map_err(|_| Status::internal("nobody listens"))
            }
        }));
    start_task(&store, "any").await;

    let caller = told.recv().await.unwrap();
    running.stop().await;

    assert_eq!((caller.actor(), caller.subject()), ("notes", Some("ann")));
    assert_eq!(caller.project(), "shop");
}

#[tokio::test]
async fn a_sweep_comes_again_and_again() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let running = start(store.runner().every(Duration::from_millis(5), "sweep", move |_| {
        let told = tell.send(()).map_err(|_| Status::internal("nobody listens"));
        async move { told }
    }));

    told.recv().await.unwrap();
    told.recv().await.unwrap();
    running.stop().await;
}

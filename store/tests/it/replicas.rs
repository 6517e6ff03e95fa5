//! Several processes on one PostgreSQL: they share the work, wake each other, and take over from each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mesh::{Context, Status};
use store::{Claim, List, Pace, Runner, Store};
use store_testing::Engine;

use crate::notes::{AddLabel, Label, label};
use crate::world::{World, service, start, until, user};

/// Nobody looks by himself within a test.
const NEVER: Duration = Duration::from_hours(1);

/// A runner that adds the label in the transaction that ends the task, and counts those it has done.
fn adding(store: &Store, done: &Arc<AtomicUsize>) -> Runner {
    let (own, done) = (store.clone(), Arc::clone(done));
    store.runner().on(move |context: Context, task: AddLabel, claim: Claim| {
        let (store, done) = (own.clone(), Arc::clone(&done));
        async move {
            let mut tx = store.begin_for(&context).await?;
            tx.insert(label(task.name)).await?;
            tx.finish(&claim).await?;
            tx.commit().await?;
            done.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    })
}

async fn start_tasks(store: &Store, names: impl Iterator<Item = String>) {
    let mut tx = store.begin_for(&user("ann")).await.unwrap();
    for name in names {
        tx.start(AddLabel { name }).unwrap();
    }
    tx.commit().await.unwrap();
}

async fn many(store: &Store, sql: &'static str) -> i64 {
    let shop = service("shop");
    let row = store.read(&shop).unscoped(sql).fetch_one().await.unwrap();
    row.get("many").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_tasks_are_each_done_once_and_by_all() {
    let world = World::new(Engine::Postgres).await;
    let mut replicas = Vec::new();
    for _ in 0..4 {
        let config = world.config("notes", world.database.open_with(6));
        replicas.push(Store::open(config).await.unwrap());
    }
    let done: Vec<_> = replicas.iter().map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let running: Vec<_> =
        replicas.iter().zip(&done).map(|(store, done)| start(adding(store, done))).collect();

    for batch in 0..6 {
        start_tasks(&replicas[0], (0..500).map(|at| format!("{batch}-{at}"))).await;
    }
    let left = "SELECT COUNT(*) AS many FROM store_tasks WHERE kind = 'add-label'";
    tokio::time::timeout(Duration::from_secs(120), async {
        while many(&replicas[0], left).await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("every task done");
    for running in running {
        running.stop().await;
    }

    // A label that is added twice would be refused, and its task left; each commit counts once.
    let each: Vec<_> = done.iter().map(|done| done.load(Ordering::SeqCst)).collect();
    assert_eq!(each.iter().sum::<usize>(), 3_000, "{each:?}");
    assert_eq!(many(&replicas[0], "SELECT COUNT(*) AS many FROM labels").await, 3_000);
    assert!(each.iter().all(|done| *done > 0), "one had all the work: {each:?}");
}

/// How many sessions of this database listen.
const LISTENERS: &str = "SELECT COUNT(*) AS many FROM pg_stat_activity \
     WHERE datname = current_database() AND query LIKE 'LISTEN%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_woken_by_the_tasks_of_another() {
    let world = World::new(Engine::Postgres).await;
    let pace = Pace { poll: NEVER, ..Pace::default() };
    let (writer, worker) = (world.open_at(pace).await, world.open_at(pace).await);
    let done = Arc::new(AtomicUsize::new(0));
    let running = start(adding(&worker, &done));
    until("a listener", || async { many(&writer, LISTENERS).await == 1 }).await;

    // Connecting wakes it too, once: only rings explain all of these.
    for at in 1..=5 {
        start_tasks(&writer, [format!("{at}")].into_iter()).await;
        until("the task done", || async { done.load(Ordering::SeqCst) == at }).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_connection_was_cut_is_woken_again() {
    let world = World::new(Engine::Postgres).await;
    let pace = Pace { poll: NEVER, ..Pace::default() };
    let (writer, worker) = (world.open_at(pace).await, world.open_at(pace).await);
    let done = Arc::new(AtomicUsize::new(0));
    let running = start(adding(&worker, &done));
    until("a listener", || async { many(&writer, LISTENERS).await == 1 }).await;

    let cut = "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) AS many FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(many(&writer, cut).await, 1);
    until("another listener", || async {
        let other = "SELECT COUNT(*) AS many FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'";
        many(&writer, other).await == 1
    })
    .await;

    for at in 1..=3 {
        start_tasks(&writer, [format!("{at}")].into_iter()).await;
        until("the task done", || async { done.load(Ordering::SeqCst) == at }).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_runner_has_not_done_another_takes_up_at_once() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let pace = Pace { grace: Duration::ZERO, ..Pace::default() };
        let (stopping, other) = (world.open_at(pace).await, world.open_at(pace).await);
        let begun = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&begun);
        let stuck = stopping.runner().on(move |_: Context, _: AddLabel, _: Claim| {
            told.store(true, Ordering::SeqCst);
            std::future::pending::<Result<(), Status>>()
        });
        let running = start(stuck);
        start_tasks(&stopping, ["stuck".to_owned()].into_iter()).await;
        until("the task begun", || async { begun.load(Ordering::SeqCst) }).await;

        running.stop().await;

        // The clock stands: no lease ends by itself.
        let shop = service("shop");
        let sql = "SELECT token, attempts, held FROM store_tasks";
        let row = stopping.read(&shop).unscoped(sql).fetch_one().await.unwrap();
        let of = |column| row.get::<i64>(column).unwrap();
        assert_eq!((of("token"), of("attempts"), of("held")), (2, 0, 0), "{engine:?}");
        let done = Arc::new(AtomicUsize::new(0));
        let running = start(adding(&other, &done));
        until("the task done", || async { done.load(Ordering::SeqCst) == 1 }).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_runner_finishes_what_it_has_begun_and_takes_nothing_more() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let (begun, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
        let (own, told, waits) = (store.clone(), Arc::clone(&begun), Arc::clone(&go_on));
        let runner =
            store.runner().at_once(1).on(move |context: Context, task: AddLabel, claim| {
                let (store, told, waits) = (own.clone(), Arc::clone(&told), Arc::clone(&waits));
                async move {
                    told.fetch_add(1, Ordering::SeqCst);
                    waits.notified().await;
                    let mut tx = store.begin_for(&context).await?;
                    tx.insert(label(task.name)).await?;
                    tx.finish(&claim).await?;
                    Ok(tx.commit().await?)
                }
            });
        let running = start(runner);
        start_tasks(&store, ["first", "second"].map(str::to_owned).into_iter()).await;
        until("one begun", || async { begun.load(Ordering::SeqCst) == 1 }).await;

        running.drain();
        go_on.notify_one();
        running.stop().await;

        let shop = service("shop");
        let page = store.read(&shop).list::<Label>(&List::default()).await.unwrap();
        assert_eq!(page.items.len(), 1, "{engine:?}");
        assert_eq!(many(&store, "SELECT COUNT(*) AS many FROM store_tasks").await, 1);
        assert_eq!(begun.load(Ordering::SeqCst), 1, "{engine:?}");
    }
}

/// How PostgreSQL goes about a statement that this connection has prepared.
async fn plan(store: &Store, like: &str, values: &str) -> String {
    let shop = service("shop");
    let reader = store.read(&shop);
    let found = format!(
        "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%{like}%' \
         AND statement NOT LIKE '%pg_prepared%'"
    );
    let row = reader.unscoped(found).fetch_one().await.unwrap();
    let name: String = row.get("name").unwrap();
    let explain = format!("EXPLAIN EXECUTE \"{name}\" ({values})");
    let rows = reader.unscoped(explain).fetch_all().await.unwrap();
    let lines = rows.iter().map(|row| row.get::<String>("QUERY PLAN").unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_lane_is_the_beginning_of_an_index_however_many_tasks_wait() {
    let world = World::new(Engine::Postgres).await;
    let config = world.config("notes", world.database.open_with(1));
    let store = Store::open(config).await.unwrap();
    let shop = service("shop");
    for kind in ["add-label", "of-nobody"] {
        let mut tx = store.begin_for(&shop).await.unwrap();
        let fill = "INSERT INTO store_tasks (project, id, kind, payload, due_time, token, subject, \
                    attempts, dead, error, traceparent, create_time) \
                    SELECT $1, $2 || n, $2, '{\"name\":\"' || n || '\"}', n, 0, '', 0, 0, '', '', 0 \
                    FROM generate_series(1, 20000) AS n";
        tx.query(fill).bind(kind).execute().await.unwrap();
        tx.commit().await.unwrap();
    }
    store.read(&shop).unscoped("ANALYZE store_tasks").fetch_all().await.unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let running = start(adding(&store, &done));
    // A plan for every execution comes first, then perhaps one for all.
    until("some done", || async { done.load(Ordering::SeqCst) > 200 }).await;
    running.stop().await;

    let claim = plan(&store, "SET token = token + 1, attempts", "'add-label', 1, 99, 16, 99").await;
    let one = "AS lane' AND statement NOT LIKE '%UNION ALL";
    let one = plan(&store, one, "16, 99, 'add-label', 1").await;
    let places =
        ["add-label", "store.forget"].map(|kind| [0, 1, 2].map(|at| format!("'{kind}', {at}")));
    let places = places.concat().join(", ");
    let all = plan(&store, "UNION ALL", &format!("16, 99, {places}")).await;

    for plan in [claim, one, all] {
        assert!(plan.contains("store_tasks_lanes"), "{plan}");
        assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{plan}");
    }
}

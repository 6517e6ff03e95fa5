//! Connections: their budget, and what is left when work is cut off.

use std::sync::Arc;
use std::time::Duration;

use mesh::{Code, Failure};
use store::{Database, Error, Store};
use store_testing::Engine;
use tokio::time::Instant;

use crate::notes::{Label, label};
use crate::world::{World, service, until};

async fn count(store: &Store) -> i64 {
    let shop = service("shop");
    let reader = store.read(&shop);
    let row = reader.query("SELECT COUNT(*) AS many FROM labels WHERE project = $1").fetch_one();
    row.await.unwrap().get("many").unwrap()
}

#[tokio::test]
async fn a_dropped_transaction_changes_nothing_and_its_connection_serves_again() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let config = world.config("notes", world.database.open_with(1));
        let store = Store::open(config).await.unwrap();
        for _ in 0..5 {
            let mut tx = store.begin_for(&service("shop")).await.unwrap();
            tx.insert(label("red")).await.unwrap();
            drop(tx);
        }

        let mut tx = store.begin_for(&service("shop")).await.unwrap();
        tx.insert(label("red")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&store).await, 1, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_is_cancelled_at_any_point_leaks_nothing() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let config = world.config("notes", world.database.open_with(2));
        let store = Store::open(config).await.unwrap();
        for micros in (0..3000).step_by(25) {
            let store = store.clone();
            let work = async move {
                let mut tx = store.begin_for(&service("shop")).await?;
                tx.insert(label(micros.to_string())).await?;
                tx.find::<Label>("lbl_none").await?;
                tx.commit().await
            };
            // Cut off wherever it is by then; a commit that has begun is finished.
            let _ = tokio::time::timeout(Duration::from_micros(micros), work).await;
        }

        // Every connection serves again, and none is left inside of a transaction.
        let held = futures_util::future::try_join_all((0..2).map(|_| async {
            let mut tx = store.begin_for(&service("shop")).await?;
            tx.insert(label(store.ids().next("x"))).await?;
            tx.commit().await
        }));
        held.await.unwrap();
        if engine == Engine::Postgres {
            let stuck = "SELECT COUNT(*) AS many FROM pg_stat_activity \
                         WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            until("no transaction stays open", async || {
                let shop = service("shop");
                let row = store.read(&shop).unscoped(stuck).fetch_one().await.unwrap();
                row.get::<i64>("many").unwrap() == 0
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_on_one_server_share_one_budget() {
    let world = World::new(Engine::Postgres).await;
    let database = world.database.open_with(3);
    let notes = Store::open(world.config("notes", database.clone())).await.unwrap();
    let labels = Store::open(world.config("labels", database)).await.unwrap();
    let observer = Store::open(world.config("observer", world.database.open())).await.unwrap();

    let calls = (0..60).map(|at| {
        let store = if at % 2 == 0 { notes.clone() } else { labels.clone() };
        tokio::spawn(async move {
            let mut tx = store.begin_for(&service("shop")).await.unwrap();
            tx.insert(label(at.to_string())).await.unwrap();
            tx.commit().await.unwrap();
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }

    assert_eq!((count(&notes).await, count(&labels).await), (30, 30));
    let shop = service("shop");
    let connections =
        "SELECT COUNT(*) AS many FROM pg_stat_activity WHERE datname = current_database()";
    let row = observer.read(&shop).unscoped(connections).fetch_one().await.unwrap();
    let own = 1;
    assert!(row.get::<i64>("many").unwrap() <= 3 + own, "more connections than the budget");
}

#[tokio::test]
async fn who_waits_longer_than_its_deadline_hears_that_the_database_is_busy() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let config = world.config("notes", world.database.open_with(1));
        let store = Store::open(config).await.unwrap();
        let held = store.begin_for(&service("shop")).await.unwrap();

        let hasty = service("shop").until(Instant::now() + Duration::from_millis(20));
        let error = store.begin_for(&hasty).await.unwrap_err();

        assert_eq!(error.verdict(), (Code::Unavailable, "DATABASE_BUSY"), "{engine:?}");
        drop(held);
        store.begin_for(&service("shop")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_never_lose_an_update() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let mut tx = store.begin_for(&service("shop")).await.unwrap();
        let counter = tx.insert(label("0")).await.unwrap();
        tx.commit().await.unwrap();

        let id: Arc<str> = counter.id.as_str().into();
        let adders = (0..20).map(|_| {
            let (store, id) = (store.clone(), Arc::clone(&id));
            tokio::spawn(async move {
                let mut tx = store.begin_for(&service("shop")).await.unwrap();
                let counter: Label = tx.get(&id).await.unwrap();
                let next = counter.name.parse::<i64>().unwrap() + 1;
                tx.update(&Label { name: next.to_string(), ..counter }).await.unwrap();
                tx.commit().await.unwrap();
            })
        });
        for adder in adders.collect::<Vec<_>>() {
            adder.await.unwrap();
        }

        let counter: Label = store.read(&service("shop")).get(&id).await.unwrap();
        assert_eq!(counter.name, "20", "{engine:?}");
    }
}

#[tokio::test]
async fn a_server_that_ends_sessions_is_connected_to_again() {
    let world = World::new(Engine::Postgres).await;
    let store = world.open().await;
    let other = Store::open(world.config("observer", world.database.open())).await.unwrap();
    count(&store).await;

    let shop = service("shop");
    let end = "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) AS many FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    other.read(&shop).unscoped(end).fetch_one().await.unwrap();

    assert_eq!(count(&store).await, 0);
    other.read(&shop).unscoped(end).fetch_one().await.unwrap();
    let mut tx = store.begin_for(&shop).await.unwrap();
    tx.insert(label("red")).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_database_that_orders_by_language_is_refused() {
    let database = store_testing::collated(
        "LOCALE_PROVIDER icu ICU_LOCALE 'en' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
    )
    .await;
    let world = World::new(Engine::Sqlite).await;
    let config = world.config("notes", Database::postgres(database.location(), 1));

    let error = Store::open(config).await.unwrap_err();

    assert!(matches!(error, Error::Collation { .. }), "{error:?}");
    assert!(error.to_string().contains("CREATE DATABASE"), "{error}");
}

#[tokio::test]
async fn an_unreachable_database_says_so() {
    let world = World::new(Engine::Sqlite).await;
    for (url, reason) in [
        ("postgres://nobody@127.0.0.1:1/none", "DATABASE_UNAVAILABLE"),
        ("not a url", "DATABASE_URL"),
    ] {
        let error = Store::open(world.config("notes", Database::postgres(url, 1))).await;
        assert_eq!(error.unwrap_err().verdict().1, reason);
    }
}

#[tokio::test]
async fn a_statement_that_was_planned_while_its_table_was_empty_is_planned_anew() {
    let world = World::new(Engine::Postgres).await;
    let config = world.config("notes", world.database.open_with(1));
    let store = Store::open(config).await.unwrap();
    let shop = service("shop");
    let reader = store.read(&shop);
    let listed = "SELECT name FROM labels WHERE project = $1 AND id IN ($2, $3, $4, $5)";
    // A plan for every execution comes first, then one for all.
    for _ in 0..8 {
        reader.query(listed).bind_all(["a", "b", "c", "d"]).fetch_all().await.unwrap();
    }
    let mut tx = store.begin_for(&shop).await.unwrap();
    tx.insert_all((0..5_000).map(|at| label(format!("{at}"))).collect()).await.unwrap();
    tx.commit().await.unwrap();

    let found = "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%id IN ($2%' \
                 AND statement NOT LIKE '%pg_prepared%'";
    let row = reader.unscoped(found).fetch_one().await.unwrap();
    let statement: String = row.get("name").unwrap();
    let explain = format!("EXPLAIN EXECUTE \"{statement}\" ('shop', 'a', 'b', 'c', 'd')");
    until("a plan that looks up keys", || async {
        let plan = reader.unscoped(explain.clone()).fetch_all().await.unwrap();
        let lines = plan.iter().map(|row| row.get::<String>("QUERY PLAN").unwrap());
        !lines.collect::<String>().contains("Filter")
    })
    .await;
}

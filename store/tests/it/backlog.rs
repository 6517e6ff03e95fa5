//! What operators are told of waits for connections, and of what is left to do.

use std::time::Duration;

use mesh::{Context, Status};
use store::{Claim, Config, Metrics, Pace, Store};
use store_testing::Engine;
use tokio::time::Instant;

use crate::notes::AddLabel;
use crate::world::{World, service, start, until, user};

/// A store with so many connections that counts often, and the page that shows what it counts.
async fn counting(world: &World, connections: usize) -> (Store, mesh::metrics::Metrics) {
    let (metrics, page) = (Metrics::default(), mesh::metrics::Metrics::default());
    metrics.register(&page);
    let config = world.config("notes", world.database.open_with(connections));
    let pace = Pace { count: Duration::from_millis(20), grace: Duration::ZERO, ..Pace::default() };
    (Store::open(Config { metrics, pace, ..config }).await.unwrap(), page)
}

/// What a page says of a series; nothing where it has none.
fn shown(page: &mesh::metrics::Metrics, series: &str) -> Option<f64> {
    let page = page.page();
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

async fn start_task(store: &Store, name: &str, after: Duration) {
    let at = store.clock().now_micros() + i64::try_from(after.as_micros()).unwrap();
    let mut tx = store.begin_for(&user("ann")).await.unwrap();
    tx.start_at(AddLabel { name: name.into() }, at).unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn who_finds_a_connection_free_has_not_waited_and_who_waits_is_counted_with_its_time() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let (store, page) = counting(&world, 1).await;
        let held = store.begin_for(&service("shop")).await.unwrap();
        assert_eq!(shown(&page, "store_connection_wait_seconds_count{service=\"notes\"}"), None);

        let hasty = service("shop").until(Instant::now() + Duration::from_millis(20));
        store.begin_for(&hasty).await.unwrap_err();
        let waits = tokio::spawn({
            let store = store.clone();
            async move { store.begin_for(&service("shop")).await.map(drop) }
        });
        // On the one thread of this test it runs until it waits.
        tokio::task::yield_now().await;
        drop(held);
        waits.await.unwrap().unwrap();

        let of = |name: &str| shown(&page, &format!("{name}{{service=\"notes\"}}"));
        assert_eq!(of("store_connection_wait_seconds_count"), Some(2.0), "{engine:?}");
        assert!(of("store_connection_wait_seconds_sum").unwrap() >= 0.02, "{engine:?}");
        assert_eq!(of("store_connection_waits_in_vain_total"), Some(1.0), "{engine:?}");
    }
}

#[tokio::test]
async fn tasks_that_wait_are_overdue_or_given_up_are_counted_by_their_kind() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let (store, page) = counting(&world, 4).await;
        for name in ["held", "late", "later"] {
            let after = Duration::from_hours(u64::from(name == "later"));
            start_task(&store, name, after).await;
        }
        world.clock.advance(Duration::from_mins(2));
        let of =
            |name: &str| shown(&page, &format!("{name}{{service=\"notes\",kind=\"add-label\"}}"));

        let holding = |_: Context, _: AddLabel, _: Claim| std::future::pending::<Result<(), _>>();
        let running = start(store.runner().on_at_most(1, holding));
        until("one runs, one is late, one is for later", async || {
            (of("store_tasks_waiting"), of("store_tasks_overdue"), of("store_tasks_dead"))
                == (Some(2.0), Some(1.0), Some(0.0))
        })
        .await;
        running.stop().await;

        let failing = |_: Context, _: AddLabel, _: Claim| async {
            Err::<(), _>(Status::internal("does not work"))
        };
        let running = start(store.runner().on(failing));
        for _ in 0..35 {
            store.idle().await.unwrap();
            world.clock.advance(Duration::from_mins(7));
        }
        until("all are given up", async || {
            (of("store_tasks_dead"), of("store_tasks_waiting")) == (Some(3.0), Some(0.0))
        })
        .await;
        let dead = store.dead_tasks(10).await.unwrap();
        store.discard_task(&service("shop"), &dead[0].id).await.unwrap();
        until("one less", async || of("store_tasks_dead") == Some(2.0)).await;
        running.stop().await;
    }
}

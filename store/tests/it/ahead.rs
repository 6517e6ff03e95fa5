//! A clock that was ahead for a while and is put right: what was put off by it is done now, not then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mesh::{Context, Status};
use store::{Claim, List, Store};
use store_testing::Engine;

use crate::notes::{AddLabel, Label, label};
use crate::world::{World, service, start, until, user};

const AHEAD: Duration = Duration::from_hours(1);

async fn names(store: &Store) -> Vec<String> {
    let page = store.read(&service("shop")).list::<Label>(&List::default()).await.unwrap();
    let mut names: Vec<_> = page.items.into_iter().map(|label| label.name).collect();
    names.sort();
    names
}

async fn begin(store: &Store, name: &str) {
    let mut tx = store.begin_for(&user("ann")).await.unwrap();
    tx.start(AddLabel { name: name.into() }).unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn tasks_of_a_clock_that_was_ahead_are_done_once_it_is_right() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let (works, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (own, may, failures) = (store.clone(), Arc::clone(&works), Arc::clone(&failed));
        let runner = store.runner().on(move |context: Context, task: AddLabel, claim: Claim| {
            let (store, may, failures) = (own.clone(), Arc::clone(&may), Arc::clone(&failures));
            async move {
                if !may.load(Ordering::SeqCst) {
                    failures.fetch_add(1, Ordering::SeqCst);
                    return Err(Status::unavailable("not yet"));
                }
                let mut tx = store.begin_for(&context).await?;
                tx.insert(label(task.name)).await?;
                tx.finish(&claim).await?;
                Ok(tx.commit().await?)
            }
        });
        world.clock.advance(AHEAD);
        let running = start(runner);
        begin(&store, "failed").await;
        until("it has failed", || async { failed.load(Ordering::SeqCst) == 1 }).await;
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        let claim = tx.start_claimed(AddLabel { name: "taken".into() }).unwrap();
        tx.start_at(AddLabel { name: "later".into() }, later(&world)).unwrap();
        tx.commit().await.unwrap();
        // Whoever had it is gone, and renews nothing.
        drop(claim);

        works.store(true, Ordering::SeqCst);
        world.clock.put_back(AHEAD);

        until("it is due", || async { names(&store).await == ["failed"] }).await;
        // A lease of what is ten seconds, and a minute that somebody has asked for.
        world.clock.advance(Duration::from_secs(11));
        until("its lease has ended", || async { names(&store).await == ["failed", "taken"] }).await;
        world.clock.advance(Duration::from_secs(50));
        until("its time has come", || async { names(&store).await.len() == 3 }).await;
        running.stop().await;
    }
}

/// A minute from now.
fn later(world: &World) -> i64 {
    world.clock.now_micros() + 60_000_000
}

//! Leases: renewed while somebody holds the claim, lost when another has taken the task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mesh::{Context, Status};
use store::{Claim, Error, Store};
use store_testing::Engine;

use crate::notes::AddLabel;
use crate::world::{Running, World, service, start, until, user};

/// Short enough to wait for its renewal.
const LEASE: Duration = Duration::from_millis(300);

async fn claimed(store: &Store) -> Claim {
    let mut tx = store.begin_for(&user("ann")).await.unwrap();
    let claim = tx.start_claimed(AddLabel { name: "claimed".into() }).unwrap();
    tx.commit().await.unwrap();
    claim
}

/// When the only task may be taken.
async fn due(store: &Store) -> i64 {
    let shop = service("shop");
    let rows = store.read(&shop).unscoped("SELECT due_time FROM store_tasks").fetch_all().await;
    rows.unwrap()[0].get("due_time").unwrap()
}

/// A runner that says when it is at the task, and never ends it.
fn standing(store: &Store) -> (Running, Arc<AtomicBool>) {
    let at_it = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&at_it);
    let runner = store.runner().on(move |_: Context, _: AddLabel, _: Claim| {
        let at = At(Arc::clone(&told));
        async move {
            at.0.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
            drop(at);
            Ok::<_, Status>(())
        }
    });
    (start(runner), at_it)
}

/// Lets time run faster than leases are renewed, until somebody else is at the task.
async fn overtake(world: &World, at_it: &AtomicBool) {
    let passes = || async {
        world.clock.advance(LEASE * 2);
        at_it.load(Ordering::SeqCst)
    };
    until("the task taken over", passes).await;
}

/// Says that nobody is at it any more when it is dropped.
struct At(Arc<AtomicBool>);

impl Drop for At {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_while_its_claim_is_held_and_ends_after_it() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open_with_leases(LEASE).await;
        let claim = claimed(&store).await;

        for _ in 0..3 {
            world.clock.advance(LEASE.mul_f64(0.99));
            let now = world.clock.now_micros();
            let renewed = i64::try_from(LEASE.as_micros()).unwrap() + now;
            until("a renewal", || async { due(&store).await == renewed }).await;
            claim.check().unwrap();
        }
        drop(claim);
        world.clock.advance(LEASE);
        let (running, at_it) = standing(&store);
        until("the task taken", || async { at_it.load(Ordering::SeqCst) }).await;

        drop(running);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_late_hears_that_another_goes_on() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let (late, other) =
            (world.open_with_leases(LEASE).await, world.open_with_leases(LEASE).await);
        let claim = claimed(&late).await;

        let (running, at_it) = standing(&other);
        overtake(&world, &at_it).await;
        until("the loss noticed", || async { claim.check().is_err() }).await;

        assert!(matches!(claim.check(), Err(Error::LeaseLost(_))), "{engine:?}");
        let mut tx = late.begin_for(&service("shop")).await.unwrap();
        assert!(matches!(tx.renew(&claim).await, Err(Error::LeaseLost(_))), "{engine:?}");
        drop(running);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_whose_lease_is_lost_goes_no_further() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let (one, other) =
            (world.open_with_leases(LEASE).await, world.open_with_leases(LEASE).await);
        let mut tx = one.begin_for(&user("ann")).await.unwrap();
        tx.start(AddLabel { name: "any".into() }).unwrap();
        tx.commit().await.unwrap();
        let (first, at_it) = standing(&one);
        until("the task taken", || async { at_it.load(Ordering::SeqCst) }).await;
        // It could take the task again as soon as the other has it.
        first.drain();

        let (second, also_at_it) = standing(&other);
        overtake(&world, &also_at_it).await;
        until("the first stopped", || async { !at_it.load(Ordering::SeqCst) }).await;

        drop((first, second));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_cannot_be_renewed_ends_for_its_holder_too() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open_with_leases(LEASE).await;
    let claim = claimed(&store).await;
    claim.check().unwrap();

    // Nobody else can write meanwhile.
    let mut tx = store.begin_for(&service("shop")).await.unwrap();
    tx.start(AddLabel { name: "in the way".into() }).unwrap();
    until("the end of the lease", || async { claim.check().is_err() }).await;
    tx.commit().await.unwrap();

    // It is nobody else's: once it can be, it is renewed.
    until("a renewal", || async { claim.check().is_ok() }).await;
}

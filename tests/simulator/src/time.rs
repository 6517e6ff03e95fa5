//! Time that passes only where nothing else goes on.
//!
//! The runtime's time is paused and the mesh's clock stands. Whoever waits for a time, such as a slow
//! provider, a pause before another try, or a poll, gets it as soon as no statement and no call is under
//! way, so that a history of days takes milliseconds. Both clocks move together: a lease that lasts in one
//! lasts in the other.

use std::time::Duration;

use harness::Harness;
use mesh::Clock;
use tokio::sync::mpsc;

use crate::agent::Agent;
use crate::world::SERVICES;

/// How long nothing must go on, in real time: longer than a statement on a busy machine takes mostly. Where it
/// takes longer once, a tenth of a second passes for everybody, which is no fault.
const TICK: Duration = Duration::from_micros(250);
const QUIET_TICKS: u32 = 2;
/// How far time moves at once, more while nothing happens.
const STEPS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Moves time whenever nothing goes on, until it is dropped; returns when so much real time is over.
pub(crate) async fn pass(
    mut ticks: mpsc::Receiver<()>,
    harness: &Harness,
    agent: &Agent,
    patience: Duration,
) {
    let began = std::time::Instant::now();
    let (mut last, mut quiet, mut step) = (0, 0, STEPS.0);
    while ticks.recv().await.is_some() && began.elapsed() < patience {
        let now = progress(harness, agent);
        if now != last {
            (last, quiet, step) = (now, 0, STEPS.0);
            continue;
        }
        quiet += 1;
        if quiet < QUIET_TICKS {
            continue;
        }
        quiet = 0;
        if !agent.release_one() {
            both(&harness.clock, step, step).await;
            step = (step * 2).min(STEPS.1);
        }
    }
}

/// Opens something, which may wait for a little while where a file is not free yet.
pub(crate) async fn open<T>(ticks: &mut mpsc::Receiver<()>, opening: impl Future<Output = T>) -> T {
    let mut opening = std::pin::pin!(opening);
    loop {
        tokio::select! {
            opened = &mut opening => return opened,
            _ = ticks.recv() => tokio::time::advance(TICK).await,
        }
    }
}

/// Moves the mesh's clock, and the runtime's by as much of it as somebody waits at most.
pub(crate) async fn both(clock: &Clock, of_mesh: Duration, of_runtime: Duration) {
    clock.advance(of_mesh);
    tokio::time::advance(of_runtime).await;
}

/// How much has been done: it stands still when nothing goes on.
fn progress(harness: &Harness, agent: &Agent) -> u64 {
    let stores = SERVICES.iter().map(|service| harness.store(service));
    stores.map(|store| store.statements() + store.commits()).sum::<u64>() + agent.calls()
}

/// Ticks of real time. From now on the runtime does not move its time by itself: the thread that gives them
/// keeps it from that.
pub(crate) fn ticks() -> mpsc::Receiver<()> {
    let (give, ticks) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        while give.blocking_send(()).is_ok() {
            wait_a_tick();
        }
    });
    ticks
}

/// Whether nothing goes on can only be seen in real time: databases have threads of their own.
fn wait_a_tick() {
    std::thread::sleep(TICK);
}

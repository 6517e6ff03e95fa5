//! Callers that go on while faults come and go, and what each of their calls came to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::BoxFuture;
use mesh::{CancellationToken, Code};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;

/// Makes a call; who answered, or how it failed.
pub(crate) type Caller = Box<dyn FnMut() -> BoxFuture<'static, Result<u32, Code>> + Send>;

/// One call, as its caller saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) answer: Result<u32, Code>,
}

/// Callers at work, each with one call at a time.
pub(crate) struct Load {
    calls: Arc<Mutex<Vec<Call>>>,
    stop: CancellationToken,
    callers: TaskTracker,
}

impl Load {
    /// Has each caller begin a call so often, or as soon as its last one has ended.
    pub(crate) fn start(callers: Vec<Caller>, every: Duration) -> Self {
        let load = Self {
            calls: Arc::default(),
            stop: CancellationToken::new(),
            callers: TaskTracker::new(),
        };
        for caller in callers {
            let (calls, stop) = (Arc::clone(&load.calls), load.stop.clone());
            load.callers.spawn(work(caller, every, calls, stop));
        }
        load
    }

    /// Goes on for so long.
    pub(crate) async fn wait(&self, time: Duration) {
        let _ = timeout(time, std::future::pending::<()>()).await;
    }

    /// Goes on until the calls so far are what is waited for; how long that took, unless it was too long.
    pub(crate) async fn wait_until(
        &self,
        longest: Duration,
        is: impl Fn(&[Call]) -> bool,
    ) -> Option<Duration> {
        let begun = Instant::now();
        while begun.elapsed() < longest {
            if is(&self.lock()) {
                return Some(begun.elapsed());
            }
            self.wait(Duration::from_millis(20)).await;
        }
        None
    }

    /// How many calls have ended.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Lets the last calls end; all of them.
    pub(crate) async fn stop(self) -> Vec<Call> {
        self.stop.cancel();
        self.callers.close();
        self.callers.wait().await;
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn work(
    mut caller: Caller,
    every: Duration,
    calls: Arc<Mutex<Vec<Call>>>,
    stop: CancellationToken,
) {
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        let begun = Instant::now();
        let answer = caller().await;
        let call = Call { begun, ended: Instant::now(), answer };
        calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// The calls that began in a stretch of time.
pub(crate) fn between(calls: &[Call], from: Instant, to: Instant) -> Vec<Call> {
    calls.iter().filter(|call| call.begun >= from && call.begun < to).copied().collect()
}

/// How many failed.
pub(crate) fn failed(calls: &[Call]) -> usize {
    calls.iter().filter(|call| call.answer.is_err()).count()
}

/// How many went to a replica: those that no other answered. A failure says not where it was.
pub(crate) fn at(calls: &[Call], replica: u32, others: &[u32]) -> usize {
    let elsewhere =
        |call: &&Call| call.answer.is_ok_and(|by| by != replica && others.contains(&by));
    calls.len() - calls.iter().filter(elsewhere).count()
}

/// When the first failure after a moment was known; that moment when nothing failed.
pub(crate) fn detected(calls: &[Call], fault: Instant) -> Instant {
    let failures = calls.iter().filter(|call| call.answer.is_err() && call.ended >= fault);
    failures.map(|call| call.ended).min().unwrap_or(fault)
}

/// The time that such a share of the calls took at most, of those that were answered.
pub(crate) fn percentile(calls: &[Call], share: usize) -> Result<Duration> {
    let answered = calls.iter().filter(|call| call.answer.is_ok());
    let mut took: Vec<_> = answered.map(|call| call.ended - call.begun).collect();
    ensure!(!took.is_empty(), "no call was answered");
    took.sort_unstable();
    Ok(took[(took.len() * share / 100).min(took.len() - 1)])
}

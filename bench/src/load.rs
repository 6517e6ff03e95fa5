//! A closed loop: so many callers, each with one call in flight, for so long.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

/// Makes one call after another; a call that fails ends the measurement, whose figure it would falsify.
pub(crate) type Caller = Box<dyn FnMut() -> BoxFuture<'static, Result<()>> + Send>;

/// How long calls may go on that were under way at the end: longer than any deadline of the contracts.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long is measured, after calls that do not count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Window {
    /// A window whose warm-up is a part of what is measured, and at most a second.
    pub(crate) fn of(seconds: f64) -> Self {
        let measured = Duration::from_secs_f64(seconds);
        Self { warm_up: (measured / 4).min(Duration::from_secs(1)), measured }
    }
}

/// What was measured in one window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Calls that ended within the window, a second.
    pub(crate) rate: f64,
    /// All calls, those of the warm-up and those cut off by the end included.
    pub(crate) all: usize,
    /// Half of the calls took no longer.
    pub(crate) median: Duration,
    /// 99 of 100 calls took no longer.
    pub(crate) p99: Duration,
}

/// Runs the callers, each on a task of its own, for a window.
pub(crate) async fn closed_loop(callers: Vec<Caller>, window: Window) -> Result<Measured> {
    let began = Instant::now();
    let start = began + window.warm_up;
    let end = start + window.measured;
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn(call_until(caller, end));
    }
    let mut calls = Vec::new();
    let patience = window.warm_up + window.measured + PATIENCE;
    let all = tokio::time::timeout(patience, async {
        while let Some(ended) = tasks.join_next().await {
            calls.extend(ended.context("a caller broke")??);
        }
        anyhow::Ok(())
    });
    all.await.with_context(|| format!("calls have not ended after {patience:?}"))??;
    let all = calls.len();
    let within = |call: &Call| call.ended >= start && call.ended < end;
    let mut took: Vec<_> = calls.iter().filter(|call| within(call)).map(|it| it.took).collect();
    let mut seconds = window.measured.as_secs_f64();
    if took.is_empty() {
        // Calls that take longer than the window are counted over all the time that they took.
        took = calls.iter().map(|call| call.took).collect();
        seconds = began.elapsed().as_secs_f64();
    }
    ensure!(!took.is_empty(), "no call was made");
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    #[expect(clippy::cast_precision_loss, reason = "calls of one window are far below 2^52")]
    let rate = took.len() as f64 / seconds;
    Ok(Measured { rate, all, median: at(50), p99: at(99) })
}

/// One call that succeeded.
struct Call {
    ended: Instant,
    took: Duration,
}

/// Makes calls until none may begin any more; the last one is waited for.
async fn call_until(mut caller: Caller, end: Instant) -> Result<Vec<Call>> {
    let mut calls = Vec::new();
    loop {
        let began = Instant::now();
        if began >= end {
            return Ok(calls);
        }
        caller().await?;
        let ended = Instant::now();
        calls.push(Call { ended, took: ended - began });
    }
}

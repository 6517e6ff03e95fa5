//! A closed loop: so many callers, each with one call in flight, for so long.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

/// Makes one call after another; a call that fails ends the measurement, whose figure it would falsify.
pub(crate) type Caller = Box<dyn FnMut() -> BoxFuture<'static, Result<()>> + Send>;

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
    let start = Instant::now() + window.warm_up;
    let end = start + window.measured;
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn(call_until(caller, start, end));
    }
    let (mut took, mut all) = (Vec::new(), 0);
    while let Some(ended) = tasks.join_next().await {
        let (counted, made) = ended.context("a caller broke")??;
        took.extend(counted);
        all += made;
    }
    ensure!(!took.is_empty(), "no call ended within {:?}: measure longer", window.measured);
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    #[expect(clippy::cast_precision_loss, reason = "calls of one window are far below 2^52")]
    let rate = took.len() as f64 / window.measured.as_secs_f64();
    Ok(Measured { rate, all, median: at(50), p99: at(99) })
}

/// How long each counted call took, and how many were made in all.
async fn call_until(
    mut caller: Caller,
    start: Instant,
    end: Instant,
) -> Result<(Vec<Duration>, usize)> {
    let (mut took, mut made) = (Vec::new(), 0);
    loop {
        let began = Instant::now();
        if began >= end {
            return Ok((took, made));
        }
        caller().await?;
        made += 1;
        let ended = Instant::now();
        if ended >= start && ended < end {
            took.push(ended - began);
        }
    }
}

//! Replicas that answer, but badly.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::fleet::{Fleet, Kind};
use crate::load::{at, between, percentile};
use crate::table::{Row, told};

/// One of three fails at once, which is faster than any answer.
pub(crate) async fn failing(smoke: bool) -> Result<Row> {
    let mut fleet = Fleet::start_as(3, "slow 2").await?;
    let load = fleet.load(Kind::Act).await?;
    let (fault, before) = (Instant::now(), fleet.calls(1)?);

    fleet.replica(1)?.be("failing").await?;
    load.wait(Duration::from_secs(if smoke { 2 } else { 20 })).await;
    let there = fleet.calls(1)? - before;

    let calls = between(&load.stop().await, fault, Instant::now());
    let said = format!("{there} of {} there, at most a third", calls.len());
    Ok(Row::of("one of three fails at once", &calls)
        .there(there)
        .bar(there * 3 <= calls.len(), &said))
}

/// One of three takes a hundred times as long.
pub(crate) async fn slow() -> Result<Row> {
    let mut fleet = Fleet::start_as(3, "slow 2").await?;
    let load = fleet.load(Kind::Act).await?;
    let begun = Instant::now();
    load.wait(Duration::from_secs(10)).await;
    let fault = Instant::now();

    fleet.replica(1)?.be("slow 200").await?;
    load.wait(Duration::from_secs(20)).await;

    let calls = load.stop().await;
    let (well, under) = (between(&calls, begun, fault), between(&calls, fault, Instant::now()));
    let (before, after) = (percentile(&well, 99)?, percentile(&under, 99)?);
    let said = format!("p99 at most twice {} of the healthy fleet", told(before));
    Ok(Row::of("one of three 100 times slower", &under)
        .there(at(&under, 1, &[2, 3]))
        .bar(after <= before * 2, &said))
}

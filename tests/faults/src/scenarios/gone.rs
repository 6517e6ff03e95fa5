//! Replicas that are dead, or refuse everything: what their callers lose, and what they still send.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::fleet::{Fleet, Kind};
use crate::load::{between, detected, failed};
use crate::net;
use crate::table::{Row, told};

/// How long a replica that is back may wait for its first call.
const BACK: Duration = Duration::from_secs(10);

/// One of three is killed, and started again.
pub(crate) async fn killed(smoke: bool) -> Result<Row> {
    let mut fleet = Fleet::start(3).await?;
    let load = fleet.load(Kind::Act).await?;
    let (before, fault) = (net::dials()?, Instant::now());

    fleet.replica(1)?.kill().await?;
    load.wait(Duration::from_secs(if smoke { 4 } else { 20 })).await;
    let (dials, end) = (net::dials()? - before, Instant::now());
    fleet.revive(1).await?;
    let back = load
        .wait_until(BACK, |calls| calls.iter().any(|call| call.begun > end && call.answer == Ok(1)))
        .await;

    let calls = load.stop().await;
    let (under, later) =
        (between(&calls, fault, end), between(&calls, detected(&calls, fault), end));
    // Nobody is left to count calls: a try is a connection that was asked for, or a call that failed.
    let tried = dials + failed(&later);
    let share = format!("{tried} of {} tried there, at most 1 %", later.len());
    let all = between(&calls, fault, Instant::now());
    let row = Row::of("one of three killed", &under).there(dials + failed(&under));
    Ok(row
        .bar(failed(&later) == 0, &format!("0 fail once detected: {}", failed(&later)))
        .bar(tried * 100 <= later.len(), &share)
        .bar(failed(&all) == failed(&under), "0 fail as it comes back")
        .bar(back.is_some(), &format!("called again after {}", back.map_or("never".into(), told))))
}

/// Every replica refuses every call.
pub(crate) async fn refusing(smoke: bool) -> Result<Row> {
    let mut fleet = Fleet::start(3).await?;
    let load = fleet.load(Kind::Read).await?;
    load.stop().await;
    for number in 1..=3 {
        fleet.replica(number)?.be("refusing").await?;
    }
    let before = fleet.all_calls()?;

    let load = fleet.start_load(Kind::Read)?;
    load.wait(Duration::from_secs(if smoke { 2 } else { 10 })).await;

    let calls = load.stop().await;
    Ok(outage("all of three refuse", &calls, fleet.all_calls()? - before))
}

/// Every replica is dead.
pub(crate) async fn dead(smoke: bool) -> Result<Row> {
    let mut fleet = Fleet::start(3).await?;
    let load = fleet.load(Kind::Read).await?;
    let (before, fault) = (net::dials()?, Instant::now());

    for number in 1..=3 {
        fleet.replica(number)?.kill().await?;
    }
    load.wait(Duration::from_secs(if smoke { 2 } else { 10 })).await;
    let (dials, end) = (net::dials()? - before, Instant::now());
    for number in 1..=3 {
        fleet.revive(number).await?;
    }
    let back = load
        .wait_until(BACK, |calls| calls.iter().any(|call| call.begun > end && call.answer.is_ok()))
        .await
        .context("nobody was called again")?;

    let calls = load.stop().await;
    let row = outage("all of three killed", &between(&calls, fault, end), dials);
    Ok(row.bar(true, &format!("answers again after {}", told(back))))
}

/// What is sent may be little more than what was asked for.
fn outage(scenario: &str, calls: &[crate::load::Call], sent: usize) -> Row {
    let most = calls.len() * 12 / 10;
    let said = format!("{sent} sent for {} calls, at most 1.2 times as many", calls.len());
    Row::of(scenario, calls).there(sent).bar(sent <= most, &said)
}

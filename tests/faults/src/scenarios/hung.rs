//! Replicas that are silent: nobody says that they are gone, and they may come back.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::fleet::{Fleet, Kind};
use crate::load::{Load, at, between, detected, failed};
use crate::process::Signal;
use crate::table::{Row, told};
use crate::tell;

/// How long whoever is back may wait for a call. What hung counts as a very slow answer, and fades.
const BACK: Duration = Duration::from_secs(90);

/// One of three is stopped and goes on, as a machine does that is moved.
pub(crate) async fn paused() -> Result<Row> {
    let mut fleet = Fleet::start(3).await?;
    let load = fleet.load(Kind::Act).await?;
    let fault = Instant::now();

    fleet.replica(1)?.signal(Signal::Stop).await?;
    load.wait(Duration::from_secs(20)).await;
    let end = Instant::now();
    fleet.replica(1)?.signal(Signal::Continue).await?;

    judged("one of three paused for 20 s", load, fault, end).await
}

/// One of three is cut off, and its network heals when connections have been given up.
pub(crate) async fn cut_off() -> Result<Row> {
    let mut fleet = Fleet::start(3).await?;
    let load = fleet.load(Kind::Act).await?;
    let fault = Instant::now();

    fleet.replica(1)?.host.cut().await?;
    load.wait(Duration::from_secs(30)).await;
    let end = Instant::now();
    fleet.replica(1)?.host.heal().await?;

    judged("one of three cut off for 30 s", load, fault, end).await
}

/// The machine of one of three is gone, and nobody ends its connections; then another has its address.
pub(crate) async fn half_open() -> Result<Row> {
    let mut fleet = Fleet::start(3).await?;
    let load = fleet.load(Kind::Act).await?;
    let fault = Instant::now();

    fleet.replica(1)?.host.vanish().await?;
    fleet.replica(1)?.kill().await?;
    load.wait(Duration::from_secs(15)).await;
    let end = Instant::now();
    fleet.replica(1)?.host.appear().await?;
    fleet.revive(1).await?;

    judged("one of three half open for 15 s", load, fault, end).await
}

/// Waits until the replica is called again. Calls that hang fail with their deadline; no other may.
async fn judged(scenario: &str, load: Load, fault: Instant, end: Instant) -> Result<Row> {
    let again = |calls: &[crate::load::Call]| {
        calls.iter().any(|call| call.begun > end && call.answer == Ok(1))
    };
    let back = load.wait_until(BACK, again).await;

    let calls = load.stop().await;
    let all = between(&calls, fault, Instant::now());
    let under = between(&calls, fault, end);
    let later = between(&calls, detected(&calls, fault), Instant::now());
    for call in later.iter().filter(|call| call.answer.is_err()) {
        let (begun, ended) = (call.begun - fault, call.ended - fault);
        tell(&format!("faults: {:?}, begun after {begun:?}, ended after {ended:?}", call.answer));
    }
    Ok(Row::of(scenario, &all)
        .there(at(&under, 1, &[2, 3]))
        .bar(failed(&later) == 0, &format!("0 fail once detected: {}", failed(&later)))
        .bar(back.is_some(), &format!("called again after {}", back.map_or("never".into(), told))))
}

//! Replicas that are replaced while they are called.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::fleet::{Fleet, Kind};
use crate::load::between;
use crate::table::Row;

/// How many calls a rolling restart has to survive.
const CALLS: usize = 20_000;

/// Two replicas are ended and started again in turns, and no call may be sent twice.
pub(crate) async fn restarted(smoke: bool) -> Result<Row> {
    let mut fleet = Fleet::start(2).await?;
    let before = fleet.all_calls()?;
    let load = fleet.load(Kind::Act).await?;
    let (begun, mut rounds, mut clean) = (Instant::now(), 0, true);
    let (calls, least) = if smoke { (0, 2) } else { (CALLS, 12) };

    while rounds < least || load.count() < calls {
        for number in 1..=2 {
            clean &= fleet.restart(number).await?;
        }
        rounds += 1;
    }
    load.wait(Duration::from_secs(1)).await;

    let calls = load.stop().await;
    let came = fleet.all_calls()? - before;
    let once = came == calls.len();
    let row = Row::of(
        &format!("two of two restarted, {rounds} rounds"),
        &between(&calls, begun, Instant::now()),
    );
    let failed = crate::load::failed(&calls);
    Ok(row
        .bar(failed == 0, &format!("0 of at least {} fail", if smoke { 1 } else { CALLS }))
        .bar(once, &format!("each came once: {came} of {}", calls.len()))
        .bar(clean, "all end clean"))
}

//! The real services, two processes of each, restarted under the load of their customers.

pub(crate) mod customers;
pub(crate) mod world;

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use self::customers::Customers;
use self::world::World;
use crate::load::{between, failed};
use crate::table::Row;

/// How many calls the restarts have to survive.
const CALLS: usize = 20_000;
/// What a smoke test restarts: the front door, and a service with a database.
const SMOKE: [&str; 2] = ["gateway", "orders"];

/// Ends each process and starts it again, one after the other, while customers read and buy.
pub(crate) async fn restarted(smoke: bool) -> Result<Row> {
    let mut world = World::start(if smoke { 1 } else { 5 }).await?;
    let customers = Customers::arrive(&world.gateways()).await?;
    let load = customers.load();
    let warm =
        |calls: &[crate::load::Call]| calls.iter().filter(|call| call.answer.is_ok()).count() >= 50;
    load.wait_until(Duration::from_secs(60), warm).await.context("customers are not served")?;
    let (begun, mut restarts, mut clean) = (Instant::now(), 0, true);
    let least = if smoke { 0 } else { CALLS };

    loop {
        for number in 0..world.processes() {
            if !smoke || SMOKE.contains(&world.name(number)) {
                clean &= world.restart(number).await?;
                restarts += 1;
            }
        }
        if load.count() >= least {
            break;
        }
    }
    load.wait(Duration::from_secs(1)).await;

    let calls = between(&load.stop().await, begun, Instant::now());
    let bought = calls.iter().filter(|call| call.answer == Ok(customers::ORDER)).count();
    let scenario = format!("the services and gateways, {restarts} processes restarted");
    let said =
        format!("0 of at least {} fail, {bought} of them orders", if smoke { 200 } else { CALLS });
    let enough = calls.len() >= if smoke { 200 } else { CALLS };
    Ok(Row::of(&scenario, &calls)
        .bar(failed(&calls) == 0 && enough, &said)
        .bar(clean, "all end clean"))
}

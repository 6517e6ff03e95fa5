//! PostgreSQL killed with all of its processes, and started again on what it had kept.

use std::time::Duration;

use anyhow::{Result, anyhow};
use store_testing::Server;
use tokio::time::Instant;

use super::Shop;
use super::table::Row;
use crate::shop::world::Plan;
use crate::table::told;

/// Kills it, as often as there is time for.
pub(crate) async fn killed(smoke: bool) -> Result<Row> {
    let server = tokio::task::spawn_blocking(|| Server::start(true)).await?;
    let mut server = server.map_err(|problem| anyhow!(problem))?;
    let database = server.database().await;
    let plan = Plan { database: Some(database.location()), ..Plan::of(1) };
    let shop = Shop::open(plan).await?;
    let (rounds, mut again, mut back) = (if smoke { 1 } else { 3 }, Duration::ZERO, Duration::ZERO);
    for _ in 0..rounds {
        let begun = Instant::now();
        server.kill().map_err(|problem| anyhow!(problem))?;
        shop.buyers.refusals(begun, 2).await?;
        let started = Instant::now();
        server = restarted(server).await?;
        back = back.max(started.elapsed());
        let ready = Instant::now();
        shop.buyers.again(ready).await?;
        again = again.max(begun.elapsed());
        shop.buyers.sell(20).await?;
    }
    let row = shop.close(&format!("PostgreSQL killed, {rounds} times")).await?.again(again);
    let said = format!("it takes connections {} after it is started", told(back));
    drop(database);
    Ok(row.notes(true, &said))
}

async fn restarted(mut server: Server) -> Result<Server> {
    let started = tokio::task::spawn_blocking(move || server.restart().map(|()| server)).await?;
    started.map_err(|problem| anyhow!(problem))
}

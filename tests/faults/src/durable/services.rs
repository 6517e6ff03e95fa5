//! Each service killed, one after the other, where it has one process only.

use std::time::Duration;

use anyhow::Result;
use store_testing::Engine;
use tokio::time::Instant;

use super::Shop;
use super::table::Row;
use crate::shop::world::Plan;

/// What a smoke test kills: the front door, and who has the most to remember.
const SMOKE: [&str; 3] = ["orders", "payments", "gateway"];

/// Kills all of them on one database, then on the other; a smoke test does with SQLite.
pub(crate) async fn killed(smoke: bool) -> Result<Vec<Row>> {
    let mut rows = vec![killed_on(Engine::Sqlite, smoke).await?];
    if !smoke {
        rows.push(killed_on(Engine::Postgres, smoke).await?);
    }
    Ok(rows)
}

async fn killed_on(engine: Engine, smoke: bool) -> Result<Row> {
    let database = store_testing::database(engine).await;
    let location = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => Some(database.location()),
    };
    let mut shop = Shop::open(Plan { database: location, ..Plan::of(1) }).await?;
    let (mut kills, mut again) = (0, Duration::ZERO);
    for number in 0..shop.world.processes() {
        if smoke && !SMOKE.contains(&shop.world.name(number)) {
            continue;
        }
        let begun = Instant::now();
        shop.world.kill(number).await?;
        shop.world.start_again(number).await?;
        let ready = Instant::now();
        shop.buyers.again(ready).await?;
        again = again.max(begun.elapsed());
        kills += 1;
        shop.buyers.sell(10).await?;
    }
    let what = format!("each service killed, {kills} processes, {engine:?}");
    let row = shop.close(&what).await?.again(again);
    drop(database);
    Ok(row)
}

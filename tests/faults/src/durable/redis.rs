//! Redis killed and started again empty, while two processes of each service share by it.

use std::time::Duration;

use anyhow::Result;
use store_testing::{Engine, Redis};
use tokio::time::Instant;

use super::Shop;
use super::table::Row;
use crate::shop::world::Plan;

/// Kills it, as often as there is time for.
pub(crate) async fn killed(smoke: bool) -> Result<Row> {
    let mut redis = tokio::task::spawn_blocking(Redis::start).await?;
    let database = store_testing::database(Engine::Postgres).await;
    let more = vec!["--redis".to_owned(), redis.url()];
    let plan = Plan { database: Some(database.location()), more, ..Plan::of(2) };
    let shop = Shop::open(plan).await?;
    let (rounds, mut again) = (if smoke { 1 } else { 3 }, Duration::ZERO);
    for _ in 0..rounds {
        let begun = Instant::now();
        redis.kill();
        again = again.max(shop.buyers.again(begun).await?);
        shop.buyers.sell(20).await?;
        redis = tokio::task::spawn_blocking(move || {
            redis.restart();
            redis
        })
        .await?;
        shop.buyers.sell(20).await?;
    }
    let row = shop.close(&format!("Redis killed and started empty, {rounds} times")).await?;
    drop(database);
    Ok(row.again(again))
}

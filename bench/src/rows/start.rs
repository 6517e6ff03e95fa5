//! Starting every service in one process on SQLite, and the memory that it takes.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::FutureExt;
use store_testing::Engine;

use crate::load::Caller;
use crate::pairs::{Spread, figure};
use crate::rest::{Line, signed_in};
use crate::run::Bench;
use crate::shop::Shop;
use crate::table::Row;

const FIRST: &str = "/v1/products";
const IN_FLIGHT: usize = 64;
/// What a process that has just started does in its first moments is over by then.
const IDLE: Duration = Duration::from_secs(3);

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let (mut new, mut again, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let began = Instant::now();
        let mut shop = Shop::near(&bench.start, Engine::Sqlite).await?;
        shop.process.answers(shop.gateway, FIRST).await?;
        new.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        shop.restart(&bench.start).await?;
        shop.process.answers(shop.gateway, FIRST).await?;
        again.push(began.elapsed().as_secs_f64());
        tokio::time::sleep(IDLE).await;
        idle.push(shop.process.megabytes("VmRSS")?);
    }
    let loaded = loaded(bench).await?;
    let first = "start to first answer, every service, SQLite";
    Ok(vec![
        Row::alone("start", first, Spread::of(&again).told(" s")).with_bar("aim at 0.2 s"),
        Row::alone("start-new", "the same with new databases", Spread::of(&new).told(" s")),
        Row::alone("memory-idle", "memory, idle, every service", Spread::of(&idle).told(" MB"))
            .with_bar("aim at 60 MB"),
        Row::alone("memory-load", "memory, at most, lists over REST, 64 in flight", loaded),
    ])
}

/// The most memory that a process had while its products were read.
async fn loaded(bench: &Bench) -> Result<String> {
    let shop = Shop::near(&bench.start, Engine::Sqlite).await?;
    shop.fill(bench.products).await?;
    let headers = signed_in(&shop.customer("reader").await?)?;
    let caller = |_| -> Caller {
        let (line, headers) = (Line::to(shop.gateway), headers.clone());
        Box::new(move || {
            let (line, headers) = (line.clone(), headers.clone());
            async move { line.fetch(FIRST, &headers).await.map(drop) }.boxed()
        })
    };
    bench.load(IN_FLIGHT, caller).await?;
    Ok(format!("{} MB", figure(shop.process.megabytes("VmHWM")?)))
}

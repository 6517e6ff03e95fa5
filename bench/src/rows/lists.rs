//! Lists and searches in a small shop and in a large one, answered by the store and the index.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::FutureExt;
use mesh::Channel;
use store_testing::Engine;
use tradewind::catalog::v1::{ListProductsResponse, SearchProductsResponse};

use crate::load::{Caller, Measured};
use crate::pairs::{Spread, figure};
use crate::rpc;
use crate::run::Bench;
use crate::shop::Shop;
use crate::table::Row;

const IN_FLIGHT: usize = 4;
const PAGE: i32 = 50;
const LIST: &str = "/tradewind.catalog.v1.CatalogService/ListProducts";
const SEARCH: &str = "/tradewind.catalog.v1.CatalogService/SearchProducts";
/// How long the search index may take to follow.
const PATIENCE: Duration = Duration::from_secs(600);

/// `ListProductsRequest` with a field that no contract has, which makes each request another to the cache.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct List {
    #[prost(int32, tag = "1")]
    page_size: i32,
    #[prost(string, tag = "4")]
    order_by: String,
    #[prost(fixed64, tag = "15000")]
    unlike_any_other: u64,
}

/// The same of `SearchProductsRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Search {
    #[prost(string, tag = "1")]
    query: String,
    #[prost(fixed64, tag = "15000")]
    unlike_any_other: u64,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let large = ["list-large", "search-large", "import-large"];
    for (names, count) in [(["list", "search", "import"], bench.products), (large, bench.large)] {
        if count > 0 {
            rows.extend(shop_of(bench, names, count).await?);
        }
    }
    Ok(rows)
}

async fn shop_of(bench: &Bench, names: [&'static str; 3], count: usize) -> Result<Vec<Row>> {
    let shop = Shop::near(&bench.start, Engine::Postgres).await?;
    let began = Instant::now();
    shop.fill(count).await?;
    let filled = began.elapsed();
    let token = shop.customer("reader").await?;
    let channel = rpc::with_token(rpc::open(shop.gateway).await?, &token)?;
    indexed(&channel, count).await?;
    let indexed = began.elapsed();
    let lists = rounds(bench, || listing(channel.clone())).await?;
    let searches = rounds(bench, || searching(channel.clone())).await?;
    #[expect(clippy::cast_precision_loss, reason = "a shop has far fewer than 2^52 products")]
    let rate = |took: Duration| figure(count as f64 / took.as_secs_f64());
    let brought = format!("{}/s stored, {}/s searchable", rate(filled), rate(indexed));
    let of = |what: &str| format!("{what} of {count} products, {IN_FLIGHT} in flight");
    let [list, search, import] = names;
    Ok(vec![
        Row::alone(list, &of(&format!("`ListProducts`, {PAGE} by title,")), told(&lists)),
        Row::alone(search, &of("`SearchProducts`, a word, a typo in ten,"), told(&searches)),
        Row::alone(import, &format!("`ImportProducts` of {count} products"), brought),
    ])
}

async fn rounds(bench: &Bench, caller: impl Fn() -> Caller) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for _ in 0..bench.rounds {
        all.push(bench.load(IN_FLIGHT, |_| caller()).await?);
    }
    Ok(all)
}

fn told(rounds: &[Measured]) -> String {
    let of =
        |figure: &dyn Fn(&Measured) -> f64| -> Vec<f64> { rounds.iter().map(figure).collect() };
    let rate = Spread::of(&of(&|it| it.rate)).told("/s");
    let median = Spread::of(&of(&|it| it.median.as_secs_f64() * 1e3)).median;
    let p99 = Spread::of(&of(&|it| it.p99.as_secs_f64() * 1e3)).median;
    format!("{rate}, p50 {} ms, p99 {} ms", figure(median), figure(p99))
}

fn number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// Waits until the search knows every product.
async fn indexed(channel: &Channel, count: usize) -> Result<()> {
    let began = Instant::now();
    loop {
        let request = Search { query: String::new(), unlike_any_other: number() };
        let found: SearchProductsResponse = rpc::call(channel.clone(), SEARCH, request).await?;
        if usize::try_from(found.total)? == count {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "the index has {} of {count}", found.total);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn listing(channel: Channel) -> Caller {
    Box::new(move || {
        let channel = channel.clone();
        async move {
            let order_by = "title".to_owned();
            let request = List { page_size: PAGE, order_by, unlike_any_other: number() };
            let page: ListProductsResponse = rpc::call(channel, LIST, request).await?;
            ensure!(!page.products.is_empty(), "an empty page");
            Ok(())
        }
        .boxed()
    })
}

fn searching(channel: Channel) -> Caller {
    let words: Arc<[&str]> = Arc::new([
        "shirt",
        "linen",
        "copper kettle",
        "walnut",
        "lamp",
        "wool blanket",
        "glass",
        "mug",
        "willow basket",
        "kettel",
    ]);
    Box::new(move || {
        let (channel, number) = (channel.clone(), number());
        let at = usize::try_from(number).unwrap_or_default() % words.len();
        let query = words[at].to_owned();
        async move {
            let request = Search { query, unlike_any_other: number };
            let found: SearchProductsResponse = rpc::call(channel, SEARCH, request).await?;
            ensure!(!found.products.is_empty(), "nothing was found");
            Ok(())
        }
        .boxed()
    })
}

//! A feed of any length, imported with the memory of a short one.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use store_testing::Engine;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::customer::{MERCHANT, Person};
use crate::world::{Shape, World};

/// Names how many rows the long feed has; the short one has a tenth of them.
const ROWS_VARIABLE: &str = "TRADEWIND_ROWS";
const ROWS: usize = 5_000;
const VARIANTS: usize = 5;
/// What may be more of the memory that pages and allocators take by chance.
const SLACK: u64 = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_ten_times_as_long_takes_no_more_memory() {
    #[expect(clippy::disallowed_methods, reason = "tests have no command line of their own")]
    let named = std::env::var(ROWS_VARIABLE).ok().and_then(|rows| rows.parse().ok());
    let rows: usize = named.unwrap_or(ROWS);
    let mut world = World::start(Shape::Near, Engine::Sqlite).await;

    let short = import(&world, "short", rows / 10).await;
    let long = import(&world, "long", rows).await;

    let guest = Person::guest(world.gateway).await;
    let last = (rows - 1) / VARIANTS;
    let path = format!("/v1/products:search?query=long{last}");
    let found = |it: &serde_json::Value| it.to_string().contains(&format!("\"long-{last}\""));
    guest.get_until(&path, found).await;
    let begun = Instant::now();
    let answer = guest.get("/v1/products:search?query=thing&pageSize=20").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = format!(
        "{} rows: peak {} KiB in {:?}; {rows} rows: peak {} KiB in {:?}; \
         the mesh: peak {} KiB; a search after it: {:?}",
        rows / 10,
        short.peak >> 10,
        short.took,
        long.peak >> 10,
        long.took,
        peak_memory(world.process_id("catalog")).unwrap_or_default() >> 10,
        begun.elapsed(),
    );
    let _ = writeln!(std::io::stderr(), "{told}");
    assert!(long.peak < short.peak + short.peak / 2 + SLACK, "{told}");
}

/// What an import took.
struct Taken {
    /// Bytes.
    peak: u64,
    took: Duration,
}

/// Imports a feed of so many rows, every product with several of them.
async fn import(world: &World, name: &str, rows: usize) -> Taken {
    let file = world.directory.path().join(format!("{name}.csv"));
    write_feed(&file, name, rows).unwrap();
    let begun = Instant::now();
    let mut importer = Command::new(env!("CARGO_BIN_EXE_tradewind"))
        .arg("import")
        .arg(&file)
        .args(["--url", &format!("http://{}", world.gateway)])
        .envs(MERCHANT)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let peak = watch(&mut importer).await;
    let took = begun.elapsed();
    let said = importer.wait_with_output().await.unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let all = format!("{} created, 0 updated, 0 unchanged; 0 rows refused", rows / VARIANTS);
    assert!(said.contains(&all), "{said}");
    Taken { peak, took }
}

/// The most memory that a process has had, once it has ended.
async fn watch(importer: &mut Child) -> u64 {
    let process = importer.id();
    let mut peak = 0;
    let mut poll = tokio::time::interval(Duration::from_millis(2));
    while importer.try_wait().unwrap().is_none() {
        peak = peak_memory(process).unwrap_or(peak);
        poll.tick().await;
    }
    assert!(peak > 0, "a process has had some memory");
    peak
}

/// The most memory that a running process has had, in bytes, as Linux counts it.
fn peak_memory(process: Option<u32>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

fn write_feed(file: &Path, name: &str, rows: usize) -> std::io::Result<()> {
    let mut feed = BufWriter::new(std::fs::File::create(file)?);
    let header = "Handle,Title,Body (HTML),Vendor,Option1 Name,Option1 Value,Variant Price,\
                  Variant Inventory Tracker,Variant Inventory Qty";
    writeln!(feed, "{header}")?;
    for row in 0..rows {
        let (product, size) = (row / VARIANTS, row % VARIANTS);
        write!(feed, "{name}-{product},")?;
        if size == 0 {
            write!(feed, "Thing {name}{product},\"A thing, such as many are\",Quay & Sons,Size")?;
        } else {
            write!(feed, ",,,")?;
        }
        writeln!(feed, ",{size},{}.90,shopify,{}", 10 + product % 90, row % 7)?;
    }
    feed.flush()
}

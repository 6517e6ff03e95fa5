//! The clock of one process that jumps ahead by an hour and back, one process after the other, while another
//! replica of the same service has the right time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use store_testing::Engine;
use tempfile::TempDir;
use tokio::time::Instant;

use super::table::Row;
use super::{Shop, skipped};
use crate::process::text;
use crate::shop::world::{Before, Plan, SERVICES};

/// Where Debian's package puts the library that a process takes its time from.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
/// By how much a clock jumps.
const AHEAD: &str = "+3600";
const RIGHT: &str = "+0";
/// How long it stays there: longer than a lease is.
const STAYS: Duration = Duration::from_secs(12);
/// Longer than a process doubts a clock that has jumped.
const STANDS: Duration = Duration::from_secs(45);
/// Those of whose processes some stand ahead all at once: whose time ends leases, holds and reservations.
const STANDING: [&str; 4] = ["catalog", "orders", "payments", "ledger"];
/// What a smoke test puts forward.
const SMOKE: [&str; 1] = ["orders"];

/// Puts the clock of a process of each service forward and back; then those of several, for longer.
pub(crate) async fn jumped(smoke: bool) -> Result<Vec<Row>> {
    let Some(library) = library() else {
        skipped("a clock that jumps", "Debian's package `faketime` is not installed");
        return Ok(Vec::new());
    };
    let library = text(&library)?;
    let mut rows = vec![doubted(&library, smoke).await?];
    if !smoke {
        rows.push(believed(&library).await?);
    }
    Ok(rows)
}

/// One after the other, each for less than its process doubts it.
async fn doubted(library: &str, smoke: bool) -> Result<Row> {
    let database = store_testing::database(Engine::Postgres).await;
    let clocks = Clocks::new()?;
    let shop = open(&clocks, library, database.location()).await?;
    let (mut jumps, mut again) = (0, Duration::ZERO);
    for name in SERVICES.into_iter().filter(|name| !smoke || SMOKE.contains(name)) {
        clocks.set(name, 0, AHEAD)?;
        shop.buyers.wait(STAYS).await;
        let begun = Instant::now();
        clocks.set(name, 0, RIGHT)?;
        again = again.max(shop.buyers.again(begun).await?);
        jumps += 1;
        shop.buyers.sell(10).await?;
    }
    let seen = shop.world.logged("and is not believed yet");
    let what = format!("clock an hour ahead for {} s, {jumps} processes in turn", STAYS.as_secs());
    let row = shop.close(&what).await?.again(again);
    drop(database);
    Ok(row.notes(seen >= jumps, &format!("{seen} jumps seen")))
}

/// All at once, for so long that their processes believe it, ahead and back.
async fn believed(library: &str) -> Result<Row> {
    let database = store_testing::database(Engine::Postgres).await;
    let clocks = Clocks::new()?;
    let mut shop = open(&clocks, library, database.location()).await?;
    shop.is_out_of_time = true;
    for time in [AHEAD, RIGHT] {
        for name in STANDING {
            clocks.set(name, 0, time)?;
        }
        shop.buyers.wait(STANDS).await;
    }
    let begun = Instant::now();
    let again = shop.buyers.again(begun).await?;
    let seen = shop.world.logged("and is believed now");
    let lost = shop.world.logged("a lease was lost");
    let told = shop.buyers.signed_out();
    let what = format!(
        "clock an hour ahead for {} s, one of two processes of {}",
        STANDS.as_secs(),
        STANDING.join(", ")
    );
    let row = shop.close(&what).await?.again(again);
    drop(database);
    let said = format!(
        "{seen} jumps believed; {lost} leases taken over, their holders told; {told} tries refused as signed out"
    );
    Ok(row.notes(seen >= 2 * STANDING.len(), &said))
}

async fn open(clocks: &Clocks, library: &str, database: String) -> Result<Shop> {
    let before = clocks.before(library)?;
    Shop::open(Plan { database: Some(database), before, ..Plan::of(2) }).await
}

fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir(LIBRARIES).ok()?.flatten();
    folders.map(|folder| folder.path().join(LIBRARY)).find(|library| library.exists())
}

/// Files that say what time it is, one for each process.
struct Clocks {
    directory: TempDir,
}

impl Clocks {
    fn new() -> Result<Self> {
        let clocks = Self { directory: tempfile::tempdir()? };
        for name in SERVICES {
            for replica in 0..2 {
                clocks.set(name, replica, RIGHT)?;
            }
        }
        Ok(clocks)
    }

    fn set(&self, name: &str, replica: usize, time: &str) -> Result<()> {
        // In one step, or a process would read half of it.
        let file = file(self.directory.path(), name, replica);
        let next = file.with_extension("next");
        std::fs::write(&next, format!("{time}\n")).context("no clock")?;
        Ok(std::fs::rename(next, file)?)
    }

    /// What makes a process take its time from its file; what passes is the machine's all the same.
    fn before(&self, library: &str) -> Result<Before> {
        let (library, directory) = (library.to_owned(), text(self.directory.path())?);
        Ok(Box::new(move |name, replica| {
            let file = file(Path::new(&directory), name, replica);
            vec![
                "env".to_owned(),
                format!("LD_PRELOAD={library}"),
                format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
                "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
                "FAKETIME_CACHE_DURATION=1".to_owned(),
            ]
        }))
    }
}

fn file(directory: &Path, name: &str, replica: usize) -> PathBuf {
    directory.join(format!("{name}-{replica}"))
}

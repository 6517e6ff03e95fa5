//! A disk that is full for a while, under the SQLite databases of all services: a small file system in memory,
//! which nobody sees but the processes of the mesh.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mesh::{Code, Status};
use tempfile::TempDir;
use tokio::time::Instant;
use tradewind::users::v1::StartGuestSessionRequest;
use tradewind_client::Client;

use super::buyers::{Look, Refused};
use super::table::Row;
use super::{Shop, skipped};
use crate::process::{Process, command, own, text};
use crate::shop::world::{Before, Plan};

/// The file system, with room for all databases and not much more.
const SIZE: &str = "size=128m";
/// How many tries are refused before there is room again.
const REFUSED: usize = 4;
/// How many guests come in at most until there is no room for them: what a file has is used up first.
const GUESTS: usize = 5000;

/// Fills it, lets nobody buy for a while, and gives the room back.
pub(crate) async fn filled(smoke: bool) -> Result<Option<Row>> {
    if let Some(why) = missing().await {
        skipped("a full disk", &why);
        return Ok(None);
    }
    let disk = Disk::mount().await?;
    let (data, before) = (Some(disk.directory.path().to_owned()), disk.before());
    let shop = Shop::open(Plan { data, before, ..Plan::of(1) }).await?;
    let (rounds, mut again) = (if smoke { 1 } else { 3 }, Duration::ZERO);
    let (mut refused, mut full, mut turned_away) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        disk.fill()?;
        turned_away.push(turned_away_from(shop.buyers.anyone()).await?);
        shop.buyers.refusals(begun, REFUSED).await?;
        shop.buyers.look(Instant::now()).await?;
        let free = Instant::now();
        disk.free()?;
        again = again.max(shop.buyers.again(free).await?);
        let now = shop.buyers.refused(begun);
        full.extend(now.first().map(|first| (first.ended, free)));
        refused.extend(now);
        shop.buyers.sell(20).await?;
    }
    let looks = shop.buyers.looks();
    let row = shop.close(&format!("disk full, {rounds} times, Sqlite")).await?.again(again);
    Ok(Some(told(row, &turned_away, &refused, &shown(&looks, &full))))
}

/// Has guests come in until one is refused; what that one is told.
async fn turned_away_from(anyone: &Client) -> Result<Status> {
    for _ in 0..GUESTS {
        if let Err(status) = anyone.users().start_guest_session(StartGuestSessionRequest {}).await {
            return Ok(status);
        }
    }
    bail!("{GUESTS} guests came in although the disk is full")
}

/// What customers were told meanwhile, and what they could still see.
fn told(row: Row, turned_away: &[Status], refused: &[Refused], looks: &[Look]) -> Row {
    let of = |code: Code| refused.iter().filter(|it| it.code == code).count();
    let (unavailable, aborted) = (of(Code::Unavailable), of(Code::Aborted));
    let clear = turned_away.iter().filter(|status| {
        status.code() == Code::Unavailable && status.message().contains("no room left on its disk")
    });
    let clear = clear.count();
    let said = format!(
        "{clear} of {} writes of a guest are told UNAVAILABLE, no room left; of {} tries to buy {unavailable} UNAVAILABLE, {aborted} ABORTED while it is not known whether they were paid",
        turned_away.len(),
        refused.len()
    );
    let seen = looks.iter().filter(|look| look.shown).count();
    row.notes(clear == turned_away.len(), &said).notes(
        seen == looks.len() && seen > 0,
        &format!("{seen} of {} reads meanwhile answered", looks.len()),
    )
}

/// Looks while the disk was full.
fn shown(looks: &[Look], full: &[(Instant, Instant)]) -> Vec<Look> {
    let meanwhile = |look: &&Look| full.iter().any(|it| look.begun >= it.0 && look.ended <= it.1);
    looks.iter().filter(meanwhile).copied().collect()
}

/// Why no file system can be made here, where that is so.
async fn missing() -> Option<String> {
    let made = Disk::mount().await;
    made.err().map(|error| format!("{error:#}"))
}

/// A file system of its own, gone with the process that holds it.
struct Disk {
    holder: Process,
    directory: TempDir,
}

impl Disk {
    async fn mount() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut holder = Process::start(&["unshare", "--mount", "--", &own()?, "hold"])?;
        holder.wait_until_ready().await.context("`unshare --mount` needs root")?;
        let disk = Self { holder, directory };
        let [enter, place, end] = disk.there();
        let place_of = text(disk.directory.path())?;
        let mount = ["mount", "-t", "tmpfs", "-o", SIZE, "tmpfs", &place_of];
        command(&enter, &[&[place.as_str(), end.as_str()][..], &mount[..]].concat()).await?;
        Ok(disk)
    }

    /// What stands before a command that sees it.
    fn there(&self) -> [String; 3] {
        let place = format!("--mount=/proc/{}/ns/mnt", self.holder.id());
        ["nsenter".to_owned(), place, "--".to_owned()]
    }

    fn before(&self) -> Before {
        let there = self.there().to_vec();
        Box::new(move |_, _| there.clone())
    }

    /// A file that takes all the room that is left, as it is seen from out here.
    fn ballast(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        let inside = self.directory.path().strip_prefix("/").unwrap_or(self.directory.path());
        root.join(inside).join("ballast")
    }

    fn fill(&self) -> Result<()> {
        fill(&self.ballast())
    }

    fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }
}

fn fill(path: &Path) -> Result<()> {
    let (mut file, block) = (File::create(path)?, [0; 4096]);
    loop {
        match file.write_all(&block) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => bail!("{} cannot be filled: {error}", path.display()),
        }
    }
}

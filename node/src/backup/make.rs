//! Making a backup.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use mesh::Clock;
use store::backup::{Snapshot, hold_files};

use super::dumps::{Address, Programs};
use super::files::{self, Held, private_directory, sync};
use super::manifest::{Copied, EngineName, Manifest};
use super::verify::verify;
use crate::compose::Noun;

/// What the directories of backups begin with.
pub(super) const PREFIX: &str = "tradewind-";
/// What those end with that are not finished.
const PARTIAL: &str = ".partial";

/// What is copied.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Files { data: PathBuf, programs: Programs },
    Server { address: Address, programs: Programs },
}

/// A backup that was made.
pub(crate) struct Made {
    pub(crate) path: PathBuf,
    pub(crate) manifest: Manifest,
}

impl Source {
    pub(super) fn programs(&self) -> &Programs {
        match self {
            Self::Files { programs, .. } | Self::Server { programs, .. } => programs,
        }
    }
}

/// Makes a backup, and gives it its name once it was read back whole.
pub(super) async fn make(source: &Source, held: &Held, clock: &Clock) -> Result<Made> {
    remove_partial(held)?;
    let (path, partial) = names(held, clock);
    private_directory(&partial)?;
    let made = match write(source, &partial, clock).await {
        Ok(manifest) => finish(source, held, (&partial, &path), manifest).await,
        Err(error) => Err(error),
    };
    if made.is_err() {
        // What it is of no use for, it must not fill the disk for.
        let _ = fs::remove_dir_all(&partial);
    }
    made
}

/// A name that no backup has: the second in which it is begun, and a number where that is not enough.
fn names(held: &Held, clock: &Clock) -> (PathBuf, PathBuf) {
    let second: String =
        clock.now().to_string().chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    let mut name = format!("{PREFIX}{second}Z");
    let mut number = 1;
    while held.path.join(&name).exists() {
        number += 1;
        name = format!("{PREFIX}{second}Z-{number}");
    }
    (held.path.join(&name), held.path.join(format!("{name}{PARTIAL}")))
}

/// Removes what a process left that was killed: nobody else makes one now.
fn remove_partial(held: &Held) -> Result<()> {
    for entry in fs::read_dir(&held.path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && name.ends_with(PARTIAL) {
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("{} cannot be removed", entry.path().display()))?;
        }
    }
    Ok(())
}

async fn write(source: &Source, partial: &Path, clock: &Clock) -> Result<Manifest> {
    let time = clock.now().to_string();
    match source {
        Source::Files { data, .. } => copy_files(data, partial, time).await,
        Source::Server { address, programs } => dump(address, programs, partial, time).await,
    }
}

async fn copy_files(data: &Path, partial: &Path, time: String) -> Result<Manifest> {
    let mut manifest = Manifest::new(EngineName::Sqlite, time, None);
    let file = |noun: &Noun| format!("{}.db", noun.name());
    let there = Noun::ALL.into_iter().filter(|noun| data.join(file(noun)).exists());
    let there: Vec<_> = there.filter(|noun| noun.migrations().is_some()).collect();
    ensure!(
        !there.is_empty(),
        "{} has no database of a service; name the directory with --data, or a PostgreSQL database with --database",
        data.display()
    );
    let places: Vec<_> =
        there.iter().map(|noun| (data.join(file(noun)), partial.join(file(noun)))).collect();
    let held = hold_files(&places).await?;
    for (noun, (held, (_, to))) in there.iter().zip(held.into_iter().zip(&places)) {
        let contents = held.copy().await?;
        files::keep(to)?;
        manifest.services.push(Copied::of(noun.name(), to, contents)?);
    }
    Ok(manifest)
}

async fn dump(
    address: &Address,
    programs: &Programs,
    partial: &Path,
    time: String,
) -> Result<Manifest> {
    let mut snapshot = Snapshot::take(address.url()).await?;
    let pg_dump = programs.dump_of(snapshot.server_version()).await?;
    let version = Some(snapshot.server_version());
    let mut manifest = Manifest::new(EngineName::Postgresql, time, version);
    for noun in Noun::ALL {
        let Some(contents) = snapshot.contents(noun.name()).await? else { continue };
        let to = partial.join(format!("{}.pgdump", noun.name()));
        pg_dump.dump(address, noun.name(), snapshot.name(), &to).await?;
        files::keep(&to)?;
        manifest.services.push(Copied::of(noun.name(), &to, contents)?);
    }
    snapshot.end().await?;
    ensure!(!manifest.services.is_empty(), "the database has no schema of a service");
    Ok(manifest)
}

/// Reads back what was written, and gives it its name.
async fn finish(
    source: &Source,
    held: &Held,
    (partial, path): (&Path, &Path),
    manifest: Manifest,
) -> Result<Made> {
    let manifest = manifest.write(partial)?;
    sync(partial)?;
    verify(partial, source.programs()).await.context("the backup is not good")?;
    held.check()?;
    fs::rename(partial, path).with_context(|| format!("{} cannot be named", path.display()))?;
    sync(files::directory(path))?;
    Ok(Made { path: path.to_owned(), manifest })
}

//! Reading a backup from end to end.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use store::backup::{Contents, check_file};

use super::dumps::Programs;
use super::files::{self, copy_private};
use super::manifest::{Copied, EngineName, Manifest};

/// Reads a backup from end to end, each SQLite file as it is after a restore: in a directory of its own.
/// What a dump of PostgreSQL holds is read out of it row by row. It fails naming the file and what differs.
pub(crate) async fn verify(backup: &Path, programs: &Programs) -> Result<Manifest> {
    let manifest = Manifest::read(backup)?;
    let scratch = tempfile::tempdir().context("there is no room to try a restore in")?;
    for copied in &manifest.services {
        let file = backup.join(&copied.file);
        check_bytes(copied, &file)?;
        let found = match manifest.engine {
            EngineName::Sqlite => restored(copied, &file, scratch.path()).await?,
            EngineName::Postgresql => {
                let rows = programs.restore().await?.rows(&file, &copied.name).await?;
                let (migrations, needs) = (copied.migrations.clone(), copied.needs.clone());
                Contents { migrations, needs, rows }
            }
        };
        copied.compare(&file, &found)?;
    }
    Ok(manifest)
}

/// Whether a file is what was written, by its size and hash.
fn check_bytes(copied: &Copied, file: &Path) -> Result<()> {
    let shown = file.display();
    ensure!(file.exists(), "{shown} is missing");
    let (bytes, sha256) = files::digest(file)?;
    ensure!(
        bytes == copied.bytes,
        "{shown} is damaged: it has {bytes} bytes, and the manifest says {}",
        copied.bytes
    );
    ensure!(
        sha256 == copied.sha256,
        "{shown} is damaged: its SHA-256 is {sha256}, and the manifest says {}",
        copied.sha256
    );
    Ok(())
}

async fn restored(copied: &Copied, file: &Path, scratch: &Path) -> Result<Contents> {
    let tried = scratch.join(&copied.file);
    copy_private(file, &tried)?;
    let found = check_file(&tried).await;
    let found = found.with_context(|| format!("{} cannot be restored", file.display()))?;
    // One at a time: the largest decides how much room it takes.
    std::fs::remove_file(&tried)?;
    Ok(found)
}

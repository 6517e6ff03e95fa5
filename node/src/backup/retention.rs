//! Which backups are kept.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::files::Held;
use super::make::PREFIX;
use super::manifest::Manifest;

/// The backups of a directory, the newest first: their names say when they were made.
pub(super) fn backups(kept: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(kept).with_context(|| format!("{} cannot be read", kept.display()))?;
    let mut backups = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && entry.path().is_dir() {
            backups.push(entry.path());
        }
    }
    backups.sort_unstable();
    backups.reverse();
    Ok(backups)
}

/// Removes what is older than so many of the newest whose manifest is good; what has none does not count,
/// so the last good one is never removed for those that are not.
pub(super) fn keep(held: &Held, count: NonZeroUsize) -> Result<Vec<PathBuf>> {
    held.check()?;
    let mut good = 0;
    let mut removed = Vec::new();
    for backup in backups(&held.path)? {
        if good >= count.get() {
            fs::remove_dir_all(&backup)
                .with_context(|| format!("{} cannot be removed", backup.display()))?;
            removed.push(backup);
        } else if Manifest::read(&backup).is_ok() {
            good += 1;
        }
    }
    Ok(removed)
}
